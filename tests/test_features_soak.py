"""On millions of rows, two threads and files in any order, nothing after the cutoff changes a byte."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from features_logs import frame_bytes

from features.build import build_signals
from records.canonical import EVENT_SCHEMA
from records.events import EventLog

ROWS = 5_000_000
START, CUTOFF = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
NAMES = (
    *("page_viewed",) * 8, *("session_started",) * 6, "order_completed", "order_delivered", "bill_issued",
    "payment_completed", "payment_failed", "support_ticket_opened", "support_ticket_solved", "message_sent",
    "message_opened", "rating_given", "song_played",
)  # fmt: skip
PROPERTIES = ("{}", '{"page": "help", "minutes": 4, "ticket_id": "7", "days_late": 2, "previous_amount": 299}')


def rows(seed: int, first: int, count: int) -> pa.Table:
    """So many events over 500 days, one in a hundred received up to five days late."""
    random = np.random.default_rng(seed)

    def pick(values: tuple[str | None, ...]) -> pa.Array:
        return pa.array(values, pa.string()).take(pa.array(random.integers(0, len(values), count)))

    occurred = random.integers(0, 500 * 86_400_000_000, count) + int(START.timestamp()) * 1_000_000
    late = np.where(random.random(count) < 0.01, random.integers(0, 5 * 86_400_000_000, count), 0)
    columns = {
        "event_id": pc.binary_join_element_wise("e", pa.array(np.arange(first, first + count)).cast(pa.string()), ""),
        "customer_id": pc.binary_join_element_wise(
            "C", pa.array((random.pareto(1.2, count) * 3000).astype(np.int64) % 50_000).cast(pa.string()), " "
        ),
        "occurred_at": pa.array(occurred).cast(pa.timestamp("us", "UTC")),
        "received_at": pa.array(occurred + late).cast(pa.timestamp("us", "UTC")),
        "name": pick(NAMES),
        "channel": pick(("web", "app", "phone", None)),
        "product": pick(("router", "phone", "bulb", None)),
        "topic": pick(("network", "billing", None)),
        "amount": pa.array(random.integers(-50, 5_000, count).astype(np.int32)).cast(pa.decimal128(18, 4)),
        "rating": pa.array(random.integers(1, 6, count).astype(float)),
        "properties": pick(PROPERTIES),
    }
    return pa.table({
        field.name: columns.get(field.name, pa.nulls(count, field.type)) for field in EVENT_SCHEMA
    })  # fmt: skip


@pytest.mark.soak
def test_five_million_rows_after_the_cutoff_or_not_give_the_same_bytes(tmp_path: Path) -> None:
    whole = rows(1, 0, ROWS)
    visible = pc.and_(pc.less(whole["occurred_at"], CUTOFF), pc.less(whole["received_at"], CUTOFF))
    past, hidden = whole.filter(visible), whole.filter(pc.invert(visible))
    assert hidden.num_rows > 500_000
    renamed = hidden.set_column(
        hidden.column_names.index("name"), "name", pa.array(["message_sent"] * hidden.num_rows, pa.string())
    )
    order = np.random.default_rng(2).permutation(past.num_rows)

    one, other = EventLog(tmp_path / "one"), EventLog(tmp_path / "other")
    one.append(past)
    other.append(renamed)
    for part in np.array_split(order, 4):
        other.append(past.take(pa.array(part)))

    cutoffs = [CUTOFF - timedelta(days=90), CUTOFF]
    expected = build_signals(one, cutoffs, threads=1)
    assert expected.num_rows > 90_000
    assert frame_bytes(expected) == frame_bytes(build_signals(other, cutoffs, threads=2))
