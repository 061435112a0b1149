"""Files of customers: who they are, what we may send them, and that an old file undoes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from records.errors import InputError
from records.importing import ImportReport, import_customers
from records.people import Customer, find_customers, load_permissions, record_consent

Take = Callable[..., ImportReport]
HEADER = "customer_id,name,email,phone,language,city,timezone,plan,consent_email_promotional\n"
PRIYA = "C-20 4817,प्रिया,priya@example.invalid,,hi,Pune,Asia/Kolkata,fiber_599,true\n"


@pytest.fixture
def take(engine: Engine, tmp_path: Path, now: datetime) -> Take:
    def run(content: str, name: str = "customers.csv", at: datetime = now) -> ImportReport:
        (tmp_path / name).write_text(content, encoding="utf-8")
        return import_customers(engine, [tmp_path / name], at, tmp_path / "quarantine")

    return run


def may_mail(engine: Engine, at: datetime) -> bool:
    return load_permissions(engine, None, at).may("C-20 4817", "email", "promotional")[0]


def test_customers_and_consents_are_taken_once(engine: Engine, take: Take, now: datetime) -> None:
    first, again = take(HEADER + PRIYA), take(HEADER + PRIYA)
    assert (first.accepted, first.duplicates, first.rejected) == (1, 0, 0)
    assert (again.accepted, again.duplicates, again.rejected) == (0, 1, 0)
    assert find_customers(engine, None)["C-20 4817"] == Customer(
        customer_id="C-20 4817",
        name="प्रिया",
        email="priya@example.invalid",
        language="hi",
        city="Pune",
        timezone="Asia/Kolkata",
        attributes={"plan": "fiber_599"},
    )
    assert may_mail(engine, now)


def test_an_old_file_does_not_undo_an_unsubscribe(engine: Engine, take: Take, now: datetime) -> None:
    later, latest = now + timedelta(hours=1), now + timedelta(hours=2)
    take(HEADER + PRIYA)
    record_consent(engine, "C-20 4817", "email", "promotional", False, later, "one-click unsubscribe")
    take(HEADER + PRIYA, at=latest)
    assert not may_mail(engine, latest)
    dated = '{"customer_id": "C-20 4817", "consent_email_promotional": true, "consent_at": "%s"}'
    take(dated % now.isoformat(), "old.jsonl", latest)
    assert not may_mail(engine, latest)
    take(dated % latest.isoformat(), "new.jsonl", latest)
    assert may_mail(engine, latest)
    take(HEADER + PRIYA.replace("true", "false"), "stop.csv", latest + timedelta(hours=1))
    assert not may_mail(engine, latest + timedelta(hours=1))
    again = take(HEADER + PRIYA.replace("true", "false"), "stop.csv", latest + timedelta(hours=2))
    assert (again.accepted, again.duplicates) == (0, 1)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (PRIYA.replace("C-20 4817", " "), "customer_id is missing"),
        (PRIYA.replace("@", ""), "email is not an address"),
        (PRIYA.replace("Asia/Kolkata", "Pune/Station"), "timezone is not known"),
        (PRIYA.replace("true", "maybe"), "consent_email_promotional is not a consent of true or false"),
        ("too,short\n", "2 columns where 9 are expected"),
    ],
)
def test_a_bad_row_is_put_aside_with_its_line(engine: Engine, take: Take, row: str, reason: str) -> None:
    report = take(HEADER + PRIYA + row)
    assert (report.accepted, report.rejected) == (1, 1)
    assert (report.rejects[0].line, report.rejects[0].reason) == (3, reason)
    assert reason in report.quarantined[0].read_text()


def test_a_file_without_ids_is_refused(take: Take) -> None:
    with pytest.raises(InputError, match="no column 'customer_id'"):
        take("name\nPriya\n")
