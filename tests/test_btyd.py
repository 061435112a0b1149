"""The Pareto/NBD model gives the published figures, equals its integrals, and never fails on an odd log."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from features_logs import START, log_of, numbered
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from features.btyd import ParetoNBD, fit_pareto_nbd, histories
from features.build import build_signals
from features.fitted import Fitted, fit

PUBLISHED = ParetoNBD(r=0.5533971, alpha=10.5801985, s=0.6060625, beta=11.6562237)
"""Fitted on the 1/10 sample of CDNOW, in weeks, by the walk-through of the R package BTYD."""

logs = st.floats(-2.5, 2.5).map(lambda power: float(10.0**power))
apart = st.floats(-3, 3)


def model_of(r: float, alpha: float, s: float, apart: float) -> ParetoNBD:
    """A model within the bounds of the fit: α and β at most a factor of e³ apart."""
    return ParetoNBD(r=r, alpha=alpha, s=s, beta=alpha * math.exp(apart))


models = st.builds(model_of, logs, logs, logs, apart)


def test_the_published_customer_gets_the_published_figures() -> None:
    # Customer 1516: 26 repeat purchases, the last after 30.86 of 31 weeks.
    assert float(PUBLISHED.p_alive(26, 30.86, 31)) == pytest.approx(0.9979, abs=5e-5)
    assert float(PUBLISHED.expected(52, 26, 30.86, 31)) == pytest.approx(25.46, abs=0.01)


def integral(f: Callable[[float], float], start: float, end: float, near: float) -> float:
    """Over pieces that grow away from the start, where most of it lies."""
    pieces = [start, *(one for one in (start + near * 4.0**n for n in range(-3, 12)) if one < end), end]
    return float(sum(quad(f, one, other, epsrel=1e-10, epsabs=1e-300)[0] for one, other in pairwise(pieces)))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(models, st.integers(0, 400), st.floats(0, 1), st.floats(0.01, 300), st.floats(0.1, 100))
def test_closed_forms_equal_their_integrals(m: ParetoNBD, x: int, share: float, T: float, horizon: float) -> None:
    t_x = share * T if x else 0.0

    # The odds of being alive, over the odds at the last purchase: every exponent is at most zero.
    now = (m.r + x) * math.log((m.alpha + T) / (m.alpha + t_x)) + m.s * math.log((m.beta + T) / (m.beta + t_x))

    def died(tau: float) -> float:
        bought = (m.r + x) * math.log((m.alpha + t_x) / (m.alpha + tau))
        return math.exp(bought + m.s * math.log((m.beta + t_x) / (m.beta + tau))) * m.s / (m.beta + tau)

    odds = integral(died, t_x, T, (m.alpha + t_x) / (m.r + x + m.s))
    alive = math.exp(-now) / (math.exp(-now) + odds)
    assert float(m.p_alive(x, t_x, T)) == pytest.approx(alive, rel=1e-6, abs=1e-9)
    rate, beta = m.alpha + T, m.beta + T

    def left(u: float) -> float:
        return float((rate / (rate + u)) ** (m.r + x) * m.s * (beta / (beta + u)) ** m.s / (beta + u))

    silent = (rate / (rate + horizon)) ** (m.r + x) * (beta / (beta + horizon)) ** m.s
    silent += integral(left, 0, horizon, rate / (m.r + x + m.s))
    assert float(m.p_none(horizon, x, t_x, T)) == pytest.approx(1 - alive * (1 - silent), rel=1e-6, abs=1e-8)

    def bought_by(u: float) -> float:
        return (m.r + x) / rate * float((beta / (beta + u)) ** m.s)

    expected = alive * integral(bought_by, 0, horizon, beta / m.s)
    assert float(m.expected(horizon, x, t_x, T)) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def weeks_of(purchases: Sequence[str]) -> np.ndarray[Any, Any]:
    """x, t_x and T in weeks of everyone who bought until 30 September 1997."""
    end, days = date(1997, 9, 30), dict[str, set[date]]()
    for line in purchases:
        who, day, *_ = line.split()
        days.setdefault(who, set()).add(datetime.strptime(day + "Z", "%Y%m%d%z").date())
    rows = []
    for bought in days.values():
        seen = sorted(day for day in bought if day <= end)
        if seen:
            rows.append((len(seen) - 1, (seen[-1] - seen[0]).days / 7, (end - seen[0]).days / 7))
    return np.array(rows).T


def test_no_parameters_near_the_fitted_ones_are_likelier(shared_data: Path) -> None:
    x, t_x, T = weeks_of((shared_data / "cdnow" / "CDNOW_master.txt").read_text().splitlines()[1:])
    assert len(x) == 23_570
    found = fit_pareto_nbd(x, t_x, T)
    assert found is not None
    # The sample's published parameters are those of a tenth of these customers.
    assert (found.r, found.alpha, found.s, found.beta) == pytest.approx((0.5974, 11.586, 0.5222, 8.828), rel=2e-3)
    best = found.log_likelihood(x, t_x, T).sum()
    assert best >= PUBLISHED.log_likelihood(x, t_x, T).sum()
    for name in ("r", "alpha", "s", "beta"):
        for factor in (0.97, 1.03):
            other = ParetoNBD(**{**vars(found), name: getattr(found, name) * factor})
            assert other.log_likelihood(x, t_x, T).sum() < best, name
    order = np.random.default_rng(1).permutation(len(x))
    assert fit_pareto_nbd(x[order], t_x[order], T[order]) == found


def test_the_parameters_behind_a_simulated_log_are_found_again() -> None:
    draw, n, T = np.random.default_rng(7), 8_000, 60.0
    true = ParetoNBD(r=0.8, alpha=9.0, s=0.9, beta=14.0)
    rate = draw.gamma(true.r, 1 / true.alpha, n)
    life = np.minimum(draw.exponential(1 / draw.gamma(true.s, 1 / true.beta, n)), T)
    x = draw.poisson(rate * life)
    last = np.array([draw.uniform(0, end, count).max() if count else 0.0 for end, count in zip(life, x, strict=True)])
    found = fit_pareto_nbd(x, last, np.full(n, T))
    assert found is not None
    assert (found.r, found.alpha) == pytest.approx((true.r, true.alpha), rel=0.1)
    # s and β move together; what they say of those who bought nothing is what counts.
    at = (0, 0.0, T)
    assert float(found.p_none(13, *at)) == pytest.approx(float(true.p_none(13, *at)), abs=0.01)


@pytest.mark.parametrize(
    ("x", "t_x", "T"),
    [
        ([], [], []),
        ([1], [2.0], [5.0]),
        ([0] * 500, [0.0] * 500, [9.0] * 500),
        ([3] * 500, [9.0] * 500, [9.0] * 500),
        ([1] * 60, [0.0] * 60, [1e-9] * 60),
        ([10_000] * 100, [700.0] * 100, [730.0] * 100),
        ([np.nan] * 100, [1.0] * 100, [2.0] * 100),
    ],
)
def test_odd_logs_give_no_model_or_one_that_computes(x: Any, t_x: Any, T: Any) -> None:
    found = fit_pareto_nbd(x, t_x, T)
    if found is not None:
        some = ([0, 1, 50], [0.0, 1.0, 2.0], [3.0, 3.0, 3.0])
        for probability in (found.p_alive(*some), found.p_none(90, *some)):
            assert np.isfinite(probability).all()
            assert ((probability >= -1e-12) & (probability <= 1 + 1e-12)).all()
        assert np.isfinite(found.expected(90, *some)).all()


def orders(days: dict[str, list[float]]) -> list[dict[str, Any]]:
    return numbered(
        [
            {"customer_id": who, "occurred_at": at, "received_at": at, "name": "order_completed"}
            for who, bought in days.items()
            for at in (START + timedelta(days=day) for day in bought)
        ]
    )


def test_histories_count_days_before_the_moment_only(tmp_path: Path) -> None:
    log = log_of(tmp_path, orders({"a": [0, 0.2, 10, 30], "b": [5, 5.5], "c": [20]}))
    x, t_x, T = histories(log, START + timedelta(days=20))
    assert (x.tolist(), t_x.tolist(), T.tolist()) == ([1.0, 0.0], [10.0, 0.0], [20.0, 15.0])


def test_signals_use_the_fit_before_the_cutoff_and_are_null_without_one(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    days = {f"c{n}": sorted(draw.uniform(0, 200, 1 + draw.poisson(2))) for n in range(120)}
    log = log_of(tmp_path, orders(days))
    until = datetime(2024, 6, 1, tzinfo=UTC)
    fitted = fit(log, until, horizon_days=30)
    assert fitted.purchases is not None
    assert Fitted.from_json(fitted.to_json()) == fitted
    later = log_of(
        tmp_path / "more",
        orders(days)
        + [{**row, "event_id": f"x{n}", "customer_id": "new"} for n, row in enumerate(orders({"z": [150.0]}))],
    )
    assert fit(later, until, horizon_days=30) == fitted
    table = build_signals(log, [until], fitted=fitted)
    history = histories(log, until)
    for name, value in {
        "btyd_p_alive": fitted.purchases.p_alive(*history),
        "btyd_expected_orders": fitted.purchases.expected(30, *history),
        "btyd_no_order_probability": fitted.purchases.p_none(30, *history),
    }.items():
        assert table.column(name).to_pylist() == value.tolist(), name
    one = table.column("customer_id")[5].as_py()
    by_itself = build_signals(log, [until], fitted=fitted, customers=[one])
    assert by_itself.to_pylist() == table.slice(5, 1).to_pylist()
    alone = build_signals(log, [until], fitted=fitted, signals=["btyd_p_alive"])
    assert alone.column("btyd_p_alive") == table.column("btyd_p_alive")
    assert set(build_signals(log, [until], fitted=Fitted()).column("btyd_p_alive").to_pylist()) == {None}


def test_a_customer_alone_gets_the_bits_they_get_among_others() -> None:
    """A score made again for one person must be the score they had."""
    m = ParetoNBD(r=0.5, alpha=80.0, s=0.6, beta=12.0)
    rng = np.random.default_rng(4)
    T = rng.uniform(30, 700, 200)
    t_x = T * rng.uniform(0, 1, 200)
    x = rng.integers(0, 30, 200).astype(np.float64)
    together = np.column_stack([m.p_alive(x, t_x, T), m.expected(90, x, t_x, T), m.p_none(90, x, t_x, T)])
    for row in range(200):
        who = (x[row : row + 1], t_x[row : row + 1], T[row : row + 1])
        alone = [m.p_alive(*who)[0], m.expected(90, *who)[0], m.p_none(90, *who)[0]]
        assert alone == together[row].tolist()
