"""A company's texts from end to end: trained, scored, read into the log by the nightly job, scored again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from records.events import EventLog
from records.tables import scores
from serving import jobs
from serving.home import REAL, Home, create_home, open_home
from serving.scoring import score
from training.model import Model, row_hashes
from training.registry import Registry

TEXT_SIGNALS = ("last_sentiment", "mean_sentiment_90d", "sentiment_decayed_90d", "unhappy_texts_90d")


@pytest.fixture
def home(trained_home: Path) -> Home:
    return open_home(trained_home)


@pytest.fixture
def model(home: Home) -> Model:
    found = Registry(home.mlruns).champion()
    assert found is not None
    return found


def read_events(log: EventLog) -> list[dict[str, object]]:
    return log.connection().sql("from events where name = 'text_scored' order by event_id").to_arrow_table().to_pylist()


def without_readings(home: Home, folder: Path) -> EventLog:
    log = EventLog(folder)
    log.append(home.log.connection().sql("from events where name <> 'text_scored'").to_arrow_table())
    return log


def test_a_company_s_texts_become_signals_and_the_job_changes_none_of_them(
    home: Home, model: Model, tmp_path: Path
) -> None:
    as_of = datetime.fromisoformat(str(model.settings["as_of"]))
    night, later = as_of + timedelta(hours=6), as_of + timedelta(days=2)
    assert model.text is not None
    bare = without_readings(home, tmp_path / "bare")
    before = model.signals(bare, as_of)
    told = {name for name in before.column_names if before[name].null_count < before.num_rows}
    assert told >= {*TEXT_SIGNALS, "text_topic_network_90d", "text_topic_billing_90d"}
    assert set(TEXT_SIGNALS) <= set(model.signal_names)

    first = score(bare, home.engine, model, "1", home.settings, as_of, night)
    bare.append(model.text.unwritten(bare, night))
    again = score(bare, home.engine, model, "1", home.settings, as_of, night)
    assert again.table == first.table
    assert model.signals(bare, as_of, rollup=True) == model.signals(bare, as_of) == before
    fresh = without_readings(home, tmp_path / "fresh")
    assert model.signals(bare, later, rollup=True) == model.signals(fresh, later)
    query = select(scores.c.customer_id, scores.c.signals_sha256).where(scores.c.run_id == first.run.run_id)
    with home.engine.connect() as connection:
        kept = {row.customer_id: row.signals_sha256 for row in connection.execute(query)}
    one = first.table["customer_id"].to_pylist()[0]
    assert row_hashes(model.signals(bare, as_of, [one]), model.signal_names) == [kept[one]]


def test_the_job_writes_each_text_once(home: Home, model: Model) -> None:
    as_of = datetime.fromisoformat(str(model.settings["as_of"]))
    already, night = len(read_events(home.log)), as_of + timedelta(days=1)
    assert model.text is not None
    missing = model.text.unwritten(home.log, night).num_rows
    assert jobs.read_texts(home, night) == f"{missing} texts read"
    rows = read_events(home.log)
    assert len(rows) == already + missing > 200
    assert jobs.read_texts(home, night + timedelta(hours=1)) == "0 texts read"
    assert read_events(home.log) == rows
    assert {row["text"] for row in rows} == {None}
    assert home.log.data_sha256(as_of) == model.settings["data_sha256"]


def test_without_a_model_in_use_the_job_has_nothing_to_do(tmp_path: Path) -> None:
    home = create_home(tmp_path / "new", REAL)
    assert jobs.read_texts(home, datetime(2026, 6, 1, tzinfo=UTC)) == "nothing to do: no model in use reads texts"
