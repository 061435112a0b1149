"""What does "before" mean? Days are counted back from the cutoff in steps of 24 hours, in whole microseconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
from numpy.typing import NDArray

from records.errors import InputError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_US = 86_400_000_000
"""One day in microseconds."""

HALF_LIVES: tuple[int, ...] = (7, 30, 90, 180)
WEIGHT_ONE = 1 << 40
"""A decayed day weighs `2 ** (-age / half_life)` in this many parts, as a whole number: the sums stay exact."""

LOG_PARTS = 1 << 20
"""Logarithms of gaps are summed as whole numbers of this many parts, for the same reason."""

OLDEST_AGE = 8192
"""Older days share this row of the table of ages: their weights are all zero."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Cutoffs that share a time of day: one daily roll-up serves them all."""

    phase_us: int  # microseconds after UTC midnight at which these days begin
    days: tuple[int, ...]  # cutoffs as day numbers of this grid, ascending

    def day_us(self, day: int) -> int:
        """When does this day begin, in microseconds since 1970?"""
        return day * DAY_US + self.phase_us

    def instant(self, day: int) -> datetime:
        """Which moment is the beginning of this day?"""
        return EPOCH + timedelta(microseconds=self.day_us(day))


def microseconds(moment: datetime) -> int:
    """How many microseconds lie between 1970 and this moment? Exact; refuses a time without a zone."""
    if moment.tzinfo is None:
        raise InputError(
            f"The cutoff {moment} has no time zone.", remedy="Write it with one, for example 2026-11-19T00:00:00Z."
        )
    return (moment - EPOCH) // timedelta(microseconds=1)


def grids(cutoffs: Sequence[datetime]) -> list[Grid]:
    """Which roll-ups do these cutoffs need? One for each time of day among them."""
    days: dict[int, set[int]] = {}
    for cutoff in cutoffs:
        day, phase_us = divmod(microseconds(cutoff), DAY_US)
        days.setdefault(phase_us, set()).add(day)
    return [Grid(phase_us=phase_us, days=tuple(sorted(numbers))) for phase_us, numbers in sorted(days.items())]


@cache
def ages() -> dict[str, list[int]]:
    """What does each age in days mean: its logarithm, and its weight under every half-life?"""
    numbers = list(range(1, OLDEST_AGE + 1))
    table = {"age": numbers}
    table["log_parts"] = [round(math.log(age) * LOG_PARTS) for age in numbers]
    for half_life in HALF_LIVES:
        table[f"weight_{half_life}"] = [round(WEIGHT_ONE * 2.0 ** (-age / half_life)) for age in numbers]
    return table


@cache
def by_age(name: str) -> NDArray[np.int64]:
    """A column of `ages` to be looked up by age; what lies ahead has age 0 and nothing."""
    return np.asarray([0, *ages()[name]], np.int64)
