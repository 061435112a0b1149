"""Which one message, if any, does each person get? Pure: facts in, decisions out, nothing read and nothing written.

Each person's plays are tried by priority; the first that nothing speaks against is chosen. If something speaks against
all of them, the person is left out for the reason that stopped the most urgent one. Money is counted for everybody
chosen *before* looking at who is in the comparison group: both arms must have passed exactly the same sieve.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from records.errors import WordsError
from records.people import DO_NOT_CONTACT, NO_CONSENT, Customer
from records.scores import Score
from serving.plays import Play
from serving.standing import Standing
from serving.timing import URGENT_REVIEW, send_time, zone
from serving.triggers import Fit

URGENT_PRIORITY = 90  # plays this urgent do not wait for the list's deadline: they help only while fresh
TREATED, HOLDOUT = "treated", "holdout"

# Fills the words of (play, fit, channel, language, customer): the variables and what one message costs; or WordsError.
Words = Callable[[Play, Fit, str, str, Customer], tuple[dict[str, str], int]]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the settings and the moment say."""

    now: datetime
    decide_by: datetime
    quiet: tuple[time, time]  # from, until, by the customer's clock
    timezone: str  # the company's
    language: str  # the company's
    offers_days: int  # nobody gets two offers within so many days
    budget_left_minor: int
    salt: str
    channels: tuple[str, ...]  # those this home can write on


@dataclass(frozen=True, kw_only=True)
class Person:
    """Everything known about one person whom a play fits."""

    customer: Customer | None  # None: in the events only
    may: Callable[[str, str], tuple[bool, str]]  # (channel, purpose) → allowed, or why not
    standing: Standing = field(default_factory=Standing)
    score: Score | None = None
    pending: bool = False  # on a list that has not gone out
    keys: frozenset[tuple[str, str]] = frozenset()  # (play, trigger key) planned before
    plays: Mapping[str, datetime] = field(default_factory=dict)  # play → when last planned for this person, either arm
    last_message_at: datetime | None = None
    last_offer_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The one message for one person."""

    customer: Customer
    play: Play
    fit: Fit
    score: Score | None
    person: Person
    channel: str
    language: str
    address: str
    variables: dict[str, str]
    cost_minor: int
    send_at: datetime
    expires_at: datetime
    arm: str
    propensity: float


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Nobody writes to this person, although a play fitted."""

    customer_id: str
    play: str
    reason: str  # a key of serving.left_out.REASONS
    detail: str | None = None


Candidate = tuple[Play, Fit]


def decide(
    candidates: Mapping[str, Sequence[Candidate]],
    people: Mapping[str, Person],
    arms: Mapping[tuple[str, str], str],
    options: Options,
    words: Words,
) -> tuple[list[Chosen], list[LeftOut]]:
    """One decision for each person; `arms` holds the arms drawn earlier, by (customer_id, play)."""
    chosen: list[Chosen] = []
    left_out: list[LeftOut] = []
    for customer_id in sorted(candidates):
        first_reason: LeftOut | None = None
        for play, fit in sorted(candidates[customer_id], key=_urgency):
            found = consider(play, fit, people[customer_id], arms, options, words)
            if isinstance(found, Chosen):
                chosen.append(found)
                break
            first_reason = first_reason or found
        else:
            if first_reason is not None:
                left_out.append(first_reason)
    kept, too_dear = within_budget(chosen, options.budget_left_minor)
    return kept, left_out + too_dear


def consider(
    play: Play,
    fit: Fit,
    person: Person,
    arms: Mapping[tuple[str, str], str],
    options: Options,
    words: Words,
) -> Chosen | LeftOut:
    """This play for this person: the message, or why not."""
    customer = person.customer
    if customer is None:
        return LeftOut(customer_id=fit.customer_id, play=play.name, reason="unknown_person")
    if (why := _guard(play, fit, person, options)) is not None:
        return LeftOut(customer_id=customer.customer_id, play=play.name, reason=why[0], detail=why[1])
    channel = choose_channel(play, customer, person.may, options.channels)
    if channel not in ("email", "whatsapp", "sms"):
        return LeftOut(customer_id=customer.customer_id, play=play.name, reason=channel)
    send_at = _when(play, fit, customer, options)
    expires_at = options.now + timedelta(hours=play.expires_hours)
    if send_at is None or send_at >= expires_at:
        return LeftOut(customer_id=customer.customer_id, play=play.name, reason="too_late")
    language = customer.language if customer.language in ("en", "hi") else options.language
    try:
        variables, cost = words(play, fit, channel, language, customer)
    except WordsError as error:
        return LeftOut(customer_id=customer.customer_id, play=play.name, reason="no_words", detail=error.message)
    return Chosen(
        customer=customer,
        play=play,
        fit=fit,
        score=person.score,
        person=person,
        channel=channel,
        language=language,
        address=address_of(customer, channel),
        variables=variables,
        cost_minor=cost,
        send_at=send_at,
        expires_at=expires_at,
        arm=arms.get((customer.customer_id, play.name)) or draw_arm(customer.customer_id, play, options.salt),
        propensity=1.0 - play.comparison,
    )


