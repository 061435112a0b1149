"""Which words did the log use before a moment? Fitted, stored with the model, and never widened afterwards."""

# ruff: noqa: S608  the SQL is made of our own column names

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from records.events import EventLog

KNOWN_EVENTS = frozenset(
    [
        "session_started",
        "page_viewed",
        "order_completed",
        "order_delivered",
        "item_missing",
        "bill_issued",
        "payment_completed",
        "payment_failed",
        "subscription_started",
        "plan_changed",
        "subscription_renewed",
        "subscription_cancelled",
        "wishlist_added",
        "product_restocked",
        "support_ticket_opened",
        "support_ticket_solved",
        "rating_given",
        "social_mention",
        "incident_declared",
        "incident_resolved",
        "message_sent",
        "message_delivered",
        "message_opened",
        "message_clicked",
        "message_replied",
        "message_unsubscribed",
        "text_scored",
    ]
)
"""Events that a family counts by name; all others get generic signals."""

MOST_EVENTS, MOST_TOPICS, MOST_CHANNELS, MOST_PRODUCTS, MOST_PLANS = 12, 10, 8, 200, 8

CONTRACT = ("subscription_started", "plan_changed", "subscription_renewed")
"""Events that say which plan a customer has, and on which terms."""

RENEWED = ("subscription_renewed",)
"""Those of them that go on with what there was."""

BEGUN_BY = (*CONTRACT, "enrolled", "registered", "course_started", "membership_started", "trial_started")
"""Events that say which product a customer has from then on, and since when: the default of `[churn] begun_by`."""


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Words by frequency, most frequent first (ties in alphabetical order), each list capped."""

    events: tuple[str, ...] = ()  # names of events that no family knows
    topics: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    plans: tuple[str, ...] = ()  # products of contracts


def fit_vocabulary(log: EventLog, until: datetime) -> Vocabulary:
    """Which words had the log used before `until`? Nothing later can add one."""
    with log.connection() as con:
        plan = f"case when name in {CONTRACT} then product end"
        con.execute(
            f"create temp view past as select name, topic, channel, product, {plan} as plan "
            f"from {log.relation_sql(until)}"
        )

        def most_frequent(column: str, cap: int) -> tuple[str, ...]:
            rows = con.execute(
                f"select {column} from past where {column} is not null and {column} <> '' "
                f"group by {column} order by count(*) desc, {column}"
            ).fetchall()
            words = (str(word) for (word,) in rows)
            return tuple(islice((w for w in words if column != "name" or w not in KNOWN_EVENTS), cap))

        return Vocabulary(
            events=most_frequent("name", MOST_EVENTS),
            topics=most_frequent("topic", MOST_TOPICS),
            channels=most_frequent("channel", MOST_CHANNELS),
            products=most_frequent("product", MOST_PRODUCTS),
            plans=most_frequent("plan", MOST_PLANS),
        )
