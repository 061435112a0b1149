"""In which arm of which play is this person? Drawn once by salted hash (serving.planning), stored, never rewritten."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, insert, select

from records.database import batches
from records.tables import arms


@dataclass(frozen=True, kw_only=True)
class Arm:
    """The arm of one person for one play, drawn once."""

    customer_id: str
    play: str
    arm: str
    propensity: float
    assigned_at: datetime


def load_arms(connection: Connection) -> dict[tuple[str, str], Arm]:
    """Every arm drawn so far, by (customer_id, play)."""
    rows = connection.execute(select(arms)).mappings()
    return {(row["customer_id"], row["play"]): Arm(**row) for row in rows}


def save_arms(engine: Engine, new: Iterable[Arm]) -> None:
    """Store arms just drawn. An arm that exists is never rewritten: the insert fails instead."""
    for batch in batches(new):
        with engine.begin() as connection:
            connection.execute(insert(arms), [asdict(arm) for arm in batch])
