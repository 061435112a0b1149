"""A running review app and a real browser in front of it, for the tests that click."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright
from web_home import NOW

from records.reviewers import create_signin_link
from serving.home import Home
from serving.web.app import create_app
from serving.web.listening import listen

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]


@dataclass(frozen=True)
class Served:
    """A running app, and which part of its list to work on."""

    home: Home
    address: str
    wall: Callable[[], datetime]
    path: str


def ticking() -> Callable[[], datetime]:
    """A clock that starts on the tests' day and goes on from there."""
    started = datetime.now(UTC)
    return lambda: NOW + (datetime.now(UTC) - started)


@contextmanager
def running(home: Home, wall: Callable[[], datetime], path: str) -> Iterator[Served]:
    """The app on a free port, until the tests are done."""
    listening, port = listen("127.0.0.1", 0)
    address = f"http://127.0.0.1:{port}"
    server = uvicorn.Server(uvicorn.Config(create_app(home, wall, base_url=address), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield Served(home=home, address=address, wall=wall, path=path)
    server.should_exit = True
    thread.join(timeout=10)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's browser; skips where none is installed."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser is installed (looked for {', '.join(BROWSERS)})")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, chromium_sandbox=False, args=FLAGS)
        yield browser
        browser.close()


def opened(browser: Browser, served: Served, complaints: list[str], **options: Any) -> Page:
    """Signed in, in a fresh window; whatever the browser complains about is noted."""
    page = browser.new_context(**options).new_page()
    page.set_default_timeout(30_000)
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    token = create_signin_link(served.home.engine, "Meera Iyer", served.wall())
    page.goto(f"{served.address}/signin/{token}")
    page.get_by_role("button", name="Sign in as Meera Iyer").click()
    return page
