"""The slow reference of purchases, of the model of buying, of products and of the trouble they give."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import pandas as pd
from reference_seen import (
    DAY,
    Everyone,
    Seen,
    Values,
    amount,
    chosen,
    given,
    half_year,
    number,
    own_clock,
    ratio,
    total,
    true,
    weeks,
    windows,
)
from scipy.integrate import quad


def purchases(seen: Seen) -> Values:
    orders = seen.named("order_completed")
    rows = orders.to_dict("records")
    ages = seen.ages(orders)
    tenure = seen.since_first(orders)
    value_90, value = (ratio(total(events), len(events)) for events in (seen.within(orders, 90), orders))
    decays = {half_life: seen.decayed(orders, half_life) for half_life in (30, 90, 180)}
    year = seen.within(orders, 365)
    refunds = chosen(orders, lambda event: (amount(event) or 0) < 0)
    return {
        "days_since_last_order": seen.since_last(orders),
        "days_since_first_order": tenure,
        "mean_age_of_order_days": ratio(sum(ages), len(ages)),
        "last_order_to_first_order": ratio((max(orders.occurred_at) - min(orders.occurred_at)) / DAY, tenure)
        if rows
        else None,
        **windows(seen, orders, "orders_{}d", (14, 30, 60, 90, 180, 365)),
        "orders_ever": len(rows),
        "order_days_ever": len(ages),
        "orders_per_30d_of_tenure": seen.tenure_30(orders),
        **{f"order_days_week_{number}": weeks(seen, orders)[number - 1] for number in (2, 3, 4)},
        "order_days_change_half_year": half_year(seen, orders),
        "refund_share_365d": ratio(seen.count(refunds, 365), len(year)),
        "days_since_refund": seen.since_last(refunds),
        "spent_change_90d": 2 * total(seen.within(orders, 90)) - total(seen.within(orders, 180)),
        "spent_per_30d_of_tenure": 30.0 * total(seen.within(orders, 90)) / min(max(seen.known_days(), 1.0), 90.0),
        **{f"order_days_decayed_{half_life}d": decay for half_life, decay in decays.items()},
        "order_days_per_90d_of_tenure": None if tenure is None else 90.0 * len(ages) / max(tenure, 30.0),
        **{f"spent_{window}d": total(seen.within(orders, window)) for window in (30, 90, 365)},
        "spent_ever": total(orders),
        "mean_order_value": value,
        "order_value_90d_to_ever": ratio(value_90, value),
        "refunds_180d": seen.count(refunds, 180),
        "items_per_order": ratio(sum(items(event) for event in rows), len(rows)),
        "items_90d": sum(items(event) for event in seen.within(orders, 90).to_dict("records")),
        "coupon_share_365d": ratio(sum(true(event, "coupon") for event in year.to_dict("records")), len(year)),
        "orders_change_30d": seen.change(orders, 30),
        "orders_change_90d": seen.change(orders, 90),
        "orders_30_to_90": ratio(decays[30], decays[90]),
        "orders_30_to_180": ratio(decays[30], decays[180]),
        **own_clock(seen, orders, "order", "orders"),
    }


def items(event: dict[str, Any]) -> float:
    """How many items has an order? A number or a list under `items`, else a number under `quantity`, else one."""
    listed = given(event, "items")
    if isinstance(listed, list):
        return len(listed)
    return number(event, "items" if listed is not None else "quantity", 1.0)


def buying(seen: Seen) -> Values:
    """The Pareto/NBD model by integrating the moment of death away, numerically."""
    names = ("btyd_p_alive", "btyd_expected_orders", "btyd_no_order_probability")
    orders, model = seen.named("order_completed"), seen.fitted.purchases
    if model is None or orders.empty:
        return dict.fromkeys(names)
    r, alpha, s, beta = model.r, model.alpha, model.s, model.beta
    x = len(seen.ages(orders)) - 1
    first, last = min(orders.occurred_at), max(orders.occurred_at)
    t_x, observed = ((last - first) / DAY if x else 0.0), (seen.cutoff - first) / DAY
    horizon = seen.fitted.horizon_days

    def dying(rate: float, shape: float, death: float, upto: float, since: float = 0.0) -> float:
        """Likelihood of dying between two moments and buying nothing from the last purchase on, up to a factor."""
        density = lambda t: (rate + t) ** -shape * s * death**s * (death + t) ** (-s - 1)  # noqa: E731
        return float(quad(density, since, upto, epsabs=0.0, epsrel=1e-12, limit=500)[0])

    living = (alpha + observed) ** -(r + x) * (beta / (beta + observed)) ** s
    alive = living / (living + dying(alpha, r + x, beta, observed, t_x))
    later, then, there = r + x, alpha + observed, beta + observed
    lived = quad(lambda u: (there / (there + u)) ** s, 0.0, horizon, epsabs=0.0, epsrel=1e-12)[0]
    quiet = (then / (then + horizon)) ** later * (there / (there + horizon)) ** s
    quiet += then**later * dying(then, later, there, horizon)
    return dict(zip(names, (alive, alive * later / then * lived, 1.0 - alive * (1.0 - quiet)), strict=True))


def products(seen: Seen) -> Values:
    named = chosen(seen.events, lambda event: isinstance(event["product"], str))
    bought = chosen(named, lambda event: event["name"] == "order_completed")
    delivered = chosen(named, lambda event: event["name"] == "order_delivered")
    counts = bought["product"].value_counts()
    orders = int(counts.sum())
    rates, average = trouble(seen.everyone)
    bought_90 = seen.within(bought, 90)
    before = set(bought["product"].drop(bought_90.index))
    sold = sales_trends(seen.everyone)
    trends = [sold[product] for product in bought_90["product"] if product in sold]
    many = {product for product, rate in rates.items() if average > 0 and rate >= 1.25 * average}
    recent = {product for product in seen.within(bought, 90)["product"] if product in rates}
    return {
        "products_ever": len(counts),
        "top_product_share": ratio(int(counts.max()) if orders else None, orders),
        "repeat_share": ratio(orders - len(counts), orders),
        "product_entropy": -sum(n / orders * math.log(n / orders) for n in counts) if orders else None,
        "new_products_90d": len(set(bought_90["product"]) - before),
        "new_product_share_90d": ratio(len(set(bought_90["product"]) - before), bought_90["product"].nunique()),
        "product_sales_trend": ratio(sum(trends), len(trends)),
        "worst_trouble_rate_90d": max((rates[product] for product in recent), default=None),
        "worst_trouble_rate_ever": max((rates[p] for p in counts.index if p in rates), default=None),
        "days_since_troubled_product": seen.since_last(chosen(bought, lambda event: event["product"] in many)),
        "days_since_troubled_delivery": seen.since_last(chosen(delivered, lambda event: event["product"] in many)),
    }


@lru_cache(maxsize=2)
def trouble(everyone: Everyone) -> tuple[dict[str, float], float]:
    """Of the purchases of 180 days by all customers: what share of each product's, and of all, was followed within 30
    days by a ticket about it or about nothing named? A product's rate is drawn to the average by ten average buyers."""
    bought = everyone.named("order_completed")
    bought = bought[(bought.occurred_at >= everyone.cutoff - 180 * DAY) & bought["product"].notna()]
    opened = everyone.by_customer("support_ticket_opened")
    troubled = [
        any(about(ticket, purchase) for ticket in opened.get(purchase["customer_id"], ()))
        for purchase in bought.to_dict("records")
    ]
    if not troubled:
        return {}, 0.0
    average = sum(troubled) / len(troubled)
    by_product = pd.DataFrame({"product": bought["product"].to_numpy(), "troubled": troubled}).groupby("product")
    return {
        str(product): (float(rows.troubled.sum()) + 10 * average) / (len(rows) + 10) for product, rows in by_product
    }, average


@lru_cache(maxsize=2)
def sales_trends(everyone: Everyone) -> dict[str, float]:
    """Per product sold in 56 days: sales of 28 days less those of the 28 before, over their sum."""
    bought = everyone.named("order_completed")
    lately, twice = (
        bought[bought.occurred_at >= everyone.cutoff - days * DAY]["product"].dropna().value_counts()
        for days in (28, 56)
    )
    return {product: (2 * int(lately.get(product, 0)) - count) / count for product, count in twice.items()}


def about(ticket: dict[str, Any], purchase: dict[str, Any]) -> bool:
    """Did the buyer ask for help about this purchase?"""
    at: datetime = purchase["occurred_at"]
    in_time = at <= ticket["occurred_at"] < at + timedelta(days=30)
    return in_time and (not isinstance(ticket["product"], str) or ticket["product"] == purchase["product"])
