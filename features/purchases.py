"""Purchases: how recently, often and much does the customer buy, and is that changing?"""

from __future__ import annotations

from functools import partial

from features.ownclock import own_clock
from features.phrases import count_compared, ever, in_window, net_spent, plain, since
from features.signal import (
    Measure,
    Signal,
    change,
    column,
    days_between,
    days_since,
    decayed,
    per,
    per_30_days,
    ratio,
    week,
)
from features.things import ITEM, ORDER, REFUND

ORDERED = ("order_completed",)

MEASURES: tuple[Measure, ...] = (
    Measure(name="orders", events=ORDERED),
    Measure(name="order_days", events=ORDERED, day_of="orders"),
    Measure(name="spent", events=ORDERED, amount=lambda t: t.amount),
    Measure(name="refunds", events=ORDERED, where=lambda t: t.amount < 0),
    Measure(name="items", events=ORDERED, amount=lambda t: t.items),
    Measure(name="coupon_orders", events=ORDERED, where=lambda t: t.coupon),
)

_signal = partial(Signal, family="purchases", needs=ORDERED)
_level = partial(_signal, unit="orders", no_data="0", group="order_level")
_money = partial(_signal, unit="currency", no_data="0", group="money")


def signals() -> tuple[Signal, ...]:
    """Which signals describe purchases?"""
    rhythm = own_clock(prefix="order", clock="order", measure="orders", family="purchases", thing=ORDER, needs=ORDERED)
    return (*_recency(), *_counts(), *_spending(), *_basket(), *_trends(), *rhythm)


def _recency() -> list[Signal]:
    return [
        _signal(
            name="days_since_last_order",
            question="How long ago was the last order?",
            unit="days",
            no_data="null: no order yet",
            group="order_recency",
            value=days_since("orders_last"),
            say=since(ORDER, "median_days_between_orders"),
        ),
        _signal(
            name="days_since_first_order",
            question="How long ago was the first order?",
            unit="days",
            no_data="null: no order yet",
            group="tenure",
            value=days_since("orders_first"),
            say=plain("First order {d} days ago", "पहला ऑर्डर {d} दिन पहले"),
        ),
        _signal(
            name="mean_age_of_order_days",
            question="How long ago, on average, were their order days?",
            unit="days",
            no_data="null: no order yet",
            group="order_level",
            value=per("order_days_age", "order_days_all"),
        ),
        _signal(
            name="last_order_to_first_order",
            question="At what share of the time since the first order was the last?",
            unit="share",
            no_data="null: no order yet",
            group="order_recency",
            value=lambda t: (
                days_between(t.orders_last, t.orders_first) / days_between(t.cutoff_us, t.orders_first).nullif(0.0)
            ),
        ),
    ]


def _counts() -> list[Signal]:
    return [
        *(
            _level(
                name=f"orders_{window}d",
                question=f"How many orders in the last {window} days?",
                value=column(f"orders_{window}"),
                say=in_window(ORDER, window),
            )
            for window in (14, 30, 60, 90, 180, 365)
        ),
        _level(name="orders_ever", question="How many orders so far?", value=column("orders_all"), say=ever(ORDER)),
        _level(
            name="order_days_ever",
            question="On how many days did they order?",
            unit="days",
            value=column("order_days_all"),
            say=plain(
                "Ordered on {n} days so far", "अब तक {n} दिन ऑर्डर किया", ("No orders so far", "अब तक कोई ऑर्डर नहीं")
            ),
        ),
        *(
            _level(
                name=f"order_days_decayed_{half_life}d",
                unit="days",
                value=decayed("order_days", half_life),
                question=f"How many order days, each counting half for every {half_life} days of age?",
            )
            for half_life in (30, 90, 180)
        ),
        _level(
            name="order_days_per_90d_of_tenure",
            question="How many order days per 90 days since the first order?",
            unit="days per 90 days",
            no_data="null: no order yet",
            value=lambda t: 90.0 * t.order_days_all / days_between(t.cutoff_us, t.orders_first).clip(30.0, None),
        ),
        _level(
            name="orders_per_30d_of_tenure",
            question="How many orders per 30 days that we have known them, over the last 90?",
            unit="orders per 30 days",
            value=per_30_days("orders_90"),
        ),
        *(
            _level(
                name=f"order_days_week_{number}",
                question=f"On how many days of the {ordinal} week before the cutoff did they order?",
                unit="days",
                value=week("order_days", number),
            )
            for number, ordinal in ((2, "second"), (3, "third"), (4, "fourth"))
        ),
    ]


