"""What speaks for each topic, for each customer, at a cutoff? One row of numbers per customer × topic.

The customer's own contacts (fading), what everybody asks about lately and in all, which topic follows which, and what
lately happened to the customer: for every kind of event, product and property the log knows, how much more often
its owners asked about the topic within the next horizon. All of it is counted before the cutoff, none of it is stored.
"""

# ruff: noqa: S608  the SQL is made of our own names; settings and topics are quoted
from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.cutoffs import DAY_US, microseconds
from training.evaluation import Floats
from training.labels import IssueOptions, instant, named
from training.populations import literal

if TYPE_CHECKING:
    import pyarrow as pa

    from records.events import EventLog

NAMES = (
    "own_fading_30", "own_fading_180", "own_share", "own_count", "days_since_own", "is_last",
    "popular_all", "popular_28", "popular_7", "rank_all",
    "after_last", "after_history", "happened_most", "happened_least", "happened_sum",
    "contacts", "contacts_fading_30", "days_since_contact",
)  # fmt: skip
# What happened in the last days, and in the weeks before: a fault shows within days, a bill within weeks.
NEAR_DAYS, FAR_DAYS = 7, 30
# A trace that fewer customers share than this says nothing; and so many customers' worth of the average is mixed in.
FEWEST_OWNERS, PRIOR_OWNERS = 30, 40
# How many horizons back the traces are judged by what followed them.
LOOK_BACK = 3
# One observation's worth of popularity is mixed into transitions so often.
PRIOR_TRANSITIONS = 8.0


def known_topics(log: EventLog, issues: IssueOptions, until: datetime) -> tuple[str, ...]:
    """Every topic named before `until`, sorted. Empty where the log has none. Null is unknown, never a topic."""
    with log.connection() as connection:
        rows = connection.execute(f"""
            select distinct topic from {log.relation_sql(until)}
            where {named([issues.event])} and topic is not null and topic <> '' order by topic""").fetchall()
    return tuple(row[0] for row in rows)


