"""Scratch folders hold customers' rows: none outlives its maker, and none is taken from one at work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from features_logs import log_of

from records import scratch as module
from records.events import EventLog
from records.scratch import PREFIX, forget_dead, scratch

HOLDING = """
import sys, time
from pathlib import Path
from records.scratch import scratch
with scratch(Path(sys.argv[1])) as folder:
    (folder / "rows").write_text("a customer's row")
    print(folder, flush=True)
    time.sleep(60)
"""


def holder(data: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process at work in a scratch folder of its own."""
    root = Path(module.__file__).parents[1]
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(data)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    assert process.stdout
    with process.stdout:
        return process, Path(process.stdout.readline().strip())


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_what_a_stopped_process_left_is_gone_at_the_next_start_and_not_before(
    tmp_path: Path, stop: signal.Signals
) -> None:
    process, folder = holder(tmp_path)
    with scratch(tmp_path) as mine:
        assert folder.is_dir()  # at work, however often others start
        process.send_signal(stop)
        process.wait()
        forget_dead(tmp_path)
        assert list(tmp_path.glob(f"{PREFIX}*")) == [mine]
    assert not list(tmp_path.iterdir())


def test_a_folder_is_not_told_dead_by_its_age(tmp_path: Path) -> None:
    with scratch(tmp_path) as mine:
        long_ago = time.time() - 365 * 86_400
        os.utime(mine, (long_ago, long_ago))
        forget_dead(tmp_path)
        assert mine.is_dir()


def test_a_connection_has_a_folder_for_as_long_as_it_lives_and_a_log_without_a_home_has_none(tmp_path: Path) -> None:
    log = log_of(tmp_path, [])
    tmp_path.mkdir(exist_ok=True)
    con = log.connection()
    assert len(list(tmp_path.glob(f"{PREFIX}*"))) == 1
    con.close()
    del con
    assert not list(tmp_path.glob(f"{PREFIX}*"))
    with EventLog(tmp_path / "nowhere").connection() as con:
        assert con.execute("select count(*) from events").fetchall() == [(0,)]
    assert not (tmp_path / "nowhere").exists()
