"""The log that benchmarks run on, drawn with a seed: heavy-tailed activity over two years, eight kinds of events, four
channels, a hundred events per customer on average. Nothing arrives late: peers may do without a second clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from records.events import EventLog

START = datetime(2024, 11, 1, tzinfo=UTC)
DAYS = 730
END = START + timedelta(days=DAYS)
NAMES = (
    "session_started",
    "page_viewed",
    "order_completed",
    "payment_completed",
    "payment_failed",
    "support_ticket_opened",
    "message_opened",
    "song_played",
)
CHANNELS = ("web", "app", "phone", "email")
EVENTS_PER_CUSTOMER = 100
BATCH = 2_500_000


def batches(
    events: int, customers: int, *, days: tuple[int, int] = (0, DAYS), seed: int = 1, prefix: str = "E"
) -> Iterator[pa.Table]:
    """So many events of the days from `days[0]` up to `days[1]`, in tables of at most BATCH rows."""
    weight = np.random.default_rng(0).pareto(1.2, customers) + 0.05
    weight /= weight.sum()
    draw = np.random.default_rng(seed)
    first, last = days
    for done in range(0, events, BATCH):
        count = min(BATCH, events - done)
        who = draw.choice(len(weight), count, p=weight)
        seconds = draw.integers(first * 86_400, last * 86_400, count)
        name = draw.choice(len(NAMES), count, p=[0.3, 0.35, 0.08, 0.08, 0.02, 0.02, 0.05, 0.1])
        amount = np.where(np.isin(name, (2, 3)), draw.integers(100, 5_000, count), 0)
        at = np.datetime64(START.replace(tzinfo=None), "us") + seconds.astype("timedelta64[s]")
        yield pa.table(
            {
                "event_id": numbered(prefix, np.arange(done, done + count)),
                "customer_id": numbered("C", who),
                "occurred_at": pa.array(at).cast(pa.timestamp("us", "UTC")),
                "name": pa.array(NAMES).take(pa.array(name)),
                "channel": pa.array(CHANNELS).take(pa.array(draw.integers(0, 4, count))),
                "amount": pa.array(amount).cast(pa.decimal128(19, 0)).cast(pa.decimal128(18, 4)),
            }
        )


def numbered(prefix: str, numbers: Any) -> pa.Array:
    """These numbers as names."""
    return pc.binary_join_element_wise(prefix, pa.array(numbers).cast(pa.string()), "")


def drawn_log(folder: Path, events: int) -> EventLog:
    """The log of so many events in `folder`; one that is there already is taken as it is."""
    log = EventLog(folder)
    if log.summary().count == 0:
        for batch in batches(events, events // EVENTS_PER_CUSTOMER):
            log.append(batch)
    return log


def one_more_day(log: EventLog, events: int) -> int:
    """Append the day after the last of a log of so many events; how many events that is."""
    count = events // DAYS
    for batch in batches(count, events // EVENTS_PER_CUSTOMER, days=(DAYS, DAYS + 1), seed=2, prefix="N"):
        log.append(batch)
    return count
