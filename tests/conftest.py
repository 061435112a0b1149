"""What tests share: the clock, an empty home, the folder of public data, and the small demo."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

# The databases of the tests: fixtures of that module, for every test.
pytest_plugins = ["postgresql"]

# A Thursday, 10:12 in India: inside the working day, outside quiet hours.
NOW = datetime(2026, 11, 19, 4, 42, tzinfo=UTC)


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
def template_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One migrated, empty real home per run; tests copy it rather than migrate anew."""
    from serving.home import REAL, create_home

    path = tmp_path_factory.mktemp("home")
    create_home(path, REAL).engine.dispose()
    return path
