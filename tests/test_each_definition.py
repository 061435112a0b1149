"""Two populations in one home: each its own model, one scoring of everybody, and scores from elsewhere beside them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from records.errors import ModelError, NotEnoughData
from records.scores import count_by_band, find_scores, latest_run
from serving.each_definition import Trained, backtest_each, score_each, train_each
from serving.home import REAL, Home, create_home, open_home
from training.registry import Registry

START = datetime(2025, 1, 1, tzinfo=UTC)
AS_OF = START + timedelta(days=300)
NOW = datetime(2026, 11, 19, 4, 42, tzinfo=UTC)
SETTINGS = """
[churn]
horizon_days = 30
active_within_days = 60
[churn.prepaid]
where = { plan = "prepaid*" }
activity = ["recharge_made"]
[churn.nobody]
where = { plan = "postpaid" }
[training]
max_rounds = 30
"""


def with_settings(folder: Path) -> Home:
    create_home(folder, REAL).engine.dispose()
    (folder / "pehle.toml").write_text(SETTINGS)
    return open_home(folder)


def company(home: Home, people: int = 400) -> None:
    """Shoppers who order, and prepaid customers who recharge and order; each stops one day."""
    rng = np.random.default_rng(8)
    rows: list[tuple[str, str, float, str | None]] = []
    for number in range(people):
        prepaid, pace = number % 2 == 0, float(rng.choice([4.0, 12.0, 20.0]))
        who = f"{'P' if prepaid else 'S'} {number:03d}"
        if prepaid:
            rows.append((who, "subscription_started", 0.0, "prepaid_s"))
        day, stops = rng.uniform(0, pace), rng.uniform(40, 450)
        while day < min(stops, 300):
            rows.append((who, "recharge_made" if prepaid else "order_completed", day, None))
            day += pace * rng.uniform(0.7, 1.3)
        if prepaid:
            rows.append((who, "order_completed", 299.0, None))
    home.log.append(
        pa.table(
            {
                "customer_id": [row[0] for row in rows],
                "name": [row[1] for row in rows],
                "product": pa.array([row[3] for row in rows], pa.string()),
                "occurred_at": pa.array([START + timedelta(days=row[2]) for row in rows], pa.timestamp("us", tz="UTC")),
            }
        )
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Trained]:
    home = with_settings(tmp_path_factory.mktemp("two"))
    company(home)
    found = train_each(home, AS_OF, NOW, lambda line: None)
    home.engine.dispose()
    return home.path, found


@pytest.fixture
def home(made: tuple[Path, Trained], tmp_path: Path) -> Iterator[Home]:
    opened = open_home(Path(shutil.copytree(made[0], tmp_path / "home")))
    yield opened
    opened.engine.dispose()


def test_each_population_is_trained_by_itself_and_one_without_people_stops_nobody(made: tuple[Path, Trained]) -> None:
    trained = made[1]
    assert [result.definition for result in trained.results] == ["prepaid", "default"]
    assert [result.version for result in trained.results] == ["prepaid-1", "1"]
    (failed,) = trained.failed
    assert failed.startswith("nobody: ")
    said = trained.to_json()
    assert said["definition"] == "default"
    assert [one["definition"] for one in said["definitions"]] == ["prepaid", "default"]
    assert json.dumps(said)
    registry = Registry(made[0] / "mlruns")
    assert {row["version"]: row["definition"] for row in registry.versions()} == {
        "1": "default",
        "prepaid-1": "prepaid",
    }
    assert registry.load("latest", "prepaid").settings["churn"]["activity"] == ["recharge_made"]


def test_trained_again_each_definition_gives_the_same_bytes(made: tuple[Path, Trained], home: Home) -> None:
    again = train_each(home, AS_OF, NOW, lambda line: None)
    assert [one.model_sha256 for one in again.results] == [one.model_sha256 for one in made[1].results]
    assert [one.version for one in again.results] == ["prepaid-2", "2"]


def test_everybody_eligible_is_scored_once_with_the_model_of_their_population(home: Home) -> None:
    found = score_each(home, AS_OF, NOW, "latest")
    rows = list(zip(*(found.table.column(name).to_pylist() for name in ("customer_id", "model_version")), strict=True))
    assert [who for who, _ in rows] == sorted({str(who) for who, _ in rows})
    assert {(str(who)[0], version) for who, version in rows} == {("P", "prepaid-1"), ("S", "1")}
    assert found.to_json()["customers"] == len(rows) == found.customers
    with home.engine.connect() as connection:
        run = latest_run(connection)
        assert run is not None
        stored = find_scores(connection, run.run_id)
        assert sorted(stored) == [who for who, _ in rows]
        assert {score.model_version for score in stored.values()} == {"prepaid-1", "1"}
        assert sum(count_by_band(connection, run.run_id).values()) == len(rows)
        assert find_scores(connection, run.run_id, customers=["P 000"]).keys() <= {"P 000"}


def test_a_version_scores_its_own_people_only(home: Home) -> None:
    found = score_each(home, AS_OF, NOW, "prepaid-1")
    assert {str(who)[0] for who in found.table.column("customer_id").to_pylist()} == {"P"}
    with pytest.raises(ModelError, match="no trained model here of the definition 'nobody'"):
        score_each(home, AS_OF, NOW, "nobody-1")


def test_the_model_of_one_definition_is_rolled_back_alone(home: Home) -> None:
    registry = Registry(home.mlruns)
    train_each(home, AS_OF, NOW, lambda line: None)
    for version in ("1", "prepaid-1", "prepaid-2"):
        registry.promote(version, at=NOW, by="test")
    assert registry.rollback("prepaid", at=NOW, by="test") == "prepaid-1"
    assert registry.resolve("champion")[0] == "1"
    assert score_each(home, AS_OF, NOW).versions == "prepaid-1, 1"


def test_a_backtest_walks_for_each_definition(home: Home) -> None:
    lines: list[str] = []
    rows = backtest_each(home, AS_OF - timedelta(days=30), AS_OF - timedelta(days=30), lines.append)
    assert [row["definition"] for row in rows] == ["prepaid", "default"]
    assert lines[-1].startswith("nobody: ")


def test_nothing_to_learn_from_in_any_population_is_an_error(tmp_path: Path) -> None:
    home = with_settings(tmp_path)
    company(home, people=10)
    with pytest.raises(NotEnoughData, match="20 of each"):
        train_each(home, AS_OF, NOW, lambda line: None)
    home.engine.dispose()
