"""Did it help? Two proportions, their difference with an interval, and an honest word for it.

Anchors: an interval wholly above 0 means it helped, wholly below that it did harm, across 0 that nobody can tell. With
37 people in the comparison group the interval is ±15 per 100, whatever we wish; with 460 it is ±5.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, erfc, floor, log10, sqrt
from typing import Literal

Verdict = Literal["helped", "made it worse", "no clear difference", "not enough data yet", "tracked"]

Z95 = 1.959963984540054
# Below this many people in either group no claim is made, however striking the figures.
SMALLEST_GROUP = 20
# "No clear difference" is only said where ±12.5 per 100 or better is known; a wider interval has not said anything yet.
WIDEST_HALF = 0.125
AIM_HALF = 0.10
# Group sizes this unlikely under the planned shares mean that something sorted people after they were drawn.
MISMATCH_BELOW = 0.001


@dataclass(frozen=True, kw_only=True)
class Group:
    """So many people, so many of them with a good outcome."""

    people: int
    good: int

    @property
    def share(self) -> float:
        return self.good / self.people if self.people else 0.0


@dataclass(frozen=True, kw_only=True)
class Effect:
    """The difference of two shares (treated minus comparison) with its 95 % interval, all between -1 and 1."""

    diff: float
    low: float
    high: float
    verdict: Verdict
    more_people: int = 0  # about how many more are needed, if there is not enough data yet


def wilson(group: Group) -> tuple[float, float]:
    """The 95 % interval of one share (Wilson 1927): right also for small groups and shares near 0 or 1.

    >>> [round(bound, 3) for bound in wilson(Group(people=10, good=10))]
    [0.722, 1.0]
    """
    if not group.people:
        return 0.0, 1.0
    n, p, z2 = group.people, group.share, Z95**2
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def difference(treated: Group, comparison: Group) -> tuple[float, float, float]:
    """Share of treated minus share of comparison, with its 95 % interval (Newcombe 1998, method 10).

    >>> d, low, high = difference(Group(people=70, good=56), Group(people=80, good=48))  # Newcombe's own example
    >>> round(d, 4), round(low, 4), round(high, 4)
    (0.2, 0.0524, 0.3339)
    """
    p1, p2 = treated.share, comparison.share
    l1, u1 = wilson(treated)
    l2, u2 = wilson(comparison)
    diff = p1 - p2
    return diff, diff - sqrt((p1 - l1) ** 2 + (u2 - p2) ** 2), diff + sqrt((u1 - p1) ** 2 + (p2 - l2) ** 2)


def effect(treated: Group, comparison: Group) -> Effect:
    """The difference and what may be said about it."""
    if not treated.people or not comparison.people:
        return Effect(diff=0.0, low=-1.0, high=1.0, verdict="not enough data yet", more_people=2 * SMALLEST_GROUP)
    diff, low, high = difference(treated, comparison)
    small = min(treated.people, comparison.people) < SMALLEST_GROUP
    half = (high - low) / 2
    verdict: Verdict
    if small or (low <= 0 <= high and half > WIDEST_HALF):
        verdict = "not enough data yet"
    elif low > 0:
        verdict = "helped"
    elif high < 0:
        verdict = "made it worse"
    else:
        verdict = "no clear difference"
    more = people_missing(treated, comparison, half) if verdict == "not enough data yet" else 0
    return Effect(diff=diff, low=low, high=high, verdict=verdict, more_people=more)


def people_missing(treated: Group, comparison: Group, half: float) -> int:
    """About how many more people until the interval is ±10 per 100: its width falls with the root of the number."""
    total = treated.people + comparison.people
    factor = max((half / AIM_HALF) ** 2, SMALLEST_GROUP / min(treated.people, comparison.people))
    return about(max(1.0, total * (factor - 1)))


def about(number: float) -> int:
    """A number people can say: two figures, rounded up.

    >>> about(417), about(7.2), about(1240)
    (420, 8, 1300)
    """
    if number < 10:
        return ceil(number)
    step = 10 ** (floor(log10(number)) - 1)
    return int(ceil(number / step) * step)


def sizes_mismatch(treated: int, comparison: int, expected_treated: float) -> bool:
    """Are the groups of other sizes than drawn (chi-square, one degree of freedom)? Then no result may be trusted."""
    total = treated + comparison
    expected_comparison = total - expected_treated
    if not total or expected_treated <= 0 or expected_comparison <= 0:
        return False
    chi2 = (treated - expected_treated) ** 2 * (1 / expected_treated + 1 / expected_comparison)
    return erfc(sqrt(chi2 / 2)) < MISMATCH_BELOW
