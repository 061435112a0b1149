"""What speaks for each topic, for each customer, at a cutoff? One row of numbers per customer × topic.

The customer's own contacts (fading), what everybody asks about lately and in all, which topic follows which, what
those ask who share something with the customer's last contact (a place, a product, a symptom), and what lately
happened to the customer. All of it is counted before the cutoff, none of it is stored.
"""

# ruff: noqa: S608  the SQL is made of our own names; settings and topics are quoted
from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.cutoffs import DAY_US, microseconds
from training.evaluation import Floats
from training.labels import IssueOptions, named
from training.populations import literal
from training.topic_counts import (
    NEWEST,
    WINDOWS,
    Codes,
    codes_of,
    faded_mean,
    latest_rows,
    newest_popularity,
    peer_signals,
    popularity,
    transitions,
)
from training.topic_properties import value_of
from training.topic_traces import LOOK_BACK, lift_sql, trace_sql, trace_table

if TYPE_CHECKING:
    import pyarrow as pa

    from records.events import EventLog

# Half-lives in days of the customer's own contacts, and of the history whose usual followers are looked up.
FADING = (3, 10, 30, 180)
LATE, LONG = 10, 60
# More topics than this are no kinds of problems but texts: the rarer ones are never ranked. Bounds tables of topics by
# topics, and the matrix of customers by topics.
MOST_TOPICS = 200
NAMES = (
    *(f"own_fading_{days}" for days in FADING),
    "own_share", "own_count", "days_since_own", "is_last",
    "popular_all", *(f"popular_{window}" for window in WINDOWS), *(f"newest_{number}" for number in NEWEST),
    "popular_trend", "rank_all",
    "after_last", "after_history", "after_history_late", "happened_most", "happened_least", "happened_sum",
    "contacts", "contacts_fading_3", "contacts_fading_30", "days_since_contact",
)  # fmt: skip
PEERS = ("peers_3", "peers_7", "peers_28", "next", "next_history")


def signal_names(properties: Sequence[str]) -> tuple[str, ...]:
    """The columns of a row: the fixed ones, then those of each property the contacts are compared by."""
    return (*NAMES, *(f"{name} of {one}" for one in properties for name in PEERS))


def known_topics(log: EventLog, issues: IssueOptions, until: datetime) -> tuple[str, ...]:
    """The topics named before `until`, sorted; the most frequent ones, if there are very many.

    Empty where the log has none. Null is unknown, never a topic.
    """
    with log.connection() as connection:
        rows = connection.execute(f"""
            select topic from {log.relation_sql(until)}
            where {named([issues.event])} and topic is not null and topic <> ''
            group by topic order by count(*) desc, topic limit {MOST_TOPICS}""").fetchall()
    return tuple(sorted(row[0] for row in rows))


