"""Is the model still right? Drift beyond chance, scores judged by what happened, and reasons to train again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from training.drift import SOME, by_chance, drift_of, missing
from training.maturity import Matured, judge, level, matured_from, slope
from training.monitoring import WIDEST_LEVEL, triggers
from training.reference import Reference, bins_of, reference_of, stability

NOW = datetime(2026, 11, 24, tzinfo=UTC)
RNG = np.random.default_rng(5)


# ── the reference ─────────────────────────────────────────────────────────────────────────────────────────
def test_bins_hold_about_a_tenth_each_and_count_everybody() -> None:
    values = RNG.normal(size=5_000)
    found = bins_of(values)
    assert len(found.edges) == 9
    assert found.shares[:-1] == pytest.approx([0.1] * 10, abs=0.001)
    assert found.shares[-1] == 0
    assert found.median == pytest.approx(0, abs=0.1)


def test_a_value_that_many_share_has_a_bin_of_its_own() -> None:
    values = np.r_[np.zeros(700), np.arange(1, 301)].astype(np.float64)
    found = bins_of(values)
    assert found.shares[0] == pytest.approx(0.7)
    assert sum(found.shares) == pytest.approx(1)
    assert found.median == 0


def test_no_data_is_a_bin_too_and_may_be_all_there_is() -> None:
    half = bins_of(np.r_[np.full(500, np.nan), np.arange(500)])
    assert half.shares[-1] == pytest.approx(0.5)
    none = bins_of(np.full(10, np.nan))
    assert (none.edges, none.shares, none.median) == ((), (0.0, 1.0), None)
    assert none.spread(np.array([1.0, np.nan])).tolist() == [0.5, 0.5]


def test_a_reference_is_small_and_comes_back_from_json_as_it_was() -> None:
    X = RNG.normal(size=(50_000, 200))
    found = reference_of(X, lambda part: 1 / (1 + np.exp(-part[:, 0])), {"order_completed": 7}, [X[:90] + 1])
    stored = json.dumps(found.to_json(), sort_keys=True, allow_nan=False)
    assert len(stored) < 100_000
    assert found.rows <= 20_000
    assert Reference.from_json(json.loads(stored)) == found
    older = {key: value for key, value in json.loads(stored).items() if key != "usual"}
    assert Reference.from_json(older) == replace(found, usual=(0.0,) * 200, usual_score=0.0)


# ── drift ─────────────────────────────────────────────────────────────────────────────────────────────────
NAMES = ("steady", "moved", "vanished")


def table(X: np.typing.NDArray[np.float64]) -> pa.Table:
    return pa.table({name: X[:, place] for place, name in enumerate(NAMES)})


def world(rows: int, *, shift: float = 0.0, vanish: float = 0.0) -> np.typing.NDArray[np.float64]:
    X = RNG.normal(size=(rows, 3))
    X[:, 1] += shift
    X[RNG.random(rows) < vanish, 2] = np.nan
    return X


REFERENCE = reference_of(world(8_000), lambda X: np.full(len(X), 0.2), {"a": 900, "b": 100})


def test_what_moved_or_vanished_is_named_and_what_stayed_is_not() -> None:
    found = drift_of(REFERENCE, NAMES, table(world(4_000, shift=1.5, vanish=0.6)), np.full(4_000, 0.2), {"a": 5_000})
    assert found is not None
    assert {change.signal for change in found.changes} == {"moved", "vanished"}
    assert (found.much, found.some, found.signals) == (2, 0, 3)
    moved = next(change for change in found.changes if change.signal == "moved")
    assert moved.median_then == pytest.approx(0, abs=0.1)
    assert moved.median_now == pytest.approx(1.5, abs=0.1)
    vanished = next(change for change in found.changes if change.signal == "vanished")
    assert (vanished.missing_then, vanished.missing_now) == (0, pytest.approx(0.6, abs=0.03))
    assert found.score.level == "none"
    json.dumps(found.to_json(), allow_nan=False)


def test_what_changed_from_cutoff_to_cutoff_before_is_no_news_and_a_jump_is() -> None:
    """Everybody is known for a month longer each month; then somebody counts days in hours."""
    months = [world(3_000, shift=-0.5 * back) for back in range(5)]
    usual = reference_of(months[0], lambda X: np.full(len(X), 0.2), {}, months[1:])
    assert usual.usual[1] > 0.25 > SOME > usual.usual[0]
    next_month, jumped = table(world(3_000, shift=0.5)), table(world(3_000, shift=3.5))
    grown = drift_of(usual, NAMES, next_month, np.full(3_000, 0.2), {})
    assert grown is not None
    assert not grown.changes
    found = drift_of(usual, NAMES, jumped, np.full(3_000, 0.2), {})
    assert found is not None
    assert [(change.signal, change.level) for change in found.changes] == [("moved", "much")]
    ignorant = drift_of(replace(usual, usual=(0.0, 0.0, 0.0)), NAMES, next_month, np.full(3_000, 0.2), {})
    assert ignorant is not None
    assert [change.signal for change in ignorant.changes] == ["moved"]


def test_few_examples_of_an_older_cutoff_hide_nothing() -> None:
    """Thirty people differ from the bins by chance; that is no change the model has learnt to live with."""
    found = reference_of(world(8_000), lambda X: np.full(len(X), 0.2), {}, [world(30), np.empty((0, 3))])
    assert max(found.usual) < 0.5


def test_a_handful_of_customers_wanders_by_chance_and_is_left_alone() -> None:
    """Thirty people differ from the bins they came from by what would be a change among thousands."""
    found = [drift_of(REFERENCE, NAMES, table(world(30)), np.full(30, 0.2), {}) for _ in range(40)]
    bins, few = REFERENCE.signals[0], [world(30)[:, 0] for _ in range(40)]
    indices = [stability(np.array(bins.shares), bins.spread(part), REFERENCE.rows, 30) for part in few]
    assert np.median(indices) > SOME
    assert sum(bool(one and one.changes) for one in found) <= 2
    assert by_chance(10, 8_000, 30) > 0.5 > by_chance(10, 8_000, 4_000)


def test_an_empty_bin_of_a_small_company_is_no_upheaval() -> None:
    """Nobody of thirty in a bin that held a tenth: a small index, not an infinite one."""
    then, now = np.array([0.1, 0.9]), np.array([0.0, 1.0])
    assert stability(then, now, 8_000, 30) == pytest.approx(0.16, abs=0.02)
    assert np.isfinite(stability(now, then, 30, 8_000))


def test_a_value_that_many_share_falls_on_one_side_whatever_its_width() -> None:
    """Examples are kept as float32, scores are made of float64: a tenth must be the same tenth."""
    for low, high in ((0.05, 0.1), (0.1, 0.3), (0.0, 0.7)):
        values = np.r_[np.full(500, low), np.full(500, high)]
        bins = bins_of(values.astype(np.float32).astype(np.float64))
        assert bins.shares == (0.5, 0.5, 0.0)
        assert bins.spread(values).tolist() == list(bins.shares)


def test_a_model_without_a_reference_has_no_drift() -> None:
    assert drift_of(Reference(), NAMES, table(world(10)), np.full(10, 0.2), {}) is None


def test_events_that_stopped_or_are_new_are_named_if_they_are_frequent() -> None:
    then, now = {"order": 9_000, "ticket": 800, "rare": 60}, {"order": 9_000, "chat": 700, "odd": 10}
    assert missing(then, now) == ["ticket"]
    assert missing(now, then) == ["chat"]
    assert missing(then, {}) == []  # a log without recent events is late, not changed


# ── scores that have matured ──────────────────────────────────────────────────────────────────────────────
def outcomes(
    count: int, *, shift: float = 0.0, stretch: float = 1.0, seed: int = 1
) -> tuple[np.typing.NDArray[np.float64], np.typing.NDArray[np.float64]]:
    """Scores, and outcomes whose true log-odds are those of the scores, stretched and shifted."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(-1.5, 1.0, count)
    y = rng.random(count) < 1 / (1 + np.exp(-(odds * stretch + shift)))
    return y.astype(np.float64), 1 / (1 + np.exp(-odds))


