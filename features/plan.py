"""What must be computed for these signals? Facts, streams of events and steps, and the SQL that makes rows of events.

Nothing that no chosen signal reads is read from the log. The SQL is compiled once per set of signals.
"""

# ruff: noqa: S608  the SQL is made of our own names

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import Any

from features import begun, cohorts
from features.catalog import catalog, derived, measures, steps
from features.derived import Derived, read_with
from features.facts import fact_columns, fact_types
from features.fitted import Fitted
from features.rollup import VALUES, Streams, day_columns, event_rows, facts_read, streams, value_rows
from features.signal import Columns, Measure, Signal
from features.step import Step
from records.errors import InputError


@dataclass(frozen=True)
class RowTable:
    """A table made of events alone, event by event or day by day: those of two halves of a log are put together."""

    name: str
    events: tuple[str, ...]  # the events it is made of; empty: all of activity
    sql: str
    days: Mapping[str, str] | None = None  # its rows are added up to days, each column in this way


@dataclass(frozen=True, eq=False)
class Plan:
    """What these signals need."""

    signals: tuple[Signal, ...]
    fitted: Fitted
    sums: Streams
    values: Streams
    steps: tuple[Step, ...]
    derived: tuple[Derived, ...]
    measures: Mapping[str, Measure]
    begins: bool  # is it asked which product a customer has?
    peers: bool  # are customers compared with everybody?
    compiled: dict[Any, str]  # SQL of steps and definitions, kept from build to build

    @cached_property
    def counting(self) -> Plan:
        """What must be known of everybody to tell a customer's peers: the same tables, as far as they are needed."""
        sums = {names: [fact for fact in facts if fact.name in cohorts.READS] for names, facts in self.sums.items()}
        return replace(self, signals=(), sums=sums, values={}, steps=(), derived=(), compiled={})

    def rows(self, events: Any) -> Iterator[tuple[str, tuple[str, ...], Any]]:
        """The tables to be made of the events: name, the events each is made of, and the Ibis expression."""
        for index, (names, facts) in enumerate(self.sums.items()):
            if facts:
                yield f"days_{index}", names, event_rows(events, facts, self.measures)
        for index, (names, facts) in enumerate(self.values.items()):
            yield f"values_{index}", names, value_rows(events, facts)
        for step in self.steps:
            yield f"rows_{step.name}", step.events, step.rows(events.filter(events.name.isin(step.events)))
        if self.begins:
            yield begun.ROWS, self.fitted.begun.events, begun.begun_rows(events, self.fitted.begun)

    @cached_property
    def tables(self) -> tuple[RowTable, ...]:
        """The same tables in DuckDB's SQL."""
        import ibis

        events = ibis.table(fact_types(self.fitted), name="facts")
        days = {f"days_{index}": day_columns(facts) for index, facts in enumerate(self.sums.values()) if facts}
        return tuple(RowTable(name, names, select(rows), days.get(name)) for name, names, rows in self.rows(events))

    @cached_property
    def columns(self) -> dict[str, str]:
        """The columns of the staged events that these tables read, each with its SQL."""
        texts = [table.sql for table in self.tables]
        every = fact_columns(self.fitted)
        return {name: sql for name, sql in every.items() if any(f'"{name}"' in text for text in texts)}

    @cached_property
    def key(self) -> str:
        """A short name of how events become tables: equal keys, equal tables."""
        parts = [*(f"{table.name} {table.sql}" for table in self.tables), *map(str, self.columns.items())]
        return sha256("\n".join(parts).encode()).hexdigest()[:24]


@lru_cache(maxsize=4)
def plan(fitted: Fitted, names: tuple[str, ...] | None = None) -> Plan:
    """What do the signals of these names need? Without names, all signals.

    Raises
    ------
    InputError
        There is no signal of one of these names, for what is fitted.
    """
    signals = catalog(fitted)
    if names is not None:
        unknown = sorted(set(names) - {signal.name for signal in signals})
        if unknown:
            raise InputError(
                f"There is no signal {unknown[0]!r}.", remedy="See `pehle features list`.", value=unknown[0]
            )
        signals = tuple(signal for signal in signals if signal.name in names)
    more = derived(fitted)
    read, every = read_with(frozenset(columns_read(signals)), more), measures(fitted)
    peers = not read.isdisjoint(cohorts.MAKES)
    read |= set(cohorts.READS) if peers else set()
    facts = facts_read(read, every)
    return Plan(
        signals=signals,
        fitted=fitted,
        sums=streams(fact for fact in facts if fact.part not in VALUES),
        values=streams(fact for fact in facts if fact.part in VALUES),
        steps=tuple(step for step in steps(fitted) if not read.isdisjoint(step.facts)),
        derived=tuple(one for one in more if not read.isdisjoint(one.makes)),
        measures={measure.name: measure for measure in every},
        begins=not read.isdisjoint(begun.FACTS),
        peers=peers,
        compiled={},
    )


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


def compiled(table: Any) -> str:
    """Which SQL says this?"""
    import ibis

    return str(ibis.to_sql(table, dialect="duckdb", pretty=False))


def select(step: Any) -> str:
    """SQL of an Ibis expression whose whole numbers take 64 bits, not the 128 that DuckDB's sums give."""
    columns = ", ".join(
        f'"{column}"::bigint as "{column}"' if kind.is_int64() else f'"{column}"'
        for column, kind in step.schema().items()
    )
    return f"select {columns} from ({compiled(step)})"
