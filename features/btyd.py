"""Who still buys? The Pareto/NBD model of Schmittlein, Morrison and Colombo (1987): buy till you die.

While alive, a customer buys at a rate λ of their own, which varies between customers as a gamma with shape r and rate
α; they die at a rate μ of their own, gamma with shape s and rate β. Three figures say all there is to know of one:
x repeat purchases, t_x from the first purchase to the last, T from the first purchase to now, all in one unit of time.

Formulas as in Fader and Hardie, "A note on deriving the Pareto/NBD model and related expressions" (2005), their
hypergeometric functions turned by Euler's transformation into 2F1(1, b; c; z), b < c, computed as a continued
fraction: nothing overflows or cancels for customers with thousands of purchases.
"""

# ruff: noqa: S608  the SQL is made of our own names and whole numbers

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.cutoffs import DAY_US, microseconds

if TYPE_CHECKING:
    from records.events import EventLog

Floats = NDArray[np.float64]

FEWEST_CUSTOMERS = 50
FEWEST_REPEATERS = 10
MOST_HISTORIES = 8_000
"""More customers than that are represented by a sample of the log: see `histories`."""

MOST_TERMS = 60

WIDEST = 6.0, 3.0
"""Bounds of the logarithms of r, s and α (in mean T's), and of α/β: beyond them the likelihood is flat, or nearly."""


