"""What became of each row of the files handed in? Accepted, a duplicate, or rejected with its line and the reason.

A file is read in chunks, its good rows are set aside as Parquet, and then added to the log at once: a file that fails
half-way adds nothing. Rejected rows are kept below `quarantine`, one JSON object per line.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from records.canonical import COLUMNS, EVENT_SCHEMA
from records.chunks import Chunk, open_chunks
from records.events import EventLog, identified_sql
from records.mapping import Mapping
from records.parts import quoted
from records.reading import Reject, layout_of
from records.translating import translation_sql

if TYPE_CHECKING:
    import duckdb

REPORTED_REJECTS = 1_000  # as many are in the report; all of them are in quarantine

Progress = Callable[[Path, int], None]  # the file and how many of its rows are read


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """accepted + duplicates + rejected are all the rows of the files."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    rejects: list[Reject] = field(default_factory=list)  # the first ones
    quarantined: list[Path] = field(default_factory=list)  # files with all of them

    def plus(self, other: ImportReport) -> ImportReport:
        """Both together."""
        return ImportReport(
            accepted=self.accepted + other.accepted,
            duplicates=self.duplicates + other.duplicates,
            rejected=self.rejected + other.rejected,
            rejects=(self.rejects + other.rejects)[:REPORTED_REJECTS],
            quarantined=self.quarantined + other.quarantined,
        )


class Quarantine:
    """Where the rejected rows of one file go; a dry run keeps none."""

    def __init__(self, source: Path, folder: Path | None, now: datetime) -> None:
        stamp = now.strftime("%Y%m%dT%H%M%SZ")
        self.path = None if folder is None else folder / f"{stamp}-{source.name}.jsonl"
        self.first: list[Reject] = []
        self.count = 0
        self._file: TextIO | None = None

    def __enter__(self) -> Quarantine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, reject: Reject) -> None:
        """Keep this row."""
        self.count += 1
        if len(self.first) < REPORTED_REJECTS:
            self.first.append(replace(reject, row=reject.row[:500]))
        if self.path is None:
            return
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            number = 2
            while self.path.exists():  # two files of one name, imported at one instant
                self.path = self.path.with_name(f"{self.path.name.removesuffix('.jsonl').split('~')[0]}~{number}.jsonl")
                number += 1
            self._file = self.path.open("w", encoding="utf-8")
        self._file.write(json.dumps(asdict(reject), ensure_ascii=False) + "\n")

    def report(self, accepted: int, duplicates: int) -> ImportReport:
        """The report of this file."""
        kept = [self.path] if self.path is not None and self.count else []
        return ImportReport(
            accepted=accepted, duplicates=duplicates, rejected=self.count, rejects=self.first, quarantined=kept
        )


def import_events(
    log: EventLog,
    files: Sequence[Path],
    mapping: Mapping | None,
    now: datetime,
    quarantine: Path,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Read these files into the log. Without a mapping their columns must bear the canonical names.

    Raises InputError if a file or the mapping cannot be used at all; files before it stay imported.
    """
    report = ImportReport()
    for path in files:
        with Quarantine(path, None if dry_run else quarantine, now) as aside:
            appended = _import_file(log, path, mapping, now, aside, dry_run, progress)
            report = report.plus(aside.report(*appended))
    return report


def _import_file(
    log: EventLog,
    path: Path,
    mapping: Mapping | None,
    now: datetime,
    aside: Quarantine,
    dry_run: bool,
    progress: Progress | None,
) -> tuple[int, int]:
    """How many rows of this file were accepted, and how many were duplicates."""
    layout = layout_of(path) if mapping is None else mapping.layout(path)
    sources, chunks = open_chunks(path, layout, mapping, aside.add)
    if not dry_run:
        log.data.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="import-", dir=None if dry_run else log.data))
    try:
        with log.connection() as con:
            sql = translation_sql(mapping, sources, "chunk", now, layout.format == "jsonl")
            read = 0
            with pq.ParquetWriter(scratch / "rows.parquet", _STAGED, compression="lz4") as writer:
                for chunk in chunks:
                    writer.write_table(_translated(con, sql, chunk, path, aside.add))
                    read += len(chunk.lines)
                    if progress is not None:
                        progress(path, read)
            staged = f"read_parquet({quoted(scratch / 'rows.parquet')})"
            identified = f"read_parquet({quoted(scratch / 'identified.parquet')})"
            con.execute(
                f"copy ({identified_sql(staged)}) to {quoted(scratch / 'identified.parquet')} (compression lz4)"
            )
            appended = log.append_relation(con, identified, dry_run=dry_run)
        return appended.accepted, appended.duplicates
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


_STAGED = pa.schema([EVENT_SCHEMA.field(name).with_nullable(True) for name in COLUMNS])


def _translated(
    con: duckdb.DuckDBPyConnection, sql: str, chunk: Chunk, path: Path, reject: Callable[[Reject], None]
) -> pa.Table:
    """The good rows of a chunk as events; the others go to `reject`."""
    places = pa.array(range(len(chunk.lines)), pa.int64())
    columns = [column if isinstance(column, pa.Array) else pa.array(column, pa.string()) for column in chunk.columns]
    con.register("chunk", pa.table([places, *columns], names=["line", *(f"c{index}" for index in range(len(columns)))]))
    try:
        table: pa.Table = con.sql(sql).to_arrow_table()
    finally:
        con.unregister("chunk")
    reasons = table.column("reason")
    if reasons.null_count < len(table):
        for found in table.filter(pc.is_valid(reasons)).select(["line", "reason", "value"]).to_pylist():
            place = found["line"]
            reject(Reject(str(path), chunk.lines[place], found["reason"], found["value"], chunk.row(place)))
        table = table.filter(pc.is_null(reasons))
    return table.select(list(COLUMNS)).cast(_STAGED)
