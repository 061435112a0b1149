"""A yes binds exactly these words to exactly these people, can be taken back until the send, and is written down."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import small_company
from small_company import EVENING, MORNING, SmallCompany
from sqlalchemy import Engine, select, update

from records import audit
from records.browsing import counts, history, left_out_page, lists
from records.errors import StateError, WordsError
from records.outreach import State, move
from records.paging import Filter, matching_ids, neighbours, page, position_of, selection
from records.tables import audit as audit_table
from records.tables import outreach
from serving.review import approve, decline, expire, undo
from serving.sending import send_due

LIST = Filter(list_id="L-0001")


@pytest.fixture
def company(engine: Engine, tmp_path: Path) -> SmallCompany:
    made = small_company.make(engine, tmp_path)
    made.plan()
    return made


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_company.prepare(tmp_path_factory.mktemp("prepared"), SmallCompany.plan)


@pytest.fixture
def small(prepared: Path, tmp_path: Path) -> Iterator[SmallCompany]:
    """The same on SQLite only, for what does not depend on the database."""
    made = small_company.copy_of(prepared, tmp_path)
    yield made
    made.engine.dispose()


def states(company: SmallCompany) -> dict[str, str]:
    with company.engine.connect() as connection:
        return {row.outreach_id: row.state for row in connection.execute(select(outreach))}


def waiting(company: SmallCompany) -> list[str]:
    with company.engine.connect() as connection:
        return matching_ids(connection, LIST)


def test_a_yes_to_the_whole_list_is_recorded_with_who_and_when(company: SmallCompany) -> None:
    decided = approve(company.engine, LIST, "Meera Iyer", MORNING, expected=5)

    assert decided.count == 5
    assert decided.first_send_at == datetime(2026, 11, 19, 3, 30, tzinfo=UTC)
    assert set(states(company).values()) == {State.APPROVED}
    with company.engine.connect() as connection:
        row = connection.execute(select(outreach)).first()
        assert row is not None
        assert (row.approved_by, row.approved_at) == ("Meera Iyer", MORNING)
        moves = history(connection, row.outreach_id)
        assert [(move["to_state"], move["actor"]) for move in moves] == [
            ("planned", "job:plan"),
            ("approved", "Meera Iyer"),
        ]
        written = connection.execute(select(audit_table).order_by(audit_table.c.audit_id.desc())).first()
        assert written is not None
        assert (written.actor, written.action) == ("Meera Iyer", "outreach approved")
        assert audit.verify(connection) is None


def test_if_the_number_changed_nothing_happens_and_the_new_number_is_told(company: SmallCompany) -> None:
    decline(company.engine, waiting(company)[:1], "Rohan", MORNING, expected=1)

    with pytest.raises(StateError, match=r"It is 4 now, not 5.* Approve 4\?") as refused:
        approve(company.engine, LIST, "Meera", MORNING, expected=5)

    assert (refused.value.facts["expected"], refused.value.facts["found"]) == (5, 4)
    assert sorted(states(company).values()) == [State.DECLINED, *[State.PLANNED] * 4]


def test_what_rohan_declined_meera_cannot_approve(small: SmallCompany) -> None:
    first = waiting(small)[0]
    decline(small.engine, [first], "Rohan", MORNING, expected=1, reason="she called yesterday")

    with pytest.raises(StateError, match="It is 0 now, not 1"):
        approve(small.engine, [first], "Meera", MORNING, expected=1)

    with small.engine.connect() as connection:
        assert history(connection, first)[-1]["reason"] == "she called yesterday"


def test_of_two_people_who_press_at_once_one_decides(company: SmallCompany) -> None:
    one = waiting(company)[0]
    answers: list[object] = []

    def press(verb: Any, name: str) -> None:
        try:
            answers.append(verb(company.engine, [one], name, MORNING, expected=1).count)
        except StateError as error:
            answers.append(error)

    pressing = [Thread(target=press, args=(approve, "Meera")), Thread(target=press, args=(decline, "Rohan"))]
    for thread in pressing:
        thread.start()
    for thread in pressing:
        thread.join()

    assert sum(answer == 1 for answer in answers) == 1
    assert sum(isinstance(answer, StateError) for answer in answers) == 1
    with company.engine.connect() as connection:
        assert len(history(connection, one)) == 2


def test_a_filter_approves_only_what_it_shows(small: SmallCompany) -> None:
    offers = Filter(list_id="L-0001", play="better_plan", band="high", topic="plan_price", text="hari")

    assert approve(small.engine, offers, "Meera", MORNING, expected=1).count == 1
    assert sorted(states(small).values()) == [State.APPROVED, *[State.PLANNED] * 4]


def test_a_yes_is_taken_back_until_the_message_goes_out(company: SmallCompany) -> None:
    approve(company.engine, LIST, "Meera", MORNING, expected=5)
    noon = MORNING + timedelta(hours=6)  # Bala's payment help was due at 09:00

    taken_back = undo(company.engine, LIST, "Meera", noon)

    assert taken_back.count == 4
    assert sorted(states(company).values()) == [State.APPROVED, *[State.PLANNED] * 4]
    with company.engine.connect() as connection:
        row = connection.execute(select(outreach).where(outreach.c.state == State.PLANNED)).first()
        assert row is not None
        assert row.approved_by is None


def test_a_no_is_taken_back_too(small: SmallCompany) -> None:
    one = waiting(small)[:1]
    decline(small.engine, one, "Meera", MORNING, expected=1)

    assert undo(small.engine, one, "Meera", MORNING + timedelta(minutes=1)).count == 1
    assert set(states(small).values()) == {State.PLANNED}


def test_only_the_yes_of_one_moment_is_taken_back(small: SmallCompany) -> None:
    ids = waiting(small)
    approve(small.engine, ids[:2], "Meera", MORNING, expected=2)
    approve(small.engine, ids[2:], "Meera", MORNING + timedelta(minutes=1), expected=3)

    assert undo(small.engine, LIST, "Meera", MORNING + timedelta(minutes=2), decided_at=MORNING).count == 1 + 1


def test_words_that_changed_since_the_planning_cannot_be_approved(company: SmallCompany) -> None:
    with company.engine.begin() as connection:
        connection.execute(update(outreach).where(outreach.c.play == "router_setup").values(message_version="0" * 64))

    with pytest.raises(WordsError, match=r"the words of router_setup changed since it was planned.*Plan again"):
        approve(company.engine, LIST, "Meera", MORNING, expected=5)

    assert set(states(company).values()) == {State.PLANNED}


def test_variables_altered_behind_our_back_cannot_be_approved(small: SmallCompany) -> None:
    with small.engine.begin() as connection:
        row = connection.execute(select(outreach).where(outreach.c.play == "payment_help")).one()
        forged = {**row.variables, "amount": "₹4"}
        connection.execute(update(outreach).where(outreach.c.outreach_id == row.outreach_id).values(variables=forged))

    with pytest.raises(WordsError, match="its variables are not those it was planned with"):
        approve(small.engine, LIST, "Meera", MORNING, expected=5)


def test_what_nobody_decides_in_time_expires(company: SmallCompany) -> None:
    assert expire(company.engine, MORNING) == 0

    assert expire(company.engine, datetime(2026, 11, 19, 3, 30, tzinfo=UTC)) == 1  # payment help, 09:00
    assert expire(company.engine, datetime(2026, 11, 19, 12, 30, tzinfo=UTC)) == 4  # the list, 18:00

    assert set(states(company).values()) == {State.EXPIRED}
    with company.engine.connect() as connection:
        found = lists(connection)[0]
        tab = counts(connection, found.list_id)
    assert (tab.declined, tab.waiting, tab.left_out, tab.all) == (5, 0, 5, 10)


def test_nothing_can_be_approved_after_the_deadline(small: SmallCompany) -> None:
    with pytest.raises(StateError, match="It is 0 now, not 5"):
        approve(small.engine, LIST, "Meera", EVENING, expected=5)


def test_what_was_not_approved_does_not_go_out(small: SmallCompany) -> None:
    report = send_due(small.engine, small.log, small.settings, small.channels(), EVENING, "sender")

    assert report.sent == 0
    assert small.outbox() == []


def test_a_row_moves_only_from_where_it_should_be(company: SmallCompany) -> None:
    one = waiting(company)[0]
    with company.engine.begin() as connection, pytest.raises(StateError, match=f"{one} is planned, not fenced"):
        move(connection, one, expected=[State.FENCED], to=State.SENT, now=MORNING, actor="test")
    with company.engine.begin() as connection, pytest.raises(StateError, match="O-999 is not there"):
        move(connection, "O-999", expected=[State.PLANNED], to=State.SENT, now=MORNING, actor="test")


# ── the lists as the screens read them ────────────────────────────────────────────────────────────────────
def test_the_pages_of_a_list_join_without_gap_or_overlap(company: SmallCompany) -> None:
    for order in ("risk", "time", "cost"):
        seen: list[str] = []
        positions = []
        after = None
        with company.engine.connect() as connection:
            while True:
                found = page(connection, LIST, order=order, size=2, after=after)
                seen += [row.outreach.outreach_id for row in found.rows]
                positions.append(found.position)
                if found.next is None:
                    break
                after = found.next
            assert sorted(seen) == sorted(waiting(company))
            assert positions == [1, 3, 5]
            back = page(connection, LIST, order=order, size=2, before=seen[4])
            assert [row.outreach.outreach_id for row in back.rows] == seen[2:4]
            assert (back.position, back.previous, back.next) == (3, seen[2], seen[3])
            assert position_of(connection, LIST, seen[2], order) == (3, 5)
            assert neighbours(connection, LIST, seen[2], order) == (seen[1], seen[3])


def test_the_riskiest_stand_first(small: SmallCompany) -> None:
    with small.engine.connect() as connection:
        found = page(connection, LIST)
    assert (found.rows[0].name, found.rows[0].band, found.rows[0].city) == ("Hari Om", "high", "Indore")


@pytest.mark.parametrize(
    ("narrowed", "people"),
    [
        ({"text": "Chitra"}, ["Chitra Sen"]),
        ({"text": "c-10 0004"}, ["Dev Patel"]),
        ({"text": "%"}, []),
        ({"channel": "email"}, []),
        ({"topic": "billing"}, ["Chitra Sen"]),
        ({"band": "high"}, ["Hari Om"]),
        ({"play": "router_setup"}, ["Asha Rao"]),
        ({"tab": "approved"}, []),
    ],
)
def test_a_filter_finds(company: SmallCompany, narrowed: dict[str, Any], people: list[str]) -> None:
    with company.engine.connect() as connection:
        found = page(connection, Filter(list_id="L-0001", **narrowed))
    assert [row.name for row in found.rows] == people
    assert found.total == len(people)


def test_a_selection_is_told_in_people_money_and_channels(company: SmallCompany) -> None:
    with company.engine.connect() as connection:
        found = selection(connection, LIST)
        out = left_out_page(connection, "L-0001", size=2)
    assert (found.count, found.cost_minor, found.by_channel) == (5, 5_140, {"whatsapp": 5})
    assert len(found.by_play) == 5
    assert [row["reason"] for row in out] == ["do_not_contact", "open_complaint"]
