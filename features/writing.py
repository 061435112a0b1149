"""How do signals come into a file that may be larger than memory?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from records.errors import InputError
from records.manifest import sync_file, sync_folder

if TYPE_CHECKING:
    import pyarrow as pa


def write_signals(tables: Iterable[pa.Table], out: Path) -> int:
    """Write these tables one below the other to `out`, as CSV or Parquet by its ending; how many rows it has then.

    One table is in memory at a time. The file is there once it is whole: a build that is stopped, or finds the disk
    full, leaves what was there before. It holds nothing about the run that made it: equal tables, equal bytes.

    Raises
    ------
    InputError
        The name ends in something else.
    """
    if out.suffix not in (".csv", ".parquet"):
        raise InputError(
            f"Cannot write signals to {out.name}.", remedy="End the name in .csv or .parquet.", file=str(out)
        )
    rows, writer = 0, None
    with _aside(out) as scratch:
        try:
            for table in tables:
                writer = writer or _writer(scratch, table.schema, out.suffix)
                writer.write_table(table)
                rows += table.num_rows
        finally:
            if writer is not None:
                writer.close()
    return rows


def _writer(path: Path, schema: pa.Schema, suffix: str) -> Any:
    import pyarrow.csv as csv
    import pyarrow.parquet as parquet

    return csv.CSVWriter(path, schema) if suffix == ".csv" else parquet.ParquetWriter(path, schema)


@contextmanager
def _aside(out: Path) -> Iterator[Path]:
    """A file beside `out` that takes its name at the end, and is removed if it does not come to that."""
    scratch = out.with_name(f".{out.name}.unfinished")
    try:
        yield scratch
        sync_file(scratch)
        scratch.replace(out)
        sync_folder(out.parent)
    finally:
        scratch.unlink(missing_ok=True)
