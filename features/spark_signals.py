"""Signals on Spark: the plan, the kernels and the definitions that run in one process, over tables spread by customer.

`code` is the customer's id itself: to number all customers would bring them to one machine. Rows of events, steps and
definitions are the same Ibis expressions, compiled for Spark; the rest happens in `features/spark_workers.py`.
"""

# ruff: noqa: S608  the SQL is made of our own names and whole numbers

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from features import spark_workers
from features.at_cutoffs import ages_type, signal_table, wide_sql
from features.begun import FACTS, ROWS
from features.cohorts import MAKES, NOBODY, READS, added
from features.cutoffs import DAY_US, Grid, ages, grids
from features.facts import KNOWN_US, fact_types, timed_sql
from features.fitted import Fitted
from features.plan import Plan, plan
from features.readings import SCORED, Readings
from features.spark_tables import Tables
from features.step import Step
from records.canonical import EVENT_SCHEMA
from records.events import EventLog
from records.own_tables import own_tables

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@contextmanager
def signals_on_spark(
    spark: SparkSession,
    log: EventLog,
    cutoffs: Sequence[datetime],
    *,
    fitted: Fitted,
    customers: Sequence[str] | None = None,
    signals: Sequence[str] | None = None,
    readings: Readings | None = None,
) -> Iterator[DataFrame]:
    """What `build_signals` makes, as a frame in no order, computed when it is asked for, within this context only.

    The files of the log must lie where every worker finds them under the same path.
    """
    made = plan(fitted, None if signals is None else tuple(signals))
    builds = [SparkBuild(spark, log, made, grid, customers, readings) for grid in grids(cutoffs)]
    try:
        yield reduce(lambda one, other: one.union(other), [build.signals() for build in builds])
    finally:
        for build in builds:
            build.close()


def in_order(frame: DataFrame) -> pa.Table:
    """The rows brought here, sorted as `build_signals` sorts them."""
    found: pa.Table = frame.toArrow()
    return found.sort_by([("cutoff", "ascending"), ("customer_id", "ascending")]).combine_chunks()


