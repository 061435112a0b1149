"""Who left by the company's own rule: imported, learnt from, scored, planned and judged, by the command line."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from three_populations import pehle
from web_client import Clock, client_of, sign_in

from serving.home import Home, open_home
from serving.watching import watch
from training.registry import Registry

START = datetime(2025, 1, 1, tzinfo=UTC)
AS_OF = START + timedelta(days=300)
SETTINGS = """
[churn]
definition = "imported"
labels = "cancelled_by_letter"
horizon_days = 30
active_within_days = 90
bands = { high = 0.3, medium = 0.1 }
[training]
max_rounds = 20
"""
CLOCK = "serving.commands.shared_options.wall_clock"


def lives() -> list[tuple[str, float, float]]:
    """Customer, days between two orders, and the day the letter comes; only the letter says that they are gone."""
    rng = np.random.default_rng(4)
    return [(f"C {number:03d}", float(rng.choice([3.0, 10.0])), float(rng.uniform(30, 500))) for number in range(360)]


def write(file: Path, head: list[str], rows: list[list[object]]) -> Path:
    with file.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([head, *rows])
    return file


def events(folder: Path) -> Path:
    rng, rows = np.random.default_rng(5), []
    for who, pace, letter in lives():
        day = float(rng.uniform(0, pace))
        while day < 300:  # they go on ordering, more and more seldom, until long after the letter
            rows.append([who, (START + timedelta(days=day)).isoformat(), "order_completed"])
            day += pace * float(rng.uniform(0.7, 1.3)) * (1.0 if day < letter - 30 else 3.0)
    return write(folder / "events.csv", ["customer_id", "occurred_at", "name"], rows)


def labels(folder: Path, days: list[int]) -> Path:
    """A letter within 30 days of the cutoff; whoever wrote before it has no row."""
    rows: list[list[object]] = [
        [who, (START + timedelta(days=day)).date(), str(letter < day + 30).lower()]
        for day in days
        for who, _, letter in lives()
        if letter >= day
    ]
    return write(folder / f"labels-{days[-1]}.csv", ["customer_id", "cutoff", "left"], rows)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Events and labels imported, a model trained on them and in use, everybody scored."""
    folder = tmp_path_factory.mktemp("letters")
    home = folder / "home"
    pehle(home, "import", "events", str(events(folder)))
    (home / "pehle.toml").write_text(SETTINGS, encoding="utf-8")
    told = pehle(home, "train", code=1)
    assert "there is no table of labels called 'cancelled_by_letter'" in told
    pehle(home, "import", "labels", str(labels(folder, list(range(60, 271, 30)))), "--name", "cancelled_by_letter")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CLOCK, lambda: AS_OF + timedelta(hours=6))
        found = json.loads(pehle(home, "train", "--json"))
        assert found["winner"] != "recency"
        pehle(home, "models", "promote", "1")
        pehle(home, "score")
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Iterator[Home]:
    found = open_home(Path(shutil.copytree(made, tmp_path / "home")))
    yield found
    found.engine.dispose()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock(AS_OF + timedelta(hours=6))
    monkeypatch.setattr(CLOCK, found)
    return found


def test_the_model_learns_the_companys_rule_and_not_our_own(home: Home) -> None:
    """By our rule nobody who still orders has left; by the letters one in twelve does."""
    (row,) = Registry(home.mlruns).versions()
    settings = Registry(home.mlruns).load("1").settings
    assert settings["churn"]["definition"] == "imported"
    assert row["metrics"]["auroc"] > 0.8
    assert 0.03 < row["metrics"]["judged_customers"] / 360 < 1


def test_the_same_labels_give_the_same_model_and_others_another(home: Home, clock: Clock, tmp_path: Path) -> None:
    pehle(home.path, "train")
    first, second = Registry(home.mlruns).versions()
    assert first["model_sha256"] == second["model_sha256"]
    wrote = next(who for who, _, letter in lives() if 200 <= letter < 210)
    row: list[object] = [wrote, (START + timedelta(days=180)).date(), "no"]
    changed = write(tmp_path / "more.csv", ["customer_id", "cutoff", "left"], [row])
    told = pehle(home.path, "import", "labels", str(changed), "--name", "cancelled_by_letter")
    assert told.startswith("0 accepted, 1 replaced")
    pehle(home.path, "train")
    assert Registry(home.mlruns).versions()[2]["model_sha256"] != first["model_sha256"]


def test_nothing_is_judged_before_the_labels_come(home: Home, clock: Clock, tmp_path: Path) -> None:
    until = AS_OF + timedelta(days=40)
    assert watch(home, until, until).startswith("0 scorings judged by what happened, 1 not over yet")
    clock.now = until
    assert "model 1: not enough data yet to judge its scores" in pehle(home.path, "status")
    page = sign_in(client_of(home, clock), home, clock).get("/models").text
    assert "shows once your own labels of a day on which people were scored are imported" in page
    pehle(home.path, "import", "labels", str(labels(tmp_path, [300])), "--name", "cancelled_by_letter")
    assert watch(home, until, until).startswith("1 scorings judged by what happened, 0 not over yet")
    found = json.loads(pehle(home.path, "status", "--json"))["models"][0]["matured"]
    said = {who: letter < 330 for who, _, letter in lives()}
    assert 0 < found["left"] <= sum(said.values())
    assert found["auroc"]["value"] > 0.7


def test_a_list_is_planned_and_a_message_explained(home: Home, clock: Clock) -> None:
    said = json.loads(pehle(home.path, "plan", "--json"))
    assert said["fine"] > 100
    assert sum(said["left_out"].values()) + said["planned"] + said["held_out"] == 0  # no play fits these shoppers
    assert "who leaves by the company" in Registry(home.mlruns).report("1").decode()  # type: ignore[union-attr]
