"""Which rows does a file from outside hold, and which of its lines cannot be rows at all?

Everything is read as a stream. A bad line costs that line alone: it goes to `reject` with its number and the reason,
and reading goes on with the next.
"""

from __future__ import annotations

import csv
import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from records.errors import InputError
from records.unpacking import open_input

MAX_LINE_BYTES = 1 << 20
MAX_CELL = 131_072  # characters; also the limit of Python's csv reader
MAX_LINES_OF_A_ROW = 200  # a quoted cell may hold line ends; a quote that never closes may not eat the file

Format = Literal["csv", "whitespace", "fixed", "jsonl", "parquet"]
ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


@dataclass(frozen=True)
class Reject:
    """One row that was not taken, and why."""

    file: str
    line: int  # the first line of the row; in Parquet the number of the row
    reason: str
    value: str | None  # the value at fault
    row: str  # as it stands in the file


Rejecting = Callable[[Reject], None]
Row = tuple[int, str, Any]  # line, the row as it stands in the file, its cells (a list; in JSON Lines the object)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a file is written."""

    format: Format
    separator: str = ","
    header: tuple[str, ...] | None = None  # names of the columns of a file that does not carry them
    skip_lines: int = 0
    widths: tuple[int, ...] = ()  # of the columns, in characters, for "fixed"
    encoding: str = "utf-8"


def layout_of(path: Path) -> Layout:
    """How is a file with this ending written?"""
    ending = ending_of(path)
    found = ENDINGS.get(ending)
    if found is None:
        raise InputError(
            f"{path.name}: a file ending in {path.suffix!r} cannot be read.",
            remedy=f"Expected one of {', '.join(ENDINGS)} (or .csv.gz and so on), or a mapping that names the format.",
            file=str(path),
        )
    return Layout(format=found, separator="\t" if ending == ".tsv" else ",")


def ending_of(path: Path) -> str:
    """The ending that tells how a file is written, in small letters: that of what is in it, if it is packed."""
    ending = path.suffix.lower()
    return Path(path.stem).suffix.lower() if ending == ".gz" else ending


class Lines:
    """The readable lines of a text file; the others go to `reject`. `taken` holds what was handed out lately."""

    def __init__(self, file: BinaryIO, name: str, reject: Rejecting, encoding: str = "utf-8") -> None:
        self.file = file
        self.name = name
        self.reject = reject
        self.encoding = encoding
        self.number = 0
        self.taken: list[tuple[int, str]] = []
        self._returned: deque[tuple[int, str]] = deque()

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        if len(self.taken) >= MAX_LINES_OF_A_ROW:
            msg = f"a quote that does not close within {MAX_LINES_OF_A_ROW} lines"
            raise csv.Error(msg)
        line = self._returned.popleft() if self._returned else self._read()
        self.taken.append(line)
        return line[1]

    def _read(self) -> tuple[int, str]:
        while raw := self.file.readline(MAX_LINE_BYTES + 1):
            self.number += 1
            reason = None
            if len(raw) > MAX_LINE_BYTES:
                reason = f"the line is longer than {MAX_LINE_BYTES} bytes"
                rest = raw
                while rest and not rest.endswith(b"\n"):
                    rest = self.file.readline(MAX_LINE_BYTES)
                raw = raw[:MAX_CELL]
            elif b"\0" in raw:
                reason = "the line holds a NUL byte"
            try:
                text = raw.decode(self.encoding)
            except UnicodeDecodeError as error:
                reason = reason or f"the line is not {self.encoding.upper()} (byte {raw[error.start]:#04x})"
                text = raw.decode(self.encoding, "backslashreplace")
            if reason is None:
                return self.number, text
            self.refuse((self.number, text), reason)
        raise StopIteration

    def refuse(self, line: tuple[int, str], reason: str, value: str | None = None) -> None:
        """Put this line aside."""
        self.reject(Reject(self.name, line[0], reason, value, line[1].rstrip("\r\n")))

    def take_back(self, lines: Sequence[tuple[int, str]]) -> None:
        """Hand these out once more."""
        self._returned.extendleft(reversed(lines))


