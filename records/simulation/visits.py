"""Sessions on the web and in the app, the pages looked at, and what is bought there."""

from __future__ import annotations

import numpy as np

from records.simulation.company import FIRST_PLAN
from records.simulation.draws import Array
from records.simulation.notebook import APP, WEB
from records.simulation.properties import (
    BILL_PAGE,
    CANCEL_PAGE,
    HELP_PAGE,
    ORDERS_PAGE,
    PAGES,
    PLANS_PAGE,
    PRODUCT_PAGE,
    page_code,
)
from records.simulation.shop import buy, wants
from records.simulation.support import intensities
from records.simulation.today import SECOND, Today

_MORE_PAGES = (0.45, 0.20, 0.08)  # chance of a second, third, fourth page


def visit(today: Today, leaving: Array) -> Array:
    """Who comes by today? `leaving` (places) will cancel today. Gives everybody's session time (0: none)."""
    lives, traits, d = today.lives, today.traits, today.draws
    shoppers, product = wants(today)
    rate = traits.need * np.exp(lives.usage + 0.9 * lives.mood) + 0.19 * lives.look
    comes = today.active() & (d.u("session") < -np.expm1(-rate))
    comes[shoppers] = True
    online = leaving[d.u("leaves online", leaving) < 0.75]
    comes[online] = True
    who = np.flatnonzero(comes)
    at = today.waking("session", who)
    channel = np.where(d.u("app", who) < traits.app[who], APP, WEB)
    minutes = 1 + np.floor(-6.5 * np.log(d.u("minutes", who))).astype(np.int64)
    today.notes.write("session_started", who, at, channel=channel, minutes=minutes)
    _look_at_pages(today, who, at, channel)
    _cancel_page(today, online, comes, who, at, channel)
    seat = np.searchsorted(who, shoppers)
    buy(today, shoppers, product, at[seat] + 240 * SECOND, channel[seat])
    when = np.zeros(len(traits), dtype=np.int64)
    when[who] = at
    return when


def _page_weights(today: Today, who: Array, topic_rates: Array) -> Array:
    lives = today.lives
    fault_near = (lives.fault_day[who] - today.day >= 0) & (lives.fault_day[who] - today.day <= 1)
    new_bill = (today.day - lives.billed[who] <= 4) & (lives.billed[who] > 0)
    weights = np.empty((len(who), len(PAGES)))
    weights[:, 0] = 1.1
    weights[:, PRODUCT_PAGE] = 60 * today.traits.shopping[who]
    weights[:, PLANS_PAGE] = 0.04 + 2.40 * lives.look[who] + 0.08 * np.minimum(lives.pain[who], 2)
    weights[:, BILL_PAGE] = 0.18 + 0.5 * new_bill + 0.5 * (lives.shock_day[who] >= today.day - 5)
    weights[:, HELP_PAGE] = 0.08 + 14 * topic_rates.sum(axis=1) + 1.5 * fault_near
    weights[:, CANCEL_PAGE] = 0.003 + 1.20 * lives.look[who]
    weights[:, ORDERS_PAGE] = 0.06 + 0.8 * (lives.parcel[who] >= 0)
    return weights


def _look_at_pages(today: Today, who: Array, at: Array, channel: Array) -> None:
    lives, d = today.lives, today.draws
    rates = intensities(today, who)
    weights = _page_weights(today, who, rates)
    fault_near = (lives.fault_day[who] - today.day >= 0) & (lives.fault_day[who] - today.day <= 1)
    helped = np.where(fault_near, lives.fault_topic[who], d.choose("help topic", rates, who))
    helped = np.where(d.u("general help", who) < 0.25, -1, helped)
    more = d.u("pages", who)
    edges = np.cumsum(weights, axis=1)
    for k in range(1 + len(_MORE_PAGES)):
        on = np.flatnonzero(more < (1.0, *_MORE_PAGES)[k])
        point = d.u("page", who[on], k) * edges[on, -1]
        page = np.minimum((point[:, None] > edges[on]).sum(axis=1), len(PAGES) - 1)
        taste = np.floor(d.u("product page", who[on], k) * FIRST_PLAN).astype(np.int64)
        today.notes.write(
            "page_viewed", who[on], at[on] + (8 + 47 * k) * SECOND, channel=channel[on],
            page=page_code(page, helped[on]), product=np.where(page == PRODUCT_PAGE, taste, -1),
        )  # fmt: skip
        lives.leaving_pages[who[on]] += (page == PLANS_PAGE) + 2.0 * (page == CANCEL_PAGE)


def _cancel_page(today: Today, online: Array, comes: Array, who: Array, at: Array, channel: Array) -> None:
    """Those who leave online go through the cancel page."""
    seat = np.searchsorted(who, online[comes[online]])
    page = np.full(len(seat), CANCEL_PAGE)
    today.notes.write(
        "page_viewed", who[seat], at[seat] + 260 * SECOND, channel=channel[seat], page=page,
        product=np.full(len(seat), -1),
    )  # fmt: skip
