"""Season: a clock that goes as fast as everybody is active. Is this silence long, for how quiet all have been?

After a feast all customers fall silent, and before one all come. On this clock a day is as long as customers were
active on it, against an average day of the year before the cutoff; a silence, a gap and a tenure are then comparable
whenever they were. Everybody is counted at each cutoff, by ages in days; nothing is fitted.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.cutoffs import DAY_US
from features.fact_columns import Facts, moments, numbers
from features.phrases import plain
from features.signal import Columns, Measure, Row, Signal, column, ratio
from features.sorted_rows import EARLIEST, Whole

MEASURES: tuple[Measure, ...] = ()

EDGES = (0, 7, 14, 30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 330, 364)
"""Ages in days between which everybody's activity is counted; further back a day is a day."""

PRIOR_DAYS = 900.0
"""Each span is drawn to the mean of all as if thirty average customers had been there for thirty days."""

PRIOR_TENURE = 30.0
"""A newcomer's pace is told as if they had been here for thirty days more."""

READS = ("events_first", "events_last", "active_days_all", *(f"active_days_{edge}" for edge in EDGES[1:]))
MAKES = ("season_silence", "season_tenure")

CAME = tuple(f"came_{edge}" for edge in EDGES[1:])
LIVED = tuple(f"lived_{edge}" for edge in EDGES[1:])
"""The kinds of counts: active days but the first of a customer, and days on which they were there, by span."""

SCHEMA = pa.schema([("cutoff_day", pa.int64()), ("kind", pa.string()), ("n", pa.int64())])
Floats = NDArray[np.float64]


def counts_of(facts: Facts, active_within_days: int) -> pa.Table:
    """How often did these customers come, and for how many days were they there? `cutoff_day`, `kind` and `n`.

    Somebody is there from their first active day until they have been silent for `active_within_days`.
    """
    day = np.asarray(facts["cutoff_day"], np.int64)
    first, last = (_ages(facts, name, len(day)) for name in ("events_first", "events_last"))
    active = first >= 0
    gone = np.maximum(last - active_within_days, 0)
    cutoffs, place = np.unique(day[active], return_inverse=True)
    found, before = [], np.zeros(int(active.sum()), np.int64)
    for number, (low, high) in enumerate(pairwise(EDGES)):
        upto = numbers(facts, f"active_days_{high}", len(day))[active]
        begun = (first[active] >= low) & (first[active] < high)
        lived = np.maximum(np.minimum(first[active], high) - np.maximum(gone[active], low), 0)
        for kind, values in ((CAME[number], upto - before - begun), (LIVED[number], lived)):
            sums = np.bincount(place, values, len(cutoffs)).astype(np.int64)
            columns: dict[str, Any] = {"cutoff_day": cutoffs, "kind": [kind] * len(cutoffs), "n": sums}
            found.append(pa.table(columns, SCHEMA))
        before = upto
    return pa.concat_tables(found)


class Pace:
    """How fast does the clock go, at each cutoff? By the counts of everybody."""

    def __init__(self, counts: pa.Table) -> None:
        """`counts`: `cutoff_day`, `kind` and `n`, each day and kind once; other kinds are passed over."""
        day, n = (counts.column(name).to_numpy() for name in ("cutoff_day", "n"))
        kinds = np.array(counts.column("kind").to_pylist(), dtype=object)
        self._days = np.unique(day[np.isin(kinds, LIVED)])
        spans = np.zeros((2, len(EDGES) - 1, len(self._days)))
        for which, names in enumerate((CAME, LIVED)):
            for number, name in enumerate(names):
                rows = kinds == name
                spans[which, number, np.searchsorted(self._days, day[rows])] = n[rows]
        came, lived = spans
        mean = came.sum(axis=0) / np.maximum(lived.sum(axis=0), 1.0)
        drawn = (came + mean * PRIOR_DAYS) / (lived + PRIOR_DAYS)
        pace = np.where(mean > 0, drawn / np.where(mean > 0, mean, 1.0), 1.0)
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


def _ages(facts: Facts, name: str, rows: int) -> Whole:
    """The age of a moment in full days, -1 where there is none."""
    now, moment = np.asarray(facts["cutoff_us"], np.int64), moments(facts, name, rows)
    never = moment == EARLIEST
    return np.where(never, -1, (now - 1 - np.where(never, now, moment)) // DAY_US)


def signals() -> tuple[Signal, ...]:
    """Which signals hold a customer's silence against how quiet everybody was?"""
    signal = partial(Signal, family="season", group="activity_recency", no_data="null: never active")
    return (
        signal(
            name="silence_by_season",
            question=(
                "How long is the present silence, where a day is as long as customers were active on it, against an "
                "average day of the year?"
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
