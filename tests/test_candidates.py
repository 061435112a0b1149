"""The contestants: what each can learn, that two runs agree to the bit, and calibration's reluctance."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from training.calibration import (
    Calibration,
    Gains,
    best_map,
    beta_inputs,
    fit_beta,
    fit_isotonic,
    fit_map,
    fit_shift,
    holds,
    log_odds,
    newton,
    out_of_fold,
    sigmoid,
)
from training.candidates import Rows, Settings, fit_all, fit_one, recency_alone
from training.evaluation import Floats, auroc, log_loss, row_losses
from training.linear import BLOCK, fit_linear, fit_odds
from training.scorers import Scorer, Trees, scorer_from_json, scorer_to_json
from training.trees import fit_trees, grown, parameters


def rows_of(seed: int, count: int = 3_000) -> Rows:
    """Leaving depends on log recency, and in a way no straight line sees on a second signal; a third has gaps."""
    rng = np.random.default_rng(seed)
    recency = rng.gamma(1.2, 40, count)
    second = rng.normal(0, 1, count)
    third = np.where(rng.random(count) < 0.4, np.nan, rng.normal(0, 1, count))
    z = 1.2 * (np.log1p(recency) - 3.3) + 1.0 * (np.abs(second) > 1) + 1.5 * np.isnan(third) - 0.8
    X = np.column_stack([recency, second, third, np.full(count, 3.0), np.full(count, np.nan)])
    y = (rng.random(count) < sigmoid(z)).astype(float)
    return Rows(X=X, y=y, recency=recency, customers=np.arange(count))


FIT, HELD = rows_of(1), rows_of(2)


def test_every_candidate_beats_recency_alone_where_there_is_more_to_know() -> None:
    fitted = fit_all(FIT, Settings(rounds=80), seed=1, threads=1, bags=1)
    floor = log_loss(HELD.y, recency_alone(FIT).predict(HELD.recency[:, None]))
    assert list(fitted) == ["recency", "logistic", "lightgbm", "average"]
    for name in ("logistic", "lightgbm", "average"):
        assert log_loss(HELD.y, fitted[name].predict(HELD.X)) < floor - 0.02, name


def test_the_average_is_the_mean_of_both_in_log_odds() -> None:
    fitted = fit_all(FIT, Settings(rounds=20), seed=1, threads=1, bags=1)
    both = (fitted["logistic"].log_odds(HELD.X) + fitted["lightgbm"].log_odds(HELD.X)) / 2
    np.testing.assert_allclose(fitted["average"].log_odds(HELD.X), both, rtol=1e-12)


def test_two_fits_of_the_same_rows_are_the_same_to_the_bit() -> None:
    def texts() -> list[str]:
        fitted = fit_all(FIT, Settings(rounds=60), seed=5, threads=2)
        return [repr(part) for _, part in fitted["average"].parts]

    assert texts() == texts()


def test_the_logistic_finds_the_weights_that_made_the_data() -> None:
    linear = fit_linear(FIT.X, FIT.y, ridge=1e-6, straight=True)
    names = dict(zip(linear.columns, np.asarray(linear.weights) / np.asarray(linear.scales), strict=True))
    assert names[0] == pytest.approx(1.2, abs=0.15)
    assert dict(zip(linear.flagged, linear.flag_weights, strict=True))[2] == pytest.approx(1.5, abs=0.25)
    assert set(linear.columns) == {0, 1, 2}  # a constant and an empty signal carry nothing


def test_one_absurd_value_owns_nobody() -> None:
    linear = fit_linear(FIT.X, FIT.y)
    wild = HELD.X[:1].copy()
    wild[0, 1] = 1e12
    assert np.abs(linear.terms(wild)).max() < 10
    assert np.isfinite(linear.log_odds(np.full((1, 5), np.nan))).all()


def test_trees_stop_when_the_stopping_slice_gets_no_better() -> None:
    noise = Rows(X=FIT.X, y=np.random.default_rng(0).permutation(FIT.y), recency=FIT.recency, customers=FIT.customers)
    params = parameters(FIT, {}, seed=1, threads=1)
    on_noise, on_signal = (int(np.argmin(grown(rows, HELD, params, 300)[1])) + 1 for rows in (noise, FIT))
    assert on_noise < on_signal < 300


def test_bags_share_their_bins_and_are_those_of_their_own_seeds() -> None:
    both = fit_trees(FIT, seed=1, threads=1, rounds=30, bags=2)
    assert both == tuple(fit_trees(FIT, seed=seed, threads=1, rounds=30)[0] for seed in (1, 2))
    assert both[0] != both[1]
    assert [one.text.count("\nTree=") for one in both] == [30, 30]


def test_recency_alone_looks_at_nothing_else() -> None:
    scorer = recency_alone(FIT)
    assert auroc(HELD.y, scorer.predict(HELD.recency[:, None])) == pytest.approx(auroc(HELD.y, HELD.recency), abs=1e-9)


def crooked(p: Floats) -> Floats:
    """Overconfident scores: twice the log-odds."""
    return sigmoid(2.0 * np.log(p / (1 - p)) + 0.8)


def honest(seed: int, count: int = 4_000) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    p = rng.beta(2, 3, count)
    return (rng.random(count) < p).astype(float), p


def gains(y: Floats, p: Floats, mapped: Floats) -> Gains:
    """Of other people than those of a slice that is numbered from 0 on."""
    return Gains(row_losses(y, p) - row_losses(y, mapped), 10_000 + np.arange(len(y)))


def test_honest_scores_are_left_alone() -> None:
    y, p = honest(1)
    found, then = best_map(y, p, np.arange(len(y)))
    later, q = honest(7)
    assert not holds(then, gains(later, q, found.apply(q)))


def test_crooked_scores_are_straightened() -> None:
    y, p = honest(2)
    fitted, then = best_map(y, crooked(p), np.arange(len(y)))
    assert fitted.kind == "beta"
    other, q = honest(3)
    assert holds(then, gains(other, crooked(q), fitted.apply(crooked(q))))
    assert log_loss(other, fitted.apply(crooked(q))) < log_loss(other, crooked(q)) - 0.02
    assert log_loss(other, fitted.apply(crooked(q))) == pytest.approx(log_loss(other, q), abs=0.005)


def test_a_base_rate_that_moved_is_shifted_and_a_map_that_no_longer_helps_is_dropped() -> None:
    y, p = honest(8, count=2_000)
    low = sigmoid(log_odds(p) - 0.4)
    found, then = best_map(y, low, np.arange(len(y)))
    assert found.kind == "shift"
    assert fit_shift(y, low).coefficients[2] == pytest.approx(0.4, abs=0.1)
    assert fit_map("shift", y, low).apply(low).mean() == pytest.approx(y.mean(), abs=1e-6)
    later, q = honest(9, count=2_000)
    below = sigmoid(log_odds(q) - 0.4)
    assert holds(then, gains(later, below, found.apply(below)))
    assert not holds(then, gains(later, q, found.apply(q)))  # the rate has come back


def test_a_slice_with_few_leavers_calibrates_nothing() -> None:
    y, p = honest(4, count=150)
    assert best_map(y, crooked(p), np.arange(len(y)))[0] == Calibration()


@pytest.mark.parametrize("fitter", [fit_beta, fit_isotonic])
def test_no_map_turns_the_order_of_customers_round_or_claims_certainty(fitter) -> None:  # type: ignore[no-untyped-def]
    y, p = honest(5, count=500)
    for labels in (y, 1 - y):  # upside down as well
        out = fitter(labels, p).apply(np.linspace(0.001, 0.999, 200))
        assert (np.diff(out) >= -1e-12).all()
        assert out.min() > 0
        assert out.max() < 1


def test_holding_wants_more_than_luck() -> None:
    y, p = honest(6)

    def halves(found: Gains, way: float = 1.0) -> list[Gains]:
        return [Gains(way * found.rows[half], found.customers[half]) for half in (slice(2_000), slice(2_000, None))]

    worse = gains(y, crooked(p), p)
    assert holds(*halves(worse))
    assert not holds(*halves(worse, -1.0))
    assert not holds(*halves(gains(y, p, np.clip(p + 1e-4, 0, 1))))


def test_copies_of_a_person_make_no_map_surer() -> None:
    once = Gains(0.05 + np.resize([1.0, -1.0], 400), np.arange(400))  # one standard error is .05
    copied = Gains(np.repeat(once.rows, 9), np.repeat(once.customers, 9))
    assert copied.surely(0.5)
    assert not copied.surely(2.0)  # though it would be, if 3,600 people had said so
    assert Gains(copied.rows, np.arange(3_600)).surely(2.0)


# ── settings, weights, blocks, one probability as a signal ───────────────────────────────────────────────────
def with_odds(rows: Rows) -> Rows:
    """One more signal: what a model of our own would say, too sure of itself, unknown for some."""
    z = 2.0 * (np.log1p(rows.recency) - 3.3) - 1.0
    p = np.where(np.arange(len(rows)) % 7 == 0, np.nan, sigmoid(z))
    return Rows(X=np.column_stack([rows.X, p]), y=rows.y, recency=rows.recency, customers=rows.customers)


def test_a_probability_as_a_signal_is_a_candidate_of_its_own_and_is_straightened() -> None:
    fit, held = with_odds(FIT), with_odds(HELD)
    settings = Settings(odds_column=5, rounds=30)
    fitted = fit_all(fit, settings, seed=1, threads=1, bags=2)
    assert list(fitted) == ["recency", "logistic", "pareto_nbd", "lightgbm", "average"]
    p = fitted["pareto_nbd"].predict(held.X)
    assert abs(p.mean() - held.y.mean()) < 0.03
    assert log_loss(held.y, p) < log_loss(held.y, np.nan_to_num(held.X[:, 5], nan=held.y.mean())) - 0.02
    known = ~np.isnan(held.X[:, 5])
    assert auroc(held.y[known], p[known]) == pytest.approx(auroc(held.y[known], held.X[known, 5]), abs=1e-9)
    terms = fitted["pareto_nbd"].terms(held.X)
    assert (terms[:, :5] == 0).all()
    odds = fitted["pareto_nbd"].parts[0][1]
    np.testing.assert_allclose(terms.sum(axis=1) + odds.intercept, odds.log_odds(held.X), atol=1e-12)


def test_every_kind_is_stored_and_read_back_to_the_bit() -> None:
    fit = with_odds(FIT)
    for name, scorer in fit_all(fit, Settings(odds_column=5, rounds=20), seed=1, threads=1).items():
        files: dict[str, bytes] = {}
        stored = scorer_to_json(name, scorer, files)
        again: Scorer = scorer_from_json(stored, files, 1 if name == "recency" else fit.X.shape[1])
        X = fit.recency[:, None] if name == "recency" else fit.X
        np.testing.assert_array_equal(again.predict(X), scorer.predict(X))


def test_the_fit_for_use_is_that_of_all_candidates() -> None:
    settings = Settings(strength=0.2, rounds=25, pair=("lightgbm", "logistic"))
    every = fit_all(FIT, settings, seed=3, threads=1)
    for kind in ("logistic", "lightgbm", "average"):
        assert fit_one(kind, FIT, settings, seed=3, threads=1) == every[kind]
    assert len({part.text for _, part in every["lightgbm"].parts if isinstance(part, Trees)}) == 3


def test_a_weight_of_nothing_is_a_row_left_out() -> None:
    wrong = Rows(X=FIT.X, y=1 - FIT.y, recency=FIT.recency, customers=FIT.customers)
    X, y = np.vstack([FIT.X, wrong.X]), np.concatenate([FIT.y, wrong.y])
    weights = np.r_[np.ones(len(FIT)), np.full(len(FIT), 1e-9)]
    alone, both = fit_linear(FIT.X, FIT.y), fit_linear(X, y, weights=weights)
    np.testing.assert_allclose(both.log_odds(HELD.X), alone.log_odds(HELD.X), atol=0.01)
    doubled = Rows(X=X, y=y, recency=np.r_[FIT.recency, FIT.recency], customers=np.arange(len(y)), weights=weights)
    for kind in ("lightgbm", "recency"):
        scorer = fit_all(doubled, Settings(rounds=60), seed=1, threads=1, bags=1)[kind]
        seen = HELD.recency[:, None] if kind == "recency" else HELD.X
        assert auroc(HELD.y, scorer.predict(seen)) > 0.65, kind


def test_the_regression_does_not_depend_on_blocks_or_on_the_width_of_numbers() -> None:
    many = rows_of(4, count=2 * BLOCK + 77)
    found = fit_linear(many.X, many.y)
    narrow = fit_linear(many.X.astype(np.float32), many.y)
    np.testing.assert_allclose(found.weights, narrow.weights, atol=1e-4)
    pieces = np.concatenate([found.log_odds(many.X[first : first + 1_000]) for first in range(0, len(many), 1_000)])
    np.testing.assert_array_equal(pieces, found.log_odds(many.X))
    # The slope of the penalised log loss is nothing at the weights that were found.
    values = found.standardise(many.X)
    bends = [np.maximum(values[:, place] - knot, 0) for place, knot in zip(found.bends, found.knots, strict=True)]
    inputs = np.column_stack([values, *(np.isnan(many.X[:, [j]]) for j in found.flagged), *bends])
    weights = np.r_[found.weights, found.flag_weights, found.bend_weights]
    slope = inputs.T @ (sigmoid(found.log_odds(many.X)) - many.y) + len(many) / 60 * weights
    assert np.abs(slope).max() < 1e-2


def test_odds_without_any_known_value_are_the_base_rate() -> None:
    nothing = fit_odds(0, np.full((100, 1), np.nan), np.r_[np.ones(30), np.zeros(70)])
    assert sigmoid(nothing.log_odds(np.full((1, 1), np.nan)))[0] == pytest.approx(0.3)


@pytest.mark.parametrize("seed", [0, 3, 9])
def test_the_regression_arrives_where_few_leave_and_whole_steps_run_to_and_fro(seed: int) -> None:
    rng = np.random.default_rng(seed)
    silence = rng.exponential(1, 3_000)
    X = np.exp(0.15 * rng.normal(size=(3_000, 8))) * silence[:, None] ** 2.7
    y = (rng.random(3_000) < sigmoid(-7 + 5 * np.maximum(0, silence - 2.5))).astype(float)
    found = sigmoid(fit_linear(X, y, straight=True).log_odds(X))
    assert found.mean() == pytest.approx(y.mean(), abs=1e-4)  # so it is wherever the slope is nothing
    assert log_loss(y, found) < log_loss(y, np.full(3_000, y.mean())) / 2


def test_a_map_learnt_from_few_leavers_and_nearly_constant_scores_does_not_run_away() -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        p = sigmoid(-2.8 + rng.choice([0.002, 0.3, 3.0]) * rng.normal(0, 1, 755).round(1))
        y = np.zeros(755)
        y[rng.choice(755, 42, replace=False)] = 1
        mapped = out_of_fold("beta", y, p, np.arange(755) // 3)
        assert log_loss(y, mapped) < log_loss(y, np.full(755, 42 / 755)) + 0.02


def test_the_last_digits_do_not_depend_on_the_number_of_processors() -> None:
    y, p = honest(3, count=250_000)  # so many that sums are shared out among threads

    def found(threads: int) -> str:
        with threadpool_limits(limits=threads):
            return repr((newton(beta_inputs(p), y).tolist(), fit_odds(0, p[:, None], y)))

    assert found(1) == found(2)
