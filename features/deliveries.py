"""Deliveries: did orders come in time and whole?"""

from __future__ import annotations

from functools import partial

from features.phrases import in_window, plain
from features.signal import Measure, Signal, column, days_since, per
from features.things import DELIVERY, LATE_DELIVERY, MISSING_ITEM

DELIVERED = ("order_delivered",)
MISSING = ("item_missing",)

MEASURES: tuple[Measure, ...] = (
    Measure(name="deliveries", events=DELIVERED),
    Measure(name="late_deliveries", events=DELIVERED, where=lambda t: t.days_late >= 1),
    Measure(name="days_late", events=DELIVERED, where=lambda t: t.days_late >= 1, amount=lambda t: t.days_late),
    Measure(name="lateness", events=DELIVERED, amount=lambda t: t.days_late.clip(0, None)),
    Measure(name="missing_items", events=MISSING),
)

_delivery = partial(Signal, family="deliveries", needs=DELIVERED)
_missing = partial(Signal, family="deliveries", needs=MISSING, group="missing_item")


def signals() -> tuple[Signal, ...]:
    """Which signals describe deliveries?"""
    return (
        _delivery(
            name="deliveries_90d",
            question="How many deliveries in the last 90 days?",
            unit="deliveries",
            no_data="0",
            group="delivery_level",
            value=column("deliveries_90"),
            say=in_window(DELIVERY, 90),
        ),
        _delivery(
            name="days_since_last_delivery",
            question="How long ago was the last delivery?",
            unit="days",
            no_data="null: none yet",
            group="delivery_level",
            value=days_since("deliveries_last"),
            say=plain("Last delivery {d} days ago", "पिछली डिलीवरी {d} दिन पहले"),
        ),
        *(
            _delivery(
                name=f"late_deliveries_{window}d",
                question=f"How many late deliveries in the last {window} days?",
                unit="deliveries",
                no_data="0",
                group="late_delivery",
                value=column(f"late_deliveries_{window}"),
                say=in_window(LATE_DELIVERY, window),
            )
            for window in (30, 90, 180)
        ),
        _delivery(
            name="late_share_365d",
            question="What share of the deliveries of 365 days was late?",
            unit="share",
            no_data="null: no delivery",
            group="late_delivery",
            value=per("late_deliveries_365", "deliveries_365"),
            say=plain("{p}% of deliveries late in 365 days", "365 दिन में {p}% डिलीवरी देर से"),
        ),
        _delivery(
            name="mean_days_late_180d",
            question="How many days late were the late deliveries of 180 days?",
            unit="days",
            no_data="null: none late",
            group="late_delivery",
            value=per("days_late_180", "late_deliveries_180"),
            say=plain("Late deliveries: {n} days late on average", "देर वाली डिलीवरी औसतन {n} दिन लेट"),
        ),
        _delivery(
            name="last_delivery_days_late",
            question="How many days late was the last delivery?",
            unit="days",
            no_data="null: no delivery",
            group="late_delivery",
            value=column("lateness_latest"),
            say=lambda value, row: (
                plain("Last delivery {n} days late", "पिछली डिलीवरी {n} दिन लेट")(value, row)
                if value >= 1
                else ("Last delivery came in time", "पिछली डिलीवरी समय पर आई")
            ),
        ),
        _delivery(
            name="days_since_late_delivery",
            question="How long ago was the last late delivery?",
            unit="days",
            no_data="null: never",
            group="late_delivery",
            value=days_since("late_deliveries_last"),
            say=plain("Late delivery {d} days ago", "{d} दिन पहले डिलीवरी देर से आई"),
        ),
        _missing(
            name="missing_items_90d",
            question="How many items were missing in the last 90 days?",
            unit="items",
            no_data="0",
            value=column("missing_items_90"),
            say=in_window(MISSING_ITEM, 90),
        ),
        _missing(
            name="days_since_missing_item",
            question="How long ago was an item last missing?",
            unit="days",
            no_data="null: never",
            value=days_since("missing_items_last"),
            say=plain("Item missing {d} days ago", "{d} दिन पहले एक चीज़ नहीं मिली"),
        ),
    )
