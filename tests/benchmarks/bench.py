"""What do 80 signals at six monthly cutoffs cost, beside the best that others' tools do? Run by `make bench`.

One table from one run on one log, drawn with a seed (`bench_log`): CPU-seconds of all threads, so that a busy machine
changes little, and peak memory, each contestant in a process of its own with imports left out, all on the same two
cores. Up to a million events it is the median of three runs that take turns, and every peer's table is compared with
ours: the same rows, the same nulls, numbers equal to a billionth.

    make bench                          1,000,000 events of 10,000 customers
    make bench EVENTS=10000000
    .venv/bin/python tests/benchmarks/bench.py --events 50000000 --log FOLDER --only ours duckdb_sql
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]
from bench_log import END, drawn_log, one_more_day  # noqa: E402
from eighty import EIGHTY, monthly  # noqa: E402

from records.events import EventLog  # noqa: E402
from records.manifest import read_manifest  # noqa: E402

PEERS = {
    "numpy_prefix": "numpy, sorted prefix sums",
    "duckdb_sql": "DuckDB, SQL by hand, ≤ 4 GB",
    "polars_lazy": "Polars, lazy",
    "pandas_groupby": "pandas, vectorised",
    "featuretools_dfs": "featuretools, 1 customer in 10",
}
CONTESTANTS = {"ours": "ours, from scratch", "file": "ours, from scratch, to a file", **PEERS}
FEATURETOOLS = HERE.parents[1] / ".venv" / "featuretools" / "bin" / "python"
CHECKED_UP_TO = 1_000_000
CORES = 2
NEAR = 1e-9  # relative; absolute below 1: our decayed sums are whole numbers of 2^-40
Answer = dict[str, Any]


def main() -> None:
    """Draw the log, run everybody, compare, print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--events", type=int, default=1_000_000)
    arguments.add_argument("--log", type=Path, help="folder of the log; drawn there if it is empty, and kept")
    arguments.add_argument("--only", nargs="+", choices=["ours", "file", "incremental", *PEERS], help="not everybody")
    arguments.add_argument("--runs", type=int, help="of which the median counts; three up to a million events, else 1")
    arguments.add_argument("--check", action="store_true", help="compare the tables, however large the log")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = drawn_log(chosen.log or Path(folder) / "log", chosen.events)
        check = chosen.check or chosen.events <= CHECKED_UP_TO
        runs = chosen.runs or (3 if chosen.events <= CHECKED_UP_TO else 1)
        Bench(log, Path(folder), check=check, runs=runs).run(chosen.only or ["ours", "file", "incremental", *PEERS])


