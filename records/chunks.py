"""How do rows of any kind of file come in chunks of columns, in bounded memory?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from records.canonical import COLUMNS, REQUIRED
from records.errors import InputError
from records.mapping import Mapping
from records.reading import Layout, Reject, Row, as_text, column_names, layout_of, read_json, read_text
from records.unpacking import open_input

CHUNK_ROWS = 50_000
CHUNK_CHARACTERS = 32_000_000


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Some rows of a source: the texts of its columns, side by side."""

    lines: Sequence[int]
    columns: Sequence[Any]  # lists or Arrow arrays
    row: Callable[[int], str]  # the row at this place, as it stands in the file


def open_chunks(
    path: Path, layout: Layout, mapping: Mapping | None, reject: Callable[[Reject], None]
) -> tuple[list[str], Iterator[Chunk]]:
    """The source's columns that are read, and the rows in chunks."""
    open_input(path).close()  # a file that is not there is told before anything is made
    if layout.format == "jsonl":
        sources = list(COLUMNS) if mapping is None else mapping.sources()
        as_json = set() if mapping is None else _json_sources(mapping)
        known = set(COLUMNS) if mapping is None else None
        return sources, _json_chunks(read_json(path, reject, layout.encoding), sources, as_json, known, path, reject)
    if layout.format == "parquet":
        return _open_parquet(path, mapping)
    names = column_names(path, layout)
    sources = _needed(names, mapping, path)
    return sources, _text_chunks(read_text(path, layout, reject), [names.index(name) for name in sources])


def _needed(names: Sequence[str], mapping: Mapping | None, path: Path) -> list[str]:
    """Which of the file's columns are read; a refusal if one is missing, or unknown where there is no mapping."""
    needed = list(REQUIRED) if mapping is None else mapping.sources()
    read = list(names) if mapping is None else needed
    wrong = None
    if missing := [name for name in needed if name not in names]:
        wrong, value = f"has no column {missing[0]!r}", missing[0]
    elif strange := [name for name in read if mapping is None and name not in COLUMNS]:
        wrong, value = f"has a column {strange[0]!r} that no event has", strange[0]
    elif repeated := [name for name in read if list(names).count(name) > 1]:
        wrong, value = f"has two columns {repeated[0]!r}", repeated[0]
    if wrong is not None:
        raise InputError(
            f"{path} {wrong}; it has {', '.join(names)[:300]}.",
            remedy="Name its columns in a mapping (--mapping), or correct the mapping.",
            file=str(path),
            line=1,
            value=value,
        )
    return read


def _text_chunks(rows: Iterator[Row], places: Sequence[int]) -> Iterator[Chunk]:
    for some in _in_chunks(rows):
        cells = list(zip(*(row[2] for row in some), strict=True))
        raw = [row[1] for row in some]
        yield Chunk(lines=[row[0] for row in some], columns=[cells[place] for place in places], row=raw.__getitem__)


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
) -> Iterator[Chunk]:
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
        yield Chunk(lines=[row[0] for row in some], columns=columns, row=raw.__getitem__)


def _at(content: dict[str, Any], source: str) -> Any:
    """The value under this name; a dot goes into an object."""
    if source in content or "." not in source:
        return content.get(source)
    value: Any = content
    for step in source.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _open_parquet(path: Path, mapping: Mapping | None) -> tuple[list[str], Iterator[Chunk]]:
    sources = _needed(_parquet_names(path), mapping, path)
    return sources, _parquet_chunks(path, sources)


def _parquet_names(path: Path) -> list[str]:
    with _parquet(path) as file:
        return list(file.schema_arrow.names)


@contextmanager
def _parquet(path: Path) -> Iterator[pq.ParquetFile]:
    """An opened Parquet file; damage found anywhere in it becomes a refusal that names the file."""
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())
        raise InputError(
            f"{path} cannot be read as Parquet: {said}.", remedy="Check the file.", file=str(path)
        ) from error


def _plain_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """The rows as objects; a value no Python type can hold (a day in the year 5,000,000) as the text of it."""
    try:
        return list(batch.to_pylist())
    except (OverflowError, ValueError, LookupError):
        columns = [_plain_values(column) for column in batch.columns]
        return [dict(zip(batch.schema.names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _plain_values(column: Any) -> list[Any]:
    try:
        return list(column.to_pylist())
    except (OverflowError, ValueError, LookupError):
        return [str(value) for value in column.cast(pa.int64() if pa.types.is_timestamp(column.type) else pa.int32())]


def _texts(column: Any, path: Path, name: str) -> Any:
    """A column the database can spell as text; lists and objects become JSON."""
    if pa.types.is_decimal256(column.type):
        return column.cast(pa.string())
    if pa.types.is_float16(column.type):
        return column.cast(pa.float32())
    if pa.types.is_nested(column.type):
        return pa.array([None if value is None else json.dumps(value, default=str) for value in column.to_pylist()])
    if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        return column
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid as error:
        raise InputError(
            f"{path}: the column {name!r} holds bytes that are no text.",
            remedy="Leave it out.",
            file=str(path),
            value=name,
        ) from error


def _parquet_chunks(path: Path, sources: Sequence[str]) -> Iterator[Chunk]:
    start = 1
    with _parquet(path) as file:
        for batch in file.iter_batches(CHUNK_ROWS, columns=list(sources)):
            columns = [_texts(batch.column(name), path, name) for name in sources]
            lines = range(start, start + batch.num_rows)

            def row(place: int, batch: pa.RecordBatch = batch) -> str:
                return json.dumps(_plain_rows(batch.slice(place, 1))[0], ensure_ascii=False, default=str)

            yield Chunk(lines=lines, columns=columns, row=row)
            start += batch.num_rows


def open_rows(path: Path, reject: Callable[[Reject], None]) -> tuple[list[str] | None, Iterator[Row]]:
    """The names of a file's columns (None where each row names its own) and its rows as objects."""
    layout = layout_of(path)
    if layout.format == "jsonl":
        return None, read_json(path, reject)
    if layout.format == "parquet":
        return _parquet_names(path), _parquet_rows(path)
    names = column_names(path, layout)
    rows = read_text(path, layout, reject)
    return list(names), ((line, raw, dict(zip(names, cells, strict=True))) for line, raw, cells in rows)


def _parquet_rows(path: Path) -> Iterator[Row]:
    line = 0
    with _parquet(path) as file:
        for batch in file.iter_batches(CHUNK_ROWS):
            for content in _plain_rows(batch):
                line += 1
                yield line, json.dumps(content, ensure_ascii=False, default=str), content
