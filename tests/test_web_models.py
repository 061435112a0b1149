"""The screen of the models and the reports behind it: none, one, many, long names, several definitions."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from browser_app import chromium, opened, running, ticking
from playwright.sync_api import Browser
from starlette.testclient import TestClient
from test_browser import CONTRASTS, overflow
from test_monitoring import outcomes
from test_registry import add
from test_report import EVIL, content
from web_client import Clock, client_of, sign_in
from web_home import NOW, web_home

from records.model_checks import ModelCheck, save_check
from serving.home import Home, open_home
from training.drift import Change, Drift
from training.maturity import judge
from training.registry import Registry
from training.report import write_report

LONG = "Krishnamoorthy Venkatanarasimharajuvaripeta-Subramanyeswara " * 2


@dataclass(frozen=True)
class Seen:
    client: TestClient
    home: Home

    def page(self, path: str = "/models", language: str = "en") -> str:
        self.client.cookies.set("language", language)
        found = self.client.get(path)
        assert found.status_code == 200
        return found.text


def add_version(home: Home, folder: Path, number: int, definition: str = "default", report: bool = False) -> str:
    registry = Registry(home.mlruns)
    version = add(registry, folder / f"{definition}{number}", float(number), definition)
    if report:
        place = registry.artifact(registry.version(version), "")
        write_report(place, content())
    return version


def look_back(home: Home, version: str = "1", shift: float = 0.0) -> None:
    """What the ledger holds after some months: a scoring that was compared and one that was judged."""
    changes = tuple(
        Change(
            signal=name,
            psi=0.4,
            level="much",
            median_then=12.0,
            median_now=None,
            missing_then=0.03,
            missing_now=1.0,
        )
        for name in (
            "days_since_last_order",
            EVIL,
            "a_signal_of_our_own_with_a_name_that_goes_on_and_on_for_ever_and_ever",
        )
    )
    drift = Drift(
        customers=60,
        much=3,
        some=1,
        signals=216,
        score=replace(changes[0], signal="score", median_then=0.1, median_now=0.2, missing_then=0.0, missing_now=0.0),
        changes=changes,
        events_gone=(EVIL,),
        events_new=("chat_opened",),
    )
    y, p = outcomes(3_000, shift=shift)
    matured = judge(y, p, np.arange(len(y)), contacted=120)
    assert matured is not None
    for kind, figures in (("drift", drift.to_json()), ("matured", matured.to_json())):
        check = {
            "run_id": "night",
            "definition": "default",
            "model_version": version,
            "as_of": NOW - timedelta(days=91),
        }
        save_check(home.engine, ModelCheck(kind=kind, checked_at=NOW, figures=figures, **check))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one model in use that has a report, and one that was only trained."""
    path = tmp_path_factory.mktemp("web-models") / "home"
    home = web_home(path)
    add_version(home, path.parent, 1, report=True)
    add_version(home, path.parent, 2)
    Registry(home.mlruns).promote("1", at=NOW - timedelta(days=3), by=LONG)
    home.engine.dispose()
    return path


@pytest.fixture
def seen(template: Path, tmp_path: Path) -> Iterator[Seen]:
    home = open_home(Path(shutil.copytree(template, tmp_path / "home")))
    clock = Clock()
    yield Seen(client=sign_in(client_of(home, clock), home, clock), home=home)
    home.engine.dispose()


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Seen]:
    home, clock = web_home(tmp_path / "home", waiting=0), Clock()
    yield Seen(client=sign_in(client_of(home, clock), home, clock), home=home)
    home.engine.dispose()


def test_without_a_model_the_page_says_how_one_is_made(bare: Seen) -> None:
    assert "No model has been trained yet" in bare.page()
    assert "अभी कोई मॉडल नहीं बना है" in bare.page(language="hi")


def test_nothing_is_shown_to_whoever_is_not_signed_in(seen: Seen) -> None:
    outsider = client_of(seen.home, Clock())
    for path in ("/models", "/models/1/report"):
        answer = outsider.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/signin?next={path}")


def test_the_model_in_use_since_when_by_whom_and_all_versions(seen: Seen) -> None:
    page = seen.page()
    assert "In use since Mon 16 Nov, chosen by Krishnamoorthy" in page
    assert page.count("/report") == 2
    assert "Not used" in page
    assert "70 of 100" in page
    assert "काम में" in seen.page(language="hi")


