"""What was known about each customer at each cutoff? Events in, one row of signals per customer and cutoff out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
import pyarrow as pa

from features.at_cutoffs import AtCutoffs
from features.cutoffs import Grid, grids
from features.fitted import Fitted, fit
from features.history import EVENTS_AT_ONCE, History, last_moment, read_log
from features.own import with_own
from features.plan import Plan, plan
from records.errors import InputError
from records.events import EventLog

Progress = Callable[[int, int], None]


def build_signals(
    log: EventLog,
    cutoffs: Sequence[datetime],
    *,
    fitted: Fitted | None = None,
    customers: Sequence[str] | None = None,
    signals: Sequence[str] | None = None,
    threads: int = 2,
    progress: Progress | None = None,
) -> pa.Table:
    """What did the log say, before each cutoff, about every person seen by then (or about `customers` only)?

    One row per customer and cutoff, sorted by cutoff, then customer; columns customer_id, cutoff and the signals of
    the catalog in its order; null means no data. Without `fitted` it is fitted at the earliest cutoff.
    With `signals` only these columns are made, in the order of the catalog, and only what they need is computed.
    `progress` is called with the events done and the events in all, each event being read once and used once.
    """
    made = plan(
        fitted or (fit(log, min(cutoffs)) if cutoffs else Fitted()), None if signals is None else tuple(signals)
    )
    found = grids(cutoffs)
    counted = _Counted(
        2 * sum(rows for grid in found for _, rows in log.pieces(last_moment(grid), EVENTS_AT_ONCE)), progress
    )
    pieces: list[pa.Table] = []
    for grid in found:
        with (
            log.connection(threads) as con,
            TemporaryDirectory(dir=log.data if log.data.is_dir() else None, prefix="spill-") as scratch,
        ):
            history = read_log(con, log, made, grid, Path(scratch), customers=customers, progress=counted)
            history = with_own(con, log, made, history)
            pieces += at_grid(con, made, grid, history, counted)
    counted(counted.total)
    return _sorted(pieces, made)


class _Counted:
    """Adds up events that are done, and says so."""

    def __init__(self, total: int, tell: Progress | None) -> None:
        self.done, self.total, self.tell = 0, total, tell

    def __call__(self, rows: int) -> None:
        """So many more."""
        self.done = min(self.done + rows, self.total)
        if self.tell:
            self.tell(self.done, self.total)


def at_grid(con: Any, made: Plan, grid: Grid, history: History, progress: Callable[[int], None]) -> list[pa.Table]:
    """The signals at the cutoffs of a grid: tables of one cutoff and some customers each, sorted by customer."""
    work = AtCutoffs(con, made, grid, history.names, history.everyone)
    found: dict[int, list[pa.Table]] = {grid.day_us(day): [] for day in grid.days}
    for low, high in history.chunks(len(grid.days)):
        table = work.signals(history.rows(low, high), history.known_us[low:high], np.ones(high - low, dtype=bool))
        ids = history.ids.slice(low, high - low).take(table.column("code").combine_chunks())
        table = table.set_column(0, "customer_id", ids)
        moments = table.column("cutoff_us").to_numpy()
        for moment, parts in found.items():
            first, last = np.searchsorted(moments, [moment, moment + 1])
            parts.append(table.slice(int(first), int(last - first)))
        progress(int(history.events[low:high].sum()))
    return [table for tables in found.values() for table in tables]


def _sorted(tables: list[pa.Table], made: Plan) -> pa.Table:
    """One table in an order that does not depend on chunks, threads or files. Empties `tables`: it is made column by
    column, so that memory does not hold it twice."""
    tables.sort(key=lambda part: part.column("cutoff_us")[0].as_py() if part.num_rows else 0)
    columns = [list(parts) for parts in zip(*(table.columns for table in tables), strict=True)]
    tables.clear()
    kinds: list[Any] = [pa.string(), pa.timestamp("us", "UTC"), *(pa.float64() for _ in made.signals)]
    names = ["customer_id", "cutoff", *(signal.name for signal in made.signals)]
    arrays = []
    for kind in kinds:
        parts = columns.pop(0) if columns else []
        arrays.append(_one_array([part.cast(kind) for part in parts], kind))
    return pa.table(arrays, names=names)


def _one_array(parts: Sequence[pa.ChunkedArray[Any]], kind: Any) -> pa.Array[Any]:
    """The parts as one array, in which what lies under a null is zero: it would differ from run to run."""
    whole: Any = pa.concat_arrays([chunk for part in parts for chunk in part.chunks]) if parts else pa.array([], kind)
    if not whole.null_count or kind != pa.float64():
        return cast("pa.Array[Any]", whole)
    filled = whole.fill_null(0.0)
    made: pa.Array[Any] = pa.Array.from_buffers(kind, len(whole), [whole.buffers()[0], filled.buffers()[1]])
    return made


def write_signals(log: EventLog, as_of: datetime, out: Path, *, fitted: Fitted | None = None) -> int:
    """How many people were seen before `as_of`? Their signals are written to `out`, as CSV or Parquet by its ending.

    The file holds nothing about the run that made it: the same log gives the same bytes.
    """
    import pyarrow.csv as csv
    import pyarrow.parquet as parquet

    if out.suffix not in (".csv", ".parquet"):
        raise InputError(
            f"Cannot write signals to {out.name}.", remedy="End the name in .csv or .parquet.", file=str(out)
        )
    table = build_signals(log, [as_of], fitted=fitted)
    if out.suffix == ".csv":
        csv.write_csv(table, out)
    else:
        parquet.write_table(table, out)
    return int(table.num_rows)
