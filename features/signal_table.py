"""How do the signals of some customers at a time become one table, sorted and equal to the byte?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.at_cutoffs import AtCutoffs, facts_at
from features.clock import MOST_EVENTS
from features.cohorts import Cohorts, added, counts_of
from features.cutoffs import Grid
from features.history import History
from features.plan import Plan
from features.row_files import RowFile, kept_tables, whole
from records.errors import InputError

Piece = tuple[int, "pa.Table | RowFile"]
"""A cutoff, in microseconds since 1970, and the signals of some customers at it, sorted by their numbers."""

COLUMNS_AT_ONCE = 16
"""So many columns of a large table are put together at a time: it is never in memory twice."""


def at_grid(
    con: Any,
    made: Plan,
    grid: Grid,
    history: History,
    everybody: History,
    customers: Sequence[str] | None,
    kept: Path | None,
    progress: Callable[[int], None],
) -> Iterator[list[Piece]]:
    """The signals at the cutoffs of a grid (or only of `customers`): of one range of customers after the other.

    `everybody` has at least what peers are told by, of all customers.
    `kept` is a folder for the signals of long logs, those in it are not made again; `progress` is told how many events
    the customers had whose signals are made.
    """
    if len(history.events) and (most := int(history.events.max())) > MOST_EVENTS:
        raise InputError(
            f"One customer has {most:,} events.", remedy=f"Counts are exact up to {MOST_EVENTS:,}.", value=str(most)
        )
    cohorts = peers_at(made, grid, everybody) if made.peers else None
    work = AtCutoffs(con, made, grid, history.names, history.everyone, cohorts)
    wanted = np.ones(len(history.ids), dtype=bool)
    if customers is not None:
        chosen = pa.array(sorted(set(customers)), pa.string())
        wanted = pc.is_in(history.ids, value_set=chosen).to_numpy(zero_copy_only=False)
    for low, high in history.chunks(len(grid.days) * len(made.signals)):
        if wanted[low:high].any():
            make = partial(_of_chunk, work, history, low, high, wanted[low:high])
            found = make() if kept is None else kept_tables(kept / f"signals-{low}", make)
            yield sorted((int(moment), table) for moment, table in found.items())
        progress(int(history.events[low:high].sum()))


def peers_at(made: Plan, grid: Grid, everybody: History) -> Cohorts:
    """What everybody's facts at these cutoffs say of peers."""
    norms, counts = made.fitted.norms, []
    for low, high in everybody.chunks(len(grid.days) * len(made.signals)):
        asked = np.ones(high - low, dtype=bool)
        facts, _ = facts_at(made.counting, grid, everybody.rows(low, high), everybody.known_us[low:high], asked)
        counts.append(counts_of(facts, norms))
    return Cohorts(added(counts), norms)


def _of_chunk(work: AtCutoffs, history: History, low: int, high: int, wanted: NDArray[np.bool_]) -> dict[str, pa.Table]:
    """The signals of these customers, by cutoff."""
    table = work.signals(history.rows(low, high), history.known_us[low:high], wanted)
    ids = history.ids.slice(low, high - low).take(table.column("code").combine_chunks())
    table = table.set_column(0, "customer_id", ids)
    moments = table.column("cutoff_us").to_numpy()
    found = {}
    for moment in np.unique(moments):
        first, last = np.searchsorted(moments, [moment, moment + 1])
        found[str(moment)] = _copied(table.slice(int(first), int(last - first)))
    return found


def _copied(table: pa.Table) -> pa.Table:
    """The same rows in memory of Arrow, which takes each column back as it is dropped. DuckDB keeps all or none."""
    columns = [pa.concat_arrays(column.chunks) for column in table.columns]
    return pa.table(columns, names=table.column_names)


def columns_of(made: Plan) -> dict[str, Any]:
    """The columns of a table of signals, with their types."""
    keys = {"customer_id": pa.string(), "cutoff": pa.timestamp("us", "UTC")}
    return keys | {signal.name: pa.float64() for signal in made.signals}


