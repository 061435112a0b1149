"""Lifetime: how long have they had a contract, at what price, and what changed in it?"""

from __future__ import annotations

from functools import partial

from features.phrases import in_window, plain, price_change
from features.signal import Measure, Signal, column, days_since, ratio
from features.things import PLAN_CHANGE

PLAN = ("subscription_started", "plan_changed")
CANCELLED = ("subscription_cancelled",)

MEASURES: tuple[Measure, ...] = (
    Measure(name="starts", events=PLAN, where=lambda t: t.name == "subscription_started"),
    Measure(name="plan_changes", events=PLAN, where=lambda t: t.name == "plan_changed"),
    Measure(name="plan_price", events=PLAN, amount=lambda t: t.amount),
    Measure(name="cancellations", events=CANCELLED),
)

_plan = partial(Signal, family="lifetime", needs=PLAN, no_data="null: no subscription")


def signals() -> tuple[Signal, ...]:
    """Which signals describe the contract?"""
    return (
        _plan(
            name="days_since_subscription_started",
            question="How long ago did their subscription start?",
            unit="days",
            group="tenure",
            value=days_since("starts_last"),
            say=plain("Subscribed {d} days ago", "{d} दिन पहले सब्सक्रिप्शन लिया"),
        ),
        _plan(
            name="plan_price",
            question="What does their plan cost a month?",
            unit="currency",
            group="plan_price",
            value=column("plan_price_latest"),
            say=plain("Plan costs {m} a month", "प्लान {m} महीने का"),
        ),
        _plan(
            name="plan_price_change",
            question="How much dearer is the plan than their first?",
            unit="currency",
            group="plan_price",
            value=lambda t: t.plan_price_latest - t.plan_price_earliest,
            say=price_change(),
        ),
        _plan(
            name="plan_price_to_first",
            question="How does the plan's price compare with their first's?",
            unit="ratio",
            group="plan_price",
            value=lambda t: ratio(t.plan_price_latest, t.plan_price_earliest),
        ),
        *(
            _plan(
                name=f"plan_changes_{window}d",
                question=f"How often did they change the plan in {window} days?",
                unit="changes",
                no_data="0",
                group="plan_change",
                value=column(f"plan_changes_{window}"),
                say=in_window(PLAN_CHANGE, window),
            )
            for window in (90, 365)
        ),
        _plan(
            name="days_since_plan_change",
            question="How long ago did they change the plan?",
            unit="days",
            no_data="null: never",
            group="plan_change",
            value=days_since("plan_changes_last"),
            say=plain("Changed the plan {d} days ago", "{d} दिन पहले प्लान बदला"),
        ),
        _plan(
            name="cancellations_ever",
            question="How often have they left before?",
            unit="times",
            needs=CANCELLED,
            no_data="0",
            group="left_before",
            value=column("cancellations_all"),
            say=lambda value, row: (
                plain("Left {n} times before", "पहले {n} बार छोड़ चुके हैं")(value, row)
                if value >= 2
                else (("Left once before", "पहले एक बार छोड़ चुके हैं") if value else None)
            ),
        ),
    )
