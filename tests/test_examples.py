"""Cutoffs and slices of time: what may be learnt from, what judges, and what nobody may have seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from records.errors import NotEnoughData
from records.events import EventLog
from training.examples import Examples, build_examples
from training.labels import ChurnOptions, IssueOptions, TrainingOptions
from training.time_slices import Slices, finished_cutoffs, slice_cutoffs

START = datetime(2025, 1, 1, tzinfo=UTC)
MONTH = TrainingOptions(max_cutoffs=100)


def cutoffs(days_of_log: int, horizon_days: int, training: TrainingOptions = MONTH) -> list[datetime]:
    as_of = START + timedelta(days=days_of_log)
    return finished_cutoffs(as_of, START, ChurnOptions(horizon_days=horizon_days), training)


def test_cutoffs_end_a_horizon_before_and_begin_with_some_history() -> None:
    found = cutoffs(540, 90)
    assert found[0] == START + timedelta(days=450)
    assert {(a - b).days for a, b in pairwise(found)} == {30}
    assert found[-1] >= START + timedelta(days=60)


def test_a_short_horizon_brings_the_cutoffs_closer() -> None:
    assert {(a - b).days for a, b in pairwise(cutoffs(70, 14))} == {14}


def test_only_the_newest_cutoffs_are_kept() -> None:
    assert len(cutoffs(2_000, 90, TrainingOptions(max_cutoffs=6))) == 6


@pytest.mark.parametrize("days", range(250, 1200, 37))
@pytest.mark.parametrize("horizon_days", [7, 30, 90])
def test_every_slice_ends_a_horizon_before_the_next_begins(days: int, horizon_days: int) -> None:
    horizon = timedelta(days=horizon_days)
    slices = slice_cutoffs(cutoffs(days, horizon_days), horizon)
    following = [part for part in (slices.fit, slices.stop, slices.calibrate, slices.judge) if part]
    for earlier, later in pairwise(following):
        assert earlier == later or max(earlier) + horizon <= min(later)
    assert all(cutoff + horizon <= slices.judge[0] for cutoff in slices.known_at_judge)
    assert slices.judge[0] + horizon <= START + timedelta(days=days)


def shape(slices: Slices) -> tuple[int, bool, bool]:
    """Fitting cutoffs, are the middle slices one, are they absent."""
    return len(slices.fit), slices.stop == slices.calibrate, not slices.stop


def test_a_long_log_has_four_slices_and_nothing_to_say() -> None:
    slices = slice_cutoffs(cutoffs(540, 90), timedelta(days=90))
    assert shape(slices) == (5, False, False)
    assert slices.notes == ()


def test_a_short_log_merges_the_middle_two_and_says_so() -> None:
    slices = slice_cutoffs(cutoffs(450, 90), timedelta(days=90))
    assert shape(slices) == (5, True, False)
    assert "one slice both stops the trees early and calibrates" in slices.notes[0]


def test_a_very_short_log_does_without_them_and_says_so() -> None:
    slices = slice_cutoffs(cutoffs(280, 90), timedelta(days=90))
    assert shape(slices) == (2, True, True)
    assert "no calibration" in slices.notes[0]


def test_a_log_too_short_to_judge_says_how_many_days_it_takes() -> None:
    with pytest.raises(NotEnoughData, match=r"60 days of history and two horizons of 90 days.*at least 240 days"):
        slice_cutoffs(cutoffs(200, 90), timedelta(days=90))


def shop_log(folder: Path, customers: int = 360, until_day: int = 330, late: bool = True) -> EventLog:
    """Regulars who order every 10 days, and some who stop one day; a few rows known only later."""
    rng = np.random.default_rng(11)
    rows = []
    for number in range(customers):
        stops = until_day if number % 3 else int(rng.integers(60, until_day))
        rows += [(f"C {number:03d}", day) for day in range(int(rng.integers(0, 10)), stops, 10)]
    start = [START + timedelta(days=day, hours=7) for _, day in rows]
    known = [at + timedelta(days=40 if late and place % 50 == 0 else 0) for place, at in enumerate(start)]
    moment = pa.timestamp("us", tz="UTC")
    log = EventLog(folder)
    log.append(
        pa.table(
            {
                "customer_id": [customer for customer, _ in rows],
                "name": ["order_completed"] * len(rows),
                "amount": pa.array([Decimal("9.5")] * len(rows), pa.decimal128(18, 4)),
                "occurred_at": pa.array(start, moment),
                "received_at": pa.array(known, moment),
            }
        )
    )
    return log


CHURN = ChurnOptions(horizon_days=30, active_within_days=60)
AS_OF = START + timedelta(days=300)


def examples_of(log: EventLog, training: TrainingOptions | None = None) -> Examples:
    return build_examples(log, AS_OF, CHURN, IssueOptions(), training or TrainingOptions())


def test_nothing_at_or_after_as_of_changes_any_example(tmp_path: Path) -> None:
    before = examples_of(shop_log(tmp_path / "a"))
    longer = shop_log(tmp_path / "b")
    moment = pa.timestamp("us", tz="UTC")
    longer.append(
        pa.table(
            {
                "customer_id": ["C 001", "C 002", "new"],
                "name": ["order_completed", "order_completed", "never_heard_of"],
                "occurred_at": pa.array([AS_OF, AS_OF - timedelta(days=20), AS_OF - timedelta(days=50)], moment),
                "received_at": pa.array([AS_OF, AS_OF, AS_OF + timedelta(days=1)], moment),
            }
        )
    )
    after = examples_of(longer)
    assert after.signal_names == before.signal_names
    assert after.fitted == before.fitted
    assert after.slices == before.slices
    assert after.customer_ids == before.customer_ids
    for name in ("X", "y", "asked"):
        assert getattr(after, name).tobytes() == getattr(before, name).tobytes()
    for name in ("recency", "customers", "cutoffs"):
        assert getattr(after.order, name).tobytes() == getattr(before.order, name).tobytes()


def test_rows_are_the_eligible_ones_with_both_kinds_of_label(tmp_path: Path) -> None:
    examples = examples_of(shop_log(tmp_path))
    for cutoff in examples.slices.finished:
        rows = examples.rows([cutoff])
        assert len(rows.X) == len(rows.y) == len(rows.recency) == len(set(rows.customers.tolist()))
        assert rows.X.shape[1] == len(examples.signal_names)
        assert rows.recency.min() > 0
        assert rows.recency.max() <= 60
    judged = examples.rows(examples.slices.judge)
    # Who has not ordered for three of their intervals has mostly left for good.
    assert judged.y[judged.recency > 30].mean() > 0.9
    assert judged.y[judged.recency < 10].mean() < 0.1


def test_a_large_log_is_sampled_by_customer_the_same_at_every_cutoff(tmp_path: Path) -> None:
    whole = examples_of(shop_log(tmp_path, customers=480))
    some = build_examples(EventLog(tmp_path), AS_OF, CHURN, IssueOptions(), TrainingOptions(max_examples=1_500))
    assert 900 < some.count < 2_100
    assert some.count < whole.count
    assert 0 < some.sampled < 1
    assert any("of the customers are learnt from" in note for note in some.notes)
    kept = {some.customer_ids[code] for code in some.rows(some.slices.finished, unseen=None).customers}
    for cutoff in some.slices.finished:
        here = {some.customer_ids[code] for code in some.rows([cutoff], unseen=None).customers}
        everybody = whole.rows([cutoff], unseen=None).customers
        assert here == kept & {whole.customer_ids[code] for code in everybody}


def test_an_empty_log_and_one_where_nobody_leaves_are_errors_that_say_so(tmp_path: Path) -> None:
    with pytest.raises(NotEnoughData, match=r"no events before 2025-10-28.*pehle import events"):
        examples_of(EventLog(tmp_path / "empty"))
    with pytest.raises(NotEnoughData, match=r"has \d+ customers who left and \d+ who stayed; 20 of each"):
        examples_of(shop_log(tmp_path / "few", customers=12))
