"""The slow reference of contract, payments, deliveries and messages."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
from reference_seen import (
    DAY,
    Seen,
    Values,
    amount,
    chosen,
    first_of,
    given,
    last_of,
    less,
    number,
    ratio,
    total,
    true,
    windows,
    with_amount,
)

CONTRACT = ("subscription_started", "plan_changed", "subscription_renewed")


def money(event: dict[str, Any] | None) -> float | None:
    found = amount(event) if event else None
    return None if found is None else float(found)


def lifetime(seen: Seen) -> Values:
    plans = with_amount(seen.named(*CONTRACT))
    price, first = money(last_of(plans)), money(first_of(plans))
    changes = seen.named("plan_changed")
    return {
        "days_since_subscription_started": seen.since_last(seen.named("subscription_started")),
        "plan_price": price,
        "plan_price_change": less(price, first),
        "plan_price_to_first": ratio(price, first),
        **windows(seen, changes, "plan_changes_{}d", (90, 365)),
        "days_since_plan_change": seen.since_last(changes),
        "cancellations_ever": len(seen.named("subscription_cancelled")),
        **terms(seen),
    }


def terms(seen: Seen) -> Values:
    """What the last contract event that speaks of it said."""
    contract, renewed = seen.named(*CONTRACT), seen.named("subscription_renewed")

    def saying(key: str) -> pd.DataFrame:
        return chosen(contract, lambda event: given(event, key) is not None)

    renews, method, first_method = (
        pick(saying(key))
        for pick, key in ((last_of, "auto_renew"), (last_of, "payment_method"), (first_of, "payment_method"))
    )
    ending = last_of(chosen(contract, lambda event: moment(event) is not None))
    cut = last_of(chosen(contract, lambda event: not math.isnan(number(event, "discount", math.nan))))
    return {
        "auto_renews": float(true(renews, "auto_renew")) if renews else None,
        "days_to_expiry": (moment(ending) - seen.cutoff) / DAY if ending else None,
        "plan_discount": number(cut, "discount") if cut else None,
        "payment_method_changed": float(given(method, "payment_method") != given(first_method, "payment_method"))
        if method and first_method
        else None,
        **course(seen, saying, ending),
        "renewals_365d": seen.count(renewed, 365),
        "days_since_renewal": seen.since_last(renewed),
    }


def course(seen: Seen, saying: Callable[[str], pd.DataFrame], ending: dict[str, Any] | None) -> Values:
    """How far the contract has run, and what changed since the first event that spoke of it."""
    contract, renews = seen.named(*CONTRACT), saying("auto_renew")
    cuts = chosen(contract, lambda event: not math.isnan(number(event, "discount", math.nan)))
    first, last = first_of(renews), last_of(renews)
    low, high = first_of(cuts), last_of(cuts)
    to_end = (moment(ending) - seen.cutoff) / DAY if ending else None
    days = (moment(ending) - ending["occurred_at"]) / DAY if ending else None
    return {
        "contract_days": days,
        "contract_passed_share": less(1.0, ratio(to_end, days)),
        "expires_in_horizon": None if to_end is None else float(0 <= to_end <= seen.fitted.horizon_days),
        "renewals_ever": len(seen.named("subscription_renewed")),
        "subscriptions_ever": len(seen.named("subscription_started")),
        "auto_renewal_changed": float(true(last, "auto_renew")) - float(true(first, "auto_renew"))
        if first and last
        else None,
        "plan_discount_change": number(high, "discount") - number(low, "discount") if low and high else None,
    }


def moment(event: dict[str, Any]) -> Any:
    """When the contract ends, as this event says."""
    value = given(event, "expires_at")
    if re.fullmatch("[0-9]{8}", str(value)):
        return datetime.strptime(f"{value}+0000", "%Y%m%d%z")
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at.replace(tzinfo=at.tzinfo or UTC) if at else None


def payments(seen: Seen) -> Values:
    bills, paid, failed = (seen.named(name) for name in ("bill_issued", "payment_completed", "payment_failed"))
    last = money(last_of(with_amount(bills)))
    # The last bill that says what the one before was.
    compared = last_of(chosen(with_amount(bills), lambda event: before(event) is not None))
    rise = less(money(compared), before(compared)) if compared else None
    year = seen.within(bills, 365)
    return {
        "days_since_last_bill": seen.since_last(bills),
        "last_bill": last,
        "bill_increase": rise,
        "bill_increase_share": ratio(rise, before(compared) if compared else None),
        "last_bill_to_mean_365d": ratio(last, ratio(total(year), len(year))),
        **{
            f"bill_rises_{window}d_to_mean": ratio(rises(seen.within(bills, window)), ratio(total(year), len(year)))
            for window in (60, 120)
        },
        "days_since_bill_rise": seen.since_last(dearer(bills)),
        "billed_90d": total(seen.within(bills, 90)),
        "bills_less_payments_90d": seen.count(bills, 90) - seen.count(paid, 90),
        "days_since_last_payment": seen.since_last(paid),
        **windows(seen, failed, "payment_failures_{}d", (30, 90, 180)),
        "days_since_payment_failure": seen.since_last(failed),
        "payment_failure_share_180d": ratio(seen.count(failed, 180), seen.count(failed, 180) + seen.count(paid, 180)),
        "payment_failures_per_30d_of_tenure": seen.tenure_30(failed),
        "failed_retries_90d": seen.count(failed, 90) - sum(age <= 90 for age in seen.ages(failed)),
        "unpaid_since_failure": float(
            len(failed) > 0 and (paid.empty or max(failed.occurred_at) > max(paid.occurred_at))
        ),
    }


def before(event: dict[str, Any]) -> float | None:
    """What the bill before was, as this one says."""
    value = number(event, "previous_amount", float("nan"))
    return None if value != value else value


def rises(bills: pd.DataFrame) -> float:
    """By how much these bills together rose over the ones before; falls do not count."""
    both = [(money(event), before(event)) for event in bills.to_dict("records")]
    return sum(max(now - then, 0.0) for now, then in both if now is not None and then is not None and then > 0)


def dearer(bills: pd.DataFrame) -> pd.DataFrame:
    """Those a tenth or more above the one before."""

    def fits(event: dict[str, Any]) -> bool:
        now, then = amount(event), before(event)
        return now is not None and then is not None and then > 0 and 10 * now >= 11 * Decimal(str(then))

    return chosen(bills, fits)


def none_below_zero(value: float | None) -> float | None:
    return None if value is None else max(value, 0.0)


def deliveries(seen: Seen) -> Values:
    came, missing = seen.named("order_delivered"), seen.named("item_missing")
    late = chosen(came, lambda event: number(event, "days_late") >= 1)
    lateness = [number(event, "days_late") for event in seen.within(late, 180).to_dict("records")]
    last = last_of(came)
    return {
        "deliveries_90d": seen.count(came, 90),
        "days_since_last_delivery": seen.since_last(came),
        **windows(seen, late, "late_deliveries_{}d", (30, 90, 180)),
        "late_share_365d": ratio(seen.count(late, 365), seen.count(came, 365)),
        "mean_days_late_180d": ratio(sum(lateness), len(lateness)),
        "last_delivery_days_late": max(number(last, "days_late"), 0.0) if last else None,
        "days_since_late_delivery": seen.since_last(late),
        "missing_items_90d": seen.count(missing, 90),
        "days_since_missing_item": seen.since_last(missing),
    }


def messaging(seen: Seen) -> Values:
    sent, replied, unsubscribed = (seen.named(f"message_{what}") for what in ("sent", "replied", "unsubscribed"))
    opened, clicked = (
        chosen(seen.named(f"message_{what}"), lambda event: not true(event, "machine"))
        for what in ("opened", "clicked")
    )
    return {
        **windows(seen, sent, "messages_{}d", (7, 30, 90)),
        "days_since_last_message": seen.since_last(sent),
        "message_opens_90d": seen.count(opened, 90),
        "message_clicks_90d": seen.count(clicked, 90),
        "message_replies_180d": seen.count(replied, 180),
        "open_share_90d": ratio(seen.count(opened, 90), seen.count(sent, 90)),
        "click_share_180d": ratio(seen.count(clicked, 180), seen.count(sent, 180)),
        "messages_less_opens_30d": seen.count(sent, 30) - seen.count(opened, 30),
        "ignored_share_30d": none_below_zero(
            ratio(seen.count(sent, 30) - seen.count(opened, 30), seen.count(sent, 30))
        ),
        "open_share_change": less(
            ratio(seen.count(opened, 30), seen.count(sent, 30)), ratio(seen.count(opened, 180), seen.count(sent, 180))
        ),
        "messages_7d_share_of_90d": ratio(seen.count(sent, 7), seen.count(sent, 90)),
        "days_since_message_opened": seen.since_last(opened),
        "unsubscribes_ever": len(unsubscribed),
    }
