"""Who the customers are, and whether we may write to them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from records.people import (
    Customer,
    count_customers,
    find_customers,
    lift_suppression,
    load_permissions,
    record_consent,
    record_consents,
    save_customers,
    suppress,
)
from records.tables import consent, customers

ID = "C-20 4817/ü"
HOUR = timedelta(hours=1)


def may(engine: Engine, at: datetime, channel: str = "email", purpose: str = "promotional") -> tuple[bool, str]:
    return load_permissions(engine, [ID], at).may(ID, channel, purpose)


def test_customers_are_found_as_they_were_saved(engine: Engine, now: datetime) -> None:
    priya = Customer(
        customer_id=ID, name="प्रिया", email="priya@example.invalid", attributes={"plan": "fiber_599", "seats": 2}
    )
    save_customers(engine, [priya, Customer(customer_id="other")], now)
    assert find_customers(engine, [ID, "nobody"]) == {ID: priya}
    assert set(find_customers(engine, None)) == {ID, "other"}
    assert count_customers(engine) == 2


def test_a_changed_customer_keeps_when_we_first_knew_them(engine: Engine, now: datetime) -> None:
    save_customers(engine, [Customer(customer_id=ID, city="Pune", phone="1")], now)
    save_customers(engine, [Customer(customer_id=ID, city="Delhi"), Customer(customer_id=ID, city="Goa")], now + HOUR)
    found = find_customers(engine, [ID])[ID]
    assert (found.city, found.phone) == ("Goa", None)
    with engine.connect() as connection:
        assert connection.execute(select(customers.c.known_at)).scalars().all() == [now]


def test_thousands_are_saved_and_found(engine: Engine, now: datetime) -> None:
    ids = [f"C-{number}" for number in range(2_500)]
    assert save_customers(engine, (Customer(customer_id=name) for name in ids), now) == 2_500
    assert set(find_customers(engine, ids)) == set(ids)
    row = {"channel": "sms", "purpose": "service", "granted": True, "at": now, "source": "test"}
    assert record_consents(engine, ({"customer_id": name, **row} for name in ids)) == 2_500
    permissions = load_permissions(engine, ids, now)
    assert all(permissions.may(name, "sms", "service")[0] for name in ids)


def test_no_consent_means_no(engine: Engine, now: datetime) -> None:
    assert may(engine, now) == (False, "no_consent")


def test_consent_counts_for_its_channel_and_purpose_from_its_time_on(engine: Engine, now: datetime) -> None:
    record_consent(engine, ID, "email", "promotional", True, now, "sign-up")
    assert may(engine, now) == (True, "")
    assert may(engine, now - HOUR) == (False, "no_consent")
    assert may(engine, now, channel="sms") == (False, "no_consent")
    assert may(engine, now, purpose="service") == (False, "no_consent")
    assert load_permissions(engine, None, now).may(ID, "email", "promotional") == (True, "")
    assert load_permissions(engine, ["another"], now).may(ID, "email", "promotional") == (False, "no_consent")


def test_the_newest_consent_holds_and_a_withdrawal_wins_a_tie(engine: Engine, now: datetime) -> None:
    record_consent(engine, ID, "email", "promotional", False, now, "one-click unsubscribe")
    record_consent(engine, ID, "email", "promotional", True, now, "sign-up")
    assert may(engine, now) == (False, "no_consent")
    record_consent(engine, ID, "email", "promotional", True, now + HOUR, "settings page")
    assert may(engine, now + HOUR) == (True, "")
    record_consent(engine, ID, "email", "promotional", False, now - HOUR, "a late import")
    assert may(engine, now + HOUR) == (True, "")


@pytest.mark.parametrize(
    ("channel", "purpose", "blocked"),
    [
        (None, None, {("email", "promotional"), ("email", "service"), ("sms", "promotional")}),
        (None, "promotional", {("email", "promotional"), ("sms", "promotional")}),
        ("email", None, {("email", "promotional"), ("email", "service")}),
        ("email", "promotional", {("email", "promotional")}),
    ],
)
def test_a_suppression_blocks_its_scope_until_it_is_lifted(
    engine: Engine, now: datetime, channel: str | None, purpose: str | None, blocked: set[Any]
) -> None:
    places = [("email", "promotional"), ("email", "service"), ("sms", "promotional")]
    for place in places:
        record_consent(engine, ID, *place, True, now - HOUR, "sign-up")
    suppress(engine, ID, "asked by phone", now, channel, purpose)

    def blocked_at(at: datetime) -> set[Any]:
        permissions = load_permissions(engine, None, at)
        return {place for place in places if permissions.may(ID, *place) == (False, "do_not_contact")}

    assert blocked_at(now - HOUR) == set()
    assert blocked_at(now) == blocked
    assert lift_suppression(engine, ID, now + HOUR, "chat") == 0
    assert lift_suppression(engine, ID, now + HOUR, channel, purpose) == 1
    assert blocked_at(now + HOUR) == set()
    assert blocked_at(now) == blocked


def test_suppression_and_consent_share_the_callers_transaction(engine: Engine, now: datetime) -> None:
    with engine.begin() as connection:
        record_consent(connection, ID, "email", "promotional", True, now, "sign-up")
        suppress(connection, ID, "bounced", now, "email")
        assert load_permissions(connection, [ID], now).may(ID, "email", "promotional") == (False, "do_not_contact")


histories = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), max_size=8)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories)
def test_consent_equals_its_plain_definition(engine: Engine, now: datetime, history: list[tuple[int, bool]]) -> None:
    with engine.begin() as connection:
        connection.execute(consent.delete())
        for hours, granted in history:
            record_consent(connection, ID, "email", "promotional", granted, now + hours * HOUR, "test")
    past = [(hours, granted) for hours, granted in history if hours <= 0]
    newest = max((hours for hours, _ in past), default=None)
    expected = bool(past) and all(granted for hours, granted in past if hours == newest)
    assert may(engine, now)[0] is expected
