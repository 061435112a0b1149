"""Which customers does a file name, and what may we send them?

Columns customer_id (required), name, email, phone, language, city, timezone; consent_<channel>_<purpose> = true/false,
with an optional consent_at; everything else becomes an attribute.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, select

from records.chunks import open_rows
from records.database import batches
from records.errors import InputError
from records.people import Customer, find_customers, record_consents, save_customers
from records.quarantine import ImportReport, Quarantine
from records.reading import Reject
from records.tables import consent

FIELDS = ("name", "email", "phone", "language", "city", "timezone")
CONSENT_COLUMN = re.compile(r"consent_([a-z]+)_(service|promotional)")
_YES, _NO = ("true", "yes", "1", "t", "y"), ("false", "no", "0", "f", "n")
_Consents = dict[tuple[str, str], bool]


def import_customers(
    engine: Engine, files: Sequence[Path], now: datetime, quarantine: Path | None = None
) -> ImportReport:
    """Read these files of customers; a row that changes nothing counts as a duplicate.

    A consent without a time of its own (consent_at) is taken only where nothing is recorded yet: a file exported before
    somebody unsubscribed must not undo that. A withdrawal is always taken.
    """
    report = ImportReport()
    for path in files:
        with Quarantine(path, quarantine, now) as aside:
            accepted = duplicates = 0
            for batch in batches(_people(path, now, aside)):
                fresh = _save(engine, batch, now)
                accepted += fresh
                duplicates += len(batch) - fresh
            report = report.plus(aside.report(accepted, duplicates))
    return report


_Person = tuple[Customer, _Consents, datetime | None]


def _people(path: Path, now: datetime, aside: Quarantine) -> Iterator[_Person]:
    names, rows = open_rows(path, aside.add)
    if names is not None and "customer_id" not in names:
        raise InputError(
            f"{path} has no column 'customer_id'; it has {', '.join(names)[:300]}.",
            remedy="Rename the column that identifies the customer.",
            file=str(path),
            line=1,
            value="customer_id",
        )
    for line, raw, row in rows:
        try:
            yield _person(row, now)
        except ValueError as error:
            reason, value = error.args if len(error.args) == 2 else (str(error), None)
            aside.add(Reject(str(path), line, reason, None if value is None else str(value)[:200], raw))


def _person(row: Mapping[str, Any], now: datetime) -> _Person:
    """The customer, the consents and their time; ValueError(reason, value) if the row cannot be used."""
    given = {name: value for name, value in row.items() if value not in (None, "")}
    known = {name: str(given.pop(name)).strip() for name in ("customer_id", *FIELDS) if name in given}
    if not known.get("customer_id"):
        msg = "customer_id is missing"
        raise ValueError(msg, None)
    if any("\0" in str(value) for value in row.values()):
        raise ValueError("the row holds a NUL character", None)
    if "email" in known and not re.fullmatch(r"[^@\s]+@[^@\s]+", known["email"]):
        raise ValueError("email is not an address", known["email"])
    if "timezone" in known:
        try:
            ZoneInfo(known["timezone"])
        except (KeyError, OSError, ValueError) as error:
            raise ValueError("timezone is not known", known["timezone"]) from error
    if len(known.get("language", "")) > 16:
        raise ValueError("language is not a code such as en or hi", known["language"])
    at = _consent_time(given.pop("consent_at", None), now)
    consents = {}
    for name in [name for name in given if name.startswith("consent_")]:
        column = CONSENT_COLUMN.fullmatch(name)
        word = str(given[name]).strip().lower()
        if column is None or word not in (*_YES, *_NO):
            raise ValueError(f"{name} is not a consent of true or false", given[name])
        consents[(column[1], column[2])] = word in _YES
        del given[name]
    # Plain values only, as the database will give them back.
    attributes = json.loads(json.dumps(given, default=str, allow_nan=False))
    return Customer(**known, attributes=attributes), consents, at


def _consent_time(value: Any, now: datetime) -> datetime | None:
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise ValueError("consent_at cannot be read as a time", value) from error
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    if at > now:
        raise ValueError("consent_at lies in the future", value)
    return at


def _save(engine: Engine, people: Sequence[_Person], now: datetime) -> int:
    """Save what is new; how many rows brought something."""
    with engine.begin() as connection:
        ids = {customer.customer_id for customer, _, _ in people}
        stored = find_customers(connection, ids)
        recorded = _newest(connection, ids)
        changed, rows, fresh = [], [], 0
        for customer, consents, at in people:
            new = stored.get(customer.customer_id) != customer
            news = list(_consents_to_record(customer.customer_id, consents, at, now, recorded))
            fresh += bool(new or news)
            if new:
                changed.append(customer)
                stored[customer.customer_id] = customer
            rows += news
        save_customers(connection, changed, now)
        record_consents(connection, rows)
    return fresh


def _consents_to_record(
    customer_id: str,
    consents: _Consents,
    at: datetime | None,
    now: datetime,
    recorded: dict[tuple[str, str, str], tuple[datetime, bool]],
) -> Iterator[dict[str, Any]]:
    for (channel, purpose), granted in consents.items():
        key = (customer_id, channel, purpose)
        before = recorded.get(key)
        if before is not None and (before[1] == granted or (granted if at is None else at < before[0])):
            continue
        recorded[key] = (at or now, granted)
        row = {"customer_id": customer_id, "channel": channel, "purpose": purpose, "granted": granted}
        yield {**row, "at": at or now, "source": "import"}


def _newest(connection: Connection, ids: set[str]) -> dict[tuple[str, str, str], tuple[datetime, bool]]:
    """The newest recorded consent of each (person, channel, purpose), whenever it is."""
    row = consent.c
    query = select(row.customer_id, row.channel, row.purpose, row.at, row.granted).where(row.customer_id.in_(ids))
    # At the same instant the withdrawal is newer.
    found = connection.execute(query.order_by(row.at, row.granted.desc())).all()
    return {(customer_id, channel, purpose): (at, granted) for customer_id, channel, purpose, at, granted in found}
