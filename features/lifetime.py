"""Lifetime: how long have they had a contract, at what price, and what changed in it?"""

from __future__ import annotations

from functools import partial

from features.cutoffs import DAY_US
from features.phrases import in_window, plain, price_change
from features.signal import Measure, Signal, column, days_between, days_since, ratio
from features.things import PLAN_CHANGE
from features.vocabulary import CONTRACT as PLAN
from features.vocabulary import RENEWED

CANCELLED = ("subscription_cancelled",)

MEASURES: tuple[Measure, ...] = (
    Measure(name="starts", events=PLAN, where=lambda t: t.name == "subscription_started"),
    Measure(name="plan_changes", events=PLAN, where=lambda t: t.name == "plan_changed"),
    Measure(name="plan_price", events=PLAN, amount=lambda t: t.amount),
    Measure(name="renewals", events=PLAN, where=lambda t: t.name == "subscription_renewed"),
    Measure(name="auto_renewal", events=PLAN, amount=lambda t: t.auto_renew.cast("int64")),
    Measure(name="expiry", events=PLAN, amount=lambda t: t.expires_us),
    Measure(name="term", events=PLAN, amount=lambda t: t.expires_us - t.us),
    Measure(name="discount", events=PLAN, amount=lambda t: t.discount),
    Measure(name="payment_method", events=PLAN, amount=lambda t: t.payment_method),
    Measure(name="cancellations", events=CANCELLED),
)

_plan = partial(Signal, family="lifetime", needs=PLAN, no_data="null: no subscription")


def horizon_signals(horizon_days: int) -> tuple[Signal, ...]:
    """Which signals hold the contract against how far the model looks ahead?"""
    return (
        _plan(
            name="expires_in_horizon",
            question="Does their contract end within the horizon, by the last event that says so?",
            unit="yes 1, no 0",
            no_data="null: never said",
            group="renewal",
            value=lambda t: days_between(t.expiry_latest, t.cutoff_us).between(0.0, float(horizon_days)).cast("int64"),
        ),
    )


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
        *_terms(),
        *_course(),
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


def _course() -> list[Signal]:
    return [
        _plan(
            name="contract_days",
            question="How long did their contract run from the last event that says when it ends?",
            unit="days",
            no_data="null: never said",
            group="renewal",
            value=lambda t: t.term_latest.cast("float64") / float(DAY_US),
        ),
        _plan(
            name="contract_passed_share",
            question="What share of that time is over (above 1: it has ended)?",
            unit="share",
            no_data="null: never said",
            group="renewal",
            value=lambda t: 1.0 - ratio(t.expiry_latest - t.cutoff_us, t.term_latest),
        ),
        _plan(
            name="renewals_ever",
            question="How often was their contract renewed so far?",
            unit="times",
            needs=RENEWED,
            no_data="0",
            group="renewal",
            value=column("renewals_all"),
        ),
        _plan(
            name="subscriptions_ever",
            question="How many subscriptions have they started so far?",
            unit="subscriptions",
            no_data="0",
            group="left_before",
            value=column("starts_all"),
        ),
        _plan(
            name="auto_renewal_changed",
            question="Does their contract renew by itself otherwise than at the first contract event that says so?",
            unit="switched on 1, off -1, as it was 0",
            no_data="null: never said",
            group="renewal",
            value=lambda t: t.auto_renewal_latest - t.auto_renewal_earliest,
        ),
        _plan(
            name="plan_discount_change",
            question="How much more is taken off their plan's price than at the first contract event that says so?",
            unit="currency",
            no_data="null: never said",
            group="plan_price",
            value=lambda t: t.discount_latest - t.discount_earliest,
        ),
    ]


def _terms() -> list[Signal]:
    return [
        _plan(
            name="auto_renews",
            question="Does their contract renew by itself, by the last event that says so?",
            unit="yes 1, no 0",
            no_data="null: never said",
            group="renewal",
            value=column("auto_renewal_latest"),
            say=lambda value, row: (
                ("Contract does not renew by itself", "प्लान अपने-आप रिन्यू नहीं होता") if not value else None
            ),
        ),
        _plan(
            name="days_to_expiry",
            question="In how many days (below zero: ago) does their contract end, by the last event that says so?",
            unit="days",
            no_data="null: never said",
            group="renewal",
            value=lambda t: days_between(t.expiry_latest, t.cutoff_us),
            say=lambda value, row: (
                plain("Contract ends in {n} days", "प्लान {n} दिन में ख़त्म")(value, row)
                if value >= 1
                else (
                    plain("Contract ended {n} days ago", "प्लान {n} दिन पहले ख़त्म")(-value, row) if value <= -1 else None
                )
            ),
        ),
        _plan(
            name="plan_discount",
            question="How much is taken off their plan's price a month, by the last event that says so?",
            unit="currency",
            no_data="null: never said",
            group="plan_price",
            value=column("discount_latest"),
            say=plain(
                "Discount of {m} a month", "महीने का {m} डिस्काउंट", ("No discount on the plan", "प्लान पर कोई डिस्काउंट नहीं")
            ),
        ),
        _plan(
            name="payment_method_changed",
            question="Do they pay in another way than at their first contract event that says how?",
            unit="yes 1, no 0",
            no_data="null: never said",
            group="payment_method",
            value=lambda t: (t.payment_method_latest != t.payment_method_earliest).cast("int64"),
            say=lambda value, row: ("Pays in another way than at first", "पेमेंट का तरीक़ा बदला") if value else None,
        ),
        _plan(
            name="renewals_365d",
            question="How often was their contract renewed in 365 days?",
            unit="times",
            needs=RENEWED,
            no_data="0",
            group="renewal",
            value=column("renewals_365"),
        ),
        _plan(
            name="days_since_renewal",
            question="How long ago was their contract last renewed?",
            unit="days",
            needs=RENEWED,
            no_data="null: never",
            group="renewal",
            value=days_since("renewals_last"),
            say=plain("Renewed {d} days ago", "{d} दिन पहले रिन्यू किया"),
        ),
    ]
