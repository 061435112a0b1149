"""What has a long build finished, so that one that was stopped goes on from there?

Below `data/building`, one folder per content of the log and question: rows made of each piece of the log, and signals
of each chunk of customers. What is there is whole: it is written aside, brought to the disk and then named.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from features import history
from features.cutoffs import Grid
from features.made_by import made_by
from features.plan import Plan
from features.readings import Readings
from records.events import EventLog
from records.manifest import read_manifest
from records.own_tables import own_tables
from records.scratch import scratch

MOST_STOPPED = 1
"""So many other builds of the same log that were stopped are kept, those begun last."""


@contextmanager
def workplace(
    log: EventLog, plan: Plan, found: Sequence[Grid], customers: Sequence[str] | None, readings: Readings | None
) -> Iterator[Path]:
    """A folder for the rows and signals of this build, with what a stopped build of the same left there.

    One process at a time has it, and it is gone once the build is through; any other gets an empty folder.
    """
    root = log.data / "building"
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with scratch(log.data) as folder:
                yield folder
            return
        content = _content(log)
        folder = root / f"{content}-{_question(plan, found, customers, readings)}"
        _forget_others(root, content, folder)
        folder.mkdir(exist_ok=True)
        yield folder
        shutil.rmtree(folder)


def _content(log: EventLog) -> str:
    """A short name of exactly these files: events, and the company's own tables."""
    manifest = read_manifest(log.folder)
    files = [*(log.folder / part.path for part in manifest.parts), *own_tables(log.data, "signals").values()]
    stats = [(path, path.stat()) for path in sorted(files)]
    return _short(*((path.name, stat.st_size, stat.st_mtime_ns) for path, stat in stats), manifest.parts)


def _question(plan: Plan, found: Sequence[Grid], customers: Sequence[str] | None, readings: Readings | None) -> str:
    """A short name of everything else that the rows and signals of a build depend on."""
    names = [signal.name for signal in plan.signals]
    sizes = (history.EVENTS_AT_ONCE, history.EVENTS_PER_CHUNK, history.CELLS_PER_CHUNK)
    chosen = None if customers is None else sorted(set(customers))
    read = None if readings is None else readings.digest()
    return _short(made_by(), plan.key, plan.fitted.to_json(), names, found, chosen, sizes, read)


def _short(*parts: object) -> str:
    return sha256("\n".join(map(repr, parts)).encode()).hexdigest()[:16]


def _forget_others(root: Path, content: str, used: Path) -> None:
    """Delete what was left of another log, and of this one by builds that others were begun after."""
    others = [path for path in root.iterdir() if path.is_dir() and path != used]
    same = [path for path in others if path.name.startswith(f"{content}-")]
    same.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in others:
        if path not in same[:MOST_STOPPED]:
            shutil.rmtree(path)
