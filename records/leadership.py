"""Which of several processes may run the jobs? A file lock on one machine, an advisory lock on a shared PostgreSQL."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, text

LEADER_KEY = 0x7065686C65  # "pehle", the number of our PostgreSQL advisory lock


@contextmanager
def leadership(engine: Engine, data: Path) -> Iterator[bool]:
    """True while this process may run jobs; False if another one holds the lead."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            key = {"key": LEADER_KEY}
            won = bool(connection.execute(text("select pg_try_advisory_lock(:key)"), key).scalar_one())
            try:
                yield won
            finally:
                if won:
                    connection.execute(text("select pg_advisory_unlock(:key)"), key)
        return
    with (data / "leader.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
