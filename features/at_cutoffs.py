"""What does each cutoff make of the rows it can see? Rows of whole customers in, one row of signals per cutoff out.

Sums, gaps and last values are made in numpy, steps in SQL; both become one wide table of facts, over which the
definitions of the signals are one selection.
"""

# ruff: noqa: S608  the SQL is made of our own names of tables and facts

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.begun import FACTS, ROWS, begun_facts
from features.cohorts import Cohorts
from features.cutoffs import Grid, ages
from features.days import NOTHING
from features.derived import derive
from features.history import Everyone
from features.latest import NO_ROW, value_places
from features.own import own_facts
from features.plan import Plan, compiled, select
from features.rhythm import NO_GAP
from features.rollup import GAPS, Fact
from features.row_files import batches, schema_of
from features.signal import Columns, Signal
from features.sorted_rows import Decimals, Whole, arrow_array, places
from features.step import Step
from features.windows import window_facts

if TYPE_CHECKING:
    import duckdb

Tables = Mapping[str, pa.Table]
Mask = NDArray[np.bool_]


class AtCutoffs:
    """Makes signals on one connection, for the cutoffs of one grid."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        plan: Plan,
        grid: Grid,
        names: Mapping[str, int],
        everyone: Everyone,
        cohorts: Cohorts | None,
    ) -> None:
        """`names`: since which day there are events of each name; `everyone`: rows of all customers, by step;
        `cohorts`: who everybody's peers are, if a signal asks for them."""
        import ibis

        self.con, self.plan, self.grid, self.names, self.cohorts = con, plan, grid, names, cohorts
        self.ibis = ibis.duckdb.from_connection(con)
        moments = [grid.day_us(day) for day in grid.days]
        self._table("cutoffs", pa.table({"cutoff_day": pa.array(grid.days, pa.int32()), "cutoff_us": moments}))
        self._table("ages", pa.table({name: ages_type(name, numbers) for name, numbers in ages().items()}))
        self.shared = {step.name for step in plan.steps if step.everyone and f"rows_{step.name}" in everyone}
        for step in plan.steps:
            if step.everyone and step.name in self.shared:
                # Read twice, so staged: DuckDB puts aside what its memory cannot hold.
                parts = everyone[f"rows_{step.name}"]
                self._table("step_rows", pa.RecordBatchReader.from_batches(schema_of(parts[0]), batches(parts)))
                self._run(
                    f"everyone_{step.name}", lambda *at, step=step: step.everyone(*at), "step_rows", "cutoffs", "ages"
                )
                self.con.execute("drop table step_rows")

    def signals(self, rows: Tables, known_us: Whole, wanted: Mask) -> pa.Table:
        """One row per cutoff and customer known by then, in this order: code, cutoff_us and the signals.

        `rows` are the tables of the plan, with `code` from 0 to the number of customers less one; `known_us` says since
        when each is known and `wanted` whether they are asked for.
        """
        base, code = facts_at(self.plan, self.grid, rows, known_us, wanted)
        for derived in self.plan.derived:
            base |= derive(derived, base, len(code))
        if self.cohorts:
            base |= {name: pa.array(values, from_pandas=True) for name, values in self.cohorts.facts(base).items()}
        steps = [step for step in self.plan.steps if f"rows_{step.name}" in rows and self._runs(step)]
        for step in steps:
            self.con.register("step_rows", rows[f"rows_{step.name}"])
            shared = [f"everyone_{step.name}"] if step.everyone else []
            self._run(f"step_{step.name}", step.at, "step_rows", "cutoffs", "ages", *shared)
            self.con.unregister("step_rows")
        return self._defined(pa.table(base), steps)

    def _runs(self, step: Step) -> bool:
        return not step.everyone or step.name in self.shared

    def _defined(self, base: pa.Table, steps: Sequence[Step]) -> pa.Table:
        """The definitions, over facts and the tables of steps. SQL: Ibis nests a query per join."""
        self.con.register("facts_made", base)
        wide = wide_sql(self.plan, self.names, base.column_names, steps, str)
        self.con.execute(f"create or replace temp view base as {wide}")
        key = ("signals", tuple(self.names))
        if key not in self.plan.compiled:
            self.plan.compiled[key] = compiled(signal_table(self.ibis.table("base"), self.plan.signals))
        made: pa.Table = self.con.sql(self.plan.compiled[key]).to_arrow_table()
        self.con.execute("drop view base")
        self.con.unregister("facts_made")
        place = made.column("row").to_numpy()
        if len(place) and not bool(np.all(place[1:] > place[:-1])):
            made = made.take(np.argsort(place))
        return made.drop_columns(["row"])

    def _run(self, name: str, make: Any, *inputs: str) -> None:
        """Store a step made of the tables named by `inputs`. It is compiled once."""
        if name not in self.plan.compiled:
            self.plan.compiled[name] = select(make(*(self.ibis.table(table) for table in inputs)))
        self.con.execute(f"create or replace temp table {name} as {self.plan.compiled[name]}")

    def _table(self, name: str, table: pa.Table | pa.RecordBatchReader) -> None:
        self.con.register("handed_in", table)
        self.con.execute(f"create or replace temp table {name} as select * from handed_in")
        self.con.unregister("handed_in")