def judged(y: np.typing.NDArray[np.float64], p: np.typing.NDArray[np.float64]) -> Matured:
    found = judge(y, p, np.arange(len(y)))
    assert found is not None
    return found


def test_right_scores_have_level_0_slope_1_and_the_loss_they_expect() -> None:
    found = judged(*outcomes(8_000))
    assert found.intercept.low < 0 < found.intercept.high
    assert found.slope.low < 1 < found.slope.high
    assert found.log_loss.low < found.expected_log_loss < found.log_loss.high
    assert found.log_loss.high < found.everybody_log_loss
    assert found.auroc.value > 0.7


@pytest.mark.parametrize(("shift", "stretch"), [(0.7, 1.0), (-0.7, 1.0), (0.0, 0.5)])
def test_a_moved_level_and_scores_too_sure_are_measured(shift: float, stretch: float) -> None:
    y, p = outcomes(20_000, shift=shift, stretch=stretch)
    if shift:
        assert level(y, p).value == pytest.approx(shift, abs=0.08)
    assert slope(y, p).value == pytest.approx(stretch, abs=0.08)


def test_intervals_hold_the_truth_about_nineteen_times_in_twenty() -> None:
    found = [level(*outcomes(600, shift=0.4, seed=seed)) for seed in range(200)]
    assert 180 <= sum(one.low < 0.4 < one.high for one in found) <= 199


