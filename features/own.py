"""Own signals: numbers the company imported itself, each seen by every later cutoff until a newer row replaces it."""

# ruff: noqa: S608  the SQL is made of our own names; column names and paths are quoted

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from features.generic import slugs
from features.signal import Signal, column
from features.sorted_rows import Whole, places
from records.events import EventLog
from records.own_tables import own_tables

if TYPE_CHECKING:
    from datetime import datetime

    from features.history import History
    from features.plan import Plan

MOST_COLUMNS = 200


@dataclass(frozen=True, order=True)
class OwnColumn:
    """A column of a table of the company's own."""

    table: str
    name: str


def fit_own(log: EventLog, until: datetime) -> tuple[OwnColumn, ...]:
    """Which columns do the imported tables have, of which a row is about a moment up to `until`?"""
    found: list[OwnColumn] = []
    with log.connection() as con:
        for table, file in own_tables(log.data, "signals").items():
            source = f"read_parquet({_quoted(str(file))})"
            [(early,)] = con.execute(f"select count(*) from {source} where cutoff <= ?", [until]).fetchall()
            if early:
                found += [OwnColumn(table, name) for name in con.sql(f"select * from {source} limit 0").columns[2:]]
    return tuple(found[:MOST_COLUMNS])


def signals(columns: tuple[OwnColumn, ...]) -> tuple[Signal, ...]:
    """A signal for each of these columns."""
    names = slugs(tuple(f"{one.table}_{one.name}" for one in columns))
    return tuple(
        Signal(
            name=f"own_{name}",
            question=f"What is “{one.name}” in the newest row, up to the cutoff, of the company's table “{one.table}”?",
            unit="as imported",
            family="own",
            group=f"own_{name}",
            no_data="null: no row about this customer, or an empty cell",
            value=column(f"own_{index}"),
        )
        for index, (one, name) in enumerate(zip(columns, names, strict=True))
    )


def own_rows(con: Any, log: EventLog, columns: tuple[OwnColumn, ...], ids: pa.Array[Any]) -> dict[str, pa.Table]:
    """The rows of each table about these customers, by number (`code`), sorted by it and by their moment.

    A table that is gone since the fit, or a column of it, has nothing to say.
    """
    made: dict[str, pa.Table] = {}
    files = own_tables(log.data, "signals")
    if columns:
        numbered: dict[str, Any] = {"customer_id": ids, "code": np.arange(len(ids), dtype=np.int32)}
        con.register("own_ids", pa.table(numbered))
        for table in dict.fromkeys(one.table for one in columns):
            if table not in files:
                continue
            source = f"read_parquet({_quoted(str(files[table]))})"
            there = con.sql(f"select * from {source} limit 0").columns
            values = "".join(
                f', "{_escaped(one.name)}"::double as own_{index}'
                for index, one in enumerate(columns)
                if one.table == table and one.name in there
            )
            sql = f"select code, epoch_us(cutoff) as us{values} from {source} join own_ids using (customer_id)"
            rows = con.sql(f"{sql} order by code, us").to_arrow_table()
            if rows.num_rows:
                made[f"own_{table}"] = rows.combine_chunks()
        con.unregister("own_ids")
    return made


def with_own(con: Any, log: EventLog, made: Plan, history: History) -> History:
    """The same history with the rows of the company's own tables, if a signal of the plan reads them."""
    if not any(signal.family == "own" for signal in made.signals):
        return history
    rows = own_rows(con, log, made.fitted.own, history.ids)
    return replace(history, segments=[*history.segments, rows])


def own_facts(rows: Mapping[str, pa.Table], code: Whole, cutoff_us: Whole) -> dict[str, Any]:
    """For each customer and cutoff: the values of the newest row about a moment up to it."""
    made: dict[str, Any] = {}
    for name, table in rows.items():
        if not name.startswith("own_"):
            continue
        codes, moments = places(table.column("code")), places(table.column("us"))
        found = np.empty(len(code), np.int64)
        for moment in np.unique(cutoff_us):
            # Rows are sorted by customer and moment: those up to the cutoff come first of each customer's.
            upto = np.concatenate([[0], np.cumsum(moments <= moment)])
            mine = cutoff_us == moment
            first, last = (np.searchsorted(codes, code[mine], side) for side in ("left", "right"))
            many = upto[last] - upto[first]
            found[mine] = np.where(many > 0, first + many - 1, -1)
        taken: Any = pa.array(np.maximum(found, 0), mask=found < 0)
        for one in table.column_names[2:]:
            made[one] = table.column(one).take(taken).combine_chunks()
    return made


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _escaped(name: str) -> str:
    return name.replace('"', '""')
