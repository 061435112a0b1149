"""Why this score? A signal's value as a fact that a marketer reads, in English and in spoken Hindi.

A reason states what happened, never what we conclude from it, and never a signal's name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal

from features import generic
from features.catalog import catalog
from features.signal import Row, Signal

Language = Literal["en", "hi"]
LONGEST = 60
"""A sentence is never longer; most stay below 50 characters."""

SIGNS = {"INR": "₹", "USD": "$", "EUR": "€", "GBP": "£"}


def sentence(
    signal: str, value: float | None, row: Mapping[str, float | None], language: Language, currency: str = "INR"
) -> str | None:
    """What does this value say? Nothing if the signal is none that can be said, or the value says nothing.

    `row` holds the customer's other signals: "usually every 12" is one of them.

    >>> sentence("days_since_last_order", 41.3, {"median_days_between_orders": 12.0}, "en")
    'No order for 41 days; usually every 12'
    """
    both = _said(signal, value, row)
    if both is None:
        return None
    return _figures(both[0] if language == "en" else both[1], currency)


def top_reasons(
    names: Sequence[str],
    values: Sequence[float | None],
    contributions: Sequence[float],
    *,
    limit: int = 3,
    currency: str = "INR",
) -> list[dict[str, Any]]:
    """What pushed this score most? At most `limit` facts, strongest first, no two of them about the same thing.

    Signals of one group are added up and spoken for by one of them. `push` is the group's contribution, positive if it
    raises the risk; `share` is its part of all the pushing there was, whatever the direction.
    """
    row = {name: _known(value) for name, value in zip(names, values, strict=True)}
    pushes = dict(zip(names, contributions, strict=True))
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(group_of(name), []).append(name)
    total = sum(abs(sum(pushes[name] for name in members)) for members in groups.values())
    found: list[dict[str, Any]] = []
    for members in groups.values():
        push = float(sum(pushes[name] for name in members))
        if push == 0:
            continue
        # Who speaks for the group: who pushed with it, the strongest first; equal ones in the order of the catalog.
        for name in sorted(members, key=lambda name: -pushes[name] * math.copysign(1.0, push)):
            both = _said(name, row[name], row)
            if both:
                found.append(
                    {
                        "signal": name,
                        "value": row[name],
                        "push": push,
                        "share": abs(push) / total,
                        "en": _figures(both[0], currency),
                        "hi": _figures(both[1], currency),
                    }
                )
                break
    found.sort(key=lambda reason: -abs(reason["push"]))
    different: list[dict[str, Any]] = []
    for reason in found:
        if reason["en"] not in {other["en"] for other in different}:
            different.append(reason)
    return different[:limit]


def group_of(name: str) -> str:
    """Which story does this signal tell? Signals of one group never give two reasons."""
    signal = _catalog().get(name)
    return (signal.group if signal else generic.group_of(name)) or name


def sayable(name: str) -> bool:
    """Can this signal become a reason by itself?"""
    signal = _catalog().get(name)
    return (signal.say if signal else generic.saying(name)) is not None


@cache
def _catalog() -> dict[str, Signal]:
    return {signal.name: signal for signal in catalog()}


def _known(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _said(name: str, value: float | None, row: Row) -> tuple[str, str] | None:
    known = _known(value)
    signal = _catalog().get(name)
    say = signal.say if signal else generic.saying(name)
    if say is None or known is None:
        return None
    both = say(known, {key: _known(other) for key, other in row.items()})
    return both if both and max(map(len, both)) <= LONGEST else None


def _figures(phrase: str, currency: str) -> str:
    """The phrase with the currency's sign and its country's grouping: 1842055 is 18,42,055 in India."""
    from babel.numbers import format_decimal

    locale = "en_IN" if currency == "INR" else "en_US"
    phrase = re.sub(r"\d{4,}", lambda digits: format_decimal(int(digits[0]), locale=locale), phrase)
    return phrase.replace("¤", SIGNS.get(currency, f"{currency} "))
