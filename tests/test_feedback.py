"""Whoever says stop is heard at once, on every channel, also for what is on its way; the rest comes back as events."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import small_company
from small_company import AS_OF, EVENING, MORNING, SmallCompany, customer_id, event, table
from sqlalchemy import Engine, select

from records.outreach import State
from records.paging import Filter
from records.people import load_permissions
from records.tables import consent, event_inbox, outreach, suppression
from serving.composing import slots_of
from serving.feedback import receive_reply, record_click, record_open, stop, unsubscribe
from serving.review import approve
from serving.sending import send_due
from serving.tokens import link_secret, make_token, read_token

LIST = Filter(list_id="L-0001")


def begun(company: SmallCompany) -> SmallCompany:
    """Planned, approved, and only Bala's urgent message has gone out."""
    company.plan()
    approve(company.engine, LIST, "Meera", MORNING, expected=5)
    send_due(company.engine, company.log, company.settings, company.channels(), MORNING + timedelta(hours=4), "sender")
    return company


@pytest.fixture
def company(engine: Engine, tmp_path: Path) -> SmallCompany:
    return begun(small_company.make(engine, tmp_path))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_company.prepare(tmp_path_factory.mktemp("prepared"), begun)


@pytest.fixture
def small(prepared: Path, tmp_path: Path) -> Iterator[SmallCompany]:
    made = small_company.copy_of(prepared, tmp_path)
    yield made
    made.engine.dispose()


NOON = MORNING + timedelta(hours=6)


def row_of(company: SmallCompany, who: str) -> Any:
    with company.engine.connect() as connection:
        return connection.execute(select(outreach).where(outreach.c.customer_id == customer_id(who))).one()


def token(company: SmallCompany, who: str, purpose: Any) -> str:
    return make_token(link_secret(company.engine), row_of(company, who).outreach_id, purpose)


def events(company: SmallCompany, name: str) -> list[dict[str, Any]]:
    with company.engine.connect() as connection:
        found = connection.execute(select(event_inbox.c.event)).scalars().all()
    return [{**one, "properties": json.loads(one["properties"])} for one in found if one["name"] == name]


def rows(company: SmallCompany, of: Any, who: str) -> list[Any]:
    with company.engine.connect() as connection:
        return list(connection.execute(select(of).where(of.c.customer_id == customer_id(who))).all())


def allowed(company: SmallCompany, who: str, at: Any = EVENING) -> set[tuple[str, str]]:
    permissions = load_permissions(company.engine, [customer_id(who)], at)
    channels, purposes = ("email", "whatsapp", "sms"), ("service", "promotional")
    return {(c, p) for c in channels for p in purposes if permissions.may(customer_id(who), c, p)[0]}


# ── stopping ──────────────────────────────────────────────────────────────────────────────────────────────
def test_one_click_stops_all_offers_and_what_is_on_its_way(company: SmallCompany) -> None:
    stopped = unsubscribe(company.engine, token(company, "hari", "unsubscribe"), NOON)

    assert stopped is not None
    assert (stopped.customer_id, stopped.new, stopped.taken_off) == (customer_id("hari"), True, 1)
    assert allowed(company, "hari") == {("email", "service"), ("whatsapp", "service"), ("sms", "service")}
    assert len([row for row in rows(company, suppression, "hari") if row.ended_at is None]) == 1
    assert (row_of(company, "hari").state, row_of(company, "hari").reason) == (State.CANCELLED, "asked us not to write")
    report = send_due(company.engine, company.log, company.settings, company.channels(), EVENING, "sender")
    assert report.sent == 3
    assert [one["properties"]["play"] for one in events(company, "message_unsubscribed")] == ["better_plan"]


def test_stopping_a_hundred_times_is_stopping_once(small: SmallCompany) -> None:
    link = token(small, "hari", "unsubscribe")
    answers = [unsubscribe(small.engine, link, NOON + timedelta(days=day)) for day in range(100)]

    assert [answer.new for answer in answers if answer] == [True] + [False] * 99
    assert len(rows(small, suppression, "hari")) == 1
    assert sum(not row.granted for row in rows(small, consent, "hari")) == 3
    assert len(events(small, "message_unsubscribed")) == 1


def test_who_stops_a_service_message_gets_no_more_of_those_on_that_channel(small: SmallCompany) -> None:
    unsubscribe(small.engine, token(small, "asha", "unsubscribe"), NOON)

    assert allowed(small, "asha") == {("email", "service"), ("sms", "service")}
    assert row_of(small, "asha").state == State.CANCELLED


@pytest.mark.parametrize("text", ["STOP", "बंद", "mat bhejo", "please stop texting me"])
def test_stop_in_an_answer_is_heard_at_once(company: SmallCompany, text: str) -> None:
    reply = receive_reply(company.engine, channel="whatsapp", text=text, at=NOON, now=NOON, address="+91 99000 00007")

    assert (reply.meaning, reply.customers) == ("stop", (customer_id("hari"),))
    assert not {purpose for _, purpose in allowed(company, "hari")} & {"promotional"}
    assert row_of(company, "hari").state == State.CANCELLED
    (said,) = events(company, "message_replied")
    assert (said["text"], said["properties"]["meaning"]) == (text, "stop")