class SparkBuild:
    """The signals at the cutoffs of one grid."""

    def __init__(
        self,
        spark: SparkSession,
        log: EventLog,
        made: Plan,
        grid: Grid,
        customers: Sequence[str] | None,
        readings: Readings | None = None,
    ) -> None:
        self.plan, self.grid, self.tables = made, grid, Tables(spark)
        self.log, self.data = log, log.data
        self.everybody: SparkBuild | None = None
        self.moments = [grid.day_us(day) for day in grid.days]
        cutoffs = pa.table({"cutoff_day": pa.array(grid.days, pa.int32()), "cutoff_us": self.moments})
        self.tables.put("cutoffs", spark.createDataFrame(cutoffs))
        aged = pa.table({name: ages_type(name, numbers) for name, numbers in ages().items()})
        self.tables.put("ages", spark.createDataFrame(aged))
        everyone = events_before(spark, log, grid.instant(grid.days[-1]))
        if readings is not None:
            read = spark.createDataFrame(readings.before(grid))
            everyone = everyone.filter(everyone["name"] != SCORED).unionByName(read)
        self.all_chosen = customers is None
        self.tables.put("everyone", everyone)
        if customers is not None:
            wanted = pa.table({"customer_id": pa.array(sorted(set(customers)), pa.string())})
            self.tables.put("chosen", everyone.join(spark.createDataFrame(wanted), "customer_id", "semi"))
        found = self._grouped("name", "everyone").toArrow().to_pylist()
        self.names = {row["name"]: (row["known_us"] - grid.phase_us) // DAY_US for row in found}
        if readings is not None:
            self.names |= readings.since(grid)

    def close(self) -> None:
        """Forget every table."""
        self.tables.close()
        if self.everybody:
            self.everybody.close()

    def signals(self) -> DataFrame:
        """One row per cutoff and customer known by then: customer_id, cutoff and the signals."""
        streams = self._streams()
        steps = [step for step in self.plan.steps if f"rows_{step.name}" in streams]
        for step in steps:
            self._step(step)
        self.tables.put("facts_made", self._with_peers(self._facts_made(streams)))
        made = self.tables.frame("facts_made").columns
        self.tables.put("wide", self.tables.query(wide_sql(self.plan, self.names, made, steps, self.tables.name)))
        defined = signal_table(self.tables.at("wide"), self.plan.signals, ("code", "cutoff_us"))
        keys = ("code as customer_id", "timestamp_micros(cutoff_us) as cutoff")
        return self.tables.run(defined).selectExpr(*keys, *(f"`{signal.name}`" for signal in self.plan.signals))

    def _streams(self) -> set[str]:
        """Make the tables of the people asked for and of their events; which of the plan are there?"""
        log = "everyone" if self.all_chosen else "chosen"
        self.tables.put("people", self._grouped("customer_id", log))
        return self._rows(log)

    def _grouped(self, column: str, log: str) -> DataFrame:
        """Since when is each value of a column known?"""
        return self.tables.query(
            f"select {column}, min({KNOWN_US}) as known_us from {self.tables.name(log)} group by {column}"
        )

    def _runs(self, names: Sequence[str]) -> bool:
        return not names or any(name in self.names for name in names)

    def _rows(self, log: str) -> set[str]:
        """Make the row tables of the plan of which the log has events, and say which they are."""
        shared = [step.events for step in self.plan.steps if step.everyone]
        running = [table.name for table in self.plan.tables if self._runs(table.events)]
        if running:
            self._stage("facts", log, [table.events for table in self.plan.tables])
            for name, _, rows in self.plan.rows(self.tables.at("facts")):
                if name in running:
                    self.tables.put(name, self.tables.run(rows), keep=name.startswith("rows_"))  # steps read them twice
        if shared and not self.all_chosen:
            self._stage("facts_of_everyone", "everyone", shared)
        return set(running)

    def _stage(self, table: str, log: str, wanted: Sequence[tuple[str, ...]]) -> None:
        """Read these events, with what they carry in typed columns. An empty entry of `wanted` is all of activity."""
        import ibis
        from ibis.backends.pyspark.datatypes import PySparkSchema

        columns = self.plan.columns
        staged = ", ".join(f"{sql} as {name}" for name, sql in columns.items())
        sql = f"select customer_id as code, {staged} from {timed_sql(spark_workers.EVENTS, self.grid.phase_us)}"
        kinds = {name: kind for name, kind in fact_types(self.plan.fitted).items() if name in columns}
        schema = ibis.schema({"code": "string"} | kinds)
        events = self.tables.frame(log)
        if all(wanted):
            events = events.filter(events["name"].isin(sorted({name for names in wanted for name in names})))
        events = events.select([name for name in EVENT_SCHEMA.names if name in sql])
        read = partial(spark_workers.read, sql=sql, schema=schema.to_pyarrow())
        self.tables.put(table, events.mapInArrow(read, PySparkSchema.from_ibis(schema)), keep=True)

    def _step(self, step: Step) -> None:
        rows, cutoffs, ages = (self.tables.at(name) for name in (f"rows_{step.name}", "cutoffs", "ages"))
        more = []
        if step.everyone:
            if not self.all_chosen:
                events = self.tables.at("facts_of_everyone")
                every = self.tables.run(step.rows(events.filter(events.name.isin(step.events))))
                self.tables.put(f"rows_of_everyone_{step.name}", every)
            source = rows if self.all_chosen else self.tables.at(f"rows_of_everyone_{step.name}")
            self.tables.put(f"everyone_{step.name}", self.tables.run(step.everyone(source, cutoffs, ages)))
            more = [self.tables.at(f"everyone_{step.name}")]
        self.tables.put(f"step_{step.name}", self.tables.run(step.at(rows, cutoffs, ages, *more)))

    def _kernels(self, streams: Collection[str]) -> dict[str, list[str]]:
        """Make the tables of facts that numpy makes, one per stream; by name, the SQL of the columns of each."""
        made: dict[str, list[str]] = {}
        for kind, found in (("days", self.plan.sums), ("values", self.plan.values)):
            kernel = spark_workers.window_rows if kind == "days" else spark_workers.latest_rows
            for index, facts in enumerate(found.values()):
                name = f"{kind}_{index}"
                if name in streams:
                    # A kernel reads no more of a fact than names: no closure travels to the workers.
                    bare = [replace(fact, measure=replace(fact.measure, where=None, amount=None)) for fact in facts]
                    work = partial(kernel, facts=bare, cutoffs=np.asarray(self.grid.days, np.int64))
                    self.tables.put(f"made_{name}", self._given_customers(self.tables.frame(name), work))
                    made[f"made_{name}"] = [
                        f"coalesce({fact.name}, 0) as {fact.name}" if fact.is_sum else fact.name for fact in facts
                    ]
        if ROWS in streams:
            work = partial(spark_workers.product_rows, cutoffs=np.asarray(self.grid.days, np.int64))
            self.tables.put("made_begun", self._given_customers(self.tables.frame(ROWS), work))
            made["made_begun"] = list(FACTS)
        return made

    def _own(self) -> dict[str, list[str]]:
        """The same of the tables the company imported."""
        from pyspark.sql.functions import unix_micros

        made: dict[str, list[str]] = {}
        for table, file in own_tables(self.data, "signals").items():
            frame = parquet(self.tables.spark, [file])
            columns = {
                f"own_{index}": frame[f"`{one.name}`"].cast("double")
                for index, one in enumerate(self.plan.fitted.own)
                if one.table == table and one.name in frame.columns
            }
            if columns:
                keys = (frame["customer_id"].alias("code"), unix_micros(frame["cutoff"]).alias("us"))
                rows = frame.select(*keys, *(values.alias(name) for name, values in columns.items()))
                work = partial(spark_workers.own_rows, days=self.grid.days, moments=self.moments)
                self.tables.put(f"made_own_{len(made)}", self._given_customers(rows, work))
                made[f"made_own_{len(made)}"] = list(columns)
        return made

    def _given_customers(self, rows: DataFrame, work: Callable[[pa.Table], pa.Table]) -> DataFrame:
        """What `work` makes of these rows, given all of a customer at once."""
        from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

        schema = work(to_arrow_schema(rows.schema).empty_table()).schema
        rows = rows.repartition("code").sortWithinPartitions("code")
        return rows.mapInArrow(partial(spark_workers.by_customers, work=work, schema=schema), from_arrow_schema(schema))

    def _facts_made(self, streams: Collection[str]) -> DataFrame:
        """One row per cutoff and customer known by then, with all facts that are made of a customer's own events."""
        parts = self._kernels(streams)
        if any(signal.family == "own" for signal in self.plan.signals):
            parts |= self._own()
        columns = [column for part in parts.values() for column in part]
        names = ", ".join(["code", "cutoff_day", "cutoff_us", "known_us", *columns])
        known = (
            f"(select customer_id as code, cutoff_day, cutoff_us, known_us from {self.tables.name('people')} "
            f"join {self.tables.name('cutoffs')} on known_us < cutoff_us)"
        )
        joins = " ".join(f"left join {self.tables.name(part)} using (code, cutoff_day)" for part in parts)
        made = self.tables.query(f"select {names} from {known} {joins}")
        if not self.plan.derived:
            return made
        work = partial(spark_workers.with_derived, derived=self.plan.derived)
        return _more(made, [name for one in self.plan.derived for name in one.makes], work)

    def _with_peers(self, made: DataFrame) -> DataFrame:
        """The same facts with those that compare a customer with everybody: everybody is counted first."""
        from pyspark.sql.pandas.types import from_arrow_schema

        if not self.plan.peers:
            return made
        norms = self.plan.fitted.norms
        if self.all_chosen:
            self.tables.put("facts_of_own_events", made, keep=True)
            made = self.tables.frame("facts_of_own_events")
        everyone = made if self.all_chosen else self._facts_of_everyone()
        facts = everyone.select([name for name in READS if name in everyone.columns])
        count = partial(spark_workers.counted, norms=norms)
        counts = added([facts.mapInArrow(count, from_arrow_schema(NOBODY.schema)).toArrow()])
        return _more(made, MAKES, partial(spark_workers.with_peers, counts=counts, norms=norms))

    def _facts_of_everyone(self) -> DataFrame:
        """What must be known of all customers where only some are asked for."""
        self.everybody = SparkBuild(self.tables.spark, self.log, self.plan.counting, self.grid, None)
        return self.everybody._facts_made(self.everybody._streams())


def _more(made: DataFrame, names: Sequence[str], work: Callable[..., Iterator[pa.RecordBatch]]) -> DataFrame:
    """The same rows with columns of numbers more."""
    from pyspark.sql.types import DoubleType, StructField, StructType

    fields = [StructField(name, DoubleType()) for name in names]
    return made.mapInArrow(work, StructType([*made.schema.fields, *fields]))


def events_before(spark: SparkSession, log: EventLog, until: datetime) -> DataFrame:
    """The events that occurred and were received before `until`."""
    from pyspark.sql.functions import lit

    files = log.files(until)
    if not files:
        return spark.createDataFrame(EVENT_SCHEMA.empty_table())
    events = parquet(spark, files).select(*EVENT_SCHEMA.names)
    return events.filter((events["occurred_at"] < lit(until)) & (events["received_at"] < lit(until)))


def parquet(spark: SparkSession, files: Sequence[Path]) -> DataFrame:
    """These files, whatever their folder is called.

    Spark takes a path for a pattern, and its option against that reads every file once for each that looks like one.
    """
    return spark.read.parquet(*(re.sub(r"([\\\[\]{}*?])", r"\\\1", f"file://{file.resolve()}") for file in files))
