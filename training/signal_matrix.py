"""How do the signals of all examples come into one matrix of float32 without ever being there twice?

The log is read once. Signals come for some customers at a time and are put where their rows lie: more than the matrix
and one such part is never in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.cutoffs import microseconds
from training.row_order import Codes, Order

if TYPE_CHECKING:
    import pyarrow as pa

    from features.fitted import Fitted
    from records.events import EventLog
    from training.text_reader import TextReader

KEYS = ("customer_id", "cutoff")


def fill_matrix(
    log: EventLog,
    fitted: Fitted,
    reader: TextReader | None,
    order: Order,
    threads: int,
    progress: Callable[[str], None],
    engine: str = "",
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """The matrix, one row per example in their order and NaN for no data, and the names of its columns.

    `engine` is the address of the Spark that makes the signals; empty: they are made here.
    """
    from features.catalog import catalog
    from features.engine import tables_in_parts
    from features.pace import in_lines

    readings = reader.readings(log, order.moments[-1]) if reader else None
    names = tuple(signal.name for signal in catalog(fitted))
    X, places, filled = np.empty((len(order), len(names)), dtype=np.float32), Places(order), 0
    told = in_lines(progress, "signals: ")
    for table in tables_in_parts(
        engine, log, order.moments, fitted, order.customer_ids, readings, threads=threads, progress=told
    ):
        rows, source = places.of(table)
        for column, name in enumerate(names):
            X[rows, column] = table.column(name).to_numpy()[source]
        filled += len(rows)
    if filled != len(order):
        msg = "a customer with a label has no signals"
        raise AssertionError(msg)
    progress(f"signals: {len(order.customer_ids):,} customers × {len(names)}")
    return X, names


class Places:
    """Where do the rows of a table of signals go? A customer may stand in several rows of one moment, or in none."""

    def __init__(self, order: Order) -> None:
        import pyarrow as pa

        self.customers = pa.array(order.customer_ids, pa.string())
        self.moments = np.asarray([microseconds(moment) for moment in order.moments], np.int64)
        keys = order.cutoffs * len(self.customers) + order.customers
        self.rows = np.argsort(keys, kind="stable")
        self.keys = keys[self.rows]

    def of(self, table: pa.Table) -> tuple[Codes, Codes]:
        """Rows of the matrix, and the row of the table that belongs to each."""
        import pyarrow.compute as pc

        code = pc.index_in(table.column("customer_id"), value_set=self.customers).to_numpy().astype(np.int64)
        at = table.column("cutoff").to_numpy().astype("datetime64[us]").astype(np.int64)
        keys = np.searchsorted(self.moments, at) * len(self.customers) + code
        first, last = (np.searchsorted(self.keys, keys, side) for side in ("left", "right"))
        count = last - first
        source = np.repeat(np.arange(len(keys)), count)
        within = np.arange(len(source)) - np.repeat(np.cumsum(count) - count, count)
        return self.rows[first[source] + within], source
