"""How do millions of events become rows per customer and day? The facts that signals read, and the sums they need.

Events → one row per customer, day and day of becoming known (`features/days.py`). What a cutoff makes of these rows is
said in `features/windows.py`, `features/rhythm.py` and `features/latest.py`. Rows of two halves of a log, added up,
are those of the whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from features.signal import Measure

CLOCKS = {"active": "events", "order": "orders"}
"""Clock → the measure whose days it counts."""

GAPS = ("gaps", "gap_sum", "gap_squares", "gap_logs", "gap_log_squares", "gap_longest", "gap_median", "gap_shorter")
"""What is known of the gaps between the days of a clock: `active_gap_median`, …"""

VALUES = ("latest", "earliest")
_FACT = re.compile(
    r"^(?P<measure>.+?)_(?P<part>decay_\d+|(?:lowest|highest)_\d+|\d+|all|first|last|age|latest|earliest)$"
)


@dataclass(frozen=True)
class Fact:
    """One thing asked of the roll-up, such as `orders_30`: a measure and what of it."""

    name: str
    measure: Measure
    part: str  # a window ("30", "all"), "lowest_365", "first", "last", "age", "decay_90", a gap, "latest", "earliest"

    @property
    def counted(self) -> str:
        """The measure that is summed: of days that are counted, the one they are days of."""
        return self.measure.day_of or self.measure.name

    @property
    def is_sum(self) -> bool:
        """Is this fact zero, rather than unknown, for a customer without such events?"""
        return self.kind == "sum" and self.part not in (*VALUES, *GAPS)

    @property
    def kind(self) -> str:
        """How do two rows of one day become one in the column this is made of?"""
        kind = self.part.split("_")[0]
        return kind if kind in ("first", "last", "lowest", "highest") else "sum"

    @property
    def window(self) -> int:
        """Over how many days is it? 0: over another span, or all."""
        days = self.part.removeprefix("lowest_").removeprefix("highest_")
        return int(days) if days.isdigit() else 0

    @property
    def column(self) -> str:
        """Which column of the day rows is this made of?"""
        if self.kind == "sum":
            return self.counted
        return f"{self.measure.name}_{self.kind}"


Streams = dict[tuple[str, ...], list[Fact]]


def facts_read(names: Iterable[str], measures: Sequence[Measure]) -> list[Fact]:
    """Which of these columns come from the roll-up, and what must be summed for them?"""
    by_name = {measure.name: measure for measure in measures}
    gaps = {f"{clock}_{gap}": (measure, gap) for clock, measure in CLOCKS.items() for gap in GAPS}
    found = []
    for name in sorted(set(names)):
        match = _FACT.match(name)
        if name in gaps:
            measure, gap = gaps[name]
            found.append(Fact(name, by_name[measure], gap))
        elif match and match["measure"] in by_name:
            found.append(Fact(name, by_name[match["measure"]], match["part"]))
    return found


def streams(facts: Iterable[Fact]) -> Streams:
    """Which facts come from the same events? Each stream of events is rolled up by itself: rare ones stay small."""
    found: Streams = {}
    for fact in facts:
        found.setdefault(fact.measure.events, []).append(fact)
    return found


def day_columns(facts: Sequence[Fact]) -> dict[str, str]:
    """Which columns do the day rows of these facts have? Each with how two rows of one day become one."""
    return dict(sorted({fact.column: fact.kind for fact in facts}.items()))


def counted(events: Any, measure: Measure) -> Any:
    """Which events of its stream does this measure count?"""
    return events.code.notnull() if measure.where is None else measure.where(events).fill_null(False)


def event_rows(events: Any, facts: Sequence[Fact], measures: Mapping[str, Measure]) -> Any:
    """One row per event of a stream: what it adds to each of `day_columns`; zero or null where it adds nothing.

    All facts are of one stream; a stream without names is all of activity. `days.added_up` makes days of these rows.
    A measure of every event needs no column: it adds one each, and its moments are in column `us`.
    """
    import ibis

    names = facts[0].measure.events
    events = events.filter(events.name.isin(names) if names else events.active)
    read = {fact.counted: measures[fact.counted] for fact in facts}
    if all(measure.where is not None for measure in read.values()):
        events = events.filter(ibis.or_(*(counted(events, measure) for measure in read.values())))
    of_column = {fact.column: read[fact.counted] if fact.kind == "sum" else fact.measure for fact in facts}
    columns = {}
    for name, kind in day_columns(facts).items():
        measure, moment = of_column[name], kind in ("first", "last")
        amount = (lambda one: one.us) if moment else measure.amount
        if measure.where is not None:
            seen = counted(events, measure)
            columns[name] = seen.cast("int8") if amount is None else ibis.ifelse(seen, amount(events), ibis.null())
        elif amount is not None:
            columns["us" if moment else name] = amount(events)
    return events.select("code", "day", "known_day", **columns)


def value_rows(events: Any, facts: Sequence[Fact]) -> Any:
    """One row per event of this stream that carries a value, for the facts `_latest` and `_earliest`."""
    import ibis

    events = events.filter(events.name.isin(facts[0].measure.events))
    values = {}
    for fact in facts:
        amount = fact.measure.amount
        value = events.us * 0 + 1 if amount is None else amount(events)
        values[fact.measure.name] = ibis.ifelse(counted(events, fact.measure), value, ibis.null())
    rows = events.select("code", "day", "known_day", "us", "event_id", **values)
    return rows.filter(ibis.or_(*(rows[name].notnull() for name in values)))
