"""What else do the review screens ask: what is urgent, decided last, looked at?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from records.database import batches
from records.outreach import State
from records.paging import TABS, ListRow, Tab, list_row, rows_sql
from records.tables import (
    audit,
    outreach,
    outreach_history,
    outreach_lists,
    passed_over,
)

LOOKED_AT = "outreach opened"  # the audit's word for "this person has read this message"


# ── what waits ────────────────────────────────────────────────────────────────────────────────────────────
def waiting_count(connection: Connection) -> int:
    """How many outreach wait for a yes, in all lists."""
    found = connection.execute(select(func.count()).select_from(outreach).where(outreach.c.state == State.PLANNED))
    return int(found.scalar_one())


@dataclass(frozen=True, kw_only=True)
class Urgent:
    """Messages of one play that must be decided before the rest of the list."""

    play: str
    count: int
    by: datetime


def urgent(connection: Connection, list_id: str, decide_by: datetime) -> Urgent | None:
    """Which play cannot wait for the list's own deadline? The one whose first message goes out first."""
    first = func.min(outreach.c.send_at)
    row = connection.execute(
        select(outreach.c.play, func.count(), first)
        .where(outreach.c.list_id == list_id, outreach.c.state == State.PLANNED, outreach.c.send_at < decide_by)
        .group_by(outreach.c.play)
        .order_by(first)
        .limit(1)
    ).one_or_none()
    return Urgent(play=row[0], count=row[1], by=row[2]) if row else None


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What the filters of a list offer: each value with its number of rows, most frequent first."""

    plays: dict[str, int]
    channels: dict[str, int]
    topics: dict[str, int]


def choices(connection: Connection, list_id: str, tab: Tab) -> Choices:
    """The messages, channels and likely topics that occur in one tab of a list."""
    found = [
        {
            str(value): int(number)
            for value, number in connection.execute(
                select(column, func.count())
                .where(outreach.c.list_id == list_id, outreach.c.state.in_(TABS[tab]))
                .group_by(column)
                .order_by(func.count().desc(), column)
            )
            if value is not None
        }
        for column in (outreach.c.play, outreach.c.channel, outreach.c.topics[(0, "topic")].as_string())
    ]
    return Choices(plays=found[0], channels=found[1], topics=found[2])


def assumed_saves(connection: Connection, list_id: str) -> dict[str, int]:
    """People to be written to per play, for what we hope the list achieves."""
    grouped = connection.execute(
        select(outreach.c.play, func.count())
        .where(outreach.c.list_id == list_id, outreach.c.arm == "treated")
        .group_by(outreach.c.play)
    )
    return {str(play): int(number) for play, number in grouped}


def new_and_gone(connection: Connection, list_id: str, before: str) -> tuple[int, int]:
    """How many people to be written to were not on the list before, and how many of that one are gone."""

    def people(which: str) -> Any:
        return select(outreach.c.customer_id).where(outreach.c.list_id == which, outreach.c.arm == "treated")

    def missing(here: str, there: str) -> int:
        mine = people(here).where(outreach.c.customer_id.not_in(people(there))).subquery()
        return int(connection.execute(select(func.count()).select_from(mine)).scalar_one())

    return missing(list_id, before), missing(before, list_id)


def list_before(connection: Connection, list_id: str) -> str | None:
    """The id of the list planned before this one."""
    at = select(outreach_lists.c.planned_at).where(outreach_lists.c.list_id == list_id).scalar_subquery()
    found = connection.execute(
        select(outreach_lists.c.list_id)
        .where(outreach_lists.c.planned_at < at)
        .order_by(outreach_lists.c.planned_at.desc())
        .limit(1)
    )
    return found.scalar()


# ── a selection by its ids ────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Some outreach in numbers, and when the first and the last of them go out."""

    count: int = 0
    cost_minor: int = 0
    by_play: dict[str, int] = field(default_factory=dict)
    by_channel: dict[str, int] = field(default_factory=dict)
    first_send_at: datetime | None = None
    last_send_at: datetime | None = None


