"""How do the signals of some customers at a time become one table, sorted and equal to the byte?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.at_cutoffs import AtCutoffs, facts_at
from features.cohorts import Cohorts, added, counts_of
from features.cutoffs import Grid
from features.history import History
from features.plan import Plan
from features.row_files import kept_tables, whole

SIGNALS = "signals"


def at_grid(
    con: Any,
    made: Plan,
    grid: Grid,
    history: History,
    everybody: History,
    customers: Sequence[str] | None,
    kept: Path | None,
    progress: Callable[[int], None],
) -> list[pa.Table]:
    """The signals at the cutoffs of a grid: tables of one cutoff and some customers (or only `customers`) each.

    `everybody` has at least what peers are told by, of all customers.
    `kept` is a folder for the signals of long logs, those in it are not made again; `progress` is told how many events
    the customers had whose signals are made.
    """
    cohorts = peers_at(made, grid, everybody) if made.peers else None
    work = AtCutoffs(con, made, grid, history.names, history.everyone, cohorts)
    wanted = np.ones(len(history.ids), dtype=bool)
    if customers is not None:
        chosen = pa.array(sorted(set(customers)), pa.string())
        wanted = pc.is_in(history.ids, value_set=chosen).to_numpy(zero_copy_only=False)
    found: dict[int, list[pa.Table]] = {grid.day_us(day): [] for day in grid.days}
    for low, high in history.chunks(len(grid.days)):
        if wanted[low:high].any():
            make = partial(_of_chunk, work, history, low, high, wanted[low:high])
            table = whole((make() if kept is None else kept_tables(kept / f"signals-{low}", make))[SIGNALS])
            moments = table.column("cutoff_us").to_numpy()
            for moment, parts in found.items():
                first, last = np.searchsorted(moments, [moment, moment + 1])
                if last > first:
                    parts.append(_copied(table.slice(int(first), int(last - first))))
        progress(int(history.events[low:high].sum()))
    return [table for tables in found.values() for table in tables]


def peers_at(made: Plan, grid: Grid, everybody: History) -> Cohorts:
    """What everybody's facts at these cutoffs say of peers."""
    leaving, counts = made.fitted.definition, []
    for low, high in everybody.chunks(len(grid.days)):
        asked = np.ones(high - low, dtype=bool)
        facts, _ = facts_at(made.counting, grid, everybody.rows(low, high), everybody.known_us[low:high], asked)
        counts.append(counts_of(facts, leaving))
    return Cohorts(added(counts), leaving)


def _of_chunk(
    work: AtCutoffs, history: History, low: int, high: int, wanted: NDArray[np.bool_]
) -> Mapping[str, pa.Table]:
    table = work.signals(history.rows(low, high), history.known_us[low:high], wanted)
    ids = history.ids.slice(low, high - low).take(table.column("code").combine_chunks())
    return {SIGNALS: table.set_column(0, "customer_id", ids)}


def _copied(table: pa.Table) -> pa.Table:
    """The same rows in memory of Arrow, which takes each column back as it is dropped. DuckDB keeps all or none."""
    columns = [pa.concat_arrays(column.chunks) for column in table.columns]
    return pa.table(columns, names=table.column_names)


def one_table(tables: list[pa.Table], made: Plan) -> pa.Table:
    """One table sorted by cutoff, then customer, whatever the chunks, threads and files.

    Empties `tables`: the table is made column by column, so that memory does not hold it twice.
    """
    tables.sort(key=lambda part: part.column("cutoff_us")[0].as_py())
    columns = [list(parts) for parts in zip(*(table.columns for table in tables), strict=True)]
    tables.clear()
    kinds: list[Any] = [pa.string(), pa.timestamp("us", "UTC"), *(pa.float64() for _ in made.signals)]
    names = ["customer_id", "cutoff", *(signal.name for signal in made.signals)]
    arrays: list[pa.Array[Any]] = []
    order = None
    for kind in kinds:
        column = _one_array(columns.pop(0) if columns else [], kind)
        arrays.append(_zero_under_null(column if order is None else column.take(order)))
        if len(arrays) == 2 and (order := _order(*arrays)) is not None:
            arrays = [array.take(order) for array in arrays]
    return pa.table(arrays, names=names)


def _order(customers: pa.Array[Any], cutoffs: pa.Array[Any]) -> pa.Array[Any] | None:
    """In which order are these rows sorted? None: they are already."""
    keys = pa.table({"cutoff": cutoffs, "customer_id": customers})
    order = pc.sort_indices(keys, [("cutoff", "ascending"), ("customer_id", "ascending")])
    return None if bool(np.all(np.diff(order.to_numpy().astype(np.int64)) == 1)) else order


def _one_array(parts: Sequence[pa.ChunkedArray[Any]], kind: Any) -> pa.Array[Any]:
    chunks: list[Any] = [chunk for part in parts for chunk in part.cast(kind).chunks]
    return cast("pa.Array[Any]", pa.concat_arrays(chunks) if chunks else pa.array([], kind))


def _zero_under_null(column: pa.Array[Any]) -> pa.Array[Any]:
    """The same column; what lies under its nulls would differ from run to run."""
    if not column.null_count or column.type != pa.float64():
        return column
    filled: Any = cast("Any", column).fill_null(0.0)
    made: pa.Array[Any] = pa.Array.from_buffers(column.type, len(column), [column.buffers()[0], filled.buffers()[1]])
    return made
