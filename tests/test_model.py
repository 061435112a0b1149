"""What is stored can be loaded, gives the same numbers, and is refused when altered or made for other signals."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.fitted import Fitted
from features.vocabulary import Vocabulary
from records.errors import ModelError
from training.calibration import Calibration
from training.candidates import Rows, Settings, fit_all
from training.issues import IssueModel
from training.labels import IssueOptions
from training.model import MANIFEST_FILE, MODEL_FILE, Model
from training.scorers import Scorer, Trees, check_trees

NAMES = ("days_since_last_order", "orders_90", "gap_median")
T = datetime(2026, 6, 1, tzinfo=UTC)


def some_rows(count: int = 600) -> Rows:
    rng = np.random.default_rng(1)
    X = rng.gamma(2.0, 10.0, (count, 3))
    X[rng.random((count, 3)) < 0.1] = np.nan
    y = (rng.random(count) < 1 / (1 + np.exp(-(np.nan_to_num(X[:, 0], nan=20) - 20) / 8))).astype(float)
    return Rows(X=X, y=y, recency=np.nan_to_num(X[:, 0]), customers=np.arange(count))


def table_of(X: np.ndarray) -> pa.Table:
    columns: dict[str, pa.Array[Any]] = {
        "customer_id": pa.array([f"C {row}" for row in range(len(X))]),
        "cutoff": pa.array([T] * len(X), pa.timestamp("us", tz="UTC")),
    }
    for place, name in enumerate(NAMES):
        values = [None if np.isnan(value) else float(value) for value in X[:, place]]
        columns[name] = pa.array(values, pa.float64())
    return pa.table(columns)


@pytest.fixture(scope="module")
def rows() -> Rows:
    return some_rows()


@pytest.fixture(scope="module")
def scorers(rows: Rows) -> dict[str, Scorer]:
    return fit_all(rows, Settings(rounds=20), seed=7, threads=1, bags=1)


def model_of(scorer: Scorer) -> Model:
    return Model(
        signal_names=NAMES,
        fitted=Fitted(words=Vocabulary(products=("राउटर", "sim_kit"))),
        churn=scorer,
        issues=IssueModel(options=IssueOptions()),
        settings={"as_of": "2026-06-01"},
    )


@pytest.mark.parametrize("kind", ["logistic", "lightgbm", "average"])
def test_a_loaded_model_scores_to_the_bit_like_the_stored_one(
    tmp_path: Path, scorers: dict[str, Scorer], rows: Rows, kind: str
) -> None:
    model = model_of(scorers[kind])
    sha256 = model.save(tmp_path)
    loaded = Model.load(tmp_path, sha256)
    table = table_of(rows.X)
    np.testing.assert_array_equal(loaded.predict(table), model.predict(table))
    np.testing.assert_array_equal(loaded.contributions(table), model.contributions(table))
    assert loaded.fitted == model.fitted
    assert loaded.sha256 == sha256
    assert model.save(tmp_path / "again") == sha256


@pytest.mark.parametrize("kind", ["logistic", "lightgbm", "average"])
def test_contributions_add_up_to_the_log_odds_but_for_one_constant(
    scorers: dict[str, Scorer], rows: Rows, kind: str
) -> None:
    scorer = scorers[kind]
    rest = scorer.log_odds(rows.X) - scorer.terms(rows.X).sum(axis=1)
    assert rest.std() < 1e-9
    assert scorer.terms(rows.X).std(axis=0)[0] > 0.1  # the first signal is the one that decides


def test_a_folder_holds_text_only_and_no_pickle(tmp_path: Path, scorers: dict[str, Scorer]) -> None:
    model_of(scorers["average"]).save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {MODEL_FILE, MANIFEST_FILE, "churn_1.txt"}
    for path in tmp_path.iterdir():
        path.read_text(encoding="utf-8")


@pytest.mark.parametrize("file", [MODEL_FILE, MANIFEST_FILE, "churn_0.txt"])
def test_one_changed_byte_anywhere_is_refused(tmp_path: Path, scorers: dict[str, Scorer], file: str) -> None:
    sha256 = model_of(scorers["lightgbm"]).save(tmp_path)
    content = (tmp_path / file).read_bytes()
    place = content.index(b"1")
    (tmp_path / file).write_bytes(content[:place] + b"2" + content[place + 1 :])
    with pytest.raises(ModelError, match="altered"):
        Model.load(tmp_path, sha256)


def test_a_missing_folder_is_one_line_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"is not there or cannot be read.*pehle train"):
        Model.load(tmp_path / "gone", "0" * 64)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop_columns(["gap_median"]), r"missing \['gap_median'\]"),
        (lambda table: table.append_column("new", table["orders_90"]), r"unknown \['new'\]"),
        (lambda table: table.select(["customer_id", "cutoff", *NAMES[::-1]]), "another order"),
    ],
    ids=["one missing", "one too many", "another order"],
)
def test_other_signals_are_refused(
    scorers: dict[str, Scorer], rows: Rows, change: Callable[[pa.Table], pa.Table], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        model_of(scorers["logistic"]).predict(change(table_of(rows.X)))


def trees_text(scorers: dict[str, Scorer]) -> str:
    part = scorers["lightgbm"].parts[0][1]
    assert isinstance(part, Trees)
    return part.text


def first_number(line: str, value: int) -> Callable[[str], str]:
    return lambda text: re.sub(rf"^{line}=-?\d+", f"{line}={value}", text, count=1, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("crafted", "message"),
    [
        (first_number("split_feature", 1_000_000), "signal that does not exist"),
        (first_number("split_feature", -1), "signal that does not exist"),
        (first_number("left_child", 5_000), "child outside"),
        (first_number("left_child", -5_000), "outside the tree or twice"),
        (first_number("left_child", 0), "outside the tree or twice"),
        (first_number("right_child", 77), "child outside"),
        (first_number("num_leaves", 3), "names 3 leaves"),
        (lambda text: re.sub(r"(?<=[= ])-2(?=[ \n])", "-1", text, count=1), "leaf outside the tree or twice"),
        (first_number("num_cat", 1), "categories"),
        (lambda text: text.replace("max_feature_idx=2", "max_feature_idx=9"), "made for 10 signals, not 3"),
        (lambda text: text.replace("threshold=", "threshold=0.5 ", 1), "unequal length"),
        (lambda text: re.sub(r"^left_child=.*$", "left_child=x", text, count=1, flags=re.MULTILINE), "list of numbers"),
        (lambda text: text.split("\nTree=")[0], "no trees"),
    ],
)
def test_trees_that_would_read_or_write_outside_are_refused_before_lightgbm_sees_them(
    scorers: dict[str, Scorer], crafted: Callable[[str], str], message: str
) -> None:
    text = trees_text(scorers)
    check_trees(text, 3)
    assert crafted(text) != text
    with pytest.raises(ModelError, match=message):
        check_trees(crafted(text), 3)


def test_a_crafted_tree_with_its_own_right_hash_is_refused_all_the_same(
    tmp_path: Path, scorers: dict[str, Scorer]
) -> None:
    import hashlib

    model_of(scorers["lightgbm"]).save(tmp_path)
    text = first_number("split_feature", 1_000_000)(trees_text(scorers))
    (tmp_path / "churn_0.txt").write_text(text)
    manifest = json.loads((tmp_path / MANIFEST_FILE).read_text())
    manifest["churn_0.txt"] = hashlib.sha256(text.encode()).hexdigest()
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="signal that does not exist"):
        Model.load(tmp_path, hashlib.sha256((tmp_path / MANIFEST_FILE).read_bytes()).hexdigest())


def test_calibration_survives_the_store(tmp_path: Path, scorers: dict[str, Scorer], rows: Rows) -> None:
    for stored in (
        Calibration(kind="beta", coefficients=(0.7, 0.8, 0.2)),
        Calibration(kind="isotonic", x=(0.1, 0.5, 0.9), y=(0.2, 0.4, 0.8)),
    ):
        raw = scorers["logistic"]
        model = model_of(Scorer(kind="logistic", parts=raw.parts, calibration=stored))
        loaded = Model.load(tmp_path / stored.kind, model.save(tmp_path / stored.kind))
        assert loaded.churn.calibration == stored
        assert not np.array_equal(loaded.churn.predict(rows.X), raw.predict(rows.X))


def test_no_customers_give_no_scores(scorers: dict[str, Scorer]) -> None:
    model = model_of(scorers["average"])
    assert model.predict(table_of(np.zeros((0, 3)))).shape == (0,)
    assert model.contributions(table_of(np.zeros((0, 3)))).shape == (0, 3)
