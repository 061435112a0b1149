"""How likely is each customer to leave, why, and what will they ask about: what did the model say, and when?"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Select, delete, func, select

from records.database import batches, upsert
from records.tables import scores, scoring_runs


@dataclass(frozen=True, kw_only=True)
class Score:
    """The model's answer for one customer at one cutoff."""

    score_id: str
    run_id: str
    customer_id: str
    as_of: datetime
    churn_probability: float
    band: str  # high, medium, low
    reasons: list[dict[str, Any]] = field(default_factory=list)  # strongest first; push > 0 raises the risk
    topics: list[dict[str, Any]] = field(default_factory=list)  # likeliest first
    model_version: str
    signals_sha256: str | None = None  # of the signals it was made from; None: made elsewhere


@dataclass(frozen=True, kw_only=True)
class Run:
    """One scoring of everybody eligible. Listed only when all its rows are stored."""

    run_id: str
    as_of: datetime
    model_version: str
    scored_at: datetime
    customers: int


UNFINISHED = -1  # `customers` while rows are still being written


def save_run(engine: Engine, run: Run, rows: Iterable[Score]) -> None:
    """Store a run in small transactions; the same model at the same instant replaces what it said before."""
    with engine.begin() as connection:
        upsert(connection, scoring_runs, [asdict(run) | {"customers": UNFINISHED}])
    while True:
        with engine.begin() as connection:
            old = select(scores.c.score_id).where(scores.c.run_id == run.run_id).limit(1_000)
            if not connection.execute(delete(scores).where(scores.c.score_id.in_(old))).rowcount:
                break
    for batch in batches(rows):
        with engine.begin() as connection:
            connection.execute(scores.insert(), [asdict(row) for row in batch])
    with engine.begin() as connection:
        upsert(connection, scoring_runs, [asdict(run)])


def latest_run(connection: Connection, until: datetime | None = None) -> Run | None:
    """The run with the newest cutoff (at or before `until`), the last scored of several."""
    statement = select(scoring_runs).where(scoring_runs.c.customers != UNFINISHED)
    if until is not None:
        statement = statement.where(scoring_runs.c.as_of <= until)
    newest = statement.order_by(
        scoring_runs.c.as_of.desc(), scoring_runs.c.scored_at.desc(), scoring_runs.c.run_id
    ).limit(1)
    row = connection.execute(newest).mappings().one_or_none()
    return Run(**row) if row else None


def _together(run_id: str) -> Select[tuple[str]]:
    """The runs of one scoring: each population has a model of its own, and so a run of its own at the same moment."""
    one, other = scoring_runs.alias(), scoring_runs.alias()
    same = (one.c.as_of == other.c.as_of) & (one.c.scored_at == other.c.scored_at)
    return select(other.c.run_id).join(one, same).where(one.c.run_id == run_id, other.c.customers != UNFINISHED)


def runs_together(connection: Connection, run_id: str) -> list[Run]:
    """A run and those made with it, named populations before the one of everybody else."""
    query = select(scoring_runs).where(scoring_runs.c.run_id.in_(_together(run_id)))
    found = [Run(**row) for row in connection.execute(query).mappings()]
    return sorted(found, key=lambda run: ("-" not in run.model_version, run.model_version))


def find_scores(
    connection: Connection,
    run_id: str,
    *,
    customers: Collection[str] | None = None,
    bands: Collection[str] | None = None,
) -> dict[str, Score]:
    """The scores of a run, and of those made with it, by customer; of these people or these bands only."""
    statement = select(scores).where(scores.c.run_id.in_(_together(run_id)))
    if bands is not None:
        statement = statement.where(scores.c.band.in_(bands))
    found: dict[str, Score] = {}
    for some in [None] if customers is None else batches(sorted(set(customers))):
        narrowed = statement if some is None else statement.where(scores.c.customer_id.in_(some))
        found |= {row["customer_id"]: Score(**row) for row in connection.execute(narrowed).mappings()}
    return found


def score_by_id(connection: Connection, score_id: str) -> Score | None:
    """One score."""
    row = connection.execute(select(scores).where(scores.c.score_id == score_id)).mappings().one_or_none()
    return Score(**row) if row else None


def find_run(connection: Connection, run_id: str) -> Run | None:
    """One scoring."""
    row = connection.execute(select(scoring_runs).where(scoring_runs.c.run_id == run_id)).mappings().one_or_none()
    return Run(**row) if row else None


def newest_score(connection: Connection, customer_id: str) -> Score | None:
    """What the newest run says about one person; None if they were not eligible then."""
    run = latest_run(connection)
    return find_scores(connection, run.run_id, customers=[customer_id]).get(customer_id) if run else None


def count_by_band(connection: Connection, run_id: str) -> dict[str, int]:
    """People per band in a run and those made with it."""
    grouped = connection.execute(
        select(scores.c.band, func.count()).where(scores.c.run_id.in_(_together(run_id))).group_by(scores.c.band)
    )
    return {str(band): int(number) for band, number in grouped}
