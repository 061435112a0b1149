"""Saral's own campaigns of the past two quarters: the eight plays, each with its comparison group."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from records.simulation.company import FIRST_FIBER, Company, moment_of
from records.simulation.contact import PLAYS, PROMOTIONAL, Mail, react
from records.simulation.draws import LIFELONG, Array, Draws
from records.simulation.lives import ACTIVE
from records.simulation.notebook import CHANNELS, EMAIL, SMS, WHATSAPP
from records.simulation.people import customer_ids, promotional_left
from records.simulation.today import HOUR, SECOND, Today

# Share of each play's people who are not written to; for delivery_sorry: who get the apology without the coupon.
COMPARISON = {
    "router_setup": 0.10, "bill_explained": 0.10, "payment_help": 0.0, "delivery_sorry": 0.20, "better_plan": 0.20,
    "really_fixed": 0.15, "back_in_stock": 0.0, "outage_update": 0.0,
}  # fmt: skip
FIRST_DAY, LAST_DAY = 180, 7  # days before the end of the history: first list, and the first day without one
_PRIORITY = (
    "outage_update", "payment_help", "router_setup", "delivery_sorry", "really_fixed", "bill_explained",
    "better_plan", "back_in_stock",
)  # fmt: skip
_COOL_DOWN = {"outage_update": 0, "payment_help": 0, "router_setup": 3, "delivery_sorry": 3, "really_fixed": 3,
              "bill_explained": 3, "better_plan": 14, "back_in_stock": 7}  # fmt: skip
_USED = np.array([WHATSAPP, EMAIL, SMS])  # of population.CONSENT_CHANNELS, in order of preference


@dataclass(frozen=True, kw_only=True)
class PastOutreach:
    """One person of one finished list. What came of it is in the events."""

    outreach_id: str
    list_month: str  # "2026-07"
    customer_id: str
    play: str
    trigger_key: str
    arm: str  # "treated" or "holdout"; of delivery_sorry: with or without the coupon
    propensity: float  # chance of "treated"
    planned_at: datetime
    sent_at: datetime | None  # None: not written to
    channel: str
    language: str
    purpose: str


def runs_on(company: Company, day: int) -> bool:
    """Is this a day of the two finished quarters?"""
    return company.until - FIRST_DAY <= day < company.until - LAST_DAY


def fits(today: Today, play: str) -> Array:
    """Whom does the play's rule find this morning? Only what the company can see is asked."""
    lives, day = today.lives, today.day
    quiet = lives.ticket < 0
    rules: dict[str, Array] = {
        "router_setup": lives.router_day == day - 1,
        "bill_explained": (lives.shock_day == day - 1) & quiet,
        "payment_help": (lives.failed_day == day - 1) & (lives.pay_day >= day),
        "delivery_sorry": (lives.sorry_day == day - 2) & quiet,
        "better_plan": _thinks_of_leaving(today) & quiet & (day - lives.offer_day > 60),
        "really_fixed": (lives.network_solved_day == day - 2) & (lives.network_solved >= 1.45) & quiet,
        "back_in_stock": (lives.restock_day == day - 1) & (lives.wish >= 0),
        "outage_update": _cut_off(today),
    }
    return rules[play]


def _thinks_of_leaving(today: Today) -> Array:
    """Who looked at the plan or cancel pages lately, and has had a bill to be angry about or looked very often?"""
    lives, day = today.lives, today.day
    price = (day - lives.shock_day <= 75) | (lives.leaving_pages >= 4.0)
    thinks: Array = (lives.leaving_pages >= 2.0) & price & (day - lives.since > 60)
    return thinks


def _cut_off(today: Today) -> Array:
    """Who sits in an outage declared yesterday and still open?"""
    lives, day = today.lives, today.day
    hit = np.zeros(len(lives.status), dtype=bool)
    for incident in today.company.incidents:
        if incident.declared_day == day - 1 and incident.resolved_day >= day:
            served = lives.plan >= FIRST_FIBER if incident.service == "fiber" else lives.plan >= 0
            hit |= incident.areas[today.traits.area] & served
    return hit


def past_morning(today: Today) -> list[Array]:
    """Plan, send and let people react, as Saral did by itself. Gives rows of (place, play, arm, sent, channel, µs)."""
    lives, traits = today.lives, today.traits
    arms = Draws(today.company.seed, traits.index, "arms")
    arms.on(LIFELONG)
    free = (lives.status == ACTIVE) & (traits.joins < today.day)
    allowed = promotional_left(traits, lives)
    rows = []
    for play in _PRIORITY:
        purpose = int(play in PROMOTIONAL)
        may = allowed[:, :, purpose]
        rested = today.day - lives.contact_day > _COOL_DOWN[play]
        who = np.flatnonzero(free & rested & may.any(axis=1) & fits(today, play))
        if not len(who):
            continue
        free[who] = False
        channel = _USED[np.argmax(may[who], axis=1)]
        held = arms.u(play, who) < COMPARISON[play]
        coupon = ~held & (play == "delivery_sorry")
        sent = ~held | (play == "delivery_sorry")
        minutes = np.floor(150 * today.draws.u(f"sent {play}", who)).astype(np.int64)
        at = today.midnight + 4 * HOUR + HOUR // 2 + minutes * 60 * SECOND
        code = PLAYS.index(play)
        ids = _outreach_ids(traits.index[who[sent]], today.day, code)
        mail = Mail(play, who[sent], at[sent], channel[sent], traits.language[who[sent]] == 1, coupon[sent], ids)
        react(today, mail, note_sending=True)
        lives.contact_day[who[sent]] = today.day
        if play == "better_plan":
            lives.offer_day[who] = today.day
        rows.append(
            np.stack(
                [traits.index[who], np.full(len(who), code), held, sent, channel, at, traits.language[who]], axis=1
            ).astype(np.int64)
        )
    return rows


def _outreach_ids(index: Array, day: int, code: int) -> list[str]:
    return [f"past-{i:07d}-{day}-{code}" for i in index.tolist()]


def as_outreach(rows: Array) -> list[PastOutreach]:
    """The rows of all mornings, as people of finished lists."""
    names = customer_ids(rows[:, 0])
    out = []
    for (index, code, held, sent, channel, at, hindi), name in zip(rows.tolist(), names, strict=True):
        play, moment = PLAYS[code], moment_of(0) + timedelta(microseconds=at)
        out.append(
            PastOutreach(
                outreach_id=_outreach_ids(np.array([index]), at // 86_400_000_000, code)[0],
                list_month=f"{moment:%Y-%m}",
                customer_id=name,
                play=play,
                trigger_key=f"{play}:{moment:%Y-%m-%d}",
                arm="holdout" if held else "treated",
                propensity=1.0 - COMPARISON[play],
                planned_at=moment.replace(hour=0, minute=30, second=0),
                sent_at=moment if sent else None,
                channel=CHANNELS[channel],
                language="hi" if hindi else "en",
                purpose="promotional" if play in PROMOTIONAL else "service",
            )
        )
    return out
