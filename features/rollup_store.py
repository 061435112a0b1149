"""What is kept of the log from night to night, so that scoring costs the new day and not the history?

Below `data/rollup`, one folder per plan and time of day: segments of row tables as `History` has them, and a manifest
that names them with the parts of the log they were made of. New events become a segment of their own, small segments
are merged, the manifest is swapped as one piece. Whatever is not in the manifest does not exist, so a crash at any
instant leaves the old roll-up or the new one. Rows say when they became known: a cutoff in the past sees its past.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.days import added_up
from features.history import EVENTS_AT_ONCE, History, Segment
from features.made_by import made_by
from features.plan import Plan
from features.reading import Reading, by_customer, names_of, people_of
from features.row_files import RowFile, all_parts, whole
from records.errors import InputError
from records.events import EventLog
from records.growth import growth
from records.manifest import only_appender, replace_file, sync_file, sync_folder

if TYPE_CHECKING:
    import duckdb

MOST_SEGMENTS = 8
"""Small segments beyond so many are merged into one."""

MOST_ROLLUPS = 4
"""Roll-ups of so many plans are kept, those used last; a retrained model may need another."""

PEOPLE, PEOPLE_COLUMNS = "people", ["code", "known_us", "events"]


def kept_history(
    con: duckdb.DuckDBPyConnection, log: EventLog, plan: Plan, phase_us: int, progress: Callable[[int], None]
) -> History:
    """The history of everybody in the log, from the roll-up of this plan, which is brought up to date first.

    One process at a time brings it up to date, others wait; what they then read stays readable to the end.
    """
    root = log.data / "rollup"
    folder = root / f"{plan.key}-{phase_us}"
    with only_appender(root):
        folder.mkdir(exist_ok=True)
        store = _Store(folder, plan, phase_us)
        store.follow(con, log, progress)
        _forget_others(root, folder)
        return store.history()


def _forget_others(root: Path, used: Path) -> None:
    """Delete roll-ups not used for the longest time."""
    (used / "used").touch()
    found = sorted(root.glob("*/used"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in found[MOST_ROLLUPS:]:
        if path.parent != used:  # a clock that was set back may call it the oldest
            shutil.rmtree(path.parent)


class _Store:
    """One roll-up. Only for whoever holds the lock."""

    def __init__(self, folder: Path, plan: Plan, phase_us: int) -> None:
        self.folder, self.plan, self.phase_us = folder, plan, phase_us
        self.days = {table.name: table.days for table in plan.tables}
        try:
            stored = json.loads((folder / "manifest.json").read_bytes())
        except (FileNotFoundError, ValueError):
            stored = {}  # a roll-up can always be made again
        fits = stored.get("made_by") == made_by()
        self.parts: list[str] = stored["parts"] if fits else []
        self.segments: list[dict[str, Any]] = stored["segments"] if fits else []
        self.names: dict[str, int] = stored["names"] if fits else {}

    def follow(self, con: duckdb.DuckDBPyConnection, log: EventLog, progress: Callable[[int], None]) -> None:
        """Take in what the log has beyond this."""
        self._sweep()
        grown = growth(con, log, self.parts, EVENTS_AT_ONCE)
        if grown is None or not all((self.folder / segment["folder"]).is_dir() for segment in self.segments):
            self.parts, self.segments, self.names = [], [], {}
            grown = growth(con, log, (), EVENTS_AT_ONCE)
        if grown is None:
            raise InputError("The event log cannot be read.", remedy="Run `pehle doctor`.", file=str(log.folder))
        ids = self._ids()
        for source, rows in grown.sources:
            ids = self._take_in(con, source, ids)
            progress(rows)
        if grown.sources or set(grown.parts) != set(self.parts):
            self.parts = list(grown.parts)
            self._merge()
            self._swap()
            self._sweep()

    def history(self) -> History:
        """All that is kept."""
        segments = [self._open(segment) for segment in self.segments]
        ids = self._ids()
        known, events = np.full(len(ids), np.iinfo(np.int64).max), np.zeros(len(ids), np.int64)
        for segment in segments:
            people = whole(segment[PEOPLE])
            code = people.column("code").to_numpy()
            known[code] = np.minimum(known[code], people.column("known_us").to_numpy())
            events[code] += people.column("events").to_numpy()
        rows = [{name: table for name, table in segment.items() if name in self.days} for segment in segments]
        shared = [f"rows_{step.name}" for step in self.plan.steps if step.everyone]
        return History(ids, known, events, self.names, rows, all_parts(rows, shared))

    def _ids(self) -> pa.Array[Any]:
        """Who has which number? New customers get the next ones, so a number never changes its owner."""
        parts = [self._read(segment, "ids").whole().column(0) for segment in self.segments]
        chunks = [chunk for part in parts for chunk in part.chunks]
        return pa.concat_arrays(chunks) if chunks else pa.array([], pa.string())

    def _take_in(self, con: duckdb.DuckDBPyConnection, source: str, ids: pa.Array[Any]) -> pa.Array[Any]:
        """Make a segment of these events; everybody's numbers, the new ones included."""
        people = people_of(con, source)
        who = people.column("customer_id").combine_chunks()
        code = pc.index_in(who, value_set=ids).fill_null(-1).to_numpy().astype(np.int32)
        new = who.filter(pa.array(code < 0))
        code[code < 0] = np.arange(len(ids), len(ids) + len(new))
        people = people.set_column(people.column_names.index("code"), "code", pa.array(code))
        names = names_of(con, source, self.phase_us)
        for name, day in names.items():
            self.names[name] = min(day, self.names.get(name, day))
        tables = Reading(con, self.plan, self.phase_us, people, names).tables(source)
        kept = people.select(PEOPLE_COLUMNS).sort_by("code")
        self.segments.append(self._write({**tables, PEOPLE: kept, "ids": pa.table({"customer_id": new})}))
        return pa.concat_arrays([ids, new])

    def _merge(self) -> None:
        """Put small segments together once there are many. Large ones stay: memory holds the small ones only."""
        large = max((segment["events"] for segment in self.segments), default=0) // 4
        first = 1 + max((place for place, one in enumerate(self.segments) if one["events"] >= large), default=-1)
        kept, small = self.segments[:first], self.segments[first:]
        if len(small) <= MOST_SEGMENTS:
            return
        opened = [self._open(segment) for segment in small]
        tables = {name: self._together(name, opened) for name in self.days if any(name in one for one in opened)}
        grouped = pa.concat_tables([whole(segment[PEOPLE]) for segment in opened]).group_by("code")
        people = grouped.aggregate([("known_us", "min"), ("events", "sum")]).rename_columns(PEOPLE_COLUMNS)
        tables[PEOPLE] = people.sort_by("code")
        tables["ids"] = pa.concat_tables([self._read(segment, "ids").whole() for segment in small])
        self.segments = [*kept, self._write(tables)]

    def _together(self, name: str, segments: Sequence[Segment]) -> pa.Table:
        """The same table of several segments as one."""
        kinds, rows = self.days[name], pa.concat_tables([whole(one[name]) for one in segments if name in one])
        return by_customer(rows) if kinds is None else added_up(rows, kinds)

    def _open(self, segment: dict[str, Any]) -> Segment:
        return {name: self._read(segment, name) for name in segment["tables"]}

    def _read(self, segment: dict[str, Any], name: str) -> RowFile:
        return RowFile(self.folder / segment["folder"] / name, held=True)

    def _write(self, tables: dict[str, pa.Table]) -> dict[str, Any]:
        """Write a segment, durably; only the manifest makes it count."""
        folder = self.folder / uuid4().hex
        folder.mkdir()
        for name, table in tables.items():
            RowFile.write(folder / name, table)
            sync_file(folder / name)
        sync_folder(folder)
        events = int(pc.sum(tables[PEOPLE].column("events")).as_py() or 0)
        return {"folder": folder.name, "tables": [name for name in tables if name != "ids"], "events": events}

    def _swap(self) -> None:
        stored = {"made_by": made_by(), "parts": self.parts, "segments": self.segments, "names": self.names}
        replace_file(self.folder / "manifest.json", json.dumps(stored, ensure_ascii=False).encode())

    def _sweep(self) -> None:
        """Remove what the manifest does not name: segments merged away, or left by a process that was killed."""
        named = {segment["folder"] for segment in self.segments}
        for path in self.folder.iterdir():
            if path.is_dir() and path.name not in named:
                shutil.rmtree(path)
