"""Which two signals say more together than apart? Data made by hand, where it is known which."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from training import pairs
from training.calibration import sigmoid
from training.evaluation import Floats, log_loss
from training.linear import fit_linear
from training.pairs import MOST_PAIRS, scores_of, strongest_pairs
from training.scorers import Linear

COUNT = 6_000


def world(seed: int, together: float) -> tuple[Floats, Floats]:
    """Twelve signals of noise, the third missing for a third; the first two and a missing third count together."""
    rng = np.random.default_rng(seed)
    X = rng.normal(0, 1, (COUNT, 12))
    X[rng.random(COUNT) < 1 / 3, 2] = np.nan
    z = 0.6 * X[:, 0] - 0.4 * X[:, 3] + together * (X[:, 0] * X[:, 1] - np.isnan(X[:, 2]) * X[:, 4]) - 0.8
    return X, (rng.random(COUNT) < sigmoid(z)).astype(float)


def test_the_pairs_that_count_are_found_and_the_loss_falls_on_other_rows() -> None:
    X, y = world(1, 0.8)
    apart, paired = fit_linear(X, y), fit_linear(X, y, paired=True)
    inputs = (*paired.columns, *(f"no {one}" for one in paired.flagged))
    found = {(inputs[one], inputs[other]) for one, other in zip(paired.firsts, paired.seconds, strict=True)}
    assert found == {(0, 1), (4, "no 2")}
    later, left = world(2, 0.8)
    assert log_loss(left, sigmoid(paired.log_odds(later))) < log_loss(left, sigmoid(apart.log_odds(later))) - 0.05


def test_signals_that_only_add_up_stay_apart() -> None:
    X, y = world(3, 0.0)
    assert fit_linear(X, y, paired=True) == fit_linear(X, y)


def test_the_shares_of_the_signals_add_up_and_a_pair_is_shared_by_its_two() -> None:
    X, y = world(4, 0.8)
    linear = fit_linear(X, y, paired=True)
    shares = linear.terms(X)
    np.testing.assert_allclose(shares.sum(axis=1) + linear.intercept, linear.log_odds(X), atol=1e-12)
    alone = Linear.from_json(linear.to_json() | {"pair_weights": [0.0] * len(linear.firsts)}).terms(X)
    of_pairs = np.abs(shares - alone).max(axis=0) > 1e-9
    assert of_pairs.tolist() == [True, True, True, False, True, *[False] * 7]


def test_more_rows_than_a_sketch_end_where_the_slope_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = world(5, 0.8)
    monkeypatch.setattr("training.linear.ROWS_OF_A_SKETCH", COUNT // 2)
    linear = fit_linear(X, y, paired=True, straight=True)
    values = np.column_stack([linear.standardise(X), np.isnan(X[:, list(linear.flagged)])])
    products = [
        np.clip((values[:, one] * values[:, other] - mean) / scale, -5, 5)
        for one, other, mean, scale in zip(
            linear.firsts, linear.seconds, linear.pair_means, linear.pair_scales, strict=True
        )
    ]
    slope = np.column_stack([values, *products]).T @ (sigmoid(linear.log_odds(X)) - y)
    slope += COUNT / 60 * np.r_[linear.weights, linear.flag_weights, linear.pair_weights]
    assert len(products) == 2
    assert np.abs(slope).max() < 0.05


def test_a_stored_regression_comes_back_with_its_pairs_and_an_older_one_without() -> None:
    X, y = world(1, 0.8)
    linear = fit_linear(X, y, paired=True)
    stored = json.loads(json.dumps(linear.to_json()))
    assert Linear.from_json(stored) == linear
    of_pairs = ("firsts", "seconds", "pair_means", "pair_scales", "pair_weights")
    assert Linear.from_json({name: one for name, one in stored.items() if name not in of_pairs}).firsts == ()


def test_a_score_is_what_a_regression_with_the_product_would_say() -> None:
    rng = np.random.default_rng(6)
    inputs: NDArray[np.float32] = rng.normal(0.3, 1, (500, 4)).astype(np.float32)
    residual, curve = rng.normal(0, 0.3, 500), rng.uniform(0.05, 0.25, 500)
    for one, other, score in zip(*scores_of(inputs, residual, curve), strict=True):
        a, b = inputs[:, one].astype(float), inputs[:, other].astype(float)
        known = np.column_stack([np.ones(500), a, b])
        shares = np.linalg.solve(known.T @ (curve[:, None] * known), known.T @ (curve * a * b))
        rest = a * b - known @ shares
        assert score == pytest.approx((residual @ rest) ** 2 / (curve @ rest**2), rel=1e-4)


def test_a_score_that_just_suffices_does_so_whatever_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = world(7, 0.4)
    inputs, residual, curve = np.nan_to_num(X).astype(np.float32), y - y.mean(), np.full(COUNT, 0.2)
    with threadpool_limits(limits=1):
        monkeypatch.setattr(pairs, "FEWEST_SQUARED_ERRORS", scores_of(inputs, residual, curve)[2].max())
    for threads in (1, 2):
        with threadpool_limits(limits=threads):
            assert len(strongest_pairs(inputs, residual, curve)) == 1


def test_never_more_than_the_strongest() -> None:
    rng = np.random.default_rng(8)
    inputs: NDArray[np.float32] = rng.normal(0, 1, (3_000, 14)).astype(np.float32)
    residual = inputs.sum(axis=1).astype(np.float64) ** 2
    found = strongest_pairs(inputs, residual - residual.mean(), np.full(3_000, 0.25))
    assert len(found) == MOST_PAIRS
    assert found == sorted(found)
