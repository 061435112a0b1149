"""Who are our customers, and may we write to them?

Consent is append-only: the newest row for (person, channel, purpose) holds, and at the same instant a withdrawal wins.
No row means no. A suppression is a standing order not to write; it holds against every consent until it is lifted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Select, func, or_, select, update

from records.database import batches, reading, upsert, writing
from records.tables import consent, customers, suppression

# Why we may not write; the words for people are the planner's.
DO_NOT_CONTACT = "do_not_contact"
NO_CONSENT = "no_consent"


@dataclass(frozen=True, kw_only=True)
class Customer:
    """One person after identities are merged."""

    customer_id: str  # the source's id, any characters
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    language: str | None = None  # "en", "hi"; None: the company's default
    city: str | None = None
    timezone: str | None = None  # IANA name; None: the company's
    attributes: Mapping[str, Any] = field(default_factory=dict)  # values for templates, never code, never signals


@dataclass(frozen=True)
class Permissions:
    """Who may be written to, on which channel, for which purpose, at one instant."""

    granted: frozenset[tuple[str, str, str]]  # (customer_id, channel, purpose)
    suppressed: Mapping[str, tuple[tuple[str | None, str | None], ...]]  # customer_id → (channel, purpose); None: all

    def may(self, customer_id: str, channel: str, purpose: str) -> tuple[bool, str]:
        """May we write? If not, the second value says why: "do_not_contact" or "no_consent"."""
        for blocked_channel, blocked_purpose in self.suppressed.get(customer_id, ()):
            if blocked_channel in (None, channel) and blocked_purpose in (None, purpose):
                return False, DO_NOT_CONTACT
        if (customer_id, channel, purpose) in self.granted:
            return True, ""
        return False, NO_CONSENT


def save_customers(target: Engine | Connection, people: Iterable[Customer], known_at: datetime) -> int:
    """Write these customers, new or changed; how many they were. When they first became known stays as it was."""
    saved = 0
    for batch in batches(people):
        # One statement may not write a row twice on PostgreSQL; of two rows for a person the later one holds.
        rows = {person.customer_id: {**asdict(person), "known_at": known_at} for person in batch}
        with writing(target) as connection:
            upsert(connection, customers, list(rows.values()), keep=("known_at",))
        saved += len(batch)
    return saved


def find_customers(target: Engine | Connection, ids: Collection[str] | None) -> dict[str, Customer]:
    """These customers by id (None: all who are not erased); unknown ids are absent."""
    names = [column for column in customers.c if column.name not in ("known_at", "erased_at")]
    query = select(*names).where(customers.c.erased_at.is_(None))
    with reading(target) as connection:
        rows = _among(connection, query, customers.c.customer_id, ids)
        return {row["customer_id"]: Customer(**row) for row in rows}


def is_erased(connection: Connection, customer_id: str) -> bool:
    """Did this person ask to be forgotten, and are they?"""
    query = select(customers.c.erased_at).where(customers.c.customer_id == customer_id)
    return connection.execute(query).scalar() is not None


def count_customers(target: Engine | Connection) -> int:
    """How many customers are not erased?"""
    with reading(target) as connection:
        query = select(func.count()).select_from(customers).where(customers.c.erased_at.is_(None))
        return int(connection.execute(query).scalar_one())


def record_consent(
    target: Engine | Connection, customer_id: str, channel: str, purpose: str, granted: bool, at: datetime, source: str
) -> None:
    """Write down that consent was given or withdrawn."""
    row = {"customer_id": customer_id, "channel": channel, "purpose": purpose, "granted": granted}
    record_consents(target, [{**row, "at": at, "source": source}])


def record_consents(target: Engine | Connection, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write down many at once (keys customer_id, channel, purpose, granted, at, source); how many they were."""
    recorded = 0
    for batch in batches(rows):
        with writing(target) as connection:
            connection.execute(consent.insert(), [dict(row) for row in batch])
        recorded += len(batch)
    return recorded


def suppress(
    target: Engine | Connection,
    customer_id: str,
    reason: str,
    at: datetime,
    channel: str | None = None,
    purpose: str | None = None,
) -> None:
    """From `at` on, do not write to this customer; channel and purpose None: on no channel, for no purpose."""
    row = {"customer_id": customer_id, "channel": channel, "purpose": purpose, "reason": reason, "at": at}
    with writing(target) as connection:
        connection.execute(suppression.insert(), row)


def lift_suppression(
    target: Engine | Connection, customer_id: str, at: datetime, channel: str | None = None, purpose: str | None = None
) -> int:
    """End the standing orders of exactly this scope; how many there were."""
    order = suppression.c
    scope = (order.channel.is_not_distinct_from(channel), order.purpose.is_not_distinct_from(purpose))
    statement = (
        update(suppression)
        .where(order.customer_id == customer_id, order.at <= at, order.ended_at.is_(None), *scope)
        .values(ended_at=at)
    )
    with writing(target) as connection:
        return int(connection.execute(statement).rowcount)


def load_permissions(target: Engine | Connection, ids: Collection[str] | None, at: datetime) -> Permissions:
    """The permissions of these customers (None: everyone) as they stand at `at`."""
    with reading(target) as connection:
        granted = frozenset(
            (row["customer_id"], row["channel"], row["purpose"])
            for row in _among(connection, _newest_consent(at), consent.c.customer_id, ids)
            if row["granted"]
        )
        order = suppression.c
        query = select(order.customer_id, order.channel, order.purpose).where(
            order.at <= at, or_(order.ended_at.is_(None), order.ended_at > at)
        )
        suppressed: dict[str, tuple[tuple[str | None, str | None], ...]] = {}
        for row in _among(connection, query, order.customer_id, ids):
            scope = (row["channel"], row["purpose"])
            suppressed[row["customer_id"]] = (*suppressed.get(row["customer_id"], ()), scope)
    return Permissions(granted=granted, suppressed=suppressed)


def _newest_consent(at: datetime) -> Select[Any]:
    """The row that holds for each (person, channel, purpose): the newest; at the same instant the withdrawal."""
    row = consent.c
    place = (
        func.row_number()
        .over(
            partition_by=(row.customer_id, row.channel, row.purpose),
            order_by=(row.at.desc(), row.granted.asc(), row.consent_id.desc()),
        )
        .label("place")
    )
    ranked = select(row.customer_id, row.channel, row.purpose, row.granted, place).where(row.at <= at)
    return ranked


def _among(connection: Connection, query: Select[Any], key: Any, ids: Collection[str] | None) -> Iterator[Any]:
    """The rows of the query for these ids, asked for in lists the database takes; ranked queries give their first."""
    for some in [None] if ids is None else batches(sorted(set(ids))):
        narrowed = query if some is None else query.where(key.in_(some))
        if "place" in narrowed.selected_columns:
            ranked = narrowed.subquery()
            narrowed = select(ranked).where(ranked.c.place == 1)
        yield from connection.execute(narrowed).mappings()
