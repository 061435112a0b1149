"""What may change from day to day in a customer's life: hidden states, and what is under way."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from records.simulation.company import FIRST_FIBER, ROUTER_RENT, TOPICS, Company
from records.simulation.draws import LIFELONG, Array, Draws
from records.simulation.population import Traits

NEVER = -9_999  # a day that never was
FUTURE, ACTIVE, LEFT = 0, 1, 2


@dataclass
class Lives:
    """One array per state, one place per customer of a block. Days are counted from 1970."""

    status: Array  # FUTURE, ACTIVE, LEFT
    since: Array  # day the present subscription began
    left_day: Array
    # hidden
    mood: Array  # satisfaction; 0 is ordinary, below −1 is angry
    usage: Array  # log of usage against the person's own need
    look: Array  # looking around for another company
    pain: Array  # present pain about the price
    trouble: Array  # (n, topics) tickets a day on top of the lifelong rates
    card_bad: Array  # the stored card has expired
    # subscription and bills
    plan: Array
    discount_until: Array
    bill: Array  # paise of the last bill
    billed: Array  # day of the last bill
    pay_day: Array  # next attempt, or NEVER
    pay_tries: Array
    # shop
    parcel: Array  # product under way, or −1
    parcel_promised: Array
    parcel_arrives: Array
    parcel_short: Array  # something will be missing
    orders: Array  # so far
    wish: Array  # product on the wish list, or −1
    coupon_until: Array
    # support
    ticket: Array  # topic of the open ticket, or −1
    ticket_product: Array
    ticket_opened: Array
    ticket_solved: Array  # day it will be solved
    ticket_severity: Array
    tickets: Array  # so far
    fault_day: Array  # day on which a fault will be felt
    fault_topic: Array
    fault_product: Array
    # what the company's own rules have noticed, for its campaigns
    router_day: Array  # a troublesome product arrived
    shock_day: Array  # a bill rose by a fifth or more
    failed_day: Array  # a payment failed
    sorry_day: Array  # a late or short parcel
    restock_day: Array  # something wished for came back
    network_solved_day: Array
    network_solved: Array  # solved network tickets, fading over weeks
    leaving_pages: Array  # plan and cancel pages seen, fading over weeks
    contact_day: Array  # last message of a campaign
    offer_day: Array  # last better plan
    contacts: Array  # recent messages, fading
    stopped_us: Array  # when offers were stopped; 0: never

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(f.name for f in fields(cls))

    def copy(self) -> Self:
        return type(self)(**{name: getattr(self, name).copy() for name in self.names()})


def begin(company: Company, traits: Traits) -> Lives:
    """How does everybody stand on the morning of the first day?"""
    n = len(traits)
    d = Draws(company.seed, traits.index, "begin")
    d.on(LIFELONG)

    def days(value: int = NEVER) -> Array:
        return np.full(n, value, dtype=np.int32)

    def small(value: int = 0) -> Array:
        return np.full(n, value, dtype=np.int16)

    def real(values: Array | float = 0.0) -> Array:
        return np.full(n, values, dtype=np.float32)

    there = traits.joins < company.start
    mood = traits.base_mood + 0.25 * d.normal("mood") - 0.1
    looks = there & (d.u("looks") < 0.14 * np.exp(-0.8 * mood))
    pays = usual_bill(company.plan_rupees(company.start), traits.first_plan)
    return Lives(
        status=np.where(there, ACTIVE, FUTURE).astype(np.int8), since=traits.joins.astype(np.int32), left_day=days(),
        mood=real(mood), usage=real(0.2 * d.normal("usage")),
        look=real(np.where(looks, 1.2 * d.u("looks how"), 0.0)), pain=real(0.1),
        trouble=np.zeros((n, len(TOPICS)), dtype=np.float32), card_bad=small(),
        plan=small() + traits.first_plan.astype(np.int16), discount_until=days(),
        bill=np.where(there, pays, 0).astype(np.int32), billed=days(), pay_day=days(), pay_tries=small(),
        parcel=small(-1), parcel_promised=days(), parcel_arrives=days(), parcel_short=small(), orders=days(0),
        wish=small(-1), coupon_until=days(), ticket=small(-1), ticket_product=small(-1),
        ticket_opened=days(), ticket_solved=days(),
        ticket_severity=small(), tickets=days(0), fault_day=days(), fault_topic=small(-1), fault_product=small(-1),
        router_day=days(), shock_day=days(), failed_day=days(), sorry_day=days(), restock_day=days(),
        network_solved_day=days(), network_solved=real(), leaving_pages=real(), contact_day=days(), offer_day=days(),
        contacts=real(), stopped_us=np.zeros(n, dtype=np.int64),
    )  # fmt: skip


def usual_bill(rupees: Array, plan: Array) -> Array:
    """What a month costs without extras, in paise: the plan, the router's rent with fiber, and 18 % tax."""
    paise: Array = (rupees[plan] + np.where(plan >= FIRST_FIBER, ROUTER_RENT, 0)) * 118
    return paise