def facts_at(
    plan: Plan, grid: Grid, rows: Tables, known_us: Whole, wanted: Mask
) -> tuple[dict[str, Any], NDArray[np.int64]]:
    """The facts made in numpy, one row per cutoff and customer known by then, and the customer of each row."""
    cutoffs = np.asarray(grid.days, np.int64)
    known_day = (known_us - grid.phase_us) // 86_400_000_000
    asked = (known_day < cutoffs[:, None]) & wanted
    place, code = np.nonzero(asked)
    moments = np.asarray([grid.day_us(day) for day in grid.days], np.int64)
    base: dict[str, Any] = {
        "row": np.arange(len(code)),
        "code": code.astype(np.int32),
        "cutoff_day": cutoffs[place].astype(np.int32),
        "cutoff_us": moments[place],
        "known_us": known_us[code],
    }
    for facts, table in _tables("days", plan.sums, rows):
        base |= _summed(facts, table, asked, cutoffs)
    for facts, table in _tables("values", plan.values, rows):
        base |= _valued(facts, table, asked, cutoffs)
    if plan.begins:
        base |= begun_facts(rows.get(ROWS), code, cutoffs[place])
    return base | own_facts(rows, code, base["cutoff_us"]), code


def _tables(kind: str, streams: Mapping[Any, list[Fact]], rows: Tables) -> Iterator[tuple[list[Fact], pa.Table]]:
    for index, facts in enumerate(streams.values()):
        if facts and f"{kind}_{index}" in rows:
            yield facts, rows[f"{kind}_{index}"]


def _summed(facts: Sequence[Fact], table: pa.Table, asked: Mask, cutoffs: Whole) -> dict[str, pa.Array[Any]]:
    table, present = only_present(table, asked.shape[1])
    made = window_facts(table, facts, len(present), cutoffs)
    columns = {fact.name: placed(made[fact.name], present, asked, nothing_of(fact)) for fact in facts}
    medians = [fact.name for fact in facts if fact.part == "gap_median"]
    return columns | {name: pc.divide(columns[name].cast(pa.float64()), 2.0) for name in medians}


def _valued(facts: Sequence[Fact], table: pa.Table, asked: Mask, cutoffs: Whole) -> dict[str, pa.ChunkedArray[Any]]:
    table, present = only_present(table, asked.shape[1])
    made = value_places(table, facts, len(present), cutoffs)
    places = {fact.name: placed(made[fact.name], present, asked, NO_ROW) for fact in facts}
    return {fact.name: table.column(fact.measure.name).take(places[fact.name]) for fact in facts}


