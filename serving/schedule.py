"""When does each job run, and who runs it? The only file that knows APScheduler.

APScheduler is just the clock of one leader process: every few seconds it calls `tick`. What is due is decided by
our own table of expected runs (`records.job_runs`), because two APSchedulers on one job store fire twice and a run
killed half-way is lost. Who leads is decided in `records.leadership`.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.cron import CronTrigger
from sqlalchemy import Engine

from records import job_runs
from records.errors import PehleError

log = logging.getLogger(__name__)
TICK_SECONDS = 5


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job and its times, in the company's zone."""

    name: str
    cron: str  # five fields, as in crontab
    lease: timedelta  # a run longer than this counts as dead
    grace: timedelta  # later than this it is reported as late
    frequent: bool = False  # runs every few minutes: old rows are dropped


# In the order of the flow. Night jobs leave each other time; a late one only delays the next list.
JOBS = (
    Job(name="import", cron="30 5 * * *", lease=timedelta(hours=2), grace=timedelta(minutes=30)),
    # Every night: on Sundays it trains, on others only if something asks for it.
    Job(name="retrain", cron="0 3 * * *", lease=timedelta(hours=6), grace=timedelta(hours=3)),
    Job(name="texts", cron="40 5 * * *", lease=timedelta(hours=2), grace=timedelta(minutes=30)),
    Job(name="score", cron="45 5 * * *", lease=timedelta(hours=2), grace=timedelta(minutes=30)),
    Job(name="plan", cron="0 6 * * *", lease=timedelta(hours=1), grace=timedelta(minutes=30)),
    Job(name="watch", cron="30 6 * * *", lease=timedelta(hours=2), grace=timedelta(hours=3)),
    Job(
        name="send",
        cron="* * * * *",
        lease=timedelta(minutes=30),
        grace=timedelta(minutes=10),
        frequent=True,
    ),
)


def next_time(job: Job, zone: ZoneInfo, after: datetime) -> datetime:
    """The first slot of `job` strictly after `after`; each slot exists once, also on the days clocks change."""
    trigger = CronTrigger.from_crontab(_weekdays_by_name(job.cron), timezone=zone)
    found = trigger.get_next_fire_time(None, after + timedelta(microseconds=1))
    if found is None:
        msg = f"the times {job.cron!r} of job {job.name} never come"
        raise ValueError(msg)
    utc: datetime = found.astimezone(after.tzinfo)
    return utc


def _weekdays_by_name(cron: str) -> str:
    """In crontab 0 is Sunday, in APScheduler Monday; names mean the same in both."""
    *rest, weekday = cron.split()
    names = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
    return " ".join([*rest, names[int(weekday)] if weekday.isdigit() else weekday])


def tick(
    engine: Engine,
    zone: ZoneInfo,
    work: Mapping[str, Callable[[datetime, datetime], str]],
    now: Callable[[], datetime],
    owner: str,
    jobs: Sequence[Job] = JOBS,
    wall: Callable[[], datetime] | None = None,
) -> int:
    """Write down the coming slots of `jobs`, run what is due, and say how many ran.

    Slots follow `now`, the time in the home; leases follow `wall` (default: the same), since a simulated home's time
    may jump while a job is at work.

    `work[name](slot, now)` does the job and returns one line for people. An error is recorded, never raised: one
    broken job must not stop the others.
    """
    moment = now()
    for job in jobs:
        if job_runs.next_slot(engine, job.name) is None:
            job_runs.expect(engine, job.name, next_time(job, zone, moment))
    wall = wall or now
    job_runs.recover(engine, wall())
    ran = 0
    waiting = {run.job: run for run in job_runs.due(engine, moment)}
    for job in (job for job in jobs if job.name in waiting):
        run = waiting[job.name]
        # The next slot is written before this one runs: a crash must not end the series.
        job_runs.expect(engine, job.name, next_time(job, zone, max(run.slot, now())))
        if job_runs.claim(engine, run.run_id, owner, now(), wall() + job.lease):
            _run(engine, run, work[run.job], now, owner)
            ran += 1
    job_runs.forget(engine, [job.name for job in jobs if job.frequent], moment - timedelta(days=2))
    return ran


def _run(
    engine: Engine,
    run: job_runs.JobRun,
    work: Callable[[datetime, datetime], str],
    now: Callable[[], datetime],
    owner: str,
) -> None:
    try:
        detail, failed = work(run.slot, now()), False
    except PehleError as error:
        detail, failed = str(error), True
    except Exception as error:
        log.exception("job %s failed", run.job)
        detail, failed = f"{type(error).__name__}; see the log", True
    job_runs.finish(engine, run.run_id, owner, now(), failed=failed, detail=detail)
    (log.warning if failed else log.info)("job %s: %s", run.job, detail)


@dataclass(frozen=True, kw_only=True)
class JobStatus:
    """What a person wants to know of one job."""

    name: str
    last_run: datetime | None
    last_state: str | None
    detail: str | None
    next_run: datetime
    late: bool


def status(engine: Engine, zone: ZoneInfo, now: datetime) -> list[JobStatus]:
    """What ran last, what runs next, and what is late. A job nobody is running shows as late once its slot passed."""
    found = []
    for job in JOBS:
        last = next(iter(job_runs.last_runs(engine, job.name)), None)
        slot = job_runs.next_slot(engine, job.name)
        found.append(
            JobStatus(
                name=job.name,
                last_run=last.finished_at if last else None,
                last_state=last.state if last else None,
                detail=last.detail if last else None,
                next_run=slot or next_time(job, zone, now),
                late=(slot is not None and slot + job.grace < now) or (last is not None and last.state == "failed"),
            )
        )
    return found


def owner_name() -> str:
    """Who this process is in the records: host, process, and a number that a restart changes."""
    return f"{socket.gethostname()}:{os.getpid()}:{os.urandom(3).hex()}"


def run_forever(ticks: Sequence[Callable[[], object]], until: Callable[[], bool] = lambda: False) -> None:
    """Call each of `ticks` every few seconds, each in a thread of its own, until the process is told to stop.

    Also stops, at once and like a killed process, when `until` says so: nobody is left to tell it.

    Sending has its own tick: a retraining that takes an hour must not hold back tonight's messages.
    """
    # A tick still busy when the next one comes is the normal case here, not something to warn about.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    scheduler = BlockingScheduler(timezone="UTC")

    def stop_if_over() -> None:
        if until():
            log.info("the web app is gone; stopped")
            os.kill(os.getpid(), signal.SIGTERM)

    for one in (*ticks, stop_if_over):
        scheduler.add_job(
            one, "interval", seconds=TICK_SECONDS, max_instances=1, coalesce=True, misfire_grace_time=None
        )
    try:
        scheduler.start()
    except (KeyboardInterrupt, SystemExit):
        log.info("stopped")
