"""One contestant of the benchmark in a process of its own: CPU-seconds of all threads, peak memory, rows made.

    contestant.py NAME SPECIFICATION.json

The specification holds the Parquet files of the log, the cutoffs in microseconds, the log's folder, and where to write
the table of signals (or null). One line of JSON is printed. Imports are made before the clock starts; a peer's own
virtual environment needs nothing of ours.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd  # noqa: F401  Arrow imports these when first needed
import pyarrow.dataset  # noqa: F401
import pyarrow.parquet as pq

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "peers"), str(HERE.parents[1])]
Work = Callable[[], Any]


def ours(specification: dict[str, Any], *, rollup: bool = False) -> Work:
    """Our signals from scratch, or from what was kept of the log last time."""
    from eighty import EIGHTY
    from ours import fitted_words, log_and_cutoffs

    from features.build import build_signals

    log, cutoffs = log_and_cutoffs(specification)
    fitted = fitted_words()
    return lambda: build_signals(log, cutoffs, fitted=fitted, signals=EIGHTY, rollup=rollup, threads=2)


def to_file(specification: dict[str, Any]) -> Work:
    """Our signals from scratch into a Parquet file, for tables that no memory holds; the rows it has."""
    from eighty import EIGHTY
    from ours import fitted_words, log_and_cutoffs

    from features.build import signals_in_order
    from features.writing import write_signals

    log, cutoffs = log_and_cutoffs(specification)
    fitted, out = fitted_words(), Path(specification["scratch"]) / "file.parquet"
    return lambda: write_signals(signals_in_order(log, cutoffs, fitted=fitted, signals=EIGHTY), out)


def scan(specification: dict[str, Any]) -> Work:
    """Every column of the log read once, and nothing made of it."""
    from ours import log_and_cutoffs

    log, _ = log_and_cutoffs(specification)
    everything = f"select count(*), sum(hash(events)) from {log.relation_sql()} events"  # noqa: S608 - our own text
    con = log.connection(threads=2)
    return lambda: con.execute(everything).fetchone()


def peer(name: str, specification: dict[str, Any]) -> Work:
    """A peer's signals."""
    module = importlib.import_module(name)
    return lambda: module.signals(specification["files"], specification["cutoffs_us"])


def main() -> None:
    """Run it and say what it took."""
    name, specification = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
    known = {"ours": ours, "tonight": partial(ours, rollup=True), "scan": scan, "file": to_file}
    work = known[name](specification) if name in known else peer(name, specification)
    before = time.process_time()
    made = work()
    seconds = time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    rows = made if isinstance(made, int) else getattr(made, "num_rows", 0)
    if specification["out"] and hasattr(made, "schema"):
        pq.write_table(made, specification["out"])
    sys.stdout.write(json.dumps({"seconds": seconds, "peak": peak, "rows": rows}) + "\n")


if __name__ == "__main__":
    main()
