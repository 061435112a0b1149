"""Products: what do they buy, how varied is it, and do other buyers of it need help?"""

from __future__ import annotations

from functools import partial
from typing import Any

from features.cutoffs import LOG_PARTS
from features.phrases import ever, plain
from features.signal import Columns, Measure, Row, Signal, column, days_since, ratio
from features.things import PRODUCT
from features.trouble import TREND_PARTS

ORDERED = ("order_completed",)
TROUBLED = ("support_ticket_opened",)

MEASURES: tuple[Measure, ...] = ()

_signal = partial(Signal, family="products", needs=ORDERED)
_trouble = partial(Signal, family="products", needs=TROUBLED, group="product_trouble")


def signals() -> tuple[Signal, ...]:
    """Which signals describe the products they own?"""
    return (
        _signal(
            name="products_ever",
            question="How many different products have they bought?",
            unit="products",
            no_data="0",
            group="variety",
            value=column("product_kinds"),
            say=ever(PRODUCT),
        ),
        _signal(
            name="top_product_share",
            question="What share of their orders was their favourite product?",
            unit="share",
            no_data="null: no product bought",
            group="variety",
            value=lambda t: ratio(t.product_top, t.product_orders),
        ),
        _signal(
            name="repeat_share",
            question="What share of their orders was a product bought before?",
            unit="share",
            no_data="null: no product bought",
            group="variety",
            value=lambda t: ratio(t.product_orders - t.product_kinds, t.product_orders),
            say=plain("{p}% of orders repeat a product", "{p}% ऑर्डर में वही प्रोडक्ट दोबारा"),
        ),
        _signal(
            name="product_entropy",
            question="How evenly do their orders spread over products?",
            unit="nats",
            no_data="null: no product bought",
            group="variety",
            value=_entropy,
        ),
        _signal(
            name="new_products_90d",
            question="How many products did they buy for the first time in 90 days?",
            unit="products",
            no_data="0",
            group="variety",
            value=column("product_new_90"),
        ),
        _signal(
            name="new_product_share_90d",
            question="What share of the products bought in 90 days had they never bought before?",
            unit="share",
            no_data="null: nothing bought in 90 days",
            group="variety",
            value=lambda t: ratio(t.product_new_90, t.product_kinds_90),
        ),
        _signal(
            name="product_sales_trend",
            question=(
                "How do all sales of what they bought in 90 days change: those of 28 days less those of the "
                "28 before, over their sum, averaged over these purchases?"
            ),
            unit="from -1 to 1",
            no_data="null: nothing bought in 90 days, or nobody bought it in 56",
            group="product_sales",
            value=lambda t: ratio(t.product_trends, t.product_trended) / float(TREND_PARTS),
            say=_selling,
        ),
        _trouble(
            name="worst_trouble_rate_90d",
            question="Of the products bought in 90 days: what share of all buyers of the worst one needed help?",
            unit="share",
            no_data="null: nothing bought",
            value=column("trouble_worst_90"),
            say=plain("Their product: {p}% of buyers needed help", "इनके प्रोडक्ट पर {p}% ग्राहकों ने मदद ली"),
        ),
        _trouble(
            name="worst_trouble_rate_ever",
            question="Of the products ever bought: what share of all buyers of the worst one needed help?",
            unit="share",
            no_data="null: nothing bought",
            value=column("trouble_worst"),
        ),
        _trouble(
            name="days_since_troubled_product",
            question="How long ago did they buy a product whose buyers need help a quarter more often than others?",
            unit="days",
            no_data="null: never",
            value=days_since("trouble_bought_us"),
            say=plain("Bought a product with many issues {d} days ago", "{d} दिन पहले ज़्यादा दिक़्क़त वाला प्रोडक्ट ख़रीदा"),
        ),
        _trouble(
            name="days_since_troubled_delivery",
            question="How long ago came a product whose buyers need help a quarter more often than others?",
            unit="days",
            needs=("order_delivered",),
            no_data="null: never",
            value=days_since("trouble_delivered_us"),
            say=plain("Product with many issues came {d} days ago", "{d} दिन पहले ज़्यादा दिक़्क़त वाला प्रोडक्ट मिला"),
        ),
    )


def _entropy(t: Columns) -> Any:
    n = t.product_orders.cast("float64").nullif(0.0)
    return n.ln() - t.product_logs.cast("float64") / float(LOG_PARTS) / n


def _selling(value: float, row: Row) -> tuple[str, str] | None:
    if value <= -0.2:
        return "What they buy sells less than last month", "जो ये ख़रीदते हैं उसकी बिक्री पिछले महीने से कम"
    if value >= 0.2:
        return "What they buy sells more than last month", "जो ये ख़रीदते हैं उसकी बिक्री पिछले महीने से ज़्यादा"
    return None
