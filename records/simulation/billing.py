"""Bills, payments and changes of plan."""

from __future__ import annotations

import numpy as np

from records.simulation.company import (
    BILLING,
    FIRST_FIBER,
    FIRST_PLAN,
    PAYMENT,
    PLAN_PRICE,
    PLANS,
    ROUTER_RENT,
    date_of,
)
from records.simulation.draws import Array
from records.simulation.lives import NEVER, usual_bill
from records.simulation.mood import hurt
from records.simulation.today import HOUR, Today

SHOCK = 1.2  # a bill this many times the last one is a shock
_AUTOPAY = 3
_CARD = 1


def bill(today: Today) -> None:
    """Issue the bills of today; a bill that rises brings pain, anger and questions."""
    lives, traits, d = today.lives, today.traits, today.draws
    due = today.active() & (traits.bill_day == date_of(today.day).day) & (today.day - lives.since >= 5)
    who = np.flatnonzero(due)
    plan = today.company.plan_rupees(today.day)[lives.plan[who]] * 100
    rent = np.where(lives.plan[who] >= FIRST_FIBER, ROUTER_RENT * 100, 0)
    off = np.where(lives.discount_until[who] > today.day, plan // 5, 0)
    busy = np.minimum(0.05 * traits.need[who] / 0.105 * np.exp(0.4 * lives.usage[who]), 0.25)
    u = d.u("extra", who)
    share = np.where(u < busy, 0.28 + 0.75 * d.u("extra size", who), np.where(u > 0.7, 0.3 * (u - 0.7), 0.0))
    extra = (np.floor(plan * share / 500) * 500).astype(np.int64)
    tax = ((plan + rent + extra - off) * 18 + 50) // 100
    amount = plan + rent + extra - off + tax
    before = lives.bill[who].astype(np.int64)
    today.notes.write(
        "bill_issued", who, np.full(len(who), today.midnight + 3 * HOUR + HOUR // 2), index=today.index(who),
        amount=amount, product=FIRST_PLAN + lives.plan[who], before=before, line_plan=plan, line_rent=rent,
        line_extra=extra, line_off=off, line_tax=tax, day=np.full(len(who), today.day),
    )  # fmt: skip
    _feel(today, who, np.where(before > 0, amount / np.maximum(before, 1), 1.0))
    lives.bill[who] = amount
    lives.billed[who] = today.day
    slow = np.floor(15 * d.u("pays", who) ** (0.8 + 2.2 * traits.prompt[who])).astype(np.int64)
    lives.pay_day[who] = today.day + np.where(traits.autopay[who], 3, slow)
    lives.pay_tries[who] = 0


def _feel(today: Today, who: Array, ratio: Array) -> None:
    lives, traits = today.lives, today.traits
    rise = np.where(ratio > 1.06, np.minimum(ratio - 1.0, 1.2), 0.0)
    thrift = 0.55 + 0.7 * traits.price[who]
    lives.pain[who] = np.minimum(lives.pain[who] + 2.0 * rise * thrift, 3.0)
    hurt(today, who, 0.85 * rise * thrift)
    lives.trouble[who, BILLING] += 0.020 * np.minimum(rise / 0.25, 2.5)
    lives.trouble[who, PLAN_PRICE] += 0.004 * np.minimum(rise / 0.15, 2.0) * thrift**2
    lives.shock_day[who[ratio >= SHOCK]] = today.day


def pay(today: Today) -> None:
    """Attempt the payments of today; some fail, and some of those are tried again."""
    lives, traits, d = today.lives, today.traits, today.draws
    who = np.flatnonzero(today.active() & (lives.pay_day == today.day))
    method = np.where(traits.autopay[who], _AUTOPAY, d.choose("method", np.array([0.68, 0.17, 0.15]), who))
    expired = (lives.card_bad[who] > 0) & ((method == _AUTOPAY) | (method == _CARD)) & (d.u("expired", who) < 0.96)
    short = d.u("short of money", who) < 0.006 + 0.07 * traits.price[who] * (1.0 - traits.prompt[who])
    down = d.u("bank down", who) < 0.011
    fails = expired | short | down
    at = today.waking("payment", who)
    amount = lives.bill[who].astype(np.int64)
    for name, part in (("payment_completed", ~fails), ("payment_failed", fails)):
        some = who[part]
        reason = np.where(expired, 0, np.where(short, 1, 2))[part]
        today.notes.write(
            name, some, at[part], index=today.index(some), amount=amount[part], billed=lives.billed[some],
            method=method[part], reason=reason,
        )  # fmt: skip
    lives.pay_day[who] = NEVER
    lives.pay_tries[who] = np.where(fails, lives.pay_tries[who] + 1, 0)
    _retry(today, who[fails])


def _retry(today: Today, who: Array) -> None:
    lives, traits, d = today.lives, today.traits, today.draws
    lives.failed_day[who] = today.day
    hurt(today, who, 0.22)
    lives.trouble[who, PAYMENT] += 0.035
    again = 1 + np.floor(8 * d.u("retry", who) * (1.25 - traits.prompt[who])).astype(np.int64)
    lives.pay_day[who] = np.where(lives.pay_tries[who] < 4, today.day + again, NEVER)
    renewed = who[d.u("new card", who) < 0.35]
    lives.card_bad[renewed] = 0


def change_plans(today: Today) -> None:
    """Some move to a bigger plan because they use more, some to a smaller one because it hurts."""
    lives, traits = today.lives, today.traits
    lower = 0.00015 + 0.0035 * np.minimum(lives.pain, 1.5) * traits.price
    higher = 0.0006 * np.exp(0.8 * lives.usage) * (1.1 - traits.price)
    smallest = (lives.plan == 0) | (lives.plan == FIRST_FIBER)
    largest = (lives.plan == FIRST_FIBER - 1) | (lives.plan == len(PLANS) - 1)
    down = today.happens("smaller plan", lower, today.active() & ~smallest)
    up = today.happens("bigger plan", higher, today.active() & ~largest & (lives.pain < 0.4))
    up = np.setdiff1d(up, down, assume_unique=True)
    for who, step in ((down, -1), (up, 1)):
        switch(today, who, lives.plan[who] + step, today.waking("plan change", who))
    lives.pain[down] *= 0.5


def switch(today: Today, who: Array, plan: Array, at: Array) -> None:
    """Put people on another plan. The next bill is compared with what the new plan costs."""
    lives = today.lives
    prices = today.company.plan_rupees(today.day)
    before = lives.plan[who].astype(np.int64)
    today.notes.write("plan_changed", who, at, product=FIRST_PLAN + plan, amount=prices[plan] * 100, from_plan=before)
    lives.plan[who] = plan
    compared = np.maximum(lives.bill[who], usual_bill(prices, plan))
    lives.bill[who] = np.where(lives.bill[who] > 0, compared, 0)
