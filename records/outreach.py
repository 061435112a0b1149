"""What was planned for whom, in which state is it, and who moved it there?

An outreach moves only by `move` and `move_many`: an UPDATE that names the states it may come from and must change
exactly the rows meant, with one line of history for each. Nothing else in the project writes `outreach.state`.

    planned → approved → (queued →) claimed → fenced → sent | refused | unknown → delivered | failed
    ends on the way: declined, cancelled, expired, held_out
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from records.database import batches, reading
from records.errors import StateError
from records.tables import home_state, outreach, outreach_history, outreach_lists, passed_over

BEFORE = "before:"  # begins the trigger key of outreach from before Pehle, which names no order or bill
PLANNING = "planning"  # home_state: the list being written now; it is nobody's to see until it is complete


class State(StrEnum):
    """The words stored in `outreach.state`, and where each may go."""

    PLANNED = "planned"  # → approved, declined, expired
    APPROVED = "approved"  # → claimed, planned (undo), declined, cancelled, expired
    QUEUED = "queued"  # a provider said "later" → claimed, cancelled, expired
    CLAIMED = "claimed"  # a sender has it → fenced, queued (let go), cancelled, expired
    FENCED = "fenced"  # bytes may leave → sent, refused, unknown, queued (only if it certainly did not leave)
    SENT = "sent"  # accepted by the next server → delivered, failed
    REFUSED = "refused"  # the provider said no
    UNKNOWN = "unknown"  # may or may not have arrived → delivered, failed by evidence; never sent again by code
    DELIVERED = "delivered"
    FAILED = "failed"
    DECLINED = "declined"
    CANCELLED = "cancelled"  # the last check said no; the reason stands beside it
    EXPIRED = "expired"
    HELD_OUT = "held_out"  # comparison group: never sendable


# Once one of these is reached the person has, or may have, heard from us.
HEARD = (State.FENCED, State.SENT, State.UNKNOWN, State.DELIVERED)


@dataclass(frozen=True, kw_only=True)
class Outreach:
    """One planned message to one customer. Field by field the row of `records.tables.outreach`."""

    outreach_id: str
    list_id: str
    customer_id: str
    play: str
    trigger_key: str
    message: str
    message_version: str
    renderer_version: str
    language: str
    channel: str
    purpose: str
    address: str
    address_hash: str
    variables: dict[str, str]
    arm: str
    propensity: float
    score_id: str | None = None
    churn_probability: float | None = None
    reasons: list[dict[str, Any]] = field(default_factory=list)
    topics: list[dict[str, Any]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    value_minor: int = 0
    cost_minor: int = 0
    currency: str
    send_at: datetime
    expires_at: datetime
    approval_hash: str
    state: str = State.PLANNED
    reason: str | None = None
    approved_by: str | None = None
    approved_at: datetime | None = None
    owner: str | None = None
    claimed_at: datetime | None = None
    fenced_at: datetime | None = None
    sent_at: datetime | None = None
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class OutreachList:
    """The outreach of one planning run."""

    list_id: str
    planned_at: datetime
    as_of: datetime
    model_version: str
    decide_by: datetime
    budget_minor: int
    currency: str
    finished_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class PassedOver:
    """Somebody a play would have fitted, and why no message was planned. `reason` is a code of serving.planning."""

    list_id: str
    customer_id: str
    play: str
    reason: str
    detail: str | None = None


# ── ids ───────────────────────────────────────────────────────────────────────────────────────────────────
def reserve_numbers(engine: Engine, counter: str, count: int) -> int:
    """The first of `count` numbers nobody else will get. Gaps may remain after a crash; repeats may not."""
    with engine.begin() as connection:
        row = connection.execute(
            select(home_state.c.value).where(home_state.c.key == counter).with_for_update()
        ).one_or_none()
        first = int(row[0]) if row else 1
        statement = (
            update(home_state).where(home_state.c.key == counter).values(value=first + count)
            if row
            else insert(home_state).values(key=counter, value=first + count)
        )
        connection.execute(statement)
    return first


def new_list_id(engine: Engine) -> str:
    """The next list's id: "L-0001"."""
    return f"L-{reserve_numbers(engine, 'next_list', 1):04d}"


def new_outreach_ids(engine: Engine, count: int) -> list[str]:
    """The next outreach ids: "O-1", "O-2", …"""
    first = reserve_numbers(engine, "next_outreach", count) if count else 1
    return [f"O-{number}" for number in range(first, first + count)]


