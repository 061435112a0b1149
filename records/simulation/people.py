"""The customers as the company's own books show them: name, address, language, consents. All of it is invented."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache

from records.people import Customer
from records.simulation.company import moment_of
from records.simulation.draws import LIFELONG, Array, Draws
from records.simulation.lives import Lives
from records.simulation.places import CITIES, NAMES
from records.simulation.population import CONSENT_CHANNELS, Traits

TIMEZONE = "Asia/Kolkata"
_DOMAINS = ("dak.example.invalid", "patra.invalid", "sandesh.invalid", "mail.example.invalid")
_TURN, _SHIFT = 618_033, 204_817  # _TURN shares no factor with a million, so no two ids are alike
_PURPOSES = ("service", "promotional")


def customer_ids(index: Array) -> list[str]:
    """Ids such as "C-20 4817": no two alike, and not in the order of joining."""
    turned = (index % 1_000_000) * _TURN + _SHIFT
    return [
        f"C-{100 * (i // 1_000_000) + t // 10_000:02d} {t % 10_000:04d}"
        for i, t in zip(index.tolist(), (turned % 1_000_000).tolist(), strict=True)
    ]


def place_of(customer_id: str) -> int | None:
    """The place in the company of an id, or None if it cannot be one of ours."""
    match = re.fullmatch(r"C-(\d+) (\d{4})", customer_id)
    if match is None:
        return None
    number = int(match[1]) * 10_000 + int(match[2])
    return number // 1_000_000 * 1_000_000 + (number % 1_000_000 - _SHIFT) * pow(_TURN, -1, 1_000_000) % 1_000_000


@cache
def _names(region: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    first, last = NAMES[region]
    return tuple(first.split()), tuple(last.split())


def people_of(traits: Traits, seed: int) -> Iterator[Customer]:
    """The people of one block."""
    d = Draws(seed, traits.index)
    d.on(LIFELONG)
    first, last, number = d.u("first name"), d.u("last name"), d.whole("phone", 0, 99_999_999)
    has_email = d.u("has email") < 0.96
    for k, customer_id in enumerate(customer_ids(traits.index)):
        city, state, region, _ = CITIES[traits.city[k]]
        firsts, lasts = _names("muslim" if traits.muslim[k] else region)
        given, family = firsts[int(first[k] * len(firsts))], lasts[int(last[k] * len(lasts))]
        mailbox = f"{given}.{family}.{customer_id[2:].replace(' ', '')}".lower()
        yield Customer(
            customer_id=customer_id,
            name=f"{given} {family}",
            email=f"{mailbox}@{_DOMAINS[int(number[k]) % len(_DOMAINS)]}" if has_email[k] else None,
            phone=f"+9100{number[k]:08d}",  # no Indian number begins with 00
            language="hi" if traits.language[k] else "en",
            city=city,
            timezone=TIMEZONE,
            attributes={"state": state},
        )


def consents_of(traits: Traits, lives: Lives) -> Iterator[dict[str, object]]:
    """Every consent ever given or refused in one block, and those taken back since."""
    for k, customer_id in enumerate(customer_ids(traits.index)):
        given_at = moment_of(int(traits.joins[k])) + timedelta(hours=6)
        for c, channel in enumerate(CONSENT_CHANNELS):
            for p, purpose in enumerate(_PURPOSES):
                granted = bool(traits.consents[k, c, p])
                yield _consent(customer_id, channel, purpose, granted, given_at, "sign-up form")
                if p == 1 and granted and lives.stopped_us[k]:
                    stopped = moment_of(0) + timedelta(microseconds=int(lives.stopped_us[k]))
                    yield _consent(customer_id, channel, purpose, False, stopped, "unsubscribed")


def _consent(
    customer_id: str, channel: str, purpose: str, granted: bool, at: datetime, source: str
) -> dict[str, object]:
    return {
        "customer_id": customer_id,
        "channel": channel,
        "purpose": purpose,
        "granted": granted,
        "at": at,
        "source": source,
    }


def promotional_left(traits: Traits, lives: Lives) -> Array:
    """(n, channel, purpose): what may be used today?"""
    may: Array = traits.consents.copy()
    may[:, :, 1] &= (lives.stopped_us == 0)[:, None]
    return may
