"""Builds that are larger than memory: they stream, count exactly, stop and go on, and leave nothing half-done."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from features_logs import CUTOFF, PEOPLE, START, frame_bytes, log_of, numbered

from features import history, made_by, rollup_store
from features.at_cutoffs import AtCutoffs
from features.build import build_signals, signals_in_order, signals_in_parts
from features.clock import FIELD
from features.cutoffs import grids
from features.days import KEYS
from features.fitted import Fitted
from features.plan import plan
from features.writing import write_signals
from records.events import EventLog

CHOSEN = ["orders_ever", "days_since_last_order", "tickets_ever", "orders_30d"]
CUTOFFS = [CUTOFF - timedelta(days=20, hours=7), CUTOFF - timedelta(days=10), CUTOFF]


def some_log(folder: Path) -> EventLog:
    """Read in several pieces, made in several ranges of customers."""
    rows = [
        {"customer_id": person, "occurred_at": at, "received_at": at, "name": name}
        for person in PEOPLE
        for at in (START + timedelta(days=day) for day in (1, 40, 60))
        for name in ("order_completed", "support_ticket_opened")
    ]
    return log_of(folder, numbered(rows))


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "EVENTS_AT_ONCE", 7)
    monkeypatch.setattr(history, "EVENTS_PER_CHUNK", 5)


@pytest.mark.usefixtures("small_pieces")
def test_streamed_rows_are_the_rows_of_the_table_in_its_order(tmp_path: Path) -> None:
    log = some_log(tmp_path / "home")
    whole = build_signals(log, CUTOFFS, fitted=Fitted(), signals=CHOSEN)
    parts = list(signals_in_order(log, CUTOFFS, fitted=Fitted(), signals=CHOSEN))
    assert len(parts) > len(CUTOFFS)
    assert frame_bytes(pa.concat_tables(parts).combine_chunks()) == frame_bytes(whole)
    loose = pa.concat_tables(signals_in_parts(log, CUTOFFS, fitted=Fitted(), signals=CHOSEN))
    keys = [("cutoff", "ascending"), ("customer_id", "ascending")]
    assert loose.sort_by(keys).equals(whole)
    out = tmp_path / "signals.parquet"
    assert write_signals(iter(parts), out) == whole.num_rows
    assert pq.ParquetFile(out).num_row_groups == len(parts)
    assert pq.read_table(out).equals(whole)
    assert not [path for path in (tmp_path / "home" / "building").iterdir() if path.is_dir()]


@pytest.mark.usefixtures("small_pieces")
def test_a_reader_that_stops_finds_the_finished_rows_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = some_log(tmp_path / "home")
    out = tmp_path / "signals.parquet"
    out.write_text("what was there before")

    def full(path: Path) -> None:
        raise OSError(28, os.strerror(28), str(path))

    monkeypatch.setattr("features.writing.sync_file", full)
    with pytest.raises(OSError, match="No space left"):
        write_signals(signals_in_order(log, CUTOFFS, fitted=Fitted(), signals=CHOSEN), out)
    assert out.read_text() == "what was there before"
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == [out.name]


LIMITED = """
import resource, sys
from pathlib import Path
import test_large_builds as here
from features.build import signals_in_order
from features.fitted import Fitted
from features.writing import write_signals
from records.events import EventLog
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
tables = signals_in_order(EventLog(Path(sys.argv[1])), here.CUTOFFS, fitted=Fitted(), signals=here.CHOSEN)
write_signals(tables, Path(sys.argv[2]))
"""


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """This code in a process of its own, which finds the packages and the tests."""
    here = Path(__file__).parent
    paths = os.pathsep.join([str(here.parent), str(here), str(here / "benchmarks")])
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments], env={**os.environ, "PYTHONPATH": paths},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_disk_that_takes_no_more_leaves_what_was_there_and_the_next_run_is_right(tmp_path: Path) -> None:
    log, out = some_log(tmp_path / "home"), tmp_path / "signals.parquet"
    out.write_text("before")
    failed = run_python(LIMITED, str(log.data), str(out), "1024")
    assert "File too large" in failed.stderr
    assert out.read_text() == "before"
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["home", out.name]
    assert not list(log.data.glob("spill-*"))
    again = run_python(LIMITED, str(log.data), str(out), str(1 << 30))
    assert again.returncode == 0, again.stderr
    whole = build_signals(log, CUTOFFS, fitted=Fitted(), signals=CHOSEN)
    assert pq.read_table(out).equals(whole)


PEAK = """
import sys
from pathlib import Path
import pandas, pyarrow.dataset, pyarrow.parquet
from bench_log import END, drawn_log
from eighty import EIGHTY, monthly
from ours import fitted_words
from features import history
from features.build import signals_in_order
from features.writing import write_signals
history.EVENTS_AT_ONCE, history.EVENTS_PER_CHUNK, history.CELLS_PER_CHUNK = 100_000, 20_000, 300_000
from records.events import EventLog
log, out = EventLog(Path(sys.argv[1])), Path(sys.argv[2])
tables = signals_in_order(log, monthly(END), fitted=fitted_words(), signals=EIGHTY[:30], threads=1)
def peak():  # of this program alone: getrusage remembers what forked it
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = peak()
rows = write_signals(tables, out)
print(rows, peak() - before)
"""


def test_memory_does_not_grow_with_customers_and_cutoffs(tmp_path: Path) -> None:
    sys.path.append(str(Path(__file__).parent / "benchmarks"))
    from bench_log import drawn_log

    taken = {}
    for events in (100_000, 600_000):
        log = drawn_log(tmp_path / str(events), events)
        done = run_python(PEAK, str(log.data), str(tmp_path / f"{events}.parquet"))
        assert done.returncode == 0, done.stderr
        rows, kib = map(int, done.stdout.split())
        taken[events] = (rows, kib)
    (few, small), (many, large) = taken.values()
    assert many > 5 * few
    assert large < 2 * small


def test_counts_of_hours_and_weekdays_are_exact_beyond_two_million_a_day() -> None:
    """Every day of a week three million events: in the morning, but on the last day in the evening."""
    each = 3_000_000
    names = ("daypart_entropy_180d", "daypart_shift", "weekday_entropy_180d", "weekday_shift")
    made = plan(Fitted(), names)
    [grid] = grids([CUTOFF])
    first = grid.days[0] - 7
    [facts] = made.sums.values()
    columns = {fact.counted: np.zeros(7, np.int64) for fact in facts}
    columns["events"] += each
    for place in range(7):
        weekday = (first + place + 3) % 7  # 1970-01-01 was a Thursday; Monday is 0
        if place < 6:
            columns["light_hours"][place] = each
        else:
            columns["evening_events"][place] = each
        for part, low in (("early_week", 0), ("middle_week", 2), ("late_week", 4)):
            if weekday in (low, low + 1):
                columns[part][place] = each << (FIELD * (weekday - low))
    days = np.arange(first, first + 7, dtype=np.int32)
    rows = pa.table(dict(zip(KEYS, (np.zeros(7, np.int32), days, days), strict=True)) | columns)
    with duckdb.connect() as con:
        work = AtCutoffs(con, made, grid, {"page_viewed": first}, {}, None)
        table = work.signals({"days_0": rows}, np.asarray([grid.day_us(first)]), np.asarray([True]))
    [row] = table.to_pylist()
    shares = np.asarray([6 / 7, 1 / 7])
    assert row["daypart_entropy_180d"] == pytest.approx(-(shares * np.log(shares)).sum())
    assert row["weekday_entropy_180d"] == pytest.approx(np.log(7))
    assert row["daypart_shift"] == row["weekday_shift"] == 0


def test_kept_rows_are_used_by_the_same_code_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = some_log(tmp_path)
    read = []
    taken = rollup_store.people_of
    monkeypatch.setattr(rollup_store, "people_of", lambda con, source: read.append(1) or taken(con, source))
    kept = [build_signals(log, [CUTOFF], fitted=Fitted(), signals=CHOSEN, rollup=True) for _ in range(2)]
    assert len(read) == 1
    changed = tmp_path / "days.py"
    changed.write_text("# another line\n")
    monkeypatch.setattr(made_by, "SOURCES", (*made_by.SOURCES, changed))
    before = made_by.made_by()
    made_by.made_by.cache_clear()
    assert made_by.made_by() != before
    kept.append(build_signals(log, [CUTOFF], fitted=Fitted(), signals=CHOSEN, rollup=True))
    made_by.made_by.cache_clear()
    assert len(read) == 2
    assert kept[0].equals(kept[1])
    assert kept[0].equals(kept[2])


def test_a_clock_set_back_does_not_lose_the_roll_up_in_use(tmp_path: Path) -> None:
    log = some_log(tmp_path)
    for name in (*CHOSEN, "orders_90d"):
        build_signals(log, [CUTOFF], fitted=Fitted(), signals=[name], rollup=True)
        for used in (tmp_path / "rollup").glob("*/used"):
            later = datetime.now(UTC).timestamp() + 86_400
            os.utime(used, (later, later))
    assert build_signals(log, [CUTOFF], fitted=Fitted(), signals=["orders_365d"], rollup=True).num_rows == len(PEOPLE)
