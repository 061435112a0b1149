"""One day in the life of a block of customers, in the order in which things happen."""

from __future__ import annotations

import numpy as np

from records.simulation.billing import bill, change_plans, pay
from records.simulation.company import FIRST_FIBER, FIRST_PLAN, ROUTER, SIM_KIT, Incident
from records.simulation.draws import Array
from records.simulation.lives import ACTIVE, FUTURE, LEFT, NEVER
from records.simulation.mood import drift, leaving_chance, move, somebody_elses
from records.simulation.shop import deliver, order, restock
from records.simulation.support import network_trouble, open_tickets, solve_tickets, speak_in_public
from records.simulation.today import HOUR, SECOND, Today
from records.simulation.visits import visit

_RETURNS = 0.0006  # chance a day to come back, between three weeks and seven months after leaving


def run_day(today: Today, *, causal: bool = True, may_leave: bool = True) -> Array:
    """Let the day happen. Returns everybody's chance to leave on this day (0 for those without a subscription).

    `causal` false: another person's hidden state decides who leaves. `may_leave` false: nobody does, so that the
    truth can be computed along whole paths.
    """
    _join(today)
    drift(today)
    for incident in today.company.incidents:
        _outage(today, incident)
    bill(today)
    pay(today)
    restock(today)
    deliver(today)
    solve_tickets(today)
    open_tickets(today)
    change_plans(today)
    chance = leaving_chance(today.lives, today.traits, today.day)
    if not causal:
        chance = chance[somebody_elses(today.traits.index, today.company.seed)]
    chance = np.where(today.active(), chance, 0.0)
    decides = chance if may_leave else np.zeros_like(chance)
    leaving = np.flatnonzero(today.draws.u("leaves") < decides)
    when = visit(today, leaving)
    speak_in_public(today)
    _leave(today, leaving, when)
    return chance


def _join(today: Today) -> None:
    """New customers begin, and a few who left come back."""
    lives, traits, d = today.lives, today.traits, today.draws
    new = np.flatnonzero((lives.status == FUTURE) & (traits.joins == today.day))
    away = today.day - lives.left_day
    back = today.happens("returns", _RETURNS, (lives.status == LEFT) & (away > 21) & (away < 210))
    move(lives, back, np.maximum(traits.base_mood[back] + 0.3 - lives.mood[back], 0.0))
    for who in (new, back):
        lives.status[who] = ACTIVE
        lives.since[who] = today.day
        lives.bill[who] = 0
        lives.discount_until[who] = today.day + np.where(d.u("welcome", who) < 0.55, 122, 0)
        rupees = today.company.plan_rupees(today.day)[lives.plan[who]]
        at = today.office("joins", who)
        today.notes.write("subscription_started", who, at, product=FIRST_PLAN + lives.plan[who], amount=rupees * 100)
    fiber = lives.plan[new] >= FIRST_FIBER
    needs = d.u("needs a device", new) < np.where(fiber, 0.8, 0.5)
    who, product = new[needs], np.where(fiber, ROUTER, SIM_KIT)[needs]
    order(today, who, product, today.office("joins", who) + 120 * SECOND, np.full(len(who), -1))


def _outage(today: Today, incident: Incident) -> None:
    """Declare or resolve an incident for everybody in its area who has the service."""
    if today.day not in (incident.declared_day, incident.resolved_day):
        return
    lives = today.lives
    who = np.flatnonzero(today.active() & incident.areas[today.traits.area] & _served(today, incident))
    for name, day, moment in (
        ("incident_declared", incident.declared_day, incident.declared_us),
        ("incident_resolved", incident.resolved_day, incident.resolved_us),
    ):
        if day == today.day:
            today.notes.write(
                name, who, np.full(len(who), moment), incident_id=[incident.incident_id] * len(who),
                area=today.traits.area[who], service=np.full(len(who), int(incident.service == "fiber")),
            )  # fmt: skip
    if today.day == incident.declared_day:
        network_trouble(today, who, 0.10)
    else:
        lives.trouble[who, 0] *= 0.4


def _served(today: Today, incident: Incident) -> Array:
    fiber: Array = today.lives.plan >= FIRST_FIBER
    return fiber if incident.service == "fiber" else np.ones(len(fiber), dtype=bool)


def _leave(today: Today, who: Array, when: Array) -> None:
    """Cancel, and let everything under way end."""
    lives, d = today.lives, today.draws
    at = np.where(when[who] > 0, when[who] + 300 * SECOND, today.office("leaves", who) + HOUR)
    price = 0.8 * lives.pain[who] * (0.55 + 0.7 * today.traits.price[who])
    service = np.maximum(-lives.mood[who], 0.0)
    moving = np.maximum(-lives.usage[who], 0.0)
    reason = np.argmax(np.stack([price, service, moving]) + 0.4 * d.u("reason", who), axis=0)
    reason = np.where(d.u("says why", who) < 0.55, reason, -1)
    today.notes.write("subscription_cancelled", who, at, product=FIRST_PLAN + lives.plan[who], reason=reason)
    lives.status[who] = LEFT
    lives.left_day[who] = today.day
    for waiting in (lives.pay_day, lives.fault_day):
        waiting[who] = NEVER
    for thing in (lives.parcel, lives.ticket, lives.wish):
        thing[who] = -1
    lives.pay_tries[who] = 0
    lives.look[who] = 0
    lives.leaving_pages[who] = 0
