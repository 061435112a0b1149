"""The review app as a browser asks it, with a clock the test sets."""

from __future__ import annotations

from datetime import datetime

from starlette.testclient import TestClient
from web_home import NOW

from records.reviewers import create_signin_link
from serving.home import Home
from serving.web.app import create_app
from serving.web.site import form_token


class Clock:
    """A wall clock the test sets."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def client_of(home: Home, clock: Clock) -> TestClient:
    """The real app, asked as a browser asks: from its own pages, not following redirects."""
    app = create_app(home, clock)
    headers = {"sec-fetch-site": "same-origin", "user-agent": "Mozilla/5.0 (X11; Linux x86_64)"}
    return TestClient(app, base_url="http://testserver", headers=headers, follow_redirects=False)


def sign_in(client: TestClient, home: Home, clock: Clock, name: str = "Meera Iyer") -> TestClient:
    """Go in by a one-time link."""
    token = create_signin_link(home.engine, name, clock())
    assert client.post(f"/signin/{token}").status_code == 303
    return client


def form_token_of(client: TestClient) -> str:
    """What the forms of this session carry."""
    return form_token(client.cookies["pehle_session"])
