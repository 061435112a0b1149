"""What does each event say, in columns that can be counted? The one place where the log is read.

This file is SQL and not Ibis for three reasons: Ibis 12 casts a hash by way of BIT, turns microseconds into seconds,
and reads one JSON property as three parses. Everything after it is Ibis over staged tables.
"""

# ruff: noqa: S608  the SQL is made of our own names; words are quoted

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from features.cutoffs import DAY_US, EPOCH, Grid
from records.events import PASSIVE_EVENTS, EventLog

if TYPE_CHECKING:
    import duckdb

# Properties by the events that carry them: JSON is parsed only where something may be found.
_TEXT_PROPERTIES = {
    "page": ("page_viewed",),
    "ticket_id": ("support_ticket_opened", "support_ticket_solved"),
}
_NUMBER_PROPERTIES = {
    "minutes": ("session_started",),
    "days_late": ("order_delivered",),
    "severity": ("support_ticket_opened",),
}


# How many items an order has: a number under one of two names, a list, or one.
_ITEMS = (
    "coalesce(try_cast(coalesce(properties->>'$.items', properties->>'$.quantity') as integer), "
    "json_array_length(properties, '$.items')::integer, 1)"
)


def _text(key: str) -> str:
    return f"(properties->>'$.{key}')"


def _number(key: str) -> str:
    return f"coalesce(round(try_cast({_text(key)} as double)), 0)"


def _is_true(key: str) -> str:
    """Present, and neither false nor empty: a coupon's code counts as one."""
    return f"(coalesce({_text(key)}, 'false') not in ('false', ''))"


def latest_moment(grid: Grid) -> datetime:
    """What is the last cutoff? No event at or after it is read at all."""
    return EPOCH + timedelta(microseconds=grid.day_us(grid.days[-1]))


def quoted(text: str) -> str:
    """How is this text written as an SQL literal?"""
    return "'" + text.replace("'", "''") + "'"


def names_in(names: Sequence[str]) -> str:
    """SQL that is true for these event names."""
    return f"name in ({', '.join(quoted(name) for name in names)})"


def passive_sql(patterns: Sequence[str] = PASSIVE_EVENTS) -> str:
    """SQL that is true for events done to the customer rather than by them; `*` ends a pattern."""
    exact = [pattern for pattern in patterns if not pattern.endswith("*")]
    starts = [f"starts_with(name, {quoted(pattern[:-1])})" for pattern in patterns if pattern.endswith("*")]
    return " or ".join([names_in(exact), *starts] if exact else starts)


def timed_sql(log: EventLog, grid: Grid) -> str:
    """SQL of the events with the day they happened and the day they became known, counted from the grid's phase.

    An event is visible at a cutoff if `known_day < cutoff_day`: as cutoffs lie on day boundaries of their grid, that
    is `occurred_at < cutoff and received_at < cutoff` to the microsecond.
    """
    shift = 1_000_000 * DAY_US - grid.phase_us  # keeps the dividend positive: whole-number division truncates
    day = "(({0} + " + str(shift) + f") // {DAY_US})::integer - 1000000"
    known = "greatest(epoch_us(occurred_at), epoch_us(received_at))"
    return (
        f"(select *, epoch_us(occurred_at) as us, {known} as known_us, {day.format('epoch_us(occurred_at)')} as day, "
        f"{day.format(known)} as known_day from {log.relation_sql(latest_moment(grid))})"
    )


def stage_people(
    con: duckdb.DuckDBPyConnection, log: EventLog, grid: Grid, *, chunk: int, chunks: int, chosen: bool
) -> None:
    """Make table `people`: everyone of this chunk with a number, and since when they are known."""
    mine = [] if chunks == 1 else [f"hash(customer_id) % {chunks} = {chunk}"]
    if chosen:
        mine.append("customer_id in (select customer_id from wanted_customers)")
    where = f"where {' and '.join(mine)}" if mine else ""
    con.execute(
        f"""create or replace temp table people as
        select row_number() over (order by customer_id)::integer as code, * from (
            select customer_id, min(known_day) as known_day, min(known_us) as known_us
            from {timed_sql(log, grid)} {where} group by customer_id)"""
    )


def stage_facts(con: duckdb.DuckDBPyConnection, log: EventLog, grid: Grid) -> None:
    """Make table `facts`: the events of the people in `people`, with what they carry in typed columns."""

    def only(names: Sequence[str], value: str, otherwise: str = "null") -> str:
        return f"case when {names_in(names)} then {value} else {otherwise} end"

    ordered = ("order_completed",)
    columns = [
        *("code", "us", "e.day", "e.known_day", "name", "channel", "product", "topic", "amount", "event_id"),
        f"not ({passive_sql()}) as active",
        "(us // 3600000000 % 24)::integer as hour",
        f"((us // {DAY_US} + 3) % 7)::integer as weekday",  # 1970-01-01 was a Thursday; Monday is 0
        "round(rating * 100)::integer as rating_hundredths",
        *(f"{only(names, _text(key))} as {key}" for key, names in _TEXT_PROPERTIES.items()),
        *(f"{only(names, _number(key), '0')}::integer as {key}" for key, names in _NUMBER_PROPERTIES.items()),
        f"{only(ordered, _ITEMS, '0')} as items",
        f"{only(ordered, _is_true('coupon'), 'false')} as coupon",
        f"{only(('bill_issued',), 'try_cast(' + _text('previous_amount') + ' as decimal(18, 4))')} as previous_amount",
        f"{only(('message_opened', 'message_clicked'), _is_true('machine'), 'false')} as machine",
    ]
    con.execute(
        f"create or replace temp table facts as select {', '.join(columns)} "
        f"from {timed_sql(log, grid)} e join (select code, customer_id from people) using (customer_id)"
    )


def first_known_days(con: duckdb.DuckDBPyConnection, log: EventLog, grid: Grid) -> dict[str, int]:
    """Since which day does the log, over all customers, have events of each name?"""
    rows = con.execute(f"select name, min(known_day) from {timed_sql(log, grid)} group by name").fetchall()
    return dict(sorted(rows))


def count_events(con: duckdb.DuckDBPyConnection, log: EventLog, grid: Grid) -> int:
    """How many events are there to read?"""
    [(count,)] = con.execute(f"select count(*) from {log.relation_sql(latest_moment(grid))}").fetchall()
    return int(count)
