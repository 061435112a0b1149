"""What became of each row of the files handed in? Accepted, a duplicate, or rejected with its line and the reason.

A file is read in chunks, its good rows are set aside as Parquet, and then added to the log at once: a file that fails
half-way adds nothing. Rejected rows are kept below `quarantine`, one JSON object per line.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from records.canonical import COLUMNS, EVENT_SCHEMA
from records.chunks import Chunk, open_chunks
from records.customer_files import import_customers
from records.errors import InputError
from records.events import EventLog, identified_sql
from records.mapping import Mapping
from records.parts import quoted
from records.quarantine import ImportReport, Progress, Quarantine
from records.reading import Reject, layout_of
from records.scratch import scratch
from records.translating import translation_sql

if TYPE_CHECKING:
    import duckdb

__all__ = ["ImportReport", "Progress", "import_customers", "import_events"]


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
    place = tempfile.TemporaryDirectory() if dry_run else scratch(log.data)
    with place as path_of_it, log.connection() as con:
        folder = Path(path_of_it)
        sql = translation_sql(mapping, sources, "chunk", now, layout.format == "jsonl")
        read = 0
        with pq.ParquetWriter(folder / "rows.parquet", _STAGED, compression="lz4") as writer:
            for chunk in chunks:
                writer.write_table(_translated(con, sql, chunk, path, aside.add))
                read += len(chunk.lines)
                if progress is not None:
                    progress(path, read)
        staged = f"read_parquet({quoted(folder / 'rows.parquet')})"
        identified = f"read_parquet({quoted(folder / 'identified.parquet')})"
        con.execute(f"copy ({identified_sql(staged)}) to {quoted(folder / 'identified.parquet')} (compression lz4)")
        appended = log.append_relation(con, identified, dry_run=dry_run)
    return appended.accepted, appended.duplicates


MAX_DEPTH = 100  # of JSON: whoever reads it later has less room for nesting than the importer
_MARKS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)  # whole strings, so that marks inside them do not count
_STAGED = pa.schema([EVENT_SCHEMA.field(name).with_nullable(True) for name in COLUMNS])


def _translated(
    con: duckdb.DuckDBPyConnection, sql: str, chunk: Chunk, path: Path, reject: Callable[[Reject], None]
) -> pa.Table:
    """The good rows of a chunk as events; the others go to `reject`."""
    import duckdb

    places = pa.array(range(len(chunk.lines)), pa.int64())
    columns = [column if isinstance(column, pa.Array) else pa.array(column, pa.string()) for column in chunk.columns]
    con.register("chunk", pa.table([places, *columns], names=["line", *(f"c{index}" for index in range(len(columns)))]))
    try:
        table: pa.Table = con.sql(sql).to_arrow_table()
    except duckdb.Error as error:  # a pattern of times or a zone that only DuckDB knows to be wrong
        said = str(error).splitlines()[0]
        raise InputError(
            f"{path} cannot be translated: {said}.", remedy="Correct the mapping or the file.", file=str(path)
        ) from error
    finally:
        con.unregister("chunk")
    table = _without_depth(table)
    reasons = table.column("reason")
    if reasons.null_count < len(table):
        for found in table.filter(pc.is_valid(reasons)).select(["line", "reason", "value"]).to_pylist():
            place = found["line"]
            reject(Reject(str(path), chunk.lines[place], found["reason"], found["value"], chunk.row(place)))
        table = table.filter(pc.is_null(reasons))
    return table.select(list(COLUMNS)).cast(_STAGED)


def _without_depth(table: pa.Table) -> pa.Table:
    """The same rows, those whose properties nest too deep with a reason. Only rows with many brackets are looked at."""
    properties = table.column("properties")
    brackets = pc.add(pc.count_substring(properties, "["), pc.count_substring(properties, "{"))
    suspects = pc.greater(brackets, pa.scalar(MAX_DEPTH)).to_pylist()
    deep = [
        place
        for place, suspect in enumerate(suspects)
        if suspect and _depth_of_json(properties[place].as_py()) > MAX_DEPTH
    ]
    if not deep:
        return table
    reasons = table.column("reason").to_pylist()
    for place in deep:
        reasons[place] = reasons[place] or f"properties nest deeper than {MAX_DEPTH} levels"
    return table.set_column(table.schema.get_field_index("reason"), "reason", pa.array(reasons, pa.string()))


def _depth_of_json(text: str) -> int:
    """How deep do its lists and objects go?"""
    depth = deepest = 0
    for mark in _MARKS.findall(text):
        if mark in ("[", "{"):
            depth += 1
            deepest = max(depth, deepest)
        elif mark in ("]", "}"):
            depth -= 1
    return deepest
