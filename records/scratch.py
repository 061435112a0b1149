"""Where does work lie that memory cannot hold, so that nothing of it stays? In folders that their makers hold locked.

They hold customers' rows. A process that is killed loses its locks; whoever makes the next folder removes what it left,
however young, and touches nothing of those at work, however old. No clock is asked.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

PREFIX = "spill-"
LOCK = ".lock"


@contextmanager
def scratch(data: Path) -> Iterator[Path]:
    """A folder below `data` for as long as it is needed."""
    folder, release = held_folder(data)
    try:
        yield folder
    finally:
        release()


def held_folder(data: Path) -> tuple[Path, Callable[[], None]]:
    """A new folder below `data`, and how to give it back; what dead processes left there is removed first.

    Raises
    ------
    OSError
        Nothing may be written there.
    """
    forget_dead(data)
    while True:
        folder = data / f"{PREFIX}{uuid4().hex}"
        folder.mkdir()
        try:
            lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        except FileNotFoundError:
            continue  # somebody took it for a dead one's before there was a lock
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / LOCK).exists():  # else before it was locked
            break
        os.close(lock)

    def release() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)

    return folder, release


def forget_dead(data: Path) -> None:
    """Remove the folders whose makers are gone."""
    for left in data.glob(f"{PREFIX}*"):
        try:
            lock = os.open(left / LOCK, os.O_RDWR)
        except FileNotFoundError:  # its maker is about to lock it, or died before
            with suppress(OSError):
                left.rmdir()
            continue
        with suppress(BlockingIOError):  # its maker is at work
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
        os.close(lock)
