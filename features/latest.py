"""What was the last value, and the first, that a cutoff knew? For bills, plans, ratings and the like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from features.rollup import Fact, counted


def ranked(events: Any, facts: Sequence[Fact]) -> Any:
    """One row per event of this stream that carries a value, with its place in the customer's order of events.

    Places are compared only among events a cutoff can see, so what it cannot see never moves them against each other.
    """
    import ibis

    events = events.filter(events.name.isin(facts[0].measure.events))
    values = {}
    for fact in facts:
        amount = fact.measure.amount
        value = events.us * 0 + 1 if amount is None else amount(events)
        values[fact.measure.name] = ibis.ifelse(counted(events, fact.measure), value, ibis.null())
    place = ibis.row_number().over(ibis.window(group_by="code", order_by=["us", "event_id"]))
    return events.select("code", "known_day", **values, place=place)


def latest(rows: Any, cutoffs: Any, facts: Sequence[Fact]) -> Any:
    """One row per customer and cutoff: each fact's last (`_latest`) or first (`_earliest`) value."""
    seen = rows.join(cutoffs, rows.known_day < cutoffs.cutoff_day)
    columns = {}
    for fact in facts:
        value = seen[fact.measure.name]
        pick = value.argmax if fact.part == "latest" else value.argmin
        columns[fact.name] = pick(seen.place, where=value.notnull())
    return seen.group_by("code", "cutoff_day").agg(**columns)
