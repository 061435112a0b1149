"""Engagement: how often, how lately and how evenly does the customer come?"""

from __future__ import annotations

from functools import partial

from features.ownclock import own_clock
from features.phrases import active_days, days_compared, in_window, plain, since
from features.signal import Measure, Signal, change, column, days_since, decayed, per, per_30_days, week
from features.things import ACTIVITY

MEASURES: tuple[Measure, ...] = (
    Measure(name="events", events=()),
    Measure(name="active_days", events=(), day_of="events"),
)

_signal = partial(Signal, family="engagement")
_level = partial(_signal, unit="days", no_data="0", group="activity_level")


def signals() -> tuple[Signal, ...]:
    """Which signals describe engagement?"""
    rhythm = own_clock(prefix="activity", clock="active", measure="events", family="engagement", thing=ACTIVITY)
    return (*_recency(), *_counts(), *_trends(), *rhythm)


def _recency() -> list[Signal]:
    return [
        _signal(
            name="days_since_last_activity",
            question="How long ago did they last do anything?",
            unit="days",
            no_data="null: never active",
            group="activity_recency",
            value=days_since("events_last"),
            say=since(ACTIVITY, "median_days_between_activity"),
        ),
        _signal(
            name="days_known",
            question="How long have we known them?",
            unit="days",
            no_data="never null",
            group="tenure",
            value=days_since("known_us"),
            say=plain("With us for {d} days", "हमसे जुड़े {d} दिन हुए"),
        ),
        _signal(
            name="mean_age_of_active_days",
            question="How long ago, on average, were their active days?",
            unit="days",
            no_data="null: never active",
            group="activity_level",
            value=per("active_days_age", "active_days_all"),
        ),
    ]


def _counts() -> list[Signal]:
    return [
        *(
            _level(
                name=f"active_days_{window}d",
                question=f"On how many of the last {window} days were they active?",
                value=column(f"active_days_{window}"),
                say=active_days(window),
            )
            for window in (7, 14, 30, 60, 90, 180, 365)
        ),
        _level(
            name="active_days_ever",
            question="On how many days have they ever been active?",
            value=column("active_days_all"),
            say=plain(
                "Active on {n} days so far", "अब तक {n} दिन आए", ("Never active so far", "अब तक एक बार भी नहीं आए")
            ),
        ),
        *(
            _level(
                name=f"active_days_decayed_{half_life}d",
                value=decayed("active_days", half_life),
                question=f"How many active days, each counting half for every {half_life} days of age?",
            )
            for half_life in (30, 90, 180)
        ),
        _level(
            name="active_days_per_30d_of_tenure",
            unit="days per 30 days",
            question="How many active days per 30 days that we have known them, over the last 90?",
            value=per_30_days("active_days_90"),
        ),
        *(
            _level(
                name=f"active_days_week_{number}",
                question=f"On how many days of the {ordinal} week before the cutoff were they active?",
                value=week("active_days", number),
            )
            for number, ordinal in ((2, "second"), (3, "third"), (4, "fourth"))
        ),
        *(
            _level(
                name=f"activities_{window}d",
                question=f"How many things did they do in the last {window} days?",
                unit="events",
                value=column(f"events_{window}"),
                say=in_window(ACTIVITY, window),
            )
            for window in (30, 90)
        ),
        _signal(
            name="activities_per_active_day_90d",
            question="How many things did they do on an active day, over 90 days?",
            unit="events",
            no_data="null: not active",
            group="activity_depth",
            value=per("events_90", "active_days_90"),
        ),
    ]


def _trends() -> list[Signal]:
    trend = partial(_signal, group="activity_trend")
    return [
        *(
            trend(
                name=f"active_days_change_{window}d",
                unit="days",
                no_data="0",
                value=change("active_days", window),
                question=f"How many more active days in the last {window} days than in the {window} before?",
                say=days_compared(window, f"active_days_{window}d"),
            )
            for window in (7, 14, 30, 90)
        ),
        trend(
            name="active_days_change_half_year",
            unit="days",
            no_data="0",
            value=change("active_days", 182),
            question="How many more active days in the last 182 days than in the 182 before?",
        ),
        *(
            trend(
                name=f"activity_{short}_to_{long}",
                unit="ratio",
                no_data="null: never active",
                question=f"How does activity of half-life {short} days compare with that of half-life {long}?",
                value=per(f"active_days_decay_{short}", f"active_days_decay_{long}"),
            )
            for short, long in ((7, 30), (30, 90), (30, 180))
        ),
        trend(
            name="weekly_slope_of_active_days",
            unit="days per week",
            no_data="0",
            question="By how much do active days grow or shrink from week to week, over four weeks?",
            # Least squares over the four weeks: their centred positions are -3, -1, 1, 3, whose squares sum to 20.
            value=lambda t: (
                (
                    3 * t.active_days_7
                    + (t.active_days_14 - t.active_days_7)
                    - (t.active_days_21 - t.active_days_14)
                    - 3 * (t.active_days_28 - t.active_days_21)
                )
                / 10.0
            ),
        ),
    ]
