"""Everybody eligible gets one score with reasons and topics; the same inputs give the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from sqlalchemy import Engine, func, select
from test_train import AS_OF, CHURN, NOW, QUICK, shop

from records.database import connect, migrate
from records.errors import InputError, NotEnoughData
from records.events import EventLog
from records.scores import Run, Score, count_by_band, find_scores, latest_run, newest_score, save_run
from records.tables import scores
from serving.scoring import ScoringRun, score, write_scores
from serving.settings import Settings
from training.labels import IssueOptions, eligible
from training.model import Model
from training.registry import Registry
from training.train import train

COLUMNS = [
    "customer_id",
    "as_of",
    "churn_probability",
    "band",
    "reasons",
    "topic_1",
    "topic_1_probability",
    "topic_2",
    "topic_2_probability",
    "topic_3",
    "topic_3_probability",
    "model_version",
]


@dataclass(frozen=True)
class Shop:
    log: EventLog
    model: Model
    settings: Settings


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    log = shop(folder / "data")
    train(log, AS_OF, CHURN, IssueOptions(), QUICK, folder / "mlruns", NOW)
    return Shop(log=log, model=Registry(folder / "mlruns").load("latest"), settings=Settings(churn=CHURN))


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Engine]:
    engine = connect(f"sqlite:///{tmp_path / 'pehle.db'}")
    migrate(engine)
    yield engine
    engine.dispose()


def scored(trained: Shop, engine: Engine, **more: object) -> ScoringRun:
    return score(trained.log, engine, trained.model, "3", trained.settings, AS_OF, NOW, **more)  # type: ignore[arg-type]


def test_everybody_eligible_is_scored_once_in_the_columns_scripts_read(trained: Shop, engine: Engine) -> None:
    run = scored(trained, engine)

    table = run.table
    assert table.column_names == COLUMNS
    assert table.column("customer_id").to_pylist() == eligible(trained.log, [AS_OF], CHURN)[AS_OF]
    assert run.customers == table.num_rows > 100
    assert set(table.column("as_of").to_pylist()) == {AS_OF}
    assert all(0 <= one <= 1 for one in table.column("churn_probability").to_numpy())
    bands = CHURN.bands
    pairs = zip(table.column("churn_probability").to_pylist(), table.column("band").to_pylist(), strict=True)
    assert all(bands.of(probability) == band for probability, band in pairs)  # type: ignore[arg-type]
    with engine.connect() as connection:
        newest = latest_run(connection)
        assert newest == run.run
        assert count_by_band(connection, run.run.run_id) == {k: v for k, v in run.count_by_band().items() if v}
        one = newest_score(connection, table.column("customer_id")[0].as_py())
    assert one is not None
    assert one.churn_probability == table.column("churn_probability")[0].as_py()


def test_topics_are_ranked_for_everybody(trained: Shop, sqlite: Engine) -> None:
    table = scored(trained, sqlite).table

    first, second = (table.column(f"topic_{place}_probability").to_pylist() for place in (1, 2))
    assert all(one >= two for one, two in zip(first, second, strict=True))  # type: ignore[operator]
    assert set(table.column("topic_1").to_pylist()) <= {"billing", "delivery", "network"}


def test_reasons_are_for_whom_they_were_asked(trained: Shop, sqlite: Engine) -> None:
    said = {which: scored(trained, sqlite, reasons=which).table for which in ("none", "top", "all")}

    assert set(said["none"].column("reasons").to_pylist()) == {""}
    for band, reasons in zip(*(said["top"].column(name).to_pylist() for name in ("band", "reasons")), strict=True):
        assert bool(reasons) == (band != "low")
    assert sum(bool(one) for one in said["all"].column("reasons").to_pylist()) > 0.9 * said["all"].num_rows
    assert said["none"].column("churn_probability").equals(said["all"].column("churn_probability"))


def test_a_reason_in_the_database_can_be_read_in_both_languages(trained: Shop, sqlite: Engine) -> None:
    run = scored(trained, sqlite, reasons="all")
    with sqlite.connect() as connection:
        found = [one for one in find_scores(connection, run.run.run_id).values() if one.reasons]

    for one in found:
        assert 1 <= len(one.reasons) <= 3
        for reason in one.reasons:
            assert {"signal", "value", "push", "share", "en", "hi"} <= set(reason)
        strength = [abs(reason["push"]) for reason in one.reasons]
        assert strength == sorted(strength, reverse=True)


def test_scoring_again_gives_the_same_rows_and_no_more(trained: Shop, sqlite: Engine) -> None:
    def rows() -> list[tuple[object, ...]]:
        with sqlite.connect() as connection:
            return [tuple(row) for row in connection.execute(select(scores).order_by(scores.c.score_id))]

    first = scored(trained, sqlite).table
    before = rows()
    again = scored(trained, sqlite).table

    assert first.equals(again)
    assert rows() == before


def test_what_happened_later_changes_no_score(trained: Shop, sqlite: Engine, tmp_path: Path) -> None:
    other = shop(tmp_path / "data")
    people = eligible(other, [AS_OF], CHURN)[AS_OF]
    other.append(
        pa.table(
            {
                "customer_id": people,
                "name": ["order_completed"] * len(people),
                "occurred_at": pa.array([AS_OF] * len(people), pa.timestamp("us", "UTC")),
            }
        )
    )
    assert scored(trained, sqlite).table.equals(scored(Shop(other, trained.model, trained.settings), sqlite).table)


def test_nobody_to_score_is_said(trained: Shop, sqlite: Engine) -> None:
    with pytest.raises(NotEnoughData, match="Nobody is an active customer at 2024-01-01"):
        score(trained.log, sqlite, trained.model, "3", trained.settings, datetime(2024, 1, 1, tzinfo=UTC), NOW)


def test_scores_are_written_as_the_ending_says(trained: Shop, sqlite: Engine, tmp_path: Path) -> None:
    table = scored(trained, sqlite).table
    write_scores(table, tmp_path / "scores.csv")
    write_scores(table, tmp_path / "scores.parquet")

    assert pyarrow.parquet.read_table(tmp_path / "scores.parquet").equals(table)
    assert pyarrow.csv.read_csv(tmp_path / "scores.csv").column_names == COLUMNS
    with pytest.raises(InputError, match=r"scores\.xlsx ends in '\.xlsx'"):
        write_scores(table, tmp_path / "scores.xlsx")


def test_a_run_that_was_killed_half_way_is_not_the_newest(sqlite: Engine) -> None:
    whole = Run(run_id="whole", as_of=AS_OF, model_version="1", scored_at=NOW, customers=1)
    half = Run(run_id="half", as_of=AS_OF + timedelta(days=1), model_version="1", scored_at=NOW, customers=2)

    def rows(run: Run, dies: bool) -> Iterator[Score]:
        for number in range(run.customers):
            if dies and number:
                raise KeyboardInterrupt
            yield Score(
                score_id=f"{run.run_id}{number}",
                run_id=run.run_id,
                customer_id="C",
                as_of=run.as_of,
                churn_probability=0.5,
                band="medium",
                model_version="1",
            )

    save_run(sqlite, whole, rows(whole, dies=False))
    with pytest.raises(KeyboardInterrupt):
        save_run(sqlite, half, rows(half, dies=True))

    with sqlite.connect() as connection:
        assert latest_run(connection) == whole
    save_run(sqlite, half, rows(half, dies=False))
    with sqlite.connect() as connection:
        assert latest_run(connection) == half
        assert connection.execute(select(func.count()).select_from(scores)).scalar_one() == 3