def chosen(connection: Connection, outreach_ids: Sequence[str]) -> Chosen:
    """What these outreach amount to; only those that still wait are counted."""
    plays: Counter[str] = Counter()
    channels: Counter[str] = Counter()
    cost, times = 0, []
    for batch in batches(outreach_ids):
        grouped = connection.execute(
            select(
                outreach.c.state,
                outreach.c.play,
                outreach.c.channel,
                func.count(),
                func.sum(outreach.c.cost_minor),
                func.min(outreach.c.send_at),
                func.max(outreach.c.send_at),
            )
            # By id alone: a condition on the state makes SQLite walk the whole list for every batch.
            .where(outreach.c.outreach_id.in_(batch))
            .group_by(outreach.c.state, outreach.c.play, outreach.c.channel)
        )
        for state, play, channel, number, part, first, last in grouped:
            if state != State.PLANNED:
                continue
            plays[play] += number
            channels[channel] += number
            cost += int(part or 0)
            times += [first, last]
    return Chosen(
        count=plays.total(),
        cost_minor=cost,
        by_play=dict(plays.most_common()),
        by_channel=dict(channels.most_common()),
        first_send_at=min(times, default=None),
        last_send_at=max(times, default=None),
    )


def rows_by_id(connection: Connection, outreach_ids: Sequence[str]) -> list[ListRow]:
    """These rows as a list shows them, in whatever state they are now."""
    return [list_row(row) for row in connection.execute(rows_sql([outreach.c.outreach_id.in_(outreach_ids)]))]


def last_moves(connection: Connection, outreach_ids: Sequence[str]) -> dict[str, tuple[datetime, str]]:
    """Who moved each of these last, and when."""
    found = connection.execute(
        select(outreach_history.c.outreach_id, outreach_history.c.at, outreach_history.c.actor)
        .where(outreach_history.c.outreach_id.in_(outreach_ids))
        .order_by(outreach_history.c.history_id)
    )
    return {row[0]: (row[1], row[2]) for row in found}


# ── what was decided ──────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, kw_only=True)
class LastDecision:
    """The newest decision of a list that can still be taken back, as one step."""

    state: str  # approved or declined
    at: datetime
    actor: str
    count: int
    first_send_at: datetime


def last_decision(connection: Connection, list_id: str, now: datetime) -> LastDecision | None:
    """What was approved or declined last and has not begun to go out."""
    c = outreach.c
    row = connection.execute(
        select(c.state, c.updated_at, func.count(), func.min(c.send_at), func.min(c.outreach_id))
        .where(c.list_id == list_id, c.state.in_((State.APPROVED, State.DECLINED)), c.send_at > now)
        .group_by(c.state, c.updated_at)
        .order_by(c.updated_at.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    actor = connection.execute(
        select(outreach_history.c.actor)
        .where(outreach_history.c.outreach_id == row[4], outreach_history.c.to_state == row[0])
        .order_by(outreach_history.c.history_id.desc())
        .limit(1)
    ).scalar()
    return LastDecision(state=row[0], at=row[1], actor=actor or "", count=row[2], first_send_at=row[3])


def looked_at(connection: Connection, reviewer: str, list_id: str) -> set[str]:
    """Which messages (plays) of a list has this person opened at least once?"""
    found = connection.execute(
        select(outreach.c.play)
        .distinct()
        .join(audit, audit.c.subject == outreach.c.outreach_id)
        .where(audit.c.actor == reviewer, audit.c.action == LOOKED_AT, outreach.c.list_id == list_id)
    )
    return {str(row[0]) for row in found}


def has_looked_at(connection: Connection, reviewer: str, outreach_id: str) -> bool:
    """Has this person opened this outreach before?"""
    found = connection.execute(
        select(audit.c.audit_id)
        .where(audit.c.actor == reviewer, audit.c.action == LOOKED_AT, audit.c.subject == outreach_id)
        .limit(1)
    )
    return found.first() is not None


def openings(connection: Connection, outreach_id: str) -> list[tuple[datetime, str]]:
    """Who opened this outreach, and when first."""
    found = connection.execute(
        select(audit.c.at, audit.c.actor)
        .where(audit.c.action == LOOKED_AT, audit.c.subject == outreach_id)
        .order_by(audit.c.audit_id)
    )
    return [(row[0], row[1]) for row in found]


def passed_over_for(connection: Connection, list_id: str, customer_id: str) -> list[tuple[str, str, str | None]]:
    """(play, reason code, detail) of every message this person did not get in a list."""
    c = passed_over.c
    found = connection.execute(
        select(c.play, c.reason, c.detail).where(c.list_id == list_id, c.customer_id == customer_id).order_by(c.play)
    )
    return [(row[0], row[1], row[2]) for row in found]
