"""What the scheduled jobs are told: until when the data reach."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from records.events import EventLog
from serving.jobs import known_until


def log_until(folder: Path, last: datetime) -> EventLog:
    log = EventLog(folder)
    log.append(pa.table({"customer_id": ["Bo"], "occurred_at": [last], "name": ["order_completed"]}))
    return log


def test_the_data_of_a_job_end_with_the_log_when_it_is_old(tmp_path: Path) -> None:
    log = log_until(tmp_path, datetime(2026, 11, 18, 20, 15, tzinfo=UTC))
    assert known_until(log, datetime(2026, 11, 20, 9, tzinfo=UTC)) == datetime(2026, 11, 19, tzinfo=UTC)


def test_the_data_of_a_job_never_end_in_the_future(tmp_path: Path) -> None:
    now = datetime(2026, 11, 20, 9, tzinfo=UTC)
    assert known_until(log_until(tmp_path, now - timedelta(minutes=5)), now) == now
