"""Random event logs for the tests of signals: small and nasty ones from Hypothesis, large ones from numpy."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from records.events import EVENT_SCHEMA, EventLog

START = datetime(2024, 2, 1, tzinfo=UTC)  # the log runs over a leap day and changes of the clocks
CUTOFF = datetime(2024, 4, 10, tzinfo=UTC)
TIMES = int(os.environ.get("EXAMPLES", "1"))  # so many times the logs that `make test` draws; `make soak` sets it
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
MORE_NAMES = (
    *NAMES,
    "wishlist_added",
    "subscription_cancelled",
    "social_mention",
    "incident_declared",
    "message_clicked",
    "message_replied",
    "message_unsubscribed",
    "product_restocked",
    "subscription_renewed",
    "text_scored",
    "ओटीपी 'मांगा'; --",
)
PROPERTIES: dict[str, list[dict[str, Any]]] = {
    "page_viewed": [{"page": "help"}, {"page": "cancel"}, {"page": "plans"}, {}],
    "session_started": [{"minutes": 7}, {"minutes": "many"}],
    "order_completed": [{"items": 2}, {"quantity": "3"}, {"items": ["x", "y"], "coupon": True}],
    "support_ticket_opened": [{"ticket_id": "t1", "severity": 3}, {"ticket_id": "t2", "severity": 1}, {}],
    "support_ticket_solved": [{"ticket_id": "t1"}, {"ticket_id": "t2"}, {}],
    "bill_issued": [{"previous_amount": 299}, {"previous_amount": 0}, {"previous_amount": 1.5}, {}],
    "order_delivered": [{"days_late": 3}, {"days_late": -1}],
    "subscription_started": [
        {"auto_renew": True, "payment_method": "card"},
        {"auto_renew": 0, "expires_at": 20240429},
        {"expires_at": "2024-04-29T10:00:00+05:30"},
    ],
    "plan_changed": [{"auto_renew": False, "discount": 49.5}, {"payment_method": "upi"}, {}],
    "subscription_renewed": [{"expires_at": "2025-02-28T00:00:00Z", "discount": 0}, {"payment_method": "card"}],
    "text_scored": [{"sentiment": -0.5}, {"sentiment": 0.125}, {"sentiment": "0.9"}, {}],
    "message_opened": [{"machine": True}, {"machine": False}, {}],
}

HOSTILE: list[dict[str, Any]] = [
    {"page": "he'lp\"\\", "minutes": 1e300, "days_late": "1e99", "severity": [3], "items": {}, "quantity": "NaN"},
    {"page": {"page": "help"}, "minutes": True, "days_late": None, "severity": "3", "items": None, "coupon": "false"},
    {
        "page": None,
        "minutes": -1e18,
        "ticket_id": 7,
        "previous_amount": "1e40",
        "items": "x",
        "coupon": "",
        "machine": 0,
    },
    {"page": "cancel", "minutes": "inf", "ticket_id": "", "previous_amount": -0.5, "items": [], "coupon": "शून्य"},
    {
        "ticket_id": {"a": 1},
        "previous_amount": "299.50",
        "items": "3",
        "machine": "yes",
        "severity": 1e12,
        "$.page": "help",
    },
    {"expires_at": "infinity", "discount": "1e40", "auto_renew": "", "payment_method": "", "sentiment": "1e300"},
    {"expires_at": "31.12.2024", "discount": "NaN", "auto_renew": None, "payment_method": "क'\"", "sentiment": None},
]

moments = st.integers(0, 100 * 24 * 4).map(lambda quarters: START + timedelta(minutes=15 * quarters))
exact_moments = st.sampled_from([
    CUTOFF - timedelta(microseconds=1), CUTOFF, CUTOFF + timedelta(microseconds=1), START,
    CUTOFF - timedelta(days=30), CUTOFF - timedelta(days=30, microseconds=1),  # where a window begins
    datetime(2024, 2, 29, 12, tzinfo=UTC), datetime(2020, 2, 29, tzinfo=UTC),
    datetime(2005, 12, 31, 23, 59, 59, 999999, UTC),
    datetime(2024, 3, 31, 0, 59, 59, tzinfo=UTC), datetime(2024, 3, 31, 1, tzinfo=UTC),  # clocks change in Berlin
    datetime(2024, 3, 10, 6, 59, tzinfo=UTC), datetime(2024, 3, 10, 7, tzinfo=UTC),  # and in New York
    datetime(2023, 10, 29, 0, 30, tzinfo=UTC), datetime(2023, 10, 29, 1, 30, tzinfo=UTC),  # the same hour twice
    datetime(2024, 3, 1, 18, 29, 59, tzinfo=UTC), datetime(2024, 3, 1, 18, 30, tzinfo=UTC),  # midnight in Kolkata
])  # fmt: skip
amounts = st.sampled_from([
    *(None, Decimal("-12.5"), Decimal(0), Decimal("99.0001"), Decimal("1e11"), Decimal("-99999999999999.9999")),
    Decimal("99999999999999.9999"), Decimal("0.0001"),
])  # fmt: skip
late = st.sampled_from([timedelta(0)] * 6 + [timedelta(microseconds=1), timedelta(days=2), timedelta(days=30)])


@st.composite
def events(draw: st.DrawFn, names: Sequence[str] = NAMES, hostile: bool = False) -> dict[str, Any]:
    """One event, seldom received late; `hostile` ones say in their properties what nobody would."""
    name = draw(st.sampled_from(names))
    occurred_at = draw(moments | exact_moments)
    usual = st.sampled_from(PROPERTIES.get(name, [{}]))
    return {
        "customer_id": draw(st.sampled_from(PEOPLE)),
        "occurred_at": occurred_at,
        "received_at": occurred_at + draw(late),
        "name": name,
        "channel": draw(st.sampled_from(["web", "app", "phone", None])),
        "product": draw(st.sampled_from(["router", "phone", None])),
        "topic": draw(st.sampled_from(["network", "billing", None])),
        "amount": draw(amounts),
        "rating": draw(st.sampled_from([None, 1.0, 2.0, 4.5])),
        "properties": json.dumps(draw(usual | st.sampled_from(HOSTILE) if hostile else usual)),
    }


@st.composite
def logs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A log of few names, so that things meet: ties at one instant, customers with one event, empty families."""
    names = draw(st.lists(st.sampled_from(MORE_NAMES), min_size=1, max_size=5, unique=True))
    rows = draw(st.lists(events(names, hostile=True), min_size=1, max_size=50))
    if draw(st.booleans()):  # everything at three instants
        instants = draw(st.lists(moments | exact_moments, min_size=1, max_size=3))
        rows = [
            {**row, "occurred_at": at, "received_at": at + (row["received_at"] - row["occurred_at"])}
            for row in rows
            for at in [draw(st.sampled_from(instants))]
        ]
    return numbered(rows)


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
