"""The commands as a person types them: what is refused is one line, what is wrong leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from records import job_runs
from serving.cli import main
from serving.home import REAL, create_home, open_home

PEHLE = (sys.executable, "-m", "serving.cli")
EVENTS = "customer_id,occurred_at,name\nBo,2026-11-01,order_completed\n"


def pehle(*words: str | Path, **more: object) -> subprocess.CompletedProcess[str]:
    command = [*PEHLE, *(str(word) for word in words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **more)  # type: ignore[call-overload,no-any-return]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return create_home(tmp_path / "shop", REAL).path


@pytest.mark.parametrize("name", ["nosuch.csv", "folder"])
def test_a_file_that_is_not_one_is_refused_before_a_home_is_made(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    done = pehle("import", "events", tmp_path / name, "--home", tmp_path / "new")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert ("is a folder" if name == "folder" else "There is no file") in done.stderr
    assert not (tmp_path / "new").exists()


def test_a_dry_run_counts_and_makes_no_home(tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    file.write_text(EVENTS, encoding="utf-8")
    done = pehle("import", "events", file, "--dry-run", "--json", "--home", tmp_path / "new")
    assert (done.returncode, done.stdout) == (0, '{"accepted": 1, "duplicates": 0, "rejected": 0}\n')
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("command", [("score",), ("features", "build")])
@pytest.mark.parametrize(("out", "said"), [("nowhere/f.csv", "There is no folder"), ("f.xlsx", "ends in '.xlsx'")])
def test_where_nothing_can_be_written_is_said_first(
    shop: Path, tmp_path: Path, command: tuple[str, ...], out: str, said: str
) -> None:
    done = pehle(*command, "--out", tmp_path / out, "--home", shop)
    assert (done.returncode, done.stderr.count("\n"), said in done.stderr) == (1, 1, True), done.stderr


def test_a_cutoff_that_utc_has_no_year_for_is_a_wrong_word(shop: Path, tmp_path: Path) -> None:
    far = "0001-01-01T00:00:00+14:00"
    done = pehle("features", "build", "--as-of", far, "--out", tmp_path / "signals.csv", "--home", shop)
    assert (done.returncode, "is not a time" in done.stderr) == (2, True), done.stderr


def test_a_file_that_cannot_be_written_is_one_line_and_no_traceback(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(EVENTS, encoding="utf-8")
    assert pehle("import", "events", tmp_path / "events.csv", "--home", shop).returncode == 0
    (tmp_path / "signals.csv").mkdir()  # a folder stands where the file should go
    done = pehle("features", "build", "--out", tmp_path / "signals.csv", "--home", shop)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert done.stderr.splitlines()[-1].startswith("pehle: ")


def test_too_little_room_is_one_line_and_no_traceback(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("records.events.MEMORY_LIMIT_BYTES", 20 << 20)
    monkeypatch.setattr("records.events.SPILL_LIMIT", "1MB")
    rows = "".join(f"customer {number},2026-11-01,order_completed\n" for number in range(60_000))
    (tmp_path / "events.csv").write_text(EVENTS + rows, encoding="utf-8")
    words = ["pehle", "import", "events", str(tmp_path / "events.csv"), "--home", str(shop)]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err.splitlines()[-1]
    assert (ended.value.code, said.startswith("pehle: ")) == (1, True)
    assert "more room in memory" in said


def test_the_state_of_an_empty_home_has_no_none_in_it(shop: Path) -> None:
    done = pehle("status", "--home", shop)
    assert done.stdout.splitlines()[0] == "0 events from 0 customers; import some with `pehle import events`"


def test_status_says_that_the_log_is_old_and_which_job_failed_and_why(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(EVENTS, encoding="utf-8")
    assert pehle("import", "events", tmp_path / "events.csv", "--home", shop).returncode == 0
    engine, slot = open_home(shop).engine, datetime(2026, 1, 1, tzinfo=UTC)
    job_runs.expect(engine, "plan", slot)
    (run,) = job_runs.due(engine, slot)
    assert job_runs.claim(engine, run.run_id, "a", slot, slot + timedelta(hours=1))
    job_runs.finish(engine, run.run_id, "a", slot, failed=True, detail="The disk is full.")
    said = pehle("status", "--home", shop).stdout.splitlines()
    assert said[1].startswith("the newest event is older than 3 days: nothing is planned or sent")
    assert [line.split("FAILED: ")[1] for line in said if line.startswith("plan ")] == ["The disk is full."]


def test_a_dry_run_sends_nobody_to_rows_put_aside_that_it_did_not_keep(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(EVENTS + ",,,\n" * 12, encoding="utf-8")
    words = ("import", "events", tmp_path / "events.csv", "--home", shop)
    assert pehle(*words, "--dry-run").stdout.splitlines()[-1] == "  … and 2 more."
    assert pehle(*words).stdout.splitlines()[-1] == "  … and 2 more, all of them in data/quarantine/."


def test_a_key_that_no_mapping_has_is_named_in_plain_words(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(EVENTS, encoding="utf-8")
    (tmp_path / "own.toml").write_text('formt = "csv"\n', encoding="utf-8")
    words = ("import", "events", tmp_path / "events.csv", "--mapping", tmp_path / "own.toml", "--home", shop)
    assert "own.toml cannot be used: formt: there is no such key" in pehle(*words).stderr


def lines_until(process: subprocess.Popen[str], wanted: str) -> None:
    """Read what the process says until the wanted words come."""
    assert process.stderr is not None
    assert any(wanted in line for line in process.stderr), f"never said {wanted!r}"


def child_of(parent: int) -> int:
    """The one process that `parent` began."""
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()
    assert len(found) == 1, found
    return int(found[0])


def running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def within(seconds: float, true: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for the worker in /proc")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_the_web_app(shop: Path, how: signal.Signals) -> None:
    command = [*PEHLE, "up", "--port", "0", "--home", str(shop)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as app:
        try:
            lines_until(app, "Ctrl-C ends it")  # said by the worker: it leads
            worker = child_of(app.pid)
            os.kill(app.pid, how)
            app.wait(timeout=30)
            assert within(20, lambda: not running(worker)), "the worker still runs"
            if how is signal.SIGTERM:
                assert app.returncode == 0
        finally:
            if app.poll() is None:
                os.killpg(app.pid, signal.SIGKILL)


def test_a_table_of_ones_own_is_imported_listed_and_taken_away(tmp_path: Path) -> None:
    home, file = tmp_path / "shop", tmp_path / "crm.csv"
    file.write_bytes("\ufeffcustomer_id,cutoff,भरोसा\r\nbo,2026-05-01,1\r\nbo,2026-05-02,=1+1\r\n".encode())
    done = pehle("import", "signals", file, "--name", "crm", "--home", home)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 accepted, 0 replaced, 0 duplicates, 1 put aside." in done.stdout
    assert f"{file}:3: भरोसा is not a number ('=1+1')" in done.stdout
    [table] = json.loads(pehle("import", "tables", "--json", "--home", home).stdout)
    assert (table["table"], table["rows"], table["columns"]) == ("crm", 1, ["भरोसा"])
    assert pehle("import", "remove", "signal", "crm", "--home", home).returncode == 2
    assert pehle("import", "remove", "signals", "crm", "--home", home).stdout == "1 rows of signals 'crm' removed.\n"
    again = pehle("import", "remove", "signals", "crm", "--home", home)
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert "there are none" in again.stderr
    assert json.loads(pehle("import", "tables", "--json", "--home", home).stdout) == []


def test_no_word_of_a_log_is_an_order_to_the_terminal(tmp_path: Path, shop: Path) -> None:
    events = "customer_id,occurred_at,name,topic\nbo,2026-05-01,support_ticket_opened,\x1b[31mred\u202eeno\n"
    (tmp_path / "events.csv").write_text(events, encoding="utf-8")
    assert pehle("import", "events", tmp_path / "events.csv", "--home", shop).returncode == 0
    done = pehle("features", "list", "--home", shop)
    assert done.returncode == 0
    assert "“\\x1b[31mred\\u202eeno”" in done.stdout
    assert not {"\x1b", "\u202e"} & set(done.stdout)
