"""What do the review screens ask about lists, days and people: how many, how much, since when?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, distinct, func, select

from records.outreach import Outreach, OutreachList, State, count_by_state, unfinished_list
from records.paging import TABS
from records.tables import customers, outreach, outreach_history, outreach_lists, passed_over


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Rows per tab; they always add up to `all`."""

    waiting: int
    approved: int
    declined: int
    left_out: int
    comparison: int
    all: int


# ── one list in numbers ───────────────────────────────────────────────────────────────────────────────────
def find_list(connection: Connection, list_id: str) -> OutreachList | None:
    """One list by its id; a list still being written is not found."""
    row = connection.execute(select(outreach_lists).where(outreach_lists.c.list_id == list_id)).mappings().one_or_none()
    return OutreachList(**row) if row and unfinished_list(connection) != list_id else None


def lists(connection: Connection, limit: int = 50) -> list[OutreachList]:
    """The newest lists first, without one still being written."""
    rows = connection.execute(
        select(outreach_lists)
        .where(outreach_lists.c.list_id != (unfinished_list(connection) or ""))
        .order_by(outreach_lists.c.planned_at.desc(), outreach_lists.c.list_id.desc())
        .limit(limit)
    ).mappings()
    return [OutreachList(**row) for row in rows]


def latest_list(connection: Connection) -> OutreachList | None:
    """The newest complete list."""
    return next(iter(lists(connection, 1)), None)


def counts(connection: Connection, list_id: str) -> Counts:
    """How many rows each tab of a list has."""
    by_state = count_by_state(connection, list_id)
    tab = {name: sum(by_state.get(state, 0) for state in states) for name, states in TABS.items()}
    left_out = sum(left_out_by_reason(connection, list_id).values())
    tab["all"] += left_out
    return Counts(left_out=left_out, **tab)


def left_out_by_reason(connection: Connection, list_id: str) -> dict[str, int]:
    """People left out of a list per reason code, the most frequent first."""
    number = func.count(distinct(passed_over.c.customer_id))
    grouped = connection.execute(
        select(passed_over.c.reason, number)
        .where(passed_over.c.list_id == list_id)
        .group_by(passed_over.c.reason)
        .order_by(number.desc(), passed_over.c.reason)
    )
    return {str(reason): int(count) for reason, count in grouped}


def left_out_page(
    connection: Connection, list_id: str, *, reason: str | None = None, size: int = 25, after: str | None = None
) -> list[dict[str, Any]]:
    """People left out, by customer id: customer_id, name, city, play, reason, detail. `after` is a customer id."""
    c = passed_over.c
    statement = (
        select(c.customer_id, customers.c.name, customers.c.city, c.play, c.reason, c.detail)
        .join(customers, customers.c.customer_id == c.customer_id, isouter=True)
        .where(c.list_id == list_id, c.customer_id > (after or ""))
        .order_by(c.customer_id)
        .limit(size)
    )
    if reason is not None:
        statement = statement.where(c.reason == reason)
    return [dict(row) for row in connection.execute(statement).mappings()]


# ── one day in numbers, one person, one message ───────────────────────────────────────────────────────────
def times_between(connection: Connection, start: datetime, end: datetime) -> list[tuple[str, datetime]]:
    """(state, time) of everything that went out or is meant to go out in a span, for the hours of a day."""
    moment = func.coalesce(outreach.c.fenced_at, outreach.c.send_at)
    shown = [state for state in State if state not in (State.HELD_OUT, State.DECLINED, State.CANCELLED, State.EXPIRED)]
    found = connection.execute(
        select(outreach.c.state, outreach.c.fenced_at, outreach.c.send_at).where(
            moment >= start, moment < end, outreach.c.state.in_(shown)
        )
    )
    return [(str(state), fenced_at or send_at) for state, fenced_at, send_at in found]


def sent_between(connection: Connection, start: datetime, end: datetime) -> list[Outreach]:
    """What left Pehle in [start, end), in the order it left."""
    rows = connection.execute(
        select(outreach)
        .where(outreach.c.sent_at >= start, outreach.c.sent_at < end)
        .order_by(outreach.c.sent_at, outreach.c.outreach_id)
    ).mappings()
    return [Outreach(**row) for row in rows]


def ended_between(connection: Connection, start: datetime, end: datetime) -> dict[str, int]:
    """Messages per state (sent, delivered, refused, unknown, …) whose first byte left in a span."""
    grouped = connection.execute(
        select(outreach.c.state, func.count())
        .where(outreach.c.fenced_at >= start, outreach.c.fenced_at < end)
        .group_by(outreach.c.state)
    )
    return {str(state): int(number) for state, number in grouped}


def people_of(connection: Connection, list_id: str) -> set[str]:
    """Who is on a list to be written to, for "188 new, 141 gone since yesterday's"."""
    found = connection.execute(
        select(outreach.c.customer_id).where(outreach.c.list_id == list_id, outreach.c.arm == "treated")
    )
    return {str(row[0]) for row in found}


def outreach_of(connection: Connection, customer_id: str, limit: int = 50) -> list[Outreach]:
    """What was planned for one person, newest first."""
    found = connection.execute(
        select(outreach)
        .where(outreach.c.customer_id == customer_id)
        .order_by(outreach.c.updated_at.desc(), outreach.c.outreach_id)
        .limit(limit)
    )
    return [Outreach(**row) for row in found.mappings()]


def history(connection: Connection, outreach_id: str) -> list[dict[str, Any]]:
    """Every state this outreach has been in, oldest first: at, from_state, to_state, actor, reason."""
    rows = connection.execute(
        select(outreach_history).where(outreach_history.c.outreach_id == outreach_id).order_by("history_id")
    )
    return [dict(row) for row in rows.mappings()]
