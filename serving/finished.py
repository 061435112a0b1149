"""How do campaigns that ran before Pehle become lists like its own, so that their results can be measured?

Only who was planned, in which arm, and when the message went out is stored; what came of it is in the events. The words
of then are not known: these rows hold no variables, and being finished can never be sent.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Engine

from records.outreach import BEFORE, Outreach, OutreachList, State, new_list_id, new_outreach_ids, save_list
from serving.plays import Play, Playbook
from serving.settings import Settings


class Past(Protocol):
    """One person of a finished list; `records.simulation.PastOutreach` is one."""

    @property
    def list_month(self) -> str: ...
    @property
    def customer_id(self) -> str: ...
    @property
    def play(self) -> str: ...
    @property
    def trigger_key(self) -> str: ...
    @property
    def arm(self) -> str: ...
    @property
    def propensity(self) -> float: ...
    @property
    def planned_at(self) -> datetime: ...
    @property
    def sent_at(self) -> datetime | None: ...
    @property
    def channel(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def purpose(self) -> str: ...


# Saral sent the apology to everybody and drew lots only for the coupon in it; with us these are two plays.
WITH_COUPON = ("delivery_sorry", "delivery_coupon")


def store_finished(engine: Engine, past: Iterable[Past], playbook: Playbook, settings: Settings, now: datetime) -> int:
    """Store finished outreach as one list per month; how many rows that made."""
    months: dict[str, list[Past]] = defaultdict(list)
    for one in past:
        months[one.list_month].append(one)
    total = 0
    for month in sorted(months):
        total += _store_month(engine, months[month], playbook, settings, now)
    return total


def _store_month(engine: Engine, past: Sequence[Past], playbook: Playbook, settings: Settings, now: datetime) -> int:
    ordered = sorted(past, key=lambda one: (one.planned_at, one.customer_id, one.play))
    pairs = [(one, name, arm) for one in ordered for name, arm in _as_plays(one)]
    planned, last = ordered[0].planned_at, ordered[-1].planned_at
    the_list = OutreachList(
        list_id=new_list_id(engine),
        planned_at=planned,
        as_of=planned,
        model_version="before Pehle",
        decide_by=last + timedelta(hours=12),
        budget_minor=settings.planning.budget_minor,
        currency=settings.company.currency,
        finished_at=last + timedelta(days=1),
    )
    ids = new_outreach_ids(engine, len(pairs))

    def rows() -> Iterator[Outreach]:
        for outreach_id, (one, name, arm) in zip(ids, pairs, strict=True):
            yield _row(outreach_id, one, playbook.play(name), arm, the_list, now)

    save_list(engine, the_list, rows(), [], now=now, actor="job:history")
    return len(pairs)


def _as_plays(one: Past) -> list[tuple[str, str]]:
    apology, coupon = WITH_COUPON
    return [(apology, "treated"), (coupon, one.arm)] if one.play == apology else [(one.play, one.arm)]


def _row(outreach_id: str, one: Past, play: Play, arm: str, the_list: OutreachList, now: datetime) -> Outreach:
    treated = arm == "treated"
    unknown = hashlib.sha256(b"the words of then are not known").hexdigest()
    channel = one.channel if one.channel in play.channels else play.channels[0]
    return Outreach(
        outreach_id=outreach_id,
        list_id=the_list.list_id,
        customer_id=one.customer_id,
        play=play.name,
        trigger_key=f"{BEFORE}{one.trigger_key}",
        message=play.message,
        message_version=unknown,
        renderer_version="before Pehle",
        language=one.language,
        channel=channel,
        purpose=play.purpose,
        address="",
        address_hash=hashlib.sha256(b"").hexdigest(),
        variables={},
        arm=arm,
        propensity=one.propensity if play.comparison else 1.0,
        value_minor=play.value,
        cost_minor=play.cost(channel),
        currency=the_list.currency,
        # The same clock for both arms: the hour meant for the message, not the one at which it left.
        send_at=one.planned_at,
        expires_at=one.planned_at + timedelta(hours=play.expires_hours),
        approval_hash=unknown,
        state=State.SENT if treated else State.HELD_OUT,
        reason="sent before Pehle kept the list" if treated else "comparison group, not contacted",
        fenced_at=one.sent_at if treated else None,
        sent_at=one.sent_at if treated else None,
        updated_at=one.sent_at or one.planned_at,
    )
