"""Who gets which message, who is left out and why, and what is fixed for ever when they are first planned."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import small_company
from hypothesis import given
from hypothesis import strategies as st
from small_company import AS_OF, MORNING, SmallCompany, customer_id, event, table
from sqlalchemy import Engine, select

from records.arms import load_arms
from records.database import connect, get_state, migrate, set_state
from records.errors import StaleData
from records.outreach import PLANNING, State, save_list
from records.people import record_consent, save_customers, suppress
from records.tables import home_state, outreach, outreach_lists, passed_over
from serving.binding import why_words_differ
from serving.candidates import gather
from serving.decisions import TREATED, Chosen, decide, draw_arm, within_budget
from serving.planning import explain, words_of
from serving.playbook import load_playbook
from serving.timing import is_quiet, send_time


@pytest.fixture
def company(engine: Engine, tmp_path: Path) -> SmallCompany:
    return small_company.make(engine, tmp_path)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_company.prepare(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def small(prepared: Path, tmp_path: Path) -> Iterator[SmallCompany]:
    """The same on SQLite only, for what does not depend on the database."""
    made = small_company.copy_of(prepared, tmp_path)
    yield made
    made.engine.dispose()


def planned(company: SmallCompany, list_id: str = "L-0001") -> dict[str, Any]:
    """Rows of a list by the first name of the person."""
    who = {customer_id(name): name for name in small_company.NAMES}
    with company.engine.connect() as connection:
        rows = connection.execute(select(outreach).where(outreach.c.list_id == list_id)).all()
    return {who.get(row.customer_id, row.customer_id): row for row in rows}


def left_out(company: SmallCompany, list_id: str = "L-0001") -> dict[str, tuple[str, str]]:
    who = {customer_id(name): name for name in small_company.NAMES}
    with company.engine.connect() as connection:
        rows = connection.execute(select(passed_over).where(passed_over.c.list_id == list_id)).all()
    return {who.get(row.customer_id, row.customer_id): (row.play, row.reason) for row in rows}


# ── one decision per person ───────────────────────────────────────────────────────────────────────────────
def test_everybody_gets_the_message_that_fits_or_a_reason(company: SmallCompany) -> None:
    result = company.plan()

    assert {name: row.play for name, row in planned(company).items()} == {
        "asha": "router_setup",
        "bala": "payment_help",
        "chitra": "bill_explained",
        "dev": "really_fixed",
        "hari": "better_plan",
    }
    assert left_out(company) == {
        "esha": ("router_setup", "do_not_contact"),
        "farid": ("delivery_sorry", "open_complaint"),
        "gita": ("router_setup", "no_consent"),
        "jai": ("router_setup", "no_address"),
        "kiran": ("payment_help", "just_escalated"),
    }
    assert (result.planned, result.held_out, result.fine) == (5, 0, 2)  # Indu and Lata are fine
    assert result.left_out == Counter(reason for _, reason in left_out(company).values())
    assert "`" in result.mend


def test_who_fits_two_plays_gets_the_more_urgent_one(small: SmallCompany) -> None:
    small.log.append(
        table([event("asha", "payment_failed", 4, {"bill_id": "B-x"}, amount=Decimal(499), currency="INR")])
    )

    small.plan()

    assert planned(small)["asha"].play == "payment_help"


def test_what_stands_in_the_way_of_one_play_need_not_stand_in_the_way_of_the_next(small: SmallCompany) -> None:
    """Hari may not be sent offers any more; his late order is a service matter."""
    record_consent(small.engine, customer_id("hari"), "whatsapp", "promotional", False, MORNING, "test")
    record_consent(small.engine, customer_id("hari"), "email", "promotional", False, MORNING, "test")
    small.log.append(
        table([event("hari", "order_delivered", 40, {"order_id": "R-1", "days_late": 3}, product="tv_stick")])
    )

    small.plan()

    assert planned(small)["hari"].play == "delivery_sorry"


def test_words_are_frozen_as_strings_and_bound_by_the_hash(small: SmallCompany) -> None:
    small.plan()
    row = planned(small)["chitra"]

    assert all(isinstance(value, str) for value in row.variables.values())
    assert (row.variables["amount"], row.variables["more"]) == ("₹766", "₹177")
    bound = small_company_row(small, "chitra")
    assert why_words_differ(bound) is None
    assert why_words_differ(replace(bound, variables={**bound.variables, "amount": "₹767"})) is not None
    assert why_words_differ(replace(bound, address="+919900000099")) is not None
    assert why_words_differ(replace(bound, language="hi")) is not None
    assert why_words_differ(replace(bound, message_version="0" * 64)) is not None


def small_company_row(company: SmallCompany, who: str) -> Any:
    from records.outreach import find_outreach

    with company.engine.connect() as connection:
        return find_outreach(connection, planned(company)[who].outreach_id)


def test_who_left_is_left_alone(small: SmallCompany) -> None:
    small.log.append(table([event("asha", "subscription_cancelled", 10)]))

    small.plan()

    assert left_out(small)["asha"] == ("router_setup", "left")


def test_a_returned_customer_is_a_customer(small: SmallCompany) -> None:
    small.log.append(table([event("asha", "subscription_cancelled", 10), event("asha", "subscription_started", 5)]))

    small.plan()

    assert planned(small)["asha"].play == "router_setup"


def test_a_person_of_whom_only_events_are_known_is_reported(small: SmallCompany) -> None:
    small.log.append(
        table([event("C-99 1", "order_delivered", 30, {"order_id": "R-99", "days_late": 0}, product="airfiber_router")])
    )

    small.plan()

    assert left_out(small)["C-99 1"] == ("router_setup", "unknown_person")


def test_what_cannot_become_an_e_mail_is_not_planned_as_one(small: SmallCompany) -> None:
    """The address was never checked where it came from; better now than at the send."""
    asha = replace(small_company.people()[0], email="asha@example.invalid, evil@example.invalid", phone=None)
    save_customers(small.engine, [asha], MORNING)

    small.plan()

    assert left_out(small)["asha"] == ("router_setup", "no_words")


# ── the edges of the triggers ─────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("name", "hours", "properties", "columns", "play"),
    [
        ("payment_failed", 1.99, {"bill_id": "B"}, {"amount": Decimal(499)}, None),
        ("payment_failed", 2.01, {"bill_id": "B"}, {"amount": Decimal(499)}, "payment_help"),
        ("payment_failed", 47.9, {"bill_id": "B"}, {"amount": Decimal(499)}, "payment_help"),
        ("payment_failed", 48.1, {"bill_id": "B"}, {"amount": Decimal(499)}, None),
        ("order_delivered", 23.9, {"order_id": "R", "days_late": 0}, {"product": "airfiber_router"}, None),
        ("order_delivered", 24.1, {"order_id": "R", "days_late": 0}, {"product": "airfiber_router"}, "router_setup"),
        ("order_delivered", 30, {"order_id": "R", "days_late": 0}, {"product": "smart_bulb"}, None),
        ("order_delivered", 30, {"order_id": "R", "days_late": 1}, {"product": "smart_bulb"}, None),
        ("order_delivered", 30, {"order_id": "R", "days_late": 2}, {"product": "smart_bulb"}, "delivery_sorry"),
    ],
)
def test_a_trigger_begins_and_ends_where_the_playbook_says(
    small: SmallCompany, name: str, hours: float, properties: dict[str, Any], columns: dict[str, Any], play: str | None
) -> None:
    small.log.append(table([event("indu", name, hours, properties, currency="INR", **columns)]))

    small.plan()

    assert (planned(small)["indu"].play if "indu" in planned(small) else None) == play


@pytest.mark.parametrize(("amount", "fits"), [(119.99, False), (120, True), (150, True)])
def test_a_bill_is_explained_from_a_fifth_more_on(small: SmallCompany, amount: float, fits: bool) -> None:
    bill = {"bill_id": "B-7", "previous_amount": 100, "month": "2026-11", "due_at": "2026-12-02", "lines": [["gst", 9]]}
    small.log.append(
        table([
            event("chitra", "payment_completed", 19, {"bill_id": "B-3"}, amount=Decimal(766)),
            event("chitra", "bill_issued", 10, bill, amount=Decimal(str(amount)), currency="INR"),
        ])
    )  # fmt: skip

    small.plan()

    assert ("chitra" in planned(small)) == fits


def test_nothing_that_became_known_later_counts(small: SmallCompany) -> None:
    """The payment happened before, but the bank told us after the cutoff."""
    paid = event("bala", "payment_completed", 3, {"bill_id": "B-bala"}, amount=Decimal(499))
    late = table([paid]).append_column("received_at", table([event("bala", "x", -5)]).column("occurred_at"))
    small.log.append(late)

    small.plan()

    assert planned(small)["bala"].play == "payment_help"


# ── the same person again ─────────────────────────────────────────────────────────────────────────────────
def test_nobody_is_planned_twice_for_one_thing(company: SmallCompany) -> None:
    company.plan()

    again = company.plan(now=MORNING + timedelta(minutes=5))

    assert (again.planned, again.held_out) == (0, 0)
    assert again.left_out["already_planned"] == 5


def test_a_declined_person_is_not_proposed_again_the_next_night(small: SmallCompany) -> None:
    from serving.review import decline

    small.plan()
    decline(small.engine, [planned(small)["hari"].outreach_id], "Meera", MORNING, expected=1)
    tomorrow = MORNING + timedelta(days=1)
    small.log.append(table([event("indu", "session_started", -23)]))

    small.plan(as_of=AS_OF + timedelta(days=1), now=tomorrow)

    assert left_out(small, "L-0002")["hari"] == ("better_plan", "heard_from_us")


def test_who_heard_from_us_in_the_events_is_left_alone(small: SmallCompany) -> None:
    """Whoever sent it: a message in the log counts."""
    small.log.append(table([event("asha", "message_sent", 24, channel="email")]))

    small.plan()

    assert left_out(small)["asha"] == ("router_setup", "heard_from_us")


def test_every_check_says_the_same_in_both_languages(small: SmallCompany) -> None:
    small.log.append(table([event("asha", "message_sent", 24 * 40, channel="email")]))

    small.plan()

    checks = [check for row in planned(small).values() for check in row.checks]
    assert any("Last message from us 4" in check["en"] for check in checks)
    for check in checks:
        assert check["detail"] == "", check  # it would stand in one language only
        assert re.findall(r"\d+", check["en"]) == re.findall(r"\d+", check["hi"]), check


# ── arms ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_comparison_group_is_never_waiting(small: SmallCompany) -> None:
    set_state(small.engine, "holdout_salt", other_salt(held_out="dev", play="really_fixed"))

    result = small.plan()

    row = planned(small)["dev"]
    assert (row.arm, row.state, row.propensity) == ("holdout", State.HELD_OUT, 0.85)
    assert result.held_out >= 1
    assert result.planned + result.held_out == 5


def other_salt(held_out: str, play: str) -> str:
    """A salt that puts this person into the comparison group."""
    book = load_playbook()
    salts = (f"other-{number}" for number in range(1_000))
    return next(one for one in salts if draw_arm(customer_id(held_out), book.play(play), one) != TREATED)


def test_an_arm_once_drawn_stays_whatever_changes_later(small: SmallCompany) -> None:
    small.plan()
    with small.engine.connect() as connection:
        before = load_arms(connection)
    assert before[(customer_id("dev"), "really_fixed")].arm == TREATED
    set_state(small.engine, "holdout_salt", other_salt(held_out="dev", play="really_fixed"))
    ticket = {"ticket_id": "T-77", "severity": 1}
    later = timedelta(days=60)
    small.log.append(
        table([
            event("dev", "support_ticket_solved", 70 - 60 * 24, ticket, topic="network"),
            event("dev", "support_ticket_solved", 60 - 60 * 24, {**ticket, "ticket_id": "T-78"}, topic="network"),
            event("indu", "session_started", 10 - 60 * 24),
        ])
    )  # fmt: skip

    small.plan(as_of=AS_OF + later, now=MORNING + later)

    assert planned(small, "L-0002")["dev"].arm == TREATED
    with small.engine.connect() as connection:
        after = load_arms(connection)
    assert {key: after[key] for key in before} == before


def test_arms_are_drawn_in_the_shares_of_the_playbook() -> None:
    """10,000 people: a tenth and a fifth, within four standard deviations, and independently of each other."""
    book = load_playbook()
    router, offer = book.play("router_setup"), book.play("better_plan")
    drawn = [(draw_arm(f"C-{n}", router, "salt"), draw_arm(f"C-{n}", offer, "salt")) for n in range(10_000)]
    held_router = sum(one != TREATED for one, _ in drawn)
    held_offer = sum(one != TREATED for _, one in drawn)
    both = sum(one != TREATED and two != TREATED for one, two in drawn)

    assert abs(held_router - 1_000) < 120
    assert abs(held_offer - 2_000) < 160
    assert abs(both - 200) < 57


def test_a_play_without_a_comparison_group_holds_nobody_out() -> None:
    play = load_playbook().play("payment_help")

    assert all(draw_arm(f"C-{n}", play, "salt") == TREATED for n in range(2_000))


# ── money ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_what_the_budget_does_not_reach_is_left_out_the_least_urgent_first(small: SmallCompany) -> None:
    small.settings = small_company.settings(budget_minor=50)

    result = small.plan()

    assert left_out(small)["hari"] == ("better_plan", "over_budget")
    assert set(planned(small)) == {"bala", "dev", "asha"}  # 13 paise each; the fourth would be 52
    assert result.cost_minor == 39


def test_the_budget_is_drawn_before_anybody_looks_at_the_arms(small: SmallCompany) -> None:
    """Else the comparison group would hold people whom the budget would have left out."""
    gathered = gather(small.engine, small.log, small.settings, load_playbook(), as_of=AS_OF, now=MORNING)
    words = words_of(small.settings, MORNING)
    kept = []
    for arm in ("treated", "holdout"):
        arms = {(person, play.name): arm for person in gathered.candidates for play in load_playbook().plays}
        options = replace(gathered.options, budget_left_minor=50)
        chosen, _ = decide(gathered.candidates, gathered.people, arms, options, words)
        kept.append({one.customer.customer_id for one in chosen})
    assert kept[0] == kept[1]
    assert len(kept[0]) == 3


def test_what_is_approved_counts_as_spent(small: SmallCompany) -> None:
    small.settings = small_company.settings(budget_minor=5_140)
    first = small.plan()
    late = {"order_id": "R-5", "days_late": 4}
    small.log.append(table([event("indu", "order_delivered", 30, late, product="smart_bulb")]))

    small.plan(now=MORNING + timedelta(minutes=5))

    assert first.cost_minor == 5_140
    assert left_out(small, "L-0002")["indu"] == ("delivery_sorry", "over_budget")


# ── channel and language ──────────────────────────────────────────────────────────────────────────────────
def test_the_message_takes_the_channel_the_person_agreed_to(small: SmallCompany) -> None:
    record_consent(small.engine, customer_id("asha"), "whatsapp", "service", False, MORNING, "test")
    suppress(small.engine, customer_id("chitra"), "no SMS or WhatsApp", MORNING, channel="whatsapp")
    prefers = replace(small_company.people()[3], attributes={"preferred_channel": "sms"})
    save_customers(small.engine, [prefers], MORNING)

    small.plan()

    rows = planned(small)
    assert {who: rows[who].channel for who in ("asha", "bala", "chitra", "dev")} == {
        "asha": "email",
        "bala": "whatsapp",
        "chitra": "email",
        "dev": "sms",
    }
    assert rows["asha"].address == "asha@example.invalid"
    assert (rows["asha"].language, rows["bala"].language) == ("en", "hi")
    assert rows["bala"].variables["company"] == "सरल"


def test_a_long_text_message_costs_its_parts(small: SmallCompany) -> None:
    """Hindi SMS hold 70 letters, then 67 per part."""
    for channel in ("whatsapp", "email"):
        record_consent(small.engine, customer_id("bala"), channel, "service", False, MORNING, "test")

    small.plan()

    assert planned(small)["bala"].cost_minor % 40 == 0
    assert planned(small)["bala"].cost_minor >= 80


# ── time ──────────────────────────────────────────────────────────────────────────────────────────────────
NIGHT = (time(21), time(9))


def test_urgent_messages_go_out_at_once_and_the_others_after_the_decision(small: SmallCompany) -> None:
    result = small.plan()

    rows = planned(small)
    assert result.decide_by == datetime(2026, 11, 19, 12, 30, tzinfo=UTC)  # 18:00 in India
    assert rows["bala"].send_at == datetime(2026, 11, 19, 3, 30, tzinfo=UTC)  # 09:00, when the night is over
    assert all(rows[who].send_at >= result.decide_by for who in ("asha", "chitra", "dev", "hari"))
    assert len({rows[who].send_at for who in ("asha", "chitra", "dev", "hari")}) > 1


zones = st.sampled_from(
    ["Asia/Kolkata", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu"]
).map(ZoneInfo)
clocks = st.integers(6, 22).map(lambda hour: time(hour, 30))


@given(
    earliest=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),  # noqa: DTZ001
    hours=st.tuples(clocks, clocks).filter(lambda pair: pair[0] < pair[1]),
    place=zones,
    who=st.text(max_size=5),
    at_once=st.booleans(),
)
def test_a_send_time_is_in_the_plays_hours_and_never_in_the_night(
    earliest: datetime, hours: tuple[time, time], place: ZoneInfo, who: str, at_once: bool
) -> None:
    """Twelve months, so every change of clocks is among them."""
    found = send_time(earliest, hours, NIGHT, place, who, at_once=at_once)

    if found is None:
        assert max(hours[0], time(9)) >= min(hours[1], time(21))
        return
    local = found.astimezone(place)
    assert found >= earliest
    assert hours[0] <= local.time() < hours[1]
    assert not is_quiet(found, NIGHT, place)
    assert found - earliest < timedelta(days=2, hours=2)


def test_the_evening_is_used_evenly() -> None:
    noon = datetime(2026, 11, 19, 12, 30, tzinfo=UTC)
    found = Counter(
        send_time(noon, (time(10), time(20)), NIGHT, ZoneInfo("Asia/Kolkata"), f"C-{n}") for n in range(2_400)
    )

    assert len(found) == 24  # 18:00 to 20:00 in steps of five minutes
    assert max(found.values()) < 160


def test_a_message_that_would_come_too_late_is_not_planned(small: SmallCompany) -> None:
    """An outage update is of use for twelve hours; planned at 20:55 it could leave at 09:00 the next day at best."""
    small.log.append(table([event("indu", "incident_declared", 1, {"incident_id": "I-1", "area": "Indore"})]))
    evening = datetime(2026, 11, 19, 15, 25, tzinfo=UTC)

    small.plan(as_of=evening, now=evening)

    assert left_out(small)["indu"] == ("outage_update", "too_late")


# ── the run itself ────────────────────────────────────────────────────────────────────────────────────────
def test_an_old_log_is_refused(small: SmallCompany) -> None:
    with pytest.raises(StaleData, match=r"The newest event is of 2026-11-18 .* more than 3 days") as refused:
        small.plan(as_of=AS_OF, now=MORNING + timedelta(days=5))

    assert "pehle import events" in str(refused.value)


def test_what_a_crash_left_of_a_list_is_taken_away_and_planned_again(company: SmallCompany) -> None:
    """The marker of a half-written list is put back, as if the last transaction had never come."""
    first = company.plan()
    set_state(company.engine, PLANNING, first.list_id)

    second = company.plan()

    assert second.planned == 5
    with company.engine.connect() as connection:
        assert connection.execute(select(outreach_lists.c.list_id)).scalars().all() == [second.list_id]
        assert get_state(connection, PLANNING) is None
        assert connection.execute(select(home_state.c.value).where(home_state.c.key == PLANNING)).all() == []


def test_a_half_written_list_is_nobodys_to_see(small: SmallCompany) -> None:
    from records.browsing import find_list, latest_list

    first = small.plan()
    set_state(small.engine, PLANNING, first.list_id)

    with small.engine.connect() as connection:
        assert latest_list(connection) is None
        assert find_list(connection, first.list_id) is None
    assert save_list is not None


def test_each_play_says_why_it_does_not_fit(small: SmallCompany) -> None:
    def why(who: str) -> dict[str, str]:
        rows = explain(small.engine, small.log, small.settings, load_playbook(), customer_id(who), AS_OF, MORNING)
        return {row["play"]: row["why"] for row in rows}

    assert why("lata")["payment_help"] == "more than 0 payment_completed since then"
    assert why("indu")["payment_help"] == "no payment_failed in the last 48 hours"
    assert why("indu")["better_plan"] == "the risk is low, not high"
    assert why("farid")["delivery_sorry"].startswith("have an open complaint")
    assert why("farid")["router_setup"] == "order_delivered happened, but not with product one of airfiber_router"
    assert why("bala")["payment_help"].startswith("whatsapp, hi, 2026-11-19 03:30")


def test_two_plannings_from_the_same_facts_agree(tmp_path: Path) -> None:
    def rows(folder: Path) -> list[Any]:
        folder.mkdir()
        engine = connect(f"sqlite:///{folder / 'pehle.db'}")
        migrate(engine)
        company = small_company.make(engine, folder)
        company.plan()
        found = sorted(tuple(row) for row in planned(company).values())
        engine.dispose()
        return found

    assert repr(rows(tmp_path / "a")) == repr(rows(tmp_path / "b"))


def test_value_for_money_decides_among_equals(small: SmallCompany) -> None:
    """Of two people for the same play the cheaper channel is served first."""
    gathered = gather(small.engine, small.log, small.settings, load_playbook(), as_of=AS_OF, now=MORNING)
    chosen, _ = decide(gathered.candidates, gathered.people, {}, gathered.options, words_of(small.settings, MORNING))
    one = next(item for item in chosen if item.play.name == "router_setup")
    dear: Chosen = replace(one, cost_minor=40, customer=replace(one.customer, customer_id="A"))

    kept, out = within_budget([dear, one], 45)

    assert kept == [one]
    assert [item.customer_id for item in out] == ["A"]