class TopicSignals:
    """Computes the rows. Reads contacts once; `at` looks only at what was known before its cutoff."""

    def __init__(
        self, log: EventLog, issues: IssueOptions, topics: Sequence[str], until: datetime, threads: int = 2
    ) -> None:
        self.log, self.issues, self.topics = log, issues, tuple(topics)
        self.connection = log.connection(threads=threads)
        self.traced: set[datetime] = set()
        contacts = self.connection.sql(f"""
            select customer_id, topic, epoch_us(occurred_at) as occurred, epoch_us(received_at) as received
            from {log.relation_sql(until)}
            where {named([issues.event])} and topic is not null
            order by customer_id, occurred_at, event_id""").to_arrow_table()
        codes = {topic: code for code, topic in enumerate(self.topics)}
        topic = np.array([codes.get(name, -1) for name in contacts.column("topic").to_pylist()], dtype=np.int64)
        kept = topic >= 0
        self.topic = topic[kept]
        self.customer = contacts.column("customer_id").combine_chunks().filter(arrow(kept))
        self.occurred = contacts.column("occurred").to_numpy()[kept]
        self.received = contacts.column("received").to_numpy()[kept]

    def seen_before(self, cutoff: datetime) -> set[str]:
        """Everybody with an event known before the cutoff."""
        query = f"select distinct customer_id from {self.log.relation_sql(cutoff)}"
        return {row[0] for row in self.connection.execute(query).fetchall()}

    def at(self, cutoff: datetime, customers: pa.Array[Any]) -> Floats:
        """customers × topics × signals as of the cutoff."""
        import pyarrow.compute as pc

        k, rows = len(self.topics), len(customers)
        found = np.zeros((rows, k, len(NAMES)))
        if not k or not rows:
            return found
        at = microseconds(cutoff)
        known = (self.occurred < at) & (self.received < at)
        owner = pc.fill_null(pc.index_in(self.customer.filter(arrow(known)), value_set=customers), -1).to_numpy()
        topic, age = self.topic[known], (at - self.occurred[known]) / DAY_US
        popular = popularity(topic, age, k)
        self.fill_own(found, owner, topic, age)
        for name, shares in zip(("popular_all", "popular_28", "popular_7"), popular, strict=True):
            found[:, :, NAMES.index(name)] = np.log(shares)
        found[:, :, NAMES.index("rank_all")] = np.argsort(np.argsort(-popular[0], kind="stable"), kind="stable")
        follows = transitions(self.customer.filter(arrow(known)), topic, popular[1])
        self.fill_transitions(found, owner, topic, age, follows, popular[1])
        self.fill_happened(found, cutoff, customers)
        return found

    def fill_own(self, found: Floats, owner: NDArray[np.int64], topic: NDArray[np.int64], age: Floats) -> None:
        """The customer's own contacts, about this topic and about any."""
        rows, k, _ = found.shape
        mine = owner >= 0
        cell, days = owner[mine] * k + topic[mine], age[mine]

        def summed(weights: Floats) -> Floats:
            sums = np.bincount(cell, weights=weights, minlength=rows * k).reshape(rows, k)
            return np.asarray(sums, dtype=np.float64)

        fading_30, fading_180 = summed(np.exp2(-days / 30)), summed(np.exp2(-days / 180))
        count = summed(np.ones(len(days)))
        latest = np.full(rows * k, np.inf)
        np.minimum.at(latest, cell, days)
        since = latest.reshape(rows, k)
        since_any = since.min(axis=1, keepdims=True)
        share = fading_180 / (fading_180.sum(axis=1, keepdims=True) + 1.0)
        values = {
            "own_fading_30": fading_30,
            "own_fading_180": fading_180,
            "own_share": share,
            "own_count": count,
            "days_since_own": np.where(np.isinf(since), np.nan, since),
            "is_last": (since == since_any) & np.isfinite(since),
            "contacts": count.sum(axis=1, keepdims=True),
            "contacts_fading_30": fading_30.sum(axis=1, keepdims=True),
            "days_since_contact": np.where(np.isinf(since_any), np.nan, since_any),
        }
        for name, value in values.items():
            found[:, :, NAMES.index(name)] = value

    def fill_transitions(
        self,
        found: Floats,
        owner: NDArray[np.int64],
        topic: NDArray[np.int64],
        age: Floats,
        follows: Floats,
        popular: Floats,
    ) -> None:
        """What usually follows the last topic, and what follows the whole history (half-life 60 days)."""
        rows, k, _ = found.shape
        mine = owner >= 0
        weight = np.bincount(owner[mine] * k + topic[mine], weights=np.exp2(-age[mine] / 60), minlength=rows * k)
        weight = weight.reshape(rows, k)
        # Half an old contact's worth of popularity: who never asked is expected to ask what everybody asks.
        history = (weight @ follows + 0.5 * popular) / (weight.sum(axis=1, keepdims=True) + 0.5)
        last = found[:, :, NAMES.index("is_last")]
        last_sum = last.sum(axis=1, keepdims=True)
        after = np.where(last_sum > 0, (last @ follows) / np.maximum(last_sum, 1), popular)
        found[:, :, NAMES.index("after_last")] = np.log(after)
        found[:, :, NAMES.index("after_history")] = np.log(history)

    def fill_happened(self, found: Floats, cutoff: datetime, customers: pa.Array[Any]) -> None:
        """What lately happened to the customer, judged by what those before them asked after the same."""
        import pyarrow as pa
        import pyarrow.compute as pc

        past = [cutoff - number * self.issues.horizon for number in range(1, LOOK_BACK + 1)]
        for moment in (cutoff, *past):
            self.trace(moment)
        self.connection.register("asked", pa.table({"customer_id": customers}))
        rows = self.connection.sql(lift_sql(self, cutoff, past)).to_arrow_table()
        self.connection.unregister("asked")
        owner = pc.index_in(rows.column("customer_id").combine_chunks(), value_set=customers).to_numpy()
        topic = pc.index_in(rows.column("topic").combine_chunks(), value_set=pa.array(self.topics)).to_numpy()
        for name in ("happened_most", "happened_least", "happened_sum"):
            found[owner, topic, NAMES.index(name)] = rows.column(name).to_numpy() / 1e6

    def trace(self, moment: datetime) -> None:
        """Keeps who owned which traces at a moment: "7 payment_failed", "30 order_delivered|airfiber_router", …"""
        if moment in self.traced:
            return
        traces = trace_sql(self.log, self.issues, moment)
        self.connection.execute(f"create temp table {trace_table(moment)} as {traces}")
        self.traced.add(moment)


def arrow(mask: NDArray[np.bool_]) -> pa.BooleanArray:
    import pyarrow as pa

    return pa.array(mask)


def trace_table(moment: datetime) -> str:
    return f"traces_{microseconds(moment)}".replace("-", "minus")


