"""Can a person do it all in a real browser: sign in, read reasons, approve, see it sent, read it, stop it?

Drives the system's Chromium by Playwright; skipped where none is installed. Uses the small demo
(fixture `made_demo`) where there is one, else a small home of its own.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from browser_app import Served, chromium, opened, running, ticking
from playwright.sync_api import Browser, Page
from web_home import web_home

from records.outreach import find_outreach
from records.people import load_permissions
from serving.home import Home, open_home

pytestmark = pytest.mark.browser


def own_home(path: Path) -> tuple[Home, Callable[[], datetime], str]:
    """A home in which one e-mail can really go out."""
    return web_home(path), ticking(), "/lists/L-0148?channel=email&message=back_in_stock"


@pytest.fixture(scope="module")
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    tmp_path = tmp_path_factory.mktemp("browser")
    try:
        demo = Path(request.getfixturevalue("made_demo"))
    except pytest.FixtureLookupError:
        home, wall, path = own_home(tmp_path / "home")
    else:
        shutil.copytree(demo, tmp_path / "home")
        home, wall, path = open_home(tmp_path / "home"), ticking(), "/lists?channel=email"
    with running(home, wall, path) as served:
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def to_the_list(page: Page, served: Served) -> None:
    """From Today to the part of the list the test works on."""
    page.get_by_role("link", name="Review the list").click()
    query = served.path.partition("?")[2]
    page.goto(page.url.partition("?")[0] + f"?{query}")


def soonest(page: Page, served: Served) -> str:
    """Which row on this page would go out first?"""
    rows = [str(row.get_attribute("id")) for row in page.locator("tr[data-row]").all()]
    with served.home.engine.connect() as connection:
        found = [one for one in (find_outreach(connection, row) for row in rows) if one is not None]
    return min(found, key=lambda one: one.send_at).outreach_id


def test_a_person_reads_approves_sends_sees_and_stops(browser: Browser, served: Served) -> None:
    complaints: list[str] = []
    page = opened(browser, served, complaints)
    assert re.search(r"[\d,]+ (people wait|person waits) for your yes", page.inner_text("h1"))

    to_the_list(page, served)
    outreach_id = soonest(page, served)  # the clock will be moved there: nothing else may be too late by then
    row = page.locator(f"#{outreach_id}")
    assert row.locator(".reasons li").count() > 0
    row.locator("a.name").click()
    assert page.get_by_role("heading", name="Why this message and not another").is_visible()
    heading = page.inner_text("h1")
    subject = page.locator(".preview p b").first.inner_text()
    words = page.frame_locator(".preview iframe").locator("body").inner_text()
    assert len(words) > 50

    page.get_by_role("button", name=re.compile("^Approve")).click()
    page.goto(f"{served.address}/outreach/{outreach_id}")
    assert page.inner_text("h1") == heading
    assert "approved it" in page.locator(".history").inner_text()

    page.goto(f"{served.address}/outbox?channel=email")
    page.get_by_role("button", name=re.compile("^Move the clock to")).click()
    assert re.search(r"\b1 sent", page.locator(".note").inner_text())
    page.goto(f"{served.address}/outbox?channel=email&open={outreach_id}")
    assert page.locator(".mail h2").inner_text() == subject
    received = page.frame_locator(".mail iframe").locator("body").inner_text()
    assert received == words

    with page.expect_popup() as popup:
        page.get_by_role("link", name="Unsubscribe").click()
    customer = popup.value
    customer.locator("form button").click()
    assert customer.locator("h1").inner_text() != ""
    assert customer.locator("form").count() == 0
    with served.home.engine.connect() as connection:
        sent = find_outreach(connection, outreach_id)
    assert sent is not None
    assert sent.state == "sent"
    permissions = load_permissions(served.home.engine, [sent.customer_id], sent.updated_at.replace(year=2030))
    assert not permissions.may(sent.customer_id, "email", "promotional")[0]
    assert complaints == []


def test_keys_move_select_and_approve(browser: Browser, served: Served) -> None:
    page = opened(browser, served, [])
    page.get_by_role("link", name="Review the list").click()
    first = str(page.locator("tr[data-row]").first.get_attribute("id"))
    chosen = page.locator(".dock button[value=approve]")
    before = chosen.inner_text()
    page.keyboard.press("j")
    page.keyboard.press("x")
    assert chosen.inner_text() != before
    page.keyboard.press("a")
    page.wait_for_url(re.compile("done="))
    assert "Approved" in page.locator(f"#{first} .decide").inner_text()


@pytest.mark.parametrize("width", [320, 390, 820, 1280, 1920])
def test_no_screen_is_wider_than_the_window(browser: Browser, served: Served, width: int) -> None:
    complaints: list[str] = []
    page = opened(browser, served, complaints, viewport={"width": width, "height": 900})
    page.get_by_role("link", name="Review the list").click()
    the_list = page.url
    outreach_id = page.locator("tr[data-row]").first.get_attribute("id")
    for language in ("en", "hi"):
        page.context.add_cookies([{"name": "language", "value": language, "url": served.address}])
        for path in ("/", "/lists", "/results", "/outbox", f"/outreach/{outreach_id}"):
            page.goto(served.address + path)
            assert overflow(page) <= 0, f"{path} {language}"
        for tab in ("", "?tab=left", "?tab=all", "/confirm?do=approve&scope=all"):
            page.goto(the_list + tab)
            assert overflow(page) <= 0, f"{tab} {language}"
    assert complaints == []


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    root = "document.documentElement"
    return int(page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))


def test_everything_works_without_script(browser: Browser, served: Served) -> None:
    complaints: list[str] = []
    page = opened(browser, served, complaints, java_script_enabled=False)
    page.get_by_role("link", name="Review the list").click()
    first = str(page.locator("tr[data-row]").first.get_attribute("id"))
    page.locator(f"#{first} button[name=approve_one]").click()
    assert "Approved" in page.locator(f"#{first} .decide").inner_text()
    page.locator(".dock button[value=decline]").click()
    assert re.search(r"Decline [\d,]+ messages to", page.inner_text("h1"))
    page.get_by_role("link", name="Go back").click()
    assert page.locator("tr[data-row]").count() > 0


# For every piece of text that is seen: the contrast of its colour with what lies behind it, by WCAG 2.
CONTRASTS = """() => {
  const parse = (colour) => {
    const numbers = colour.match(/[\\d.]+/g).map(Number);
    const scale = colour.startsWith("color(") ? 255 : 1;
    return [numbers[0] * scale, numbers[1] * scale, numbers[2] * scale, numbers[3] ?? 1];
  };
  const light = (colour) => colour.slice(0, 3).map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const ground = (element) => {
    for (let node = element; node; node = node.parentElement) {
      const colour = parse(getComputedStyle(node).backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return [255, 255, 255, 1];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || !element.checkVisibility() || element.closest(".hidden, .skip, option, kbd")) continue;
    const style = getComputedStyle(element);
    const ink = element instanceof SVGElement ? style.fill : style.color;
    const [high, low] = [light(parse(ink)), light(ground(element))].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) found.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return found;
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_on_every_screen_can_be_read(browser: Browser, served: Served, theme: str) -> None:
    page = opened(browser, served, [], color_scheme=theme, viewport={"width": 1280, "height": 900})
    page.get_by_role("link", name="Review the list").click()
    the_list = page.url.removeprefix(served.address)
    outreach_id = page.locator("tr[data-row]").first.get_attribute("id")
    paths = ("/", "/lists", the_list, f"{the_list}?tab=left", f"{the_list}/confirm?do=approve&scope=all")
    for path in (*paths, f"/outreach/{outreach_id}", "/results", "/outbox", "/signin"):
        page.goto(served.address + path)
        assert page.evaluate(CONTRASTS) == [], path
