"""What was known about each customer at each cutoff? Events in, one row of signals per customer and cutoff out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from features.catalog import catalog
from features.cutoffs import grids
from features.facts import count_events
from features.fitted import Fitted, fit
from features.signal import Signal
from features.stages import Stages
from records.errors import InputError
from records.events import EventLog

EVENTS_PER_CHUNK = 4_000_000
"""Customers are taken in chunks of about this many events: memory stays bounded, whatever the size of the log."""

Progress = Callable[[int, int], None]


def build_signals(
    log: EventLog,
    cutoffs: Sequence[datetime],
    *,
    fitted: Fitted | None = None,
    customers: Sequence[str] | None = None,
    signals: Sequence[str] | None = None,
    threads: int = 2,
    progress: Progress | None = None,
) -> pa.Table:
    """What did the log say, before each cutoff, about every person seen by then (or about `customers` only)?

    One row per customer and cutoff, sorted by cutoff, then customer; columns customer_id, cutoff and the signals of
    the catalog in its order; null means no data. Without `fitted` it is fitted at the earliest cutoff.
    With `signals` only these columns are made, in the order of the catalog, and only what they need is computed.
    `progress` is called with the chunks done and the chunks in all.
    """
    if not cutoffs:
        return _sorted([], chosen_signals(fitted or Fitted(), signals))
    fitted = fitted or fit(log, min(cutoffs))
    chosen = chosen_signals(fitted, signals)
    tables: list[pa.Table] = []
    with log.connection(threads) as con:
        if customers is not None:
            con.register("wanted_rows", pa.table({"customer_id": pa.array(sorted(set(customers)), pa.string())}))
            con.execute("create temp table wanted_customers as select * from wanted_rows")
        plan = [(grid, max(1, -(-count_events(con, log, grid) // EVENTS_PER_CHUNK))) for grid in grids(cutoffs)]
        done, total = 0, sum(chunks for _, chunks in plan)
        for grid, chunks in plan:
            stages = Stages(con, log, grid, fitted, chosen)
            for chunk in range(chunks):
                tables += stages.run(chunk, chunks, chosen=customers is not None)
                done += 1
                if progress:
                    progress(done, total)
    return _sorted(tables, chosen)


def chosen_signals(fitted: Fitted, names: Sequence[str] | None) -> tuple[Signal, ...]:
    """Which signals bear these names? Without names, all of them.

    Raises
    ------
    InputError
        There is no signal of one of these names, for what is fitted.
    """
    every = catalog(fitted)
    if names is None:
        return every
    unknown = sorted(set(names) - {signal.name for signal in every})
    if unknown:
        raise InputError(f"There is no signal {unknown[0]!r}.", remedy="See `pehle features list`.", value=unknown[0])
    return tuple(signal for signal in every if signal.name in set(names))


def _sorted(tables: Sequence[pa.Table], signals: Sequence[Signal]) -> pa.Table:
    """One table in an order that does not depend on chunks, threads or files."""
    columns: list[Any] = [pa.field(signal.name, pa.float64()) for signal in signals]
    schema = pa.schema([pa.field("customer_id", pa.string()), pa.field("cutoff", pa.timestamp("us", "UTC")), *columns])
    if not tables:
        return schema.empty_table()
    table = pa.concat_tables([part.rename_columns(schema.names).cast(schema) for part in tables])
    return table.sort_by([("cutoff", "ascending"), ("customer_id", "ascending")]).combine_chunks()


def write_signals(log: EventLog, as_of: datetime, out: Path, *, fitted: Fitted | None = None) -> int:
    """How many people were seen before `as_of`? Their signals are written to `out`, as CSV or Parquet by its ending.

    The file holds nothing about the run that made it: the same log gives the same bytes.
    """
    import pyarrow.csv as csv
    import pyarrow.parquet as parquet

    if out.suffix not in (".csv", ".parquet"):
        raise InputError(
            f"Cannot write signals to {out.name}.", remedy="End the name in .csv or .parquet.", file=str(out)
        )
    table = build_signals(log, [as_of], fitted=fitted)
    if out.suffix == ".csv":
        csv.write_csv(table, out)
    else:
        parquet.write_table(table, out)
    return int(table.num_rows)
