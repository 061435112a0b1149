"""What was known about each customer at each cutoff? Events in, one row of signals per customer and cutoff out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from features.catalog import catalog, measures
from features.cutoffs import OLDEST_AGE, Grid, ages, grids
from features.facts import count_events, first_known_days, stage_facts, stage_people
from features.rhythm import CLOCKS, gaps_by_cutoff, rhythm
from features.rollup import by_age, daily, facts_read, side_by_side
from features.signal import Columns, Signal
from features.vocabulary import Vocabulary, fit_vocabulary
from records.events import EventLog

__all__ = ["Vocabulary", "build_signals", "fit_vocabulary"]

if TYPE_CHECKING:
    import duckdb

EVENTS_PER_CHUNK = 4_000_000
"""Customers are taken in chunks of about this many events: memory stays bounded, whatever the size of the log."""

Progress = Callable[[int, int], None]


def build_signals(
    log: EventLog,
    cutoffs: Sequence[datetime],
    *,
    fitted: Vocabulary | None = None,
    customers: Sequence[str] | None = None,
    threads: int = 2,
    progress: Progress | None = None,
) -> pa.Table:
    """What did the log say, before each cutoff, about every person seen by then (or about `customers` only)?

    One row per customer and cutoff, sorted by cutoff, then customer; null means no data. Without `fitted` the
    vocabulary is that of the earliest cutoff. `progress` is called with chunks done and chunks in all.
    """
    fitted = fitted or (fit_vocabulary(log, min(cutoffs)) if cutoffs else Vocabulary())
    signals = catalog(fitted)
    tables: list[pa.Table] = []
    with log.connection(threads) as con:
        if customers is not None:
            con.register("wanted_rows", pa.table({"customer_id": pa.array(sorted(set(customers)), pa.string())}))
            con.execute("create temp table wanted_customers as select * from wanted_rows")
        for grid in grids(cutoffs):
            build = _Build(con, log, grid, signals, fitted)
            chunks = max(1, -(-count_events(con, log, grid) // EVENTS_PER_CHUNK))
            for chunk in range(chunks):
                tables.append(build.chunk(chunk, chunks, customers is not None))
                if progress:
                    progress(chunk + 1, chunks)
    return _sorted(tables, signals)


class _Build:
    """The stages for the cutoffs of one grid, compiled once and run for every chunk of customers."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, log: EventLog, grid: Grid, signals: Sequence[Signal], fitted: Vocabulary | None
    ) -> None:
        import ibis

        self.con, self.log, self.grid, self.signals = con, log, grid, signals
        self.ibis = ibis.duckdb.from_connection(con)
        self.measures = measures(fitted)
        self.known = first_known_days(con, log, grid)
        self.read = columns_read(signals)
        con.register("cutoff_rows", pa.table({
            "cutoff_day": pa.array(grid.days, pa.int32()),
            "cutoff_us": pa.array([grid.day_us(day) for day in grid.days], pa.int64()),
        }))
        con.execute("create or replace temp table cutoffs as select * from cutoff_rows")
        table = ages()
        con.register("age_rows", pa.table({
            name: pa.array(values, pa.int32() if name in ("age", "bucket") else pa.int64()) for name, values in table.items()
        }))
        con.execute("create or replace temp table ages as select * from age_rows")

    def chunk(self, chunk: int, chunks: int, wanted: bool) -> pa.Table:
        """Which signals have the people of this chunk?"""
        stage_people(self.con, self.log, self.grid, chunk, chunks, wanted)
        stage_facts(self.con, self.log, self.grid)
        facts = facts_read(self.read, self.measures)
        cutoffs, age_table = self.ibis.table("cutoffs"), self.ibis.table("ages")
        days = self.stage("daily", daily(self.ibis.table("facts"), facts))
        buckets = self.stage("buckets", by_age(days, cutoffs, age_table, facts, OLDEST_AGE))
        wide = self.stage("wide", side_by_side(buckets, facts))
        clocks = []
        for clock, measure in CLOCKS.items():
            gaps = gaps_by_cutoff(days, cutoffs, measure)
            clocks.append(self.stage(f"rhythm_{clock}", rhythm(gaps, age_table, clock, OLDEST_AGE)))
        people = self.ibis.table("people")
        base = people.join(cutoffs, people.known_day < cutoffs.cutoff_day).drop("known_day")
        for part in (wide, *clocks):
            base = base.left_join(part, ["code", "cutoff_day"])
            base = base.drop("code_right", "cutoff_day_right")
        base = self.stage("base", base)
        return self.con.sql(self.compile(signal_table(base, self.signals, self.known))).to_arrow_table()

    def stage(self, name: str, table: Any) -> Any:
        """Materialise one stage; whole numbers are stored in 64 bits, not in the 128 that DuckDB's sums give."""
        columns = ", ".join(
            f'"{column}"::bigint as "{column}"' if kind.is_int64() else f'"{column}"' for column, kind in table.schema().items()
        )
        self.con.execute(f"create or replace temp table {name} as select {columns} from ({self.compile(table)})")
        return self.ibis.table(name)

    def compile(self, table: Any) -> str:
        """Which SQL says this?"""
        return str(self.ibis.compile(table))


def columns_read(signals: Sequence[Signal]) -> set[str]:
    """Which facts do the definitions of these signals read?"""
    import ibis

    class Any64:
        def __getitem__(self, name: str) -> Any:
            return ibis.table({name: "int64"}, name="facts")[name]

    columns = Columns(Any64())
    for signal in signals:
        signal.value(columns)
    return columns.read


def signal_table(base: Any, signals: Sequence[Signal], known: dict[str, int]) -> Any:
    """The definitions, put into one selection. Until the log has what a signal needs, it is null for everyone."""
    import ibis

    columns = Columns(base)
    made = {}
    for signal in signals:
        value = signal.value(columns).cast("float64")
        if signal.needs:
            since = min((known[name] for name in signal.needs if name in known), default=None)
            value = ibis.null("float64") if since is None else ibis.ifelse(base.cutoff_day > since, value, ibis.null("float64"))
        made[signal.name] = value
    return base.select("customer_id", "cutoff_us", **made)


def _sorted(tables: Sequence[pa.Table], signals: Sequence[Signal]) -> pa.Table:
    """One table in the order that does not depend on chunks, threads or files."""
    schema = pa.schema([
        ("customer_id", pa.string()), ("cutoff", pa.timestamp("us", "UTC")), *((signal.name, pa.float64()) for signal in signals)
    ])
    if not tables:
        return schema.empty_table()
    table = pa.concat_tables([t.rename_columns(schema.names).cast(schema) for t in tables])
    return table.sort_by([("cutoff", "ascending"), ("customer_id", "ascending")]).combine_chunks()
