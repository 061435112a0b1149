"""What do Spark's workers do in Python? The reading of events and the kernels, over Arrow batches of any size.

Events are read by DuckDB itself, from the very SQL of `features/facts.py`: what a broken number or a missing property
becomes has one answer. The kernels are the numpy functions that run in one process, given whole customers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.at_cutoffs import nothing_of
from features.begun import begun_facts
from features.cohorts import NOBODY, Cohorts, Norms, counts_of
from features.derived import Derived, derive
from features.latest import NO_ROW, value_places
from features.own import own_facts
from features.rollup import Fact
from features.sorted_rows import Decimals, Whole, arrow_array
from features.windows import window_facts

EVENTS = "events_here"
"""What the SQL of `read` calls the events."""

ROWS_AT_ONCE = 1_000_000
"""Whole customers with at least so many rows are given to a kernel together: memory stays bounded."""

Batches = Iterable[pa.RecordBatch]


def read(batches: Batches, sql: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """What DuckDB makes of these events by `sql`, a selection that looks at one event at a time."""
    import duckdb

    with duckdb.connect(config={"threads": 1}) as con:
        con.execute("set TimeZone = 'UTC'")
        for batch in batches:
            con.register(EVENTS, pa.Table.from_batches([batch]))
            yield from con.sql(sql).to_arrow_table().cast(schema).to_batches()
            con.unregister(EVENTS)


def by_customers(batches: Batches, work: Callable[[pa.Table], pa.Table], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """What `work` makes of these rows, sorted by `code`, given all rows of a customer at once."""
    for rows in whole_customers(batches, ROWS_AT_ONCE):
        yield from work(rows).cast(schema).to_batches()


def whole_customers(batches: Batches, at_once: int) -> Iterator[pa.Table]:
    """The same rows in tables that end where a customer ends, of `at_once` rows or more but for the last."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(one.num_rows for one in waiting) >= at_once:
            rows = pa.Table.from_batches(waiting)
            codes = rows.column("code")
            end = pc.index(codes, codes[-1]).as_py()  # the last customer may go on in the next batch
            if end:
                yield rows.slice(0, end)
            waiting = rows.slice(end).to_batches()
    if waiting:
        yield pa.Table.from_batches(waiting)


def window_rows(rows: pa.Table, facts: Sequence[Fact], cutoffs: Whole) -> pa.Table:
    """One row per cutoff and customer: what the day rows of one stream say, as `windows.window_facts` does."""
    rows, ids = numbered(rows)
    made = window_facts(rows, facts, len(ids), cutoffs)
    columns = {fact.name: _flat(made[fact.name], nothing_of(fact)) for fact in facts}
    for fact in facts:
        if fact.part == "gap_median":  # twice the median, so that it is a whole number
            columns[fact.name] = pc.divide(columns[fact.name].cast(pa.float64()), 2.0)
    return _keyed(ids, cutoffs, columns)


def latest_rows(rows: pa.Table, facts: Sequence[Fact], cutoffs: Whole) -> pa.Table:
    """One row per cutoff and customer: first and last values, as `latest.value_places` finds them."""
    rows, ids = numbered(rows)
    places = value_places(rows, facts, len(ids), cutoffs)
    columns = {
        fact.name: rows.column(fact.measure.name).take(_flat(places[fact.name], NO_ROW)).combine_chunks()
        for fact in facts
    }
    return _keyed(ids, cutoffs, columns)


def own_rows(rows: pa.Table, days: Sequence[int], moments: Sequence[int]) -> pa.Table:
    """One row per cutoff and customer: the newest of the company's own rows up to it, as `own.own_facts` finds it."""
    rows, ids = numbered(rows.sort_by([("code", "ascending"), ("us", "ascending")]))
    place, code = np.indices((len(days), len(ids))).reshape(2, -1)
    made = own_facts({"own_": rows}, code, np.asarray(moments, np.int64)[place])
    return _keyed(ids, np.asarray(days, np.int64), made)


def product_rows(rows: pa.Table, cutoffs: Whole) -> pa.Table:
    """One row per cutoff and customer: which product they have, as `begun.begun_facts` finds it."""
    rows, ids = numbered(rows)
    place, code = np.indices((len(cutoffs), len(ids))).reshape(2, -1)
    return _keyed(ids, cutoffs, begun_facts(rows, code, cutoffs[place]))


def counted(batches: Batches, norms: Norms) -> Iterator[pa.RecordBatch]:
    """The counts of each batch of facts, by which peers are told."""
    for batch in batches:
        facts = dict(zip(batch.schema.names, batch.columns, strict=True))
        yield from counts_of(facts, norms).cast(NOBODY.schema).to_batches()


def with_peers(batches: Batches, counts: pa.Table, norms: Norms) -> Iterator[pa.RecordBatch]:
    """The same rows of facts with what these counts of everybody say of each customer."""
    cohorts = Cohorts(counts, norms)
    for batch in batches:
        facts: dict[str, Any] = dict(zip(batch.schema.names, batch.columns, strict=True))
        made = {name: pa.array(values, from_pandas=True) for name, values in cohorts.facts(facts).items()}
        yield pa.RecordBatch.from_pydict(facts | made)


def numbered(rows: pa.Table) -> tuple[pa.Table, pa.Array[Any]]:
    """The same rows with numbers from 0 on for codes, and the code behind each number."""
    codes = rows.column("code").combine_chunks().dictionary_encode()
    return rows.set_column(rows.column_names.index("code"), "code", codes.indices), codes.dictionary


def _flat(made: Whole | Decimals, nothing: int | None) -> pa.Array[Any]:
    return arrow_array(made.over(np.ravel) if isinstance(made, Decimals) else made.ravel(), nothing)


def _keyed(ids: pa.Array[Any], cutoffs: Whole, columns: Mapping[str, pa.Array[Any]]) -> pa.Table:
    keys: dict[str, pa.Array[Any]] = {
        "code": pa.concat_arrays([ids.cast(pa.string())] * len(cutoffs)),
        "cutoff_day": pa.array(np.repeat(cutoffs, len(ids)).astype(np.int32)),
    }
    return pa.table(keys | dict(columns))


def with_derived(batches: Batches, derived: Sequence[Derived]) -> Iterator[pa.RecordBatch]:
    """The same rows of facts with the facts that follow from them."""
    for batch in batches:
        facts = dict(zip(batch.schema.names, batch.columns, strict=True))
        for one in derived:
            facts |= derive(one, facts, batch.num_rows)
        yield pa.RecordBatch.from_pydict(facts)
