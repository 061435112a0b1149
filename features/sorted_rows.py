"""Where do a cutoff and its windows begin among a customer's rows? Rows sorted by customer and day, as whole numbers.

The signals' sums are made on these rows and not in SQL: DuckDB and Spark would join every row to every cutoff and sort
for every median, which costs several times as much (DECISIONS.md has the figures). Everything here is a function of
the rows of whole customers, so that any engine can hand them over in any pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Whole = NDArray[np.int64]
LATEST, EARLIEST = np.iinfo(np.int64).max, np.iinfo(np.int64).min
"""Stand for "none" among first and last moments."""

LOW_BITS = 40
"""A decimal is added up as two whole numbers, its lowest 40 bits and the rest: no sum of millions overflows either."""

Facts = dict[str, "Whole | Decimals"]
"""Per fact: cutoffs × customers."""


@dataclass(frozen=True)
class Decimals:
    """Decimals of one scale: `high << 40 | low` units of the last decimal each."""

    low: Whole
    high: Whole
    scale: int

    def over(self, work: Callable[[Whole], Whole]) -> Decimals:
        """The same done to both halves; right for whatever adds, subtracts or chooses."""
        return Decimals(work(self.low), work(self.high), self.scale)


@dataclass(frozen=True)
class Rows:
    """Rows of customers 0 … people-1, sorted by customer and day."""

    people: int
    code: Whole
    day: Whole
    known: Whole  # the day each row became known; never before its day
    columns: Mapping[str, Whole | Decimals]

    def chosen(self, mask: NDArray[np.bool_] | Whole, code: Whole | None = None, people: int | None = None) -> Rows:
        """Only these rows, perhaps with other numbers for the customers."""
        return Rows(
            self.people if people is None else people,
            self.code[mask] if code is None else code,
            self.day[mask],
            self.known[mask],
            {name: each(column, lambda one: one[mask]) for name, column in self.columns.items()},
        )


def each(column: Whole | Decimals, work: Callable[[Whole], Whole]) -> Whole | Decimals:
    """The same done to a column of whole numbers, or to both halves of one of decimals."""
    return column.over(work) if isinstance(column, Decimals) else work(column)


def places(column: pa.ChunkedArray[Any]) -> Whole:
    """A column of Arrow that is whole numbers without a null: customers, days, moments."""
    return column.to_numpy().astype(np.int64, copy=False)


def whole_numbers(column: pa.ChunkedArray[Any], nothing: int = 0) -> Whole | Decimals:
    """A column of Arrow as whole numbers; nulls become `nothing`."""
    if not pa.types.is_decimal(column.type):
        if column.null_count:
            column = column.fill_null(pa.scalar(nothing, column.type))
        return column.to_numpy()
    array: Any = column.combine_chunks().cast(pa.decimal128(38, column.type.scale))
    if array.null_count:
        array = array.fill_null(Decimal(0))
    words = np.frombuffer(array.buffers()[1], dtype=np.int64)[2 * array.offset : 2 * (array.offset + len(array))]
    lowest, highest = words[0::2].view(np.uint64), words[1::2]
    low = (lowest & np.uint64((1 << LOW_BITS) - 1)).view(np.int64)
    high = (highest << (64 - LOW_BITS)) | (lowest >> np.uint64(LOW_BITS)).view(np.int64)
    return Decimals(low, high, column.type.scale)


def arrow_array(values: Whole | Decimals, nothing: int | None = None) -> pa.Array[Any]:
    """The way back; whole numbers that equal `nothing` become null."""
    if not isinstance(values, Decimals):
        return pa.array(values, mask=None if nothing is None else values == nothing)
    high, low = values.high + (values.low >> LOW_BITS), values.low & ((1 << LOW_BITS) - 1)
    words = np.empty(2 * len(high), dtype=np.int64)
    words[0::2] = (high << LOW_BITS) | low
    words[1::2] = high >> (64 - LOW_BITS)
    return pa.Array.from_buffers(pa.decimal128(38, values.scale), len(high), [None, pa.py_buffer(words.tobytes())])


def order_of(code: Whole, *keys: Whole) -> Whole | None:
    """In which order are rows sorted by customer, then by these keys? None: they are already.

    Keys and place are packed into one whole number where they fit: sorting that is five times as fast.
    """
    if len(code) < 2:
        return None
    packed, bits = code - code.min(), 0
    for key in keys:
        width = int(key.max() - key.min()).bit_length()
        bits += width
        packed = (packed << width) | (key - key.min())
    bits += int(code.max() - code.min()).bit_length()
    place = (len(code) - 1).bit_length()
    if bits > 63:
        return np.asarray(np.lexsort((*keys[::-1], code)))
    if bool(np.all(packed[1:] >= packed[:-1])):
        return None
    if bits + place > 63:
        return np.argsort(packed, kind="stable")
    packed = (packed << place) | np.arange(len(code))
    packed.sort()
    found: Whole = packed & ((1 << place) - 1)
    return found


def starts_of(*keys: Whole) -> Whole:
    """At which rows does one of these keys change?"""
    if not len(keys[0]):
        return np.empty(0, np.int64)
    new = np.zeros(len(keys[0]), dtype=bool)
    new[0] = True
    for key in keys:
        new[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(new)


class Places:
    """Among sorted rows of customers 0 … people-1: how many rows, from the very first row on, lie before a moment?"""

    def __init__(self, rows: Rows, moments: Sequence[int] | Whole) -> None:
        self.moments = np.unique(np.asarray(moments, np.int64))
        width = len(self.moments) + 1
        first = int(rows.day.min()) if len(rows.day) else 0
        last = int(rows.day.max()) if len(rows.day) else 0
        passed = np.searchsorted(self.moments, np.arange(first, last + 1), side="right")
        cells = rows.code * width + passed[rows.day - first]
        upto = np.cumsum(np.bincount(cells, minlength=rows.people * width)).reshape(rows.people, width)
        self._upto = upto
        self.start = np.concatenate([[0], upto[:-1, -1]])[:, None]

    def before(self, days: Whole) -> Whole:
        """Customers × days: where the rows before that day end."""
        found: Whole = self._upto[:, np.searchsorted(self.moments, days)]
        return found


def as_known(rows: Rows, cutoffs: Whole, make: Callable[[Rows, Whole], Facts]) -> Facts:
    """What does `make` say at every cutoff, given only the rows known by then?

    `make` takes rows to be known at once. That holds for a customer of whom no row lies on both sides of a cutoff, its
    day before and its becoming known not; the few others are made again, cutoff by cutoff, of the rows known then.
    """
    late = np.flatnonzero(rows.known > rows.day)
    straddling = np.searchsorted(cutoffs, rows.known[late], "right") > np.searchsorted(cutoffs, rows.day[late], "right")
    affected = np.unique(rows.code[late[straddling]])
    made = make(rows, cutoffs)
    if not len(affected):
        return made
    number = np.full(rows.people, -1)
    number[affected] = np.arange(len(affected))
    theirs = rows.chosen(number[rows.code] >= 0)
    for place, cutoff in enumerate(cutoffs):
        seen = theirs.known < cutoff
        again = make(theirs.chosen(seen, number[theirs.code[seen]], len(affected)), cutoffs[place : place + 1])
        for name, values in made.items():
            _put(values, place, affected, again[name])
    return made


def _put(into: Any, place: int, codes: Whole, values: Any) -> None:
    if isinstance(into, Decimals):
        into.low[place, codes], into.high[place, codes] = values.low[0], values.high[0]
    else:
        into[place, codes] = values[0]
