"""The record of who did what: altering it shows."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, delete, select, update

from records import audit
from records.tables import audit as rows


def write(engine: Engine, now: datetime, count: int) -> list[int]:
    for number in range(count):
        at = now + timedelta(seconds=number)
        audit.record(
            engine, at, "Asha", "approve", f"O-{number}", {"note": "ठीक", "share": 0.1, "counts": {"2": [1, None]}}
        )
    with engine.connect() as connection:
        return list(connection.execute(select(rows.c.audit_id).order_by(rows.c.audit_id)).scalars())


def test_an_empty_and_an_untouched_record_are_whole(engine: Engine, now: datetime) -> None:
    assert audit.verify(engine) is None
    write(engine, now, 3)
    assert audit.verify(engine) is None


@pytest.mark.parametrize(
    "change",
    [
        {"actor": "somebody else"},
        {"details": {"note": "changed"}},
        {"subject": "O-7"},
        {"action": "decline"},
        {"hash": "0" * 64},
        {"previous_hash": "0" * 64},
        {"at": datetime.fromisoformat("2026-01-01T00:00:00+00:00")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_row_is_found(engine: Engine, now: datetime, change: dict[str, Any]) -> None:
    ids = write(engine, now, 4)
    with engine.begin() as connection:
        connection.execute(update(rows).where(rows.c.audit_id == ids[2]).values(**change))
    assert audit.verify(engine) == ids[2]


def test_a_removed_row_is_found_at_the_next(engine: Engine, now: datetime) -> None:
    ids = write(engine, now, 4)
    with engine.begin() as connection:
        connection.execute(delete(rows).where(rows.c.audit_id == ids[1]))
    assert audit.verify(engine) == ids[2]


def test_a_row_of_a_broken_transaction_leaves_the_chain_whole(engine: Engine, now: datetime) -> None:
    def break_off() -> None:
        with engine.begin() as connection:
            audit.record(connection, now, "Asha", "approve", "O-1", {})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert len(write(engine, now, 1)) == 1
    assert audit.verify(engine) is None


def test_many_writers_make_one_chain(engine: Engine, now: datetime) -> None:
    def work(name: int) -> None:
        for number in range(4):
            audit.record(engine, now, f"job:{name}", "send", str(number), {})

    workers = [threading.Thread(target=work, args=(name,)) for name in range(5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with engine.connect() as connection:
        assert len(connection.execute(select(rows.c.audit_id)).all()) == 20
    assert audit.verify(engine) is None