def within_budget(chosen: Sequence[Chosen], budget_minor: int) -> tuple[list[Chosen], list[LeftOut]]:
    """Those the budget reaches, in the order: urgent first, then most value for the money."""
    kept: list[Chosen] = []
    left_out: list[LeftOut] = []
    rest = budget_minor
    for one in sorted(chosen, key=lambda one: (-one.play.priority, -_return(one), one.customer.customer_id)):
        if one.cost_minor <= rest:
            rest -= one.cost_minor
            kept.append(one)
        else:
            left_out.append(LeftOut(customer_id=one.customer.customer_id, play=one.play.name, reason="over_budget"))
    return sorted(kept, key=lambda one: one.customer.customer_id), left_out


def draw_arm(customer_id: str, play: Play, salt: str) -> str:
    """Treated or holdout, by a salted hash of person and play: nobody can choose it, and it repeats."""
    drawn = int(hashlib.sha256(f"{salt}\n{play.name}\n{customer_id}".encode()).hexdigest()[:16], 16) / 2**64
    return HOLDOUT if drawn < play.comparison else TREATED


def choose_channel(
    play: Play, customer: Customer, may: Callable[[str, str], tuple[bool, str]], open_channels: Iterable[str]
) -> str:
    """The customer's preferred channel if the play has it, else the play's first that is allowed; or a reason."""
    preferred = str(customer.attributes.get("preferred_channel", ""))
    ways = sorted((name for name in play.channels if name in open_channels), key=lambda name: name != preferred)
    answers = [(name, *may(name, play.purpose)) for name in ways]
    allowed = [name for name, yes, _ in answers if yes]
    for name in allowed:
        if address_of(customer, name):
            return name
    if allowed:
        return "no_address"
    if any(why == NO_CONSENT for _, _, why in answers) or not answers:
        return "no_consent"
    return DO_NOT_CONTACT


def address_of(customer: Customer, channel: str) -> str:
    """Where a message on this channel goes; empty: nowhere."""
    return (customer.email if channel == "email" else customer.phone) or ""


def _guard(play: Play, fit: Fit, person: Person, options: Options) -> tuple[str, str | None] | None:
    standing, now = person.standing, options.now
    if standing.left_at is not None:
        return "left", None
    if standing.escalated_at is not None and not play.even_if_escalated:
        return "just_escalated", None
    if standing.open_ticket_since is not None and not play.even_with_open_ticket:
        return "open_complaint", f"since {standing.open_ticket_since:%Y-%m-%d}"
    if person.pending or (play.name, fit.key) in person.keys:
        return "already_planned", None
    last = person.plays.get(play.name)
    if last is not None and last > now - timedelta(days=play.repeat_days):
        return "heard_from_us", f"this message on {last:%Y-%m-%d}; again after {play.repeat_days} days"
    wrote = person.last_message_at
    if wrote is not None and wrote > now - timedelta(days=play.cool_down_days):
        return "heard_from_us", f"on {wrote:%Y-%m-%d}; limit {play.cool_down_days} days"
    offered = person.last_offer_at
    if play.purpose == "promotional" and offered is not None and offered > now - timedelta(days=options.offers_days):
        return "heard_from_us", f"an offer on {offered:%Y-%m-%d}; limit {options.offers_days} days"
    # The last question of all: these are the people who would have been written to, were the model surer.
    return ("not_sure", fit.unsure) if fit.unsure else None


def _when(play: Play, fit: Fit, customer: Customer, options: Options) -> datetime | None:
    urgent = play.priority >= URGENT_PRIORITY
    return send_time(
        options.now + URGENT_REVIEW if urgent else options.decide_by,
        play.send_between,
        options.quiet,
        zone(customer.timezone, options.timezone),
        f"{play.name}\n{customer.customer_id}\n{fit.key}",
        at_once=urgent,
    )


def _urgency(candidate: Candidate) -> tuple[int, int, str, str]:
    play, fit = candidate
    return -play.priority, -play.value, play.name, fit.key


def _return(one: Chosen) -> float:
    return one.play.value / one.cost_minor if one.cost_minor else float("inf")
