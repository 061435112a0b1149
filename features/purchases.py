"""Purchases: how recently, often and much does the customer buy, and is that changing?"""

from __future__ import annotations

from features.ownclock import own_clock
from features.phrases import ORDER, Thing, compared, ever, in_window, plain, since
from features.signal import Measure, Row, Saying, Signal, days_between, ratio

NEEDS = ("order_completed",)

MEASURES: tuple[Measure, ...] = (
    Measure(name="orders", events=NEEDS),
    Measure(name="order_days", events=NEEDS, day_of="orders"),
    Measure(name="spent", events=NEEDS, amount=lambda t: t.amount),
    Measure(name="refunds", events=NEEDS, where=lambda t: t.amount < 0),
    Measure(name="items", events=NEEDS, amount=lambda t: t.items),
    Measure(name="coupon_orders", events=NEEDS, where=lambda t: t.coupon),
)


def signals() -> tuple[Signal, ...]:
    """Which signals describe purchases?"""
    return (*_recency(), *_counts(), *_money(), *_trends(),
            *own_clock(prefix="order", clock="order", measure="orders", family="purchases", thing=ORDER, needs=NEEDS))


def _recency() -> list[Signal]:
    return [
        Signal(
            name="days_since_last_order", question="How long ago was the last order?", unit="days", family="purchases",
            no_data="null: no order yet", needs=NEEDS, group="order_recency",
            value=lambda t: days_between(t.cutoff_us, t.orders_last), say=since(ORDER, "median_days_between_orders"),
        ),
        Signal(
            name="days_since_first_order", question="How long ago was the first order?", unit="days", family="purchases",
            no_data="null: no order yet", needs=NEEDS, group="order_tenure",
            value=lambda t: days_between(t.cutoff_us, t.orders_first),
            say=plain("First order {d} days ago", "पहला ऑर्डर {d} दिन पहले"),
        ),
        Signal(
            name="mean_age_of_order_days", question="How long ago, on average, were their orders?", unit="days",
            family="purchases", no_data="null: no order yet", needs=NEEDS, group="order_level",
            value=lambda t: ratio(t.order_days_age, t.order_days_all),
        ),
    ]


def _counts() -> list[Signal]:
    made = [
        Signal(
            name=f"orders_{window}d", question=f"How many orders in the last {window} days?", unit="orders", family="purchases",
            no_data="0; null if the log has no orders", needs=NEEDS, group="order_level",
            value=lambda t, w=window: getattr(t, f"orders_{w}"), say=in_window(ORDER, window),
        )
        for window in (14, 30, 60, 90, 180, 365)
    ]
    made += [
        Signal(
            name="orders_ever", question="How many orders so far?", unit="orders", family="purchases", needs=NEEDS,
            no_data="0; null if the log has no orders", group="order_level", value=lambda t: t.orders_all, say=ever(ORDER),
        ),
        Signal(
            name="order_days_ever", question="On how many days did they order?", unit="days", family="purchases", needs=NEEDS,
            no_data="0; null if the log has no orders", group="order_level", value=lambda t: t.order_days_all,
            say=plain("Ordered on {n} days so far", "अब तक {n} दिन ऑर्डर किया"),
        ),
    ]
    made += [
        Signal(
            name=f"order_days_decayed_{half_life}d", unit="days", family="purchases", needs=NEEDS, group="order_level",
            question=f"How many order days, each counting half for every {half_life} days of age?",
            no_data="0; null if the log has no orders",
            value=lambda t, h=half_life: getattr(t, f"order_days_decay_{h}").cast("float64") / float(1 << 40),
        )
        for half_life in (30, 90, 180)
    ]
    made.append(Signal(
        name="order_days_per_90d_of_tenure", question="How many order days per 90 days since the first order?",
        unit="days per 90 days", family="purchases", no_data="null: no order yet", needs=NEEDS, group="order_level",
        value=lambda t: 90.0 * t.order_days_all / days_between(t.cutoff_us, t.orders_first).clip(30.0, None),
    ))
    return made


