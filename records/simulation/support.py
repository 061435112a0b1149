"""Tickets, how they are solved, ratings, and what is said in public."""

from __future__ import annotations

import numpy as np

from records.simulation.company import NETWORK
from records.simulation.draws import Array
from records.simulation.lives import NEVER
from records.simulation.mood import hurt, move
from records.simulation.notebook import APP, CHAT, EMAIL, PHONE, SOCIAL, WHATSAPP
from records.simulation.texts import plain_texts, rating_texts, ticket_texts
from records.simulation.today import HOUR, Today

_CHANNEL = np.array([PHONE, CHAT, APP, EMAIL, WHATSAPP, SOCIAL])  # of population.SUPPORT_CHANNELS
_NULL_TOPIC = 0.1  # share of tickets nobody gave a topic
# What an unsolved problem leaves behind, per topic: tickets a day at first.
_COMES_BACK = np.array([0.030, 0.030, 0.035, 0.030, 0.030, 0.012, 0.025, 0.035], dtype=np.float32)


def intensities(today: Today, who: Array) -> Array:
    """(len(who), topics): the true daily rates of tickets, those expected from a fault aside."""
    rates: Array = today.traits.topics[who] + today.lives.trouble[who]
    return rates * np.exp(-0.30 * today.lives.mood[who])[:, None]


def open_tickets(today: Today) -> None:
    """Who turns to support today, about what, in which words?"""
    lives, traits, d = today.lives, today.traits, today.draws
    can = today.active() & (lives.ticket < 0)
    rates = intensities(today, np.arange(len(traits)))
    faulty = can & (lives.fault_day == today.day)
    asks = can & (d.u("asks") < -np.expm1(-rates.sum(axis=1)))
    who = np.flatnonzero(faulty | asks)
    by_fault = faulty[who]
    topic = np.where(by_fault, lives.fault_topic[who], d.choose("topic", rates[who], who))
    product = np.where(by_fault, lives.fault_product[who], -1)
    severity = d.choose("severity", np.array([0.5, 0.37, 0.13]), who) + 1
    hard = np.where(topic == NETWORK, 1.6, 1.0)
    lives.ticket[who] = topic
    lives.ticket_product[who] = product
    lives.ticket_opened[who] = today.day
    lives.ticket_severity[who] = severity
    lives.ticket_solved[who] = today.day + 1 + np.floor(-2.1 * hard * np.log(d.u("solving", who))).astype(np.int64)
    lives.tickets[who] += 1
    lives.fault_day[who[by_fault]] = NEVER
    hurt(today, who, 0.20 + 0.07 * severity)
    channel = np.where(
        d.u("usual way", who) < 0.7, _CHANNEL[traits.support[who]], _CHANNEL[d.whole("way", 0, len(_CHANNEL) - 1, who)]
    )
    at = today.waking("ticket", who)
    words = np.stack([d.u("words", who, k) for k in range(4)], axis=1)
    today.notes.write(
        "support_ticket_opened", who, at, index=today.index(who), number=lives.tickets[who], severity=severity,
        topic=np.where(unlabelled(today, who), -1, topic), channel=channel, product=product,
        text=ticket_texts(traits.style[who], topic, product, lives.bill[who], words),
    )  # fmt: skip


def unlabelled(today: Today, who: Array) -> Array:
    """Which of these customers' present tickets have no topic in the books? Fixed from opening to solving."""
    number = (today.traits.index[who] * 31 + today.lives.tickets[who].astype(np.int64) * 7919) * 2_654_435_761
    return (number >> 7) % 1000 < 1000 * _NULL_TOPIC


def solve_tickets(today: Today) -> None:
    """Close tickets; some are only called solved, and the problem comes back."""
    lives, traits, d = today.lives, today.traits, today.draws
    who = np.flatnonzero(today.active() & (lives.ticket >= 0) & (lives.ticket_solved <= today.day))
    topic = lives.ticket[who].astype(np.int64)
    poor_area = today.company.area_badness[traits.area[who]] > 1.0
    good = d.u("really solved", who) < np.where((topic == NETWORK) & poor_area, 0.42, 0.76)
    at = today.office("solved", who)
    hours = np.maximum((today.day - lives.ticket_opened[who]) * 24 - d.whole("hours", 0, 11, who), 2)
    today.notes.write(
        "support_ticket_solved", who, at, index=today.index(who), number=lives.tickets[who], hours=hours,
        topic=np.where(unlabelled(today, who), -1, topic), product=lives.ticket_product[who],
    )  # fmt: skip
    quick = hours < 60
    move(lives, who[good], np.where(quick[good], 0.16, 0.08))
    hurt(today, who[~good], 0.22)
    lives.trouble[who, topic] = np.where(good, 0.4 * lives.trouble[who, topic], lives.trouble[who, topic])
    lives.trouble[who, topic] += np.where(good, 0.004, _COMES_BACK[topic])
    network = who[topic == NETWORK]
    lives.network_solved[network] += 1
    lives.network_solved_day[network] = today.day
    asked = d.u("rates support", who) < 0.6
    stars = 3.4 + 0.9 * lives.mood[who] + np.where(good, 0.8, -1.5) + 1.4 * (d.u("support stars", who) - 0.5)
    number, product = lives.tickets[who], lives.ticket_product[who]
    rate(today, who[asked], at[asked] + HOUR, stars[asked], 0, number[asked], product[asked])
    lives.ticket[who] = -1


def rate(today: Today, who: Array, at: Array, stars: Array, about: int, number: Array, product: Array) -> None:
    """Give one to five stars, about support (0) or a delivery (1)."""
    whole = np.clip(np.round(stars), 1, 5).astype(np.int64)
    u = today.draws.u("rating words", who, about)
    today.notes.write(
        "rating_given", who, at, index=today.index(who), number=number, about=np.full(len(who), about), rating=whole,
        product=product, text=rating_texts(today.traits.style[who], whole, u),
    )  # fmt: skip


def speak_in_public(today: Today) -> None:
    """Social mentions: angry people speak up more, a few praise."""
    lives, traits, d = today.lives, today.traits, today.draws
    who = today.happens("mentions", 0.0007 * np.exp(-0.8 * lives.mood), today.active())
    praise = lives.mood[who] + 0.6 * (d.u("praises", who) - 0.5) > 0.55
    for kind, part in (("MENTIONS_GOOD", praise), ("MENTIONS_BAD", ~praise)):
        some = who[part]
        today.notes.write(
            "social_mention", some, today.waking("mention", some), channel=np.full(len(some), SOCIAL),
            text=plain_texts(kind, traits.style[some], d.u("mention words", some)),
        )  # fmt: skip


def network_trouble(today: Today, who: Array, by: float) -> None:
    """An outage begins for these people."""
    today.lives.trouble[who, NETWORK] += by
    hurt(today, who, 0.45)
