"""A long build that was killed goes on from there, and says to the byte what one in a single run says."""

from __future__ import annotations

import os
import shutil
import signal as signals_of_the_system
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from features_logs import CUTOFF, PEOPLE, START, frame_bytes, log_of, numbered, table

from features import history
from features.at_cutoffs import AtCutoffs
from features.build import build_signals
from features.fitted import Fitted
from features.reading import Reading
from records.events import EventLog

CHOSEN = ["orders_ever", "days_since_last_order", "tickets_ever"]
KILLED = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from features import history
from features.build import build_signals
from features.fitted import Fitted
from records.events import EventLog

history.EVENTS_AT_ONCE, history.EVENTS_PER_CHUNK = 7, 5
calls = []
def progress(done, total):
    calls.append(done)
    if len(calls) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
build_signals(EventLog(Path(sys.argv[1])), [datetime.fromisoformat(sys.argv[2])], fitted=Fitted(),
              signals=sys.argv[4].split(), progress=progress)
"""


def ordered(folder: Path) -> EventLog:
    """A log that is read in four pieces, and of which four chunks of customers are made."""
    rows = [
        {"customer_id": person, "occurred_at": at, "received_at": at, "name": name}
        for person in PEOPLE
        for at in (START + timedelta(days=day) for day in (1, 4, 9))
        for name in ("order_completed", "support_ticket_opened")
    ]
    return log_of(folder, numbered(rows))


def killed(folder: Path, calls: int) -> None:
    """A build that is killed when it tells its progress for the so-manieth time."""
    command = [sys.executable, "-W", "ignore", "-c", KILLED, str(folder), CUTOFF.isoformat(), str(calls)]
    root = Path(history.__file__).parents[1]
    done = subprocess.run([*command, " ".join(CHOSEN)], env={**os.environ, "PYTHONPATH": str(root)}, check=False)
    assert done.returncode == -signals_of_the_system.SIGKILL


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is read and made from now on, piece by piece and chunk by chunk."""
    done: list[str] = []
    monkeypatch.setattr(history, "EVENTS_AT_ONCE", 7)
    monkeypatch.setattr(history, "EVENTS_PER_CHUNK", 5)
    for owner, name in ((Reading, "tables"), (AtCutoffs, "signals")):
        real = getattr(owner, name)

        def noted(*given: Any, real: Any = real, name: str = name, **more: Any) -> Any:
            done.append(name)
            return real(*given, **more)

        monkeypatch.setattr(owner, name, noted)
    return done


def built(log: EventLog) -> bytes:
    return frame_bytes(build_signals(log, [CUTOFF], fitted=Fitted(), signals=CHOSEN))


@pytest.mark.parametrize(("calls", "pieces", "chunks"), [(2, 2, 4), (6, 0, 2)])
def test_a_killed_build_goes_on(tmp_path: Path, work: list[str], calls: int, pieces: int, chunks: int) -> None:
    log = ordered(tmp_path)
    anew = built(log)
    assert (work.count("tables"), work.count("signals")) == (4, 4)
    assert not [path for path in (tmp_path / "building").iterdir() if path.is_dir()]
    killed(tmp_path, calls)
    work.clear()
    assert built(log) == anew
    assert (work.count("tables"), work.count("signals")) == (pieces, chunks)
    assert [path.name for path in (tmp_path / "building").iterdir()] == [".lock"]


def test_nothing_of_another_log_is_used(tmp_path: Path, work: list[str]) -> None:
    log = ordered(tmp_path)
    killed(tmp_path, 6)
    at = START + timedelta(days=11)
    log.append(
        table(
            numbered([{"customer_id": "new", "occurred_at": at, "received_at": at, "name": "order_completed"}], "new")
        )
    )
    kept = built(log)
    assert work.count("tables") >= 4
    assert [path.name for path in (tmp_path / "building").iterdir()] == [".lock"]
    shutil.rmtree(tmp_path / "building")
    assert built(log) == kept


def test_while_one_builds_another_uses_a_folder_of_its_own(tmp_path: Path, work: list[str]) -> None:
    log = ordered(tmp_path)
    anew = built(log)
    nested: list[bytes] = []

    def again(done: int, total: int) -> None:
        if not nested:
            nested.append(built(log))

    both = build_signals(log, [CUTOFF], fitted=Fitted(), signals=CHOSEN, progress=again)
    assert [frame_bytes(both), *nested] == [anew, anew]
    assert work.count("tables") == 12  # nobody uses what the other has not finished
    assert not list(tmp_path.glob("spill-*"))


def test_of_stopped_builds_only_the_last_is_kept(tmp_path: Path, work: list[str]) -> None:
    log = ordered(tmp_path)
    killed(tmp_path, 2)
    (left,) = (path for path in (tmp_path / "building").iterdir() if path.is_dir())
    older = left.with_name(left.name[:-4] + "0000")
    older.mkdir()
    os.utime(older, (1, 1))
    build_signals(log, [CUTOFF], fitted=Fitted(), signals=CHOSEN[:1])
    assert left.is_dir()
    assert not older.exists()
