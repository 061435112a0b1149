"""Peers: do they come as often as others did when they had been known for as long?

How many days in thirty customers are active falls or rises with their age. The curve is fitted on the log before a
moment, over customers who lived through each thirty days of their life by then, and stored with the model.
"""

# ruff: noqa: S608  the SQL is made of our own names and whole numbers

from __future__ import annotations

from datetime import datetime
from functools import partial

import numpy as np

from features.cutoffs import DAY_US, microseconds
from features.derived import Arrays, Derived
from features.signal import Columns, Measure, Row, Signal, ratio
from records.events import EventLog

SPAN = 30
MOST_SPANS = 36
FEWEST_PEERS = 30
MOST_CUSTOMERS = 5_000
"""More customers than that are represented by those with the smallest MD5 of their id."""

MEASURES: tuple[Measure, ...] = ()

Curve = tuple[float, ...]
"""Mean active days in the first, second, third … thirty days of a customer's life."""

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
    """Which signals compare a customer with others of their age?"""
    others = "than customers known for as long had on average"
    return (
        _signal(
            name="active_days_30d_less_peers",
            question=f"How many more active days in 30 {others}, between two points of the fitted curve?",
            unit="days",
            value=lambda t: t.active_days_30.cast("float64") - t.peers_active_days_30,
            say=_beside_others,
        ),
        _signal(
            name="active_days_30d_to_peers",
            question=f"How many times as many active days in 30 {others}, between two points of the fitted curve?",
            unit="ratio",
            value=_to_peers,
        ),
    )


def _to_peers(t: Columns) -> object:
    return ratio(t.active_days_30, t.peers_active_days_30)


def _beside_others(value: float, row: Row) -> tuple[str, str] | None:
    days = row.get("active_days_30d")
    if days is None or abs(value) < 1:
        return None
    one, other = round(days), round(days - value)
    unit = "day" if one == 1 else "days"
    return f"Active {one} {unit} of 30; others at this stage {other}", f"30 में से {one} दिन आए; इस दौर में बाक़ी {other} दिन"
