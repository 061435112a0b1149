"""Does a person see exactly what is sent, read what arrived, and stop it with one click?"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select
from starlette.testclient import TestClient
from web_client import Clock, client_of, form_token_of, sign_in
from web_home import NOW, web_home
from web_quarter import measured_quarter

from records.leadership import leadership
from records.outreach import Outreach, find_outreach
from records.people import load_permissions
from records.tables import event_inbox, job_runs, suppression
from serving.composing import compose
from serving.home import REAL, SIMULATED, Home, create_home
from serving.tokens import link_secret, make_token

OFFER, SERVICE = "O-17", "O-18"  # better_plan by WhatsApp in English, really_fixed by e-mail in Hindi


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = web_home(tmp_path_factory.mktemp("messages"), waiting=12)
    measured_quarter(home, NOW)
    return home


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(home: Home, clock: Clock) -> TestClient:
    return sign_in(client_of(home, clock), home, clock)


def outreach_of(home: Home, outreach_id: str) -> Outreach:
    with home.engine.connect() as connection:
        row = find_outreach(connection, outreach_id)
    assert row is not None
    return row


def token(home: Home, outreach_id: str, purpose: str) -> str:
    return make_token(link_secret(home.engine), outreach_id, purpose)  # type: ignore[arg-type]


def orders(home: Home) -> int:
    with home.engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(suppression)).scalar_one())


def events(home: Home, name: str) -> list[dict[str, object]]:
    with home.engine.connect() as connection:
        return [row[0] for row in connection.execute(select(event_inbox.c.event)) if row[0]["name"] == name]


# ── what will be read ─────────────────────────────────────────────────────────────────────────────────────
def test_the_preview_shows_the_words_that_are_sent(client: TestClient, home: Home) -> None:
    row = outreach_of(home, OFFER)
    sent = compose(row, home.settings, link_secret(home.engine), NOW)
    shown = re.sub(r"<[^>]+>", "", client.get(f"/outreach/{OFFER}/preview/whatsapp").text)
    for line in sent.text.replace("*", "").strip().split("\n"):
        assert line in shown.replace("&#39;", "'").replace("&amp;", "&")


def test_a_frame_can_do_nothing(client: TestClient) -> None:
    for path in (f"/outreach/{OFFER}/preview/whatsapp", f"/outreach/{SERVICE}/preview/email", "/outbox/O-1/frame"):
        policy = client.get(path).headers["content-security-policy"]
        assert policy.startswith("sandbox ")
        assert "allow-scripts" not in policy
        assert "default-src 'none'" in policy
    page = client.get(f"/outreach/{OFFER}").text
    assert all("sandbox=" in frame and "allow-scripts" not in frame for frame in re.findall(r"<iframe[^>]*>", page))


def test_a_channel_nobody_agreed_to_stays_visible_and_says_so(client: TestClient) -> None:
    page = client.get(f"/outreach/{SERVICE}").text
    assert "SMS: not agreed to" in page


def test_reasons_checks_and_history_stand_beside_the_words(client: TestClient) -> None:
    page = client.get(f"/outreach/{OFFER}").text
    for said in (
        "Price checked 5 times this week; usually never",
        "Not on the do-not-contact list",
        "checked again at",
    ):
        assert said in page
    assert "Would go out, if approved" in page
    assert "<b>Meera Iyer</b> opened it" in client.get(f"/outreach/{OFFER}").text


def test_the_whole_app_speaks_hindi(client: TestClient) -> None:
    client.cookies.set("language", "hi")
    for path in ("/", "/lists", "/lists/L-0148", f"/outreach/{OFFER}", "/results", "/outbox", "/lists/L-0148?tab=left"):
        page = client.get(path).text
        assert '<html lang="hi"' in page
        assert "चुन" in page or "मैसेज" in page, path


# ── what arrived ──────────────────────────────────────────────────────────────────────────────────────────
def test_the_outbox_shows_what_was_delivered(client: TestClient, home: Home) -> None:
    page = client.get("/outbox?channel=whatsapp").text
    assert "Hello" in client.get("/outbox/O-1/frame").text
    assert "Move the clock" not in page  # nothing is approved yet


def test_answers_are_taken_in_the_customers_place_and_stop_stops(client: TestClient, home: Home) -> None:
    row = outreach_of(home, "O-1")
    before = orders(home)
    client.post("/outbox/reply", data={"form_token": form_token_of(client), "id": "O-1", "text": "STOP"})
    assert orders(home) > before
    permissions = load_permissions(home.engine, [row.customer_id], NOW)
    assert permissions.may(row.customer_id, "email", "promotional") == (False, "do_not_contact")
    assert "STOP" in client.get("/outbox/O-1/frame").text


def test_an_empty_outbox_says_why_the_simulated_past_is_not_in_it(tmp_path: Path, clock: Clock) -> None:
    past = "What was sent before this company was made is simulated"
    for mode, said in ((SIMULATED, True), (REAL, False)):
        home = create_home(tmp_path / mode, mode)
        page = sign_in(client_of(home, clock), home, clock).get("/outbox").text
        assert "Nothing has gone out on this channel yet" in page
        assert (past in page) is said


def test_nobody_answers_in_the_place_of_real_customers(tmp_path: Path, clock: Clock) -> None:
    real = create_home(tmp_path, REAL)
    client = sign_in(client_of(real, clock), real, clock)
    data = {"form_token": form_token_of(client), "id": "O-1", "text": "STOP"}
    assert client.post("/outbox/reply", data=data).status_code == 404
    assert client.post("/outbox/clock", data=data).status_code == 404
    page = client.get("/").text
    assert "simulated" not in page


def test_the_clock_moves_only_to_what_is_approved(client: TestClient, home: Home) -> None:
    answer = client.post("/outbox/clock", data={"form_token": form_token_of(client)})
    assert answer.headers["location"] == "/outbox"


def test_how_many_went_out_is_a_number_and_not_what_an_address_says(client: TestClient) -> None:
    assert "The clock was moved to 10:12: 3 sent." in client.get("/outbox?moved=3").text
    assert "The clock was moved" not in client.get("/outbox?moved=all+is+lost").text
    client.cookies.set("language", "hi")
    assert "3 मैसेज गए।" in client.get("/outbox?moved=3").text


def test_reading_a_mail_here_does_not_say_that_the_customer_opened_it(client: TestClient, home: Home) -> None:
    file = next((home.outbox / "email").glob("*.eml"))
    frame = client.get(f"/outbox/{file.stem}/frame").text
    assert "/u/" in frame
    assert "/o/" not in frame


# ── links of a message ────────────────────────────────────────────────────────────────────────────────────
def test_looking_at_the_stop_page_changes_nothing(client: TestClient, home: Home) -> None:
    before = orders(home)
    page = client.get(f"/u/{token(home, OFFER, 'unsubscribe')}")
    assert page.status_code == 200
    assert "<form" in page.text
    assert orders(home) == before


def test_one_click_stops_at_once_without_a_cookie(home: Home, clock: Clock) -> None:
    mail_program = client_of(home, clock)
    del mail_program.headers["sec-fetch-site"]
    row = outreach_of(home, SERVICE)
    link = f"/u/{token(home, SERVICE, 'unsubscribe')}"
    answer = mail_program.post(link, data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert '<html lang="hi"' in answer.text
    assert "अब हम आपको ऐसे मैसेज नहीं भेजेंगे।" in answer.text
    permissions = load_permissions(home.engine, [row.customer_id], NOW)
    assert permissions.may(row.customer_id, "whatsapp", "promotional")[0] is False
    assert permissions.may(row.customer_id, row.channel, "service")[0] is False
    assert mail_program.post(link).status_code == 200  # as often as one likes


@pytest.mark.parametrize("path", ["/u/nonsense", "/u/Ty0xNw.AAAA", "/m/nonsense", "/c/nonsense/button"])
def test_a_made_up_link_does_nothing_and_says_how_to_stop(home: Home, clock: Clock, path: str) -> None:
    before = orders(home)
    client = client_of(home, clock)
    answer = client.get(path)
    assert answer.status_code == 404
    assert "STOP" in answer.text
    assert client.post(path.replace("/c/", "/u/").removesuffix("/button")).status_code == 404
    assert orders(home) == before


def test_a_token_works_only_for_its_own_purpose(home: Home, clock: Clock) -> None:
    client = client_of(home, clock)
    assert client.get(f"/u/{token(home, OFFER, 'click')}").status_code == 404
    assert client.get(f"/c/{token(home, OFFER, 'unsubscribe')}/button").status_code == 404


def test_a_click_is_counted_and_leads_to_the_company_alone(home: Home, clock: Clock) -> None:
    client = client_of(home, clock)
    answer = client.get(f"/c/{token(home, OFFER, 'click')}/button?to=https://evil.invalid")
    assert "https://saral.invalid/" in answer.text
    assert "evil" not in answer.text
    assert len(events(home, "message_clicked")) == 1
    assert client.get(f"/c/{token(home, OFFER, 'click')}/elsewhere").status_code == 404


def test_an_opening_by_a_machine_is_told_from_one_by_a_person(home: Home, clock: Clock) -> None:
    client = client_of(home, clock)
    for agent in ("Mozilla/5.0 (iPhone)", "GoogleImageProxy"):
        picture = client.get(f"/o/{token(home, OFFER, 'open')}", headers={"user-agent": agent})
        assert picture.headers["content-type"] == "image/gif"
    machines = [json.loads(str(event["properties"]))["machine"] for event in events(home, "message_opened")]
    assert sorted(machines) == [False, True]


def test_the_settings_link_stops_offers_on_every_channel(home: Home, clock: Clock) -> None:
    client, row = client_of(home, clock), outreach_of(home, "O-19")
    link = f"/m/{token(home, 'O-19', 'settings')}"
    assert "<form" in client.get(link).text
    assert client.post(link).status_code == 200
    permissions = load_permissions(home.engine, [row.customer_id], NOW)
    assert not any(permissions.may(row.customer_id, channel, "promotional")[0] for channel in ("email", "whatsapp"))


# ── results, health ───────────────────────────────────────────────────────────────────────────────────────
def test_results_come_with_interval_and_number_of_people(client: TestClient) -> None:
    page = client.get("/results").text
    assert "It helped." in page
    assert "Of every 100 people we wrote to, about 13 more stayed (6 to 20)." in page
    assert "of 900" in page
    assert "of 228" in page
    assert "Not enough data yet." in page
    assert "Tracked, not claimed" in page
    assert "about 13 more stayed" in client.get("/").text


def test_a_quarter_can_be_chosen(client: TestClient) -> None:
    page = client.get("/results?period=2026-q2").text
    assert "of 900" not in page
    assert "selected>" in page


def test_health_says_ok_and_then_which_job_is_late(home: Home, clock: Clock) -> None:
    client = client_of(home, clock)
    assert client.get("/healthz").json() == {"status": "ok", "late": []}
    with home.engine.begin() as connection:
        due = NOW.replace(hour=0)
        connection.execute(insert(job_runs).values(job="plan", slot=due, state="expected", attempts=0))
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "late", "late": ["plan"]}
    signed = sign_in(client_of(home, clock), home, clock)
    assert 'Start it with <span class="code">pehle work' in signed.get("/").text
    with leadership(home.engine, home.data):  # somebody works here now
        page = signed.get("/").text
    assert "Planning is late" in page
    assert "A worker is running" in page
    assert "Start it with" not in page