def _spending() -> list[Signal]:
    return [
        *(
            _money(
                name=f"spent_{window}d",
                question=f"How much did they spend in {window} days, refunds taken off?",
                value=column(f"spent_{window}"),
                say=net_spent(f"in {window} days", f"{window} दिन में"),
            )
            for window in (30, 90, 365)
        ),
        _money(
            name="spent_ever",
            question="How much have they spent so far, refunds taken off?",
            value=column("spent_all"),
            say=net_spent("so far", "अब तक"),
        ),
        _money(
            name="mean_order_value",
            question="How much is an order worth on average?",
            no_data="null: no order yet",
            value=per("spent_all", "orders_all"),
            say=plain("{m} per order on average", "औसत ऑर्डर {m} का"),
        ),
        _money(
            name="order_value_90d_to_ever",
            question="How does an order of 90 days compare in value with all of them?",
            unit="ratio",
            no_data="null: no order in 90 days",
            group="money_trend",
            value=lambda t: ratio(t.spent_90, t.orders_90) / ratio(t.spent_all, t.orders_all).nullif(0.0),
        ),
        _money(
            name="refunds_180d",
            question="How many refunds in the last 180 days?",
            unit="refunds",
            group="refunds",
            value=column("refunds_180"),
            say=in_window(REFUND, 180),
        ),
        _money(
            name="refund_share_365d",
            question="How many refunds for each order of 365 days, refunds counted as orders?",
            unit="share",
            no_data="null: no order",
            group="refunds",
            value=per("refunds_365", "orders_365"),
        ),
        _money(
            name="days_since_refund",
            question="How long ago was the last refund?",
            unit="days",
            no_data="null: never",
            group="refunds",
            value=days_since("refunds_last"),
            say=plain("Refund {d} days ago", "{d} दिन पहले रिफ़ंड"),
        ),
        _money(
            name="spent_change_90d",
            question="How much more did they spend in the last 90 days than in the 90 before?",
            group="money_trend",
            value=change("spent", 90),
        ),
        _money(
            name="spent_per_30d_of_tenure",
            question="How much did they spend per 30 days that we have known them, over the last 90?",
            unit="currency per 30 days",
            value=per_30_days("spent_90"),
        ),
    ]


def _basket() -> list[Signal]:
    return [
        _signal(
            name="items_per_order",
            question="How many items has an order on average?",
            unit="items",
            no_data="null: no order yet",
            group="basket",
            value=per("items_all", "orders_all"),
            say=plain("About {n} items an order", "हर ऑर्डर में करीब {n} चीज़ें"),
        ),
        _signal(
            name="items_90d",
            question="How many items did they order in the last 90 days?",
            unit="items",
            no_data="0",
            group="order_level",
            value=column("items_90"),
            say=in_window(ITEM, 90),
        ),
        _signal(
            name="coupon_share_365d",
            question="What share of the last year's orders used a coupon?",
            unit="share",
            no_data="null: no order",
            group="coupons",
            value=per("coupon_orders_365", "orders_365"),
            say=plain("{p}% of orders in 365 days used a coupon", "365 दिन में {p}% ऑर्डर कूपन से"),
        ),
    ]


def _trends() -> list[Signal]:
    trend = partial(_signal, group="order_trend")
    return [
        *(
            trend(
                name=f"orders_change_{window}d",
                unit="orders",
                no_data="0",
                value=change("orders", window),
                question=f"How many more orders in the last {window} days than in the {window} before?",
                say=count_compared(ORDER, window, f"orders_{window}d"),
            )
            for window in (30, 90)
        ),
        trend(
            name="order_days_change_half_year",
            unit="days",
            no_data="0",
            value=change("order_days", 182),
            question="How many more days with an order in the last 182 days than in the 182 before?",
        ),
        *(
            trend(
                name=f"orders_{short}_to_{long}",
                unit="ratio",
                no_data="null: no order yet",
                question=f"How do orders of half-life {short} days compare with those of half-life {long}?",
                value=per(f"order_days_decay_{short}", f"order_days_decay_{long}"),
            )
            for short, long in ((30, 90), (30, 180))
        ),
    ]