class Bench:
    """One run: contestants on one log, and the table of what they took."""

    def __init__(self, log: EventLog, folder: Path, *, check: bool, runs: int) -> None:
        self.log, self.folder, self.check, self.runs = log, folder, check, runs
        self.events = log.summary().count
        self.scanned = median([self._contest("scan", monthly(END)) for _ in range(runs)])["seconds"]

    def run(self, names: Sequence[str]) -> None:
        """Everybody asked for, each with a line."""
        customers = self.log.summary().customers
        say(f"{self.events:,} events, {customers:,} customers, {len(EIGHTY)} signals, 6 cutoffs")
        say(f"{'':34}{'CPU-s':>8}{'scans':>8}{'rows/CPU-s':>12}{'peak GB':>9}")
        say(f"{'scan of the Parquet, once':34}{self.scanned:8.2f}")
        taking_part = [name for name in CONTESTANTS if name in names and self._can(name)]
        took: dict[str, list[Answer]] = {name: [] for name in taking_part}
        for _ in range(self.runs):  # in turns: a busy minute hits everybody
            for name in taking_part:
                took[name].append(self._contest(name, monthly(END), out=name))
                if len(took[name]) == self.runs:
                    compared = self.check and name != "ours" and "ours" in names
                    self._line(CONTESTANTS[name], median(took[name]), self._verdict(name) if compared else "")
        if "incremental" in names:
            self._tonight()

    def _tonight(self) -> None:
        """The signals of everybody at one cutoff after one new day, the log before it being rolled up already."""
        tonight = [END + timedelta(days=1)]
        followed = EventLog(shutil.copytree(self.log.data, self.folder / "followed"))
        self._contest("tonight", [END], log=followed)
        one_more_day(followed, self.events)
        answer = self._contest("tonight", tonight, out="tonight", log=followed)
        verdict = ""
        if self.check:
            self._contest("ours", tonight, out="anew", log=followed)
            verdict = "= ours" if same(self.folder / "anew.parquet", self.folder / "tonight.parquet") else "DIFFERS"
        self._line("ours, one new day, one cutoff", answer, verdict)

    def _verdict(self, name: str) -> str:
        """Does this peer say what we say?"""
        ours, theirs = (self.folder / f"{one}.parquet" for one in ("ours", name))
        return "= ours" if same(ours, theirs) else "DIFFERS"

    def _can(self, name: str) -> bool:
        """Is what this contestant needs there?"""
        if name == "featuretools_dfs" and not FEATURETOOLS.exists():
            say(f"{PEERS[name]:34}skipped: `make featuretools` makes the virtual environment it needs")
            return False
        return True

    def _contest(self, name: str, cutoffs: Sequence[datetime], out: str = "", log: EventLog | None = None) -> Answer:
        """What one contestant took."""
        log = log or self.log
        specification = {
            "log": str(log.data),
            "files": [str(log.folder / part.path) for part in read_manifest(log.folder).parts],
            "cutoffs_us": [int(cutoff.timestamp()) * 1_000_000 for cutoff in cutoffs],
            "scratch": str(self.folder),
            "out": str(self.folder / f"{out}.parquet") if out and self.check else None,
        }
        given = self.folder / "specification.json"
        given.write_text(json.dumps(specification))
        python = FEATURETOOLS if name == "featuretools_dfs" else Path(sys.executable)
        cores = sorted(os.sched_getaffinity(0))[:CORES]
        run = subprocess.run(
            [str(python), "-W", "ignore", str(HERE / "contestant.py"), name, str(given)],
            capture_output=True, text=True, check=False, preexec_fn=partial(os.sched_setaffinity, 0, cores),
        )  # fmt: skip
        if run.returncode:
            raise SystemExit(f"{name} failed:\n{run.stderr}")
        answer: Answer = json.loads(run.stdout.splitlines()[-1])
        return answer

    def _line(self, title: str, answer: Answer, verdict: str = "") -> None:
        seconds = answer["seconds"]
        say(
            f"{title:34}{seconds:8.2f}{seconds / self.scanned:8.1f}{answer['rows'] / seconds:12,.0f}"
            f"{answer['peak']:9.2f}  {verdict}"
        )


def median(answers: Sequence[Answer]) -> Answer:
    """The run whose CPU-seconds are the middle ones, with the highest peak of all."""
    ranked = sorted(answers, key=lambda answer: float(answer["seconds"]))
    return {**ranked[len(ranked) // 2], "peak": max(answer["peak"] for answer in answers)}


def same(ours: Path, theirs: Path) -> bool:
    """Do both tables say the same? The first columns that differ are printed."""
    one, other = ordered(ours), ordered(theirs)
    if other.num_rows < one.num_rows:  # a sample of the customers
        people = pc.unique(other["customer_id"])
        one = one.filter(pc.is_in(one["customer_id"], value_set=people))
    if not all(one[key].combine_chunks().equals(other[key].combine_chunks()) for key in ("customer_id", "cutoff")):
        say("the rows differ")
        return False
    wrong = []
    for name in EIGHTY:
        a, b = (table[name].cast(pa.float64()).to_numpy() for table in (one, other))
        if not np.isclose(a, b, rtol=NEAR, atol=NEAR, equal_nan=True).all():
            wrong.append(name)
    if wrong:
        say("differ in " + ", ".join(wrong[:9]))
    return not wrong


def ordered(file: Path) -> pa.Table:
    """A table of signals by cutoff and customer, with plain types."""
    table = pq.read_table(file)
    keys = {"customer_id": table["customer_id"].cast(pa.string()), "cutoff": table["cutoff"].cast(pa.int64())}
    plain = pa.table({name: keys.get(name, table[name]) for name in table.column_names})
    return plain.sort_by([("cutoff", "ascending"), ("customer_id", "ascending")]).combine_chunks()


def say(line: str) -> None:
    sys.stdout.write(line.rstrip() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
