"""How do we reach the operational database, and is its schema the one this version expects?

SQLite by default, PostgreSQL in production; every query of ours works on both. Write inside `engine.begin()`, in
batches of at most BATCH_ROWS rows, and never keep a transaction open across I/O; read inside `engine.connect()`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Table, create_engine, event, inspect, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from records.errors import SettingError
from records.tables import home_state

# Larger transactions hold up the web app: 50,000 rows made its slowest writes wait 2 s, 1,000 rows 4 ms.
BATCH_ROWS = 1_000
BUSY_TIMEOUT_MS = 10_000
MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 7_316_529_406_126_881_001  # any number, as long as it is always the same

Item = TypeVar("Item")


class _SqliteEngine(Engine):
    """`begin()` takes the write lock at once: whoever reads first and then writes cannot wait for it later."""

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        with self.connect().execution_options(pehle_writes=True) as connection, connection.begin():
            yield connection


def connect(url: str) -> Engine:
    """Which engine serves this address? `sqlite:///path` or `postgresql://…`; anything else is refused."""
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise SettingError(
            "The database address cannot be read.", remedy="Expected sqlite:///path or postgresql://user@host/name."
        ) from error
    family = address.get_backend_name()
    if family == "postgresql":
        engine = create_engine(
            address.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            hide_parameters=True,  # customers' values may stand in no error message, and so in no log
            connect_args={"options": "-c timezone=UTC"},
        )
        return engine
    if family != "sqlite":
        raise SettingError(
            f"The database {family!r} is not one we work with.",
            remedy="Use sqlite:///path or postgresql://user@host/name.",
            value=family,
        )
    engine = create_engine(address, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    # create_engine offers no way to name the class; the subclass adds a method and no state.
    engine.__class__ = _SqliteEngine
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    connection.execute(f"pragma busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("pragma foreign_keys = on")
    connection.execute(f"pragma journal_mode = {'wal' if wal_is_safe(sqlite3.sqlite_version_info) else 'delete'}")
    connection.execute("pragma synchronous = full")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("pehle_writes", False)
    connection.exec_driver_sql("begin immediate" if writes else "begin")


def wal_is_safe(version: Sequence[int]) -> bool:
    """Does this SQLite have the fix of the WAL-reset bug, which can corrupt a database? (3.51.3, 3.50.7, 3.44.6)

    >>> wal_is_safe((3, 40, 1)), wal_is_safe((3, 44, 6)), wal_is_safe((3, 45, 0)), wal_is_safe((3, 52, 0))
    (False, True, False, True)
    """
    numbers = tuple(version[:3])
    return numbers >= (3, 51, 3) or (3, 50, 7) <= numbers < (3, 51, 0) or (3, 44, 6) <= numbers < (3, 45, 0)


def newest_migration() -> str:
    """Which migration does this version of Pehle expect last? Files are numbered, so the greatest name."""
    return max(path.stem for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def migrate(engine: Engine) -> None:
    """Bring the schema up to this version; does nothing where it is already."""
    if _present_migration(engine) == newest_migration():
        return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":  # two processes may start at once; SQLite's begin already waits
            connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _present_migration(engine: Engine) -> str | None:
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(text("select version_num from alembic_version")).scalar()
    except OperationalError as error:
        said = str(error.orig).splitlines()[0]
        raise SettingError(
            f"The database does not answer: {said}", remedy="Start it, or correct [store] url.", key="store.url"
        ) from error


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """How many of these rows were new? Those whose key is already there are left as they are."""
    if not rows:
        return 0
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(table).values([dict(row) for row in rows]).on_conflict_do_nothing()
    # Not rowcount: psycopg has none for this statement.
    return len(connection.execute(statement.returning(*table.primary_key.columns)).all())


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], keep: Collection[str] = ()) -> None:
    """Write these rows; where the key is there already, the other columns are replaced, except those to `keep`."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key.columns]
    changed = [name for name in rows[0] if name not in keys and name not in keep]
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement: Any = insert(table)
    connection.execute(
        statement.on_conflict_do_update(index_elements=keys, set_={name: statement.excluded[name] for name in changed}),
        [dict(row) for row in rows],
    )


@contextmanager
def writing(target: Engine | Connection) -> Iterator[Connection]:
    """A connection to write with: the caller's own transaction if there is one, else a new one."""
    if isinstance(target, Connection):
        yield target
    else:
        with target.begin() as connection:
            yield connection


@contextmanager
def reading(target: Engine | Connection) -> Iterator[Connection]:
    """A connection to read with: the caller's own if there is one, else a new one."""
    if isinstance(target, Connection):
        yield target
    else:
        with target.connect() as connection:
            yield connection


def batches(items: Iterable[Item], size: int = BATCH_ROWS) -> Iterator[list[Item]]:
    """These items in lists of at most `size`."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def get_state(target: Engine | Connection, key: str) -> Any | None:
    """What does this home remember under `key`? None: nothing."""
    with reading(target) as connection:
        return connection.execute(select(home_state.c.value).where(home_state.c.key == key)).scalar()


def set_state(target: Engine | Connection, key: str, value: Any) -> None:
    """Remember a plain value (anything JSON can hold) under `key`."""
    with writing(target) as connection:
        upsert(connection, home_state, [{"key": key, "value": value}])


def keep_state(target: Engine | Connection, key: str, value: Any) -> Any:
    """What this home remembers under `key`; the value given if it remembered nothing. The first one holds for ever."""
    found = get_state(target, key)
    if found is None:
        with writing(target) as connection:
            insert_new(connection, home_state, [{"key": key, "value": value}])
            found = get_state(connection, key)
    return found
