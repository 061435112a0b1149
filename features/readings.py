"""What do the texts say, where somebody reads them? Readings stand in for the `text_scored` events of the log.

A reading is an event: whoever wrote the text, when they wrote it and when it became known; what it is about and how
content it sounds. Those who read (`training/text_reader.py`) hand in readings of every text a cutoff may see, so a
signal never depends on which of them a nightly job has already written into the log.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from features.cutoffs import DAY_US, Grid
from features.history import History, last_moment
from features.plan import Plan
from features.reading import Reading

if TYPE_CHECKING:
    import duckdb

SCORED = "text_scored"
"""The name of the events that readings are, and stand in for."""


@dataclass(frozen=True)
class Readings:
    """Texts that were read."""

    events: pa.Table  # canonical columns, name `text_scored`; of the customers asked about, or of more
    first_us: int | None  # when the first text of anybody that can be read became known; None: there is none

    def before(self, grid: Grid) -> pa.Table:
        """The readings of texts that happened and were known before the last cutoff of a grid."""
        moment = pa.scalar(last_moment(grid), pa.timestamp("us", "UTC"))
        happened, known = (pc.less(self.events.column(name), moment) for name in ("occurred_at", "received_at"))
        return self.events.filter(pc.and_(happened, known))

    def since(self, grid: Grid) -> dict[str, int]:
        """On which day of a grid did the first of them become known? Empty if there is none."""
        return {} if self.first_us is None else {SCORED: (self.first_us - grid.phase_us) // DAY_US}

    def digest(self) -> str:
        """A short name of exactly these readings."""
        found = sha256(repr((self.first_us, self.events.schema)).encode())
        for batch in self.events.combine_chunks().to_batches():
            found.update(batch.serialize())
        return found.hexdigest()[:16]


def with_readings(
    con: duckdb.DuckDBPyConnection, plan: Plan, grid: Grid, history: History, readings: Readings
) -> History:
    """The same history, in which texts say what these readings say and not what `text_scored` events of the log say."""
    tables = {table.name for table in plan.tables if table.events == (SCORED,)}
    segments = [{name: rows for name, rows in one.items() if name not in tables} for one in history.segments]
    names = {name: day for name, day in history.names.items() if name != SCORED} | readings.since(grid)
    people = pa.table({"customer_id": history.ids, "code": pa.array(range(len(history.ids)), pa.int32())})
    con.register("readings", readings.before(grid))
    made = Reading(con, plan, grid.phase_us, people, names).tables("readings", tables) if tables else {}
    con.unregister("readings")
    return replace(history, names=dict(sorted(names.items())), segments=[*segments, made])
