"""The stored model gives the same scores on Spark's workers as in this process, and travels unaltered or not at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from features_logs import CUTOFF, PEOPLE, START, log_of, numbered
from test_model import NAMES, model_of, some_rows, table_of

from features.build import build_signals
from features.catalog import catalog
from features.engine import tables_in_order, tables_in_parts
from features.fitted import Fitted
from features.spark import session
from features.spark_signals import signals_on_spark
from records.errors import ModelError
from training.candidates import Settings, fit_all
from training.model import MODEL_FILE
from training.spark_scoring import SCORE, received, scored_on_spark, with_scores

pytest.importorskip("pyspark", reason="Spark is not installed: make spark")
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # pyspark's own, to its JVM

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="module")
def spark() -> SparkSession:
    return session("local[2]")


@pytest.mark.parametrize("kind", ["logistic", "lightgbm", "average"])
def test_spark_scores_as_this_process_does(spark: SparkSession, kind: str) -> None:
    rows = some_rows()
    model = model_of(fit_all(rows, Settings(rounds=20), seed=7, threads=1, bags=1)[kind])
    table = table_of(rows.X)
    signals = spark.createDataFrame(table).repartition(3)
    scored = with_scores(signals, model).toArrow().sort_by("customer_id")
    assert scored.column_names == ["customer_id", "cutoff", *NAMES, SCORE]
    expected = table.append_column(SCORE, [model.predict(table)]).sort_by("customer_id")
    assert scored.select(["customer_id", "cutoff"]).equals(expected.select(["customer_id", "cutoff"]))
    np.testing.assert_allclose(scored.column(SCORE).to_numpy(), expected.column(SCORE).to_numpy(), rtol=1e-9, atol=0)


def test_a_worker_refuses_a_model_altered_on_its_way(tmp_path: Path) -> None:
    rows = some_rows()
    model = model_of(fit_all(rows, Settings(rounds=20), seed=7, threads=1, bags=1)["logistic"])
    sha256 = model.save(tmp_path)
    sent = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ModelError, match="altered"):
        received(sent | {MODEL_FILE: sent[MODEL_FILE].replace(b"1", b"2", 1)}, sha256)
    assert received(sent, sha256).sha256 == sha256


def test_signals_and_scores_come_from_spark_together(spark: SparkSession, tmp_path: Path) -> None:
    at = START + timedelta(days=3)
    rows = [
        {"customer_id": person, "occurred_at": at, "received_at": at, "name": "order_completed", "properties": "{}"}
        for person in PEOPLE
    ]
    log, drawn = log_of(tmp_path, numbered(rows)), some_rows()
    scorer = fit_all(drawn, Settings(rounds=20), seed=7, threads=1, bags=1)["lightgbm"]
    names = ("days_known", "orders_30d", "days_since_last_order")
    names = tuple(signal.name for signal in catalog(Fitted()) if signal.name in names)
    model = replace(model_of(scorer), signal_names=names, fitted=Fitted())
    here = build_signals(log, [CUTOFF], fitted=Fitted(), customers=PEOPLE[:3], signals=names)
    signals, scores = scored_on_spark("local[2]", log, model, CUTOFF, PEOPLE[:3])
    assert signals.to_pydict() == here.to_pydict()
    np.testing.assert_allclose(scores, model.predict(here), rtol=1e-9, atol=0)


def test_tables_for_files_and_matrices_come_from_spark_too(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order they are what this process writes; in parts they hold the same rows; nothing stays in the home."""
    rows = [
        {"customer_id": person, "occurred_at": at, "received_at": at, "name": "order_completed"}
        for person in PEOPLE
        for at in (START + timedelta(days=day) for day in (0, 3, 31))
    ]
    log, names = log_of(tmp_path / "a [home] of {ours}", numbered(rows)), ["days_known", "orders_30d"]
    monkeypatch.setattr("features.spark_signals.signals_on_spark", partial(signals_on_spark, signals=names))
    cutoffs = [CUTOFF - timedelta(days=30), CUTOFF]
    here = build_signals(log, cutoffs, fitted=Fitted(), signals=names)
    there = pa.concat_tables(tables_in_order("local[2]", log, cutoffs, Fitted())).combine_chunks()
    assert there.schema == here.schema
    assert there.equals(here)
    some = pa.concat_tables(tables_in_parts("local[2]", log, cutoffs, Fitted(), PEOPLE[:2], None, threads=1))
    assert sorted(some.column("customer_id").to_pylist()) == sorted([*PEOPLE[:2], *PEOPLE[:2]])
    assert not list(log.data.glob("spill-*"))
