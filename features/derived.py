"""Which facts follow from other facts by more than SQL can say? Computed in numpy, row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Derived:
    """Facts made of the facts of one stream, each row by itself; NaN means no data."""

    name: str  # of its table
    reads: tuple[str, ...]  # facts, and `cutoff_us`; made for the rows that have all of these
    makes: tuple[str, ...]
    make: Callable[[Arrays], Arrays]


def read_with(read: frozenset[str], derived: tuple[Derived, ...]) -> frozenset[str]:
    """Which facts must be there, if these are read?"""
    wanted = [one for one in derived if not read.isdisjoint(one.makes)]
    return read.union(*(one.reads for one in wanted))


def derive(one: Derived, base: Mapping[str, Any], rows: int) -> dict[str, pa.Array[Any]]:
    """Facts made of other facts, for the rows that have all of these."""
    found: dict[str, pa.Array[Any]] = {name: pa.nulls(rows, pa.float64()) for name in one.makes}
    if not set(one.reads) <= set(base):
        return found
    read = {name: pa.array(base[name]) for name in one.reads}
    has = np.ones(rows, dtype=bool)
    for column in read.values():
        has &= column.is_valid().to_numpy(zero_copy_only=False)
    inputs = {name: column.filter(pa.array(has)).to_numpy().astype(np.float64) for name, column in read.items()}
    made = one.make(inputs)
    for name in one.makes:
        values = np.full(rows, np.nan)
        values[has] = made[name]
        found[name] = pa.array(values, from_pandas=True)
    return found
