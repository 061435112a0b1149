"""Where does a live event stand until it is in the log?

It is acknowledged once it stands in the database, and moved to Parquet exactly once: the log refuses an event_id it
has, so a move that was killed half-way is simply done again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, Engine, func, select, update

from records.canonical import COLUMNS, EVENT_SCHEMA, MONEY, REQUIRED
from records.database import batches, insert_new, writing
from records.errors import InputError
from records.events import EventLog
from records.tables import event_inbox

MOVED_AT_ONCE = 20_000
_TIMES = ("occurred_at", "received_at")


def post_event(target: Engine | Connection, event: Mapping[str, Any], received_at: datetime) -> bool:
    """Take one event in; when this returns it is durable (with a connection: when the caller commits).

    False: an event of this event_id was taken before, and nothing changed. `properties` may be a mapping.
    """
    row = {
        "event_id": event.get("event_id"),
        "event": _plain({**event, "received_at": received_at}),
        "received_at": received_at,
    }
    with writing(target) as connection:
        return insert_new(connection, event_inbox, [row]) == 1


def move_inbox(engine: Engine, log: EventLog) -> int:
    """Move what waits in the inbox to the log; how many events the log did not have yet."""
    moved = 0
    waiting = (
        select(event_inbox.c.event_id, event_inbox.c.event)
        .where(event_inbox.c.moved_at.is_(None))
        .order_by(event_inbox.c.received_at, event_inbox.c.event_id)
        .limit(MOVED_AT_ONCE)
    )
    while True:
        with engine.connect() as connection:
            rows = connection.execute(waiting).all()
        if not rows:
            return moved
        moved += log.append(events_table([row.event for row in rows])).accepted
        for batch in batches(row.event_id for row in rows):
            with engine.begin() as connection:
                # Only whether it is set matters; the database's own clock serves.
                done = update(event_inbox).where(event_inbox.c.event_id.in_(batch))
                connection.execute(done.values(moved_at=func.current_timestamp()))


def events_table(events: list[dict[str, Any]]) -> pa.Table:
    """These inbox rows as the log holds events."""
    columns = {}
    for field in EVENT_SCHEMA:
        values: list[Any] = [event.get(field.name) for event in events]
        if field.name in _TIMES:
            values = [datetime.fromisoformat(value) for value in values]
        elif field.name == "amount":
            values = [None if value is None else Decimal(value) for value in values]
        columns[field.name] = pa.array(values, field.type)
    return pa.table(columns)


def _plain(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event in values JSON can hold, or a refusal that names what is wrong."""
    for name in ("event_id", *REQUIRED):
        if event.get(name) in (None, ""):
            raise InputError(f"The event has no {name}.", remedy="Every live event needs one.", value=name)
    plain: dict[str, Any] = {}
    for name, value in event.items():
        if name not in COLUMNS:
            raise InputError(
                f"An event has no column {name!r}.", remedy=f"The columns are {', '.join(COLUMNS)}.", value=name
            )
        if value is not None:
            plain[name] = _plain_value(name, value)
    return plain


def _plain_value(name: str, value: Any) -> Any:
    try:
        if name in _TIMES:
            instant = value if isinstance(value, datetime) else datetime.fromisoformat(value)
            _require(instant.tzinfo is not None, "a time without a zone")
            return instant.astimezone(UTC).isoformat()
        if name == "amount":
            return str(pa.scalar(Decimal(str(value)).quantize(Decimal("0.0001")), MONEY).as_py())
        if name == "rating":
            _require(math.isfinite(float(value)), "not a finite number")
            return float(value)
        if name == "properties":
            content = json.loads(value) if isinstance(value, str) else value
            _require(isinstance(content, Mapping), "not a JSON object")
            value = json.dumps(content, ensure_ascii=False, sort_keys=True, allow_nan=False)
        _require(isinstance(value, str), "not a text")
        _require("\0" not in value, "it holds a NUL character")
    except (ValueError, TypeError, InvalidOperation, pa.ArrowInvalid) as error:
        raise InputError(
            f"The event's {name} is {value!r}: {error}.", remedy="Correct the value.", value=value
        ) from error
    return value


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
