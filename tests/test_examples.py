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
from records.own_tables import import_own
from training.examples import Examples, build_examples
from training.labels import ChurnOptions, IssueOptions, TrainingOptions
from training.time_slices import Slices, finished_cutoffs, history_notes, slice_cutoffs

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
    with pytest.raises(NotEnoughData, match=r"15 days of history and two horizons of 90 days.*at least 195 days"):
        slice_cutoffs(cutoffs(190, 90), timedelta(days=90))


def test_a_cutoff_with_a_quarter_of_the_history_is_learnt_from_only_where_none_has_more() -> None:
    churn = ChurnOptions(horizon_days=90)
    short, longer = cutoffs(200, 90), cutoffs(240, 90)
    assert [(cutoff - START).days for cutoff in short] == [110, 80, 50, 20]
    assert history_notes(short, START, churn) == (
        "the log is short for 90 days: leaving is learnt from a moment with 20 days of history on",
    )
    assert len(slice_cutoffs(short, timedelta(days=90)).fit) == 1
    assert [(cutoff - START).days for cutoff in longer] == [150, 120, 90, 60]
    assert history_notes(longer, START, churn) == ()


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


def test_own_labels_of_strangers_are_told_to_be_about_customers_of_the_log(tmp_path: Path) -> None:
    log, file = shop_log(tmp_path, customers=60), tmp_path / "left.csv"
    days = [AS_OF - timedelta(days=30 * number) for number in range(1, 7)]
    rows = [f"stranger {who},{day.date()},{who % 2}" for day in days for who in range(100)]
    file.write_text("\n".join(["customer_id,cutoff,left", *rows]), encoding="utf-8")
    import_own(log.data, "labels", "labels", [file], AS_OF)
    churn = CHURN.model_copy(update={"definition": "imported"})
    with pytest.raises(NotEnoughData, match=r"import labels FILE --name labels\), about customers who have events"):
        build_examples(log, AS_OF, churn, IssueOptions(), MONTH)


def test_a_slice_that_judges_may_be_thin_but_not_bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = shop_log(tmp_path, customers=120)
    thin = examples_of(log)
    left = int(thin.rows(thin.slices.judge, unseen=None).y.sum())
    assert 5 <= left < 20
    monkeypatch.setattr("training.examples.FEWEST_TO_JUDGE", left + 1)
    with pytest.raises(
        NotEnoughData, match=rf"the judging slice .* has {left} customers who left .*; {left + 1} of each"
    ):
        examples_of(log)


def test_where_nobody_does_what_counts_the_error_says_what_they_do(tmp_path: Path) -> None:
    churn = ChurnOptions(horizon_days=30, active_within_days=60, activity=("recharge_made",))
    said = r"nobody with recharge_made within 60 days .* order_completed \([\d,]+\).*\[churn\] activity"
    with pytest.raises(NotEnoughData, match=said):
        build_examples(shop_log(tmp_path), AS_OF, churn, IssueOptions(), TrainingOptions())


# ── where the rows lie ───────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    """Enough customers for some to be kept out of fitting, built in several parts."""
    log = shop_log(tmp_path_factory.mktemp("large"), customers=2_600, until_day=200)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("features.history.CELLS_PER_CHUNK", 500_000)
        return build_examples(log, START + timedelta(days=170), CHURN, IssueOptions(), TrainingOptions())


def test_a_slice_of_time_is_a_view_and_no_copy(large: Examples) -> None:
    slices = large.slices
    for cutoffs, unseen in ((slices.fit, False), (slices.known_at_judge, False), (slices.finished, None)):
        rows = large.rows(cutoffs, unseen=unseen)
        assert rows.X.dtype == np.float32
        assert np.shares_memory(rows.X, large.X)
        assert rows.X.flags.c_contiguous


def test_about_a_tenth_of_the_customers_is_never_seen_in_fitting(large: Examples) -> None:
    seen, unseen = (large.rows(large.slices.finished, unseen=which) for which in (False, True))
    everybody = large.rows(large.slices.finished, unseen=None)
    assert not set(seen.customers) & set(unseen.customers)
    assert len(seen) + len(unseen) == len(everybody) == large.count
    assert 0.07 < len(set(unseen.customers)) / len(set(everybody.customers)) < 0.13
    judged = [len(large.rows(large.slices.judge, unseen=which)) for which in (False, True, None)]
    assert judged[0] + judged[1] == judged[2]
    assert judged[1] >= 100


def test_built_in_parts_or_at_once_the_rows_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = shop_log(tmp_path)
    whole = examples_of(log)
    monkeypatch.setattr("features.history.CELLS_PER_CHUNK", 25_000)
    parts = examples_of(log)
    assert parts.X.tobytes() == whole.X.tobytes()
    assert parts.y.tobytes() == whole.y.tobytes()


def test_shorter_horizons_have_the_same_rows_and_fewer_stay_longer(large: Examples) -> None:
    shorter = large.within(10)
    assert shorter.X is large.X
    one, other = (each.rows(each.slices.finished, unseen=None).y for each in (shorter, large))
    # Whoever is silent for 30 days is silent for the first 10 of them.
    assert (one >= other).all()
    assert one.sum() > other.sum()


def test_a_comparison_customer_stands_in_for_those_left_out(tmp_path: Path) -> None:
    log = shop_log(tmp_path)
    plain = examples_of(log)
    cutoff = plain.slices.fit[0]
    who = sorted({plain.customer_ids[code] for code in plain.rows([cutoff]).customers})
    treatments = pa.table(
        {
            "customer_id": who[:5],
            "play": ["offer"] * 5,
            "at": pa.array([cutoff + timedelta(days=1)] * 5, pa.timestamp("us", "UTC")),
            "treated": [True] * 4 + [False],
            "propensity": [0.8] * 5,
        }
    )
    found = build_examples(log, AS_OF, CHURN, IssueOptions(), TrainingOptions(), treatments=treatments)
    here = [found.customer_ids[code] for code in found.rows([cutoff]).customers]
    assert not set(here) & set(who[:4])
    assert here.count(who[4]) == 5
    assert any("are left out" in note for note in found.notes)


def test_a_company_whose_messages_reached_everybody_learns_from_them_as_they_are(tmp_path: Path) -> None:
    log = shop_log(tmp_path)
    plain = examples_of(log)
    rows = [(who, cutoff) for cutoff in plain.slices.judge for who in plain.customer_ids]
    treatments = pa.table(
        {
            "customer_id": [who for who, _ in rows],
            "play": ["offer"] * len(rows),
            "at": pa.array([at for _, at in rows], pa.timestamp("us", "UTC")),
            "treated": [True] * len(rows),
            "propensity": [0.8] * len(rows),
        }
    )
    found = build_examples(log, AS_OF, CHURN, IssueOptions(), TrainingOptions(), treatments=treatments)
    assert found.count == plain.count
    assert any("are learnt from as they are" in note for note in found.notes)
