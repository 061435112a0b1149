"""The three steps of a notebook, the examples in docstrings, and the script that reproduces a known figure."""

from __future__ import annotations

import doctest
import importlib
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from records.errors import InputError, NotEnoughData
from training.labels import ChurnOptions, TrainingOptions
from training.notebook import build_examples, evaluate, fit_candidates, outcomes, predict, read_log

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = Path(__file__).with_name("example_cdnow.py")
WITH_EXAMPLES = sorted(file.stem for file in (ROOT / "training").glob("*.py") if ">>> " in file.read_text("utf-8"))
START = datetime(2025, 1, 1, tzinfo=UTC)
CHURN = ChurnOptions(activity=["order_completed"], horizon_days=30, active_within_days=60)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_in_docstrings_are_true(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"training.{name}"))
    assert (found.failed, found.attempted > 0) == (0, True)


def orders(folder: Path) -> Path:
    """A file of orders: each at a pace of their own until one day."""
    rng = np.random.default_rng(4)
    lines = ["customer_id,name,occurred_at"]
    for number in range(300):
        day, stops, pace = rng.uniform(0, 9), rng.uniform(40, 500), rng.choice([5.0, 15.0])
        while day < min(stops, 330):
            lines.append(f"C{number},order_completed,{(START + timedelta(days=day)).isoformat()}")
            day += pace * rng.uniform(0.7, 1.3)
    file = folder / "orders.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_from_a_file_to_a_table_of_figures_on_what_came_later(tmp_path: Path) -> None:
    training, as_of = TrainingOptions(max_rounds=30), START + timedelta(days=300)
    log = read_log(orders(tmp_path), tmp_path / "data")
    examples = build_examples(log, as_of, CHURN, training=training)
    judged = fit_candidates(examples, training)
    assert {"recency", "logistic", "lightgbm"} <= set(judged.scores)
    scores = predict(log, examples, judged, as_of, training)
    y = outcomes(log, examples, as_of, scores["customer_id"])
    table = evaluate(y, {"winner": scores["churn_probability"]}).to_pylist()
    auroc = next(row for row in table if row["measure"] == "auroc")
    assert auroc["rows"] == scores.num_rows > 100
    assert 0.6 < auroc["low"] < auroc["value"] < auroc["high"]
    assert np.isnan(outcomes(log, examples, as_of, ["nobody"])).all()
    with pytest.raises(NotEnoughData, match="are not over"):
        outcomes(log, examples, as_of + timedelta(days=200), ["C1"])
    with pytest.raises(InputError, match="There is no file"):
        read_log(tmp_path / "no.csv", tmp_path / "data")


@pytest.mark.parametrize("package", ["records", "features", "training", "serving"])
def test_types_reach_whoever_checks_a_notebook(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_the_example_is_short() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 30


@pytest.mark.soak
def test_the_example_reproduces_the_known_figure_from_the_raw_file(shared_data: Path) -> None:
    raw = shared_data / "cdnow" / "CDNOW_master.txt"
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), str(raw)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = {name: float(value) for name, value in re.findall(r"^(auroc|log_loss) ([\d.]+) \[", done.stdout, re.M)}
    assert "6055 customers" in done.stdout
    assert found["auroc"] >= 0.730, done.stdout
    assert found["log_loss"] <= 0.580, done.stdout
