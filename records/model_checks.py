"""How did each scoring look, at once and once its horizon was over? The ledger of what was found, sums only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Engine, select

from records.database import upsert
from records.scores import UNFINISHED, Run
from records.tables import model_checks, scores, scoring_runs

Kind = Literal["drift", "matured", "topics"]


@dataclass(frozen=True, kw_only=True)
class ModelCheck:
    """What was found when a scoring was looked at again."""

    run_id: str
    kind: Kind
    definition: str
    model_version: str
    as_of: datetime
    checked_at: datetime
    figures: Mapping[str, Any] | None  # None: too little to say anything


def save_check(engine: Engine, check: ModelCheck) -> None:
    """Write down what was found; a second look at the same scoring replaces the first."""
    with engine.begin() as connection:
        upsert(connection, model_checks, [asdict(check)])


def checks(
    connection: Connection,
    kind: Kind,
    definition: str | None = None,
    limit: int = 100,
    *,
    version: str | None = None,
) -> list[ModelCheck]:
    """What was found, of the newest scorings first; of one definition, or with one model version."""
    query = select(model_checks).where(model_checks.c.kind == kind)
    if definition is not None:
        query = query.where(model_checks.c.definition == definition)
    if version is not None:
        query = query.where(model_checks.c.model_version == version)
    rows = connection.execute(query.order_by(model_checks.c.as_of.desc(), model_checks.c.run_id).limit(limit))
    return [ModelCheck(**row) for row in rows.mappings()]


def checks_of_runs(connection: Connection, kind: Kind, run_ids: Sequence[str]) -> list[ModelCheck]:
    """What was found of these scorings, in the order of their ids."""
    c = model_checks.c
    rows = connection.execute(select(model_checks).where(c.kind == kind, c.run_id.in_(run_ids)).order_by(c.run_id))
    return [ModelCheck(**row) for row in rows.mappings()]


def runs_to_judge(connection: Connection, before: datetime) -> list[Run]:
    """Complete scorings from before an instant that nobody has judged by what happened, oldest first.

    All of them: some can never be judged, and those must not keep the others from it.
    """
    judged = select(model_checks.c.run_id).where(model_checks.c.kind == "matured")
    query = (
        select(scoring_runs)
        .where(
            scoring_runs.c.as_of <= before,
            scoring_runs.c.customers != UNFINISHED,
            scoring_runs.c.run_id.not_in(judged),
        )
        .order_by(scoring_runs.c.as_of, scoring_runs.c.run_id)
    )
    return [Run(**row) for row in connection.execute(query).mappings()]


def runs_by_version(connection: Connection) -> dict[str, list[Run]]:
    """All complete scorings of each model version, oldest first."""
    query = select(scoring_runs).where(scoring_runs.c.customers != UNFINISHED)
    found: dict[str, list[Run]] = {}
    for row in connection.execute(query.order_by(scoring_runs.c.as_of, scoring_runs.c.scored_at)).mappings():
        found.setdefault(str(row["model_version"]), []).append(Run(**row))
    return found


def foreseen(connection: Connection, run_id: str) -> dict[str, float]:
    """What a scoring said of each customer: the probability of leaving."""
    query = select(scores.c.customer_id, scores.c.churn_probability).where(scores.c.run_id == run_id)
    return {str(customer): float(probability) for customer, probability in connection.execute(query)}
