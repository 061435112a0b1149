"""What does the ledger of outreach say to those who plan, send, review and measure? Moves are in `outreach`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select

from records.database import batches
from records.outreach import HEARD, Outreach, State
from records.tables import outreach, outreach_history, outreach_lists, provider_messages

PENDING = (State.PLANNED, State.APPROVED, State.QUEUED, State.CLAIMED)
ON_THE_WAY = (State.APPROVED, State.QUEUED)
WROTE = (*HEARD, State.FAILED)


def rows_by_id(connection: Connection, ids: Sequence[str]) -> list[Outreach]:
    """These outreach, at most a batch of them."""
    found = connection.execute(select(outreach).where(outreach.c.outreach_id.in_(ids))).mappings()
    return [Outreach(**row) for row in found]


# ── sending ───────────────────────────────────────────────────────────────────────────────────────────────
def due(connection: Connection, now: datetime, limit: int) -> list[str]:
    """Approved outreach whose time has come, the longest waiting first. The comparison group is never among them."""
    c = outreach.c
    found = connection.execute(
        select(c.outreach_id)
        .where(c.state.in_(ON_THE_WAY), c.arm == "treated", c.send_at <= now)
        .order_by(c.send_at, c.outreach_id)
        .limit(limit)
    )
    return [str(row[0]) for row in found]


def fenced_since(connection: Connection, start: datetime, now: datetime) -> int:
    """How many messages began to leave after `start`?"""
    c = outreach.c
    query = select(func.count()).where(c.fenced_at > start, c.fenced_at <= now)
    return int(connection.execute(query).scalar_one())


@dataclass(frozen=True, kw_only=True)
class Held:
    """A row some sender holds."""

    outreach_id: str
    state: State  # claimed or fenced
    owner: str


def held_by_senders(connection: Connection) -> list[Held]:
    """Rows that senders, living or dead, hold just now."""
    c = outreach.c
    found = connection.execute(
        select(c.outreach_id, c.state, c.owner).where(c.state.in_((State.CLAIMED, State.FENCED)))
    )
    return [Held(outreach_id=one, state=State(state), owner=owner or "") for one, state, owner in found]


def times_fenced(connection: Connection, outreach_id: str) -> int:
    """How often was a hand-over of this outreach begun?"""
    c = outreach_history.c
    query = select(func.count()).where(c.outreach_id == outreach_id, c.to_state == State.FENCED)
    return int(connection.execute(query).scalar_one())


def keep_receipt(connection: Connection, outreach_id: str, provider: str, provider_id: str) -> None:
    """The provider's name for the message, so that late news finds its row."""
    row = {"provider": provider, "provider_id": provider_id, "outreach_id": outreach_id}
    connection.execute(provider_messages.insert().values(row))


# ── who has heard from us, and what it cost ───────────────────────────────────────────────────────────────
def past_of(connection: Connection, ids: Collection[str]) -> dict[str, list[Any]]:
    """Everything ever planned for these people: play, trigger_key, state, purpose, send_at, fenced_at."""
    c = outreach.c
    found: dict[str, list[Any]] = defaultdict(list)
    columns = (c.customer_id, c.play, c.trigger_key, c.state, c.purpose, c.send_at, c.fenced_at)
    for batch in batches(sorted(ids)):
        for row in connection.execute(select(*columns).where(c.customer_id.in_(batch))):
            found[row.customer_id].append(row)
    return found


def written_since(
    connection: Connection, customer_id: str, since: datetime, *, besides: str, purpose: str | None = None
) -> bool:
    """Has another message than `besides` (of this purpose) reached, or may have reached, this person since then?"""
    c = outreach.c
    query = select(func.count()).where(
        c.customer_id == customer_id, c.outreach_id != besides, c.state.in_(WROTE), c.fenced_at > since
    )
    if purpose is not None:
        query = query.where(c.purpose == purpose)
    return bool(connection.execute(query).scalar_one())


def gone_since(connection: Connection, start: datetime) -> int:
    """What the messages since `start` cost, in minor units."""
    c = outreach.c
    query = select(func.sum(c.cost_minor)).where(c.fenced_at >= start, c.state.in_(WROTE))
    return int(connection.execute(query).scalar() or 0)


def promised(connection: Connection) -> int:
    """What the messages that wait or are approved will cost, in minor units."""
    c = outreach.c
    query = select(func.sum(c.cost_minor)).where(c.state.in_(PENDING), c.arm == "treated")
    return int(connection.execute(query).scalar() or 0)


# ── review ────────────────────────────────────────────────────────────────────────────────────────────────
def undecided_in_time(connection: Connection, now: datetime, limit: int) -> list[str]:
    """What waits although the list's time to decide, or the message's own hour, has come."""
    c, lists = outreach.c, outreach_lists.c
    query = select(c.outreach_id).join(outreach_lists, lists.list_id == c.list_id)
    late = query.where(c.state == State.PLANNED, or_(lists.decide_by <= now, c.send_at <= now)).limit(limit)
    return [str(row[0]) for row in connection.execute(late)]


def past_use(connection: Connection, now: datetime, limit: int) -> list[str]:
    """What was approved and is of no use any more."""
    c = outreach.c
    stale = select(c.outreach_id).where(c.state.in_(ON_THE_WAY), c.expires_at <= now).limit(limit)
    return [str(row[0]) for row in connection.execute(stale)]


# ── one person's messages ─────────────────────────────────────────────────────────────────────────────────
def last_message(
    connection: Connection, customer_id: str, channel: str, since: datetime, until: datetime
) -> Outreach | None:
    """The last message this person had on this channel in the span: what an answer is probably about."""
    c = outreach.c
    newest = (
        select(outreach)
        .where(
            c.customer_id == customer_id,
            c.channel == channel,
            c.state.in_(WROTE),
            c.fenced_at > since,
            c.fenced_at <= until,
        )
        .order_by(c.fenced_at.desc())
        .limit(1)
    )
    row = connection.execute(newest).mappings().one_or_none()
    return Outreach(**row) if row else None


def not_gone(connection: Connection, customer_id: str) -> list[Outreach]:
    """What is planned or approved for this person and no sender holds."""
    c = outreach.c
    query = select(outreach).where(c.customer_id == customer_id, c.state.in_((State.PLANNED, *ON_THE_WAY)))
    return [Outreach(**row) for row in connection.execute(query).mappings()]


# ── measuring ─────────────────────────────────────────────────────────────────────────────────────────────
def cohort(connection: Connection, play: str, period: tuple[datetime, datetime] | None) -> Sequence[Any]:
    """Everybody planned for a play, on lists of which something went out.

    Id, person, arm, propensity, key, hour, and `as_of`: until when the list knew what had happened.
    """
    c = outreach.c
    went_out = select(c.list_id).where(c.play == play, c.fenced_at.is_not(None)).distinct()
    columns = (c.outreach_id, c.customer_id, c.arm, c.propensity, c.trigger_key, c.send_at, outreach_lists.c.as_of)
    query = (
        select(*columns)
        .join(outreach_lists, outreach_lists.c.list_id == c.list_id)
        .where(c.play == play, c.list_id.in_(went_out))
    )
    if period is not None:
        query = query.where(c.send_at >= period[0], c.send_at < period[1])
    return connection.execute(query.order_by(c.outreach_id)).all()
