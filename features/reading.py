"""How do events become the row tables of a plan? One pass over the log, so many events at a time."""

# ruff: noqa: S608  the SQL is made of our own names; words are quoted

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from features.cutoffs import DAY_US
from features.days import added_up
from features.facts import FIRST_KNOWN_US, names_in, passive_sql, quoted, timed_sql
from features.plan import Plan, RowTable
from features.sorted_rows import order_of, places

if TYPE_CHECKING:
    import duckdb


def people_of(con: duckdb.DuckDBPyConnection, source: str) -> pa.Table:
    """Who is in these events, numbered in the order of their ids, since when are they known, and by how many events?"""
    found: pa.Table = con.sql(
        f"select customer_id, {FIRST_KNOWN_US} as known_us, count(*) as events from {source} "
        "group by customer_id order by customer_id"
    ).to_arrow_table()
    return found.append_column("code", pa.array(np.arange(found.num_rows, dtype=np.int32)))


def names_of(con: duckdb.DuckDBPyConnection, source: str, phase_us: int) -> dict[str, int]:
    """Since which day does the log, over all customers, have events of each name?"""
    rows = con.execute(f"select name, {FIRST_KNOWN_US} from {source} group by name").fetchall()
    return {name: (us - phase_us) // DAY_US for name, us in sorted(rows)}


class Reading:
    """Makes the tables of a plan on one connection, for the customers whose numbers are in `codes`."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        plan: Plan,
        phase_us: int,
        people: pa.Table,
        names: Mapping[str, int],
    ) -> None:
        """`people`: `customer_id` and `code` of those to be read; `names`: the event names there may be."""
        self.con, self.plan, self.phase_us, self.names = con, plan, phase_us, names
        con.register("codes_in", people.select(["customer_id", "code"]))
        con.execute("create or replace temp table codes as select * from codes_in")
        con.unregister("codes_in")
        con.execute("drop type if exists event_name")
        con.execute(f"create type event_name as enum ({', '.join(map(quoted, names)) or quoted('')})")

    def tables(self, source: str, only: Collection[str] | None = None) -> dict[str, pa.Table]:
        """The tables (or only some) of these events that have a row, sorted by `code`, then `day` if they have one."""
        wanted = [table for table in self.plan.tables if only is None or table.name in only]
        columns = {**self.plan.columns, "name": "name::event_name"}
        if "active" in columns:  # asked of every name once, not of every event
            columns["active"] = names_in(self._active(), "name::event_name")
        staged = ", ".join(f"{sql} as {name}" for name, sql in columns.items())
        self.con.execute(
            f"create or replace temp table facts as select code, {staged} "
            f"from {timed_sql(source, self.phase_us)} join codes using (customer_id){self._where(wanted)}"
        )
        made: dict[str, pa.Table] = {}
        for table in wanted:
            if table.events and not any(name in self.names for name in table.events):
                continue
            rows = self.con.sql(table.sql).to_arrow_table()
            if rows.num_rows:
                made[table.name] = by_customer(rows) if table.days is None else added_up(rows, table.days)
        self.con.execute("drop table facts")
        return made

    def _active(self) -> list[str]:
        """Which of the names are the customers' own doing?"""
        self.con.register("names_in", pa.table({"name": pa.array(list(self.names), pa.string())}))
        found = self.con.execute(f"select name from names_in where not ({passive_sql()}) order by name").fetchall()
        self.con.unregister("names_in")
        return [name for (name,) in found]

    def _where(self, tables: Sequence[RowTable]) -> str:
        """SQL that leaves out events which none of these tables reads."""
        if any(not table.events for table in tables):
            return ""
        names = sorted({name for table in tables for name in table.events})
        return f" where {names_in(names)}" if names else " where false"


def by_customer(rows: pa.Table) -> pa.Table:
    """The rows in the order of their customers and days."""
    order = order_of(*(places(rows.column(name)) for name in ("code", "day") if name in rows.column_names))
    return rows.combine_chunks() if order is None else rows.take(order).combine_chunks()