def test_an_answer_about_a_broken_line_is_read_by_a_person_and_stops_nothing(company: SmallCompany) -> None:
    reply = receive_reply(
        company.engine,
        channel="whatsapp",
        text="बंद हो गया मेरा नेट",
        at=NOON,
        now=NOON,
        customer_id=customer_id("bala"),
    )

    assert (reply.meaning, reply.stopped) == ("unsure", ())
    (said,) = events(company, "message_replied")
    assert said["properties"]["needs_person"] is True
    assert said["properties"]["outreach_id"] == row_of(company, "bala").outreach_id
    assert len(allowed(company, "bala")) == 6


def test_the_same_answer_delivered_twice_is_one(small: SmallCompany) -> None:
    for _ in range(3):
        receive_reply(
            small.engine,
            channel="sms",
            text="ok",
            at=NOON,
            now=NOON,
            customer_id=customer_id("dev"),
            reply_id="wamid.1",
        )
    assert len(events(small, "message_replied")) == 1


def test_two_people_with_one_address_are_both_left_alone(small: SmallCompany) -> None:
    from dataclasses import replace

    from records.people import save_customers

    save_customers(small.engine, [replace(small_company.people()[8], email="HARI@example.invalid")], MORNING)

    reply = receive_reply(
        small.engine, channel="email", text="Unsubscribe", at=NOON, now=NOON, address="hari@example.invalid"
    )

    assert set(reply.customers) == {customer_id("hari"), customer_id("indu")}
    assert all(answer.new for answer in reply.stopped)


def test_an_answer_from_a_stranger_changes_nothing(small: SmallCompany) -> None:
    reply = receive_reply(small.engine, channel="sms", text="STOP", at=NOON, now=NOON, address="+910000000000")

    assert (reply.customers, reply.stopped) == ((), ())
    assert events(small, "message_replied") == []


def test_the_next_plan_knows_who_stopped(small: SmallCompany) -> None:
    stop(small.engine, customer_id("hari"), NOON, "settings page")
    small.log.append(table([event("indu", "session_started", -23)]))

    small.plan(as_of=AS_OF + timedelta(days=1), now=MORNING + timedelta(days=1))

    from records.browsing import left_out_page

    with small.engine.connect() as connection:
        reasons = {row["customer_id"]: row["reason"] for row in left_out_page(connection, "L-0002", size=50)}
    assert reasons[customer_id("hari")] == "do_not_contact"


# ── openings and clicks ───────────────────────────────────────────────────────────────────────────────────
def test_a_machine_that_opens_is_not_a_person(small: SmallCompany) -> None:
    link = token(small, "bala", "open")
    assert record_open(small.engine, link, NOON, machine=True)
    assert record_open(small.engine, link, NOON, machine=False)
    assert record_open(small.engine, link, NOON, machine=False)

    assert sorted(one["properties"]["machine"] for one in events(small, "message_opened")) == [False, True]


def test_a_click_leads_to_the_companys_own_page_and_is_kept(small: SmallCompany) -> None:
    link = token(small, "bala", "click")

    target = record_click(small.engine, link, "button", NOON)

    assert target is not None
    assert target.startswith("https://saral.invalid/")
    assert [one["properties"]["link"] for one in events(small, "message_clicked")] == ["button"]
    assert record_click(small.engine, link, "https://evil.example", NOON) is None


# ── tokens ────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_link_serves_one_purpose_only(small: SmallCompany) -> None:
    secret = link_secret(small.engine)
    made = make_token(secret, "O-1", "unsubscribe")

    assert read_token(secret, made, "unsubscribe") == "O-1"
    assert read_token(secret, made, "click") is None
    assert read_token(b"x" * 32, made, "unsubscribe") is None
    assert unsubscribe(small.engine, token(small, "hari", "click"), NOON) is None
    assert link_secret(small.engine) == secret


def test_a_token_names_nobody(small: SmallCompany) -> None:
    from records.outreach import find_outreach

    with small.engine.connect() as connection:
        row = find_outreach(connection, row_of(small, "bala").outreach_id)
    assert row is not None
    slots = slots_of(row, small.settings, link_secret(small.engine))
    for address in (slots.unsubscribe_url, slots.settings_url, *slots.links.values()):
        assert address.startswith("https://messages.saral.invalid/")
        assert not {"Bala", row.customer_id, row.address} & set(address.split("/"))


def test_a_hundred_thousand_forged_tokens_open_nothing() -> None:
    secret, chance = b"s" * 32, random.Random(7)
    real = make_token(secret, "O-1234", "unsubscribe")
    alphabet = string.ascii_letters + string.digits + "-_.=~ \x00éह"
    accepted = 0
    for _ in range(100_000):
        letters = list(real)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(letters) + 1)
            match chance.randrange(4):
                case 0:
                    letters.insert(place, chance.choice(alphabet))
                case 1 if place < len(letters):
                    del letters[place]
                case 2 if place < len(letters):
                    letters[place] = chance.choice(alphabet)
                case _:
                    letters = letters[place:] + letters[:place]
        forged = "".join(letters)
        accepted += forged != real and read_token(secret, forged, "unsubscribe") is not None
    assert accepted == 0


@pytest.mark.parametrize("odd", ["", ".", "..", "a.b", "T" * 10_000, "T-1.é", "\x00", "Ty0x", "Ty0x.", ".abc", "%"])
def test_an_odd_token_is_no_error(odd: str) -> None:
    assert read_token(b"s" * 32, odd, "open") is None
