"""Runs, versions, the model in use: kept in one folder, found again after the folder has moved."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import numpy as np
import pytest

from features.fitted import Fitted
from records.errors import ModelError
from training.issues import IssueModel
from training.labels import IssueOptions
from training.model import Model
from training.registry import Registry
from training.scorers import Linear, Scorer

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

NOW = datetime(2026, 11, 19, 4, 42, tzinfo=UTC)
LATER = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def model_of(intercept: float) -> Model:
    linear = Linear(
        columns=(0,),
        medians=(0.0,),
        means=(0.0,),
        scales=(1.0,),
        weights=(1.0,),
        flagged=(),
        flag_weights=(),
        intercept=intercept,
    )
    return Model(
        signal_names=("orders_90",),
        fitted=Fitted(),
        churn=Scorer(kind="logistic", parts=((1.0, linear),)),
        issues=IssueModel(options=IssueOptions()),
    )


def add(registry: Registry, folder: Path, intercept: float, definition: str = "default") -> str:
    """One run with a model, registered; its version's id."""
    sha256 = model_of(intercept).save(folder / "model")
    run_id = registry.log_run(
        name="test",
        at=NOW,
        params={"churn.horizon_days": 90},
        metrics={"auroc": 0.7, "average_precision": float("nan")},
        tags={"data_sha256": "d" * 64},
        artifacts=[],
        model=folder / "model",
    )
    tags = {"winner": "logistic", "data_sha256": "d" * 64, "why": "it won"}
    return registry.register(run_id, sha256=sha256, at=NOW, tags=tags, definition=definition)


def intercept_of(model: Model | None) -> float:
    assert model is not None
    part = model.churn.parts[0][1]
    assert isinstance(part, Linear)
    return part.intercept


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two versions, the first in use."""
    folder = tmp_path_factory.mktemp("template")
    registry = Registry(folder / "mlruns")
    add(registry, folder / "one", 1.0)
    add(registry, folder / "two", 2.0)
    registry.promote("1", "it was the first", at=NOW, by="Meera Iyer")
    return folder / "mlruns"


@pytest.fixture
def registry(template: Path, tmp_path: Path) -> Registry:
    """A copy of it in another place: every test here also tests that a home can be moved."""
    shutil.copytree(template, tmp_path / "home" / "mlruns")
    return Registry(tmp_path / "home" / "mlruns")


def test_asking_an_empty_place_creates_nothing(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "mlruns")
    assert registry.versions() == []
    assert registry.champion() is None
    with pytest.raises(ModelError, match=r"no trained model here.*pehle train"):
        registry.load("champion")
    assert list(tmp_path.iterdir()) == []


def open_and_add(start: Barrier, folder: Path, number: int) -> None:
    """What a process does that comes to a new store at the same moment as another."""
    import mlflow.tracking  # noqa: F401  the slow part, before the start

    start.wait(timeout=120)
    add(Registry(folder / "mlruns"), folder / str(number), number)


def test_two_processes_that_open_a_new_store_at_once_both_have_their_model_in_it(tmp_path: Path) -> None:
    spawn = get_context("spawn")
    start = spawn.Barrier(2)
    both = [spawn.Process(target=open_and_add, args=(start, tmp_path, number)) for number in (1, 2)]
    for process in both:
        process.start()
    for process in both:
        process.join(timeout=240)
    assert [process.exitcode for process in both] == [0, 0]
    found = Registry(tmp_path / "mlruns")
    assert {intercept_of(found.load(version)) for version in ("1", "2")} == {1.0, 2.0}


def test_a_store_that_was_killed_while_it_was_made_is_made_again(tmp_path: Path) -> None:
    """MLflow makes its tables one after the other, and gives up where some are there already."""
    mlruns = tmp_path / "mlruns"
    mlruns.mkdir()
    script = (
        "import sqlite3, sys; from pathlib import Path; from training.registry import Registry\n"
        "registry = Registry(Path(sys.argv[1])); connect = sqlite3.dbapi2.connect\n"
        "class Killed(sqlite3.Connection):\n"
        "    def cursor(self, *given): return super().cursor(Dying)\n"
        "class Dying(sqlite3.Cursor):\n"
        "    def execute(self, sql, *given):\n"
        "        if 'CREATE TABLE model_versions' in sql: import os; os._exit(9)\n"
        "        return super().execute(sql, *given)\n"
        "sqlite3.dbapi2.connect = sqlite3.connect = lambda *a, **k: connect(*a, **{**k, 'factory': Killed})\n"
        "registry.experiment_id()\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(mlruns)], check=False)
    assert killed.returncode == 9
    assert any(file.stat().st_size > 0 for file in mlruns.iterdir())
    registry = Registry(mlruns)
    assert registry.versions() == []
    assert add(registry, tmp_path / "one", 1.0) == "1"
    assert not list(mlruns.glob("*.new*"))


def test_what_the_database_refuses_is_one_line(registry: Registry, tmp_path: Path) -> None:
    registry.versions()
    with closing(sqlite3.connect(registry.mlruns / "mlflow.db")) as connection, connection:
        connection.execute("create trigger full before insert on runs begin select raise(abort, 'disk is full'); end")
    with pytest.raises(ModelError, match=r"^the store of models: disk is full\. Check the disk") as refused:
        add(registry, tmp_path / "one", 1.0)
    assert "\n" not in str(refused.value)


def test_a_store_that_may_only_be_read_is_read_also_in_another_place(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may write everywhere, so the rights are taken from the question, and the file must stay as it is."""
    allowed = os.access
    monkeypatch.setattr("os.access", lambda path, mode: path != registry.mlruns and allowed(path, mode))
    before = (registry.mlruns / "mlflow.db").read_bytes()
    assert intercept_of(registry.champion()) == 1.0
    assert (registry.mlruns / "mlflow.db").read_bytes() == before


