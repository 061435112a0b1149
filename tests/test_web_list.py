"""Does the list count right, page by key, and do with a selection exactly what was confirmed?"""

from __future__ import annotations

import re
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, update
from starlette.testclient import TestClient
from web_client import Clock, client_of, form_token_of, sign_in
from web_home import NOW, web_home

from records.browsing import counts
from records.outreach import Outreach, State, find_outreach
from records.tables import outreach, passed_over
from serving.home import SIMULATED, Home, create_home, open_home

TABS = ("waiting", "approved", "declined", "left", "comparison", "all")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home made once; each test changes a copy."""
    path = tmp_path_factory.mktemp("made") / "home"
    web_home(path, waiting=30).engine.dispose()
    return path


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Home:
    shutil.copytree(made, tmp_path / "home")
    return open_home(tmp_path / "home")


@pytest.fixture
def client(home: Home) -> TestClient:
    clock = Clock()
    return sign_in(client_of(home, clock), home, clock)


def rows_in(page: str) -> list[str]:
    return re.findall(r'<tr role="row" id="(O-\d+)"', page)


def tab_counts(page: str) -> dict[str, int]:
    found = re.findall(r'<a href="/lists/L-0148(?:\?tab=(\w+))?"[^>]*>[^<]*<b>([\d,]+)</b>', page)
    return {name or "waiting": int(number.replace(",", "")) for name, number in found}


def state_of(home: Home, outreach_id: str) -> str:
    with home.engine.connect() as connection:
        row = find_outreach(connection, outreach_id)
    assert row is not None
    return row.state


def confirm_and_do(client: TestClient, what: str, **fields: object) -> object:
    """Press the button on the list, then the one on the page that asks."""
    asked = client.get("/lists/L-0148/confirm", params={"do": what, **fields})
    assert asked.status_code == 200
    hidden = re.findall(r'<input type="hidden" name="([\w]+)" value="([^"]*)">', asked.text)
    data: dict[str, list[str]] = {}
    for name, value in hidden:
        data.setdefault(name, []).append(value)
    return client.post("/lists/L-0148/decide", data=data)


def test_the_tabs_add_up_to_all(client: TestClient, home: Home) -> None:
    found = tab_counts(client.get("/lists/L-0148").text)
    assert tuple(found) == TABS
    assert sum(number for name, number in found.items() if name != "all") == found["all"]
    assert (found["waiting"], found["comparison"], found["left"]) == (30, 6, 20)


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_opens(client: TestClient, tab: str) -> None:
    for the_list in ("L-0147", "L-0148"):
        assert client.get(f"/lists/{the_list}?tab={tab}").status_code == 200


def test_every_row_is_on_exactly_one_page(client: TestClient) -> None:
    first = client.get("/lists/L-0148").text
    onward = re.search(r'rel="next" href="([^"]+)"', first)
    assert onward is not None
    second = client.get(onward[1].replace("&amp;", "&")).text
    assert len(rows_in(first)) == 25
    assert len(rows_in(second)) == 5
    assert len({*rows_in(first), *rows_in(second)}) == 30
    assert "26–30 of 30" in second


def test_a_filter_narrows_what_is_selected(client: TestClient) -> None:
    page = client.get("/lists/L-0148?message=better_plan&channel=email").text
    assert re.search(r'data-total="(\d+)"', page)[1] == str(len(rows_in(page)))  # type: ignore[index]
    assert 0 < len(rows_in(page)) < 30
    assert len(rows_in(client.get("/lists/L-0148?q=Lakshmi").text)) == 3
    assert "Nobody here matches" in client.get("/lists/L-0148?q=%25").text


def test_an_id_with_a_blank_can_be_searched_and_is_shown(client: TestClient) -> None:
    page = client.get("/lists/L-0148", params={"q": "C-20 4817"}).text
    assert rows_in(page) == ["O-17"]
    assert "C-20 4817" in page


def test_hostile_names_stay_words(client: TestClient) -> None:
    for path in ("/lists/L-0148", "/lists/L-0147?tab=all", "/outbox?channel=email"):
        page = client.get(path).text
        assert "<script>alert" not in page, path
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page, path


def test_one_is_approved_and_stays_in_sight_with_an_undo(client: TestClient, home: Home) -> None:
    data = {"form_token": form_token_of(client), "approve_one": "O-17"}
    answer = client.post("/lists/L-0148/decide", data=data)
    page = client.get(answer.headers["location"]).text
    assert state_of(home, "O-17") == "approved"
    assert "Approved 10:12" in page
    assert "1 approved." in page
    client.post("/lists/L-0148/undo", data={"form_token": form_token_of(client), "one": "O-17"})
    assert state_of(home, "O-17") == "planned"


def test_who_was_second_sees_who_was_first(client: TestClient, home: Home) -> None:
    clock = Clock()
    rohan = sign_in(client_of(home, clock), home, clock, "Rohan Kulkarni")
    rohan.post("/lists/L-0148/decide", data={"form_token": form_token_of(rohan), "decline_one": "O-17"})
    answer = client.post("/lists/L-0148/decide", data={"form_token": form_token_of(client), "approve_one": "O-17"})
    assert state_of(home, "O-17") == "declined"
    assert "Rohan Kulkarni: Declined, 10:12" in client.get(answer.headers["location"]).text


def test_all_are_approved_after_the_number_is_said_again(client: TestClient, home: Home) -> None:
    asked = client.get("/lists/L-0148/confirm?do=approve&scope=all").text
    assert "Approve 30 messages to 30 people?" in asked
    assert "Approve 30</button>" in asked
    confirm_and_do(client, "approve", scope="all")
    with home.engine.connect() as connection:
        assert counts(connection, "L-0148").approved == 30
    page = client.get("/lists/L-0148").text
    assert "30 approved. They go out from 12:30." in page
    assert "Undo, until 12:29" in page
    assert "Nothing waits for you in this list." in page


def test_what_the_list_costs_stays_when_it_is_approved(client: TestClient) -> None:
    def cost() -> str:
        found = re.search(r"<dt>Cost</dt><dd><b>(.*?)</b>", client.get("/lists/L-0148").text)
        assert found is not None
        return found[1]

    before = cost()
    confirm_and_do(client, "approve", scope="all")
    assert cost() == before != "₹0"


def test_what_was_sent_does_not_count_as_approved_on_today(client: TestClient, home: Home) -> None:
    confirm_and_do(client, "approve", scope="all")
    with home.engine.begin() as connection:
        connection.execute(update(outreach).where(outreach.c.outreach_id == "O-17").values(state="sent"))
    assert "29 messages are approved; the next goes out at" in client.get("/").text


def test_all_but_the_unticked_are_approved(client: TestClient, home: Home) -> None:
    confirm_and_do(client, "approve", scope="all", shown=["O-17", "O-18", "O-19"], id=["O-18", "O-19"])
    assert state_of(home, "O-17") == "planned"
    with home.engine.connect() as connection:
        assert counts(connection, "L-0148").approved == 29


def test_only_the_ticked_are_declined(client: TestClient, home: Home) -> None:
    confirm_and_do(client, "decline", scope="page", shown=["O-17", "O-18"], id=["O-18"])
    assert (state_of(home, "O-17"), state_of(home, "O-18")) == ("planned", "declined")
    with home.engine.connect() as connection:
        assert counts(connection, "L-0148").declined == 1


def test_after_all_of_a_filter_the_rest_is_shown(client: TestClient) -> None:
    page = client.get("/lists/L-0148?channel=email").text
    done = confirm_and_do(client, "approve", scope="all", channel="email")
    assert done.headers["location"] == "/lists/L-0148"  # type: ignore[attr-defined]
    rest = client.get("/lists/L-0148").text
    assert rows_in(rest)
    assert not {*rows_in(page)} & {*rows_in(rest)}


def test_an_empty_tab_offers_nothing_to_filter(client: TestClient) -> None:
    assert 'class="filters"' in client.get("/lists/L-0148").text
    assert 'class="filters"' not in client.get("/lists/L-0148?tab=declined").text


def test_a_number_that_changed_meanwhile_does_not_go_through(client: TestClient, home: Home) -> None:
    data = {"form_token": form_token_of(client), "do": "approve", "scope": "all", "expected": "30"}
    client.post("/lists/L-0148/decide", data={"form_token": form_token_of(client), "decline_one": "O-17"})
    answer = client.post("/lists/L-0148/decide", data=data)
    assert answer.status_code == 409
    assert "It is 29 now, not 30" in answer.text
    assert "Approve 29</button>" in answer.text
    with home.engine.connect() as connection:
        assert counts(connection, "L-0148").approved == 0


def test_nobody_selected_is_said(client: TestClient) -> None:
    assert "Nobody is selected" in client.get("/lists/L-0148/confirm?do=approve&scope=none").text


def test_a_whole_approval_is_taken_back(client: TestClient, home: Home) -> None:
    confirm_and_do(client, "approve", scope="all")
    page = client.get("/lists/L-0148").text
    form = re.search(r'action="/lists/L-0148/undo">.*?</form>', page, re.S)
    assert form is not None
    data = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[0]))
    client.post("/lists/L-0148/undo", data=data)
    with home.engine.connect() as connection:
        assert counts(connection, "L-0148").waiting == 30


def test_the_question_tells_which_messages_were_not_opened(client: TestClient) -> None:
    assert "0 of 7" in client.get("/lists/L-0148/confirm?do=approve&scope=all").text
    client.get("/outreach/O-17")
    page = client.get("/lists/L-0148/confirm?do=approve&scope=all").text
    assert "1 of 7" in page
    assert "You have not opened" in page


def test_the_comparison_group_cannot_be_approved(client: TestClient, home: Home) -> None:
    page = client.get("/lists/L-0148?tab=comparison").text
    assert len(rows_in(page)) == 6
    assert "approve_one" not in page
    held_out = rows_in(page)[0]
    client.post("/lists/L-0148/decide", data={"form_token": form_token_of(client), "approve_one": held_out})
    assert state_of(home, held_out) == "held_out"
    assert 'value="approve"' not in client.get(f"/outreach/{held_out}").text


def test_people_left_out_are_listed_with_the_reason(client: TestClient) -> None:
    page = client.get("/lists/L-0148?tab=left").text
    assert page.count("have an open complaint") >= 2
    narrowed = client.get("/lists/L-0148?tab=left&reason=open_complaint").text
    assert "5 people" in narrowed


def test_approving_one_goes_on_to_the_next(client: TestClient, home: Home) -> None:
    data = {"form_token": form_token_of(client), "do": "approve"}
    answer = client.post("/outreach/O-17/decide", data=data)
    assert answer.headers["location"] == "/outreach/O-18"
    assert state_of(home, "O-17") == "approved"


def test_after_the_decision_time_nothing_can_be_approved(home: Home) -> None:
    clock = Clock(NOW + timedelta(hours=9))
    client = sign_in(client_of(home, clock), home, clock)
    page = client.get("/outreach/O-17").text
    assert 'value="approve"' not in page
    assert "Decision time was 18:00" in page


def test_an_empty_home_says_what_comes_next(tmp_path: Path) -> None:
    home, clock = create_home(tmp_path, SIMULATED), Clock()
    client = sign_in(client_of(home, clock), home, clock)
    assert "There is no list yet" in client.get("/").text
    assert "pehle plan" in client.get("/lists").text
    assert "Nothing is measured yet" in client.get("/results").text
    assert "Nothing has gone out on this channel yet" in client.get("/outbox").text


def many(home: Home, count: int) -> None:
    """`count` more rows like the first, so that the list has over a thousand."""
    with home.engine.begin() as connection:
        row = find_outreach(connection, "O-17")
        assert isinstance(row, Outreach)
        first = connection.execute(select(outreach).where(outreach.c.outreach_id == "O-17")).mappings().one()
        for start in range(0, count, 500):
            connection.execute(
                insert(outreach),
                [
                    dict(first) | {"outreach_id": f"O-x{number:05d}", "trigger_key": f"x{number}"}
                    for number in range(start, min(count, start + 500))
                ],
            )


def test_more_than_a_thousand_need_the_number_typed(client: TestClient, home: Home) -> None:
    many(home, 1_200)
    page = client.get("/lists/L-0148").text
    assert "1–25 of 1,230" in page
    assert "Approve 1,230…" in page
    data = {"form_token": form_token_of(client), "do": "approve", "scope": "all", "expected": "1230"}
    wrong = client.post("/lists/L-0148/decide", data=data | {"typed": "1200"})
    assert wrong.status_code == 422
    assert "That is not the number" in wrong.text
    with home.engine.connect() as connection:
        assert counts(connection, "L-0148").approved == 0
    assert client.post("/lists/L-0148/decide", data=data | {"typed": "1,230"}).status_code == 303
    with home.engine.connect() as connection:
        approved = select(func.count()).select_from(outreach).where(outreach.c.state == State.APPROVED)
        assert connection.execute(approved).scalar() == 1_230


def test_a_broken_message_is_red_and_cannot_be_approved(client: TestClient, home: Home) -> None:
    with home.engine.begin() as connection:
        connection.execute(update(outreach).where(outreach.c.outreach_id == "O-17").values(variables={}))
    page = client.get("/outreach/O-17").text
    assert "This cannot be sent as it is" in page
    assert 'value="approve"' not in page
    assert client.get("/lists/L-0148").status_code == 200


def test_left_out_is_said_in_the_readers_language_with_the_topic_in_words(client: TestClient, home: Home) -> None:
    """One of them in one place: a sentence about many would be wrong there, and dates stand as people write them."""
    with home.engine.begin() as connection:
        some = connection.execute(select(passed_over.c.customer_id).where(passed_over.c.list_id == "L-0148")).scalars()
        first, second, *_ = sorted(some)
        for who, reason, detail in (
            (first, "not_sure", "billing"),
            (second, "heard_from_us", "this message on 2026-11-17; again after 30 days"),
        ):
            where = (passed_over.c.customer_id == who, passed_over.c.list_id == "L-0148")
            connection.execute(update(passed_over).where(*where).values(reason=reason, detail=detail))
    page = client.get("/lists/L-0148?tab=left").text
    assert "may ask for help, but it is not sure enough with what" in page
    assert "perhaps Bill and charges" in page
    client.cookies.set("language", "hi")
    page = client.get("/lists/L-0148?tab=left").text
    assert "शायद बिल और पैसे" in page
    assert "हाल ही में मैसेज गया है" in page
    assert "दिन बाद फिर" in page
    assert "again after" not in page
    assert "Import " not in page


def test_why_a_message_did_not_go_is_said_in_hindi_too(client: TestClient, home: Home) -> None:
    """The row keeps the words; they are found again."""
    one = rows_in(client.get("/lists/L-0148").text)[0]
    with home.engine.begin() as connection:
        gone = {"state": State.CANCELLED, "reason": "have left"}
        connection.execute(update(outreach).where(outreach.c.outreach_id == one).values(**gone))
    assert "have left" in client.get(f"/outreach/{one}").text
    client.cookies.set("language", "hi")
    page = client.get(f"/outreach/{one}").text
    assert "have left" not in page
    assert "जा चुके हैं" in page
