"""Clock: at which hours and on which weekdays do they come, in the company's time zone, and does that change?"""

from __future__ import annotations

from functools import partial
from typing import Any

from features.signal import Columns, Measure, Signal, per, ratio

FIELD = 31
"""Counts are summed two at a time, 31 bits each, in one whole number: exact up to `MOST_EVENTS` of a customer."""

MOST_EVENTS = (1 << FIELD) - 1


def _packed(first: Any, second: Any) -> Any:
    """Which of two does an event count for? One number with a one in its field."""
    return first.cast("int64") + second.cast("int64") * (1 << FIELD)


MEASURES: tuple[Measure, ...] = (
    Measure(name="weekend_events", events=(), where=lambda t: t.weekday >= 5),
    Measure(name="night_events", events=(), where=lambda t: (t.hour >= 22) | (t.hour < 6)),
    Measure(
        name="light_hours",
        events=(),
        amount=lambda t: _packed((t.hour >= 6) & (t.hour < 12), (t.hour >= 12) & (t.hour < 17)),
    ),
    Measure(name="evening_events", events=(), where=lambda t: (t.hour >= 17) & (t.hour < 22)),
    Measure(name="early_week", events=(), amount=lambda t: _packed(t.weekday == 0, t.weekday == 1)),
    Measure(name="middle_week", events=(), amount=lambda t: _packed(t.weekday == 2, t.weekday == 3)),
    Measure(name="late_week", events=(), amount=lambda t: _packed(t.weekday == 4, t.weekday == 5)),
)

_clock = partial(Signal, family="clock", unit="share", no_data="null: not active", group="activity_clock")
DAYPARTS = "night (22 to 6 o'clock), morning (to 12), afternoon (to 17) and evening"


def signals() -> tuple[Signal, ...]:
    """Which signals describe their hours and weekdays?"""
    return (
        _clock(
            name="weekend_share_180d",
            question="What share of 180 days' activity was on a Saturday or Sunday (company time)?",
            value=per("weekend_events_180", "events_180"),
        ),
        _clock(
            name="night_share_180d",
            question="What share of 180 days' activity was from 22 to 6 o'clock (company time)?",
            value=per("night_events_180", "events_180"),
        ),
        _clock(
            name="weekend_share_shift",
            question="How has the weekend's share moved in 30 days against 180?",
            value=lambda t: ratio(t.weekend_events_30, t.events_30) - ratio(t.weekend_events_180, t.events_180),
        ),
        _clock(
            name="night_share_shift",
            question="How has the night's share moved in 30 days against 180?",
            value=lambda t: ratio(t.night_events_30, t.events_30) - ratio(t.night_events_180, t.events_180),
        ),
        _clock(
            name="daypart_entropy_180d",
            question=f"How evenly does 180 days' activity spread over {DAYPARTS}?",
            unit="nats",
            value=lambda t: _entropy(_of_dayparts(t, 180)),
        ),
        _clock(
            name="daypart_shift",
            question=f"What share of 30 days' activity lies in other parts of the day than in 180 days: {DAYPARTS}?",
            value=lambda t: _moved(_of_dayparts(t, 30), _of_dayparts(t, 180)),
        ),
        _clock(
            name="weekday_entropy_180d",
            question="How evenly does 180 days' activity spread over the weekdays?",
            unit="nats",
            value=lambda t: _entropy(_of_weekdays(t, 180)),
        ),
        _clock(
            name="weekday_shift",
            question="What share of 30 days' activity lies on other weekdays than in 180 days?",
            value=lambda t: _moved(_of_weekdays(t, 30), _of_weekdays(t, 180)),
        ),
    )


def _fields(packed: Any) -> list[Any]:
    whole = packed.cast("int64")
    return [(whole >> FIELD * place) & MOST_EVENTS for place in range(2)]


def _of_dayparts(t: Columns, window: int) -> list[Any]:
    """Counts of night, morning, afternoon and evening, then their sum."""
    night, evening = (getattr(t, f"{part}_events_{window}") for part in ("night", "evening"))
    return [night, *_fields(getattr(t, f"light_hours_{window}")), evening, getattr(t, f"events_{window}")]


def _of_weekdays(t: Columns, window: int) -> list[Any]:
    """Counts from Monday to Sunday, then their sum."""
    parts = ("early_week", "middle_week", "late_week")
    days = [day for part in parts for day in _fields(getattr(t, f"{part}_{window}"))]
    every = getattr(t, f"events_{window}")
    return [*days, every - sum(days), every]


def _entropy(counts: list[Any]) -> Any:
    """-Σ p ln p over shares p."""
    *parts, every = (one.cast("float64") for one in counts)
    total = every.nullif(0.0)
    summed = sum((part * part.nullif(0.0).ln()).fill_null(0.0) for part in parts)
    return (total.ln() - summed / total).clip(0.0, None)


def _moved(now: list[Any], usual: list[Any]) -> Any:
    """Half the sum of |share now - usual share|: what must move for one to become the other."""
    pairs = zip(now[:-1], usual[:-1], strict=True)
    return sum((ratio(one, now[-1]) - ratio(other, usual[-1])).abs() for one, other in pairs) / 2.0
