"""A roll-up kept from night to night says what one made anew would say, to the byte."""

from __future__ import annotations

import multiprocessing
import os
import signal as signals_of_the_system
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from features_logs import CUTOFF, PEOPLE, START, TIMES, events, frame_bytes, log_of, numbered, table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features import rollup_store
from features.build import build_signals
from features.fitted import Fitted
from features.vocabulary import Vocabulary
from records import parts
from records.events import EventLog

SLOW = settings(max_examples=4 * TIMES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
FITTED = Fitted(words=Vocabulary(events=("song played",), topics=("network",), channels=("app",)))
EARLIER = CUTOFF - timedelta(days=30)


def orders(day: int, people: tuple[str, ...] = PEOPLE, prefix: str = "d") -> list[dict[str, Any]]:
    """An order of each of these people on that day."""
    at = START + timedelta(days=day)
    rows = [{"customer_id": one, "occurred_at": at, "received_at": at, "name": "order_completed"} for one in people]
    return numbered(rows, f"{prefix}{day}-")


@SLOW
@given(st.lists(events(), min_size=3, max_size=50), st.randoms(use_true_random=False))
def test_kept_is_made_anew_whatever_came_when(past: Any, random: Any) -> None:
    rows = numbered(past)
    random.shuffle(rows)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(rollup_store, "MOST_SEGMENTS", 1)  # nights are merged
        patch.setattr(parts, "SMALL_PARTS", 2)  # and so are the parts of the log
        log = EventLog(Path(folder))
        for part in range(3):
            log.append(table(rows[part::3] + rows[: random.randrange(3)]))  # some of them again
            cutoffs = random.choice([[CUTOFF], [EARLIER, CUTOFF], [EARLIER]])  # the log knows what comes after it
            kept = build_signals(log, cutoffs, fitted=FITTED, rollup=True)
            assert frame_bytes(kept) == frame_bytes(build_signals(log, cutoffs, fitted=FITTED))


def test_a_new_day_is_all_that_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = log_of(tmp_path, orders(1) + orders(4))
    chosen = ["orders_ever", "days_since_last_order"]
    build_signals(log, [CUTOFF], fitted=FITTED, signals=chosen, rollup=True)
    log.append(table(orders(9, ("new", PEOPLE[0]))))
    read: list[int] = []
    taken = rollup_store.people_of
    monkeypatch.setattr(
        rollup_store, "people_of", lambda con, source: read.append(taken(con, source).num_rows) or taken(con, source)
    )
    whole = build_signals(log, [CUTOFF], fitted=FITTED, signals=chosen, rollup=True)
    assert read == [2]
    assert frame_bytes(whole) == frame_bytes(build_signals(log, [CUTOFF], fitted=FITTED, signals=chosen))
    some = build_signals(log, [CUTOFF], fitted=FITTED, signals=chosen, customers=["new", "nobody"], rollup=True)
    assert frame_bytes(some) == frame_bytes(whole.filter(pa.compute.equal(whole.column("customer_id"), "new")))
    assert read == [2]


def test_parts_that_are_gone_or_a_damaged_manifest_make_it_anew(tmp_path: Path) -> None:
    log = log_of(tmp_path, orders(1))
    chosen = ["orders_ever"]
    build_signals(log, [CUTOFF], fitted=FITTED, signals=chosen, rollup=True)
    (manifest,) = (tmp_path / "rollup").glob("*/manifest.json")
    manifest.write_text("{")
    assert build_signals(log, [CUTOFF], fitted=FITTED, signals=chosen, rollup=True).num_rows == len(PEOPLE)
    for path in (tmp_path / "events").rglob("*"):
        if path.is_file():
            path.unlink()
    log.append(table(orders(2, ("another",))))
    kept = build_signals(log, [CUTOFF], fitted=FITTED, signals=chosen, rollup=True)
    assert kept.column("customer_id").to_pylist() == ["another"]


def test_only_the_roll_ups_used_last_are_kept(tmp_path: Path) -> None:
    log = log_of(tmp_path, orders(1))
    for name in ("orders_ever", "orders_30d", "days_since_last_order", "order_days_ever", "spent_ever"):
        build_signals(log, [CUTOFF], fitted=FITTED, signals=[name], rollup=True)
    assert len(list((tmp_path / "rollup").glob("*/manifest.json"))) <= rollup_store.MOST_ROLLUPS


def _keep(folder: Path) -> None:
    os.environ["PYTHONHASHSEED"] = "0"
    build_signals(EventLog(folder), [CUTOFF], fitted=FITTED, signals=["orders_ever"], rollup=True)


def test_killed_at_any_moment_and_two_at_once_it_stays_right(tmp_path: Path) -> None:
    log = log_of(tmp_path, orders(1) + orders(3))
    context = multiprocessing.get_context("fork")
    for attempt in range(6):
        log.append(table(orders(5 + attempt)))
        killed, other = (context.Process(target=_keep, args=(tmp_path,)) for _ in range(2))
        killed.start()
        other.start()
        time.sleep(0.05 + 0.1 * attempt)
        if killed.pid and killed.is_alive():
            os.kill(killed.pid, signals_of_the_system.SIGKILL)
        killed.join()
        other.join()
        assert other.exitcode == 0
    kept = build_signals(log, [CUTOFF], fitted=FITTED, signals=["orders_ever"], rollup=True)
    assert frame_bytes(kept) == frame_bytes(build_signals(log, [CUTOFF], fitted=FITTED, signals=["orders_ever"]))
    assert kept.column("orders_ever").to_pylist() == [8.0] * len(PEOPLE)
