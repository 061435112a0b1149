"""Which events came since somebody last looked? For what is kept of the log and must follow it.

Whoever keeps something made of events remembers the names of the parts it was made of. Parts are never altered, so what
was made stays true; when small parts were merged, the new file holds the old events and perhaps a few more.
"""

# ruff: noqa: S608  the SQL is made of our own column names and file names
from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from records.canonical import COLUMNS
from records.events import EventLog
from records.manifest import Part, read_manifest
from records.parts import files_sql

if TYPE_CHECKING:
    import duckdb

_LIST = ", ".join(COLUMNS)


@dataclass(frozen=True)
class Growth:
    """What is new since some parts were read."""

    parts: tuple[str, ...]  # all parts of the log now, as `seen` of the next time
    sources: tuple[tuple[str, int], ...]  # relations of the fresh events, each with about how many these are


def growth(con: duckdb.DuckDBPyConnection, log: EventLog, seen: Collection[str], rows: int) -> Growth | None:
    """Which events does the log have beyond those of the parts `seen`, in relations of about `rows` events?

    None if an event that was seen is gone or changed: whatever was made of these parts must be made again.
    """
    manifest = read_manifest(log.folder)
    names = tuple(_name(part) for part in manifest.parts)
    fresh = [part for part in manifest.parts if _name(part) not in set(seen)]
    gone = [name.split("|")[0] for name in sorted(set(seen) - set(names))]
    if not gone:
        return Growth(names, tuple(in_pieces(log, fresh, rows)))
    retired = {path for _, path in manifest.retired}
    if not all(path in retired and (log.folder / path).exists() for path in gone):
        return None
    old = ", ".join("'" + str(log.folder / path).replace("'", "''") + "'" for path in gone)
    before = f"(select {_LIST} from read_parquet([{old}], hive_partitioning = false))"
    now = f"(select {_LIST} from {files_sql(log.folder, fresh)})" if fresh else f"(select * from {before} where false)"
    lost = con.execute(f"select count(*) from (select {_LIST} from {before} except all select {_LIST} from {now})")
    if lost.fetchall() != [(0,)]:
        return None
    more = f"(select * from {now} anti join {before} using (event_id))"
    [(count,)] = con.execute(f"select count(*) from {more}").fetchall()
    return Growth(names, ((more, count),) if count else ())


def _name(part: Part) -> str:
    """Which part is this? Its path alone would come again in a log that was begun anew."""
    return "|".join([part.path, str(part.rows), *map(str, (part.first, part.last, part.first_received))])


def in_pieces(log: EventLog, parts: Sequence[Part], rows: int) -> list[tuple[str, int]]:
    """The events of these parts in relations of about so many each."""
    found: list[tuple[str, int]] = []
    together: list[Part] = []
    for part in parts:
        if together and sum(one.rows for one in together) + part.rows > rows:
            found += _piece(log, together, rows)
            together = []
        together.append(part)
    return found + (_piece(log, together, rows) if together else [])


def _piece(log: EventLog, parts: Sequence[Part], rows: int) -> list[tuple[str, int]]:
    """These parts as one relation, or, if one part alone is too large, as several."""
    count = sum(part.rows for part in parts)
    source, pieces = f"(select {_LIST} from {files_sql(log.folder, parts)})", -(-count // rows)
    if pieces == 1:
        return [(source, count)]
    return [
        (f"(select * from {source} where hash(event_id) % {pieces} = {one})", count // pieces) for one in range(pieces)
    ]
