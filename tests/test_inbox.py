"""Live events: durable when acknowledged, in the log exactly once whatever happens in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, update

from records.errors import InputError
from records.events import EventLog
from records.inbox import move_inbox, post_event
from records.tables import event_inbox


def click(number: int, at: datetime, **more: Any) -> dict[str, Any]:
    return {
        "event_id": f"click-{number}",
        "customer_id": "C-20 4817",
        "occurred_at": at,
        "name": "message_clicked",
        **more,
    }


def waiting(engine: Engine) -> int:
    query = select(func.count()).select_from(event_inbox).where(event_inbox.c.moved_at.is_(None))
    with engine.connect() as connection:
        return int(connection.execute(query).scalar_one())


def test_a_live_event_arrives_whole(engine: Engine, tmp_path: Path, now: datetime) -> None:
    log = EventLog(tmp_path)
    more = {
        "amount": Decimal("12.5"),
        "rating": 4,
        "text": "ठीक है",
        "properties": {"outreach_id": "O-1", "machine": False},
    }
    told = click(1, now, received_at=now - timedelta(days=1), channel="email", **more)  # it cannot say when we knew
    assert post_event(engine, told, now + timedelta(seconds=2))
    assert move_inbox(engine, log) == 1
    (row,) = log.for_customer("C-20 4817").to_pylist()
    assert row["occurred_at"] == now
    assert row["received_at"] == now + timedelta(seconds=2)
    assert row["amount"] == Decimal("12.5")
    assert row["rating"] == 4.0
    assert row["text"] == "ठीक है"
    assert row["properties"] == '{"machine": false, "outreach_id": "O-1"}'
    assert row["topic"] is None


def test_an_event_posted_twice_counts_once(engine: Engine, tmp_path: Path, now: datetime) -> None:
    log = EventLog(tmp_path)
    assert post_event(engine, click(1, now), now)
    assert not post_event(engine, click(1, now), now)
    assert move_inbox(engine, log) == 1
    assert not post_event(engine, click(1, now), now)
    assert move_inbox(engine, log) == 0
    assert log.summary().count == 1


def test_an_event_of_a_broken_transaction_is_not_taken(engine: Engine, tmp_path: Path, now: datetime) -> None:
    def break_off() -> None:
        with engine.begin() as connection:
            post_event(connection, click(1, now), now)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert move_inbox(engine, EventLog(tmp_path)) == 0


def test_a_move_that_is_done_again_adds_nothing(engine: Engine, tmp_path: Path, now: datetime) -> None:
    log = EventLog(tmp_path)
    for number in range(5):
        post_event(engine, click(number, now), now)
    assert move_inbox(engine, log) == 5
    with engine.begin() as connection:
        connection.execute(update(event_inbox).values(moved_at=None))
    assert move_inbox(engine, log) == 0
    assert (waiting(engine), log.summary().count) == (0, 5)


KILLED = """
import os, signal, sys
from pathlib import Path
from records import inbox
from records.database import connect
from records.events import EventLog
def die(*arguments): os.kill(os.getpid(), signal.SIGKILL)
inbox.batches = die   # after the append, before the inbox learns of it
inbox.move_inbox(connect(sys.argv[1]), EventLog(Path(sys.argv[2])))
"""


def test_a_move_killed_between_log_and_inbox_neither_loses_nor_doubles(
    engine: Engine, tmp_path: Path, now: datetime
) -> None:
    log = EventLog(tmp_path / "data")
    for number in range(1_200):
        post_event(engine, click(number, now), now)
    address = engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", KILLED, address, str(log.data)]
    assert subprocess.run(command, check=False, env={**os.environ}).returncode == -signal.SIGKILL
    assert (waiting(engine), log.summary().count) == (1_200, 1_200)
    assert move_inbox(engine, log) == 0
    assert (waiting(engine), log.summary().count) == (0, 1_200)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"event_id": None}, "event_id"),
        ({"customer_id": ""}, "customer_id"),
        ({"colour": "red"}, "colour"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"occurred_at": "2026-11-19T10:00:00"}, "without a zone"),
        ({"amount": "a lot"}, "amount"),
        ({"amount": "1e30"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"rating": "nan"}, "rating"),
        ({"text": "a\0b"}, "NUL"),
        ({"text": 7}, "text"),
        ({"properties": "[1]"}, "JSON object"),
        ({"properties": "{"}, "properties"),
    ],
)
def test_an_event_that_cannot_be_kept_is_refused_by_name(
    sqlite_url: str, now: datetime, wrong: dict[str, Any], named: str
) -> None:
    from records.database import connect, migrate

    engine = connect(sqlite_url)
    migrate(engine)
    with pytest.raises(InputError, match=named):
        post_event(engine, click(1, now) | wrong, now)
    assert waiting(engine) == 0
    engine.dispose()
