"""What was known about each customer at each cutoff? Events in, one row of signals per customer and cutoff out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from features.building import workplace
from features.cutoffs import grids
from features.fitted import Fitted, fit
from features.history import pieces_of, read_log
from features.own import with_own
from features.plan import plan
from features.readings import Readings, with_readings
from features.rollup_store import kept_history
from features.signal_table import at_grid, one_table
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
    readings: Readings | None = None,
    rollup: bool = False,
    threads: int = 2,
    progress: Progress | None = None,
) -> pa.Table:
    """What did the log say, before each cutoff, about every person seen by then (or about `customers` only)?

    One row per customer and cutoff, sorted by cutoff, then customer; columns customer_id, cutoff and the signals of
    the catalog in its order; null means no data. Without `fitted` it is fitted at the earliest cutoff.
    With `signals` only these columns are made, in the order of the catalog, and only what they need is computed.
    With `readings` texts say what these say, whatever `text_scored` events the log has.
    With `rollup` the rows made of the log are kept below its folder and next time only new events are read: the same
    table for the price of a day, where the same signals are asked for night after night.
    A build of a long log that was stopped goes on from there once the same is asked of the same log.
    `progress` is called with the events done and the events in all, each event being read once and used once.
    """
    made = plan(
        fitted or (fit(log, min(cutoffs)) if cutoffs else Fitted()), None if signals is None else tuple(signals)
    )
    found = grids(cutoffs)
    logs = [pieces_of(log, grid) for grid in found]
    counted = _Counted(2 * sum(rows for one in logs for _, rows in one), progress)
    resumable = not rollup and any(len(one) > 1 for one in logs)
    pieces: list[pa.Table] = []
    with workplace(log, made, found, customers, readings) if resumable else nullcontext() as folder:
        for grid in found:
            kept = folder / str(grid.phase_us) if folder else None
            with log.connection(threads) as con:
                if rollup:
                    history = kept_history(con, log, made, grid.phase_us, counted)
                else:
                    history = read_log(con, log, made, grid, kept, customers=customers, progress=counted)
                everybody = history
                if made.peers and customers is not None and not rollup:
                    beside = kept / "everybody" if kept else None
                    everybody = read_log(con, log, made.counting, grid, beside, customers=None, progress=lambda _: None)
                history = with_own(con, log, made, history)
                if readings is not None:
                    history = with_readings(con, made, grid, history, readings)
                chosen = customers if rollup else None
                pieces += at_grid(con, made, grid, history, everybody, chosen, kept, counted)
    counted(counted.total)
    return one_table(pieces, made)


class _Counted:
    """Adds up events that are done, and says so."""

    def __init__(self, total: int, tell: Progress | None) -> None:
        self.done, self.total, self.tell = 0, total, tell

    def __call__(self, rows: int) -> None:
        """So many more."""
        self.done = min(self.done + rows, self.total)
        if self.tell:
            self.tell(self.done, self.total)


def write_signals(
    log: EventLog, as_of: datetime, out: Path, *, fitted: Fitted | None = None, progress: Progress | None = None
) -> int:
    """How many people were seen before `as_of`? Their signals are written to `out`, as CSV or Parquet by its ending.

    The file holds nothing about the run that made it: the same log gives the same bytes.
    """
    import pyarrow.csv as csv
    import pyarrow.parquet as parquet

    if out.suffix not in (".csv", ".parquet"):
        raise InputError(
            f"Cannot write signals to {out.name}.", remedy="End the name in .csv or .parquet.", file=str(out)
        )
    table = build_signals(log, [as_of], fitted=fitted, progress=progress)
    if out.suffix == ".csv":
        csv.write_csv(table, out)
    else:
        parquet.write_table(table, out)
    return int(table.num_rows)