def wide_sql(
    plan: Plan, names: Mapping[str, int], made: Sequence[str], steps: Sequence[Step], called: Callable[[str], str]
) -> str:
    """SQL of one wide row per customer and cutoff: facts made in numpy, those of the steps, and what is switched on.

    `names`: since which day there are events of each name; `made`: the columns of table `facts_made`; `called`: what a
    table is called where this runs.
    """
    columns = [f"facts_made.{name}" for name in made]
    columns += [f"{sql} as {name}" for name, sql in absent(plan, made, steps).items()]
    for needs, name in switches(plan.signals).items():
        since = [names[event] for event in needs if event in names]
        columns.append(f"cutoff_day > {min(since)} as {name}" if since else f"false as {name}")
    for step in steps:
        columns += [f"coalesce({name}, 0) as {name}" for name in step.counts]
        columns += list(step.values)
    joins = "".join(f" left join {called(f'step_{step.name}')} using (code, cutoff_day)" for step in steps)
    return f"select {', '.join(columns)} from {called('facts_made')} as facts_made{joins}"


def absent(plan: Plan, made: Collection[str], steps: Sequence[Step]) -> dict[str, str]:
    """Facts of which these customers have no event, in SQL: no sum, no moment, no value."""
    missing = {
        fact.name: "0" if fact.is_sum else "null::bigint"
        for found in (plan.sums, plan.values)
        for facts in found.values()
        for fact in facts
        if fact.name not in made
    }
    own = (f"own_{place}" for place, _ in enumerate(plan.fitted.own))
    missing |= {name: "null::double" for name in own if name not in made}
    missing |= {name: "null::bigint" for name in FACTS if plan.begins and name not in made}
    for step in plan.steps:
        if step not in steps:
            missing |= dict.fromkeys(step.counts, "0") | dict.fromkeys(step.values, "null::bigint")
    return missing


def ages_type(name: str, numbers: Sequence[int]) -> pa.Array[Any]:
    """A column of the table of ages: small ones where they do."""
    return pa.array(numbers, pa.int32() if name == "age" else pa.int64())


def only_present(table: pa.Table, people: int) -> tuple[pa.Table, Whole]:
    """The same rows with their customers numbered from 0 on without a hole, and the numbers they had."""
    codes = places(table.column("code"))
    there = np.zeros(people, dtype=bool)
    there[codes] = True
    number = np.cumsum(there) - 1
    place = table.column_names.index("code")
    return table.set_column(place, "code", pa.array(number[codes])), np.flatnonzero(there)


def nothing_of(fact: Fact) -> int | None:
    """What stands for "null" in a fact as numpy makes it? None: it is never null."""
    if fact.part in GAPS:
        return NO_GAP
    if fact.is_sum:
        return None
    return NOTHING.get(fact.kind)


def placed(made: Whole | Decimals, present: Whole, asked: Mask, nothing: int | None) -> pa.Array[Any]:
    """Facts of the customers present as a column of those asked for; of the others zero, or null."""

    def put(values: Whole) -> Whole:
        whole = np.full(asked.shape, 0 if nothing is None else nothing, np.int64)
        whole[:, present] = values
        found: Whole = whole[asked]
        return found

    return arrow_array(made.over(put) if isinstance(made, Decimals) else put(made), nothing)


def switches(signals: Sequence[Signal]) -> dict[tuple[str, ...], str]:
    """Which families can be off? A column for each set of needed events: has the log one of them before the cutoff?"""
    needed = dict.fromkeys(signal.needs for signal in signals if signal.needs)
    return {needs: f"on_{index}" for index, needs in enumerate(needed)}


def signal_table(base: Any, signals: Sequence[Signal], keys: Sequence[str] = ("row", "code", "cutoff_us")) -> Any:
    """The definitions, put into one selection behind the keys of the rows. Until the log has what a signal needs, it is
    null for everyone.
    """
    import ibis

    columns, nothing, on = Columns(base), ibis.null("float64"), switches(signals)
    made = {}
    for signal in signals:
        value = signal.value(columns).cast("float64")
        made[signal.name] = ibis.ifelse(base[on[signal.needs]], value, nothing) if signal.needs else value
    return base.select(*keys, **made)
