"""In which steps are signals made? Staged tables on one DuckDB connection, for the cutoffs of one grid.

Per chunk of customers: facts → daily roll-ups, gaps, places, tickets, purchases. Then, a few cutoffs at a time: what
each cutoff may see of these, summed → one wide table of facts → the definitions of the catalog. Every step is stored
in a temporary table: as one expression the same work costs DuckDB seven times as much.
"""

# ruff: noqa: S608  the SQL is made of our own names of tables and facts

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from features import latest, tickets, trouble
from features.catalog import catalog, measures
from features.cutoffs import OLDEST_AGE, Grid, ages
from features.facts import first_known_days, stage_facts, stage_people
from features.fitted import Fitted
from features.rhythm import CLOCKS, GAP_FACTS, days_with_gaps, rhythm
from features.rollup import Fact, by_age, daily, facts_read, side_by_side, streams
from features.signal import Columns, Signal
from records.events import EventLog

if TYPE_CHECKING:
    import duckdb

ROWS_AT_ONCE = 50_000
"""Rows of the signal table made at a time: sums of more rows spill out of the processor's caches, then of memory."""

VALUES = ("latest", "earliest")
Streams = dict[tuple[str, ...], list[Fact]]


class Stages:
    """The steps for one log, grid and what is fitted."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        log: EventLog,
        grid: Grid,
        fitted: Fitted,
        signals: tuple[Signal, ...],
    ) -> None:
        import ibis

        self.con, self.log, self.grid = con, log, grid
        self.ibis = ibis.duckdb.from_connection(con)
        self.signals, self.measures = signals, measures(fitted)
        self.known = first_known_days(con, log, grid)
        chosen = tuple(signal.name for signal in signals)
        self.read = facts_read_by(fitted, chosen)
        facts = facts_read(self.read | clock_facts(self.read), self.measures)
        self.sums = streams([fact for fact in facts if fact.part not in VALUES])
        self.values = streams([fact for fact in facts if fact.part in VALUES])
        self.clocks = {
            clock: (name, measure)
            for clock, measure in CLOCKS.items()
            for name, running in self._running(self.sums)
            if self._wants(f"{clock}_{fact}" for fact in GAP_FACTS)
            and any(fact.measure.name == measure for fact in running)
        }
        self.sql = compiled_steps(fitted, chosen, tuple(self.known))
        self._table(
            "ages",
            {
                name: pa.array(numbers, pa.int32() if name in ("age", "bucket") else pa.int64())
                for name, numbers in ages().items()
            },
        )
        if self._wants(trouble.FACTS):
            trouble.stage_purchases(con, log, grid)

    def run(self, chunk: int, chunks: int, *, chosen: bool) -> list[pa.Table]:
        """Which signals have the people of this chunk? `chosen`: only those in table `wanted_customers`."""
        stage_people(self.con, self.log, self.grid, chunk=chunk, chunks=chunks, chosen=chosen)
        stage_facts(self.con, self.log, self.grid)
        self._prepare()
        [(people,)] = self.con.execute("select count(*) from people").fetchall()
        at_once = max(1, ROWS_AT_ONCE // max(1, people))
        days = self.grid.days
        return [self._signals_at(days[start : start + at_once]) for start in range(0, len(days), at_once)]

    def _prepare(self) -> None:
        """What is computed once for all cutoffs?"""
        for name, facts in self._running(self.sums):
            self._stage(f"daily_{name}", daily, "facts", facts=facts, measures=self.measures)
        for clock, (name, measure) in self.clocks.items():
            inputs = (f"daily_{name}", "ages")
            self._stage(f"days_{clock}", days_with_gaps, *inputs, measure=measure, oldest=OLDEST_AGE)
        for name, facts in self._running(self.values):
            self._stage(f"ranked_{name}", latest.ranked, "facts", facts=facts)
        if self._wants(tickets.FACTS):
            self._stage("ticket_rows", tickets.ticket_rows, "facts")
        if self._wants(trouble.FACTS):
            self._stage("owned_rows", trouble.owned_rows, "facts")

    def _signals_at(self, days: Sequence[int]) -> pa.Table:
        """Which signals have these people at these cutoffs?"""
        self._table(
            "cutoffs",
            {
                "cutoff_day": pa.array(days, pa.int32()),
                "cutoff_us": pa.array([self.grid.day_us(day) for day in days], pa.int64()),
            },
        )
        self._side_by_side(list(self._parts()))
        if "signals" not in self.sql:
            self.sql["signals"] = compiled(signal_table(self._at("base"), self.signals))
        made: pa.Table = self.con.sql(self.sql["signals"]).to_arrow_table()
        return made

    def _parts(self) -> Iterator[tuple[str, Sequence[str]]]:
        """The tables to be put side by side, each with its facts that are zero where there is no row."""
        for name, facts in self._running(self.sums):
            inputs = (f"daily_{name}", "cutoffs", "ages")
            self._stage(f"aged_{name}", by_age, *inputs, facts=facts, oldest=OLDEST_AGE)
            self._stage(f"wide_{name}", side_by_side, f"aged_{name}", facts=facts)
            yield f"wide_{name}", [fact.name for fact in facts if is_sum(fact)]
        for name, facts in self._running(self.values):
            self._stage(f"latest_{name}", latest.latest, f"ranked_{name}", "cutoffs", facts=facts)
            yield f"latest_{name}", ()
        for clock in self.clocks:
            inputs = (f"days_{clock}", "cutoffs", "ages")
            self._stage(f"rhythm_{clock}", rhythm, *inputs, clock=clock, oldest=OLDEST_AGE)
            yield f"rhythm_{clock}", ()
        if self._wants(tickets.FACTS):
            self._stage("tickets", tickets.tickets, "ticket_rows", "cutoffs")
            yield "tickets", tickets.COUNTS
        if self._wants(trouble.FACTS):
            self._stage("rates", trouble.trouble_rates, "purchases", "cutoffs")
            self._stage("owned", trouble.owned, "owned_rows", "rates", "cutoffs", "ages", oldest=OLDEST_AGE)
            yield "owned", trouble.COUNTS

    def _wants(self, facts: Iterable[str]) -> bool:
        """Does a signal read one of these?"""
        return not self.read.isdisjoint(facts)

    def _side_by_side(self, parts: Sequence[tuple[str, Sequence[str]]]) -> None:
        """Make table `base`: people and cutoffs that know them, with every fact. SQL: Ibis nests a query per join."""
        columns = [f"{value} as {name}" for name, value in self._absent().items()]
        for needs, name in switches(self.signals).items():
            since = [self.known[event] for event in needs if event in self.known]
            columns.append(f"cutoff_day > {min(since)} as {name}" if since else f"false as {name}")
        for part, zero in parts:
            names = [name for name in self._at(part).columns if name not in ("code", "cutoff_day")]
            columns += [f"coalesce({name}, 0) as {name}" if name in zero else name for name in names]
        joins = " ".join(f"left join {part} using (code, cutoff_day)" for part, _ in parts)
        known = "(select * from people join cutoffs on people.known_day < cutoffs.cutoff_day)"
        kept = ", ".join(["customer_id", "cutoff_day", "cutoff_us", "known_us", *columns])
        self.con.execute(f"create or replace temp table base as select {kept} from {known} {joins}")

    def _running(self, found: Streams) -> Iterator[tuple[str, list[Fact]]]:
        """The streams of which this log has events, each with a name for its tables."""
        for index, (names, facts) in enumerate(found.items()):
            if not names or any(name in self.known for name in names):
                yield str(index), facts

    def _absent(self) -> dict[str, str]:
        """Facts of which this log has no event, in SQL: no sum, no moment, no value."""
        absent: dict[str, str] = {}
        for found in (self.sums, self.values):
            running = [fact.name for _, facts in self._running(found) for fact in facts]
            idle = [fact for facts in found.values() for fact in facts if fact.name not in running]
            absent |= {fact.name: "0" if is_sum(fact) else "null::bigint" for fact in idle}
        clocks = [clock for clock in CLOCKS if clock not in self.clocks]
        return absent | {f"{clock}_{fact}": "null::bigint" for clock in clocks for fact in GAP_FACTS}

    def _at(self, name: str) -> Any:
        return self.ibis.table(name)

    def _stage(self, name: str, make: Callable[..., Any], *inputs: str, **options: Any) -> None:
        """Store a step made of the tables named by `inputs`. It is compiled once.

        Whole numbers take 64 bits, not the 128 that DuckDB's sums give.
        """
        if name not in self.sql:
            step = make(*(self._at(table) for table in inputs), **options)
            columns = ", ".join(
                f'"{column}"::bigint as "{column}"' if kind.is_int64() else f'"{column}"'
                for column, kind in step.schema().items()
            )
            self.sql[name] = f"create or replace temp table {name} as select {columns} from ({compiled(step)})"
        self.con.execute(self.sql[name])

    def _table(self, name: str, columns: dict[str, Any]) -> None:
        self.con.register("handed_in", pa.table(columns))
        self.con.execute(f"create or replace temp table {name} as select * from handed_in")
        self.con.unregister("handed_in")


def compiled(table: Any) -> str:
    """Which SQL says this?"""
    import ibis

    return str(ibis.to_sql(table, dialect="duckdb", pretty=False))


def is_sum(fact: Fact) -> bool:
    """Is this fact zero, rather than unknown, for a customer without such events?"""
    return fact.part not in ("first", "last", *VALUES)


class _AnyTable:
    """A table that has every column asked for: definitions are tried on it to learn what they read."""

    def __getitem__(self, name: str) -> Any:
        import ibis

        return ibis.table({name: "int64"}, name="facts")[name]


def columns_read(signals: Sequence[Signal]) -> set[str]:
    """Which facts do the definitions of these signals read?"""
    columns = Columns(_AnyTable())
    for signal in signals:
        signal.value(columns)
    return columns.read


def switches(signals: Sequence[Signal]) -> dict[tuple[str, ...], str]:
    """Which families can be off? A column for each set of needed events: has the log one of them before the cutoff?"""
    needed = dict.fromkeys(signal.needs for signal in signals if signal.needs)
    return {needs: f"on_{index}" for index, needs in enumerate(needed)}


def signal_table(base: Any, signals: Sequence[Signal]) -> Any:
    """The definitions, put into one selection. Until the log has what a signal needs, it is null for everyone."""
    import ibis

    columns, nothing, on = Columns(base), ibis.null("float64"), switches(signals)
    made = {}
    for signal in signals:
        value = signal.value(columns).cast("float64")
        made[signal.name] = ibis.ifelse(base[on[signal.needs]], value, nothing) if signal.needs else value
    return base.select("customer_id", "cutoff_us", **made)


@lru_cache(maxsize=4)
def compiled_steps(fitted: Fitted, signals: tuple[str, ...], names: tuple[str, ...]) -> dict[str, str]:
    """The SQL of each step, filled as steps are compiled; the same for any log with these event names."""
    return {}


@lru_cache(maxsize=4)
def facts_read_by(fitted: Fitted, names: tuple[str, ...]) -> frozenset[str]:
    """Which facts do the signals of these names read?"""
    return frozenset(columns_read([signal for signal in catalog(fitted) if signal.name in names]))


def clock_facts(read: Iterable[str]) -> set[str]:
    """Which facts of the roll-up do the gaps that are read need, so that their days are counted?"""
    gaps = {f"{clock}_{fact}": f"{measure}_last" for clock, measure in CLOCKS.items() for fact in GAP_FACTS}
    return {gaps[name] for name in read if name in gaps}