def one_table(pieces: list[Piece], made: Plan) -> pa.Table:
    """One table sorted by cutoff, then customer, whatever the chunks, threads and files.

    Empties `pieces`: the table is made some columns at a time, so that memory does not hold it twice.
    """
    pieces.sort(key=lambda piece: piece[0])
    tables = [table for _, table in pieces]
    pieces.clear()
    columns, order = columns_of(made), None
    arrays: dict[str, pa.Array[Any]] = {}
    for names in _some(list(columns)):
        taken, tables = _taken(tables, ["cutoff_us" if name == "cutoff" else name for name in names])
        if not arrays:
            keys = [_joined(parts, columns[name]) for name, parts in zip(names, taken, strict=True)]
            order = _order(*keys)
            arrays = {name: key if order is None else key.take(order) for name, key in zip(names, keys, strict=True)}
        else:
            arrays |= {name: _numbers(parts, order) for name, parts in zip(names, taken, strict=True)}
    return pa.table(arrays)


def _taken(tables: Sequence[pa.Table | RowFile], names: list[str]) -> tuple[list[list[Any]], list[pa.Table | RowFile]]:
    """The parts of each of these columns, and the tables that are left."""
    chosen = [table.select(names) for table in tables]
    left = [table.drop_columns(names) if isinstance(table, pa.Table) else table for table in tables]
    return [[table.column(place) for table in chosen] for place in range(len(names))], left


def _some(names: list[str]) -> Iterator[list[str]]:
    """The keys, then the others in groups."""
    yield names[:2]
    for first in range(2, len(names), COLUMNS_AT_ONCE):
        yield names[first : first + COLUMNS_AT_ONCE]


def in_order(pieces: Sequence[Piece], made: Plan) -> Iterator[pa.Table]:
    """The same rows in the same order as `one_table`, of pieces whose customers ascend; one piece is in memory."""
    if not pieces:
        yield one_table([], made)
    for _, piece in sorted(pieces, key=lambda piece: piece[0]):
        yield finished(piece, made)


def finished(piece: pa.Table | RowFile, made: Plan) -> pa.Table:
    """A piece as a table of signals: the columns as they are called outside, in their types."""
    columns = columns_of(made)
    table = whole(piece).rename_columns(list(columns))
    arrays = [
        _numbers([table.column(name)]) if kind == pa.float64() else _joined([table.column(name)], kind)
        for name, kind in columns.items()
    ]
    return pa.table(arrays, names=list(columns))


def _order(customers: pa.Array[Any], cutoffs: pa.Array[Any]) -> pa.Array[Any] | None:
    """In which order are these rows sorted? None: they are already."""
    if len(cutoffs) < 2:
        return None
    one, next_one = ((customers.slice(at, len(customers) - 1), cutoffs.slice(at, len(cutoffs) - 1)) for at in (0, 1))
    ascends = pc.or_(pc.less(one[1], next_one[1]), pc.less(one[0], next_one[0]))
    if pc.all(ascends, min_count=0).as_py():
        return None
    keys = pa.table({"cutoff": cutoffs, "customer_id": customers})
    return pc.sort_indices(keys, [("cutoff", "ascending"), ("customer_id", "ascending")])


def _joined(parts: Sequence[pa.ChunkedArray[Any]], kind: Any) -> pa.Array[Any]:
    chunks: list[Any] = [chunk for part in parts for chunk in part.cast(kind).chunks]
    return cast("pa.Array[Any]", pa.concat_arrays(chunks) if chunks else pa.array([], kind))


def _numbers(parts: Sequence[pa.ChunkedArray[Any]], order: pa.Array[Any] | None = None) -> pa.Array[Any]:
    """These numbers as one array in this order. Zero lies under its nulls: anything else would differ from run to run.

    In memory of numpy, where it cost .95 CPU-s for a GB, and 2.5 in Arrow's: page faults.
    """
    chunks: list[Any] = [chunk for part in parts for chunk in part.cast(pa.float64()).chunks if len(chunk)]
    ends = np.cumsum([0, *map(len, chunks)])
    values, missing = np.empty(ends[-1]), np.zeros(ends[-1], bool)
    for chunk, first, end in zip(chunks, ends[:-1], ends[1:], strict=True):
        values[first:end] = np.frombuffer(chunk.buffers()[1], np.float64, len(chunk), 8 * chunk.offset)
        if chunk.null_count:
            missing[first:end] = chunk.is_null().to_numpy(zero_copy_only=False)
    values[missing] = 0.0
    if order is not None:
        place = order.to_numpy()
        values, missing = values[place], missing[place]
    return pa.array(values, mask=missing if missing.any() else None)
