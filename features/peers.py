"""Peers: how do others of their age fare, and others with their product who began with them?

How many days in thirty customers are active falls or rises with their age. The curve is fitted on the log before a
moment, over customers who lived through each thirty days of their life by then, and stored with the model.
What is said of product and start is counted at each cutoff: `features/cohorts.py`.
"""

# ruff: noqa: S608  the SQL is made of our own names and whole numbers

from __future__ import annotations

from datetime import datetime
from functools import partial

import numpy as np

from features.cutoffs import DAY_US, microseconds
from features.derived import Arrays, Derived
from features.phrases import plain, share
from features.signal import Columns, Measure, Row, Signal, column, days_between, days_since, ratio
from records.events import EventLog

SPAN = 30
MOST_SPANS = 36
FEWEST_PEERS = 30
MOST_CUSTOMERS = 5_000
"""More customers than that are represented by those with the smallest MD5 of their id."""

MEASURES: tuple[Measure, ...] = ()

Curve = tuple[float, ...]
"""Mean active days in the first, second, third … thirty days of a customer's life."""

PEERS = "those who have their product and began in the same four weeks"
FEW = "null: fewer than 30 of them, and of all with the product"

_signal = partial(Signal, family="peers", group="peers", no_data="null: too few customers to fit")


def fit_curve(log: EventLog, until: datetime) -> Curve:
    """On how many days of each thirty of their life were customers active? As far as thirty customers lived by then."""
    from features.facts import passive_sql  # which itself reads what is fitted

    end, relation = microseconds(until), log.relation_sql(until)
    with log.connection() as con:
        rows = con.execute(
            f"""with mine as (
                select customer_id, min(greatest(epoch_us(occurred_at), epoch_us(received_at))) as first_us
                from {relation} group by customer_id order by md5(customer_id), customer_id limit {MOST_CUSTOMERS}
            ), days as (
                select distinct customer_id, first_us, (epoch_us(occurred_at) - first_us) // {DAY_US} as day
                from {relation} join mine using (customer_id)
                where epoch_us(occurred_at) >= first_us and not ({passive_sql()})
            ), spans as (select unnest(range({MOST_SPANS})) as span)
            select span, (select count(*) from mine where first_us + (span + 1) * {SPAN * DAY_US} <= {end}),
                (select count(*) from days where day // {SPAN} = span
                    and first_us + (span + 1) * {SPAN * DAY_US} <= {end})
            from spans order by span"""
        ).fetchall()
    curve: list[float] = []
    for _, peers, days in rows:
        if peers < FEWEST_PEERS:
            break
        curve.append(days / peers)
    return tuple(curve)


def derived(curve: Curve) -> Derived:
    """What is to be expected of a customer of this age in the last thirty days, between two points of the curve?"""

    def make(facts: Arrays) -> Arrays:
        age = (facts["cutoff_us"] - facts["known_us"]) / (SPAN * DAY_US)
        if not curve:
            return {"peers_active_days_30": np.full(len(age), np.nan)}
        points = np.asarray((0.0, *curve))
        whole = np.floor(age).astype(np.int64)
        part = age - whole
        low, high = (points[np.minimum(whole + more, len(curve))] for more in (0, 1))
        return {"peers_active_days_30": low * (1.0 - part) + high * part}

    return Derived(name="peers", reads=("known_us", "cutoff_us"), makes=("peers_active_days_30",), make=make)


def signals() -> tuple[Signal, ...]:
    """Which signals compare a customer with others, of their age or of their product and start?"""
    others = "customers known for as long had on average"
    return (
        _signal(
            name="active_days_30d_less_peers",
            question=f"How many more active days in 30 than {others}, between two points of the fitted curve?",
            unit="days",
            value=lambda t: t.active_days_30.cast("float64") - t.peers_active_days_30,
            say=_beside_others,
        ),
        _signal(
            name="active_days_30d_to_peers",
            question=f"How many times as many active days in 30 as {others}, between two points of the fitted curve?",
            unit="ratio",
            value=_to_peers,
        ),
        *_product(),
        *_fate(),
        *_ranks(),
    )


