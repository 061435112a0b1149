"""Whom does any play fit at this moment, and what is known about these people? The reading half of planning."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine

from records.arms import load_arms
from records.database import get_state, keep_state
from records.events import EventLog
from records.ledger import PENDING, WROTE, gone_since, past_of, promised
from records.outreach import State
from records.people import Permissions, find_customers, load_permissions
from records.scores import Run, Score, find_scores, latest_run, runs_together
from serving.channels import reachable
from serving.decisions import Candidate, Options, Person
from serving.plays import Playbook, Trigger
from serving.settings import Settings
from serving.standing import Standing, load_standing
from serving.timing import decide_by
from serving.triggers import Fit, find, people_sql

if TYPE_CHECKING:
    import duckdb

SALT = "holdout_salt"
# A person whom a reviewer declined is not proposed for the same play again the next night.
HAD_PLAY = (*WROTE, State.HELD_OUT, State.DECLINED, *PENDING)


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """Everything `serving.decisions.decide` needs."""

    candidates: Mapping[str, Sequence[Candidate]]
    people: Mapping[str, Person]
    arms: Mapping[tuple[str, str], str]
    options: Options
    run: Run | None
    runs: Sequence[Run]  # those of one scoring, one for each definition
    relation: str


def gather(
    engine: Engine,
    log: EventLog,
    settings: Settings,
    playbook: Playbook,
    *,
    as_of: datetime,
    now: datetime,
    only: Collection[str] | None = None,
) -> Gathered:
    """Run every trigger and load what is known about those found; `only` narrows to some people."""
    moment = min(as_of, now)  # "2 hours ago" is meant from now, even if the data promise to reach to midnight
    relation = log.relation_sql(until=moment)
    with engine.connect() as connection:
        run = latest_run(connection, until=as_of)
        with log.connection() as con:
            fits = _find_all(con, connection, relation, playbook, run, moment, only)
            standing: dict[str, Standing] = {}
            if fits:
                people_sql(con, "fitted", fits)
                standing = load_standing(
                    con,
                    relation,
                    "fitted",
                    as_of=moment,
                    churn=settings.churn,
                    escalated=playbook.nothing.escalated,
                )
        people = _people(connection, fits, standing, run, now)
        runs = runs_together(connection, run.run_id) if run else []
        arms = {key: arm.arm for key, arm in load_arms(connection).items()}
        spent = gone_since(connection, month_began(settings, now)) + promised(connection)
    company, planning = settings.company, settings.planning
    options = Options(
        now=now,
        decide_by=decide_by(now, planning.decide_by, company.zone),
        quiet=(planning.quiet_from, planning.quiet_until),
        timezone=company.timezone,
        language=company.language,
        offers_days=planning.cool_down_days,
        budget_left_minor=max(0, planning.budget_minor - spent),
        salt=holdout_salt(engine),
        channels=reachable(settings.sending, simulated=get_state(engine, "kind") == "simulated"),
    )
    return Gathered(candidates=fits, people=people, arms=arms, options=options, run=run, runs=runs, relation=relation)


def _find_all(
    con: duckdb.DuckDBPyConnection,
    connection: Connection,
    relation: str,
    playbook: Playbook,
    run: Run | None,
    moment: datetime,
    only: Collection[str] | None,
) -> dict[str, list[Candidate]]:
    among = people_sql(con, "asked_for", only) if only is not None else None
    found: dict[str, list[Candidate]] = defaultdict(list)
    for play in playbook.plays:
        taken: dict[str, Fit] = {}  # the first way that holds counts, one that is sure before one that is not
        for way, trigger in enumerate(play.trigger):
            for fit in _fits(con, connection, relation, trigger, way, run, moment, among, only):
                held = taken.get(fit.customer_id)
                if held is None or (held.unsure and not fit.unsure):
                    taken[fit.customer_id] = fit
        for customer_id, fit in taken.items():
            found[customer_id].append((play, fit))
    return dict(found)


def _fits(
    con: duckdb.DuckDBPyConnection,
    connection: Connection,
    relation: str,
    trigger: Trigger,
    way: int,
    run: Run | None,
    moment: datetime,
    among: str | None,
    only: Collection[str] | None,
) -> list[Fit]:
    if trigger.nightly:
        if run is None:
            return []
        scored = find_scores(connection, run.run_id, customers=only, bands=trigger.bands or None)
        willing = [customer_id for customer_id, score in scored.items() if speaks_for(trigger, score) is not None]
        name = people_sql(con, "willing", willing)
        fits = find(con, relation, trigger, way, as_of=moment, people=name) if willing else []
        return _weighed(trigger, fits, scored)
    fits = _newest_of_each(find(con, relation, trigger, way, as_of=moment, people=among))
    if not (trigger.bands or trigger.because) or not fits:
        return fits
    scored = find_scores(connection, run.run_id, customers=[fit.customer_id for fit in fits]) if run else {}
    return _weighed(trigger, fits, scored)


def _weighed(trigger: Trigger, fits: Sequence[Fit], scored: Mapping[str, Score]) -> list[Fit]:
    """Those for whom the score speaks, each with the topic that the model is not sure of."""
    found = []
    for fit in fits:
        score = scored.get(fit.customer_id)
        told = speaks_for(trigger, score) if score else None
        if told is not None:
            found.append(replace(fit, unsure=told.unsure))
    return found


def _newest_of_each(fits: Sequence[Fit]) -> list[Fit]:
    newest: dict[str, Fit] = {}
    for fit in sorted(fits, key=lambda fit: (fit.at, fit.key)):
        newest[fit.customer_id] = fit
    return [newest[customer_id] for customer_id in sorted(newest)]


@dataclass(frozen=True)
class Speaks:
    """A score speaks for a play; `unsure` is the topic it does so by, if the model is not sure enough of it."""

    unsure: str = ""


def speaks_for(trigger: Trigger, score: Score) -> Speaks | None:
    """Is the person in one of the bands, and at risk for a reason the play can do something about? None: no.

    A likely topic is enough to be ranked, not to be written to: the model must be sure of it, or it abstains.
    """
    if trigger.bands and score.band not in trigger.bands:
        return None
    because = trigger.because
    if because is None:
        return Speaks()
    raising = [str(reason["signal"]) for reason in score.reasons if reason["push"] > 0]
    if any(fnmatchcase(signal, pattern) for signal in raising for pattern in because.signals):
        return Speaks()
    likely = [topic for topic in score.topics[: because.among_first] if topic["topic"] in because.topics]
    if any(topic.get("sure", False) for topic in likely):
        return Speaks()
    return Speaks(str(likely[0]["topic"])) if likely else None


def _people(
    connection: Connection,
    ids: Collection[str],
    standing: Mapping[str, Standing],
    run: Run | None,
    now: datetime,
) -> dict[str, Person]:
    customers = find_customers(connection, ids)
    permissions = load_permissions(connection, ids, now)
    scored = find_scores(connection, run.run_id, customers=ids) if run else {}
    past = past_of(connection, ids)
    return {
        one: Person(
            customer=customers.get(one),
            may=_may(permissions, one),
            standing=standing.get(one, Standing()),
            score=scored.get(one),
            **_heard(past.get(one, []), standing.get(one, Standing())),
        )
        for one in ids
    }


def _may(permissions: Permissions, customer_id: str) -> Any:
    return lambda channel, purpose: permissions.may(customer_id, channel, purpose)


def _heard(past: Sequence[Any], standing: Standing) -> dict[str, Any]:
    """What our own list of outreach adds to what the events say about messages."""
    plays: dict[str, datetime] = {}
    for row in past:
        if row.state in HAD_PLAY:
            plays[row.play] = max(plays.get(row.play, row.send_at), row.send_at)
    written = [row for row in past if row.fenced_at is not None and row.state in WROTE]
    times = [row.fenced_at for row in written] + ([standing.last_message_at] if standing.last_message_at else [])
    return {
        "pending": any(row.state in PENDING for row in past),
        "keys": frozenset((row.play, row.trigger_key) for row in past),
        "plays": plays,
        "last_message_at": max(times, default=None),
        "last_offer_at": max((row.fenced_at for row in written if row.purpose == "promotional"), default=None),
    }


def month_began(settings: Settings, now: datetime) -> datetime:
    """When the company's month began: budgets are by the month."""
    local = now.astimezone(settings.company.zone)
    return local.replace(day=1, hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def holdout_salt(engine: Engine) -> str:
    """What the comparison groups are drawn with: made at the first planning, then never changed."""
    return str(keep_state(engine, SALT, secrets.token_hex(16)))