# ── saving a list ─────────────────────────────────────────────────────────────────────────────────────────
def save_list(
    engine: Engine,
    the_list: OutreachList,
    rows: Iterable[Outreach],
    left_out: Iterable[PassedOver],
    *,
    now: datetime,
    actor: str,
) -> None:
    """Store a whole list in small transactions. Until the last one it is marked as being planned, and a list a crash
    left half written is removed by the next planning run (`remove_unfinished`)."""
    with engine.begin() as connection:
        connection.execute(delete(home_state).where(home_state.c.key == PLANNING))
        connection.execute(insert(home_state).values(key=PLANNING, value=the_list.list_id))
        connection.execute(insert(outreach_lists).values(**asdict(the_list)))
    for batch in batches(rows):
        with engine.begin() as connection:
            connection.execute(insert(outreach), [asdict(row) for row in batch])
            connection.execute(
                insert(outreach_history),
                [_history(row.outreach_id, None, row.state, now, actor, row.reason) for row in batch],
            )
    for people in batches(left_out):
        with engine.begin() as connection:
            connection.execute(insert(passed_over), [asdict(row) for row in people])
    with engine.begin() as connection:
        connection.execute(delete(home_state).where(home_state.c.key == PLANNING))


def unfinished_list(connection: Connection) -> str | None:
    """The id of a list that is being written, or that a crash left half written."""
    row = connection.execute(select(home_state.c.value).where(home_state.c.key == PLANNING)).one_or_none()
    return str(row[0]) if row else None


def remove_unfinished(engine: Engine) -> str | None:
    """Take away what a crash left of a list nobody has seen, so that its people can be planned again."""
    with engine.begin() as connection:
        list_id = unfinished_list(connection)
        if list_id is None:
            return None
        ids = select(outreach.c.outreach_id).where(outreach.c.list_id == list_id)
        connection.execute(delete(outreach_history).where(outreach_history.c.outreach_id.in_(ids)))
        for table in (outreach, passed_over, outreach_lists):
            connection.execute(delete(table).where(table.c.list_id == list_id))
        connection.execute(delete(home_state).where(home_state.c.key == PLANNING))
    return list_id


# ── moving ────────────────────────────────────────────────────────────────────────────────────────────────
def move(
    connection: Connection,
    outreach_id: str,
    *,
    expected: Collection[State],
    to: State,
    now: datetime,
    actor: str,
    reason: str | None = None,
    owner: str | None = None,
    values: Mapping[str, Any] | None = None,
) -> None:
    """Move one outreach, or raise StateError if it is not where it should be (or belongs to another sender)."""
    found = _state(connection, outreach_id)
    guard = [outreach.c.outreach_id == outreach_id, outreach.c.state == found, outreach.c.state.in_(expected)]
    if owner is not None:
        guard.append(outreach.c.owner == owner)
    changed = connection.execute(
        update(outreach).where(*guard).values(state=to, reason=reason, updated_at=now, **(values or {}))
    )
    if changed.rowcount != 1:
        raise StateError(
            f"{outreach_id} is {found or 'not there'}, not {' or '.join(expected)}: somebody else was first.",
            id=outreach_id,
            expected=[str(state) for state in expected],
            found=found,
        )
    connection.execute(insert(outreach_history), [_history(outreach_id, found, to, now, actor, reason)])


def move_many(
    connection: Connection,
    outreach_ids: Sequence[str],
    *,
    expected: State,
    to: State,
    now: datetime,
    actor: str,
    reason: str | None = None,
    values: Mapping[str, Any] | None = None,
) -> int:
    """Move all of these, or none: if one is no longer `expected` the caller's transaction must not be committed."""
    changed = connection.execute(
        update(outreach)
        .where(outreach.c.outreach_id.in_(outreach_ids), outreach.c.state == expected)
        .values(state=to, reason=reason, updated_at=now, **(values or {}))
    )
    if changed.rowcount != len(outreach_ids):
        raise StateError(
            f"{changed.rowcount} of {len(outreach_ids)} are still {expected}: somebody else was first.",
            remedy="Look at the list again.",
            expected=len(outreach_ids),
            found=changed.rowcount,
        )
    connection.execute(
        insert(outreach_history), [_history(one, expected, to, now, actor, reason) for one in outreach_ids]
    )
    return int(changed.rowcount)


def _state(connection: Connection, outreach_id: str) -> str | None:
    return connection.execute(select(outreach.c.state).where(outreach.c.outreach_id == outreach_id)).scalar()


def _history(
    outreach_id: str, before: str | None, after: str, at: datetime, actor: str, reason: str | None
) -> dict[str, Any]:
    return {
        "outreach_id": outreach_id,
        "at": at,
        "from_state": before,
        "to_state": after,
        "actor": actor,
        "reason": reason,
    }


def find_outreach(connection: Connection, outreach_id: str) -> Outreach | None:
    """One outreach by its id."""
    row = connection.execute(select(outreach).where(outreach.c.outreach_id == outreach_id)).mappings().one_or_none()
    return Outreach(**row) if row else None


def count_by_state(target: Engine | Connection, list_id: str | None = None) -> dict[str, int]:
    """Outreach per state, of one list or of all."""
    statement = select(outreach.c.state, func.count()).group_by(outreach.c.state).order_by(outreach.c.state)
    if list_id is not None:
        statement = statement.where(outreach.c.list_id == list_id)
    with reading(target) as connection:
        return {str(state): int(number) for state, number in connection.execute(statement)}