def popularity(topic: NDArray[np.int64], age: Floats, k: int) -> tuple[Floats, Floats, Floats]:
    """Shares of the topics in all contacts, of 28 days and of 7; the shorter lean on the longer where thin."""
    overall = (np.bincount(topic, minlength=k) + 1.0) / (len(topic) + k)
    month = (np.bincount(topic[age <= 28], minlength=k) + 10 * overall) / ((age <= 28).sum() + 10)
    week = (np.bincount(topic[age <= 7], minlength=k) + 10 * month) / ((age <= 7).sum() + 10)
    return overall, month, week


def transitions(customer: pa.Array[Any], topic: NDArray[np.int64], popular: Floats) -> Floats:
    """Row i: what the next contact of somebody who asked about topic i is about. Smoothed towards popularity."""
    k = len(popular)
    codes: NDArray[np.int64] = customer.dictionary_encode().indices.to_numpy()
    same = codes[1:] == codes[:-1]
    pairs = np.bincount(topic[:-1][same] * k + topic[1:][same], minlength=k * k).reshape(k, k)
    follows = pairs + PRIOR_TRANSITIONS * popular
    return np.asarray(follows / follows.sum(axis=1, keepdims=True), dtype=np.float64)


def trace_sql(log: EventLog, issues: IssueOptions, moment: datetime) -> str:
    """Distinct (customer_id, trace) of the last weeks, known before the moment."""
    near, far = instant(moment - timedelta(days=NEAR_DAYS)), instant(moment - timedelta(days=FAR_DAYS))
    window = f"case when occurred_at >= {near} then '{NEAR_DAYS} ' else '{FAR_DAYS} ' end || name"
    return f"""
        with recent as (
            select customer_id, {window} as name, product, properties from {log.relation_sql(moment)}
            where occurred_at >= {far} and name <> {literal(issues.event)} and not starts_with(name, 'message_')),
        keyed as (
            select customer_id, name, properties, unnest(json_keys(properties)) as key from recent
            where properties is not null and properties <> '{{}}')
        select customer_id, name as trace from recent
        union select customer_id, name || '|' || product from recent where product is not null
        union select customer_id, name || '|' || key || '=' || (properties ->> ('$."' || key || '"')) from keyed
            where length(properties ->> ('$."' || key || '"')) <= 24"""


def lift_sql(signals: TopicSignals, cutoff: datetime, past: Sequence[datetime]) -> str:
    """For each asked customer and topic: the strongest, the weakest and the sum of log-lifts of their traces.

    Counts are whole numbers and log-lifts are rounded to millionths before they are summed: the same in any order.
    """
    relation = signals.log.relation_sql(cutoff)
    horizon, is_contact = signals.issues.horizon, named([signals.issues.event])
    owned = " union all ".join(
        f"select {number} as ref, customer_id, trace from {trace_table(moment)}" for number, moment in enumerate(past)
    )
    windows = " union all ".join(
        f"select distinct {number} as ref, customer_id, topic from contacts "
        f"where occurred_at >= {instant(moment)} and occurred_at < {instant(moment + horizon)}"
        for number, moment in enumerate(past)
    )
    topics = ", ".join(f"({literal(topic)})" for topic in signals.topics)
    return f"""
        with contacts as (select customer_id, topic, occurred_at from {relation}
                          where {is_contact} and topic is not null and occurred_at >= {instant(past[-1])}),
        owned as ({owned}),
        owners as (select trace, count(*) as n from owned group by trace having count(*) >= {FEWEST_OWNERS}),
        followed as ({windows}),
        topics(topic) as (values {topics}),
        everybody as (select count(*) as n from (select distinct ref, customer_id from owned)),
        base as (select topic, (count(followed.topic) + 0.5) / (any_value(everybody.n) + 1.0) as rate
                 from topics cross join everybody left join followed using (topic) group by topic),
        hits as (select trace, topic, count(*) as n from owned join followed using (ref, customer_id) group by all),
        lifts as (
            select trace, topic, cast(round(1e6 * ln((coalesce(hits.n, 0) + {PRIOR_OWNERS} * rate)
                / ((owners.n + {PRIOR_OWNERS}) * rate))) as bigint) as lift
            from owners cross join base left join hits using (trace, topic))
        select customer_id, topic, max(lift) as happened_most, min(lift) as happened_least,
               cast(sum(lift) as bigint) as happened_sum
        from asked join {trace_table(cutoff)} using (customer_id) join lifts using (trace)
        group by customer_id, topic order by customer_id, topic"""
