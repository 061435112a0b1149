"""Who comes in, how long, and which forms are refused?"""

from __future__ import annotations

import logging
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient
from web_client import Clock, client_of, form_token_of, sign_in
from web_home import web_home

from records.reviewers import create_signin_link
from records.tables import outreach, sessions, signin_links
from serving.home import Home

SCREENS = ("/", "/lists", "/lists/L-0148", "/lists/L-0148/confirm?do=approve", "/outreach/O-17", "/results", "/outbox")
ACTIONS = ("/lists/L-0148/decide", "/lists/L-0148/undo", "/outreach/O-17/decide", "/outbox/reply", "/outbox/clock")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return web_home(tmp_path_factory.mktemp("access"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(home: Home, clock: Clock) -> TestClient:
    return client_of(home, clock)


@pytest.mark.parametrize("path", SCREENS)
def test_without_a_session_every_screen_leads_to_the_sign_in(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/signin")


@pytest.mark.parametrize("path", ACTIONS)
def test_without_a_session_nothing_can_be_changed(client: TestClient, home: Home, path: str) -> None:
    answer = client.post(path, data={"do": "approve", "approve_one": "O-17"})
    assert answer.status_code in (303, 403)
    with home.engine.connect() as connection:
        assert (
            connection.execute(select(outreach.c.state).where(outreach.c.outreach_id == "O-17")).scalar() == "planned"
        )


def test_a_link_signs_in_once(client: TestClient, home: Home, clock: Clock) -> None:
    token = create_signin_link(home.engine, "Meera Iyer", clock())
    assert "Sign in as Meera Iyer" in client.get(f"/signin/{token}").text
    assert client.post(f"/signin/{token}").headers["location"] == "/"
    assert client.get("/").status_code == 200
    again = client_of(home, clock).post(f"/signin/{token}")
    assert again.status_code == 410
    assert "used already" in again.text


def test_looking_at_a_link_does_not_use_it_up(client: TestClient, home: Home, clock: Clock) -> None:
    token = create_signin_link(home.engine, "Meera Iyer", clock())
    for _ in range(3):
        assert client.get(f"/signin/{token}").status_code == 200
    assert client.post(f"/signin/{token}").status_code == 303


def test_an_old_link_is_refused(client: TestClient, home: Home, clock: Clock) -> None:
    token = create_signin_link(home.engine, "Meera Iyer", clock())
    clock.now += timedelta(hours=2)
    assert client.post(f"/signin/{token}").status_code == 410


def test_the_cookie_is_kept_from_scripts_and_other_sites(client: TestClient, home: Home, clock: Clock) -> None:
    token = create_signin_link(home.engine, "Meera Iyer", clock())
    cookie = client.post(f"/signin/{token}").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_only_hashes_of_tokens_are_stored(client: TestClient, home: Home, clock: Clock) -> None:
    token = create_signin_link(home.engine, "Meera Iyer", clock())
    client.post(f"/signin/{token}")
    with home.engine.connect() as connection:
        stored = [
            row[0] for table in (sessions, signin_links) for row in connection.execute(select(table.c.token_hash))
        ]
    assert token not in stored
    assert client.cookies["pehle_session"] not in stored


@pytest.mark.parametrize(("idle", "in_use"), [(timedelta(minutes=119), True), (timedelta(minutes=121), False)])
def test_a_session_ends_when_it_is_not_used(
    client: TestClient, home: Home, clock: Clock, idle: timedelta, in_use: bool
) -> None:
    sign_in(client, home, clock)
    clock.now += idle
    assert (client.get("/").status_code == 200) is in_use


def test_a_session_ends_however_much_it_is_used(client: TestClient, home: Home, clock: Clock) -> None:
    sign_in(client, home, clock)
    for _ in range(12):
        clock.now += timedelta(minutes=61)
        answer = client.get("/lists")
    assert answer.status_code == 303


def test_signing_out_ends_the_session_on_the_server(client: TestClient, home: Home, clock: Clock) -> None:
    sign_in(client, home, clock)
    kept = client.cookies["pehle_session"]
    client.post("/signout", data={"form_token": form_token_of(client)})
    client.cookies.set("pehle_session", kept)
    assert client.get("/").status_code == 303


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 303),
        ({"origin": "http://evil.invalid"}, 403),
        ({"origin": "http://testserver"}, 303),
        ({}, 403),
    ],
)
def test_a_form_of_another_site_is_refused(
    home: Home, clock: Clock, client: TestClient, headers: dict[str, str], status: int
) -> None:
    sign_in(client, home, clock)
    data = {"form_token": form_token_of(client), "decline_one": "O-nobody"}
    del client.headers["sec-fetch-site"]
    assert client.post("/lists/L-0148/decide", data=data, headers=headers).status_code == status


@pytest.mark.parametrize("token", ["", "0" * 64, "é" * 64, "\0"])
def test_a_form_without_this_sessions_token_is_refused(
    client: TestClient, home: Home, clock: Clock, token: str
) -> None:
    sign_in(client, home, clock)
    answer = client.post("/lists/L-0148/decide", data={"form_token": token, "approve_one": "O-17"})
    assert answer.status_code == 403
    assert "Nothing was changed" in answer.text


@pytest.mark.parametrize("back", ["//evil.invalid", "https://evil.invalid", "/\\evil.invalid", "javascript:alert(1)"])
def test_a_form_never_leads_to_another_site(client: TestClient, back: str) -> None:
    assert client.post("/preferences", data={"language": "hi", "back": back}).headers["location"] == "/"


def test_every_answer_carries_the_security_headers(client: TestClient, home: Home, clock: Clock) -> None:
    sign_in(client, home, clock)
    for path in ("/", "/signin", "/nothing-here", "/static/page.css"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy
        assert headers["x-content-type-options"] == "nosniff"


def test_a_page_that_is_not_there_says_so(client: TestClient, home: Home, clock: Clock) -> None:
    sign_in(client, home, clock)
    for path in (
        "/lists/L-9999",
        "/outreach/O-9999",
        "/outreach/O-9999/preview/email",
        "/static/../app.py",
        "/customers",
    ):
        answer = client.get(path)
        assert answer.status_code == 404, path
    assert "There is no such page" in client.get("/lists/L-9999").text


def test_no_customer_appears_in_the_logs(
    client: TestClient, home: Home, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sign_in(client, home, clock)
    for path in SCREENS:
        client.get(path)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith(("serving", "records"))]
    assert not any("Lakshmi" in said or "C-20" in said or "example.invalid" in said for said in ours)


def test_the_language_and_the_theme_are_remembered(client: TestClient) -> None:
    client.post("/preferences", data={"language": "hi", "theme": "dark", "back": "/signin"})
    page = client.get("/signin").text
    assert '<html lang="hi" data-theme="dark">' in page


def test_the_web_app_loads_no_model_library() -> None:
    program = (
        "import sys; import serving.web.app; "
        "print([name for name in ('lightgbm', 'mlflow', 'pandas', 'ibis', 'matplotlib') if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[1],
    )
    assert run.stdout.strip() == "[]"
