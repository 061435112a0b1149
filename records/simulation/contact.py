"""What a message does to the person who gets it. The same for Saral's own past campaigns and for what Pehle sends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from records.simulation.billing import switch
from records.simulation.company import BILLING, DAY_US, FIRST_FIBER, NETWORK, PAYMENT, ROUTER_SETUP
from records.simulation.draws import Array
from records.simulation.lives import NEVER
from records.simulation.mood import move
from records.simulation.notebook import EMAIL, PUSH, SMS, WHATSAPP
from records.simulation.population import HELPED_BY_OFFER, HELPED_BY_TUTORIAL, SLEEPING_DOG
from records.simulation.texts import plain_texts
from records.simulation.today import HOUR, SECOND, Today

PLAYS = (
    "router_setup", "bill_explained", "payment_help", "delivery_sorry", "better_plan", "really_fixed",
    "back_in_stock", "outage_update",
)  # fmt: skip
PROMOTIONAL = ("better_plan", "back_in_stock")
_READ_SHARE = {EMAIL: 0.62, WHATSAPP: 1.15, SMS: 0.85, PUSH: 0.6}  # times the person's own chance to read
_MACHINE_SHARE = 0.13  # of e-mails a scanner opens before the person can


@dataclass(frozen=True, kw_only=True)
class Contact:
    """One message that left Pehle for a customer of Saral."""

    outreach_id: str
    customer_id: str
    play: str
    channel: str  # email, whatsapp, sms
    language: str  # "en" or "hi"
    sent_at: datetime
    topic: str | None = None
    coupon: bool = False


@dataclass(frozen=True)
class Mail:
    """Messages of one play to one block, as arrays."""

    play: str
    who: Array  # places in the block, each at most once
    at: Array  # microseconds since 1970
    channel: Array
    hindi: Array
    coupon: Array
    outreach_ids: Sequence[str]


def react(today: Today, mail: Mail, *, note_sending: bool) -> None:
    """Deliver, perhaps be read, perhaps be answered, and act. `note_sending`: the sender itself writes no event."""
    traits, d, play = today.traits, today.draws, mail.play
    who = mail.who
    if note_sending:
        _note(today, "message_sent", mail, mail.at, np.ones(len(who), dtype=bool))
    arrives = d.u(f"arrives {play}", who) < np.where(mail.channel == EMAIL, 0.975, 0.99)
    _note(today, "message_delivered", mail, mail.at + 20 * SECOND, arrives)
    machine = arrives & (mail.channel == EMAIL) & (d.u(f"scanner {play}", who) < _MACHINE_SHARE)
    _note(today, "message_opened", mail, mail.at + 45 * SECOND, machine, machine=True)
    factor = np.select([mail.channel == c for c in _READ_SHARE], list(_READ_SHARE.values()), 0.5)
    foreign = (traits.language[who] == 1) & ~mail.hindi
    reads = arrives & (d.u(f"reads {play}", who) < traits.reads[who] * factor * np.where(foreign, 0.75, 1.0))
    pause = np.floor(5400 * -np.log(d.u(f"pause {play}", who))).astype(np.int64) * SECOND
    evening = today.midnight + 18 * HOUR  # nobody reads after half past eleven at night in India
    at = np.maximum(np.minimum(mail.at + 60 * SECOND + pause, evening), mail.at + 60 * SECOND)
    _note(today, "message_opened", mail, at, reads & (mail.channel != SMS))
    clicks = reads & (d.u(f"clicks {play}", who) < 0.10 + 0.25 * _helped(today, mail))
    _note(today, "message_clicked", mail, at + 40 * SECOND, clicks)
    _answer(today, mail, at + 90 * SECOND, reads)
    today.lives.contacts[who] += 1
    _act(today, mail, reads)


def _note(today: Today, name: str, mail: Mail, at: Array, part: Array, *, machine: bool = False) -> None:
    some = np.flatnonzero(part)
    today.notes.write(
        name, mail.who[some], np.minimum(at[some], today.midnight + DAY_US - SECOND), channel=mail.channel[some],
        machine=np.full(len(some), machine),
        outreach_id=[mail.outreach_ids[k] for k in some.tolist()], play=[mail.play] * len(some),
    )  # fmt: skip


def _helped(today: Today, mail: Mail) -> Array:
    """Whom does this play speak to?"""
    response = today.traits.response[mail.who]
    offer = mail.coupon | (mail.play in PROMOTIONAL)
    helped: Array = response == np.where(offer, HELPED_BY_OFFER, HELPED_BY_TUTORIAL)
    return helped


def _answer(today: Today, mail: Mail, at: Array, reads: Array) -> None:
    """Some write back, some ask not to be written to again."""
    lives, traits, d, who = today.lives, today.traits, today.draws, mail.who
    dog = traits.response[who] == SLEEPING_DOG
    tired = 0.008 + 0.05 * dog + 0.006 * lives.contacts[who]
    u = d.u(f"answers {mail.play}", who)
    by_word = reads & (mail.channel != EMAIL) & (u < tired)
    by_link = reads & (mail.channel == EMAIL) & (u < tired)
    talks = reads & ~by_word & ~by_link & (u > 1 - np.where(mail.channel == WHATSAPP, 0.06, 0.02))
    last = today.midnight + DAY_US - SECOND
    for kind, part in (("STOPS", by_word), ("REPLIES", talks)):
        some = np.flatnonzero(part)
        words = plain_texts(kind, traits.style[who[some]], d.u(f"reply {mail.play}", who[some]))
        today.notes.write(
            "message_replied", who[some], np.minimum(at[some], last), channel=mail.channel[some], text=words,
            machine=np.zeros(len(some), dtype=bool), play=[mail.play] * len(some),
            outreach_id=[mail.outreach_ids[k] for k in some.tolist()],
        )  # fmt: skip
    _note(today, "message_unsubscribed", mail, at + 30 * SECOND, by_link | by_word)
    stops = by_link | by_word
    lives.stopped_us[who[stops]] = (at + 30 * SECOND)[stops]


def _act(today: Today, mail: Mail, reads: Array) -> None:
    """What those who read do and feel. Sleeping dogs are woken by any offer, a little by anything."""
    lives, traits, who = today.lives, today.traits, mail.who
    response = traits.response[who]
    read = who[reads]
    dogs = who[reads & (response == SLEEPING_DOG)]
    tutored = who[reads & (response == HELPED_BY_TUTORIAL)]
    offered = who[reads & (response == HELPED_BY_OFFER)]
    lives.look[dogs] = np.minimum(lives.look[dogs] + (0.8 if mail.play in PROMOTIONAL else 0.1), 2.3)
    move(lives, read, -0.02 * np.maximum(lives.contacts[read] - 2, 0))
    _EFFECTS[mail.play](today, read, tutored, offered, who[reads & mail.coupon])


def _router_setup(today: Today, read: Array, tutored: Array, offered: Array, coupon: Array) -> None:
    """The guide clears up most set-ups of those who like guides, and some of the others'."""
    lives = today.lives
    chance = np.full(len(today.traits), 0.75)
    chance[tutored] = 0.97
    pending = read[(lives.fault_day[read] >= today.day) & (lives.fault_topic[read] == ROUTER_SETUP)]
    saved = pending[today.draws.u("guide helps", pending) < chance[pending]]
    lives.fault_day[saved] = NEVER
    lives.trouble[tutored, ROUTER_SETUP] *= 0.5
    move(lives, saved, 0.12)


