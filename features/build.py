"""What was known about each customer at each cutoff? Events in, one row of signals per customer and cutoff out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from features.building import workplace
from features.cutoffs import Grid, grids
from features.fitted import Fitted, fit
from features.history import History, pieces_of, read_log
from features.own import with_own
from features.pace import Progress
from features.plan import Plan, plan
from features.readings import Readings, with_readings
from features.rollup_store import kept_history
from features.signal_table import Piece, at_grid, finished, in_order, one_table
from records.events import EventLog

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


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
    made = plan_of(log, cutoffs, fitted, signals)
    build = Build(log, made, cutoffs, customers, readings, threads, progress)
    with build.rolled_up() if rollup else build.from_scratch() as ranges:
        return one_table([piece for pieces in ranges for piece in pieces], made)


def signals_in_order(
    log: EventLog,
    cutoffs: Sequence[datetime],
    *,
    fitted: Fitted | None = None,
    customers: Sequence[str] | None = None,
    signals: Sequence[str] | None = None,
    readings: Readings | None = None,
    threads: int = 2,
    progress: Progress | None = None,
) -> Iterator[pa.Table]:
    """The rows of `build_signals`, in their order, in tables that memory can hold however many rows there are.

    They lie in files below `data/building` until the last was taken; whoever stops before finds them there again.
    """
    made = plan_of(log, cutoffs, fitted, signals)
    with Build(log, made, cutoffs, customers, readings, threads, progress).from_scratch(in_files=True) as ranges:
        yield from in_order([piece for pieces in ranges for piece in pieces], made)


def signals_in_parts(
    log: EventLog,
    cutoffs: Sequence[datetime],
    *,
    fitted: Fitted | None = None,
    customers: Sequence[str] | None = None,
    signals: Sequence[str] | None = None,
    readings: Readings | None = None,
    threads: int = 2,
    progress: Progress | None = None,
) -> Iterator[pa.Table]:
    """The same rows, in tables of some customers at one cutoff, as soon as they are made: nothing waits on the disk
    that memory can hold. For whoever has a place for every row.
    """
    made = plan_of(log, cutoffs, fitted, signals)
    with Build(log, made, cutoffs, customers, readings, threads, progress).from_scratch() as ranges:
        for pieces in ranges:
            for _, piece in pieces:
                yield finished(piece, made)


def plan_of(log: EventLog, cutoffs: Sequence[datetime], fitted: Fitted | None, signals: Sequence[str] | None) -> Plan:
    """What do these signals need? All of the catalog if `signals` is None, fitted at the earliest cutoff if need be."""
    fitted = fitted or (fit(log, min(cutoffs)) if cutoffs else Fitted())
    return plan(fitted, None if signals is None else tuple(signals))


class Build:
    """One build: ranges of customers, and of each the signals at every cutoff."""

    def __init__(
        self,
        log: EventLog,
        made: Plan,
        cutoffs: Sequence[datetime],
        customers: Sequence[str] | None,
        readings: Readings | None,
        threads: int,
        progress: Progress | None,
    ) -> None:
        self.log, self.made, self.customers, self.readings, self.threads = log, made, customers, readings, threads
        self.grids = grids(cutoffs)
        self.pieces = [pieces_of(log, grid) for grid in self.grids]
        self.counted = _Counted(2 * sum(rows for one in self.pieces for _, rows in one), progress)

    @contextmanager
    def from_scratch(self, *, in_files: bool = False) -> Iterator[Iterator[list[Piece]]]:
        """Read all of the log. The signals of a long one, or any `in_files`, lie in files until this is left."""
        kept = in_files or any(len(pieces) > 1 for pieces in self.pieces)
        place = workplace(self.log, self.made, self.grids, self.customers, self.readings) if kept else nullcontext()
        with place as folder:
            yield self._ranges(folder)
        self.counted(self.counted.total)

    @contextmanager
    def rolled_up(self) -> Iterator[Iterator[list[Piece]]]:
        """Read what is new since last time."""
        yield self._rolled_up()
        self.counted(self.counted.total)

    def _ranges(self, folder: Path | None) -> Iterator[list[Piece]]:
        for grid in self.grids:
            kept = folder / str(grid.phase_us) if folder else None
            with self.log.connection(self.threads) as con:
                read = partial(read_log, con, self.log, grid=grid)
                history = read(self.made, kept=kept, customers=self.customers, progress=self.counted)
                everybody = history
                if self.made.peers and self.customers is not None:
                    beside = kept / "everybody" if kept else None
                    everybody = read(self.made.counting, kept=beside, customers=None, progress=lambda _: None)
                history = self._completed(con, grid, history)
                yield from at_grid(con, self.made, grid, history, everybody, None, kept, self.counted)

    def _rolled_up(self) -> Iterator[list[Piece]]:
        for grid in self.grids:
            with self.log.connection(self.threads) as con:
                everybody = kept_history(con, self.log, self.made, grid.phase_us, self.counted)
                history = self._completed(con, grid, everybody)
                yield from at_grid(con, self.made, grid, history, everybody, self.customers, None, self.counted)

    def _completed(self, con: duckdb.DuckDBPyConnection, grid: Grid, history: History) -> History:
        """The same with what does not come from the log: the company's own tables, and what texts say."""
        history = with_own(con, self.log, self.made, history)
        return history if self.readings is None else with_readings(con, self.made, grid, history, self.readings)


class _Counted:
    """Adds up events that are done, and says so."""

    def __init__(self, total: int, tell: Progress | None) -> None:
        self.done, self.total, self.tell = 0, total, tell

    def __call__(self, rows: int) -> None:
        """So many more."""
        self.done = min(self.done + rows, self.total)
        if self.tell:
            self.tell(self.done, self.total)
