"""The operational database: two kinds, one schema, one way to write."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import IntegrityError

from records.database import (
    BATCH_ROWS,
    batches,
    connect,
    get_state,
    insert_new,
    migrate,
    set_state,
    upsert,
    wal_is_safe,
)
from records.errors import SettingError
from records.tables import event_inbox, home_state, metadata, provider_messages


def drawn(engine: Engine) -> dict[str, Any]:
    """Everything the database says about its tables, as plain values."""
    inspector = inspect(engine)
    return {
        table: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], column["default"])
                for column in inspector.get_columns(table)
            },
            "key": inspector.get_pk_constraint(table),
            "indexes": sorted(inspector.get_indexes(table), key=lambda index: str(index["name"])),
            "unique": sorted(inspector.get_unique_constraints(table), key=lambda unique: str(unique["name"])),
            "foreign": sorted(inspector.get_foreign_keys(table), key=lambda key: str(key["name"])),
            "checks": sorted(inspector.get_check_constraints(table), key=lambda check: str(check["name"])),
        }
        for table in sorted(inspector.get_table_names())
        if table != "alembic_version"
    }


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_migrations_add_up_to_the_page_of_tables(kind: str, request: pytest.FixtureRequest) -> None:
    migrated = connect(request.getfixturevalue(f"{kind}_url"))
    migrate(migrated)
    with migrated.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    by_migrations = drawn(migrated)
    with migrated.begin() as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
    assert by_migrations == drawn(migrated)
    assert set(by_migrations) == set(metadata.tables)
    migrated.dispose()


def test_migrating_again_changes_nothing(engine: Engine) -> None:
    set_state(engine, "kind", "real")
    migrate(engine)
    assert get_state(engine, "kind") == "real"


def test_two_processes_may_migrate_one_database_at_once(sqlite_url: str) -> None:
    program = f"from records.database import connect, migrate; migrate(connect({sqlite_url!r}))"
    both = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(2)]
    assert [process.wait(timeout=60) for process in both] == [0, 0]


def test_state_is_kept_and_replaced(engine: Engine) -> None:
    assert get_state(engine, "clock") is None
    set_state(engine, "clock", {"offset": 3})
    set_state(engine, "clock", {"offset": 4, "why": "नमस्ते"})
    assert get_state(engine, "clock") == {"offset": 4, "why": "नमस्ते"}
    with engine.begin() as connection:
        set_state(connection, "salt", "x")
        assert get_state(connection, "salt") == "x"


def test_a_broken_transaction_leaves_nothing(engine: Engine) -> None:
    def break_off() -> None:
        with engine.begin() as connection:
            set_state(connection, "half", 1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert get_state(engine, "half") is None


def test_a_reference_to_nothing_is_refused(engine: Engine) -> None:
    row = {"provider": "p", "provider_id": "1", "outreach_id": "O-none"}
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(provider_messages.insert(), row)


def test_whoever_reads_before_writing_waits_instead_of_failing(engine: Engine) -> None:
    """Eight threads count to fifty together: each step reads, then writes what it read plus one."""
    set_state(engine, "count", 0)
    lock = text("select pg_advisory_xact_lock(1)") if engine.dialect.name == "postgresql" else None

    def add() -> None:
        for _ in range(6):
            with engine.begin() as connection:
                if lock is not None:
                    connection.execute(lock)
                set_state(connection, "count", get_state(connection, "count") + 1)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert get_state(engine, "count") == 48


def test_reading_does_not_wait_for_a_writer(engine: Engine) -> None:
    set_state(engine, "a", 1)
    with engine.begin() as connection:
        set_state(connection, "a", 2)
        assert get_state(engine, "a") == 1
    assert get_state(engine, "a") == 2


def test_rows_that_are_there_already_are_not_new(engine: Engine, now: Any) -> None:
    rows = [{"event_id": f"e{n}", "event": {"n": n}, "received_at": now} for n in range(3)]
    with engine.begin() as connection:
        assert insert_new(connection, event_inbox, rows[:2]) == 2
        assert insert_new(connection, event_inbox, rows) == 1
        assert insert_new(connection, event_inbox, []) == 0
        upsert(connection, home_state, [])


def test_sqlite_is_durable_and_checks_references(sqlite_url: str) -> None:
    engine = connect(sqlite_url)
    with engine.connect() as connection:
        pragmas = {
            name: connection.execute(text(f"pragma {name}")).scalar()
            for name in ("synchronous", "foreign_keys", "journal_mode", "busy_timeout")
        }
    import sqlite3

    expected = "wal" if wal_is_safe(sqlite3.sqlite_version_info) else "delete"
    assert pragmas == {"synchronous": 2, "foreign_keys": 1, "journal_mode": expected, "busy_timeout": 10_000}


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 52, 0), True),
    ],
)
def test_write_ahead_logging_only_where_sqlite_is_mended(version: tuple[int, int, int], safe: bool) -> None:
    assert wal_is_safe(version) is safe


@pytest.mark.parametrize("address", ["mysql://x/y", "not an address"])
def test_another_database_is_refused(address: str) -> None:
    with pytest.raises(SettingError, match="sqlite:///path"):
        connect(address)


def test_batches_are_small_and_complete() -> None:
    sizes = [len(batch) for batch in batches(range(2 * BATCH_ROWS + 1))]
    assert sizes == [BATCH_ROWS, BATCH_ROWS, 1]


def test_no_customers_value_stands_in_an_error(engine: Engine) -> None:
    with pytest.raises(IntegrityError) as refusal, engine.begin() as connection:
        connection.execute(
            provider_messages.insert(), {"provider": "p", "provider_id": "asha@example.invalid", "outreach_id": "none"}
        )
    assert "asha@example.invalid" not in str(refusal.value)


def test_a_database_that_does_not_answer_is_one_line_without_the_password() -> None:
    with pytest.raises(SettingError, match="The database does not answer") as refusal:
        migrate(connect("postgresql://me:correct-horse@127.0.0.1:1/pehle"))
    assert "correct-horse" not in str(refusal.value)
    assert "\n" not in str(refusal.value)
