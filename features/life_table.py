"""What share of the customers who came to an age left soon after? Life tables of groups, as of one moment each.

Age is cut into bands of four weeks. A group's rate of leaving in a band is drawn towards everybody's in that band, and
that towards everybody's at any age, each time as if thirty average customers had been through one band more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.sorted_rows import Whole

BAND_DAYS = 28
MOST_BANDS = 40
"""The last band has no end."""

PRIOR_DAYS = 30.0 * BAND_DAYS

Floats = NDArray[np.float64]


class LifeTable:
    """Rates of leaving by group and age; every group belongs to a larger one, whose rates it is drawn to."""

    def __init__(self, group: Whole, larger: Whole, length: Whole, ended: Whole, n: Whole) -> None:
        """So many customers (`n`) of a group stayed for `length` whole days and then left (`ended`), or may stay on."""
        self._groups, place = np.unique(group, return_inverse=True)
        self._larger, above = np.unique(larger, return_inverse=True)
        larger_of = np.zeros(len(self._groups), np.int64)
        larger_of[place] = above
        left, days = _by_band(place, len(self._groups), length, ended, n)
        all_left, all_days = _by_band(above, len(self._larger), length, ended, n)
        at_any = all_left.sum(1, keepdims=True) / np.maximum(all_days.sum(1, keepdims=True), 1)
        by_age = _drawn(all_left, all_days, at_any)
        # A group that nobody was in has the rates of the larger one, and one that nobody was in at all has none.
        self._rates = np.concatenate([_drawn(left, days, by_age[larger_of]), by_age, np.zeros((1, MOST_BANDS))])
        steps = np.cumsum(self._rates * BAND_DAYS, axis=1)
        self._passed = np.concatenate([np.zeros((len(steps), 1)), steps], axis=1)

    def leaving(self, group: Whole, larger: Whole, age: Whole, days: int) -> Floats:
        """What share of a group leave within so many days of this age (in whole days)?"""
        place, above = _found(self._groups, group), _found(self._larger, larger)
        row = np.where(place >= 0, place, np.where(above >= 0, len(self._groups) + above, len(self._rates) - 1))
        age = np.maximum(age, 0)
        return -np.expm1(self._hazard(row, age) - self._hazard(row, age + days))

    def _hazard(self, row: Whole, age: Whole) -> Floats:
        """The rates of all days up to an age, added up."""
        band = np.minimum(age // BAND_DAYS, MOST_BANDS - 1)
        found: Floats = self._passed[row, band] + self._rates[row, band] * (age - BAND_DAYS * band)
        return found


def _drawn(left: Whole, days: Whole, towards: Floats) -> Floats:
    found: Floats = (left + PRIOR_DAYS * towards) / (days + PRIOR_DAYS)
    return found


def _found(known: Whole, wanted: Whole) -> Whole:
    """The place of each number in a sorted list; -1 if it is not there."""
    if not len(known):
        return np.full(len(wanted), -1)
    place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[place] == wanted, place, -1)


def _by_band(place: Whole, groups: int, length: Whole, ended: Whole, n: Whole) -> tuple[Whole, Whole]:
    """Groups × bands: how many left, and how many days all stayed together."""
    left, days = (np.zeros((groups, MOST_BANDS), np.int64) for _ in range(2))
    np.add.at(left, (place, np.minimum(length // BAND_DAYS, MOST_BANDS - 1)), n * ended)
    for band in range(MOST_BANDS):
        longest = BAND_DAYS if band < MOST_BANDS - 1 else np.iinfo(np.int32).max
        np.add.at(days[:, band], place, n * np.clip(length - band * BAND_DAYS, 0, longest))
    return left, days
