"""Where do rows lie that memory need not hold? In Arrow files, of which a range of customers is read at a time."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from records.manifest import sync_file, sync_folder

ROWS_PER_BATCH = 65_536


class RowFile:
    """A table in a file, sorted by `code` if it has codes. Of what is asked for, the kernel reads what is looked at."""

    def __init__(self, path: Path, *, held: bool = False) -> None:
        """`held`: opened once and for all, so that it can be read even when somebody removes it meanwhile."""
        self.path = path
        self._held = pa.ipc.open_file(pa.memory_map(str(path))) if held else None

    @classmethod
    def write(cls, path: Path, rows: pa.Table) -> RowFile:
        """Put these rows into a file. A table without codes is read whole."""
        batches = rows.combine_chunks().to_batches(max_chunksize=ROWS_PER_BATCH)
        schema = rows.schema
        if "code" in schema.names:
            firsts = np.asarray([batch.column("code")[0].as_py() for batch in batches], np.int64)
            schema = schema.with_metadata({b"first codes": firsts.tobytes()})
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
            for batch in batches:
                writer.write_batch(batch.replace_schema_metadata(schema.metadata))
        return cls(path)

    def between(self, low: int, high: int) -> pa.Table:
        """The rows of customers `low` up to `high`."""
        first = max(int(np.searchsorted(self._firsts, low)) - 1, 0)  # the batch before may end with this customer
        last = int(np.searchsorted(self._firsts, high))
        with self._opened() as file:
            batches = [file.get_batch(place) for place in range(first, last)]
            rows = pa.Table.from_batches(batches, file.schema)
        return between(rows.replace_schema_metadata(), low, high)

    def select(self, names: Sequence[str]) -> pa.Table:
        """Only these columns, of all rows."""
        return self.whole().select(names)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows, some at a time."""
        with self._opened() as file:
            for place in range(file.num_record_batches):
                yield file.get_batch(place).replace_schema_metadata()

    def whole(self) -> pa.Table:
        """All rows."""
        with self._opened() as file:
            rows: pa.Table = file.read_all().replace_schema_metadata()
            return rows

    @cached_property
    def _firsts(self) -> NDArray[np.int64]:
        """The first code of each batch."""
        with self._opened() as file:
            return np.frombuffer((file.schema.metadata or {}).get(b"first codes", b""), np.int64)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        if self._held is not None:
            yield self._held
            return
        with pa.memory_map(str(self.path)) as source:  # no more files are open than are being read
            yield pa.ipc.open_file(source)


def between(rows: pa.Table | RowFile, low: int, high: int) -> pa.Table:
    """The rows of these customers, of a table sorted by customer."""
    if isinstance(rows, RowFile):
        return rows.between(low, high)
    parts, start = [rows.slice(0, 0)], 0
    for codes in rows.column("code").chunks:
        first, last = np.searchsorted(codes.to_numpy(), [low, high])
        parts.append(rows.slice(start + int(first), int(last - first)))
        start += len(codes)
    return pa.concat_tables(parts)


def whole(rows: pa.Table | RowFile) -> pa.Table:
    """All rows, in memory."""
    return rows.whole() if isinstance(rows, RowFile) else rows


def schema_of(rows: pa.Table | RowFile) -> pa.Schema:
    """The columns of this table, which has a row."""
    return next(rows.batches()).schema if isinstance(rows, RowFile) else rows.schema


def batches(parts: Sequence[pa.Table | RowFile]) -> Iterator[pa.RecordBatch]:
    """The rows of these tables, one after the other; of those in files no more than a batch is in memory."""
    for part in parts:
        yield from part.batches() if isinstance(part, RowFile) else part.to_batches()


def all_parts(segments: Sequence[Mapping[str, pa.Table | RowFile]], names: Sequence[str]) -> dict[str, list[Any]]:
    """These tables, each as the parts of it that the segments have."""
    found = {name: [segment[name] for segment in segments if name in segment] for name in names}
    return {name: parts for name, parts in found.items() if parts}


def kept_tables(folder: Path, make: Callable[[], Mapping[str, pa.Table]]) -> dict[str, RowFile]:
    """The tables in this folder. Where it does not exist they are made: written aside, brought to the disk, named."""
    if not folder.is_dir():
        aside = folder.with_name(f"{folder.name}.unfinished")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        for name, table in make().items():
            RowFile.write(aside / name, table)
            sync_file(aside / name)
        sync_folder(aside)
        aside.rename(folder)
        sync_folder(folder.parent)
    return {path.name: RowFile(path) for path in sorted(folder.iterdir())}
