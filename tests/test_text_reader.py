"""Each text is read by a model that learnt from earlier texts alone; what the nightly job wrote only saves time."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.build import build_signals
from features.fitted import fit
from records.canonical import EVENT_SCHEMA
from records.events import EventLog
from training.text_learning import _FITTED, ReaderFit, learn_to_read, moments
from training.text_reader import PREFIX, TextReader

START = datetime(2025, 1, 10, tzinfo=UTC)
AS_OF = datetime(2025, 9, 1, tzinfo=UTC)
TOPICS = {
    "network": ["net nahi chal raha", "नेट नहीं चल रहा", "the internet is down", "no signal here"],
    "billing": ["bill zyada aaya", "बिल ज़्यादा आया", "my bill is too high", "charged twice"],
    "delivery": ["order kab aayega", "ऑर्डर कब आएगा", "where is my order", "parcel is late"],
}
MOODS = {5.0: ["bahut badhiya", "बहुत बढ़िया", "great service"], 1.0: ["bahut kharab", "बहुत खराब", "terrible"]}
STRANGE = ["\u202eolleh\u202c", "😡" * 3_000, "{{ 7 * 7 }}", "' or 1=1 --", "net\0down", "   ", "x" * 50_000]


def company(seed: int, *, texts: int = 1_200, late: float = 0.1, strange: bool = True) -> pa.Table:
    """Tickets with topics, ratings with words, mentions with neither; some known only days later."""
    rng = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for number in range(texts):
        at = START + timedelta(days=rng.uniform(0, 290))
        row = {"event_id": f"e{number:05d}", "customer_id": f"C {rng.randrange(120)}", "occurred_at": at}
        row["received_at"] = at + timedelta(days=rng.uniform(0, 40)) if rng.random() < late else at
        kind = rng.random()
        if kind < 0.6:
            topic = rng.choice(list(TOPICS))
            words = f"{rng.choice(TOPICS[topic])} {rng.choice(['please', 'bhai', 'जल्दी', ''])}"
            row |= {"name": "support_ticket_opened", "topic": topic if rng.random() < 0.9 else None, "text": words}
        elif kind < 0.95:
            stars = rng.choice(list(MOODS))
            row |= {"name": "rating_given", "rating": stars, "text": rng.choice(MOODS[stars])}
        else:
            row |= {"name": "social_mention", "text": rng.choice(STRANGE) if strange else "great service"}
        rows.append(row)
    rows += [
        {"event_id": f"o{who}", "customer_id": f"C {who}", "occurred_at": START, "name": "order_completed"}
        for who in range(120)
    ]
    return table(rows)


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    filled = [{"received_at": row["occurred_at"], **row} for row in rows]
    return pa.Table.from_pylist(filled, schema=EVENT_SCHEMA)


def log_of(folder: Path, events: pa.Table) -> EventLog:
    log = EventLog(folder)
    log.append(events)
    return log


def known_before(events: pa.Table, moment: datetime) -> pa.Table:
    rows = [max(a, b) < moment for a, b in zip(events["occurred_at"].to_pylist(), events["received_at"].to_pylist())]  # noqa: B905
    return events.filter(pa.array(rows))


def keys(reading: ReaderFit) -> list[str]:
    return [model.key for model in reading.reader.models] if reading.reader else []


def reader_of(reading: ReaderFit) -> TextReader:
    assert reading.reader is not None
    return reading.reader


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> EventLog:
    return log_of(tmp_path_factory.mktemp("texts"), company(1))


@pytest.fixture(scope="module")
def reading(log: EventLog) -> ReaderFit:
    return learn_to_read(log, AS_OF, seed=1)


@pytest.fixture
def copy(tmp_path: Path) -> EventLog:
    return log_of(tmp_path, company(1))


def test_texts_are_read_from_the_first_month_that_has_enough_to_learn_from(reading: ReaderFit) -> None:
    reader = reader_of(reading)
    untils = [model.until for model in reader.models]
    assert len(untils) >= 2
    assert untils == sorted(untils)
    assert all(until.day == 1 and START + timedelta(days=30) < until <= AS_OF for until in untils)
    assert set(reader.models[-1].topics) == set(TOPICS)
    for name, least in (("topic_accuracy", 0.9), ("sentiment_rank_correlation", 0.7), ("sentiment_auroc", 0.9)):
        assert reading.figures[name].value > least
    assert reading.figures["topic_most_popular"].value < 0.5
    assert any(note.startswith("of ") and "topic right" in note for note in reading.notes)


@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 9), st.floats(0.45, 0.95), st.floats(0.2, 1.0), st.sampled_from([0.0, 0.3]))
def test_nothing_later_changes_how_a_text_is_read(seed: int, share: float, earlier: float, late: float) -> None:
    """Models and readings at T are those of a log that ends at T; those at an earlier cutoff are the same again."""
    events = company(seed, late=late)
    cutoff = START + timedelta(days=290 * share)
    before = START + timedelta(days=290 * share * earlier)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        whole, ended = log_of(Path(one), events), log_of(Path(other), known_before(events, cutoff))
        known = learn_to_read(whole, cutoff, seed=1)
        _FITTED.clear()
        cut = learn_to_read(ended, cutoff, seed=1)
        assert keys(known) == keys(cut)
        assert (known.figures, known.counts, known.notes) == (cut.figures, cut.counts, cut.notes)
        young = learn_to_read(whole, before, seed=1)
        assert keys(young) == keys(known)[: len(keys(young))]
        if known.reader is None:
            return
        assert known.reader.readings(whole, cutoff) == known.reader.readings(ended, cutoff)
        if young.reader is not None:
            assert known.reader.readings(whole, before) == young.reader.readings(whole, before)
        for row in known.reader.readings(whole, cutoff).events.to_pylist():
            moment = max(row["occurred_at"], row["received_at"])
            model = next(one for one in known.reader.models if one.key == json.loads(row["properties"])["model"])
            assert model.until <= moment < cutoff


def test_signals_of_a_cutoff_do_not_see_later_texts(log: EventLog, reading: ReaderFit, tmp_path: Path) -> None:
    reader, cutoff = reader_of(reading), AS_OF - timedelta(days=20, hours=5)
    ended = log_of(tmp_path, known_before(company(1), cutoff))
    fitted = fit(ended, cutoff)
    several = [cutoff - timedelta(days=30), cutoff, AS_OF]
    whole = build_signals(log, several, fitted=fitted, readings=reader.readings(log, AS_OF))
    alone = build_signals(ended, several[:2], fitted=fitted, readings=reader.readings(ended, cutoff))
    assert whole.filter(pa.array([at <= cutoff for at in whole["cutoff"].to_pylist()])).equals(alone)
    for name in ("last_sentiment", "mean_sentiment_90d", "unhappy_texts_90d", "text_topic_network_90d"):
        assert alone.column(name).null_count < alone.num_rows
    assert max(value or 0 for value in alone["text_topic_billing_90d"].to_pylist()) >= 2


def test_a_signal_is_the_same_before_and_after_the_job_wrote_its_readings(copy: EventLog, reading: ReaderFit) -> None:
    reader, fitted = reader_of(reading), fit(copy, AS_OF)
    some = ["C 3", "C 40", "nobody"]

    def signals(cutoff: datetime, **more: Any) -> pa.Table:
        return build_signals(copy, [cutoff], fitted=fitted, readings=reader.readings(copy, cutoff), **more)

    later = AS_OF + timedelta(days=3)
    before = [signals(AS_OF), signals(later), signals(later, rollup=True)]
    job = AS_OF + timedelta(days=1)
    written = copy.append(reader.unwritten(copy, job))
    assert written.accepted > 300
    assert copy.append(reader.unwritten(copy, job + timedelta(hours=1))).accepted < 10  # texts of that hour
    assert [signals(AS_OF), signals(later), signals(later, rollup=True)] == before
    assert before[1] == before[2]
    chosen = signals(later, customers=some)
    assert chosen == before[1].filter(pa.array([one in some for one in before[1]["customer_id"].to_pylist()]))
    narrow = reader.readings(copy, later, some)
    assert build_signals(copy, [later], fitted=fitted, readings=narrow, customers=some) == chosen


def test_what_the_job_writes_is_known_from_its_run_on(copy: EventLog, reading: ReaderFit) -> None:
    reader, job = reader_of(reading), AS_OF + timedelta(hours=6)
    copy.append(reader.unwritten(copy, job))
    rows = copy.connection().sql("from events where name = 'text_scored'").to_arrow_table().to_pylist()
    texts = {row["event_id"]: row for row in company(1).to_pylist()}
    assert rows
    for row in rows:
        text = texts[row["event_id"].removeprefix(PREFIX)]
        assert (row["customer_id"], row["occurred_at"]) == (text["customer_id"], text["occurred_at"])
        assert row["received_at"] == job
        assert row["text"] is None
    bare = build_signals(copy, [AS_OF, job + timedelta(days=1)], fitted=fit(copy, AS_OF), signals=["last_sentiment"])
    early, late = (
        bare.filter(pa.array(bare["cutoff"].to_numpy() == at)) for at in np.unique(bare["cutoff"].to_numpy())
    )
    assert early["last_sentiment"].null_count == early.num_rows
    assert late["last_sentiment"].null_count < late.num_rows


def test_readings_of_another_model_are_not_taken_for_ours(copy: EventLog, reading: ReaderFit) -> None:
    reader = reader_of(reading)
    ours = reader.readings(copy, AS_OF)
    forged = ours.events.set_column(
        ours.events.column_names.index("properties"),
        "properties",
        pa.array(['{"model": "0000000000000000", "sentiment": -1}'] * ours.events.num_rows),
    )
    copy.append(forged)
    assert reader.readings(copy, AS_OF) == ours
    younger = replace(reader, models=reader.models[-1:])
    assert younger.readings(copy, AS_OF).events.num_rows < ours.events.num_rows


def test_the_reader_comes_back_from_its_files_and_learns_the_same_again(log: EventLog, reading: ReaderFit) -> None:
    files: dict[str, bytes] = {}
    again = TextReader.from_json(json.loads(json.dumps(reader_of(reading).to_json(files))), files)
    assert again.readings(log, AS_OF) == reader_of(reading).readings(log, AS_OF)
    _FITTED.clear()
    twice: dict[str, bytes] = {}
    reader_of(learn_to_read(log, AS_OF, seed=1)).to_json(twice)
    assert twice == files


@pytest.fixture
def empty(tmp_path: Path) -> EventLog:
    return EventLog(tmp_path / "other")


def said(log: EventLog, events: pa.Table) -> ReaderFit:
    log.append(events)
    return learn_to_read(log, AS_OF, seed=1)


def test_a_log_without_texts_says_so(empty: EventLog) -> None:
    bare = company(1)
    found = said(empty, bare.set_column(10, "text", pa.nulls(bare.num_rows, pa.string())))
    assert found.reader is None
    assert found.notes == ("text signals stay empty: the log has no texts",)


def test_few_labelled_texts_teach_nothing(empty: EventLog) -> None:
    found = said(empty, company(1, texts=150))
    assert found.reader is None
    assert found.notes == ("texts stay unread: fewer than 100 with a topic or rating by September 2025",)


def test_texts_that_somebody_else_reads_are_left_to_them(empty: EventLog) -> None:
    theirs = {"event_id": "x", "customer_id": "C 1", "occurred_at": START, "name": "text_scored", "topic": "billing"}
    found = said(empty, pa.concat_tables([company(1), table([theirs])]))
    assert found.reader is None
    assert found.notes == ("texts are read elsewhere: the log has 1 text_scored events of its own",)


def test_one_absurd_rating_does_not_flatten_the_others(empty: EventLog) -> None:
    odd = {"event_id": "x", "customer_id": "C 1", "occurred_at": START, "name": "rating_given", "rating": 1e9}
    found = said(empty, pa.concat_tables([company(1), table([{**odd, "text": "great service"}])]))
    assert found.figures["sentiment_rank_correlation"].value > 0.7
    assert reader_of(found).read(["bahut kharab"], np.array([2**60]))[2][0] < -0.5


def test_models_are_fitted_when_there_is_twice_as_much_to_learn_from_or_after_half_a_year() -> None:
    months = {datetime(2025, month, 1, tzinfo=UTC): (50, 15) for month in range(1, 13)}
    found = moments(months, datetime(2025, 12, 31, tzinfo=UTC))  # 100 ratings are there in July
    assert [moment.month for moment in found] == [2, 4, 7]
    months |= {datetime(2026, month, 1, tzinfo=UTC): (10, 0) for month in range(1, 13)}
    found = moments(months, datetime(2026, 9, 1, tzinfo=UTC))
    assert [(moment.year, moment.month) for moment in found][3:] == [(2026, 1), (2026, 7)]
    assert moments(months, datetime(2025, 3, 31, tzinfo=UTC)) == found[:1]
    many = {datetime(2025, month, 1, tzinfo=UTC): (4_000, 0) for month in range(1, 13)}
    assert [moment.month for moment in moments(many, datetime(2025, 12, 31, tzinfo=UTC))] == [1, 2, 8]
