"""The schedule: each slot runs once, a killed run is begun again, and what is late says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, select

from records import job_runs
from records.database import connect, migrate
from records.errors import NotEnoughData
from records.leadership import leadership
from records.tables import job_runs as table
from serving.schedule import JOBS, next_time, status, tick

INDIA = ZoneInfo("Asia/Kolkata")
BEFORE_DAWN = datetime(2026, 11, 18, 22, 0, tzinfo=UTC)  # 03:30 on the 19th in India
PLAN = next(job for job in JOBS if job.name == "plan")
SCORE = next(job for job in JOBS if job.name == "score")
NIGHT = [job for job in JOBS if not job.frequent]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = connect(f"sqlite:///{tmp_path / 'pehle.db'}")
    migrate(made)
    return made


def recording(ran: list[str]) -> dict[str, Callable[[datetime, datetime], str]]:
    def note(name: str) -> Callable[[datetime, datetime], str]:
        def work(slot: datetime, now: datetime) -> str:
            ran.append(name)
            return f"{name} done"

        return work

    return {job.name: note(job.name) for job in JOBS}


def test_a_night_imports_reads_scores_and_plans_once_each(engine: Engine) -> None:
    ran: list[str] = []
    for minute in range(0, 300, 10):
        moment = BEFORE_DAWN + timedelta(minutes=minute)
        tick(engine, INDIA, recording(ran), lambda moment=moment: moment, "me", NIGHT)
    assert ran == ["import", "texts", "score", "plan", "watch"]


def test_after_an_outage_the_newest_slot_runs_and_the_older_ones_are_on_record(engine: Engine) -> None:
    ran: list[str] = []
    tick(engine, INDIA, recording(ran), lambda: BEFORE_DAWN, "me", NIGHT)
    on_sunday = BEFORE_DAWN + timedelta(days=3, hours=12)
    tick(engine, INDIA, recording(ran), lambda: on_sunday, "me", NIGHT)
    assert ran == ["import", "retrain", "texts", "score", "plan", "watch"]
    tick(engine, INDIA, recording(ran), lambda: on_sunday, "me", NIGHT)
    assert ran == ["import", "retrain", "texts", "score", "plan", "watch"], (
        "a second tick at the same time has nothing to do"
    )


def test_two_schedulers_on_one_database_never_run_a_slot_twice(engine: Engine, tmp_path: Path) -> None:
    ran: list[str] = []
    other = connect(f"sqlite:///{tmp_path / 'pehle.db'}")
    with ThreadPoolExecutor(2) as pool:
        for step in range(40):
            moment = BEFORE_DAWN + timedelta(minutes=15 * step)
            for future in [
                pool.submit(tick, one, INDIA, recording(ran), lambda moment=moment: moment, f"owner{place}", NIGHT)
                for place, one in enumerate((engine, other))
            ]:
                future.result()
    assert sorted(ran) == ["import", "plan", "score", "texts", "watch"]


def test_a_broken_job_is_recorded_and_the_others_still_run(engine: Engine) -> None:
    ran: list[str] = []
    work = recording(ran)

    def broken(slot: datetime, now: datetime) -> str:
        raise NotEnoughData("The event log is empty.", remedy="Import events first.")

    work["import"] = broken
    tick(engine, INDIA, work, lambda: BEFORE_DAWN, "me", NIGHT)
    tick(engine, INDIA, work, lambda: BEFORE_DAWN + timedelta(hours=4), "me", NIGHT)
    assert ran == ["texts", "score", "plan", "watch"]
    found = {one.name: one for one in status(engine, INDIA, BEFORE_DAWN + timedelta(hours=4))}
    assert found["import"].late
    assert found["import"].detail == "The event log is empty. Import events first."
    assert not found["score"].late


def test_a_run_whose_process_was_killed_is_begun_again_three_times_at_most(engine: Engine) -> None:
    slot = BEFORE_DAWN
    job_runs.expect(engine, "plan", slot)
    for attempt in range(1, 4):
        moment = slot + timedelta(hours=2 * attempt)
        assert job_runs.recover(engine, moment) == (0 if attempt == 1 else 1)
        (run,) = job_runs.due(engine, moment)
        assert job_runs.claim(engine, run.run_id, f"killed{attempt}", moment, moment + timedelta(hours=1))
    job_runs.recover(engine, slot + timedelta(hours=9))
    assert job_runs.due(engine, slot + timedelta(hours=9)) == []
    (last,) = job_runs.last_runs(engine, "plan")
    assert (last.state, last.attempts) == ("failed", 3)


def test_a_claim_is_for_one_owner_only(engine: Engine) -> None:
    job_runs.expect(engine, "plan", BEFORE_DAWN)
    job_runs.expect(engine, "plan", BEFORE_DAWN)
    (run,) = job_runs.due(engine, BEFORE_DAWN)
    claims = [
        job_runs.claim(engine, run.run_id, owner, BEFORE_DAWN, BEFORE_DAWN + timedelta(hours=1)) for owner in "ab"
    ]
    assert claims == [True, False]
    job_runs.finish(engine, run.run_id, "b", BEFORE_DAWN, failed=True, detail="not mine")
    with engine.connect() as connection:
        assert connection.execute(select(table.c.state)).scalar_one() == "running"


def test_status_says_late_when_nobody_works(engine: Engine) -> None:
    slot = next_time(PLAN, INDIA, BEFORE_DAWN)
    job_runs.expect(engine, "plan", slot)
    on_time, late = slot + timedelta(minutes=20), slot + timedelta(minutes=40)
    assert [one.late for at in (on_time, late) for one in status(engine, INDIA, at) if one.name == "plan"] == [
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("zone", "after", "expected"),
    [
        ("Asia/Kolkata", "2026-11-18T22:00+00:00", "2026-11-19T00:30+00:00"),
        ("Europe/Berlin", "2026-03-28T12:00+00:00", "2026-03-29T04:00+00:00"),  # the night of 23 hours
        ("Europe/Berlin", "2026-10-24T12:00+00:00", "2026-10-25T05:00+00:00"),  # the night of 25 hours
        ("Australia/Lord_Howe", "2026-10-03T12:00+00:00", "2026-10-03T19:00+00:00"),  # a shift of 30 minutes
    ],
)
def test_six_in_the_morning_is_six_where_the_company_is(zone: str, after: str, expected: str) -> None:
    assert next_time(PLAN, ZoneInfo(zone), datetime.fromisoformat(after)) == datetime.fromisoformat(expected)


def test_the_lead_passes_on_when_the_leader_is_killed(engine: Engine, tmp_path: Path) -> None:
    """Real processes: the second waits while the first lives, and leads once it was killed with SIGKILL."""
    program = (
        "import sys, time\nfrom pathlib import Path\n"
        "from records.database import connect\nfrom records.leadership import leadership\n"
        f"engine = connect('sqlite:///{tmp_path / 'pehle.db'}')\n"
        f"with leadership(engine, Path({str(tmp_path)!r})) as leads:\n"
        "    print(leads, flush=True)\n    time.sleep(60)\n"
    )
    first = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    assert first.stdout.readline().strip() == "True"
    with leadership(engine, tmp_path) as leads:
        assert not leads
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with leadership(engine, tmp_path) as leads:
            if leads:
                return
        time.sleep(0.05)
    pytest.fail("nobody took the lead")


def test_a_jump_of_the_homes_clock_does_not_make_a_running_job_dead(engine: Engine) -> None:
    """A simulated home skips a day while its scoring is at work: by the wall clock no minute has passed."""
    job_runs.expect(engine, "score", BEFORE_DAWN)
    attempts = []

    def skipping(slot: datetime, now: datetime) -> str:
        attempts.append(now)
        tomorrow = BEFORE_DAWN + timedelta(days=1)
        tick(engine, INDIA, recording([]), lambda: tomorrow, "me", [SCORE], wall=lambda: BEFORE_DAWN)
        return "scored"

    work = recording([])
    work["score"] = skipping
    tick(engine, INDIA, work, lambda: BEFORE_DAWN, "me", [SCORE], wall=lambda: BEFORE_DAWN)
    assert attempts == [BEFORE_DAWN]
    first = job_runs.last_runs(engine, "score", 5)[-1]
    assert (first.slot, first.state, first.attempts) == (BEFORE_DAWN, "done", 1)
