"""Orders, parcels, wish lists and what comes back into stock."""

from __future__ import annotations

import numpy as np

from records.simulation.company import (
    DELIVERY,
    DEMAND,
    FAULT_FIRST,
    FAULT_LAST,
    FAULT_SHARE,
    FAULT_TOPIC,
    FIRST_FIBER,
    ROUTER,
    RUPEES,
)
from records.simulation.draws import Array
from records.simulation.mood import hurt, move
from records.simulation.support import rate
from records.simulation.today import HOUR, SECOND, Today

_WISH_BUY = 0.045  # chance a day to buy what came back, for a week


def wants(today: Today) -> tuple[Array, Array]:
    """Who wants to buy something in the shop today, and what? Empty-handed people and those without a parcel only."""
    lives, traits = today.lives, today.traits
    free = today.active() & (lives.parcel < 0)
    coupon = 1.0 + 0.12 * (lives.coupon_until >= today.day)
    chance = traits.shopping * today.company.shopping(today.day) * np.exp(0.3 * lives.mood) * coupon
    back = (lives.wish >= 0) & (today.day - lives.restock_day <= 7)
    wished = free & back & (today.draws.u("buys wish") < _WISH_BUY)
    who = np.flatnonzero(free & ((today.draws.u("shops") < chance) | wished))
    weights = DEMAND * np.where(lives.plan[who][:, None] >= FIRST_FIBER, _FIBER_TASTE, 1.0)
    product = np.where(wished[who], lives.wish[who], today.draws.choose("buys", weights, who))
    return who, product


_FIBER_TASTE = np.array([1.6, 1.5, 1, 1, 1, 1, 1.2, 1.4, 0.4, 0.4])


def buy(today: Today, who: Array, product: Array, at: Array, channel: Array) -> None:
    """Order what is there; put on the wish list what is not."""
    lives = today.lives
    there = today.company.in_stock(today.day)[product]
    wish = ~there | (today.draws.u("only wishes", who) < 0.16)
    wish &= lives.wish[who] != product
    adds = wish & (lives.wish[who] < 0)
    today.notes.write("wishlist_added", who[adds], at[adds], product=product[adds], channel=channel[adds])
    lives.wish[who[adds]] = product[adds]
    takes = there & ~wish
    order(today, who[takes], product[takes], at[takes] + 90 * SECOND, channel[takes])


def order(today: Today, who: Array, product: Array, at: Array, channel: Array) -> None:
    """Buy, and have a parcel under way; some will be late, some short."""
    lives = today.lives
    with_coupon = lives.coupon_until[who] >= today.day
    amount = RUPEES[product] * np.where(with_coupon, 90, 100)
    today.notes.write(
        "order_completed", who, at, index=today.index(who), number=lives.orders[who] + 1, coupon=with_coupon,
        product=product, amount=amount, channel=channel,
    )  # fmt: skip
    lives.orders[who] += 1
    lives.coupon_until[who[with_coupon]] = today.day - 1
    lives.wish[who[lives.wish[who] == product]] = -1
    send_parcel(today, who, product)


def send_parcel(today: Today, who: Array, product: Array) -> None:
    lives, d = today.lives, today.draws
    days = d.whole("parcel days", 2, 5, who)
    late = d.u("late", who) < today.company.lateness(today.day)
    lives.parcel[who] = product
    lives.parcel_promised[who] = today.day + days
    early = ~late & (days > 3)
    lives.parcel_arrives[who] = today.day + days - early + np.where(late, d.whole("days late", 1, 8, who), 0)
    lives.parcel_short[who] = d.u("short", who) < 0.03


def deliver(today: Today) -> None:
    """Parcels arrive. Late and short ones hurt; a product's faults are felt some days later."""
    lives, d = today.lives, today.draws
    overdue = np.flatnonzero(today.active() & (lives.parcel >= 0) & (lives.parcel_promised == today.day - 1))
    lives.trouble[overdue, DELIVERY] += 0.05
    who = np.flatnonzero(today.active() & (lives.parcel >= 0) & (lives.parcel_arrives == today.day))
    product, short = lives.parcel[who].astype(np.int64), lives.parcel_short[who] > 0
    late = np.maximum(today.day - lives.parcel_promised[who], 0)
    at = today.office("parcel", who)
    number = lives.orders[who]
    today.notes.write(
        "order_delivered", who, at, index=today.index(who), number=number, product=product,
        promised=lives.parcel_promised[who], days_late=late,
    )  # fmt: skip
    lacks = who[short]
    today.notes.write(
        "item_missing", lacks, at[short] + HOUR, index=today.index(lacks), number=number[short], product=product[short]
    )
    move(lives, who[(late == 0) & ~short], 0.05)
    hurt(today, who, np.where(late > 0, 0.25 + 0.07 * late, 0.0) + np.where(short, 0.45, 0.0))
    lives.trouble[who, DELIVERY] += np.where(late > 1, 0.04, 0.0) + np.where(short, 0.12, 0.0)
    lives.sorry_day[who[(late >= 2) | short]] = today.day
    lives.router_day[who[product == ROUTER]] = today.day
    lives.parcel[who] = -1
    _faults(today, who, product)
    asked = d.u("rates parcel", who) < 0.24
    stars = 4.0 + 0.8 * lives.mood[who] - 0.5 * np.minimum(late, 5) - 1.6 * short + 1.6 * (d.u("stars", who) - 0.5)
    rate(today, who[asked], at[asked] + HOUR, stars[asked], 1, number[asked], product[asked])


def _faults(today: Today, who: Array, product: Array) -> None:
    lives, d = today.lives, today.draws
    clumsy = np.where(product == ROUTER, 0.45 + 1.1 * (1.0 - today.traits.skill[who]), 1.0)
    faulty = d.u("fault", who) < FAULT_SHARE[product] * clumsy
    first, last = FAULT_FIRST[product], FAULT_LAST[product]
    day = today.day + first + np.floor(d.u("fault day", who) * (last - first + 1)).astype(np.int64)
    some = who[faulty]
    lives.fault_day[some] = day[faulty]
    lives.fault_topic[some] = FAULT_TOPIC[product[faulty]]
    lives.fault_product[some] = product[faulty]


def restock(today: Today) -> None:
    """Tell the books who waits for what came back today."""
    lives = today.lives
    for product in today.company.restocked(today.day).tolist():
        who = np.flatnonzero(today.active() & (lives.wish == product))
        at = np.full(len(who), today.midnight + 6 * HOUR)
        today.notes.write("product_restocked", who, at, product=np.full(len(who), product))
        lives.restock_day[who] = today.day
