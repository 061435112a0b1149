"""Which products give their buyers trouble, and who owns one? As each cutoff knew it."""

# ruff: noqa: S608  the SQL is made of our own names and whole numbers

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from features.cutoffs import DAY_US, Grid
from features.facts import timed_sql
from records.events import EventLog

if TYPE_CHECKING:
    import duckdb

TROUBLE_DAYS = 30
"""A purchase was troubled if its buyer opened a ticket about the product, or none named, within so many days."""

BUYERS_DAYS = 180
PRIOR_BUYERS = 10
"""A product's rate is drawn towards the rate of all products as if so many average buyers more had bought it."""

MANY_ISSUES = 1.25
"""A product has many issues if its rate is so many times that of all products."""

COUNTS = ("product_kinds", "product_top", "product_orders", "product_logs")
FACTS = (*COUNTS, "trouble_worst", "trouble_worst_90", "trouble_bought_us", "trouble_delivered_us")


def stage_purchases(con: duckdb.DuckDBPyConnection, log: EventLog, grid: Grid) -> None:
    """Make table `purchases`: of all customers, purchases by product, day, day known, and day the trouble was known."""
    timed = timed_sql(log, grid)
    con.execute(
        f"""create or replace temp table purchases as
        with bought as (
            select event_id, customer_id, product, us, day, known_day from {timed}
            where name = 'order_completed' and product is not null
        ), helped as (
            select customer_id, product, us, known_day from {timed} where name = 'support_ticket_opened'
        ), one as (
            select b.event_id, any_value(b.product) as product, any_value(b.day) as day,
                any_value(b.known_day) as known_day, min(h.known_day) as trouble_day
            from bought b left join helped h on b.customer_id = h.customer_id and h.us >= b.us
                and h.us < b.us + {TROUBLE_DAYS * DAY_US} and (h.product is null or h.product = b.product)
            group by b.event_id
        )
        select product, day, known_day, trouble_day, count(*)::integer as n from one group by all"""
    )


def trouble_rates(purchases: Any, cutoffs: Any) -> Any:
    """One row per product and cutoff: the share of its buyers who needed help, and whether that is many."""
    import ibis

    seen = purchases.join(cutoffs, purchases.known_day < cutoffs.cutoff_day)
    seen = seen.filter(seen.cutoff_day - seen.day <= BUYERS_DAYS)
    troubled = ibis.ifelse(seen.trouble_day < seen.cutoff_day, seen.n, 0).fill_null(0)
    one = (
        seen.mutate(troubled=troubled)
        .group_by("product", "cutoff_day")
        .agg(buyers=lambda t: t.n.sum().cast("int32"), troubled=lambda t: t.troubled.sum().cast("int32"))
    )
    everyone = ibis.window(group_by="cutoff_day")
    overall = one.troubled.sum().over(everyone).cast("float64") / one.buyers.sum().over(everyone).cast("float64")
    one = one.mutate(overall=overall)
    rate = (one.troubled.cast("float64") + PRIOR_BUYERS * one.overall) / (one.buyers + PRIOR_BUYERS).cast("float64")
    one = one.mutate(rate=rate)
    return one.select("product", "cutoff_day", "rate", many=(one.rate >= MANY_ISSUES * one.overall) & (one.overall > 0))


def owned_rows(events: Any) -> Any:
    """One row per purchase or delivery of a named product."""
    kept = events.filter(events.name.isin(["order_completed", "order_delivered"]) & events["product"].notnull())
    return kept.select("code", "product", "us", "day", "known_day", bought=kept.name == "order_completed")


def owned(rows: Any, rates: Any, cutoffs: Any, ages: Any, oldest: int) -> Any:
    """One row per customer and cutoff: variety of what they bought, and the trouble it may give."""
    import ibis

    seen = rows.join(cutoffs, rows.known_day < cutoffs.cutoff_day)
    recent = seen.bought & (seen.cutoff_day - seen.day <= 90)
    one = seen.group_by("code", "cutoff_day", "product").agg(
        n=seen.bought.sum().cast("int32"),
        recent=recent.max(),
        bought_us=seen.us.max(where=seen.bought),
        delivered_us=seen.us.max(where=~seen.bought),
    )
    one = one.left_join(rates, ["product", "cutoff_day"]).drop("product_right", "cutoff_day_right")
    one = one.mutate(age=ibis.least(one.n, oldest)).left_join(ages.select("age", "log_parts"), "age")
    bought = one.n > 0
    return one.group_by("code", "cutoff_day").agg(
        product_kinds=bought.sum().cast("int32"),
        product_top=one.n.max(),
        product_orders=one.n.sum().cast("int32"),
        product_logs=(one.n * one.log_parts.fill_null(0)).sum().cast("int64"),
        trouble_worst=one.rate.max(where=bought),
        trouble_worst_90=one.rate.max(where=one.recent),
        trouble_bought_us=one.bought_us.max(where=one.many),
        trouble_delivered_us=one.delivered_us.max(where=one.many),
    )
