"""What is chosen on earlier cutoffs: the folds keep their distance, and settings follow a world that changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from training.calibration import sigmoid
from training.candidates import AVERAGE, LIGHTGBM, LOGISTIC, NO_ORDER, PARETO_NBD, TUNED, Rows
from training.choosing import aged, choose_pair, choose_settings, folds_of, mean_curve, odds_column
from training.evaluation import Floats, log_loss
from training.examples import Examples
from training.judging import best_known, final_scorer, fit_and_judge
from training.labels import ChurnOptions, TrainingOptions
from training.time_slices import Slices, finished_cutoffs, slice_cutoffs

START = datetime(2025, 1, 1, tzinfo=UTC)
HORIZON = timedelta(days=30)
CUSTOMERS = 1_500
QUICK = TrainingOptions(threads=1, max_rounds=80)


def slices_of(cutoffs: int, horizon: timedelta = HORIZON) -> Slices:
    churn = ChurnOptions(horizon_days=horizon.days)
    as_of = START + timedelta(days=60) + cutoffs * horizon
    return slice_cutoffs(finished_cutoffs(as_of, START, churn, TrainingOptions(max_cutoffs=cutoffs)), horizon)


@dataclass
class World:
    """Examples drawn by hand: two signals, and a rule that may turn round at some cutoff."""

    slices: Slices
    turns: int = 99  # from this cutoff on the second signal means the opposite
    moved: float = 0.0  # from then on everybody's log-odds are higher by so much
    together: float = 0.0  # the weight of both signals' product, until then
    signal_names: tuple[str, ...] = ("first", "second")
    year_before: None = None
    parts: dict[datetime, Rows] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, cutoff in enumerate(self.slices.finished):
            rng = np.random.default_rng(number)
            X = rng.normal(0, 1, (CUSTOMERS, 2)).astype(np.float32)
            way = -1.0 if number >= self.turns else 1.0
            z = -1.0 + 0.8 * X[:, 0] + 0.9 * way * X[:, 1] + self.moved * (number >= self.turns)
            z += self.together * X[:, 0] * X[:, 1] * (number < self.turns)
            y = (rng.random(CUSTOMERS) < sigmoid(z.astype(np.float64))).astype(float)
            self.parts[cutoff] = Rows(X=X, y=y, recency=np.exp(X[:, 0]).astype(float), customers=np.arange(CUSTOMERS))
        self.y = np.concatenate([self.parts[cutoff].y for cutoff in self.slices.finished])
        self.order = SimpleNamespace(places=self.places)

    def places(self, cutoffs: Sequence[datetime], unseen: bool | None) -> np.ndarray[Any, Any]:
        first = [self.slices.finished.index(cutoff) * CUSTOMERS for cutoff in sorted(cutoffs)]
        return np.concatenate([np.arange(at, at + CUSTOMERS) for at in first])

    def rows(self, cutoffs: Sequence[datetime], *, unseen: bool | None = False) -> Rows:
        parts = [self.parts[cutoff] for cutoff in sorted(cutoffs)]
        return Rows(
            X=np.vstack([part.X for part in parts]),
            y=np.concatenate([part.y for part in parts]),
            recency=np.concatenate([part.recency for part in parts]),
            customers=np.concatenate([part.customers for part in parts]),
        )


def examples(cutoffs: int, **ways: Any) -> Examples:
    return cast(Examples, World(slices_of(cutoffs), **ways))


@pytest.mark.parametrize("cutoffs", range(4, 14))
def test_no_fold_looks_into_a_later_horizon_or_at_what_calibrates_and_judges(cutoffs: int) -> None:
    slices = slices_of(cutoffs, timedelta(days=90))  # three strides: neighbouring cutoffs know nothing of each other
    folds = folds_of(slices)
    assert len(folds) <= 3
    assert bool(folds) == bool(slices.stop)
    for fold in folds:
        assert all(cutoff + slices.horizon <= fold.judge for cutoff in fold.fit)
        assert fold.judge + slices.horizon <= slices.judge[0]
        if slices.stop != slices.calibrate:
            assert fold.judge + slices.horizon <= slices.calibrate[0]


def test_old_cutoffs_count_half_after_a_half_life() -> None:
    world = examples(5)
    rows = aged(world, world.slices.finished, 30.0)
    assert rows.weights is not None
    newest = rows.weights[-CUSTOMERS:]
    assert (newest == 1).all()
    assert (rows.weights[:CUSTOMERS] == 0.5**4).all()
    assert aged(world, world.slices.finished, None).weights is None


def test_a_world_that_turned_makes_old_cutoffs_count_less_and_a_steady_one_does_not() -> None:
    turned = choose_settings(examples(12, turns=6), QUICK)
    steady = choose_settings(examples(12), QUICK)
    assert turned.half_life_days is not None
    assert steady.half_life_days is None


def test_signals_count_together_only_where_they_did_at_every_earlier_cutoff() -> None:
    assert choose_settings(examples(12, together=1.0), QUICK).paired
    assert not choose_settings(examples(12), QUICK).paired
    assert not choose_settings(examples(12, together=1.0, turns=7), QUICK).paired


def leaving_more_often(at: Sequence[int]) -> Examples:
    """Twelve cutoffs, at some of which a quarter of those who would stay leaves."""
    shifted = cast(Examples, World(slices_of(12), turns=99))
    for number in at:
        part = shifted.rows([shifted.slices.finished[number]])
        rng = np.random.default_rng(100 + number)
        more = (rng.random(CUSTOMERS) < 0.25).astype(float)
        cast(Any, shifted).parts[shifted.slices.finished[number]] = Rows(
            X=part.X, y=np.maximum(part.y, more), recency=part.recency, customers=part.customers
        )
    return shifted


def test_a_base_rate_that_moved_is_set_right_in_the_model_for_use() -> None:
    shifted = leaving_more_often((10, 11))  # the two newest
    judged = fit_and_judge(shifted, QUICK)
    final = final_scorer(shifted, judged, QUICK)
    newest = shifted.rows([shifted.slices.finished[-1]])
    assert final.calibration.kind != "none"
    assert abs(final.predict(newest.X).mean() - newest.y.mean()) < 0.05


def test_a_base_rate_that_comes_and_goes_makes_no_map() -> None:
    judged = fit_and_judge(leaving_more_often((4, 6, 8, 10, 11)), QUICK)
    assert {scorer.calibration.kind for scorer in judged.scorers.values()} == {"none"}


def test_the_judged_fit_has_not_seen_what_judges_it() -> None:
    world = examples(8)
    before = fit_and_judge(world, QUICK)
    newest = world.slices.judge[0]
    part = world.rows([newest])
    cast(Any, world).parts[newest] = Rows(X=part.X, y=1 - part.y, recency=part.recency, customers=part.customers)
    after = fit_and_judge(world, QUICK)
    for name, raw in before.raw.items():
        np.testing.assert_array_equal(after.raw[name], raw)
    assert before.settings == after.settings
    assert before.losses[LOGISTIC] < after.losses[LOGISTIC]


def test_pareto_nbd_competes_only_where_somebody_bought() -> None:
    world = World(slices_of(6), signal_names=("first", NO_ORDER))
    assert odds_column(cast(Examples, world)) == 1
    for part in world.parts.values():
        part.X[:, 1] = np.nan
    settings = choose_settings(cast(Examples, world), QUICK)
    assert (settings.odds_column, settings.kinds) == (None, (LOGISTIC, LIGHTGBM))


def test_the_pair_is_logistic_and_trees_and_tuned_ones_only_where_clearly_better() -> None:
    y = np.r_[np.ones(50), np.zeros(50)]
    good, bad = np.where(y == 1, 2.0, -2.0), np.zeros(100)
    nearly = good * 1.001
    assert choose_pair([y], {LOGISTIC: [good], LIGHTGBM: [good], TUNED: [nearly]}) == (LOGISTIC, LIGHTGBM)
    assert choose_pair([y], {LOGISTIC: [bad], LIGHTGBM: [bad], TUNED: [good]}) == (LOGISTIC, TUNED)
    # Better in one fold only is not clearly better.
    folds = {LOGISTIC: [bad, bad], LIGHTGBM: [good, bad], TUNED: [bad, good]}
    assert choose_pair([y, y], folds) == (LOGISTIC, LIGHTGBM)


def judged_rows(count: int, seed: int = 3) -> tuple[Rows, Floats]:
    """Customers, who of them left, and the true log-odds of each."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-0.5, 1.0, count)
    y = (rng.random(count) < sigmoid(z)).astype(float)
    return Rows(X=np.zeros((count, 1)), y=y, recency=np.zeros(count), customers=np.arange(count)), z


