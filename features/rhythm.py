"""What is a customer's own rhythm? Facts about the gaps between their days, before every cutoff."""

from __future__ import annotations

from collections.abc import Set

import numpy as np

from features.cutoffs import OLDEST_AGE, by_age
from features.sorted_rows import EARLIEST, Places, Rows, Whole, order_of

NO_GAP = EARLIEST
"""Stands for "no gap yet" in every fact here."""


def gaps(days: Rows, cutoffs: Whole, wanted: Set[str]) -> dict[str, Whole]:
    """Cutoffs × customers: number, sum, squares, logarithms, longest and median of the gaps between these days, and how
    many are shorter than the days from the last of them to the cutoff.

    `days` are sorted, one row per customer and day, all known at once. The median is given twice, so that it is a whole
    number; with fewer than two days all are NO_GAP. Logarithms are whole numbers of `cutoffs.LOG_PARTS`.
    """
    places = Places(days, cutoffs)
    until, start = places.before(cutoffs), places.start
    count = np.maximum(until - start - 1, 0)
    gap = np.zeros(len(days.day), np.int64)
    gap[1:] = days.day[1:] - days.day[:-1]
    gap[start[start[:, 0] < len(gap), 0]] = 0  # a first day, and that of the next customer with days
    made = {"gaps": count}
    if wanted & {"gap_logs", "gap_log_squares"}:
        logs = by_age("log_parts")[np.minimum(gap, OLDEST_AGE)]
        made["gap_logs"] = _sums(logs, until, start)
        made["gap_log_squares"] = _sums(logs * logs, until, start)
    if wanted & {"gap_sum", "gap_squares"}:
        made["gap_sum"], made["gap_squares"] = _sums(gap, until, start), _sums(gap * gap, until, start)
    if "gap_longest" in wanted and len(gap):
        step = int(gap.max()) + 1
        longest = np.maximum.accumulate(days.code * step + gap) - days.code * step
        made["gap_longest"] = longest[np.maximum(until - 1, 0)]
    if "gap_shorter" in wanted and len(gap):
        made["gap_shorter"] = _shorter(days, gap, cutoffs, until, start)
    if "gap_median" in wanted and len(gap):
        made["gap_median"] = _twice_median(days, gap, cutoffs, count)
    none = count == 0
    return {name: np.where(none, NO_GAP, made.get(name, count)).T.copy() for name in wanted}


def _sums(values: Whole, until: Whole, start: Whole) -> Whole:
    running = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=running[1:])
    found: Whole = running[until] - running[start]
    return found


def _twice_median(days: Rows, gap: Whole, cutoffs: Whole, count: Whole) -> Whole:
    """Sorted once by customer and gap; what a cutoff sees of this keeps its order, so its middle can be looked up."""
    later = gap > 0
    code, day, gap = days.code[later], days.day[later], gap[later]
    order = order_of(code, gap, day)
    if order is not None:
        day, gap = day[order], gap[order]
    made = np.zeros(count.shape, np.int64)
    if not len(gap):
        return made
    for place, cutoff in enumerate(cutoffs):
        seen, n = gap[day < cutoff], count[:, place]
        first = np.cumsum(n) - n
        held = n > 0
        middle = (seen[(first + (n - 1) // 2)[held]], seen[(first + n // 2)[held]])
        made[held, place] = middle[0] + middle[1]
    return made


def _shorter(days: Rows, gap: Whole, cutoffs: Whole, until: Whole, start: Whole) -> Whole:
    """Sorted by customer and gap, as for the median: where would the silence stand among the gaps seen?"""
    later = gap > 0
    code, day, length = days.code[later], days.day[later], gap[later]
    order = order_of(code, length, day)
    if order is not None:
        code, day, length = code[order], day[order], length[order]
    made = np.zeros(until.shape, np.int64)
    people = np.arange(len(until))
    widest = int(cutoffs.max() - days.day.min()) + 2
    for place, cutoff in enumerate(cutoffs):
        held = until[:, place] > start[:, 0]
        last = days.day[np.where(held, until[:, place] - 1, 0)]
        silence = np.where(held, np.maximum(cutoff - last, 0), 0)
        seen = day < cutoff
        keys = code[seen] * widest + length[seen]
        found = np.searchsorted(keys, people * widest + silence) - np.searchsorted(keys, people * widest)
        made[:, place] = np.where(held, found, 0)
    return made