def column_names(path: Path, layout: Layout) -> tuple[str, ...]:
    """What are the columns of this file called?"""
    if layout.header is not None:
        return layout.header
    with open_input(path) as file:
        first = next(_cells(_start(file, path, layout, _ignore), layout), None)
    if first is None:
        raise InputError(f"{path} is empty.", remedy="Expected a line with the names of its columns.", file=str(path))
    return tuple(name.strip() for name in first[2])


def read_text(path: Path, layout: Layout, reject: Rejecting) -> Iterator[Row]:
    """The rows of a file in columns, those with as many cells as there are columns."""
    width = len(column_names(path, layout))
    with open_input(path) as file:
        lines = _start(file, path, layout, reject)
        cells = _cells(lines, layout)
        if layout.header is None:
            next(cells)
        for row in cells:
            if len(row[2]) == width:
                yield row
            else:
                lines.refuse((row[0], row[1]), f"{len(row[2])} columns where {width} are expected")


def _start(file: BinaryIO, path: Path, layout: Layout, reject: Rejecting) -> Lines:
    lines = Lines(file, str(path), reject, layout.encoding)
    for _ in range(layout.skip_lines):
        next(lines, None)
        lines.taken.clear()
    return lines


def _ignore(reject: Reject) -> None:
    """The names are read before the rows; what is wrong is told when the rows are read."""


def _cells(lines: Lines, layout: Layout) -> Iterator[Row]:
    if layout.format == "csv":
        yield from _csv_cells(lines, layout.separator)
        return
    ends = [sum(layout.widths[: index + 1]) for index in range(len(layout.widths))]
    starts = [0, *ends[:-1]]
    for line in lines:
        number = lines.taken.pop()[0]
        if not line.strip():
            continue
        text = line.rstrip("\r\n")
        if layout.format == "whitespace":
            yield number, text, text.split()
        elif len(text) > ends[-1]:
            lines.refuse((number, text), f"the line has {len(text)} characters where {ends[-1]} are expected")
        else:
            yield number, text, [text[a:b].strip() for a, b in zip(starts, ends, strict=True)]


def _csv_cells(lines: Lines, separator: str) -> Iterator[Row]:
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        lines.taken.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # The fault is in the first line taken; the others may be good rows that an open quote swallowed.
            first, *others = lines.taken
            lines.refuse(first, f"not valid CSV: {error}")
            lines.take_back(others)
            reader = csv.reader(lines, delimiter=separator, strict=True)
            continue
        if cells:
            taken = lines.taken
            text = taken[0][1] if len(taken) == 1 else "".join(line for _, line in taken)
            yield taken[0][0], text.rstrip("\r\n"), cells


_NUL_ESCAPE = re.compile(r"(?<!\\)(\\\\)*\\u0000")  # not a backslash before the four characters u0000


class _Exact(float):
    """A JSON number with the text it was written in, so that an amount loses no digit."""

    written: str

    @classmethod
    def read(cls, text: str) -> _Exact:
        number = cls(text)
        number.written = text
        return number


def read_json(path: Path, reject: Rejecting, encoding: str = "utf-8") -> Iterator[Row]:
    """The objects of a JSON Lines file."""
    decode = json.JSONDecoder(parse_float=_Exact.read, parse_constant=_no_number).decode
    with open_input(path) as file:
        lines = Lines(file, str(path), reject, encoding)
        for text in lines:
            line = lines.taken.pop()
            stripped = text.strip()
            if not stripped:
                continue
            try:
                found = decode(stripped)
                if "\\u" in stripped:
                    _require_whole_characters(found)
            except (ValueError, RecursionError) as error:
                lines.refuse(line, f"not valid JSON: {error}")
                continue
            if isinstance(found, dict):
                yield line[0], stripped, found
            else:
                lines.refuse(line, "not a JSON object")


def _no_number(text: str) -> float:
    msg = f"{text} is not a number"
    raise ValueError(msg)


def _require_whole_characters(value: Any) -> None:
    """Escapes can spell a NUL, or half a character, which no UTF-8 file can hold."""
    text = json.dumps(value, ensure_ascii=False)
    if _NUL_ESCAPE.search(text):
        msg = "it holds a NUL character"
        raise ValueError(msg)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        msg = "it holds half a character"
        raise ValueError(msg) from error


def as_text(value: Any) -> str | None:
    """A JSON value as the text of a cell: exact for numbers, JSON again for lists and objects."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, _Exact):
        return value.written
    if isinstance(value, (bool, dict, list)):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return str(value)