def test_too_few_leavers_say_nothing() -> None:
    assert judge(np.r_[np.ones(19), np.zeros(500)], np.full(519, 0.1), np.arange(519)) is None


def test_one_person_in_many_rows_is_one_person_to_the_interval() -> None:
    y, p = outcomes(400)
    copies = np.repeat(np.arange(400), 10)
    wide, once = judge(y[copies], p[copies], copies), judged(y, p)
    assert wide is not None
    assert wide.log_loss.high - wide.log_loss.low > 0.8 * (once.log_loss.high - once.log_loss.low)


def test_figures_come_back_as_they_were_stored() -> None:
    y, _ = outcomes(500)
    found = judged(y, np.full(500, 0.2))
    stored = json.loads(json.dumps(found.to_json(), allow_nan=False))
    again = matured_from(stored)
    assert np.isnan(again.slope.value)  # equal scores have no slope
    assert replace(again, slope=found.slope) == found


# ── reasons to train again ────────────────────────────────────────────────────────────────────────────────
def codes(matured: Matured | None = None, **changes: object) -> list[str]:
    given: dict[str, object] = {
        "matured": matured,
        "judged_high": 0.6,
        "events_gone": (),
        "events_new": (),
        "trained_at": NOW - timedelta(days=5),
        "now": NOW,
        **changes,
    }
    return [one.code for one in triggers(**given)]  # type: ignore[arg-type]


def test_a_model_that_is_right_asks_for_nothing() -> None:
    assert codes(judged(*outcomes(8_000))) == []
    assert codes() == []


def test_scores_that_came_out_wrong_ask_for_a_new_model() -> None:
    y, p = outcomes(8_000)
    assert codes(judged(y, p), judged_high=0.2) == ["loss"]
    assert codes(judged(y, p[::-1]), judged_high=0.5) == ["loss", "useless"]
    assert codes(judged(*outcomes(8_000, shift=0.8)), judged_high=0.9) == ["level"]


def test_a_small_shift_that_is_sure_and_a_large_one_that_is_not_ask_for_nothing() -> None:
    assert codes(judged(*outcomes(200_000, shift=0.1))) == []
    small = judged(*outcomes(150, shift=0.3, seed=5))
    assert small.intercept.low < 0 < WIDEST_LEVEL < small.intercept.value
    assert codes(small, judged_high=0.9) == []


def test_events_that_stopped_and_age_ask_too_and_drift_does_not() -> None:
    assert codes(events_gone=("order_completed",)) == ["schema"]
    assert codes(trained_at=NOW - timedelta(days=46)) == ["calendar"]
    assert codes(events_new=("chat_opened",), trained_at=NOW - timedelta(days=60)) == ["schema", "calendar"]
