"""What tests share: the clock, an empty home, the folder of public data, and the small demo."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

# The databases of the tests: fixtures of that module, for every test.
pytest_plugins = ["postgresql"]

# A Thursday, 10:12 in India: inside the working day, outside quiet hours.
NOW = datetime(2026, 11, 19, 4, 42, tzinfo=UTC)
TODAY = NOW.replace(hour=0, minute=0)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own PEHLE_… variables must not change what a test sees."""
    for name in list(os.environ):
        if name.startswith(("PEHLE_", "MLFLOW_")):
            monkeypatch.delenv(name)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The public data sets beside the checkout; tests that need them are skipped where they are absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"public data sets are not there ({folder.name}/ beside the checkout's parent)")
    return folder


@pytest.fixture(scope="session")
def made_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small demo, made once per run as `pehle demo` makes it; tests get copies, never this one."""
    from serving.commands.shared_options import stage
    from serving.demo import build

    path = tmp_path_factory.mktemp("made") / "demo"
    home = build(path, customers=400, until=TODAY, seed=7, wall=NOW, stage=stage)
    home.engine.dispose()
    return path


@pytest.fixture
def demo_home(made_demo: Path, tmp_path: Path) -> Path:
    """A demo of its own for one test, with a list that waits; copied, since a home can be moved."""
    return Path(shutil.copytree(made_demo, tmp_path / "demo"))


@pytest.fixture
def trained_home(made_demo: Path, tmp_path: Path) -> Path:
    """A real home whose events and model are a simulated company's: for what a simulated home refuses."""
    from records.database import set_state
    from serving.home import REAL, open_home
    from training.registry import Registry

    home = open_home(Path(shutil.copytree(made_demo, tmp_path / "company")))
    set_state(home.engine, "kind", REAL)
    Registry(home.mlruns).promote("1", "400 customers may be too few for the gate", at=NOW, by="tests")
    home.engine.dispose()
    return home.path
