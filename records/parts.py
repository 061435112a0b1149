"""How do events become the Parquet files of the log?

Files are written aside, flushed, and moved into the folder of their month; only the manifest makes them count.
"""

# ruff: noqa: S608  the SQL is made of our own column names and file names
from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from records.canonical import COLUMNS
from records.errors import InputError
from records.manifest import Manifest, Part, sync_file, sync_folder

if TYPE_CHECKING:
    import duckdb

SMALL_PART_ROWS = 50_000
SMALL_PARTS = 16  # as many small parts of a month are merged into one


def files_sql(folder: Path, parts: Iterable[Part]) -> str:
    """SQL of the rows of these parts."""
    files = ", ".join(quoted(folder / part.path) for part in parts)
    return f"read_parquet([{files}], hive_partitioning = false)"


def quoted(path: Path) -> str:
    """This path as an SQL string."""
    return "'" + str(path).replace("'", "''") + "'"


def write_parts(folder: Path, con: duckdb.DuckDBPyConnection, relation: str, generation: int) -> list[Part]:
    """The rows of a relation as new files of the log, durable but not yet in the manifest."""
    arriving = folder / ".arriving"
    arriving.mkdir()
    con.execute(
        f"copy (select {', '.join(COLUMNS)}, strftime(occurred_at, '%Y-%m') as month from {relation}) "
        f"to {quoted(arriving)} (format parquet, partition_by (month), compression zstd, overwrite_or_ignore, "
        f"filename_pattern 'part-{generation:08d}-{{i}}')"
    )
    parts = []
    for file in sorted(arriving.glob("month=*/*.parquet")):
        sync_file(file)
        month = folder / file.parent.name
        month.mkdir(exist_ok=True)
        parts.append(_describe(file.replace(month / file.name)))
    for month in {folder / part.month for part in parts}:
        sync_folder(month)
    sync_folder(folder)
    shutil.rmtree(arriving)
    return parts


def _describe(file: Path) -> Part:
    """The facts the manifest keeps about a part, from the file's own statistics."""
    meta = pq.read_metadata(file)
    occurred, received = _bounds(meta, "occurred_at", file), _bounds(meta, "received_at", file)
    return Part(
        path=f"{file.parent.name}/{file.name}",
        rows=meta.num_rows,
        first=occurred[0],
        last=occurred[1],
        first_received=received[0],
    )


def _bounds(meta: pq.FileMetaData, name: str, file: Path) -> tuple[datetime, datetime]:
    found: list[datetime] = []
    for group in range(meta.num_row_groups):
        statistics: Any = meta.row_group(group).column(COLUMNS.index(name)).statistics
        if statistics is None or not statistics.has_min_max:
            raise InputError(f"{file} carries no statistics of {name}.", remedy="Import again.", file=str(file))
        found += [statistics.min, statistics.max]
    return min(found), max(found)


def small_parts(manifest: Manifest, months: set[str]) -> list[Part]:
    """The parts worth merging while these months are written to anyway."""
    merged = []
    for month in sorted(months):
        small = [part for part in manifest.parts if part.month == month and part.rows < SMALL_PART_ROWS]
        if len(small) >= SMALL_PARTS:
            merged += small
    return merged


def forget_leftovers(folder: Path, manifest: Manifest) -> None:
    """Remove what an append that was killed left behind; no manifest names it."""
    shutil.rmtree(folder / ".arriving", ignore_errors=True)
    for file in folder.glob(f"month=*/part-{manifest.generation + 1:08d}-*.parquet"):
        file.unlink()


def delete_retired(folder: Path, before: Manifest, after: Manifest) -> None:
    """Remove files that were merged away so long ago that nobody reads them any more."""
    for _, path in set(before.retired) - set(after.retired):
        (folder / path).unlink(missing_ok=True)
