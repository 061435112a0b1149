"""Which products give their buyers trouble, and who owns one? As each cutoff knew it."""

from __future__ import annotations

from typing import Any

from features.cutoffs import DAY_US, OLDEST_AGE
from features.step import Step

TROUBLE_DAYS = 30
"""A purchase was troubled if its buyer opened a ticket about the product, or none named, within so many days."""

BUYERS_DAYS = 180
PRIOR_BUYERS = 10
"""A product's rate is drawn towards the rate of all products as if so many average buyers more had bought it."""

MANY_ISSUES = 1.25
"""A product has many issues if its rate is so many times that of all products."""

TREND_PARTS = 1 << 20
SELLING_DAYS = 28
"""A product's sales of so many days are held against those of as many days before."""

BOUGHT, DELIVERED, HELPED = "order_completed", "order_delivered", "support_ticket_opened"


def product_rows(events: Any) -> Any:
    """One row per purchase or delivery of a named product, and per ticket."""
    kept = events.filter((events.name == HELPED) | events["product"].notnull())
    return kept.select(
        "code", "product", "us", "day", "known_day", bought=kept.name == BOUGHT, helped=kept.name == HELPED
    )


def troubled_purchases(rows: Any) -> Any:
    """Of all customers, purchases by product, day, day known, and day the trouble was known."""
    bought = rows.filter(rows.bought)
    bought = bought.group_by("code", "product", "us", "day", "known_day").agg(n=bought.count())
    helped = rows.filter(rows.helped)
    helped = helped.select(
        helper=helped.code, about=helped["product"], helped_us=helped.us, helped_day=helped.known_day
    )
    one = bought.left_join(
        helped,
        [
            bought.code == helped.helper,
            helped.helped_us >= bought.us,
            helped.helped_us < bought.us + TROUBLE_DAYS * DAY_US,
            helped.about.isnull() | (helped.about == bought["product"]),
        ],
    )
    one = one.group_by("code", "product", "us", "day", "known_day", "n").agg(trouble_day=one.helped_day.min())
    return one.group_by("product", "day", "known_day", "trouble_day").agg(n=one.n.sum().cast("int32"))


def trouble_rates(rows: Any, cutoffs: Any, ages: Any) -> Any:
    """One row per product and cutoff: what share of its buyers needed help, is that many, and how does it sell?"""
    import ibis

    purchases = troubled_purchases(rows)
    seen = purchases.join(cutoffs, purchases.known_day < cutoffs.cutoff_day)
    seen = seen.filter(seen.cutoff_day - seen.day <= BUYERS_DAYS)
    troubled = ibis.ifelse(seen.trouble_day < seen.cutoff_day, seen.n, 0).fill_null(0)
    one = (
        seen.mutate(troubled=troubled)
        .group_by("product", "cutoff_day")
        .agg(
            buyers=lambda t: t.n.sum().cast("int32"),
            troubled=lambda t: t.troubled.sum().cast("int32"),
            sold=lambda t: t.n.sum(where=t.cutoff_day - t.day <= SELLING_DAYS).fill_null(0).cast("int32"),
            sold_twice=lambda t: t.n.sum(where=t.cutoff_day - t.day <= 2 * SELLING_DAYS).cast("int32"),
        )
    )
    everyone = ibis.window(group_by="cutoff_day")
    overall = one.troubled.sum().over(everyone).cast("float64") / one.buyers.sum().over(everyone).cast("float64")
    one = one.mutate(overall=overall)
    rate = (one.troubled.cast("float64") + PRIOR_BUYERS * one.overall) / (one.buyers + PRIOR_BUYERS).cast("float64")
    one = one.mutate(rate=rate)
    # From -1, nothing sold lately, to 1, nothing sold before; in whole parts, whose sums are exact.
    trend = (2 * one.sold - one.sold_twice).cast("float64") / one.sold_twice.cast("float64").nullif(0.0)
    return one.select(
        "product",
        "cutoff_day",
        "rate",
        many=(one.rate >= MANY_ISSUES * one.overall) & (one.overall > 0),
        trend=(trend * TREND_PARTS).round().cast("int64"),
    )


def owned(rows: Any, cutoffs: Any, ages: Any, rates: Any) -> Any:
    """One row per customer and cutoff: variety of what they bought, and the trouble it may give."""
    import ibis

    rows = rows.filter(~rows.helped)
    seen = rows.join(cutoffs, rows.known_day < cutoffs.cutoff_day)
    recent = seen.bought & (seen.cutoff_day - seen.day <= 90)
    one = seen.group_by("code", "cutoff_day", "product").agg(
        n=seen.bought.sum().cast("int32"),
        recent=recent.max(),
        lately=recent.sum().cast("int32"),
        first_day=seen.day.min(where=seen.bought),
        bought_us=seen.us.max(where=seen.bought),
        delivered_us=seen.us.max(where=~seen.bought),
    )
    one = one.left_join(rates, ["product", "cutoff_day"]).drop("product_right", "cutoff_day_right")
    one = one.mutate(age=ibis.least(one.n, OLDEST_AGE)).left_join(ages.select("age", "log_parts"), "age")
    bought = one.n > 0
    return one.group_by("code", "cutoff_day").agg(
        product_kinds=bought.sum().cast("int32"),
        product_top=one.n.max(),
        product_orders=one.n.sum().cast("int32"),
        product_logs=(one.n * one.log_parts.fill_null(0)).sum().cast("int64"),
        product_kinds_90=one.recent.sum().cast("int32"),
        product_new_90=(bought & (one.cutoff_day - one.first_day <= 90)).sum().cast("int32"),
        product_trends=(one.lately * one.trend).sum().cast("int64"),
        product_trended=one.lately.sum(where=one.trend.notnull()).cast("int32"),
        trouble_worst=one.rate.max(where=bought),
        trouble_worst_90=one.rate.max(where=one.recent),
        trouble_bought_us=one.bought_us.max(where=one.many),
        trouble_delivered_us=one.delivered_us.max(where=one.many),
    )


STEPS = (
    Step(
        name="owned",
        events=(BOUGHT, DELIVERED, HELPED),
        rows=product_rows,
        everyone=trouble_rates,
        at=owned,
        counts=(
            "product_kinds",
            "product_top",
            "product_orders",
            "product_logs",
            "product_kinds_90",
            "product_new_90",
            "product_trends",
            "product_trended",
        ),
        values=("trouble_worst", "trouble_worst_90", "trouble_bought_us", "trouble_delivered_us"),
    ),
)
