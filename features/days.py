"""What did each customer's days hold? Rows per event added up to rows per customer, day and day of becoming known."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from features.sorted_rows import (
    EARLIEST,
    LATEST,
    Decimals,
    Rows,
    Whole,
    arrow_array,
    each,
    order_of,
    places,
    starts_of,
    whole_numbers,
)

NOTHING = {"first": LATEST, "last": EARLIEST, "lowest": LATEST, "highest": EARLIEST, "sum": 0}
"""What a day without such an event has in its column."""

KEYS = ("code", "day", "known_day")
HOW = {"sum": np.add, "first": np.minimum, "last": np.maximum, "lowest": np.minimum, "highest": np.maximum}


def added_up(rows: pa.Table, kinds: Mapping[str, str]) -> pa.Table:
    """One row per `code`, `day` and `known_day`, sorted by these, of rows of events or of days.

    Each column is added up as its kind says: the sum, or the first or last moment. Exact in whole numbers, so days
    added up in two steps are those added up in one.
    """
    order, starts, keys = _by_day(*(rows.column(name).to_numpy() for name in KEYS))
    columns: dict[str, pa.Array[Any]] = {name: pa.array(key.astype(np.int32)) for name, key in keys.items()}
    for name, kind in kinds.items():
        if kind == "sum" and name not in rows.column_names:  # each event adds one
            columns[name] = pa.array(np.diff(starts, append=rows.num_rows).astype(np.int32))
            continue
        values = each(day_column(rows, name, kind), lambda one: one[order])
        made = each(values, partial(_reduced, kind, starts))
        small = kind == "sum" and not isinstance(values, Decimals) and values.dtype.itemsize < 8
        made = made.astype(np.int32) if small and not isinstance(made, Decimals) else made
        columns[name] = arrow_array(made, None if kind == "sum" else NOTHING[kind])
    return pa.table(columns)


def day_column(rows: pa.Table, name: str, kind: str) -> Whole | Decimals:
    """A column of rows of events or of days; of events, what is not there is one each, or the moment itself."""
    if name not in rows.column_names:
        return np.ones(rows.num_rows, np.int64) if kind == "sum" else places(rows.column("us"))
    return whole_numbers(rows.column(name), NOTHING[kind])


def _by_day(code: Whole, day: Whole, known: Whole) -> tuple[Whole, Whole, dict[str, Whole]]:
    """The order of the rows by these keys, where each new one starts in it, and the keys there."""
    late = known - day
    lows = [int(key.min()) for key in (code, day, late)]
    widths = [(int(key.max()) - low).bit_length() for key, low in zip((code, day, late), lows, strict=True)]
    place = (len(code) - 1).bit_length()
    if sum(widths) + place > 63:
        order = np.asarray(np.lexsort((late, day, code)))
        starts = starts_of(code[order], day[order], late[order])
        return order, starts, dict(zip(KEYS, (key[order[starts]] for key in (code, day, known)), strict=True))
    packed = code.astype(np.int64) - lows[0]
    for key, low, width in zip((day, late), lows[1:], widths[1:], strict=True):
        packed <<= width
        if width:
            packed |= key - low
    packed <<= place
    packed |= np.arange(len(code))
    packed.sort()
    order = packed & ((1 << place) - 1)
    packed >>= place
    starts = starts_of(packed)
    key = packed[starts]
    days = ((key >> widths[2]) & ((1 << widths[1]) - 1)) + lows[1]
    late = (key & ((1 << widths[2]) - 1)) + lows[2]
    return order, starts, dict(zip(KEYS, ((key >> (widths[1] + widths[2])) + lows[0], days, days + late), strict=True))


def sorted_days(rows: pa.Table, kinds: Mapping[str, str], people: int) -> Rows:
    """These rows in whole numbers, sorted by customer, day and day of becoming known."""
    code, day, known = (places(rows.column(name)) for name in KEYS)
    order = order_of(code, day, known)
    columns = {name: each(day_column(rows, name, kind), _wide) for name, kind in kinds.items()}
    made = Rows(people, code, day, known, columns)
    return made if order is None else made.chosen(order)


def _wide(values: Whole) -> Whole:
    return values.astype(np.int64, copy=False)


def merged(rows: Rows, kinds: Mapping[str, str], starts: Whole) -> Rows:
    """The sorted rows from each start to the next become one."""
    if len(starts) == len(rows.code):
        return rows
    columns = {name: each(column, partial(_reduced, kinds[name], starts)) for name, column in rows.columns.items()}
    return Rows(rows.people, rows.code[starts], rows.day[starts], rows.known[starts], columns)


def _reduced(kind: str, starts: Whole, values: Whole) -> Whole:
    found: Whole = HOW[kind].reduceat(values, starts, dtype=np.int64)
    return found