def test_who_trained_it_by_itself_is_nobody(seen: Seen) -> None:
    Registry(seen.home.mlruns).promote("2", at=NOW, by="job:retrain")
    page = seen.page()
    assert "chosen by" not in page
    assert "In use before" in page


def test_what_came_out_what_changed_and_what_to_do(seen: Seen) -> None:
    look_back(seen.home, shift=0.9)
    page = seen.page()
    assert "That is more than foreseen, beyond chance." in page
    assert "120 people are not counted, since a message may have kept them." in page
    assert "How many days since the last order" in page or "How long ago" in page
    assert "3 of the 216 things it looks at have changed much" in page
    assert "3% → 100%" in page
    assert "left where" in page
    assert "New events come in that the model does not know:</b> chat_opened" in page
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "अनुमान से ज़्यादा है" in seen.page(language="hi")


def test_a_model_that_is_right_asks_for_nothing(seen: Seen) -> None:
    page = seen.page()
    assert "Nothing. It learns anew every Sunday" in page


def test_a_trained_model_that_nobody_put_in_use_is_said_to_be_none(bare: Seen, tmp_path: Path) -> None:
    add_version(bare.home, tmp_path, 1)
    page = bare.page()
    assert "No model is in use yet" in page
    assert "pehle models promote 1" in page
    assert "1 model was trained" in page


def test_several_that_nobody_put_in_use_are_counted(bare: Seen, tmp_path: Path) -> None:
    for number in (1, 2):
        add_version(bare.home, tmp_path, number)
    assert "2 models were trained; none passed the check" in bare.page()
    assert "2 मॉडल बने" in bare.page(language="hi")


def test_each_definition_has_a_part_of_its_own(seen: Seen, tmp_path: Path) -> None:
    add_version(seen.home, tmp_path, 1, definition="prepaid")
    page = seen.page()
    assert "For: default" in page
    assert "For: prepaid" in page
    assert "/models/prepaid-1/report" in page


def test_a_report_is_a_document_that_can_do_nothing(seen: Seen) -> None:
    answer = seen.client.get("/models/1/report")
    assert answer.status_code == 200
    assert "Logistic won" in answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "script-src" not in policy
    assert "allow-" not in policy


@pytest.mark.parametrize("version", ["2", "9", "..", "%2e%2e%2fpehle.db", "champion", "1'", "prepaid-1"])
def test_a_report_that_is_not_there_is_no_error_of_ours(seen: Seen, version: str) -> None:
    assert seen.client.get(f"/models/{version}/report").status_code == 404


# ── in a browser ──────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def full(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Forty models, two definitions, everything there is to say."""
    path = tmp_path_factory.mktemp("many")
    home = open_home(Path(shutil.copytree(template, path / "home")))
    for number in range(3, 41):
        add_version(home, path, number)
    add_version(home, path, 1, definition="a_population_with_a_name_that_goes_on_for_a_while")
    look_back(home, shift=0.9)
    yield home
    home.engine.dispose()


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 390, 820, 1280, 1920])
def test_no_model_screen_is_wider_than_the_window(browser: Browser, full: Home, width: int) -> None:
    complaints: list[str] = []
    with running(full, ticking(), "/models") as served:
        page = opened(browser, served, complaints, viewport={"width": width, "height": 900})
        for language in ("en", "hi"):
            page.context.add_cookies([{"name": "language", "value": language, "url": served.address}])
            page.goto(served.address + "/models")
            assert page.locator("tbody tr, table tr").count() >= 40
            assert overflow(page) <= 0, language
        page.goto(served.address + "/models/1/report")
        assert overflow(page) <= 0
    assert complaints == []


@pytest.mark.browser
def test_the_figure_that_decides_is_seen_on_a_phone_without_scrolling(browser: Browser, full: Home) -> None:
    with running(full, ticking(), "/models") as served:
        page = opened(browser, served, [], viewport={"width": 390, "height": 900})
        page.goto(served.address + "/models/1/report")
        for heading in ("Log loss", "AUROC"):
            box = page.locator(".figuretable thead").get_by_text(heading, exact=True).bounding_box()
            assert box is not None
            assert box["x"] + box["width"] <= 390, heading


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_about_models_can_be_read(browser: Browser, full: Home, theme: str) -> None:
    with running(full, ticking(), "/models") as served:
        page = opened(browser, served, [], color_scheme=theme, viewport={"width": 1280, "height": 900})
        for path in ("/models", "/models/1/report"):
            page.goto(served.address + path)
            assert page.evaluate(CONTRASTS) == [], path
