"""Where do rows lie that memory need not hold? In Arrow files, of which a range of customers is read at a time."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from records.manifest import sync_file, sync_folder

ROWS_PER_BATCH = 65_536


class RowFile:
    """A table sorted by `code` in a file. Only the batches that are asked for are read, into memory of their own."""

    def __init__(self, path: Path) -> None:
        self._file = pa.ipc.open_file(pa.OSFile(str(path), "rb"))
        firsts = (self._file.schema.metadata or {}).get(b"first codes", b"")
        self._firsts = np.frombuffer(firsts, np.int64)

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
        batches = [self._file.get_batch(place) for place in range(first, last)]
        return between(pa.Table.from_batches(batches, self._file.schema).replace_schema_metadata(), low, high)

    def whole(self) -> pa.Table:
        """All rows."""
        return self._file.read_all().replace_schema_metadata()


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


def joined(segments: Sequence[Mapping[str, pa.Table | RowFile]], names: Sequence[str]) -> dict[str, pa.Table]:
    """These tables over all segments, in memory."""
    found = {name: [whole(segment[name]) for segment in segments if name in segment] for name in names}
    return {name: pa.concat_tables(parts) for name, parts in found.items() if parts}


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
