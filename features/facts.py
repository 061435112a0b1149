"""What does each event say, in columns that can be counted? The one place where the log is read.

This file is SQL and not Ibis for three reasons: Ibis 12 casts a hash by way of BIT, turns microseconds into seconds,
and reads one JSON property as three parses. Everything after it is Ibis or numpy over staged tables.
"""

# ruff: noqa: S608  the SQL is made of our own names; words are quoted

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from features import properties
from features.cutoffs import DAY_US
from features.fitted import Fitted
from features.localtime import local_us_sql
from features.vocabulary import CONTRACT
from records.canonical import empty_relation_sql
from records.events import PASSIVE_EVENTS

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
    "case when json_type(properties, '$.items') = 'ARRAY' then json_array_length(properties, '$.items')::integer end, "
    "1)"
)


def _text(key: str) -> str:
    return f"(properties->>'$.{key}')"


def _number(key: str) -> str:
    """The nearest whole number; 0 for what is none, or none that can be meant."""
    return f"coalesce(try_cast(round(try_cast({_text(key)} as double)) as integer), 0)"


def _is_true(key: str) -> str:
    """Present, and neither empty nor a no in other words: a coupon's code counts as one."""
    return f"(lower(coalesce({_text(key)}, '')) not in ('', 'false', 'f', 'no', 'n', 'off', '0', '0.0'))"


def _moment_us(key: str) -> str:
    """A time in microseconds, or a day (20250131 too), which is its midnight in UTC; null for anything else.

    DuckDB reads years that no calendar has; the years 1 to 9999 leave room to subtract another time.
    """
    day = f"try_strptime(case when regexp_full_match({_text(key)}, '[0-9]{{8}}') then {_text(key)} end, '%Y%m%d')"
    moment = f"coalesce(try_cast({_text(key)} as timestamptz), {day} at time zone 'UTC')"
    known = f"{moment} >= timestamptz '0001-01-01T00:00:00Z' and {moment} < timestamptz '10000-01-01T00:00:00Z'"
    return f"epoch_us(case when {known} then {moment} end)"


def quoted(text: str) -> str:
    """How is this text written as an SQL literal?"""
    return "'" + text.replace("'", "''") + "'"


def names_in(names: Sequence[str], column: str = "name") -> str:
    """SQL that is true for these event names."""
    return f"{column} in ({', '.join(quoted(name) for name in names)})" if names else "false"


def passive_sql(patterns: Sequence[str] = PASSIVE_EVENTS) -> str:
    """SQL that is true for events done to the customer rather than by them; `*` ends a pattern."""
    exact = [pattern for pattern in patterns if not pattern.endswith("*")]
    starts = [f"starts_with(name, {quoted(pattern[:-1])})" for pattern in patterns if pattern.endswith("*")]
    return " or ".join([names_in(exact), *starts] if exact else starts)


KNOWN_US = "greatest(epoch_us(occurred_at), epoch_us(received_at))"
"""SQL: when an event became known, in microseconds."""

FIRST_KNOWN_US = "epoch_us(min(greatest(occurred_at, received_at)))"
"""SQL of an aggregate: when the first of some events became known. The moment is looked at once, not each event's."""


def timed_sql(source: str, phase_us: int) -> str:
    """SQL of the events with the day they happened and the day they became known, counted from the grid's phase.

    An event is visible at a cutoff if `known_day < cutoff_day`: as cutoffs lie on day boundaries of their grid, that
    is `occurred_at < cutoff and received_at < cutoff` to the microsecond.
    """
    shift = 1_000_000 * DAY_US - phase_us  # keeps the dividend positive: whole-number division truncates
    day = "(({0} + " + str(shift) + f") // {DAY_US})::integer - 1000000"
    return (
        f"(select *, epoch_us(occurred_at) as us, {KNOWN_US} as known_us, "
        f"{day.format('epoch_us(occurred_at)')} as day, "
        f"{day.format(KNOWN_US)} as known_day from {source})"
    )


def fact_columns(fitted: Fitted) -> dict[str, str]:
    """Which columns can be staged of an event? Each with its SQL over the log's columns, row by row."""

    def only(names: Sequence[str], value: str, otherwise: str = "null") -> str:
        return f"case when {names_in(names)} then {value} else {otherwise} end"

    ordered, local = ("order_completed",), local_us_sql(fitted.timezone)
    as_they_are = ("us", "day", "known_us", "known_day", "name", "channel", "product", "topic", "amount", "event_id")
    return {
        **{name: name for name in as_they_are},
        "active": f"not ({passive_sql()})",
        # Of moments before 1970 too: whole-number division truncates. 1970-01-01 was a Thursday; Monday is 0.
        "hour": f"((({local} % {DAY_US} + {DAY_US}) % {DAY_US}) // 3600000000)::integer",
        "weekday": f"((({local} + {3 * DAY_US}) % {7 * DAY_US} + {7 * DAY_US}) % {7 * DAY_US} // {DAY_US})::integer",
        "rating_hundredths": "try_cast(round(rating * 100) as integer)",
        **{key: only(names, _text(key)) for key, names in _TEXT_PROPERTIES.items()},
        **{key: f"{only(names, _number(key), '0')}::integer" for key, names in _NUMBER_PROPERTIES.items()},
        "items": only(ordered, _ITEMS, "0"),
        "coupon": only(ordered, _is_true("coupon"), "false"),
        "previous_amount": only(("bill_issued",), "try_cast(" + _text("previous_amount") + " as decimal(18, 4))"),
        "auto_renew": only(CONTRACT, f"case when {_text('auto_renew')} is not null then {_is_true('auto_renew')} end"),
        "expires_us": only(CONTRACT, _moment_us("expires_at")),
        "discount": only(CONTRACT, f"try_cast({_text('discount')} as decimal(18, 4))"),
        "payment_method": only(CONTRACT, _text("payment_method")),
        "sentiment": only(
            ("text_scored",), f"try_cast(round(try_cast({_text('sentiment')} as double) * 1000) as integer)"
        ),
        "machine": only(("message_opened", "message_clicked"), _is_true("machine"), "false"),
        **properties.fact_columns(fitted.numbers, fitted.texts),
    }


@cache
def fact_types(fitted: Fitted | None = None) -> Mapping[str, str]:
    """Of which Ibis types are these columns, with the customer's number `code` before them?"""
    import duckdb
    import ibis

    with duckdb.connect() as con:
        con.execute("set TimeZone = 'UTC'")
        columns = ", ".join(f"{sql} as {name}" for name, sql in fact_columns(fitted or Fitted()).items())
        con.execute(f"create table facts as select 0 as code, {columns} from {timed_sql(empty_relation_sql(), 0)}")
        schema = ibis.duckdb.from_connection(con).table("facts").schema()
        return {name: str(kind) for name, kind in schema.items()}
