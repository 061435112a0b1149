"""Which outreach list comes out of tonight's scores and events? Reads, lets `serving.decisions` decide, writes.

A planning run writes one list: a row for everybody chosen (those of the comparison group too, marked and never
sendable), a line with a reason for everybody a play fitted but who is left out, and the arms drawn for the first time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from records.arms import Arm, load_arms, save_arms
from records.database import batches
from records.errors import StaleData
from records.events import EventLog
from records.outreach import (
    Outreach,
    OutreachList,
    PassedOver,
    State,
    new_list_id,
    new_outreach_ids,
    remove_unfinished,
    save_list,
)
from records.people import Customer
from serving.binding import address_hash
from serving.candidates import Gathered, gather
from serving.checks import checks_of
from serving.composing import mail_bytes
from serving.coverage import Coverage, coverage_of
from serving.decisions import HOLDOUT, Chosen, LeftOut, Words, consider, decide
from serving.explaining import why_not
from serving.left_out import REASONS, mend_largest
from serving.model_versions import together
from serving.plays import Play, Playbook
from serving.rendering import RENDERER_VERSION, approval_hash, message_version, preview_slots, render
from serving.review import expire
from serving.settings import Settings
from serving.triggers import Fit
from serving.variables import company_facts, fill

__all__ = ["REASONS", "PlanResult", "explain", "plan"]


@dataclass(frozen=True, kw_only=True)
class PlanResult:
    """What a planning run wrote."""

    list_id: str
    planned: int  # wait for a yes
    held_out: int  # comparison group
    left_out: Mapping[str, int]  # reason code → people
    fine: int  # scored, and no play fits
    coverage: Coverage | None  # of what people will ask about; None: no model foresees it
    cost_minor: int  # of those planned
    decide_by: datetime
    mend: str  # how the largest group of those left out could be reached


def plan(
    engine: Engine, log: EventLog, settings: Settings, playbook: Playbook, as_of: datetime, now: datetime
) -> PlanResult:
    """Plan one list from what was known at `as_of`.

    Raises
    ------
    StaleData
        The newest event is older than `max_staleness_days`: what we would write may long be untrue.
    """
    refuse_stale(log, settings, now)
    remove_unfinished(engine)
    expire(engine, now)  # who waits in vain on an old list may be on this one
    gathered = gather(engine, log, settings, playbook, as_of=as_of, now=now)
    words = words_of(settings, now)
    chosen, left_out = decide(gathered.candidates, gathered.people, gathered.arms, gathered.options, words)
    _keep_arms(engine, chosen, now)
    the_list = OutreachList(
        list_id=new_list_id(engine),
        planned_at=now,
        as_of=as_of,
        model_version=together(gathered.runs),
        decide_by=gathered.options.decide_by,
        budget_minor=gathered.options.budget_left_minor,
        currency=settings.company.currency,
    )
    ids = new_outreach_ids(engine, len(chosen))
    rows = [outreach_row(one, one_id, the_list, settings, now) for one, one_id in zip(chosen, ids, strict=True)]
    people = [
        PassedOver(
            list_id=the_list.list_id,
            customer_id=one.customer_id,
            play=one.play,
            reason=one.reason,
            detail=one.detail,
        )
        for one in left_out
    ]
    save_list(engine, the_list, rows, people, now=now, actor="job:plan")
    with engine.connect() as connection:
        coverage = coverage_of(connection, gathered.runs, playbook.topics)
    return _result(the_list, rows, left_out, gathered, coverage)


def is_stale(last: datetime | None, settings: Settings, now: datetime) -> bool:
    """Is the newest event too old, or missing, to write to anybody about what the log says?"""
    return last is None or now - last > timedelta(days=settings.planning.max_staleness_days)


def refuse_stale(log: EventLog, settings: Settings, now: datetime) -> None:
    """Raise StaleData if the log ends too long ago to write to anybody about it."""
    last, limit = log.summary().last, settings.planning.max_staleness_days
    if is_stale(last, settings, now):
        when = f"{last:%Y-%m-%d %H:%M} UTC" if last else "never"
        raise StaleData(
            f"The newest event is of {when}, more than {limit} days before {now:%Y-%m-%d %H:%M} UTC.",
            remedy="Import what happened since: `pehle import events FILE`.",
            last_event=last,
            limit_days=limit,
        )


def words_of(settings: Settings, now: datetime) -> Words:
    """A function that fills the words of one message and tells what it costs; raises WordsError if it cannot."""
    company = settings.company
    about_us = company_facts(
        name=company.name,
        name_hi=company.name_hi,
        website=company.website,
        support_email=company.support_email,
        postal_address=company.postal_address,
        timezone=company.timezone,
        currency=company.currency,
    )

    def words(play: Play, fit: Fit, channel: str, language: str, customer: Customer) -> tuple[dict[str, str], int]:
        facts = {
            **about_us,
            **fit.facts,
            "customer.name": customer.name,
            "customer.city": customer.city,
        }
        variables = fill(play.message, language, facts)
        rendered = render(play.message, channel, language, variables, preview_slots(company.website))
        if channel == "email":  # what cannot become an e-mail must not be planned as one
            mail_bytes(rendered, customer.email or "", settings, "O-0", now)
        message_cost = play.cost(channel) - play.offer_minor
        return variables, message_cost * rendered.parts + play.offer_minor

    return words


def outreach_row(one: Chosen, outreach_id: str, the_list: OutreachList, settings: Settings, now: datetime) -> Outreach:
    """The row of a decision. Held-out people get one too, in a state that can never be sent."""
    held_out = one.arm == HOLDOUT
    bound: dict[str, Any] = {
        "address_hash": address_hash(one.channel, one.address),
        "message_version": message_version(one.play.message),
        "renderer_version": RENDERER_VERSION,
        "language": one.language,
        "channel": one.channel,
        "variables": one.variables,
    }
    return Outreach(
        outreach_id=outreach_id,
        list_id=the_list.list_id,
        customer_id=one.customer.customer_id,
        play=one.play.name,
        trigger_key=one.fit.key,
        message=one.play.message,
        address=one.address,
        purpose=one.play.purpose,
        arm=one.arm,
        propensity=one.propensity,
        score_id=one.score.score_id if one.score else None,
        churn_probability=one.score.churn_probability if one.score else None,
        reasons=one.score.reasons if one.score else [],
        topics=one.score.topics if one.score else [],
        checks=checks_of(one, settings),
        value_minor=one.play.value,
        cost_minor=one.cost_minor,
        currency=the_list.currency,
        send_at=one.send_at,
        expires_at=one.expires_at,
        approval_hash=approval_hash(**bound),
        state=State.HELD_OUT if held_out else State.PLANNED,
        reason="comparison group, not contacted" if held_out else None,
        updated_at=now,
        **bound,
    )


def explain(
    engine: Engine,
    log: EventLog,
    settings: Settings,
    playbook: Playbook,
    customer_id: str,
    as_of: datetime,
    now: datetime,
) -> list[dict[str, Any]]:
    """Each play for one person: play, title, fits, chosen, reason (a code, "" if nothing speaks against it), why."""
    gathered = gather(engine, log, settings, playbook, as_of=as_of, now=now, only=[customer_id])
    fits = {play.name: fit for play, fit in gathered.candidates.get(customer_id, [])}
    words = words_of(settings, now)
    answers = []
    taken = False
    with log.connection() as con, engine.connect() as connection:
        for play in playbook.plays:
            answer: dict[str, Any] = {"play": play.name, "title": play.title.en}
            if play.name not in fits:
                detail = why_not(con, connection, gathered.relation, play, customer_id, gathered.run, min(as_of, now))
                answers.append(answer | {"fits": False, "chosen": False, "reason": "not_for_them", "why": detail})
                continue
            found = consider(
                play, fits[play.name], gathered.people[customer_id], gathered.arms, gathered.options, words
            )
            if isinstance(found, LeftOut):
                said = REASONS[found.reason].en + (f" ({found.detail})" if found.detail else "")
                answers.append(answer | {"fits": True, "chosen": False, "reason": found.reason, "why": said})
                continue
            first, taken = not taken, True
            if not first:
                detail = "another message is more urgent: one decision per person"
            elif found.arm == HOLDOUT:
                detail = "comparison group, not contacted"
            else:
                detail = f"{found.channel}, {found.language}, {found.send_at:%Y-%m-%d %H:%M} UTC"
            answers.append(answer | {"fits": True, "chosen": first, "reason": "", "why": detail})
    return answers


def _keep_arms(engine: Engine, chosen: Sequence[Chosen], now: datetime) -> None:
    with engine.connect() as connection:
        known = load_arms(connection)
    new = [
        Arm(
            customer_id=one.customer.customer_id,
            play=one.play.name,
            arm=one.arm,
            propensity=one.propensity,
            assigned_at=now,
        )
        for one in chosen
        if (one.customer.customer_id, one.play.name) not in known
    ]
    for batch in batches(new):
        save_arms(engine, batch)


def _result(
    the_list: OutreachList,
    rows: Sequence[Outreach],
    left_out: Sequence[LeftOut],
    gathered: Gathered,
    coverage: Coverage | None,
) -> PlanResult:
    reasons = dict(Counter(one.reason for one in left_out).most_common())
    treated = [row for row in rows if row.arm != HOLDOUT]
    fitted = sum(1 for one in gathered.people.values() if one.score is not None)
    return PlanResult(
        list_id=the_list.list_id,
        planned=len(treated),
        held_out=len(rows) - len(treated),
        left_out=reasons,
        fine=sum(run.customers for run in gathered.runs) - fitted,
        coverage=coverage,
        cost_minor=sum(row.cost_minor for row in treated),
        decide_by=the_list.decide_by,
        mend=mendable.mend if (mendable := mend_largest(reasons)) else "",
    )
