"""What has come in and may not be in the log yet? For those who cannot wait for the next move of the inbox."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, or_, select

from records.tables import event_inbox


@dataclass(frozen=True, kw_only=True)
class Glance:
    """The inbox at one moment."""

    events: tuple[dict[str, Any], ...]  # those not moved to the log yet
    seen: frozenset[str]  # their ids
    at: datetime  # by the database's own clock, which also stamps the moves


def glance(connection: Connection) -> Glance:
    """Everything that stands in the inbox now."""
    clock = connection.execute(select(func.current_timestamp())).scalar_one()
    rows = connection.execute(
        select(event_inbox.c.event_id, event_inbox.c.event).where(event_inbox.c.moved_at.is_(None))
    ).all()
    aware = clock.replace(tzinfo=UTC) if clock.tzinfo is None else clock
    return Glance(
        events=tuple(row.event for row in rows),
        seen=frozenset(row.event_id for row in rows),
        at=aware - timedelta(seconds=2),  # SQLite's clock shows whole seconds
    )


def news_of(connection: Connection, customer_id: str, since: Glance) -> list[str]:
    """Names of events of this person that came in after the glance, also those that have moved to the log meanwhile."""
    c = event_inbox.c
    rows = connection.execute(
        select(c.event_id, c.event["name"].as_string()).where(
            c.event["customer_id"].as_string() == customer_id,
            or_(c.moved_at.is_(None), func.coalesce(c.moved_at >= since.at, False)),
        )
    )
    return [str(name) for event_id, name in rows if event_id not in since.seen]
