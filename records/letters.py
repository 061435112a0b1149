"""What left the house, what goes out next, and what came back?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from records.outreach import Outreach, State
from records.tables import customers, event_inbox, outreach

WENT_OUT = (State.SENT, State.DELIVERED, State.UNKNOWN, State.FAILED)
ON_THE_WAY = (State.APPROVED, State.QUEUED)
# Went out from here. The simulated past of a demo has no addresses: nobody ever wrote those messages.
_LEFT_A_COPY = (outreach.c.state.in_(WENT_OUT), outreach.c.fenced_at.is_not(None), outreach.c.address != "")


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One message that left, and whom it went to."""

    outreach: Outreach
    name: str | None

    @property
    def at(self) -> datetime:
        """When it left; the planned time of an old row that does not say."""
        return self.outreach.sent_at or self.outreach.fenced_at or self.outreach.send_at


def letters(
    connection: Connection, channels: tuple[str, ...], *, size: int = 30, before: str | None = None
) -> list[Letter]:
    """What left on these channels, newest first; `before` is the outreach id the last page ended with."""
    moment = func.coalesce(outreach.c.sent_at, outreach.c.fenced_at, outreach.c.send_at)
    statement = (
        select(outreach, customers.c.name)
        .join(customers, customers.c.customer_id == outreach.c.customer_id, isouter=True)
        .where(outreach.c.channel.in_(channels), *_LEFT_A_COPY)
        .order_by(moment.desc(), outreach.c.outreach_id.desc())
        .limit(size)
    )
    if before is not None:
        edge = connection.execute(select(moment).where(outreach.c.outreach_id == before)).scalar()
        if edge is not None:
            earlier = or_(moment < edge, and_(moment == edge, outreach.c.outreach_id < before))
            statement = statement.where(earlier)
    found = []
    for row in connection.execute(statement).mappings():
        values = dict(row)
        name = values.pop("name")
        found.append(Letter(outreach=Outreach(**values), name=name))
    return found


def count_letters(connection: Connection) -> dict[str, int]:
    """How many messages left, per channel."""
    grouped = connection.execute(
        select(outreach.c.channel, func.count()).where(*_LEFT_A_COPY).group_by(outreach.c.channel)
    )
    return {str(channel): int(number) for channel, number in grouped}


def chat(connection: Connection, customer_id: str, channel: str, limit: int = 20) -> list[Letter]:
    """Everything one person got on one channel, oldest first."""
    rows = connection.execute(
        select(outreach, customers.c.name)
        .join(customers, customers.c.customer_id == outreach.c.customer_id, isouter=True)
        .where(
            outreach.c.customer_id == customer_id,
            outreach.c.channel == channel,
            *_LEFT_A_COPY,
        )
        .order_by(outreach.c.fenced_at.desc())
        .limit(limit)
    ).mappings()
    found = []
    for row in rows:
        values = dict(row)
        name = values.pop("name")
        found.append(Letter(outreach=Outreach(**values), name=name))
    return found[::-1]


@dataclass(frozen=True, kw_only=True)
class NextSend:
    """What is approved and goes out next: the time of the first, and how many follow within the hour."""

    at: datetime
    count: int


def next_send(connection: Connection, now: datetime) -> NextSend | None:
    """When does the next approved message go out?"""
    approved = outreach.c.state.in_(ON_THE_WAY)
    first = connection.execute(select(func.min(outreach.c.send_at)).where(approved)).scalar()
    if first is None:
        return None
    at = max(first, now)
    until = at + timedelta(hours=1)
    count = connection.execute(
        select(func.count()).select_from(outreach).where(approved, outreach.c.send_at <= until)
    ).scalar_one()
    return NextSend(at=at, count=int(count))


def live_events(connection: Connection, customer_id: str, name: str, limit: int = 200) -> list[dict[str, Any]]:
    """What one person did by way of the web app, one kind of event, oldest first."""
    event = event_inbox.c.event
    found = connection.execute(
        select(event)
        .where(event["customer_id"].as_string() == customer_id, event["name"].as_string() == name)
        .order_by(event_inbox.c.received_at)
        .limit(limit)
    )
    return [dict(row[0]) for row in found]


def answers_between(connection: Connection, start: datetime, end: datetime) -> dict[str, int]:
    """How many answers, stops, openings and clicks came in by the web app in a span, by event name."""
    name = event_inbox.c.event["name"].as_string()
    grouped = connection.execute(
        select(name, func.count())
        .where(event_inbox.c.received_at >= start, event_inbox.c.received_at < end)
        .group_by(name)
    )
    return {str(event): int(number) for event, number in grouped}
