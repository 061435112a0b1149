"""How do millions of events become a few numbers per customer and cutoff? Day by day, then by age, then side by side.

Events → one row per customer and day → one row per customer, cutoff and bucket of age → one row per customer and
cutoff. Filters run over events once; everything after is plain sums, which cost a tenth of filtered ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from features.cutoffs import buckets_within
from features.signal import Measure

_FACT = re.compile(r"^(?P<measure>.+?)_(?P<part>decay_\d+|\d+|all|first|last|age|latest|earliest)$")


@dataclass(frozen=True)
class Fact:
    """One thing asked of the roll-up, such as `orders_30`: a measure and what of it."""

    name: str
    measure: Measure
    part: str  # a window ("30", "all"), "first", "last", "age", "decay_90"; "latest" and "earliest" are values


def facts_read(names: Iterable[str], measures: Sequence[Measure]) -> list[Fact]:
    """Which of these columns come from the roll-up, and what must be summed for them?"""
    by_name = {measure.name: measure for measure in measures}
    found = []
    for name in sorted(set(names)):
        match = _FACT.match(name)
        if match and match["measure"] in by_name:
            found.append(Fact(name, by_name[match["measure"]], match["part"]))
    return found


def streams(facts: Sequence[Fact]) -> dict[tuple[str, ...], list[Fact]]:
    """Which facts come from the same events? Each stream of events is rolled up by itself: rare ones stay small."""
    found: dict[tuple[str, ...], list[Fact]] = {}
    for fact in facts:
        found.setdefault(fact.measure.events, []).append(fact)
    return found


def counted(events: Any, measure: Measure) -> Any:
    """Which events of its stream does this measure count?"""
    return events.code.notnull() if measure.where is None else measure.where(events).fill_null(False)


def daily(events: Any, facts: Sequence[Fact], measures: Sequence[Measure]) -> Any:
    """One row per customer, day and day of becoming known: what each measure adds, and when first and last.

    All facts are of one stream; a stream without names is all of activity.
    """
    import ibis

    names = facts[0].measure.events
    events = events.filter(events.name.isin(names) if names else events.active)
    by_name = {measure.name: measure for measure in measures}
    flags = {fact.measure.day_of for fact in facts if fact.measure.day_of}
    needed = {name: by_name[name] for name in {fact.measure.name for fact in facts if not fact.measure.day_of} | flags}
    moments = {(fact.measure.name, fact.part) for fact in facts if fact.part in ("first", "last")}
    columns = {}
    for name, measure in sorted(needed.items()):
        columns[name] = _added(events, measure)
        for part in ("first", "last"):
            if (name, part) in moments:
                seen = counted(events, measure)
                columns[f"{name}_{part}"] = events.us.min(where=seen) if part == "first" else events.us.max(where=seen)
    rows = events.group_by("code", "day", "known_day").agg(**columns)
    rows = rows.filter(ibis.or_(*(rows[name] != 0 for name in needed)))
    # A late event splits a day in two rows; the day counts once, from when it was first known.
    once = {
        f"on_{name}": (
            (rows[name] > 0)
            & (rows.known_day == rows.known_day.min(where=rows[name] > 0).over(ibis.window(group_by=["code", "day"])))
        ).cast("int32")
        for name in sorted(flags)
    }
    return rows.mutate(**once) if once else rows


def _added(events: Any, measure: Measure) -> Any:
    seen = counted(events, measure)
    if measure.amount is None:
        return seen.sum().cast("int32")
    return measure.amount(events).sum(where=seen)


def by_age(days: Any, cutoffs: Any, ages: Any, facts: Sequence[Fact], oldest: int) -> Any:
    """One row per customer, cutoff and bucket of age. Here, and only here, is decided what a cutoff may see."""
    import ibis

    visible = days.join(cutoffs, days.known_day < cutoffs.cutoff_day)
    aged = visible.mutate(true_age=visible.cutoff_day - visible.day)
    aged = aged.mutate(age=ibis.least(aged.true_age, oldest)).join(ages, "age")
    columns = {}
    for fact in facts:
        source = f"on_{fact.measure.day_of}" if fact.measure.day_of else fact.measure.name
        if fact.part in ("first", "last"):
            column = aged[fact.name]
            columns[fact.name] = column.min() if fact.part == "first" else column.max()
        elif fact.part == "age":
            columns[fact.name] = (aged[source] * aged.true_age).sum().cast("int64")
        elif fact.part.startswith("decay_"):
            columns[fact.name] = (aged[source] * aged[f"weight_{fact.part[6:]}"]).sum().cast("int64")
        else:
            summed = aged[source].sum()
            columns[f"sum_{fact.measure.name}"] = summed.cast("int32") if fact.measure.amount is None else summed
    return aged.group_by("code", "cutoff_day", "bucket").agg(**columns)


def side_by_side(buckets: Any, facts: Sequence[Fact]) -> Any:
    """One row per customer and cutoff: every fact a column."""
    columns = {}
    for fact in facts:
        if fact.part in ("first", "last"):
            column = buckets[fact.name]
            columns[fact.name] = column.min() if fact.part == "first" else column.max()
        elif fact.part == "age" or fact.part.startswith("decay_"):
            columns[fact.name] = buckets[fact.name].sum()
        else:
            within = buckets.bucket <= buckets_within(fact.part)
            columns[fact.name] = buckets[f"sum_{fact.measure.name}"].sum(where=within)
    return buckets.group_by("code", "cutoff_day").agg(**columns)
