"""Where are signals made: in this process, or by the Spark that `[engine] url` names?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from features.build import signals_in_order, signals_in_parts
from features.fitted import Fitted
from features.pace import Progress
from features.readings import Readings
from records.events import EventLog
from records.scratch import scratch

if TYPE_CHECKING:
    import pyarrow as pa


def tables_in_order(
    url: str, log: EventLog, cutoffs: Sequence[datetime], fitted: Fitted, *, progress: Progress | None = None
) -> Iterator[pa.Table]:
    """The signals of everybody, sorted by cutoff, then customer, in tables that memory can hold.

    Made here if `url` is empty. Spark puts its rows into a folder of the home, which every worker must reach.
    """
    if not url:
        yield from signals_in_order(log, cutoffs, fitted=fitted, progress=progress)
        return
    yield from _on_spark(url, log, cutoffs, fitted, None, None, ordered=True)


def tables_in_parts(
    url: str,
    log: EventLog,
    cutoffs: Sequence[datetime],
    fitted: Fitted,
    customers: Sequence[str],
    readings: Readings | None,
    *,
    threads: int,
    progress: Progress | None = None,
) -> Iterator[pa.Table]:
    """The signals of these customers, in tables that memory can hold, in no order."""
    if not url:
        yield from signals_in_parts(
            log, cutoffs, fitted=fitted, customers=customers, readings=readings, threads=threads, progress=progress
        )
        return
    yield from _on_spark(url, log, cutoffs, fitted, customers, readings, ordered=False)


def _on_spark(
    url: str,
    log: EventLog,
    cutoffs: Sequence[datetime],
    fitted: Fitted,
    customers: Sequence[str] | None,
    readings: Readings | None,
    *,
    ordered: bool,
) -> Iterator[pa.Table]:
    from features.spark import session
    from features.spark_signals import signals_on_spark
    from features.spark_tables import stored_rows

    with (
        scratch(log.data) as folder,
        signals_on_spark(session(url), log, cutoffs, fitted=fitted, customers=customers, readings=readings) as frame,
    ):
        yield from stored_rows(frame, folder / "signals", by=("cutoff", "customer_id") if ordered else ())
