"""How is a column of facts read as numbers? What is not there never was, or is zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.sorted_rows import EARLIEST, Whole

Facts = Mapping[str, Any]


def flat(column: Any) -> pa.Array[Any]:
    """In one piece."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else pa.array(column)


def filled(column: Any, nothing: Any) -> Any:
    """With this value where there is none."""
    return column.fill_null(nothing)


def moments(facts: Facts, name: str, rows: int) -> Whole:
    """A column of microseconds; what is not there never was: EARLIEST."""
    if name not in facts:
        return np.full(rows, EARLIEST)
    found: Whole = filled(flat(facts[name]).cast(pa.int64()), EARLIEST).to_numpy()
    return found


def numbers(facts: Facts, name: str, rows: int) -> NDArray[Any]:
    """A column of sums; what is not there is zero."""
    if name not in facts:
        return np.zeros(rows, np.int64)
    column = flat(facts[name])
    if not pa.types.is_integer(column.type):
        column = column.cast(pa.float64())
    return np.asarray(filled(column, 0).to_numpy())