class TopicSignals:
    """Computes the rows. Reads contacts once; `at` looks only at what was known before its cutoff."""

    def __init__(
        self,
        log: EventLog,
        issues: IssueOptions,
        topics: Sequence[str],
        until: datetime,
        threads: int = 2,
        properties: Sequence[str] = (),
    ) -> None:
        self.log, self.issues, self.topics, self.properties = log, issues, tuple(topics), tuple(properties)
        self.names = signal_names(properties)
        self.connection = log.connection(threads=threads)
        self.traced: set[datetime] = set()
        values = "".join(f", {value_of(name)} as value_{place}" for place, name in enumerate(properties))
        contacts = self.connection.sql(f"""
            select customer_id, topic, epoch_us(occurred_at) as occurred, epoch_us(received_at) as received{values}
            from {log.relation_sql(until)}
            where {named([issues.event])} and topic in ({", ".join(map(literal, topics)) or "null"})
            order by customer_id, occurred_at, event_id""").to_arrow_table()
        self.places = {topic: code for code, topic in enumerate(self.topics)}
        self.topic = np.array([self.places[name] for name in contacts.column("topic").to_pylist()], dtype=np.int64)
        self.customer = contacts.column("customer_id").combine_chunks()
        self.person: Codes = self.customer.dictionary_encode().indices.to_numpy().astype(np.int64)
        self.occurred = contacts.column("occurred").to_numpy()
        self.received = contacts.column("received").to_numpy()
        self.values = [codes_of(contacts.column(f"value_{place}").to_pylist()) for place in range(len(properties))]

    def seen_before(self, cutoff: datetime) -> set[str]:
        """Everybody with an event known before the cutoff."""
        query = f"select distinct customer_id from {self.log.relation_sql(cutoff)}"
        return {row[0] for row in self.connection.execute(query).fetchall()}

    def at(self, cutoff: datetime, customers: pa.Array[Any]) -> Floats:
        """customers × topics × signals as of the cutoff."""
        import pyarrow.compute as pc

        k, rows = len(self.topics), len(customers)
        found = np.zeros((rows, k, len(self.names)))
        if not k or not rows:
            return found
        at = microseconds(cutoff)
        known = (self.occurred < at) & (self.received < at)
        owner = pc.fill_null(pc.index_in(self.customer.filter(arrow(known)), value_set=customers), -1).to_numpy()
        owner = owner.astype(np.int64)
        topic, age = self.topic[known], (at - self.occurred[known]) / DAY_US
        same = np.diff(self.person[known]) == 0
        popular = popularity(topic, age, k)
        self.fill_own(found, owner, topic, age)
        self.fill_popular(found, popular, newest_popularity(topic, age, self.person[known], k))
        self.fill_transitions(found, owner, topic, age, same, popular[28])
        for place, values in enumerate(self.values):
            peers = peer_signals(owner, topic, age, values[known], same, popular, rows)
            start = len(NAMES) + place * len(PEERS)
            found[:, :, start : start + len(PEERS)] = np.stack(peers, axis=2)
        self.fill_happened(found, cutoff, customers)
        return found

    def put(self, found: Floats, name: str, value: Floats | NDArray[np.bool_]) -> None:
        found[:, :, NAMES.index(name)] = value

    def fill_own(self, found: Floats, owner: Codes, topic: Codes, age: Floats) -> None:
        """The customer's own contacts, about this topic and about any."""
        rows, k, _ = found.shape
        mine = owner >= 0
        cell, days = owner[mine] * k + topic[mine], age[mine]

        def summed(weights: Floats) -> Floats:
            sums = np.bincount(cell, weights=weights, minlength=rows * k).reshape(rows, k)
            return np.asarray(sums, dtype=np.float64)

        fading = {half: summed(np.exp2(-days / half)) for half in FADING}
        count = summed(np.ones(len(days)))
        latest = np.full(rows * k, np.inf)
        np.minimum.at(latest, cell, days)
        since = latest.reshape(rows, k)
        since_any = since.min(axis=1, keepdims=True)
        for half, value in fading.items():
            self.put(found, f"own_fading_{half}", value)
        self.put(found, "own_share", fading[180] / (fading[180].sum(axis=1, keepdims=True) + 1.0))
        self.put(found, "own_count", count)
        self.put(found, "days_since_own", np.where(np.isinf(since), np.nan, since))
        self.put(found, "is_last", (since == since_any) & np.isfinite(since))
        self.put(found, "contacts", count.sum(axis=1, keepdims=True))
        for half in (3, 30):
            self.put(found, f"contacts_fading_{half}", fading[half].sum(axis=1, keepdims=True))
        self.put(found, "days_since_contact", np.where(np.isinf(since_any), np.nan, since_any))

    def fill_popular(self, found: Floats, popular: dict[int, Floats], newest: dict[int, Floats]) -> None:
        """What everybody asks about, in all and lately."""
        for number, shares in newest.items():
            self.put(found, f"newest_{number}", np.log(shares))
        for window, shares in popular.items():
            self.put(found, f"popular_{window}" if window else "popular_all", np.log(shares))
        self.put(found, "popular_trend", np.log(popular[3] / popular[28]))
        rank = np.argsort(np.argsort(-popular[0], kind="stable"), kind="stable")
        self.put(found, "rank_all", rank.astype(np.float64))

    def fill_transitions(
        self, found: Floats, owner: Codes, topic: Codes, age: Floats, same: NDArray[np.bool_], popular: Floats
    ) -> None:
        """What usually follows the last topic, and what follows the whole history, the later contacts more."""
        rows, k, _ = found.shape
        mine, last = owner >= 0, latest_rows(owner, rows)
        follows = transitions(same, topic, topic, (k, k), popular)
        after = np.where((last >= 0)[:, None], follows[topic[last]] if len(topic) else popular, popular)
        self.put(found, "after_last", np.log(after))
        for name, half in (("after_history", LONG), ("after_history_late", LATE)):
            weights = np.exp2(-age[mine] / half)
            # Half an old contact's worth of popularity: who never asked is expected to ask what everybody asks.
            self.put(found, name, np.log(faded_mean(owner[mine], topic[mine], weights, follows, popular, rows)))

    def fill_happened(self, found: Floats, cutoff: datetime, customers: pa.Array[Any]) -> None:
        """What lately happened to the customer, judged by what those before them asked after the same."""
        import pyarrow as pa
        import pyarrow.compute as pc

        past = [cutoff - number * self.issues.horizon for number in range(1, LOOK_BACK + 1)]
        for moment in (cutoff, *past):
            self.trace(moment)
        self.connection.register("asked", pa.table({"customer_id": customers}))
        rows = self.connection.sql(lift_sql(self.log, self.issues, self.topics, cutoff, past)).to_arrow_table()
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
