"""Which sender is alive? Each holds a file lock that the operating system lets go the moment its process ends.

No clock is asked: a sender that was stopped for an hour is alive, one that was killed a millisecond ago is not. Senders
therefore run on the machine that holds the home; a row of a sender on another machine is never recovered from here.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

from sqlalchemy import Engine

from records.errors import StateError
from records.ledger import held_by_senders
from records.outreach import State, move

FOLDER = "senders"


@contextmanager
def present(data: Path, owner: str) -> Iterator[None]:
    """Hold the lock of `owner` for as long as it sends. Raises StateError if another process has that name."""
    lock = _try_lock(_file(data, owner))
    if lock is None:
        raise StateError(
            f"A sender called {owner} is at work already.", remedy="Give each sender its own name.", id=owner
        )
    try:
        yield
    finally:
        lock.close()  # the file stays: removing it while another opens it would give two locks of one name


def is_dead(data: Path, owner: str) -> bool:
    """Has the process of this sender ended? False too if it never held a lock here: it may be on another machine."""
    file = _file(data, owner)
    if not file.exists():
        return False
    lock = _try_lock(file)
    if lock is None:
        return False
    lock.close()
    return True


def _file(data: Path, owner: str) -> Path:
    folder = data / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{hashlib.sha256(owner.encode()).hexdigest()[:32]}.lock"


def _try_lock(file: Path) -> TextIO | None:
    lock = file.open("a", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def recover(engine: Engine, data: Path, now: datetime, owner: str) -> int:
    """Settle what dead senders left: claimed rows go back, fenced ones become unknown. How many became unknown."""
    unclear = 0
    with engine.connect() as connection:
        rows = held_by_senders(connection)
    dead = {name for name in {row.owner for row in rows} if name == owner or (name and is_dead(data, name))}
    for row in rows:
        if row.owner not in dead:
            continue
        fenced = row.state == State.FENCED
        try:
            with engine.begin() as connection:
                move(
                    connection,
                    row.outreach_id,
                    expected=[row.state],
                    to=State.UNKNOWN if fenced else State.QUEUED,
                    now=now,
                    actor="job:recover",
                    owner=row.owner,
                    reason="the sender stopped while handing it over" if fenced else "the sender stopped before it",
                )
        except StateError:
            continue  # another recovery was first
        unclear += fenced
    return unclear
