"""How good are the scores? Each measure says what useless, good and perfect look like.

`y` is 0 or 1 per row (1: left), `p` the predicted probability. Intervals resample customers, not rows: the same
person at several cutoffs is one person.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.profit import capacity_profit, expected_maximum_profit

Floats = NDArray[np.float64]
Measure = Callable[[Floats, Floats], float]
# Probabilities are cut here before a logarithm: a sure mistake costs 13.8, not infinity.
SMALLEST = 1e-6


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure with its 95 % interval and how many rows it rests on."""

    value: float
    low: float
    high: float
    rows: int


def auroc(y: Floats, p: Floats) -> float:
    """How often does someone who left stand above someone who stayed? Useless .5, good .7-.9, perfect 1."""
    positives = float(y.sum())
    negatives = len(y) - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    ranks = mean_ranks(p)
    return float((ranks[y == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def mean_ranks(values: Floats) -> Floats:
    """Ranks from 1, ties sharing their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts).astype(np.float64)
    return np.asarray((last - (counts - 1) / 2.0)[inverse], dtype=np.float64)


def average_precision(y: Floats, p: Floats) -> float:
    """Precision averaged over the leavers found. Useless: the base rate; good: several times it; perfect 1."""
    if not y.sum():
        return float("nan")
    order = np.argsort(-p, kind="stable")
    hits, scores = y[order], p[order]
    # Equal scores cannot be told apart: judge a tied group at its end.
    ends = np.r_[np.flatnonzero(np.diff(scores)), len(scores) - 1]
    found = np.cumsum(hits)[ends]
    precision = found / (ends + 1)
    return float(np.sum(np.diff(np.r_[0.0, found]) * precision) / hits.sum())


def log_loss(y: Floats, p: Floats) -> float:
    """Mean surprise in nats. Useless: the entropy of the base rate (.69 at one half); lower is better; perfect 0."""
    kept = np.clip(p, SMALLEST, 1 - SMALLEST)
    return float(-np.mean(y * np.log(kept) + (1 - y) * np.log(1 - kept)))


def brier(y: Floats, p: Floats) -> float:
    """Mean squared error. Useless: base × (1 - base), .25 at one half; lower is better; perfect 0."""
    return float(np.mean((p - y) ** 2))


def expected_calibration_error(y: Floats, p: Floats, bins: int = 10) -> float:
    """How far is "30 %" from 30 in a hundred? Mean gap over equal-sized bins. Perfect 0, good to .02, bad from .1."""
    order, came = np.argsort(p, kind="stable"), tied_shares(y, p)
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return float(sum(abs(p[part].mean() - came[part].mean()) * len(part) for part in parts) / len(y))


def tied_shares(y: Floats, p: Floats) -> Floats:
    """For each row, the share who left of those with the very same score: a border between bins may cut a tie, and the
    order of the rows must not say who falls on which side."""
    _, place, counts = np.unique(p, return_inverse=True, return_counts=True)
    return np.asarray((np.bincount(place, weights=y) / counts)[place], dtype=np.float64)


def lift(y: Floats, p: Floats, share: float = 0.10) -> float:
    """How many times the base rate do the top 10 % hold? Useless 1, good 2-5, perfect 1 / max(share, base rate).

    Rows tied at the border count as their average, so that a constant score has a lift of exactly 1.
    """
    base = float(y.mean()) if len(y) else 0.0
    if base == 0:
        return float("nan")
    top = max(1, round(len(y) * share))
    border = np.sort(p)[-top]
    above, tied = p > border, p == border
    hits = y[above].sum() + y[tied].mean() * (top - above.sum())
    return float(hits / top / base)


MEASURES: dict[str, Measure] = {
    "auroc": auroc,
    "average_precision": average_precision,
    "log_loss": log_loss,
    "brier": brier,
    "ece": expected_calibration_error,
    "lift_10": lift,
    "empc": expected_maximum_profit,
    "profit_10": capacity_profit,
}
# Those told first, or where there is room for a few.
MAIN = ("log_loss", "auroc", "lift_10")


def measure(y: Floats, p: Floats) -> dict[str, float]:
    """All measures of one set of scores."""
    return {name: function(y, p) for name, function in MEASURES.items()}


def draws(customers: NDArray[np.int64], count: int, seed: int) -> list[NDArray[np.int64]]:
    """Row numbers of `count` resamples of whole customers (given as codes from 0)."""
    rng = np.random.default_rng(seed)
    # Codes may have gaps: whoever is not among these rows must not be drawn.
    _, present = np.unique(customers, return_inverse=True)
    order = np.argsort(present, kind="stable")
    sizes = np.bincount(present)
    starts = np.r_[0, np.cumsum(sizes)[:-1]]
    chosen = []
    for _ in range(count):
        who = rng.integers(0, len(sizes), len(sizes))
        if sizes.max() == 1:
            chosen.append(order[starts[who]])
        else:
            chosen.append(np.concatenate([order[starts[code] : starts[code] + sizes[code]] for code in who]))
    return chosen


def interval(
    function: Callable[[NDArray[np.int64]], float],
    customers: NDArray[np.int64],
    *,
    count: int = 100,
    seed: int = 2026,
    centred: bool = False,
) -> Estimate:
    """A figure of some rows, given by their numbers, with its 95 % interval by resampling customers.

    `centred`: for a figure that is larger the fewer customers there are; a resample has fewer different ones.
    """
    value = function(np.arange(len(customers)))
    values = np.array([function(rows) for rows in draws(customers, count, seed)])
    if centred:
        values = np.maximum(values - np.nanmean(values) + value, 0.0)
    low, high = np.nanpercentile(values, [2.5, 97.5]) if np.isfinite(values).any() else (np.nan, np.nan)
    return Estimate(value=value, low=float(low), high=float(high), rows=len(customers))


def estimate(
    name: str, y: Floats, p: Floats, customers: NDArray[np.int64], *, count: int = 100, seed: int = 2026
) -> Estimate:
    """One measure with its 95 % interval by resampling customers."""
    function = MEASURES[name]
    return interval(lambda rows: function(y[rows], p[rows]), customers, count=count, seed=seed, centred=name == "ece")


def paired_difference(
    y: Floats, p: Floats, other: Floats, customers: NDArray[np.int64], *, count: int = 200, seed: int = 2026
) -> Estimate:
    """How much less log loss has `p` than `other` on the same rows? Above 0: `p` is better; interval by customer."""
    return mean_interval(row_losses(y, other) - row_losses(y, p), customers, count=count, seed=seed)


def mean_interval(values: Floats, customers: NDArray[np.int64], *, count: int = 200, seed: int = 2026) -> Estimate:
    """The mean of a value per row, with its 95 % interval by resampling customers."""
    return interval(lambda rows: float(values[rows].mean()), customers, count=count, seed=seed)


def standard_error(values: Floats, customers: NDArray[np.int64]) -> float:
    """How far may the mean of `values` be off? By customer: rows of one person say the same thing again.

    >>> one, copied = np.array([1.0, -1.0, 2.0, 0.0]), np.repeat([1.0, -1.0, 2.0, 0.0], 5)
    >>> standard_error(one, np.arange(4)) == standard_error(copied, np.repeat(np.arange(4), 5))
    True
    """
    _, place = np.unique(customers, return_inverse=True)
    sums = np.bincount(place, weights=values - values.mean())
    return float(np.sqrt(np.sum(sums**2)) / len(values))


def row_losses(y: Floats, p: Floats) -> Floats:
    """The log loss of each row."""
    kept = np.clip(p, SMALLEST, 1 - SMALLEST)
    return np.asarray(-(y * np.log(kept) + (1 - y) * np.log(1 - kept)), dtype=np.float64)


def row_ranks(y: Floats, p: Floats) -> Floats:
    """What each row adds to the AUROC: their mean is the AUROC, the mean of a resample nearly that of the resample.

    So a difference of two can be resampled as quickly as one of losses.
    """
    positives = float(y.sum())
    negatives = len(y) - positives
    ranks, left = mean_ranks(p), y == 1
    won = np.empty(len(y))
    won[left] = (ranks[left] - mean_ranks(p[left])) / negatives  # share of those who stayed that stand below
    won[~left] = 1 - (ranks[~left] - mean_ranks(p[~left])) / positives  # share of those who left that stand above
    whole = won[left].mean()
    return np.asarray(whole + (won - whole) * len(y) / np.where(left, positives, negatives), dtype=np.float64)


def mean_average_precision(truth: NDArray[np.bool_], scores: Floats, k: int = 3) -> float:
    """How high stand the topics that came up? MAP@k over customers with at least one. Useless: a random order;
    good: above "most popular" and "same as last time"; perfect 1."""
    asked = truth.any(axis=1)
    if not asked.any():
        return float("nan")
    truth, scores = truth[asked], scores[asked]
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    hit = np.take_along_axis(truth, order, axis=1)
    precision = np.cumsum(hit, axis=1) / np.arange(1, hit.shape[1] + 1)
    best = np.minimum(truth.sum(axis=1), k)
    return float(np.mean((precision * hit).sum(axis=1) / best))


def recall(truth: NDArray[np.bool_], scores: Floats, k: int = 3) -> float:
    """Which share of a customer's topics stands in the first k? Useless: k / topics; perfect 1 (where k suffices)."""
    asked = truth.any(axis=1)
    if not asked.any():
        return float("nan")
    truth, scores = truth[asked], scores[asked]
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    hit = np.take_along_axis(truth, order, axis=1)
    return float(np.mean(hit.sum(axis=1) / truth.sum(axis=1)))
