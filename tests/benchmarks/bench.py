"""What do the signals cost, measured against merely reading the log? Run by `make bench`.

One run on one log, in CPU-seconds of this process with imports left out, so that a busy machine changes little. The
log is drawn with a seed: heavy-tailed activity over two years, eight kinds of events, four channels.

    make bench                               1,000,000 events of 20,000 customers, 6 cutoffs
    .venv/bin/python tests/benchmarks/bench.py --events 10000000 --customers 200000
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.build import build_signals
from records.events import EventLog

START = datetime(2024, 11, 1, tzinfo=UTC)
DAYS = 730
NAMES = (
    "session_started",
    "page_viewed",
    "order_completed",
    "payment_completed",
    "payment_failed",
    "support_ticket_opened",
    "message_opened",
    "song_played",
)
CHANNELS = ("web", "app", "phone", "email")
BATCH = 500_000


def batches(events: int, customers: int, seed: int = 1) -> Iterator[pa.Table]:
    """The log in tables of at most BATCH rows."""
    draw = np.random.default_rng(seed)
    weight = draw.pareto(1.2, customers) + 0.05
    weight /= weight.sum()
    for first in range(0, events, BATCH):
        count = min(BATCH, events - first)
        who = draw.choice(customers, count, p=weight)
        seconds = draw.integers(0, DAYS * 86_400, count)
        name = draw.choice(len(NAMES), count, p=[0.3, 0.35, 0.08, 0.08, 0.02, 0.02, 0.05, 0.1])
        amount = np.where(np.isin(name, (2, 3)), draw.integers(100, 5_000, count), 0)
        at = np.datetime64(START.replace(tzinfo=None), "us") + seconds.astype("timedelta64[s]")
        yield pa.table(
            {
                "event_id": pa.array([f"E{number}" for number in range(first, first + count)]),
                "customer_id": pa.array([f"C{one}" for one in who]),
                "occurred_at": pa.array(at).cast(pa.timestamp("us", "UTC")),
                "name": pa.array(NAMES).take(pa.array(name)),
                "channel": pa.array(CHANNELS).take(pa.array(draw.integers(0, 4, count))),
                "amount": pa.array(amount).cast(pa.decimal128(19, 0)).cast(pa.decimal128(18, 4)),
            }
        )


def cpu_seconds(work: Callable[[], object]) -> tuple[float, object]:
    """CPU-seconds of this process, all threads, and what `work` returned."""
    before = time.process_time()
    result = work()
    return time.process_time() - before, result


def main() -> None:
    """Make the log, read it once, build all signals at six cutoffs, and print both and their ratio."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=1_000_000)
    arguments.add_argument("--customers", type=int, default=20_000)
    arguments.add_argument("--cutoffs", type=int, default=6)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = EventLog(Path(folder))
        appended, _ = cpu_seconds(lambda: [log.append(batch) for batch in batches(chosen.events, chosen.customers)])
        cutoffs = [START + timedelta(days=DAYS - 30 * back) for back in range(chosen.cutoffs)][::-1]
        everything = f"select count(*), sum(hash(events)) from {log.relation_sql()} events"  # noqa: S608 - our own text
        scanned, _ = cpu_seconds(lambda: log.connection(threads=2).execute(everything).fetchone())
        built, table = cpu_seconds(lambda: build_signals(log, cutoffs, threads=2))
    if not isinstance(table, pa.Table):
        raise TypeError
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    sys.stdout.write(
        f"{chosen.events:,} events, {chosen.customers:,} customers, {len(cutoffs)} cutoffs; CPU-seconds\n"
        f"  append           {appended:8.2f}\n"
        f"  scan once        {scanned:8.2f}\n"
        f"  {table.num_columns - 2} signals      {built:8.2f}   {built / scanned:.0f} scans, "
        f"{table.num_rows / built:,.0f} rows/CPU-s ({table.num_rows:,} rows)\n"
        f"  peak memory      {peak:8.2f} GB\n"
    )


if __name__ == "__main__":
    main()
