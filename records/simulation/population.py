"""Who are Saral's customers? Lifelong traits, seen and hidden, drawn once per person."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from records.simulation.company import FIRST_FIBER, TOPICS, Company
from records.simulation.draws import LIFELONG, Array, Draws
from records.simulation.places import CITIES, LOCALITIES, WRITERS

STYLES = ("en", "hi", "hinglish")
HELPED_BY_TUTORIAL, HELPED_BY_OFFER, INDIFFERENT, SLEEPING_DOG = range(4)
RESPONSES = ("tutorial", "offer", "indifferent", "sleeping_dog")
CONSENT_CHANNELS = ("whatsapp", "email", "sms")
SUPPORT_CHANNELS = ("phone", "chat", "app", "email", "whatsapp", "social")
GROWTH_DAYS = 548  # how long back the growth of the customer base is spread


@dataclass(frozen=True)
class Traits:
    """One array per trait, one place per customer of a block. Nothing here ever changes."""

    index: Array  # place in the company
    city: Array
    area: Array  # city × locality
    muslim: Array  # name community
    style: Array  # how they write: STYLES
    language: Array  # what they asked to be written in: 0 English, 1 Hindi
    joins: Array  # day since 1970 of the first subscription
    first_plan: Array
    bill_day: Array  # day of the month
    base_mood: Array
    sensitivity: Array  # how hard a bad day hits
    need: Array  # sessions a day
    shopping: Array  # orders a day
    price: Array  # price sensitivity 0–1
    skill: Array  # technical skill 0–1
    prompt: Array  # pays at once 0–1
    autopay: Array
    app: Array  # share of sessions in the app
    support: Array  # favourite SUPPORT_CHANNELS
    reads: Array  # chance to read a message
    response: Array  # what contact does: RESPONSES
    topics: Array  # (n, topics) tickets a day without any cause
    consents: Array  # (n, channel, purpose) at the beginning; purpose 0 service, 1 promotional
    settled: Array  # day since when they have been a customer as far as the log knows

    def __len__(self) -> int:
        return len(self.index)


@cache
def _region_styles() -> Array:
    return np.array([WRITERS[city[2]] for city in CITIES])


def _bounded(x: Array) -> Array:
    """Squeeze a normal number into 0–1."""
    return 1.0 / (1.0 + np.exp(-1.1 * x))


def draw_traits(company: Company, index: Array) -> Traits:
    """Who are the customers at these places? Depends on the seed and the place only."""
    d = Draws(company.seed, index)
    d.on(LIFELONG)
    n = len(index)
    city = d.choose("city", np.array([c[3] for c in CITIES]))
    area = city * LOCALITIES + d.whole("locality", 0, LOCALITIES - 1)
    muslim = d.u("community") < 0.125
    style = d.choose("style", np.where(muslim[:, None], np.array(WRITERS["muslim"]), _region_styles()[city]))
    hindi_share = np.array([0.02, 0.97, 0.62])[style]
    u = d.u("joined")
    # Six in ten were there before the log begins; the rest came at a slowly falling pace, the last some days ago.
    before = company.start - 1 - np.floor(1500 * (u / 0.6) ** 1.6)
    during = company.until - 2 - np.floor((company.until - company.start - 3) * ((1 - u) / 0.4) ** 0.9)
    joins = np.where(u < 0.6, before, during).astype(np.int64)
    skill = _bounded(d.normal("skill") - 0.3 * (style == 1))
    price = _bounded(d.normal("price") + 0.2 * (style == 1))
    need = 0.105 * np.exp(0.55 * d.normal("need"))
    first_plan = d.choose("plan", np.array([0.24, 0.25, 0.14, 0.24, 0.13]))
    first_plan = np.where((price > 0.72) & (d.u("thrift") < 0.5), np.maximum(first_plan - 1, 0), first_plan)
    badness = company.area_badness[area]
    base_mood = 0.38 + 0.20 * d.normal("base mood") - 0.14 * (badness - 0.4)
    return Traits(
        index=index,
        city=city,
        area=area,
        muslim=muslim,
        style=style,
        language=(d.u("language") < hindi_share).astype(np.int64),
        joins=joins,
        first_plan=first_plan,
        bill_day=d.whole("bill day", 1, 28),
        base_mood=base_mood,
        sensitivity=np.exp(0.22 * d.normal("sensitivity")),
        need=np.minimum(need, 0.6),
        shopping=0.0072 * np.exp(0.6 * d.normal("shopping")),
        price=price,
        skill=skill,
        prompt=_bounded(d.normal("prompt") + 0.4),
        autopay=d.u("autopay") < 0.42,
        app=_bounded(d.normal("app") + 0.6),
        support=d.choose("support", np.array([0.28, 0.24, 0.16, 0.13, 0.14, 0.05])),
        reads=0.3 + 0.6 * _bounded(d.normal("reads")),
        response=_draw_response(d, skill, price, need),
        topics=_topic_rates(d, first_plan, skill, price, badness),
        consents=_draw_consents(d, n),
        settled=np.maximum(joins, company.start),
    )


def _draw_response(d: Draws, skill: Array, price: Array, need: Array) -> Array:
    """What contact does to them: guides help the less skilled, offers the thrifty; the quiet are best left alone."""
    weights = np.stack(
        [
            0.10 + 0.50 * (1 - skill),
            0.08 + 0.70 * price,
            np.full(len(skill), 0.24),
            0.03 + 0.22 * np.exp(-need / 0.07),
        ],
        axis=1,
    )
    return d.choose("response", weights)


def _topic_rates(d: Draws, plan: Array, skill: Array, price: Array, badness: Array) -> Array:
    """Tickets a day per topic that need no visible cause. People differ, and stay as they are."""
    fiber = plan >= FIRST_FIBER
    rates = np.stack(
        [
            0.00062 * badness**1.5 * np.where(fiber, 1.2, 1.0),
            0.00022 * (0.5 + price),
            np.where(fiber, 0.00075, 0.00002) * (1.1 - skill) ** 1.5,
            np.full(len(plan), 0.00004),
            0.00013 * (1.2 - skill),
            0.00042 * price**1.5,
            0.00095 * (1.05 - skill) ** 2,
            np.full(len(plan), 0.00004),
        ],
        axis=1,
    )
    spread = np.stack([d.normal(f"topic {name}") for name in TOPICS], axis=1)
    mixed: Array = rates * np.exp(0.85 * spread - 0.36)
    return mixed.astype(np.float32)


def _draw_consents(d: Draws, n: int) -> Array:
    """Which channels for which purpose: almost all have one for service, two thirds one for offers."""
    share = np.array([[0.80, 0.52], [0.86, 0.58], [0.74, 0.30]])
    given = np.zeros((n, len(CONSENT_CHANNELS), 2), dtype=bool)
    refuses = d.u("refuses offers") < 0.14
    for k, channel in enumerate(CONSENT_CHANNELS):
        given[:, k, 0] = d.u(f"consent {channel} service") < share[k, 0]
        given[:, k, 1] = given[:, k, 0] & (d.u(f"consent {channel} offers") < share[k, 1] / share[k, 0]) & ~refuses
    return given