@dataclass(frozen=True)
class ParetoNBD:
    """The four parameters; α and β in the unit of time of T."""

    r: float
    alpha: float
    s: float
    beta: float

    @property
    def terms(self) -> int:
        """How many terms bring the continued fraction's error below 1e-11? By the parameters alone, so that a customer
        gets the same figure to the bit, whoever else is asked about.
        """
        root = math.sqrt(min(self.alpha, self.beta) / max(self.alpha, self.beta))
        shrinks = ((1.0 - root) / (1.0 + root)) ** 2
        if shrinks < 1e-6:
            return 2
        return min(MOST_TERMS, 2 + math.ceil(2.0 * math.log(1e-11) / math.log(shrinks)))

    def p_alive(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
        """The probability that a customer with this history has not died yet."""
        return np.asarray(np.exp(-np.logaddexp(0.0, self._log_dead_odds(x, t_x, T))), dtype=np.float64)

    def expected(self, horizon: float, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
        """How many purchases do we expect of them in the next `horizon`?"""
        x, T = np.asarray(x, dtype=np.float64), np.asarray(T, dtype=np.float64)
        rate = (self.r + x) / (self.alpha + T)
        grown = np.log1p(horizon / (self.beta + T))
        # (1 - e^(-(s-1)·grown)) / (s - 1), which tends to `grown` as s tends to 1.
        away = self.s - 1.0
        lived = grown if abs(away) < 1e-9 else -np.expm1(-away * grown) / away
        return np.asarray(self.p_alive(x, t_x, T) * rate * (self.beta + T) * lived, dtype=np.float64)

    def p_none(self, horizon: float, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
        """The probability that they buy nothing in the next `horizon`.

        Given that a customer is alive, λ is gamma(r + x, α + T) and μ gamma(s, β + T), independent of each other: they
        buy nothing with the likelihood of a new customer with these parameters and no repeat purchase.
        """
        x, T = np.asarray(x, dtype=np.float64), np.asarray(T, dtype=np.float64)
        alive = self.p_alive(x, t_x, T)
        shape, rate, beta = self.r + x, self.alpha + T, self.beta + T
        dead = _log_dead_odds(shape, rate, self.s, beta, 0.0, 0.0, horizon, self.terms)
        survived = -shape * np.log1p(horizon / rate) - self.s * np.log1p(horizon / beta)
        return np.asarray(1.0 - alive * -np.expm1(survived + np.logaddexp(0.0, dead)), dtype=np.float64)

    def log_likelihood(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
        """The logarithm of the likelihood of each history."""
        from scipy.special import gammaln

        x, T = np.asarray(x, dtype=np.float64), np.asarray(T, dtype=np.float64)
        bought = gammaln(self.r + x) - gammaln(self.r) + self.r * np.log(self.alpha)
        alive = bought - (self.r + x) * np.log(self.alpha + T) - self.s * np.log1p(T / self.beta)
        return np.asarray(alive + np.logaddexp(0.0, self._log_dead_odds(x, t_x, T)), dtype=np.float64)

    def _log_dead_odds(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
        return _log_dead_odds(self.r, self.alpha, self.s, self.beta, x, t_x, T, self.terms)


def _log_dead_odds(
    r: ArrayLike,
    alpha: ArrayLike,
    s: float,
    beta: ArrayLike,
    x: ArrayLike,
    t_x: ArrayLike,
    T: ArrayLike,
    needed: int,
) -> Floats:
    """Log odds of having died after the last purchase against being alive now."""
    given = [np.asarray(one, dtype=np.float64) for one in (r, alpha, beta, x, t_x, T)]
    r, alpha, beta, x, t_x, T = np.broadcast_arrays(*given)
    bought = r + x
    grown = bought * np.log((alpha + T) / (alpha + t_x)) + s * np.log((beta + T) / (beta + t_x))
    then, now = (_tail(bought, alpha, s, beta, t, needed) for t in (t_x, T))
    # now <= e^grown · then always; the logarithm of their difference, with nothing but rounding below zero.
    less = np.maximum(-np.expm1(np.log(now / then) - grown), 0.0)
    with np.errstate(divide="ignore"):  # nobody died since a moment ago: the odds are zero
        return np.asarray(np.log(s / (bought + s)) + grown + np.log(then) + np.log(less), dtype=np.float64)


def _tail(bought: Floats, alpha: Floats, s: float, beta: Floats, t: Floats, needed: int) -> Floats:
    """(r+x+s) ∫ from t on of ((α+t)/(α+τ))^(r+x) ((β+t)/(β+τ))^s dτ/(β+τ), as a hypergeometric function."""
    above = alpha >= beta
    larger = np.where(above, alpha, beta) + t
    z = np.abs(alpha - beta) / larger
    found = hypergeometric(np.where(above, bought, s + 1.0), bought + s + 1.0, z, needed)
    return np.asarray(np.where(above, found, found * (alpha + t) / (beta + t)), dtype=np.float64)


def hypergeometric(b: Floats, c: Floats, z: Floats, terms: int) -> Floats:
    """2F1(1, b; c; z) by so many terms of Gauss's continued fraction, from the innermost outwards."""
    found = np.ones_like(z)
    for term in range(terms, 0, -1):
        half = term // 2
        upper = (c - 1.0 + half) * (b + half) if term % 2 else (c - b - 1.0 + half) * float(half)
        found = 1.0 - upper / ((c + (term - 2.0)) * (c + (term - 1.0))) * z / found
    return np.asarray(1.0 / found, dtype=np.float64)


def fit_pareto_nbd(x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> ParetoNBD | None:
    """Which parameters make these histories, one of each customer, likeliest? None: too little to learn from.

    Deterministic, whatever the order of the input: the optimiser starts at one place and histories are sorted first.
    """
    from scipy.optimize import minimize

    table = np.column_stack([np.asarray(one, dtype=np.float64) for one in (x, t_x, T)])
    usable = np.isfinite(table).all(axis=1) & (table >= 0).all(axis=1) & (table[:, 2] > 0)
    table = table[usable & (table[:, 1] <= table[:, 2])]
    if len(table) < FEWEST_CUSTOMERS or (table[:, 0] > 0).sum() < FEWEST_REPEATERS:
        return None
    table, counts = np.unique(table, axis=0, return_counts=True)
    unit = float((table[:, 2] * counts).sum() / counts.sum())
    histories = (table / (1.0, unit, unit)).T

    def loss(logs: Floats) -> float:
        value = -float((_of(logs).log_likelihood(*histories) * counts).sum() / counts.sum())
        return value if np.isfinite(value) else 1e9

    wide, apart = WIDEST
    bounds = [(-wide, wide), (-wide, wide), (-wide, wide), (-apart, apart)]
    start = np.log([0.5, 0.3, 0.6, 1.0])
    best = minimize(loss, start, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-12, "gtol": 1e-7})
    if not np.isfinite(best.x).all() or best.fun >= 1e9:
        return None
    found = _of(best.x)
    return ParetoNBD(r=found.r, alpha=found.alpha * unit, s=found.s, beta=found.beta * unit)


def _of(logs: Floats) -> ParetoNBD:
    """The model with these logarithms of r, α, s and β/α."""
    r, alpha, s, to_alpha = (float(one) for one in np.exp(logs))
    return ParetoNBD(r=r, alpha=alpha, s=s, beta=alpha * to_alpha)


def histories(log: EventLog, until: datetime) -> tuple[Floats, Floats, Floats]:
    """How did the customers buy before `until`? x, t_x and T in days, one row per customer, in the order of their ids.

    Days are counted back from `until` in steps of 24 hours; x is the number of days with an order, the first not
    counted. Of many customers those with the smallest MD5 of their id stand for all.
    """
    end = microseconds(until)
    with log.connection() as con:
        rows = con.sql(
            f"""select days - 1 as x, case when days > 1 then (last_us - first_us) / {DAY_US}.0 else 0.0 end as t_x,
                ({end} - first_us) / {DAY_US}.0 as T
            from (
                select customer_id, count(distinct ({end} - 1 - epoch_us(occurred_at)) // {DAY_US}) as days,
                    min(epoch_us(occurred_at)) as first_us, max(epoch_us(occurred_at)) as last_us
                from {log.relation_sql(until)} where name = 'order_completed' group by customer_id
                order by md5(customer_id), customer_id limit {MOST_HISTORIES}
            ) order by customer_id"""
        ).to_arrow_table()
    x, t_x, T = (rows.column(name).to_numpy().astype(np.float64) for name in ("x", "t_x", "T"))
    return x, t_x, T
