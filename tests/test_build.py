"""Signals know nothing of what happened or became known at or after their cutoff, and repeat to the byte."""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
from features_logs import CUTOFF, PEOPLE, START, TIMES, events, frame_bytes, log_of, numbered
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features import history
from features.build import build_signals, signals_in_order
from features.catalog import catalog
from features.fitted import Fitted, fit
from features.pace import in_lines, pace
from features.vocabulary import Vocabulary
from features.writing import write_signals
from records.errors import InputError
from records.events import EventLog

SLOW = settings(max_examples=4 * TIMES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
EARLIER = CUTOFF - timedelta(days=30)


def signals_of(rows: list[dict[str, Any]], cutoffs: list[datetime], files: int = 1, **options: Any) -> pa.Table:
    with tempfile.TemporaryDirectory() as folder:
        return build_signals(log_of(Path(folder), rows, files), cutoffs, **options)


def visible(row: dict[str, Any], cutoff: datetime) -> bool:
    return row["occurred_at"] < cutoff and row["received_at"] < cutoff


@SLOW
@given(st.lists(events(), min_size=1, max_size=60), st.lists(events(), max_size=30), st.randoms(use_true_random=False))
def test_nothing_at_or_after_the_cutoff_changes_a_byte(past: Any, other: Any, random: Any) -> None:
    rows = numbered(past)
    kept = [row for row in rows if visible(row, CUTOFF)]
    hidden = [row for row in rows if not visible(row, CUTOFF)]
    changed = [
        {**row, "name": random.choice(["order_completed", "message_sent"])} for row in hidden if random.random() < 0.7
    ]
    added = [row for row in numbered(other, "x") if not visible(row, CUTOFF)]

    only_the_past = signals_of(kept, [CUTOFF])
    assert frame_bytes(only_the_past) == frame_bytes(signals_of(rows, [CUTOFF]))
    assert frame_bytes(only_the_past) == frame_bytes(signals_of(kept + changed + added, [CUTOFF]))


@SLOW
@given(st.lists(events(), min_size=1, max_size=60))
def test_a_cutoff_gives_the_same_rows_alone_or_among_others(past: Any) -> None:
    rows = numbered(past)
    words = Fitted(words=Vocabulary(events=("song played",), topics=("network",), channels=("app",)))
    odd = CUTOFF - timedelta(days=3, hours=5, microseconds=7)
    together = signals_of(rows, [CUTOFF, EARLIER, odd], fitted=words)
    for cutoff in (CUTOFF, EARLIER, odd):
        among = together.filter(
            pa.compute.equal(together.column("cutoff"), pa.scalar(cutoff, pa.timestamp("us", "UTC")))
        )
        assert frame_bytes(signals_of(rows, [cutoff], fitted=words)) == frame_bytes(among)


@SLOW
@given(st.lists(events(), min_size=2, max_size=60), st.randoms(use_true_random=False))
def test_threads_files_and_their_order_change_no_byte(past: Any, random: Any) -> None:
    rows = numbered(past)
    shuffled = random.sample(rows, len(rows))
    one = signals_of(rows, [EARLIER, CUTOFF], threads=1)
    assert frame_bytes(one) == frame_bytes(signals_of(shuffled, [CUTOFF, EARLIER], files=3, threads=2))


def test_chunks_and_chosen_customers_change_no_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = numbered(
        [
            {
                "customer_id": person,
                "occurred_at": START + timedelta(days=day),
                "received_at": START + timedelta(days=day),
                "name": name,
                "product": "router",
                "properties": "{}",
            }
            for person in PEOPLE
            for day in (1, 4, 9)
            for name in ("order_completed", "support_ticket_opened")
        ]
    )
    log = log_of(tmp_path, rows)
    whole = build_signals(log, [CUTOFF])
    assert whole.column("customer_id").to_pylist() == sorted(PEOPLE)
    chosen = build_signals(log, [CUTOFF], customers=[PEOPLE[1], "nobody"])
    assert frame_bytes(chosen) == frame_bytes(whole.filter(pa.compute.equal(whole.column("customer_id"), PEOPLE[1])))
    done: list[tuple[int, int]] = []
    monkeypatch.setattr(history, "EVENTS_PER_CHUNK", 5)
    monkeypatch.setattr(history, "EVENTS_AT_ONCE", 7)
    assert frame_bytes(build_signals(log, [CUTOFF], progress=lambda n, of: done.append((n, of)))) == frame_bytes(whole)
    assert done == sorted(done)
    assert (done[0], done[-1], len(done)) == ((6, 48), (48, 48), 9)  # four pieces of the log, four people, the end


def test_a_person_has_a_row_from_the_first_cutoff_after_they_are_known(tmp_path: Path) -> None:
    rows = numbered(
        [
            {"customer_id": "early", "occurred_at": START, "received_at": START, "name": "message_sent"},
            {"customer_id": "on the dot", "occurred_at": CUTOFF, "received_at": CUTOFF, "name": "order_completed"},
            {"customer_id": "late", "occurred_at": START, "received_at": CUTOFF, "name": "order_completed"},
        ]
    )
    log = log_of(tmp_path, rows)
    table = build_signals(log, [START, CUTOFF, CUTOFF + timedelta(microseconds=1)])
    assert table.select(["customer_id", "cutoff"]).to_pylist() == [
        {"customer_id": "early", "cutoff": CUTOFF},
        *(
            {"customer_id": person, "cutoff": CUTOFF + timedelta(microseconds=1)}
            for person in ("early", "late", "on the dot")
        ),
    ]


def test_families_without_events_are_null_and_counts_of_the_others_zero(tmp_path: Path) -> None:
    rows = numbered(
        [
            {"customer_id": "a", "occurred_at": START, "received_at": START, "name": "order_completed"},
            {"customer_id": "b", "occurred_at": START, "received_at": START, "name": "page_viewed"},
        ]
    )
    a, b = build_signals(log_of(tmp_path, rows), [CUTOFF]).to_pylist()
    assert (a["orders_ever"], b["orders_ever"], b["days_since_last_order"]) == (1.0, 0.0, None)
    assert {a["tickets_ever"], b["payment_failures_90d"], a["messages_30d"], a["last_bill"]} == {None}


def test_the_columns_are_the_catalog_in_its_order_also_for_an_empty_log(tmp_path: Path) -> None:
    names = ["customer_id", "cutoff", *(signal.name for signal in catalog())]
    empty = build_signals(EventLog(tmp_path), [CUTOFF])
    assert (empty.num_rows, empty.column_names) == (0, names)
    assert build_signals(EventLog(tmp_path), []).column_names == names


def test_a_cutoff_without_a_time_zone_is_refused(tmp_path: Path) -> None:
    log = log_of(
        tmp_path, numbered([{"customer_id": "a", "occurred_at": START, "received_at": START, "name": "page_viewed"}])
    )
    with pytest.raises(InputError, match="has no time zone"):
        build_signals(log, [datetime(2024, 4, 10)], fitted=Fitted())  # noqa: DTZ001


def test_what_is_fitted_holds_what_was_known_before_and_survives_json(tmp_path: Path) -> None:
    def event(day: int, name: str, topic: str | None = None) -> dict[str, Any]:
        at = START + timedelta(days=day)
        return {
            "customer_id": "a",
            "occurred_at": at,
            "received_at": at,
            "name": name,
            "topic": topic,
            "channel": "app",
        }

    log = log_of(
        tmp_path,
        numbered(
            [
                event(1, "song_played"),
                event(2, "song_played"),
                event(3, "ad_heard"),
                event(4, "support_ticket_opened", "network"),
                event(50, "later_word", "later topic"),
            ]
        ),
    )
    fitted = fit(log, START + timedelta(days=50), timezone="Asia/Kolkata", activity=[])
    assert fitted.words == Vocabulary(events=("song_played", "ad_heard"), topics=("network",), channels=("app",))
    assert Fitted.from_json(fitted.to_json()) == fitted
    assert hash(Fitted.from_json(fitted.to_json())) == hash(fitted)
    [row] = build_signals(log, [START + timedelta(days=60)], fitted=fitted).to_pylist()
    assert (row["event_song_played_ever"], row["event_ad_heard_days_since_last"], row["topic_network_180d"]) == (
        2.0,
        57.0,
        1.0,
    )


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_written_signals_are_the_built_ones_and_repeat_to_the_byte(tmp_path: Path, ending: str) -> None:
    log = log_of(
        tmp_path / "home",
        numbered([{"customer_id": "ग्राहक १", "occurred_at": START, "received_at": START, "name": "order_completed"}]),
    )
    first, second = tmp_path / f"1.{ending}", tmp_path / f"2.{ending}"
    assert [write_signals(signals_in_order(log, [CUTOFF]), out) for out in (first, second)] == [1, 1]
    assert first.read_bytes() == second.read_bytes()
    read = csv.read_csv(first) if ending == "csv" else pq.read_table(first)
    assert read.column("customer_id").to_pylist() == ["ग्राहक १"]
    assert read.column("days_since_last_order").to_pylist() == [float((CUTOFF - START).days)]


def test_an_unknown_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Cannot write signals to signals\.xlsx"):
        write_signals([], tmp_path / "signals.xlsx")


@SLOW
@given(st.lists(events(), min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_chosen_signals_are_columns_of_the_whole_table(past: Any, random: Any) -> None:
    rows, words = numbered(past), Fitted(words=Vocabulary(events=("song played",), topics=("network",)))
    whole = signals_of(rows, [EARLIER, CUTOFF], fitted=words)
    names = random.sample([signal.name for signal in catalog(words)], 7)
    some = signals_of(rows, [EARLIER, CUTOFF], fitted=words, signals=names)
    assert sorted(some.column_names[2:]) == sorted(names)
    assert frame_bytes(some) == frame_bytes(whole.select(some.column_names))


def test_an_unknown_signal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no signal 'orders_31d'"):
        build_signals(EventLog(tmp_path), [CUTOFF], signals=["orders_31d"])


def test_the_line_of_progress_says_speed_and_time_left() -> None:
    assert pace(6_000_000, 20_000_000, 3.0) == "3,000,000 of 10,000,000 events, 1,000,000 events/s, 7 s left"
    assert pace(0, 20, 0.0) == "0 of 10 events, 0 events/s, 0 s left"


def test_a_long_build_says_so_now_and_then_and_a_short_one_nothing() -> None:
    lines: list[str] = []
    times = iter([0.0, 1.0, 12.0, 13.0, 30.0, 60.0])
    tell = in_lines(lines.append, "signals: ", clock=lambda: next(times))
    for done in (10, 120, 130, 300, 400):
        tell(done, 400)
    assert lines == [
        "signals: 60 of 200 events, 5 events/s, 28 s left",
        "signals: 150 of 200 events, 5 events/s, 10 s left",
    ]
