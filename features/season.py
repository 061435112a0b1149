"""Season: a clock that goes as fast as everybody is active. Is this silence long, for how quiet all have been?

After a feast all customers fall silent, and before one all come. On this clock a day is as long as customers were
active on it, against what is usual at their ages (`features/peers.py` fits that); a silence, a gap and a tenure are
then comparable whenever they were. Everybody is counted at each cutoff, by days before it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.cutoffs import DAY_US
from features.fact_columns import Facts, moments, numbers
from features.peers import SPAN, Curve
from features.phrases import plain
from features.signal import Columns, Measure, Row, Signal, column, ratio
from features.sorted_rows import EARLIEST, Whole

MEASURES: tuple[Measure, ...] = ()

EDGES = (0, 7, 14, 30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 330, 364)
"""Ages in days between which everybody's activity is counted; further back a day is a day."""

PRIOR_DAYS = 100.0
"""Each span is drawn to what was to be expected as if a hundred active days more had been expected and had come."""

PRIOR_TENURE = 30.0
"""A newcomer's pace is told as if they had been here for thirty days more."""

READS = ("events_first", "events_last", "active_days_all", *(f"active_days_{edge}" for edge in EDGES[1:]))
MAKES = ("season_silence", "season_tenure")

CAME = tuple(f"came_{edge}" for edge in EDGES[1:])
EXPECTED = tuple(f"expected_{edge}" for edge in EDGES[1:])
"""The kinds of counts: active days, and billionths of those to be expected of customers of this age, by span."""

PARTS = 1_000_000_000
"""What is expected is counted in whole parts of a day: sums are then the same in any pieces."""

_TYPES: Any = (("cutoff_day", pa.int64()), ("kind", pa.string()), ("n", pa.int64()))
SCHEMA = pa.schema(_TYPES)
Floats = NDArray[np.float64]


def counts_of(facts: Facts, curve: Curve) -> pa.Table:
    """How often did these customers come, and how often do customers of their age? `cutoff_day`, `kind` and `n`.

    `curve` says how active customers are as they age; without one nothing can be expected of anybody.
    """
    day, now = (np.asarray(facts[name], np.int64) for name in ("cutoff_day", "cutoff_us"))
    age = (now - np.asarray(facts["known_us"], np.int64)) / DAY_US
    cutoffs, place = np.unique(day, return_inverse=True)
    found, before = [], np.zeros(len(day), np.int64)
    usual = usual_by_age(curve)
    for number, (low, high) in enumerate(pairwise(EDGES)):
        upto = numbers(facts, f"active_days_{high}", len(day))
        expected = usual(np.maximum(age - low, 0.0)) - usual(np.maximum(age - high, 0.0))
        parts = np.rint(expected * PARTS).astype(np.int64)
        for kind, values in ((CAME[number], upto - before), (EXPECTED[number], parts)):
            sums = np.zeros(len(cutoffs), np.int64)
            np.add.at(sums, place, values)
            columns: dict[str, Any] = {"cutoff_day": cutoffs, "kind": [kind] * len(cutoffs), "n": sums}
            found.append(pa.table(columns, SCHEMA))
        before = upto
    return pa.concat_tables(found)


def usual_by_age(curve: Curve) -> Callable[[Floats], Floats]:
    """How many active days customers have up to an age in days; past the last fitted span they go on as in it."""
    if not curve:
        return np.zeros_like
    edges = SPAN * np.arange(len(curve) + 1, dtype=np.float64)
    total = np.concatenate([[0.0], np.cumsum(curve)])

    def usual(age: Floats) -> Floats:
        beyond = np.maximum(age - edges[-1], 0.0) * (curve[-1] / SPAN)
        return np.asarray(np.interp(age, edges, total) + beyond)

    return usual


class Pace:
    """How fast does the clock go, at each cutoff? By the counts of everybody."""

    def __init__(self, counts: pa.Table) -> None:
        """`counts`: `cutoff_day`, `kind` and `n`, each day and kind once."""
        day, n = (counts.column(name).to_numpy() for name in ("cutoff_day", "n"))
        kinds = np.array(counts.column("kind").to_pylist(), dtype=object)
        self._days = np.unique(day)
        spans = np.zeros((2, len(EDGES) - 1, len(self._days)), np.int64)
        for which, names in enumerate((CAME, EXPECTED)):
            for number, name in enumerate(names):
                rows = kinds == name
                spans[which, number, np.searchsorted(self._days, day[rows])] = n[rows]
        came, expected = spans[0], spans[1] / PARTS
        total = spans[1].sum(axis=0) / PARTS  # of whole numbers: the same beside other cutoffs or alone
        known = (total > 0) & (came.sum(axis=0) > 0)
        mean = np.where(known, came.sum(axis=0), 1.0) / np.where(known, total, 1.0)
        pace = np.where(known, (came / mean + PRIOR_DAYS) / (expected + PRIOR_DAYS), 1.0)
        passed = np.cumsum(pace * np.diff(EDGES)[:, None], axis=0)
        self._passed = np.vstack([np.zeros(len(self._days)), passed])  # on the clock, from each age to the cutoff

    def facts(self, facts: Facts) -> dict[str, Floats]:
        """`MAKES` of these customers: the time on the clock since their last and their first activity, NaN: none."""
        day, now = (np.asarray(facts[name], np.int64) for name in ("cutoff_day", "cutoff_us"))
        found = {}
        for made, name in zip(MAKES, ("events_last", "events_first"), strict=True):
            moment = moments(facts, name, len(now))
            age = np.where(moment == EARLIEST, np.nan, (now - moment) / DAY_US)
            found[made] = self._since(day, age)
        return found

    def _since(self, day: Whole, age: Floats) -> Floats:
        made = np.full(len(age), np.nan)
        for place, at in enumerate(self._days):
            rows = (day == at) & ~np.isnan(age)
            beyond = np.maximum(age[rows] - EDGES[-1], 0.0)
            made[rows] = np.interp(age[rows], EDGES, self._passed[:, place]) + beyond
        return made


def signals() -> tuple[Signal, ...]:
    """Which signals hold a customer's silence against how quiet everybody was?"""
    signal = partial(Signal, family="season", group="activity_recency", no_data="null: never active")
    return (
        signal(
            name="silence_by_season",
            question=(
                "How long is the present silence, where a day is as long as customers were active on it, against what "
                "is usual at their ages?"
            ),
            unit="days",
            value=column("season_silence"),
        ),
        signal(
            name="active_days_expected_since",
            question=(
                "On how many days should they have come since they last did, by their own pace so far (and thirty days "
                "more) and by how active others were?"
            ),
            unit="days",
            value=_expected,
            say=_missed,
        ),
        signal(
            name="silence_to_mean_gap_by_season",
            question="How many of their mean gaps long is the present silence, both by how active others were?",
            unit="ratio",
            no_data="null: fewer than two active days",
            value=_to_mean_gap,
        ),
    )


def _expected(t: Columns) -> Any:
    return t.season_silence * t.active_days_all.cast("float64") / (t.season_tenure + PRIOR_TENURE)


def _to_mean_gap(t: Columns) -> Any:
    gaps = (t.active_days_all - 1).cast("float64")
    return ratio(t.season_silence * gaps, t.season_tenure - t.season_silence)


def _missed(value: float, row: Row) -> tuple[str, str] | None:
    if value < 1.5:
        return None
    said = plain("Expected {n} times since they last came", "पिछली बार के बाद {n} बार आने की उम्मीद थी")
    return said(float(round(value)), row)
