"""Measures of scores: by hand on small tables, and their anchors useless, good, perfect."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.evaluation import (
    MEASURES,
    auroc,
    average_precision,
    draws,
    estimate,
    expected_calibration_error,
    lift,
    log_loss,
    mean_average_precision,
    measure,
    paired_difference,
    recall,
    row_ranks,
)

Y = np.array([0, 0, 1, 1, 0, 1], dtype=float)
P = np.array([0.1, 0.4, 0.35, 0.8, 0.4, 0.4])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("auroc", 6 / 9),  # pairs: .35 beats .1; .8 beats three; .4 beats .1 and ties two others: 1 + 3 + 1 + 2 × ½
        ("average_precision", (1 / 3) * 1 + (1 / 3) * (2 / 4) + (1 / 3) * (3 / 5)),
        ("log_loss", -(math.log(0.9) + 2 * math.log(0.6) + math.log(0.35) + math.log(0.8) + math.log(0.4)) / 6),
        ("brier", (0.01 + 0.16 + 0.4225 + 0.04 + 0.16 + 0.36) / 6),
        ("lift_10", 2.0),
        ("profit_10", 56 / 6),  # one place: a leaver asked brings .3 × (200 - 10) - 1
    ],
)
def test_measures_equal_the_sum_done_by_hand(name: str, expected: float) -> None:
    assert MEASURES[name](Y, P) == pytest.approx(expected, abs=1e-12)


def test_what_rows_add_to_the_auroc_has_it_as_mean_and_follows_a_resample() -> None:
    assert row_ranks(Y, P).mean() == pytest.approx(6 / 9)  # with ties, as above
    rng = np.random.default_rng(4)
    z = rng.normal(0, 1, 3_000)
    y = (rng.random(3_000) < 1 / (1 + np.exp(1 - z))).astype(float)
    added = row_ranks(y, z)
    chosen = draws(np.arange(3_000), 200, 5)
    exact, quick = (
        np.array([of(rows) for rows in chosen]) for of in (lambda r: auroc(y[r], z[r]), lambda r: added[r].mean())
    )
    assert np.abs(exact - quick).max() < 0.25 * exact.std()
    assert quick.std() == pytest.approx(exact.std(), rel=0.05)


def test_perfect_scores_reach_each_perfect_anchor() -> None:
    found = measure(Y, Y)
    assert found["auroc"] == found["average_precision"] == 1
    assert found["log_loss"] == pytest.approx(0, abs=1e-5)
    assert found["brier"] == found["ece"] == 0
    assert found["lift_10"] == pytest.approx(2)


def test_a_constant_is_useless_and_measured_so() -> None:
    found = measure(Y, np.full(6, 0.5))
    assert found["auroc"] == 0.5
    assert found["average_precision"] == 0.5
    assert found["lift_10"] == 1
    assert found["log_loss"] == pytest.approx(math.log(2))


def test_agrees_with_scikit_learn_on_random_scores_with_ties() -> None:
    from sklearn import metrics

    rng = np.random.default_rng(5)
    y = (rng.random(2_000) < 0.3).astype(float)
    p = np.round(np.clip(0.3 + 0.2 * y + rng.normal(0, 0.2, 2_000), 0.01, 0.99), 2).astype(np.float64)
    assert auroc(y, p) == pytest.approx(metrics.roc_auc_score(y, p), abs=1e-12)
    assert average_precision(y, p) == pytest.approx(metrics.average_precision_score(y, p), abs=1e-12)
    assert log_loss(y, p) == pytest.approx(metrics.log_loss(y, p), abs=1e-12)


def test_calibration_error_is_the_gap_between_said_and_seen() -> None:
    y = np.array([1.0] * 30 + [0.0] * 70)
    assert expected_calibration_error(np.tile(y, 10), np.full(1000, 0.3), bins=1) == pytest.approx(0)
    assert expected_calibration_error(np.tile(y, 10), np.full(1000, 0.5), bins=1) == pytest.approx(0.2)


def test_the_order_of_rows_with_equal_scores_says_nothing_about_calibration() -> None:
    """One risk for everybody at the right level is calibrated, though the leavers' ids may come first."""
    y = np.array([1.0] * 30 + [0.0] * 70)
    assert expected_calibration_error(y, np.full(100, 0.3)) == pytest.approx(0)
    p = np.repeat([0.2, 0.5], 50)
    y = np.r_[np.repeat([1.0, 0.0], [10, 40]), np.repeat([0.0, 1.0], [25, 25])]
    assert expected_calibration_error(y, p, bins=7) == pytest.approx(0)


def test_without_leavers_there_is_no_figure_rather_than_a_wrong_one() -> None:
    nobody = np.zeros(4)
    assert math.isnan(auroc(nobody, P[:4]))
    assert math.isnan(average_precision(nobody, P[:4]))
    assert math.isnan(lift(nobody, P[:4]))


def test_a_resample_takes_whole_customers_and_only_those_present() -> None:
    customers = np.array([7, 3, 7, 9, 3, 7])
    for rows in draws(customers, 20, seed=1):
        counts = np.bincount(rows, minlength=6)
        assert counts[0] == counts[2] == counts[5]
        assert counts[1] == counts[4]
        assert counts[[0, 1, 3]].sum() == 3


def test_an_interval_holds_its_value_and_narrows_with_more_customers() -> None:
    rng = np.random.default_rng(3)
    y = (rng.random(4_000) < 0.4).astype(float)
    p = np.clip(0.4 + 0.2 * (y - 0.4) + rng.normal(0, 0.1, 4_000), 0.01, 0.99)
    few = estimate("auroc", y[:200], p[:200], np.arange(200) * 3)
    many = estimate("auroc", y, p, np.arange(4_000) * 3)
    assert few.low < few.value < few.high
    assert many.high - many.low < (few.high - few.low) / 2
    assert many.rows == 4_000


def test_the_interval_of_a_calibration_error_holds_it_also_where_the_scores_are_honest() -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        p = rng.beta(2, 8, 1_000)
        found = estimate("ece", (rng.random(1_000) < p).astype(float), p, np.arange(1_000))
        assert 0 <= found.low < found.value < found.high < 0.07


def test_a_paired_difference_sees_what_two_separate_intervals_cannot() -> None:
    rng = np.random.default_rng(4)
    y = (rng.random(3_000) < 0.4).astype(float)
    p = np.clip(0.4 + 0.2 * (y - 0.4) + rng.normal(0, 0.1, 3_000), 0.01, 0.99)
    worse = np.clip(p + 0.03, 0.01, 0.99)
    gain = paired_difference(y, p, worse, np.arange(3_000))
    assert gain.low < gain.value < gain.high
    assert (gain.low > 0) == (log_loss(y, p) < log_loss(y, worse))
    same = paired_difference(y, p, p, np.arange(3_000))
    assert same.low == same.value == same.high == 0


def test_topics_are_judged_over_customers_who_had_one() -> None:
    truth = np.array([[True, False, False, False], [False, False, True, True], [False] * 4])
    scores = np.array([[0.9, 0.1, 0.2, 0.0], [0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]])
    # First: hit at rank 1. Second: one of two hits, at rank 3: (1/3) / 2.
    assert mean_average_precision(truth, scores) == pytest.approx((1 + 1 / 6) / 2)
    assert recall(truth, scores) == pytest.approx((1 + 1 / 2) / 2)
    assert math.isnan(mean_average_precision(truth[2:], scores[2:]))
