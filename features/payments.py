"""Payments: are bills paid, do payments fail, and did the bill change?"""

from __future__ import annotations

from functools import partial
from typing import Any

from features.phrases import bill_change, in_window, plain
from features.signal import Definition, Measure, Signal, column, days_since, per_30_days, ratio
from features.things import FAILED_PAYMENT

BILL = ("bill_issued",)
PAID = ("payment_completed",)
FAILED = ("payment_failed",)

WIDE = "decimal(38, 4)"


def rose_by_a_tenth(t: Any) -> Any:
    """Is this bill a tenth or more above the one before? Ten times an amount may need more digits than it has."""
    return (t.previous_amount > 0) & (10 * t.amount.cast(WIDE) >= 11 * t.previous_amount.cast(WIDE))


MEASURES: tuple[Measure, ...] = (
    Measure(name="bills", events=BILL),
    Measure(name="billed", events=BILL, amount=lambda t: t.amount),
    # The last bill that says what the one before was, and that one: both of one event.
    Measure(name="bill_after", events=BILL, where=lambda t: t.previous_amount.notnull(), amount=lambda t: t.amount),
    Measure(name="bill_before", events=BILL, where=lambda t: t.amount.notnull(), amount=lambda t: t.previous_amount),
    Measure(
        name="bill_rises",
        events=BILL,
        where=lambda t: (t.previous_amount > 0) & (t.amount > t.previous_amount),
        amount=lambda t: t.amount - t.previous_amount,
    ),
    Measure(name="large_bill_rises", events=BILL, where=rose_by_a_tenth),
    Measure(name="payments", events=PAID),
    Measure(name="failures", events=FAILED),
    Measure(name="failure_days", events=FAILED, day_of="failures"),
)

_bill = partial(Signal, family="payments", needs=BILL, no_data="null: no bill yet")
_failed = partial(Signal, family="payments", needs=FAILED, no_data="0")


def to_mean_bill(fact: str) -> Definition:
    """An amount for each unit of the mean bill of 365 days."""
    return lambda t: getattr(t, fact).cast("float64") / ratio(t.billed_365, t.bills_365).nullif(0.0)


def signals() -> tuple[Signal, ...]:
    """Which signals describe payments?"""
    return (*_bills(), *_failures())


def _bills() -> list[Signal]:
    return [
        _bill(
            name="days_since_last_bill",
            question="How long ago was the last bill?",
            unit="days",
            group="bill_recency",
            value=days_since("bills_last"),
            say=plain("Last bill {d} days ago", "पिछला बिल {d} दिन पहले"),
        ),
        _bill(
            name="last_bill",
            question="How much was the last bill?",
            unit="currency",
            group="bill_size",
            value=column("billed_latest"),
            say=plain("Last bill {m}", "पिछला बिल {m}"),
        ),
        _bill(
            name="bill_increase",
            question="By how much did the last bill rise over the one before?",
            unit="currency",
            group="bill_change",
            value=lambda t: t.bill_after_latest - t.bill_before_latest,
            say=bill_change(),
        ),
        _bill(
            name="bill_increase_share",
            question="By what share did the last bill rise over the one before?",
            unit="share",
            group="bill_change",
            value=lambda t: ratio(t.bill_after_latest - t.bill_before_latest, t.bill_before_latest),
        ),
        _bill(
            name="last_bill_to_mean_365d",
            question="How does the last bill compare with the mean bill of 365 days?",
            unit="ratio",
            group="bill_change",
            value=to_mean_bill("billed_latest"),
        ),
        # A bill that falls back after a dear month hides it from the comparison of the last two.
        *(
            _bill(
                name=f"bill_rises_{window}d_to_mean",
                question=f"By what share of their mean bill of 365 days did bills of {window} days rise, "
                "each over the one before, falls left out?",
                unit="share",
                group="bill_rises",
                value=to_mean_bill(f"bill_rises_{window}"),
            )
            for window in (60, 120)
        ),
        _bill(
            name="days_since_bill_rise",
            question="How long ago did a bill last rise by a tenth or more?",
            unit="days",
            no_data="null: none did",
            group="bill_rises",
            value=days_since("large_bill_rises_last"),
            say=plain("A bill rose by a tenth or more {d} days ago", "{d} दिन पहले बिल दस फ़ीसदी या ज़्यादा बढ़ा"),
        ),
        _bill(
            name="billed_90d",
            question="How much was billed in the last 90 days?",
            unit="currency",
            no_data="0",
            group="bill_size",
            value=column("billed_90"),
            say=plain("Billed {m} in 90 days", "90 दिन में {m} के बिल"),
        ),
        _bill(
            name="bills_less_payments_90d",
            question="How many more bills than payments in 90 days?",
            unit="bills",
            no_data="0",
            group="payment_gap",
            value=lambda t: t.bills_90 - t.payments_90,
        ),
        _bill(
            name="days_since_last_payment",
            question="How long ago was the last payment?",
            unit="days",
            needs=PAID,
            no_data="null: no payment yet",
            group="payment_gap",
            value=days_since("payments_last"),
            say=plain("Last payment {d} days ago", "पिछला पेमेंट {d} दिन पहले"),
        ),
    ]


def _failures() -> list[Signal]:
    return [
        *(
            _failed(
                name=f"payment_failures_{window}d",
                question=f"How many payments failed in the last {window} days?",
                unit="payments",
                group="payment_failure",
                value=column(f"failures_{window}"),
                say=in_window(FAILED_PAYMENT, window),
            )
            for window in (30, 90, 180)
        ),
        _failed(
            name="payment_failures_per_30d_of_tenure",
            question="How many payments failed per 30 days that we have known them, over the last 90?",
            unit="payments per 30 days",
            group="payment_failure",
            value=per_30_days("failures_90"),
        ),
        _failed(
            name="failed_retries_90d",
            question="How many further payments failed in 90 days, on days on which one already had?",
            unit="payments",
            group="payment_failure",
            value=lambda t: t.failures_90 - t.failure_days_90,
            say=lambda value, row: (
                plain("{n} failed retries of a payment in 90 days", "90 दिन में {n} बार पेमेंट दोबारा फ़ेल")(value, row)
                if value >= 1
                else None
            ),
        ),
        _failed(
            name="days_since_payment_failure",
            question="How long ago did a payment last fail?",
            unit="days",
            no_data="null: never",
            group="payment_failure",
            value=days_since("failures_last"),
            say=plain("Payment failed {d} days ago", "{d} दिन पहले पेमेंट फ़ेल हुआ"),
        ),
        _failed(
            name="payment_failure_share_180d",
            question="What share of the payments of 180 days failed?",
            unit="share",
            no_data="null: no payment tried",
            group="payment_failure",
            value=lambda t: ratio(t.failures_180, t.failures_180 + t.payments_180),
            say=plain("{p}% of payments failed in 180 days", "180 दिन में {p}% पेमेंट फ़ेल"),
        ),
        _failed(
            name="unpaid_since_failure",
            question="Has nothing been paid since the last failed payment?",
            unit="yes 1, no 0",
            group="payment_failure",
            value=lambda t: (t.failures_last > t.payments_last.fill_null(0)).fill_null(False).cast("int64"),
            say=lambda value, row: (
                ("Payment failed, nothing paid since", "पेमेंट फ़ेल हुआ, उसके बाद कुछ नहीं भरा") if value else None
            ),
        ),
    ]
