"""Random event logs for the tests of signals: small and nasty ones from Hypothesis, large ones from numpy."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from records.events import EVENT_SCHEMA, EventLog

START = datetime(2024, 2, 1, tzinfo=UTC)  # the log runs over a leap day and a change of the clocks
CUTOFF = datetime(2024, 4, 10, tzinfo=UTC)
PEOPLE = ("a", "C-20 4817", "ग्राहक १", "e'\"\\;%")

NAMES = (
    "order_completed",
    "page_viewed",
    "session_started",
    "support_ticket_opened",
    "support_ticket_solved",
    "payment_failed",
    "payment_completed",
    "bill_issued",
    "order_delivered",
    "item_missing",
    "rating_given",
    "message_sent",
    "message_opened",
    "plan_changed",
    "subscription_started",
    "song played",
    "Add to Playlist",
)
PROPERTIES: dict[str, list[dict[str, Any]]] = {
    "page_viewed": [{"page": "help"}, {"page": "cancel"}, {}],
    "session_started": [{"minutes": 7}, {"minutes": "many"}],
    "order_completed": [{"items": 2}, {"quantity": "3"}, {"items": ["x", "y"], "coupon": True}],
    "support_ticket_opened": [{"ticket_id": "t1", "severity": 3}, {"ticket_id": "t2", "severity": 1}, {}],
    "support_ticket_solved": [{"ticket_id": "t1"}, {"ticket_id": "t2"}, {}],
    "bill_issued": [{"previous_amount": 299}, {}],
    "order_delivered": [{"days_late": 3}, {"days_late": -1}],
    "message_opened": [{"machine": True}, {"machine": False}, {}],
}

moments = st.integers(0, 100 * 24 * 4).map(lambda quarters: START + timedelta(minutes=15 * quarters))
exact_moments = st.sampled_from([CUTOFF - timedelta(microseconds=1), CUTOFF, CUTOFF + timedelta(microseconds=1), START])


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """One event, seldom received late."""
    name = draw(st.sampled_from(NAMES))
    occurred_at = draw(moments | exact_moments)
    late = draw(
        st.sampled_from([timedelta(0)] * 6 + [timedelta(microseconds=1), timedelta(days=2), timedelta(days=30)])
    )
    return {
        "customer_id": draw(st.sampled_from(PEOPLE)),
        "occurred_at": occurred_at,
        "received_at": occurred_at + late,
        "name": name,
        "channel": draw(st.sampled_from(["web", "app", "phone", None])),
        "product": draw(st.sampled_from(["router", "phone", None])),
        "topic": draw(st.sampled_from(["network", "billing", None])),
        "amount": draw(st.sampled_from([None, Decimal("-12.5"), Decimal("0"), Decimal("99.0001"), Decimal("1e11")])),
        "rating": draw(st.sampled_from([None, 1.0, 2.0, 4.5])),
        "properties": json.dumps(draw(st.sampled_from(PROPERTIES.get(name, [{}])))),
    }


def numbered(rows: list[dict[str, Any]], prefix: str = "e") -> list[dict[str, Any]]:
    """The same events with ids that do not depend on what else is in the log."""
    return [{"event_id": f"{prefix}{number}", **row} for number, row in enumerate(rows)]


def table(rows: list[dict[str, Any]]) -> pa.Table:
    """These events as a table of the canonical columns."""
    columns = {field.name: pa.array([row.get(field.name) for row in rows], field.type) for field in EVENT_SCHEMA}
    return pa.table(columns)


def log_of(folder: Path, rows: list[dict[str, Any]], files: int = 1) -> EventLog:
    """A log of these events, appended in several goes."""
    log = EventLog(folder)
    for part in range(files):
        chosen = rows[part::files]
        if chosen:
            log.append(table(chosen))
    return log


def frame_bytes(signals: pa.Table) -> bytes:
    """The table's bytes, nulls and last bits included."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, signals.schema) as writer:
        writer.write_table(signals.combine_chunks())
    return bytes(sink.getvalue())
