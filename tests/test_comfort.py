"""Does the list answer keys, ask over itself, and can it be used without seeing it or its colours?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from browser_app import Served, chromium, opened, running, ticking
from playwright.sync_api import Browser, Page, Route
from web_home import web_home

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with running(web_home(tmp_path_factory.mktemp("comfort") / "home"), ticking(), "/lists/L-0148") as served:
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def listed(browser: Browser, served: Served, query: str = "", **options: Any) -> tuple[Page, str]:
    """Today's list in a fresh window, and its address."""
    page = opened(browser, served, [], **options)
    page.get_by_role("link", name="Review the list").click()
    address = page.url
    page.goto(address + query)
    return page, address


def test_the_question_is_asked_over_the_list(browser: Browser, served: Served) -> None:
    page, address = listed(browser, served, "?pick=none")
    page.locator("tr[data-row] .pick input").first.check()
    question = page.get_by_role("dialog", name=re.compile("^Approve 1 message to 1 person"))
    approve = page.locator(".dock button[value=approve]")
    for way in ("Escape", "Go back"):
        approve.click()
        question.wait_for()
        assert page.evaluate("document.activeElement.textContent") == "Go back"
        page.keyboard.press("Escape" if way == "Escape" else "Enter")
        question.wait_for(state="hidden")
        assert page.evaluate("document.activeElement.value") == "approve"
    assert page.url == f"{address}?pick=none"
    approve.click()
    question.get_by_role("button", name="Approve 1").click()
    assert page.locator(".undo").inner_text().startswith("1 approved.")


def only_pages(route: Route) -> None:
    """The network as it is for pages, and gone for what the script fetches."""
    if route.request.resource_type == "fetch":
        route.abort()
    else:
        route.fallback()


def test_the_page_asks_where_the_question_cannot_be_fetched(browser: Browser, served: Served) -> None:
    page, address = listed(browser, served)
    page.route(
        "**/confirm?*", lambda route: route.abort() if route.request.resource_type == "fetch" else route.fallback()
    )
    page.locator(".dock button[value=decline]").click()
    page.wait_for_url(f"{address}/confirm?**")
    assert page.inner_text("h1").startswith("Decline")


@pytest.mark.parametrize(("motion", "shown"), [("no-preference", "rise 0.12s"), ("reduce", "none 0s")])
def test_the_question_slides_on_a_phone_unless_motion_is_unwanted(
    browser: Browser, served: Served, motion: str, shown: str
) -> None:
    page, _ = listed(browser, served, reduced_motion=motion, viewport={"width": 390, "height": 844})
    page.locator(".dock button[value=approve]").click()
    page.locator("#ask[open]").wait_for()
    style = "getComputedStyle(document.querySelector('#ask'))"
    assert page.evaluate(f"`${{{style}.animationName}} ${{{style}.animationDuration}}`") == shown


def test_keys_are_letters_in_a_field_and_do_nothing_without_a_row(browser: Browser, served: Served) -> None:
    page, address = listed(browser, served)
    page.keyboard.press("a")
    page.keyboard.press("/")
    page.keyboard.type("axd?/")
    assert page.locator("input[type=search]").input_value() == "axd?/"
    assert (page.url, page.locator("dialog[open]").count()) == (address, 0)


def test_keys_go_on_from_the_row_just_decided(browser: Browser, served: Served) -> None:
    page, _ = listed(browser, served)
    second = page.locator("tr[data-row]").nth(2).get_attribute("id")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("d")
    page.wait_for_url(re.compile("done="))
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.id") == second


def test_the_preview_beside_a_wide_list_follows_the_row(browser: Browser, served: Served) -> None:
    page, _ = listed(browser, served, viewport={"width": 1920, "height": 900})
    before = page.evaluate("history.length")
    third = page.locator("tr[data-row]").nth(2)
    # Heard at the server's door: while a frame is exchanged, the browser for a moment names none.
    with page.expect_response(f"{served.address}{third.get_attribute('data-preview')}") as answer:
        for _ in range(3):
            page.keyboard.press("j")
    assert answer.value.ok
    assert page.inner_text("#beside-name") == third.locator(".name").inner_text()
    assert page.evaluate("history.length") == before


def test_the_current_place_shows_in_forced_colours(browser: Browser, served: Served) -> None:
    page, _ = listed(browser, served, forced_colors="active")
    for place in (".bar nav a", ".tabs a"):
        line = "getComputedStyle(document.querySelector('{}')).borderTopColor"
        current, other = (
            page.evaluate(line.format(f"{place}{one}")) for one in ("[aria-current]", ":not([aria-current])")
        )
        assert current != other, place


# Controls, pictures and frames without a name for those who do not see them, columns without a scope, ids used twice.
NAMELESS = """() => {
  const said = (node) => node.getAttribute("aria-label") || node.title || node.textContent.trim();
  const found = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, iframe, [role=img]")]
    .filter((node) => !said(node) && !node.labels?.length);
  const bare = "svg:not([aria-hidden], [role=img] *, [role=img]), th:not([scope]), nav:not([aria-label])";
  found.push(...document.querySelectorAll(bare));
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  return [...found.map((node) => node.outerHTML.slice(0, 90)), ...ids.filter((id, place) => ids.indexOf(id) !== place)];
}"""


@pytest.mark.parametrize("language", ["en", "hi"])
def test_everything_has_a_name(browser: Browser, served: Served, language: str) -> None:
    page, address = listed(browser, served)
    outreach_id = page.locator("tr[data-row]").first.get_attribute("id")
    page.context.add_cookies([{"name": "language", "value": language, "url": served.address}])
    the_list = address.removeprefix(served.address)
    paths = ("/", "/lists", the_list, f"{the_list}?tab=left", f"{the_list}?tab=all", "/results", "/outbox", "/signin")
    for path in (*paths, f"/outreach/{outreach_id}", f"{the_list}/confirm?do=approve&scope=all", "/nowhere"):
        page.goto(served.address + path)
        assert page.evaluate(NAMELESS) == [], path
        assert page.locator("h1").count() == 1, path


def test_a_stranger_can_choose_the_language_on_a_phone(browser: Browser, served: Served) -> None:
    page = browser.new_context(viewport={"width": 390, "height": 700}).new_page()
    page.goto(f"{served.address}/signin")
    page.get_by_role("button", name="हिन्दी").click()
    assert page.get_attribute("html", "lang") == "hi"