def blurred(z: Floats, by: float, seed: int) -> Floats:
    return sigmoid(z + np.random.default_rng(seed).normal(0, by, len(z)))


def test_a_level_that_happens_to_fit_wins_nothing() -> None:
    rows, z = judged_rows(4_000)
    scores = {PARETO_NBD: blurred(z, 0.6, 1), AVERAGE: sigmoid(z + 0.9)}
    assert log_loss(rows.y, scores[PARETO_NBD]) < log_loss(rows.y, scores[AVERAGE])
    assert best_known(rows, scores) == AVERAGE


def test_the_mean_stays_unless_another_is_better_beyond_chance() -> None:
    kept, luckier = 0, 0
    for seed in range(40):
        rows, z = judged_rows(300, seed)
        scores = {PARETO_NBD: blurred(z, 0.3, 1000 + seed), AVERAGE: blurred(z, 0.3, 2000 + seed)}
        luckier += log_loss(rows.y, scores[PARETO_NBD]) < log_loss(rows.y, scores[AVERAGE])
        kept += best_known(rows, scores) == AVERAGE
    assert luckier >= 15
    assert kept >= 37
    rows, z = judged_rows(4_000)
    assert best_known(rows, {LIGHTGBM: sigmoid(z), AVERAGE: blurred(z, 1.0, 1)}) == LIGHTGBM


def test_copies_of_a_person_make_nobody_surer() -> None:
    rows, z = judged_rows(250)
    scores = {LIGHTGBM: sigmoid(z), AVERAGE: blurred(z, 0.6, 7)}
    assert best_known(rows, scores) == AVERAGE
    many = np.repeat(np.arange(len(rows)), 10)
    copies = Rows(X=rows.X[many], y=rows.y[many], recency=rows.recency[many], customers=rows.customers[many])
    assert best_known(copies, {name: p[many] for name, p in scores.items()}) == AVERAGE
    strangers = replace(copies, customers=np.arange(len(copies)))
    assert best_known(strangers, {name: p[many] for name, p in scores.items()}) == LIGHTGBM


def test_a_fold_that_stopped_early_keeps_its_last_loss() -> None:
    np.testing.assert_allclose(mean_curve([[3.0, 2.0], [3.0, 2.0, 1.0, 1.0]]), [3.0, 2.0, 1.5, 1.5])
