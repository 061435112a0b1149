"""Where does a value stand among those of a group? Groups of whole numbers, each with how often it had which value."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.sorted_rows import Whole, starts_of

Floats = NDArray[np.float64]


def tally(group: Whole, value: NDArray[Any]) -> tuple[Whole, Floats, Whole]:
    """Each group and value once, sorted, and how often it is there."""
    if not len(group):
        return np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64)
    if value.dtype.kind in "bi":
        low, code = int(value.min()), value.astype(np.int64) - int(value.min())
        width = int(code.max()) + 1
        keys, n = np.unique(group * width + code, return_counts=True)
        return keys // width, (keys % width + low).astype(np.float64), n
    distinct, code = np.unique(value, return_inverse=True)
    keys, n = np.unique(group * len(distinct) + code, return_counts=True)
    return keys // len(distinct), distinct[keys % len(distinct)], n


@dataclass(frozen=True)
class Histogram:
    """How often has each group each value? Sorted by group and value, each pair once."""

    group: Whole
    value: Floats
    n: Whole

    @classmethod
    def of(cls, group: Whole, value: Floats, n: Whole) -> Histogram:
        """The same counts in any order, pairs perhaps more than once."""
        order = np.lexsort((value, group))
        group, value, n = group[order], value[order], n[order]
        first = starts_of(group, value.view(np.int64))
        return cls(group[first], value[first], np.add.reduceat(n, first) if len(first) else n)

    @cached_property
    def _upto(self) -> Whole:
        return np.concatenate([[0], np.cumsum(self.n)])

    def _span(self, group: Whole) -> tuple[Whole, Whole]:
        return np.searchsorted(self.group, group, "left"), np.searchsorted(self.group, group, "right")

    def total(self, group: Whole) -> Whole:
        """How many has each of these groups?"""
        first, last = self._span(group)
        found: Whole = self._upto[last] - self._upto[first]
        return found

    def mean(self, group: Whole) -> Floats:
        """The mean value of each of these groups, NaN of an empty one."""
        first = starts_of(self.group)
        sums = np.append(np.add.reduceat(self.value * self.n, first) if len(first) else [], 0.0)
        total = self.total(group)
        found = np.full(len(group), np.nan)
        some = total > 0
        found[some] = sums[np.searchsorted(self.group[first], group[some])] / total[some]
        return found

    def below(self, group: Whole, value: Floats) -> Floats:
        """What share of each group lies below this value, those equal to it counting half? NaN of an empty group."""
        distinct = np.unique(self.value)
        width = len(distinct) + 1
        keys = self.group * width + np.searchsorted(distinct, self.value)
        first = self._upto[self._span(group)[0]]
        fewer, upto = (
            self._upto[np.searchsorted(keys, group * width + np.searchsorted(distinct, value, side))] - first
            for side in ("left", "right")
        )
        twice = fewer + upto
        total = self.total(group)
        found = np.full(len(group), np.nan)
        found[total > 0] = twice[total > 0] / (2.0 * total[total > 0])
        return found

    def median(self, group: Whole) -> Floats:
        """The least value that at least half of each group do not exceed; NaN of an empty group."""
        first, last = self._span(group)
        before = self._upto[first]
        total = self._upto[last] - before
        found = np.full(len(group), np.nan)
        some = total > 0
        place = np.searchsorted(self._upto, before + (total + 1) // 2, "left") - 1
        found[some] = self.value[place[some]]
        return found