def _bill_explained(today: Today, read: Array, tutored: Array, offered: Array, coupon: Array) -> None:
    today.lives.trouble[tutored, BILLING] *= 0.7
    move(today.lives, tutored, 0.08)


def _payment_help(today: Today, read: Array, tutored: Array, offered: Array, coupon: Array) -> None:
    lives, d = today.lives, today.draws
    ready = read[lives.pay_day[read] > today.day]
    chance = np.full(len(today.traits), 0.35)
    chance[tutored] = 0.75
    pays = ready[d.u("pays after help", ready) < chance[ready]]
    lives.pay_day[pays] = today.day
    lives.card_bad[pays] = 0
    lives.trouble[tutored, PAYMENT] *= 0.5


def _delivery_sorry(today: Today, read: Array, tutored: Array, offered: Array, coupon: Array) -> None:
    move(today.lives, read, 0.10)
    today.lives.coupon_until[coupon] = today.day + 60
    move(today.lives, np.intersect1d(offered, coupon), 0.05)


def _better_plan(today: Today, read: Array, tutored: Array, offered: Array, coupon: Array) -> None:
    """Those whom an offer helps calm down; the rest are a little pleased; sleeping dogs look around (`_act`)."""
    lives, d = today.lives, today.draws
    move(lives, read, 0.08)
    lives.look[offered] *= 0.05
    lives.pain[offered] *= 0.4
    move(lives, offered, 0.9)
    can = offered[(lives.plan[offered] != 0) & (lives.plan[offered] != FIRST_FIBER)]
    takes = can[d.u("takes plan", can) < 0.4]
    switch(today, takes, lives.plan[takes] - 1, today.waking("takes plan", takes))


def _really_fixed(today: Today, read: Array, tutored: Array, offered: Array, coupon: Array) -> None:
    today.lives.trouble[read, NETWORK] *= 0.65
    today.lives.trouble[tutored, NETWORK] *= 0.4
    move(today.lives, read, 0.2)


def _back_in_stock(today: Today, read: Array, tutored: Array, offered: Array, coupon: Array) -> None:
    """A reminder: the wish is looked at again for another week."""
    today.lives.restock_day[read] = np.where(today.lives.wish[read] >= 0, today.day, today.lives.restock_day[read])


def _outage_update(today: Today, read: Array, tutored: Array, offered: Array, coupon: Array) -> None:
    today.lives.trouble[read, NETWORK] *= 0.55
    move(today.lives, read, 0.12)


_EFFECTS = {
    "router_setup": _router_setup, "bill_explained": _bill_explained, "payment_help": _payment_help,
    "delivery_sorry": _delivery_sorry, "better_plan": _better_plan, "really_fixed": _really_fixed,
    "back_in_stock": _back_in_stock, "outage_update": _outage_update,
}  # fmt: skip
