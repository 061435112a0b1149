"""What do a customer's days add up to, before every cutoff? Windows, decays, ages, first and last moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pyarrow as pa

from features.cutoffs import OLDEST_AGE, by_age
from features.days import HOW, NOTHING, merged, sorted_days
from features.rhythm import gaps
from features.rollup import GAPS, Fact, day_columns
from features.sorted_rows import (
    Decimals,
    Facts,
    Places,
    Rows,
    Whole,
    as_known,
    each,
    starts_of,
)


def window_facts(days: pa.Table, facts: Sequence[Fact], people: int, cutoffs: Whole) -> Facts:
    """Per fact, cutoffs × customers: what the day rows of one stream say at every cutoff.

    `days` has the columns of `days.added_up` in any order of rows, `code` running from 0 to people-1. Exact: whole
    numbers are added, so neither the order nor the split of the rows changes a bit.
    """
    kinds = day_columns(facts)
    return as_known(sorted_days(days, kinds, people), cutoffs, partial(_facts, facts=facts, kinds=kinds))


def _facts(rows: Rows, cutoffs: Whole, facts: Sequence[Fact], kinds: Mapping[str, str]) -> Facts:
    rows = merged(rows, kinds, starts_of(rows.code, rows.day))
    edges = {fact.window for fact in facts if fact.window}
    at = Places(rows, [*cutoffs, *(cutoff - edge for cutoff in cutoffs for edge in edges)])
    made: Facts = {}
    sums: dict[str, Whole | Decimals] = {}
    for fact in facts:
        if fact.part in GAPS:
            continue
        if fact.part in ("first", "last"):
            made[fact.name] = _moment(rows, at, cutoffs, fact)
        elif fact.kind in ("lowest", "highest"):
            made[fact.name] = _extreme(rows, at, cutoffs, fact)
        elif fact.part.startswith("decay_"):
            made[fact.name] = _decayed(rows, at, cutoffs, fact)
        elif fact.part == "age":
            made[fact.name] = _aged(rows, at, cutoffs, fact)
        else:
            key = fact.measure.name
            if key not in sums:
                sums[key] = each(_added(rows, fact), _running)
            until = at.before(cutoffs)
            since = at.start if fact.part == "all" else at.before(cutoffs - fact.window)
            made[fact.name] = each(sums[key], partial(_between, until=until, since=since))
    rhythms = {fact.measure.name: fact for fact in facts if fact.part in GAPS}
    for measure in rhythms:
        wanted = {fact.part: fact.name for fact in facts if fact.measure.name == measure and fact.part in GAPS}
        found = gaps(_days_with(rows, measure), cutoffs, set(wanted))
        made |= {name: found[part] for part, name in wanted.items()}
    return made


def _added(rows: Rows, fact: Fact) -> Whole | Decimals:
    """What each day adds: of a measure its sum, of counted days one where there was any."""
    column = rows.columns[fact.counted]
    if not fact.measure.day_of:
        return column
    if isinstance(column, Decimals):
        raise TypeError(f"{fact.name}: days are counted of whole numbers")
    return (column > 0).astype(np.int64)


def _running(values: Whole) -> Whole:
    """Sums up to every row, the first being zero."""
    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=sums[1:])
    return sums


def _between(sums: Whole, until: Whole, since: Whole) -> Whole:
    """Of running sums: what lies between these places, cutoffs × customers."""
    found: Whole = (sums[until] - sums[since]).T
    return found.copy()


def _moment(rows: Rows, at: Places, cutoffs: Whole, fact: Fact) -> Whole:
    """The first or last moment of such an event before each cutoff."""
    column = rows.columns[fact.column]
    none = NOTHING[fact.part]
    assert not isinstance(column, Decimals)  # noqa: S101  moments are microseconds
    held = np.flatnonzero(column != none)
    upto = _running(column != none)
    since, until = upto[at.start], upto[at.before(cutoffs)]
    values = np.append(column[held], none)
    place = until - 1 if fact.part == "last" else np.broadcast_to(since, until.shape)
    found: Whole = np.where(until > since, values[np.where(until > since, place, 0)], none)
    return found.T.copy()


def _extreme(rows: Rows, at: Places, cutoffs: Whole, fact: Fact) -> Whole:
    """The least or greatest value in a window before each cutoff."""
    column = rows.columns[fact.column]
    if isinstance(column, Decimals):
        raise TypeError(f"{fact.name}: only whole numbers are compared")
    values, window = np.append(column, NOTHING[fact.kind]), fact.window
    until, since = at.before(cutoffs), at.before(cutoffs - window)
    made = np.full((len(cutoffs), rows.people), NOTHING[fact.kind])
    for place, _ in enumerate(cutoffs):
        held = np.flatnonzero(until[:, place] > since[:, place])
        if len(held):
            spans = np.stack([since[held, place], until[held, place]], axis=1).ravel()
            made[place, held] = HOW[fact.kind].reduceat(values, spans)[::2]
    return made


def _decayed(rows: Rows, at: Places, cutoffs: Whole, fact: Fact) -> Whole:
    """The sum of what each day adds, weighed by its age: whole numbers of 2**-40."""
    added = _added(rows, fact)
    if isinstance(added, Decimals):
        raise TypeError(f"{fact.name}: only whole numbers are decayed")
    weights = by_age(f"weight_{fact.part[6:]}")
    made = np.zeros((len(cutoffs), rows.people), np.int64)
    for place, cutoff in enumerate(cutoffs):
        age = np.clip(cutoff - rows.day, 0, OLDEST_AGE)  # of a day to come: 0, which weighs nothing
        sums = _running(weights[age] * added)
        until = at.before(cutoffs[place : place + 1])
        made[place] = (sums[until] - sums[at.start])[:, 0]
    return made


def _aged(rows: Rows, at: Places, cutoffs: Whole, fact: Fact) -> Whole:
    """The sum of what each day adds times its age in days."""
    added = _added(rows, fact)
    if isinstance(added, Decimals):
        raise TypeError(f"{fact.name}: only whole numbers have an age")
    count, days = _running(added), _running(added * rows.day)
    until = at.before(cutoffs)
    found: Whole = cutoffs * (count[until] - count[at.start]) - (days[until] - days[at.start])
    return found.T.copy()


def _days_with(rows: Rows, measure: str) -> Rows:
    column = rows.columns[measure]
    if isinstance(column, Decimals):
        raise TypeError(f"{measure}: gaps lie between days that are counted")
    return rows if bool(np.all(column > 0)) else rows.chosen(column > 0)