def _product() -> list[Signal]:
    product = partial(Signal, family="peers", group="tenure")
    return [
        product(
            name="days_since_product_began",
            question="How long ago did they begin with the product they have now (if none is known: were first seen)?",
            unit="days",
            no_data="never null",
            value=lambda t: days_between(t.cutoff_us, t.begun_us.fill_null(t.known_us)),
            say=plain("Began {d} days ago", "{d} दिन पहले शुरू किया"),
        ),
        product(
            name="days_since_product_event",
            question="How long ago was the last event that began or renewed a product of theirs?",
            unit="days",
            no_data="null: never",
            value=days_since("lifecycle_us"),
        ),
        product(
            name="products_begun_ever",
            question="How many different products have they begun?",
            unit="products",
            no_data="0",
            group="variety",
            value=lambda t: t.products_begun.fill_null(0),
        ),
        product(
            name="days_since_product_peers_began",
            question="How many days ago, by the calendar (UTC), had half of those with their product begun?",
            unit="days",
            no_data=FEW,
            value=column("cohort_begun_days"),
        ),
        product(
            name="days_began_after_product_peers",
            question="How many days later than half of those with their product did they begin?",
            unit="days",
            no_data=FEW,
            group="peers_start",
            say=_began_later,
            value=lambda t: t.cohort_begun_days - days_between(t.cutoff_us, t.begun_us.fill_null(t.known_us)),
        ),
    ]


def _fate() -> list[Signal]:
    fate = partial(Signal, family="peers", unit="share", no_data=FEW, group="peers_fate")
    return [
        fate(
            name="peers_left_share",
            question=f"What share of {PEERS} have left, or been silent for a horizon if no event says so?",
            value=column("cohort_left_share"),
            say=plain("{p}% of those who began with them have left", "साथ शुरू करने वालों में से {p}% छोड़ चुके"),
        ),
        fate(
            name="peers_active_share_14d",
            question=f"What share of {PEERS} and are still here were active in the last 14 days?",
            value=column("cohort_lately_share"),
            group="peers_activity",
            say=plain("{p}% of those who began with them still come", "साथ शुरू करने वालों में से {p}% अब भी आते हैं"),
        ),
        fate(
            name="peers_gone_by_this_age",
            question="Of those who had the product and left: what share, halves of equals, had left by this age?",
            no_data="null: fewer than 30 left, of any product",
            value=column("cohort_usual_length"),
        ),
        fate(
            name="peers_ahead_left_share",
            question=(
                "What share of those with the product who came to this age left within a horizon, by its life table, "
                "drawn towards that of all products?"
            ),
            no_data="never null",
            value=column("cohort_leaving_ahead"),
            say=plain("{p}% of others at this stage left", "इस दौर में {p}% लोग छोड़ देते हैं"),
        ),
    ]


def _ranks() -> list[Signal]:
    of_fact = {
        "active_days_7": ("active_days_7d", "active days in 7"),
        "active_days_30": ("active_days_30d", "active days in 30"),
        "events_30": ("activities_30d", "activities in 30 days"),
        "spent_90": ("spend_90d", "spend in 90 days"),
    }
    rank = partial(Signal, family="peers", group="peers", no_data=FEW)
    return [
        *(
            rank(
                name=f"{name}_rank_of_peers",
                question=f"What share of {PEERS} and are still here have fewer {what}, halves of equals?",
                unit="share",
                needs=("order_completed",) if fact == "spent_90" else (),
                value=column(f"cohort_{fact}_rank"),
                say=_below_others if fact == "active_days_30" else None,
            )
            for fact, (name, what) in of_fact.items()
        ),
        *(
            rank(
                name=f"{of_fact[fact][0]}_to_peers_mean",
                question=f"How many times as many {of_fact[fact][1]} as {PEERS} and are still here on average?",
                unit="ratio",
                value=partial(_to_mean, fact),
            )
            for fact in ("active_days_30", "events_30")
        ),
    ]


def _to_mean(fact: str, t: Columns) -> object:
    return ratio(getattr(t, fact), getattr(t, f"cohort_{fact}_mean"))


def _began_later(value: float, row: Row) -> tuple[str, str] | None:
    if round(value) < 2:
        return None
    return plain("Began {d} days later than most with their product", "बाक़ियों से {d} दिन बाद शुरू किया")(value, row)


def _below_others(value: float, row: Row) -> tuple[str, str] | None:
    if value > 0.25:
        return None
    return f"Less active than {share(1 - value)}% who began with them", f"साथ शुरू करने वाले {share(1 - value)}% से कम सक्रिय"


def _to_peers(t: Columns) -> object:
    return ratio(t.active_days_30, t.peers_active_days_30)


def _beside_others(value: float, row: Row) -> tuple[str, str] | None:
    days = row.get("active_days_30d")
    if days is None or abs(value) < 1:
        return None
    one, other = round(days), round(days - value)
    unit = "day" if one == 1 else "days"
    return f"Active {one} {unit} of 30; others at this stage {other}", f"30 में से {one} दिन आए; इस दौर में बाक़ी {other} दिन"
