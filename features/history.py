"""What is kept of the log so that any cutoff can be answered? The rows of a plan, customer by customer.

Rows come in segments, each made of some of the events. A segment with many rows lies in files, which are read where a
customer's rows are; memory holds the customers at work and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from features.cutoffs import Grid
from features.plan import Plan
from features.reading import Reading, names_of, people_of
from features.row_files import RowFile, all_parts, between, kept_tables
from features.sorted_rows import Whole
from records.events import EventLog

if TYPE_CHECKING:
    import duckdb

Segment = Mapping[str, "pa.Table | RowFile"]
"""By name, tables of a plan, each sorted by `code`."""

Everyone = Mapping[str, "Sequence[pa.Table | RowFile]"]
"""By name, the parts of a table of all customers."""

EVENTS_AT_ONCE = 3_000_000
"""So many events are read at a time: more take memory, fewer leave more rows of one day to be put together."""

EVENTS_PER_CHUNK = 1_500_000
"""Customers are taken in chunks of about this many events, and `CELLS_PER_CHUNK` numbers of the signal table."""

CELLS_PER_CHUNK = 20_000_000


@dataclass(frozen=True)
class History:
    """Customers in the order of their numbers, and the rows of their events."""

    ids: pa.Array[Any]  # customer_id by number
    known_us: Whole  # since when each is known
    events: Whole  # how many events each has
    names: Mapping[str, int]  # since which day there are events of each name, over all customers
    segments: Sequence[Segment]
    everyone: Everyone = field(default_factory=dict)  # rows of all customers, for steps that look at all

    def chunks(self, cells: int) -> list[tuple[int, int]]:
        """Ranges of customers whose rows are worked on together; `cells` is how many numbers each customer gets."""
        events, made = np.cumsum(self.events) // EVENTS_PER_CHUNK, np.arange(len(self.events)) * cells
        ends = np.flatnonzero(np.diff(events + made // CELLS_PER_CHUNK)) + 1
        edges = [0, *(int(end) for end in ends), len(self.events)]
        return [(low, high) for low, high in pairwise(edges) if high > low]

    def rows(self, low: int, high: int) -> dict[str, pa.Table]:
        """The rows of customers `low` up to `high`, who become 0 up to `high - low`."""
        made: dict[str, pa.Table] = {}
        for name in dict.fromkeys(name for segment in self.segments for name in segment):
            parts = [between(segment[name], low, high) for segment in self.segments if name in segment]
            rows = pa.concat_tables(parts)
            if rows.num_rows:
                place = rows.column_names.index("code")
                code = pa.chunked_array([pa.array(one.to_numpy() - low) for one in rows.column(place).chunks])
                made[name] = rows.set_column(place, "code", code)
        return made


def last_moment(grid: Grid) -> datetime:
    """What is the last cutoff? No event at or after it is read at all."""
    return grid.instant(grid.days[-1])


def pieces_of(log: EventLog, grid: Grid) -> list[tuple[str, int]]:
    """In which pieces is the log read for these cutoffs? SQL of each, and how many events it has."""
    return log.pieces(last_moment(grid), EVENTS_AT_ONCE)


def read_log(
    con: duckdb.DuckDBPyConnection,
    log: EventLog,
    plan: Plan,
    grid: Grid,
    kept: Path | None,
    *,
    customers: Sequence[str] | None,
    progress: Callable[[int], None],
) -> History:
    """The history of everybody (or of these customers) before the last cutoff of the grid.

    `kept` is a folder for the rows of long logs, pieces in it are not read again; `progress` is told of every piece
    how many events it had.
    """
    until = last_moment(grid)
    whole = log.relation_sql(until)
    names = names_of(con, whole, grid.phase_us)
    chosen = whole
    if customers is not None:
        con.register("chosen_customers", pa.table({"customer_id": pa.array(sorted(set(customers)), pa.string())}))
        chosen = f"(select * from {whole} semi join chosen_customers using (customer_id))"  # noqa: S608
    people = people_of(con, chosen)
    reading = Reading(con, plan, grid.phase_us, people, names)
    pieces = pieces_of(log, grid)
    segments: list[Segment] = []
    for number, (source, rows) in enumerate(pieces):
        segments.append(_kept(kept, str(number), partial(reading.tables, source)))
        progress(rows)
        pa.default_memory_pool().release_unused()  # the next piece, or the signals, need it
    everyone = {}
    shared = [f"rows_{step.name}" for step in plan.steps if step.everyone]
    if shared and customers is None:
        everyone = all_parts(segments, shared)
    elif shared:
        every = Reading(con, plan, grid.phase_us, people_of(con, whole), names)
        made = (partial(every.tables, source, shared) for source, _ in pieces)
        everyone = all_parts([_kept(kept, f"everyone-{number}", make) for number, make in enumerate(made)], shared)
    return History(
        ids=people.column("customer_id").combine_chunks(),
        known_us=people.column("known_us").to_numpy(),
        events=people.column("events").to_numpy(),
        names=names,
        segments=segments,
        everyone=everyone,
    )


def _kept(kept: Path | None, name: str, make: Callable[[], Mapping[str, pa.Table]]) -> Segment:
    return make() if kept is None else kept_tables(kept / name, make)
