"""Where does the line of a signal bend? Data made by hand, where it is known where it does."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from training import bends
from training.bends import MOST_BENDS, knots_of, strongest_bends
from training.calibration import sigmoid
from training.evaluation import Floats, log_loss
from training.linear import ROWS_OF_A_SKETCH, fit_linear
from training.scorers import Linear

COUNT = 6_000


def world(seed: int, bend: float, count: int = COUNT) -> tuple[Floats, Floats]:
    """Twelve signals of noise and one (the third) whose effect sets in above its mean."""
    rng = np.random.default_rng(seed)
    X = rng.normal(0, 1, (count, 13))
    z = 0.6 * X[:, 0] - 0.4 * X[:, 1] + bend * np.maximum(X[:, 2], 0) - 0.8
    return X, (rng.random(count) < sigmoid(z)).astype(float)


def loss_of(linear: Linear, seed: int, bend: float) -> float:
    X, y = world(seed, bend)
    return log_loss(y, sigmoid(linear.log_odds(X)))


def test_a_line_bends_where_the_data_say_so_and_the_loss_falls_on_other_rows() -> None:
    X, y = world(1, 2.5)
    bent, straight = fit_linear(X, y), fit_linear(X, y, straight=True)
    assert {bent.columns[place] for place in bent.bends} == {2}
    assert straight.bends == ()
    assert loss_of(bent, 2, 2.5) < loss_of(straight, 2, 2.5) - 0.005


def test_straight_lines_stay_straight() -> None:
    X, y = world(3, 0.0)
    assert fit_linear(X, y) == fit_linear(X, y, straight=True)


def test_the_shares_of_the_signals_add_up_to_the_score_with_bends_and_without_data() -> None:
    X, y = world(1, 2.5)
    X[::7, 2] = np.nan
    bent = fit_linear(X, y)
    assert bent.bends
    np.testing.assert_allclose(bent.terms(X).sum(axis=1) + bent.intercept, bent.log_odds(X), atol=1e-12)
    # What no signal says is said by none: a column nobody used has no share.
    assert not bent.terms(np.column_stack([X, y]))[:, -1].any()


def test_more_rows_than_a_sketch_find_the_same_bends_and_better_weights() -> None:
    X, y = world(4, 2.5, count=2 * ROWS_OF_A_SKETCH)
    found = fit_linear(X.astype(np.float32), y)
    assert {found.columns[place] for place in found.bends} == {2}
    # The slope of the penalised loss is nothing at the weights that were found on all rows.
    values = found.standardise(X.astype(np.float32))
    bends = [np.maximum(values[:, place] - knot, 0) for place, knot in zip(found.bends, found.knots, strict=True)]
    inputs = np.column_stack([values, *bends])
    slope = inputs.T @ (sigmoid(found.log_odds(X.astype(np.float32))) - y)
    slope += len(y) / 60 * np.r_[found.weights, found.bend_weights]
    assert np.abs(slope).max() < 0.05


def test_a_stored_regression_comes_back_bent_and_an_older_one_straight() -> None:
    X, y = world(1, 2.5)
    bent = fit_linear(X, y)
    stored = json.loads(json.dumps(bent.to_json()))
    assert Linear.from_json(stored) == bent
    older = {name: value for name, value in stored.items() if name not in ("bends", "knots", "bend_weights")}
    assert Linear.from_json(older).bends == ()


def test_counts_may_bend_above_zero_and_constants_nowhere() -> None:
    counts = np.r_[np.zeros(900), np.arange(1.0, 101.0)]
    assert knots_of(counts) == [25.0, 75.0]
    assert knots_of(np.zeros(10)) == []
    assert knots_of(np.r_[np.zeros(9), 1.0]) == []
    assert knots_of(np.zeros(0)) == []


def test_a_score_that_just_suffices_does_so_whatever_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = world(6, 0.4, count=ROWS_OF_A_SKETCH)
    signal, residual, curve = X[:, 2].astype(np.float32).astype(np.float64), y - y.mean(), np.full(len(y), 0.2)
    for knot in knots_of(signal):
        scores, found = [], []
        for threads in (1, 2):
            with threadpool_limits(limits=threads):
                scores.append(bends.score_of(np.maximum(signal - knot, 0), signal, residual, curve))
        monkeypatch.setattr(bends, "FEWEST_SQUARED_ERRORS", max(scores))
        for threads in (1, 2):
            with threadpool_limits(limits=threads):
                found.append(strongest_bends(X[:, 2:3].astype(np.float32), residual, curve))
        assert found[0] == found[1], scores


def test_never_more_than_the_strongest() -> None:
    rng = np.random.default_rng(5)
    values: NDArray[np.float32] = rng.normal(0, 1, (3_000, 60)).astype(np.float32)
    residual = np.abs(values).sum(axis=1).astype(np.float64)
    found = strongest_bends(values, residual - residual.mean(), np.full(3_000, 0.25))
    assert len(found) == MOST_BENDS
    assert found == sorted(found)
