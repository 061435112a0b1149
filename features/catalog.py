"""Which signals are there? The ordered list: a column of the signal table for each entry, in this order."""

from __future__ import annotations

from features import (
    deliveries,
    engagement,
    generic,
    lifetime,
    messaging,
    payments,
    products,
    purchases,
    support,
    text,
    visits,
)
from features.signal import Measure, Signal
from features.vocabulary import Vocabulary

__all__ = ["Signal", "catalog", "describe", "measures"]

_FAMILIES = (engagement, visits, purchases, products, lifetime, payments, deliveries, support, text, messaging)


def catalog(vocabulary: Vocabulary | None = None) -> tuple[Signal, ...]:
    """Which signals can be built? With a vocabulary also those of the topics, channels and other events it names."""
    fixed = tuple(signal for family in _FAMILIES for signal in family.signals())
    return fixed if vocabulary is None else fixed + generic.signals(vocabulary)


def measures(vocabulary: Vocabulary | None = None) -> tuple[Measure, ...]:
    """What do these signals count?"""
    fixed = tuple(measure for family in _FAMILIES for measure in family.MEASURES)
    return fixed if vocabulary is None else fixed + generic.measures(vocabulary)


def describe(vocabulary: Vocabulary | None = None) -> list[dict[str, str]]:
    """What does `pehle features list` show of every signal?"""
    return [
        {"name": s.name, "question": s.question, "unit": s.unit, "family": s.family, "no_data": s.no_data}
        for s in catalog(vocabulary)
    ]
