"""Which signals are there? The ordered list: a column of the signal table for each entry, in this order."""

from __future__ import annotations

from features import (
    buying,
    clock,
    deliveries,
    engagement,
    generic,
    lifetime,
    messaging,
    own,
    pastlabels,
    payments,
    peers,
    products,
    properties,
    property_numbers,
    property_words,
    purchases,
    season,
    support,
    text,
    tickets,
    trouble,
    visits,
)
from features.derived import Derived
from features.fitted import Fitted
from features.signal import Measure, Signal
from features.step import Step

__all__ = ["Signal", "catalog", "derived", "describe", "measures", "steps"]

_FAMILIES = (
    engagement,
    clock,
    visits,
    purchases,
    buying,
    products,
    lifetime,
    payments,
    deliveries,
    support,
    text,
    messaging,
    peers,
    season,
)

_WITH_STEPS = (tickets, trouble)


def catalog(fitted: Fitted | None = None) -> tuple[Signal, ...]:
    """Which signals can be built? With what is fitted on a log also those of its topics, channels and other events."""
    fixed = tuple(signal for family in _FAMILIES for signal in family.signals())
    fixed += pastlabels.signals(fitted or Fitted())
    fixed += lifetime.horizon_signals((fitted or Fitted()).horizon_days)
    if fitted is None:
        return fixed
    found = properties.signals(fitted.numbers, fitted.texts)
    return fixed + generic.signals(fitted.words) + found + own.signals(fitted.own)


def measures(fitted: Fitted | None = None) -> tuple[Measure, ...]:
    """What do these signals count?"""
    fixed = tuple(measure for family in _FAMILIES for measure in family.MEASURES)
    fixed += pastlabels.measures(fitted or Fitted())
    if fitted is None:
        return fixed
    unknown = fitted.words.events
    fixed += generic.measures(fitted.words) + property_numbers.measures(len(fitted.numbers), unknown)
    return fixed + property_words.measures(tuple(one.words for one in fitted.texts), unknown)


def derived(fitted: Fitted) -> tuple[Derived, ...]:
    """Which facts are made of other facts?"""
    return (buying.derived(fitted.purchases, fitted.horizon_days), peers.derived(fitted.peers))


def steps(fitted: Fitted) -> tuple[Step, ...]:
    """Which facts are made of rows, not of sums by day?"""
    fixed = tuple(step for module in _WITH_STEPS for step in module.STEPS)
    return fixed + property_words.steps(len(fitted.texts), fitted.words.events)


def describe(fitted: Fitted | None = None) -> list[dict[str, str]]:
    """What does `pehle features list` show of every signal?"""
    return [
        {"name": s.name, "question": s.question, "unit": s.unit, "family": s.family, "no_data": s.no_data}
        for s in catalog(fitted)
    ]
