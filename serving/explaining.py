"""Why does a play not fit this person? The first condition that fails, in words."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from records.scores import Run, find_scores
from serving.candidates import speaks_for
from serving.plays import Counted, Filter, Play, Trigger
from serving.triggers import find, people_sql

if TYPE_CHECKING:
    import duckdb


def why_not(
    con: duckdb.DuckDBPyConnection,
    connection: Connection,
    relation: str,
    play: Play,
    customer_id: str,
    run: Run | None,
    moment: datetime,
) -> str:
    """What stops each way to fit the play, one after the other."""
    people = people_sql(con, "the_person", [customer_id])
    said = [_why_not(con, connection, relation, way, customer_id, run, moment, people) for way in play.trigger]
    return "; or: ".join(dict.fromkeys(said))


def _why_not(
    con: duckdb.DuckDBPyConnection,
    connection: Connection,
    relation: str,
    trigger: Trigger,
    customer_id: str,
    run: Run | None,
    moment: datetime,
    people: str,
) -> str:
    def holds(**relaxed: object) -> bool:
        looser = trigger.model_copy(update=relaxed)
        return bool(find(con, relation, looser, 0, as_of=moment, people=people))

    if trigger.bands or trigger.because or trigger.nightly:
        score = find_scores(connection, run.run_id, customers=[customer_id]).get(customer_id) if run else None
        if score is None:
            return "not scored: not an active customer at that time"
        if trigger.bands and score.band not in trigger.bands:
            return f"the risk is {score.band}, not {' or '.join(trigger.bands)}"
        if speaks_for(trigger, score) is None:
            return "neither the reasons nor the likely topics are ones this message helps with"
    if not trigger.nightly:
        if not holds(where=(), also=(), after_hours=0):
            return f"no {trigger.event} in the last {trigger.within_hours:g} hours"
        if not holds(also=(), after_hours=0):
            return f"{trigger.event} happened, but not with {' and '.join(_words(test) for test in trigger.where)}"
        if not holds(also=()):
            return f"{trigger.event} happened less than {trigger.after_hours:g} hours ago"
    for number, counted in enumerate(trigger.also):
        if not holds(also=trigger.also[: number + 1]):
            return _counted_words(counted)
    return "another of its conditions does not hold"


def _counted_words(counted: Counted) -> str:
    what = " or ".join(counted.names)
    when = "since then" if counted.since_trigger else "before"
    days = f" within {counted.within_days} days" if counted.within_days else ""
    if counted.at_most is not None:
        return f"more than {counted.at_most} {what} {when}{days}"
    latest = f", the latest with {' and '.join(_words(test) for test in counted.latest)}" if counted.latest else ""
    return f"fewer than {counted.at_least} {what} {when}{days}{latest}"


def _words(test: Filter) -> str:
    name = test.field.removeprefix("properties.")
    if test.one_of is not None:
        return f"{name} one of {', '.join(test.one_of)}"
    if test.equals is not None:
        return f"{name} {test.equals}"
    times = f" × {test.times.removeprefix('properties.')}" if test.times else ""
    if test.at_least is not None:
        return f"{name} at least {test.at_least:g}{times}"
    return f"{name} at most {test.at_most:g}{times}"
