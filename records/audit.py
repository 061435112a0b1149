"""Who did what, and has the record been altered since?

Each row's hash covers the row and the hash before it, so changing or removing a row breaks the chain at that place.
Removing the newest rows leaves a shorter, unbroken chain: compare with a hash written down elsewhere to see that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Engine, select, text

from records.database import reading, writing
from records.tables import audit

_FIRST = "0" * 64
_CHAIN_LOCK = 7_316_529_406_126_881_002


def record(
    target: Engine | Connection, at: datetime, actor: str, action: str, subject: str, details: Mapping[str, Any]
) -> str:
    """Add one row to the chain, in the caller's transaction if a connection is given; its hash.

    `actor` is a person's name or "job:<name>"; `details` holds plain values.
    """
    plain = json.loads(json.dumps(details, allow_nan=False))
    with writing(target) as connection:
        if connection.dialect.name == "postgresql":  # SQLite's `begin immediate` lets one writer in at a time anyway
            connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _CHAIN_LOCK})
        newest = select(audit.c.hash).order_by(audit.c.audit_id.desc()).limit(1)
        previous = connection.execute(newest).scalar() or _FIRST
        row = {"at": at, "actor": actor, "action": action, "subject": subject, "details": plain}
        digest = _digest(previous, row)
        connection.execute(audit.insert(), {**row, "previous_hash": previous, "hash": digest})
    return digest


def verify(target: Engine | Connection) -> int | None:
    """The first row where the chain is broken, by audit_id; None: unbroken."""
    previous = _FIRST
    query = select(audit).order_by(audit.c.audit_id)
    with (
        reading(target) as connection,
        connection.execute(query, execution_options={"yield_per": 1_000}) as rows,
    ):
        for found in rows:
            row = found._asdict()
            if row["previous_hash"] != previous or row["hash"] != _digest(previous, row):
                return int(row["audit_id"])
            previous = row["hash"]
    return None


def _digest(previous: str, row: Mapping[str, Any]) -> str:
    at = row["at"].astimezone(UTC).isoformat(timespec="microseconds")
    content = [previous, at, row["actor"], row["action"], row["subject"], row["details"]]
    return sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