def _money() -> list[Signal]:
    made = [
        Signal(
            name=f"spent_{window}d", question=f"How much did they spend in the last {window} days, refunds taken off?",
            unit="currency", family="purchases", no_data="0; null if the log has no orders", needs=NEEDS, group="money",
            value=lambda t, w=window: getattr(t, f"spent_{w}"),
            say=plain(f"Spent ¤{{n}} in {window} days", f"{window} दिन में ¤{{n}} ख़र्च किए"),
        )
        for window in (30, 90, 365)
    ]
    made += [
        Signal(
            name="spent_ever", question="How much have they spent so far?", unit="currency", family="purchases",
            no_data="0; null if the log has no orders", needs=NEEDS, group="money", value=lambda t: t.spent_all,
            say=plain("Spent ¤{n} so far", "अब तक ¤{n} ख़र्च किए"),
        ),
        Signal(
            name="mean_order_value", question="How much is an order worth on average?", unit="currency", family="purchases",
            no_data="null: no order yet", needs=NEEDS, group="money", value=lambda t: ratio(t.spent_all, t.orders_all),
            say=plain("An order is worth ¤{n} on average", "औसत ऑर्डर ¤{n} का"),
        ),
        Signal(
            name="order_value_change", question="How does an order of the last 90 days compare in value with all of them?",
            unit="ratio", family="purchases", no_data="null: no order in 90 days", needs=NEEDS, group="money_trend",
            value=lambda t: ratio(t.spent_90, t.orders_90) / ratio(t.spent_all, t.orders_all).nullif(0.0),
        ),
        Signal(
            name="items_per_order", question="How many items has an order on average?", unit="items", family="purchases",
            no_data="null: no order yet", needs=NEEDS, group="basket", value=lambda t: ratio(t.items_all, t.orders_all),
            say=plain("About {n} items an order", "हर ऑर्डर में करीब {n} चीज़ें"),
        ),
        Signal(
            name="items_90d", question="How many items did they order in the last 90 days?", unit="items", family="purchases",
            no_data="0; null if the log has no orders", needs=NEEDS, group="basket", value=lambda t: t.items_90,
            say=in_window(Thing("item bought", "items bought", "चीज़ ख़रीदी", "चीज़ें ख़रीदीं"), 90),
        ),
        Signal(
            name="refunds_180d", question="How many refunds in the last 180 days?", unit="refunds", family="purchases",
            no_data="0; null if the log has no orders", needs=NEEDS, group="refunds", value=lambda t: t.refunds_180,
            say=in_window(Thing("refund", "refunds", "रिफ़ंड", "रिफ़ंड"), 180),
        ),
        Signal(
            name="coupon_share_365d", question="What share of the last year's orders used a coupon?", unit="share",
            family="purchases", no_data="null: no order", needs=NEEDS, group="coupons",
            value=lambda t: ratio(t.coupon_orders_365, t.orders_365),
            say=plain("{p}% of orders in a year used a coupon", "साल के {p}% ऑर्डर कूपन से"),
        ),
    ]
    return made


def _trends() -> list[Signal]:
    made = [
        Signal(
            name=f"orders_change_{window}d", unit="orders", family="purchases", needs=NEEDS, group="order_trend",
            question=f"How many more orders in the last {window} days than in the {window} before?",
            no_data="0; null if the log has no orders",
            value=lambda t, w=window: 2 * getattr(t, f"orders_{w}") - getattr(t, f"orders_{2 * w}"), say=_fewer_orders(window),
        )
        for window in (30, 90)
    ]
    made.append(Signal(
        name="orders_short_to_long", question="How do orders of the last weeks compare with those of the last half-year?",
        unit="ratio", family="purchases", no_data="null: no order yet", needs=NEEDS, group="order_trend",
        value=lambda t: ratio(t.order_days_decay_30, t.order_days_decay_180),
    ))
    return made


def _fewer_orders(window: int) -> Saying:
    def say(value: float, row: Row) -> tuple[str, str] | None:
        now = row.get(f"orders_{window}d")
        return None if now is None else compared(ORDER, window, now, now - value)

    return say
