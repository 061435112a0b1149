"""What became of each row of the files handed in? Accepted, a duplicate, or rejected with its line and the reason.

A file is read in chunks, its good rows are set aside as Parquet, and then added to the log at once: a file that fails
half-way adds nothing. Rejected rows are kept below `quarantine`, one JSON object per line.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from records.canonical import COLUMNS, EVENT_SCHEMA, REQUIRED
from records.errors import InputError
from records.events import EventLog, identified_sql
from records.mapping import Mapping
from records.parts import quoted
from records.reading import Layout, Reject, Row, as_text, layout_of, read_json, read_text
from records.translating import translation_sql

if TYPE_CHECKING:
    import duckdb

CHUNK_ROWS = 50_000
CHUNK_CHARACTERS = 32_000_000
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
    sources, chunks = _open(path, layout, mapping, aside.add)
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


@dataclass(frozen=True, kw_only=True)
class _Chunk:
    """Some rows of a source: the texts of its columns, side by side."""

    lines: Sequence[int]
    columns: Sequence[Any]  # lists or Arrow arrays
    row: Callable[[int], str]  # the row at this place, as it stands in the file


def _translated(
    con: duckdb.DuckDBPyConnection, sql: str, chunk: _Chunk, path: Path, reject: Callable[[Reject], None]
) -> pa.Table:
    """The good rows of a chunk as events; the others go to `reject`."""
    places = pa.array(range(len(chunk.lines)), pa.int64())
    columns = [column if isinstance(column, pa.Array) else pa.array(column, pa.string()) for column in chunk.columns]
    con.register("chunk", pa.table([places, *columns], names=["line", *(f"c{index}" for index in range(len(columns)))]))
    try:
        table: pa.Table = con.sql(sql).to_arrow_table()
    finally:
        con.unregister("chunk")
    bad = (
        table.filter(pa.compute.is_valid(table.column("reason")))
        if table.column("reason").null_count < len(table)
        else None
    )
    if bad is None:
        return table.select(list(COLUMNS)).cast(_STAGED)
    for found in bad.select(["line", "reason", "value"]).to_pylist():
        place = found["line"]
        reject(Reject(str(path), chunk.lines[place], found["reason"], found["value"], chunk.row(place)))
    good = table.filter(pa.compute.is_null(table.column("reason")))
    return good.select(list(COLUMNS)).cast(_STAGED)


def _open(
    path: Path, layout: Layout, mapping: Mapping | None, reject: Callable[[Reject], None]
) -> tuple[list[str], Iterator[_Chunk]]:
    """The source's columns that are read, and the rows in chunks."""
    if layout.format == "jsonl":
        sources = list(COLUMNS) if mapping is None else mapping.sources()
        as_json = set() if mapping is None else _json_sources(mapping)
        known = set(COLUMNS) if mapping is None else None
        return sources, _json_chunks(read_json(path, reject, layout.encoding), sources, as_json, known, path, reject)
    if layout.format == "parquet":
        return _open_parquet(path, mapping)
    names, rows = read_text(path, layout, reject)
    sources = _needed(names, mapping, path)
    return sources, _text_chunks(rows, [names.index(name) for name in sources])


def _needed(names: Sequence[str], mapping: Mapping | None, path: Path) -> list[str]:
    """Which of the file's columns are read; a refusal if one is missing, or unknown where there is no mapping."""
    repeated = {name for name in names if list(names).count(name) > 1}
    needed = list(REQUIRED) if mapping is None else mapping.sources()
    missing = [name for name in needed if name not in names]
    strange = [name for name in names if name not in COLUMNS] if mapping is None else []
    if missing or strange or repeated & set(needed):
        wrong = f"has no column {missing[0]!r}" if missing else f"has a column {strange[0]!r} that no event has"
        if not missing and not strange:
            wrong = f"has two columns {min(repeated & set(needed))!r}"
        raise InputError(
            f"{path} {wrong}; it has {', '.join(names)[:300]}.",
            remedy="Name its columns in a mapping (--mapping), or correct the mapping.",
            file=str(path),
            line=1,
            value=(missing or strange or sorted(repeated))[0],
        )
    return list(names) if mapping is None else needed


def _text_chunks(rows: Iterator[Row], places: Sequence[int]) -> Iterator[_Chunk]:
    for some in _in_chunks(rows):
        cells = list(zip(*(row[2] for row in some), strict=True))
        raw = [row[1] for row in some]
        yield _Chunk(lines=[row[0] for row in some], columns=[cells[place] for place in places], row=raw.__getitem__)


def _in_chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    some: list[Row] = []
    size = 0
    for row in rows:
        some.append(row)
        size += len(row[1])
        if len(some) >= CHUNK_ROWS or size >= CHUNK_CHARACTERS:
            yield some
            some, size = [], 0
    if some:
        yield some


def _json_sources(mapping: Mapping) -> set[str]:
    """Columns used only as properties: these keep their JSON type."""
    return {rule.column for rule in mapping.properties.values()} - {rule.column for rule in mapping.columns.values()}


def _json_chunks(
    rows: Iterator[Row],
    sources: Sequence[str],
    as_json: set[str],
    known: set[str] | None,
    path: Path,
    reject: Callable[[Reject], None],
) -> Iterator[_Chunk]:
    def usable() -> Iterator[Row]:
        for row in rows:
            strange = row[2].keys() - known if known is not None else None
            if strange:
                name = min(strange)
                reject(Reject(str(path), row[0], f"no event has a column {name[:80]!r}", name[:200], row[1]))
            else:
                yield row

    for some in _in_chunks(usable()):
        raw = [row[1] for row in some]
        columns = []
        for source in sources:
            found = [_at(row[2], source) for row in some]
            if source in as_json:
                columns.append([None if value is None else json.dumps(value, ensure_ascii=False) for value in found])
            else:
                columns.append([as_text(value) for value in found])
        yield _Chunk(lines=[row[0] for row in some], columns=columns, row=raw.__getitem__)


def _at(content: dict[str, Any], source: str) -> Any:
    """The value under this name; a dot goes into an object."""
    if source in content or "." not in source:
        return content.get(source)
    value: Any = content
    for step in source.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _open_parquet(path: Path, mapping: Mapping | None) -> tuple[list[str], Iterator[_Chunk]]:
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(
            f"{path} cannot be read as Parquet: {error}.", remedy="Check the file.", file=str(path)
        ) from error
    sources = _needed(file.schema_arrow.names, mapping, path)
    return sources, _parquet_chunks(file, sources)


def _parquet_chunks(file: pq.ParquetFile, sources: Sequence[str]) -> Iterator[_Chunk]:
    start = 1
    with file:
        for batch in file.iter_batches(CHUNK_ROWS, columns=list(sources)):
            columns = [batch.column(name) for name in sources]
            lines = range(start, start + batch.num_rows)

            def row(place: int, batch: pa.RecordBatch = batch) -> str:
                return json.dumps(batch.slice(place, 1).to_pylist()[0], ensure_ascii=False, default=str)

            yield _Chunk(lines=lines, columns=columns, row=row)
            start += batch.num_rows
