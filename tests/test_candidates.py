"""The contestants: what each can learn, that two runs agree to the bit, and calibration's reluctance."""

from __future__ import annotations

import numpy as np
import pytest

from training.calibration import Calibration, choose, clearly_better, fit_beta, fit_isotonic, sigmoid
from training.candidates import Rows, fit_candidates, fit_linear, fit_trees, recency_alone
from training.evaluation import Floats, auroc, log_loss
from training.scorers import Trees


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
    fitted, _ = fit_candidates(FIT, None, seed=1, threads=1, max_rounds=80, rounds=80)
    floor = log_loss(HELD.y, recency_alone(FIT).predict(HELD.recency[:, None]))
    assert set(fitted) == {"logistic", "lightgbm", "average"}
    for name, scorer in fitted.items():
        assert log_loss(HELD.y, scorer.predict(HELD.X)) < floor - 0.02, name


def test_the_average_is_the_mean_of_both_in_log_odds() -> None:
    fitted, _ = fit_candidates(FIT, None, seed=1, threads=1, max_rounds=20, rounds=20)
    both = (fitted["logistic"].log_odds(HELD.X) + fitted["lightgbm"].log_odds(HELD.X)) / 2
    np.testing.assert_allclose(fitted["average"].log_odds(HELD.X), both, rtol=1e-12)


def test_two_fits_of_the_same_rows_are_the_same_to_the_bit() -> None:
    def texts() -> list[str]:
        fitted, _ = fit_candidates(FIT, HELD, seed=5, threads=2, max_rounds=60)
        return [repr(part) for _, part in fitted["average"].parts]

    assert texts() == texts()


def test_the_logistic_finds_the_weights_that_made_the_data() -> None:
    linear = fit_linear(FIT.X, FIT.y, ridge=1e-6)
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
    _, on_noise = fit_trees(noise, HELD, seed=1, threads=1, max_rounds=300)
    trees, on_signal = fit_trees(FIT, HELD, seed=1, threads=1, max_rounds=300)
    assert on_noise < on_signal < 300
    assert trees.text.count("\nTree=") == on_signal
    assert isinstance(trees, Trees)


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


def test_honest_scores_are_left_alone() -> None:
    y, p = honest(1)
    assert choose(y, p, np.arange(len(y))).kind == "none"


def test_crooked_scores_are_straightened() -> None:
    y, p = honest(2)
    fitted = choose(y, crooked(p), np.arange(len(y)))
    assert fitted.kind == "beta"
    other, q = honest(3)
    assert log_loss(other, fitted.apply(crooked(q))) < log_loss(other, crooked(q)) - 0.02
    assert log_loss(other, fitted.apply(crooked(q))) == pytest.approx(log_loss(other, q), abs=0.005)


def test_a_slice_with_few_leavers_calibrates_nothing() -> None:
    y, p = honest(4, count=150)
    assert choose(y, crooked(p), np.arange(len(y))) == Calibration()


@pytest.mark.parametrize("fitter", [fit_beta, fit_isotonic])
def test_no_map_turns_the_order_of_customers_round_or_claims_certainty(fitter) -> None:  # type: ignore[no-untyped-def]
    y, p = honest(5, count=500)
    for labels in (y, 1 - y):  # upside down as well
        out = fitter(labels, p).apply(np.linspace(0.001, 0.999, 200))
        assert (np.diff(out) >= -1e-12).all()
        assert out.min() > 0
        assert out.max() < 1


def test_clearly_better_wants_more_than_luck() -> None:
    y, p = honest(6)
    assert clearly_better(y, p, crooked(p))
    assert not clearly_better(y, crooked(p), p)
    assert not clearly_better(y, p, np.clip(p + 1e-4, 0, 1))
