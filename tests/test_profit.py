"""Money measures: the published vectors of ProfLogit, and campaigns small enough to be reckoned by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.anchors import anchor
from training.capacity import profit_at_capacity
from training.evaluation import MEASURES
from training.profit import CAMPAIGN, Campaign, expected_maximum_profit, roc_hull

Y = np.array([1, 1, 0, 0, 0, 1, 1, 1, 1, 0], dtype=float)
P = np.array(
    [
        *(0.6125478, 0.364271, 0.4321361, 0.1402911, 0.3848959),
        *(0.2444155, 0.9706413, 0.8901728, 0.7817814, 0.8687518),
    ]
)
TWO = np.array([0.0, 1.0])


@pytest.mark.parametrize(
    ("y", "p", "published"),
    [(Y, P, 30.3003222629848), (TWO, TWO, 28.0000000000391), (TWO, 1 - TWO, 22.5007912244511)],
)
def test_the_published_vectors_are_met(y: np.ndarray, p: np.ndarray, published: float) -> None:
    assert expected_maximum_profit(y, p) == pytest.approx(published, abs=1e-9)


def test_a_constant_score_earns_what_asking_all_or_nobody_does_and_order_is_all_that_counts() -> None:
    constant = expected_maximum_profit(Y, np.full(10, 0.4))
    assert constant == pytest.approx(expected_maximum_profit(Y, np.full(10, 0.9)), abs=1e-12)
    assert constant < expected_maximum_profit(Y, P) < expected_maximum_profit(Y, Y)
    assert expected_maximum_profit(Y, P**3) == pytest.approx(expected_maximum_profit(Y, P), abs=1e-12)
    assert np.isnan(expected_maximum_profit(np.ones(3), P[:3]))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=60))
def test_the_hull_rises_bends_one_way_and_lies_above_every_corner(drawn: list[tuple[bool, int]]) -> None:
    y = np.array([float(left) for left, _ in drawn])
    p = np.array([score / 5 for _, score in drawn])
    if y.all() or not y.any():
        return
    found, false = roc_hull(y, p)
    assert (found[0], false[0], found[-1], false[-1]) == (0, 0, 1, 1)
    up, across = np.diff(found), np.diff(false)
    assert (up >= 0).all()
    assert (across >= 0).all()
    assert (up[:-1] * across[1:] > up[1:] * across[:-1]).all()
    for border in p:
        hit, miss = (p >= border) @ y / y.sum(), (p >= border) @ (1 - y) / (1 - y).sum()
        assert hit <= np.interp(miss, false, found, right=1.0) + 1e-12 or miss == 0


def test_profit_at_capacity_by_hand() -> None:
    """Ten customers, two may be asked. A leaver asked brings .3 × (200 - 10) - 1 = 56, a stayer costs 11."""
    y = np.array([1.0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
    p = np.linspace(0.9, 0.1, 10)
    found = profit_at_capacity(y, p, np.arange(10), capacity=0.2)
    assert found.asked == 2
    assert found.estimate.value == pytest.approx((56 - 11) / 10)
    assert found.perfect == pytest.approx(2 * 56 / 10)
    assert found.random == pytest.approx((2 * 56 - 8 * 11) / 10 * 0.2)
    assert 0 < found.share_of_perfect < 1
    assert "value" in found.assumed
    assert found.estimate.low <= found.estimate.value <= found.estimate.high


def test_worth_counts_where_it_is_known_and_nobody_who_promises_a_loss_is_asked() -> None:
    y = np.array([1.0, 1, 0, 0])
    values = np.array([10.0, 790, 0, 0])  # mean 200: the campaign keeps its costs
    found = profit_at_capacity(y, np.array([0.9, 0.5, 0.1, 0.1]), np.arange(4), values=values, capacity=0.25)
    assert found.estimate.value == pytest.approx((0.3 * 780 - 1) / 4)  # the valuable one, not the likeliest
    assert "value" not in found.assumed
    nobody = profit_at_capacity(y, np.linspace(0.001, 0.004, 4), np.arange(4), capacity=1.0)
    assert nobody.estimate.value == 0


def test_equal_scores_share_the_places() -> None:
    y = np.r_[np.ones(50), np.zeros(50)]
    found = profit_at_capacity(y, np.full(100, 0.5), np.arange(100), capacity=0.1)
    assert found.estimate.value == pytest.approx(found.random)


def test_a_campaign_of_another_size_keeps_its_proportions() -> None:
    twice = CAMPAIGN.scaled_to(400)
    assert twice == Campaign(value=400, offer=20, contact=2)
    assert expected_maximum_profit(Y, P, twice) == pytest.approx(2 * expected_maximum_profit(Y, P))


@pytest.mark.parametrize("base", [0.05, 0.3])
@pytest.mark.parametrize("name", ["empc", "profit_10"])
def test_knowing_all_and_knowing_nothing_reach_the_anchors_of_profit(name: str, base: float) -> None:
    y = (np.arange(1_000) < 1_000 * base).astype(float)
    told = anchor(name, base)
    assert told.perfect.startswith(f"{MEASURES[name](y, y):.2f}: ")
    assert told.useless.startswith(f"{MEASURES[name](y, np.full(1_000, base)):.2f}: ")