def test_while_one_training_decides_another_waits(registry: Registry) -> None:
    def decide() -> None:
        with Registry(registry.mlruns).deciding():
            registry.promote("2", "better", at=LATER, by="job:retrain")

    with registry.deciding():
        other = Thread(target=decide)
        other.start()
        other.join(timeout=1)
        assert other.is_alive()
        assert registry.resolve("champion")[0] == "1"
    other.join()
    assert registry.resolve("champion")[0] == "2"


def test_versions_say_what_scripts_read(registry: Registry) -> None:
    first, second = registry.versions()
    assert (first["version"], first["alias"], second["alias"]) == ("1", "champion", None)
    assert first["created_at"] == "2026-11-19T04:42:00+00:00"
    assert first["data_sha256"] == "d" * 64
    assert first["metrics"] == {"auroc": 0.7}
    assert (first["promoted"], first["promoted_at"]) == (True, "2026-11-19T04:42:00+00:00")
    assert (first["promoted_by"], first["promoted_why"], first["why"]) == ("Meera Iyer", "it was the first", "it won")
    assert (second["promoted"], second["promoted_at"]) == (False, None)
    assert len(first["model_sha256"]) == 64
    assert first["model_sha256"] != second["model_sha256"]


def test_loads_the_champion_the_latest_or_a_number(registry: Registry) -> None:
    assert intercept_of(registry.champion()) == 1.0
    assert intercept_of(registry.load("latest")) == 2.0
    assert intercept_of(registry.load("2")) == 2.0
    assert intercept_of(registry.load("v1")) == 1.0
    with pytest.raises(ModelError, match="no model version '9'; there are 1, 2"):
        registry.load("9")


def test_promotion_can_be_taken_back_with_one_command(registry: Registry) -> None:
    registry.promote("2", at=LATER, by="Rohan")
    assert intercept_of(registry.champion()) == 2.0
    assert registry.rollback(at=LATER, by="Rohan") == "1"
    assert intercept_of(registry.champion()) == 1.0


