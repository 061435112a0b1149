"""Which files make up the event log? A manifest names them, and is swapped as one piece.

A part that is not in the manifest does not exist for readers, so a crash at any instant leaves either the old log or
the new one. Parts are never altered; when small ones are merged, the old files stay for RETIREMENT further
appends, for readers that began before.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from records.errors import InputError

FORMAT = 1
RETIREMENT = 200  # appends; a job that reads for longer than that is not one of ours


@dataclass(frozen=True, kw_only=True)
class Part:
    """One Parquet file of one month."""

    path: str  # relative to the folder of the log
    rows: int
    first: datetime  # earliest and latest occurred_at
    last: datetime
    first_received: datetime  # earliest received_at

    @property
    def month(self) -> str:
        """The folder it is in, `month=2026-11`."""
        return self.path.split("/")[0]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The parts of the log after `generation` appends."""

    generation: int = 0
    parts: tuple[Part, ...] = ()
    retired: tuple[tuple[int, str], ...] = field(default=())  # (generation, path): merged away, deleted later

    @property
    def rows(self) -> int:
        """How many events."""
        return sum(part.rows for part in self.parts)

    @property
    def content(self) -> str:
        """A short name of exactly this set of parts: what was computed from it stays true as long as it is the same."""
        return sha256("\n".join(sorted(part.path for part in self.parts)).encode()).hexdigest()[:16]

    def following(self, added: list[Part], merged: set[str]) -> Manifest:
        """The next generation: with these parts added, and those merged away retired."""
        generation = self.generation + 1
        kept = tuple(part for part in self.parts if part.path not in merged)
        parts = tuple(sorted((*kept, *added), key=lambda part: part.path))
        waiting = tuple(item for item in self.retired if item[0] + RETIREMENT > generation)
        return replace(
            self,
            generation=generation,
            parts=parts,
            retired=(*waiting, *((generation, path) for path in sorted(merged))),
        )


def read_manifest(folder: Path) -> Manifest:
    """The log as it is now; empty where there is none yet."""
    path = folder / "manifest.json"
    try:
        stored = json.loads(path.read_bytes())
    except FileNotFoundError:
        return Manifest()
    except ValueError as error:
        raise InputError(
            f"The manifest of the event log is damaged: {path}.", remedy="Restore it from a backup.", file=str(path)
        ) from error
    if stored.get("format") != FORMAT:
        raise InputError(
            f"The event log has format {stored.get('format')!r}, this version reads {FORMAT}: {path}.",
            remedy="Use the version of Pehle that wrote it, or a newer one.",
            file=str(path),
        )
    parts = tuple(
        Part(
            path=part["path"],
            rows=part["rows"],
            first=datetime.fromisoformat(part["first"]),
            last=datetime.fromisoformat(part["last"]),
            first_received=datetime.fromisoformat(part["first_received"]),
        )
        for part in stored["parts"]
    )
    retired = tuple((int(generation), str(name)) for generation, name in stored["retired"])
    return Manifest(generation=stored["generation"], parts=parts, retired=retired)


def swap_manifest(folder: Path, manifest: Manifest) -> None:
    """Make this the log, durably: before this returns readers see the old log, after it the new one."""
    parts = [
        {key: value.isoformat() if isinstance(value, datetime) else value for key, value in asdict(part).items()}
        for part in manifest.parts
    ]
    content = {
        "format": FORMAT,
        "generation": manifest.generation,
        "parts": parts,
        "retired": [list(item) for item in manifest.retired],
    }
    replace_file(folder / "manifest.json", json.dumps(content, indent=0).encode())


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` at `path` in one step that survives a power cut."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    with scratch.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Wait until the file's content is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the folder's list of names is on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def only_appender(folder: Path) -> Iterator[None]:
    """Hold the log against other appenders, in this process and others; readers need no lock."""
    with one_at_a_time(folder / ".lock"):
        yield


@contextmanager
def one_at_a_time(file: Path) -> Iterator[None]:
    """Wait until nobody else holds this file, then hold it; a process that dies lets go."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def read_facts(folder: Path, manifest: Manifest) -> dict[str, Any]:
    """What was computed from exactly these parts before; empty if nothing was."""
    try:
        facts = json.loads((folder / "facts.json").read_bytes())
    except (FileNotFoundError, ValueError):
        return {}  # facts can always be computed again
    return dict(facts) if facts.get("content") == manifest.content else {}


def keep_fact(folder: Path, manifest: Manifest, name: str, value: Any) -> None:
    """Remember one fact beside the manifest; two writers at once may lose one of them, which costs only time."""
    if folder.is_dir():
        facts = {**read_facts(folder, manifest), "content": manifest.content, name: value}
        replace_file(folder / "facts.json", json.dumps(facts).encode())
