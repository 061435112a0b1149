"""How do the signals of all examples come into one matrix of float32 without ever being there twice?

Signals are built for some customers at a time and put where their rows lie. More than the matrix and one such part is
never in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.cutoffs import microseconds
from features.pace import in_lines
from training.row_order import Order

if TYPE_CHECKING:
    import pyarrow as pa

    from features.fitted import Fitted
    from records.events import EventLog
    from training.text_reader import TextReader

# Rows of which signals are built at once: half a gigabyte with two hundred signals.
ROWS_AT_ONCE = 300_000
KEYS = ("customer_id", "cutoff")


def fill_matrix(
    log: EventLog,
    fitted: Fitted,
    reader: TextReader | None,
    order: Order,
    threads: int,
    progress: Callable[[str], None],
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """The matrix, one row per example in their order and NaN for no data, and the names of its columns."""
    from features.build import build_signals

    readings = reader.readings(log, order.moments[-1]) if reader else None
    X, names = np.empty((0, 0), dtype=np.float32), tuple[str, ...]()
    for first, last in parts(order):
        who = order.customer_ids[first:last]
        table = build_signals(
            log,
            order.moments,
            fitted=fitted,
            customers=who,
            readings=readings,
            threads=threads,
            progress=in_lines(progress, "signals: "),
        )
        if not names:
            names = tuple(name for name in table.column_names if name not in KEYS)
            X = np.empty((len(order), len(names)), dtype=np.float32)
        place_part(X, names, table, order, first, last)
        progress(f"signals: {last:,} of {len(order.customer_ids):,} customers × {len(names)}")
    return X, names


def parts(order: Order) -> Iterator[tuple[int, int]]:
    """Codes [first, last) of customers who have together about so many rows as may be built at once."""
    rows = np.cumsum(np.bincount(order.customers, minlength=len(order.customer_ids)))
    first = 0
    while first < len(rows):
        before = rows[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(rows, before + ROWS_AT_ONCE, side="right")))
        yield first, last
        first = last


def place_part(
    X: NDArray[np.float32], names: tuple[str, ...], table: pa.Table, order: Order, first: int, last: int
) -> None:
    """Put the signals of customers [first, last) where their rows lie. `table` is sorted by cutoff, then customer."""
    import pyarrow as pa
    import pyarrow.compute as pc

    codes = pc.index_in(table.column("customer_id"), value_set=pa.array(order.customer_ids, pa.string())).to_numpy()
    at = table.column("cutoff").to_numpy().astype("datetime64[us]").astype(np.int64)
    begins = np.searchsorted(at, [microseconds(moment) for moment in order.moments], side="left")
    ends = np.searchsorted(at, [microseconds(moment) for moment in order.moments], side="right")
    found = []  # (rows of X, rows of the table)
    for (_, moment), span in order.spans.items():
        inside = order.customers[span]
        a, b = np.searchsorted(inside, [first, last])
        here = codes[begins[moment] : ends[moment]]
        place = np.searchsorted(here, inside[a:b])
        if not np.array_equal(here[np.minimum(place, len(here) - 1)], inside[a:b]):
            msg = "a customer with a label has no signals"
            raise AssertionError(msg)
        found.append((slice(span.start + a, span.start + b), begins[moment] + place))
    for column, name in enumerate(names):
        values = table.column(name).to_numpy().astype(np.float32)
        for rows, place in found:
            X[rows, column] = values[place]