def test_each_definition_has_versions_a_model_in_use_and_a_way_back_of_its_own(
    registry: Registry, tmp_path: Path
) -> None:
    assert registry.definitions() == ["default"]
    assert add(registry, tmp_path / "three", 3.0, "pre-paid") == "pre-paid-1"
    assert add(registry, tmp_path / "four", 4.0, "pre-paid") == "pre-paid-2"
    assert registry.definitions() == ["default", "pre-paid"]
    assert registry.champion("pre-paid") is None
    for version in ("pre-paid-1", "pre-paid-2"):
        registry.promote(version, at=NOW, by="Rohan")
    assert intercept_of(registry.champion("pre-paid")) == intercept_of(registry.load("pre-paid-2")) == 4.0
    assert registry.resolve("champion", "pre-paid")[0] == "pre-paid-2"
    assert intercept_of(registry.champion()) == 1.0
    assert registry.rollback("pre-paid", at=LATER, by="Rohan") == "pre-paid-1"
    assert intercept_of(registry.champion()) == 1.0
    assert [row["version"] for row in registry.versions()] == ["1", "2", "pre-paid-1", "pre-paid-2"]
    assert [row["alias"] for row in registry.versions("pre-paid")] == ["champion", "previous"]
    with pytest.raises(ModelError, match="no model version 'pre-paid-9'; there are pre-paid-1, pre-paid-2"):
        registry.load("pre-paid-9")
    with pytest.raises(ModelError, match="no trained model here of the definition 'shop'"):
        registry.load("latest", "shop")


def test_going_back_twice_goes_back_twice_and_never_forward(registry: Registry, tmp_path: Path) -> None:
    """After two rollbacks the model that was found wanting must not be in use again."""
    add(registry, tmp_path / "three", 3.0)
    for version in ("2", "3"):
        registry.promote(version, at=NOW, by="Rohan")
    assert [registry.rollback(at=LATER, by="Rohan") for _ in range(2)] == ["2", "1"]
    with pytest.raises(ModelError, match="model 1 replaced none: there is no earlier model"):
        registry.rollback(at=LATER, by="Rohan")
    assert intercept_of(registry.champion()) == 1.0
    registry.promote("3", at=LATER, by="Rohan")
    assert registry.rollback(at=LATER, by="Rohan") == "1"


def test_nobody_goes_back_to_a_model_whose_files_are_gone(registry: Registry) -> None:
    registry.promote("2", at=LATER, by="Rohan")
    shutil.rmtree(registry.folder(registry.version("1")))
    with pytest.raises(ModelError):
        registry.rollback(at=LATER, by="Rohan")
    assert intercept_of(registry.champion()) == 2.0


def test_going_back_without_a_past_is_refused(registry: Registry) -> None:
    with pytest.raises(ModelError, match="no earlier model"):
        registry.rollback(at=NOW, by="Rohan")


def test_nothing_in_use_names_the_newest_trained(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "mlruns")
    add(registry, tmp_path / "one", 1.0)
    assert registry.champion() is None
    with pytest.raises(ModelError, match="--model latest"):
        registry.load("champion")


def test_after_a_move_new_runs_go_to_the_new_place(registry: Registry, template: Path, tmp_path: Path) -> None:
    before = {path.name for path in (template / "artifacts").iterdir()}
    assert add(registry, tmp_path / "three", 3.0) == "3"
    assert intercept_of(registry.load("latest")) == 3.0
    assert {path.name for path in (template / "artifacts").iterdir()} == before
    assert len(list((registry.mlruns / "artifacts").iterdir())) == len(before) + 1
    assert all(version.source.startswith((registry.mlruns / "artifacts").as_uri()) for version in registry.found())


def test_altered_files_are_not_loaded(registry: Registry) -> None:
    for path in (registry.mlruns / "artifacts").rglob("model.json"):
        path.write_text(path.read_text().replace("1.0", "9.0"))
    with pytest.raises(ModelError, match="altered"):
        registry.champion()
    assert registry.champion_or_none() is None


def test_another_server_named_outside_is_honoured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'elsewhere.db'}")
    monkeypatch.chdir(tmp_path)
    registry = Registry(tmp_path / "mlruns")
    add(registry, tmp_path / "one", 4.0)
    registry.promote("1", at=NOW, by="Rohan")
    assert intercept_of(registry.champion()) == 4.0
    assert (tmp_path / "elsewhere.db").exists()
    assert not (tmp_path / "mlruns" / "mlflow.db").exists()


def test_a_store_is_text_numbers_and_pictures_never_a_pickle(registry: Registry) -> None:
    kinds = {path.suffix for path in (registry.mlruns / "artifacts").rglob("*") if path.is_file()}
    assert kinds <= {".json", ".txt", ".png"}
    assert np.isfinite(registry.versions()[0]["metrics"]["auroc"])
