"""The hidden course of a day, and the daily chance of leaving that follows from it."""

from __future__ import annotations

import numpy as np

from records.simulation.company import FIRST_FIBER
from records.simulation.draws import Array
from records.simulation.lives import Lives
from records.simulation.population import Traits
from records.simulation.today import Today

# What is left of extra trouble after one day, per topic: network repeats for weeks, a bill is forgotten in days.
TROUBLE_LEFT = np.array([0.955, 0.87, 0.92, 0.82, 0.87, 0.955, 0.93, 0.87], dtype=np.float32)
MOOD_LOW, MOOD_HIGH = -3.5, 2.0
LOG_HAZARD = -8.30  # of somebody ordinary in every respect: 2.5 in 10,000 a day
GROUP = 500  # the causal links are shuffled within so many customers
HAZARD_LIMIT = 0.10


def move(lives: Lives, who: Array, by: Array | float) -> None:
    """Make some people happier or angrier."""
    lives.mood[who] = np.clip(lives.mood[who] + by, MOOD_LOW, MOOD_HIGH)


def hurt(today: Today, who: Array, by: Array | float) -> None:
    """Something went wrong for them; the sensitive feel it more."""
    move(today.lives, who, -1.3 * by * today.traits.sensitivity[who])


def drift(today: Today) -> None:
    """What a day does to everybody: slow recovery, small chances, fading of what has been."""
    lives, traits, d = today.lives, today.traits, today.draws
    lives.mood += 0.010 * (traits.base_mood - lives.mood) + 0.05 * (d.u("mood") - 0.5)
    waiting = (lives.ticket >= 0) & (today.day - lives.ticket_opened > 2)
    lives.mood -= np.where(waiting, 0.03 * lives.ticket_severity * traits.sensitivity, 0.0)
    np.clip(lives.mood, MOOD_LOW, MOOD_HIGH, out=lives.mood)
    lives.usage += -0.012 * lives.usage + 0.08 * (d.u("usage") - 0.5)
    lives.usage -= np.where(d.u("life changes") < 0.0004, 1.0, 0.0)
    lives.pain *= 0.987
    lives.look *= 0.987
    starts = d.u("look") < start_looking(lives, traits)
    lives.look += np.where(starts, 0.75 + 0.6 * d.u("look how"), 0.0)
    np.minimum(lives.look, 2.3, out=lives.look)
    lives.trouble *= TROUBLE_LEFT
    lives.card_bad |= (d.u("card") < 0.0007) & traits.autopay
    lives.contacts *= 0.95
    lives.leaving_pages *= 0.96
    lives.network_solved *= 0.975


def start_looking(lives: Lives, traits: Traits) -> Array:
    """The chance to begin looking around for another company today."""
    drive = -1.05 * lives.mood + 1.1 * lives.pain * (0.55 + 0.7 * traits.price) - 0.2 * lives.usage
    chance: Array = np.minimum(0.0010 * np.exp(drive), 0.08)
    return chance


def leaving_chance(lives: Lives, traits: Traits, day: int) -> Array:
    """The true hazard: the chance, per customer with a subscription, to cancel it today."""
    tenure = day - lives.since
    log_hazard = (
        LOG_HAZARD
        - 0.90 * lives.mood
        + 2.40 * lives.look
        + 1.10 * lives.pain * (0.55 + 0.7 * traits.price)
        - 0.35 * lives.usage
        + 1.00 * (lives.pay_tries > 0)
        + 0.35 * (tenure < 90)
        - 0.30 * (tenure > 900)
        - 0.20 * (lives.plan >= FIRST_FIBER)
    )
    hazard: Array = np.minimum(np.exp(log_hazard), HAZARD_LIMIT)
    return hazard


def somebody_elses(index: Array, seed: int) -> Array:
    """Whose hidden state decides when the causal links are shuffled: another person's of the same five hundred."""
    place = np.arange(len(index))
    group = index // GROUP
    first = np.searchsorted(group, group)
    size = np.searchsorted(group, group, side="right") - first
    shift = 1 + (seed * 7919 + 131) % np.maximum(size - 1, 1)
    other: Array = first + (place - first + shift) % size
    return other
