"""Which jobs should have run, and which did? One row per (job, slot), written before the slot comes.

A row goes expected → running → done | failed, or expected → skipped when a newer slot of the same job is due as
well. A run whose process died is found by its lease and begun again, three attempts at most: every job but sending
may be repeated safely, and sending protects each message by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from records.tables import job_runs

EXPECTED, RUNNING, DONE, FAILED, SKIPPED = "expected", "running", "done", "failed", "skipped"
MOST_ATTEMPTS = 3


@dataclass(frozen=True, kw_only=True)
class JobRun:
    """One slot of one job."""

    run_id: int
    job: str
    slot: datetime  # when it was due
    state: str
    attempts: int
    started_at: datetime | None
    finished_at: datetime | None
    detail: str | None  # one line for people


def expect(engine: Engine, job: str, slot: datetime) -> None:
    """Write down that `job` is due at `slot`; a no-op if that is known already, whoever knew it first."""
    with engine.begin() as connection:
        known = select(job_runs.c.run_id).where(job_runs.c.job == job, job_runs.c.slot == slot)
        if connection.execute(known).first() is not None:
            return
    try:
        with engine.begin() as connection:
            connection.execute(insert(job_runs).values(job=job, slot=slot, state=EXPECTED, attempts=0))
    except IntegrityError:
        return  # another scheduler wrote the same slot a moment ago: one row is what both wanted


def due(engine: Engine, now: datetime) -> list[JobRun]:
    """What should be running by now: the newest due slot of each job, oldest first. Older slots become skipped."""
    query = (
        select(job_runs)
        .where(job_runs.c.state == EXPECTED, job_runs.c.slot <= now)
        .order_by(job_runs.c.slot, job_runs.c.run_id)
    )
    with engine.begin() as connection:
        newest = {row.job: row for row in connection.execute(query)}
        for row in newest.values():
            connection.execute(
                update(job_runs)
                .where(job_runs.c.job == row.job, job_runs.c.state == EXPECTED, job_runs.c.slot < row.slot)
                .values(state=SKIPPED, finished_at=now, detail="a newer run was due as well")
            )
    return sorted((_run(row) for row in newest.values()), key=lambda run: run.slot)


def claim(engine: Engine, run_id: int, owner: str, now: datetime, lease_until: datetime) -> bool:
    """Take the run for `owner`; False if somebody else has it."""
    with engine.begin() as connection:
        changed = connection.execute(
            update(job_runs)
            .where(job_runs.c.run_id == run_id, job_runs.c.state == EXPECTED)
            .values(
                state=RUNNING,
                owner=owner,
                started_at=now,
                lease_until=lease_until,
                attempts=job_runs.c.attempts + 1,
            )
        )
    return bool(changed.rowcount == 1)


def finish(engine: Engine, run_id: int, owner: str, now: datetime, *, failed: bool, detail: str) -> None:
    """Record how the run of `owner` ended."""
    with engine.begin() as connection:
        connection.execute(
            update(job_runs)
            .where(job_runs.c.run_id == run_id, job_runs.c.owner == owner, job_runs.c.state == RUNNING)
            .values(state=FAILED if failed else DONE, finished_at=now, detail=detail[:500], lease_until=None)
        )


def recover(engine: Engine, now: datetime) -> int:
    """Put runs whose lease has passed back to expected, or to failed after three attempts; how many there were."""
    gone = and_(job_runs.c.state == RUNNING, job_runs.c.lease_until < now)
    with engine.begin() as connection:
        given_up = connection.execute(
            update(job_runs)
            .where(gone, job_runs.c.attempts >= MOST_ATTEMPTS)
            .values(state=FAILED, finished_at=now, detail="its process ended three times before it was done")
        )
        again = connection.execute(update(job_runs).where(gone).values(state=EXPECTED, owner=None, lease_until=None))
    return int(given_up.rowcount + again.rowcount)


def last_runs(engine: Engine, job: str, limit: int = 1) -> list[JobRun]:
    """The newest finished runs of a job, newest first."""
    query = (
        select(job_runs)
        .where(job_runs.c.job == job, job_runs.c.state.in_((DONE, FAILED)))
        .order_by(job_runs.c.slot.desc())
        .limit(limit)
    )
    with engine.connect() as connection:
        return [_run(row) for row in connection.execute(query)]


def next_slot(engine: Engine, job: str) -> datetime | None:
    """The earliest slot that is expected or running, past or future."""
    query = select(func.min(job_runs.c.slot)).where(job_runs.c.job == job, job_runs.c.state.in_((EXPECTED, RUNNING)))
    with engine.connect() as connection:
        found: datetime | None = connection.execute(query).scalar_one()
    return found


def forget(engine: Engine, jobs: Sequence[str], before: datetime) -> None:
    """Drop finished runs of frequent jobs; the rare ones stay for good."""
    with engine.begin() as connection:
        connection.execute(
            delete(job_runs).where(
                job_runs.c.job.in_(jobs), job_runs.c.slot < before, job_runs.c.state.in_((DONE, SKIPPED))
            )
        )


def _run(row: object) -> JobRun:
    return JobRun(**{name: getattr(row, name) for name in JobRun.__dataclass_fields__})
