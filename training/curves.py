"""How do the scores of one slice look as curves? ROC, gain, lift and calibration: points to draw, rows to read."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log10, sqrt

import numpy as np

from training.evaluation import Floats, tied_shares

POINTS = 160  # of a curve; more are not seen
GROUPS = 10
Z95 = 1.959963984540054
Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Group:
    """A tenth of the customers, the least at risk first: what was predicted, and what came with its 95 % interval."""

    customers: int
    predicted: float
    left: float
    low: float
    high: float


def thinned(x: Floats, y: Floats) -> Points:
    """At most so many points, first and last among them."""
    kept = np.unique(np.linspace(0, len(x) - 1, min(POINTS, len(x))).round().astype(int))
    return tuple((float(x[place]), float(y[place])) for place in kept)


def _counted(y: Floats, p: Floats) -> tuple[Floats, Floats, Floats]:
    """Cumulative share of customers, of leavers and of stayers, the riskiest first; equal scores go together."""
    order = np.argsort(-p, kind="stable")
    hits, scores = y[order], p[order]
    ends = np.r_[np.flatnonzero(np.diff(scores)), len(scores) - 1]
    asked = np.r_[0.0, (ends + 1) / len(y)]
    found = np.r_[0.0, np.cumsum(hits)[ends] / max(hits.sum(), 1)]
    false = np.r_[0.0, np.cumsum(1 - hits)[ends] / max((1 - hits).sum(), 1)]
    return asked, found, false


def roc(y: Floats, p: Floats) -> Points:
    """Share of stayers called wrongly, share of leavers found."""
    _, found, false = _counted(y, p)
    return thinned(false, found)


def gain(y: Floats, p: Floats) -> Points:
    """Share of customers asked, share of leavers among them."""
    asked, found, _ = _counted(y, p)
    return thinned(asked, found)


def lift_curve(y: Floats, p: Floats) -> Points:
    """Share of customers asked, how many times the average of them leaves; from the first hundredth on."""
    asked, found, _ = _counted(y, p)
    shares = np.linspace(0.01, 1, 100)
    return tuple((float(share), float(np.interp(share, asked, found) / share)) for share in shares)


def calibration_groups(y: Floats, p: Floats) -> list[Group]:
    """Ten groups of equal size by their score, ties shared out; intervals after Wilson (1927)."""
    order, came = np.argsort(p, kind="stable"), tied_shares(y, p)
    return [_group(p[part], came[part]) for part in np.array_split(order, GROUPS) if len(part)]


def _group(p: Floats, y: Floats) -> Group:
    low, high = wilson(float(y.sum()), len(y))
    return Group(customers=len(y), predicted=float(p.mean()), left=float(y.mean()), low=low, high=high)


def wilson(good: float, people: int) -> tuple[float, float]:
    """The 95 % interval of a share, right also for small groups.

    >>> [round(bound, 3) for bound in wilson(10, 10)]
    [0.722, 1.0]
    """
    if not people:
        return 0.0, 1.0
    share, z2 = good / people, Z95**2
    middle = (share + z2 / (2 * people)) / (1 + z2 / people)
    half = Z95 / (1 + z2 / people) * sqrt(share * (1 - share) / people + z2 / (4 * people * people))
    return max(0.0, middle - half), min(1.0, middle + half)


def round_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round values that divide the stretch from low to high, both ends included or just outside it.

    >>> round_ticks(0, 0.43), round_ticks(0.23, 0.317), round_ticks(0, 4.4)
    ([0.0, 0.1, 0.2, 0.3, 0.4, 0.5], [0.22, 0.24, 0.26, 0.28, 0.3, 0.32], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    """
    stretch = max(high - low, 1e-9)
    size = 10.0 ** floor(log10(stretch / most))
    step = next(part * size for part in (1, 2, 2.5, 5, 10) if part * size * most >= stretch * (1 - 1e-9))
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]
