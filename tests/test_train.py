"""A whole training run on a small shop: what it says, what it stores, whom it puts in use, and that it repeats."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from records.errors import NotEnoughData
from records.events import EventLog
from training.backtest import backtest
from training.candidates import RECENCY
from training.choosing import choose_settings
from training.evaluation import MEASURES
from training.examples import build_examples
from training.gates import gate
from training.judging import Judged, fit_and_judge
from training.labels import ChurnOptions, IssueOptions, TrainingOptions, eligible
from training.model import Model
from training.opponent import InUse, Opponent
from training.provenance import settings_of
from training.registry import Registry
from training.storing import TrainResult
from training.train import train

START = datetime(2025, 1, 1, tzinfo=UTC)
AS_OF = START + timedelta(days=300)
NOW = datetime(2026, 11, 19, 4, 42, tzinfo=UTC)
CHURN = ChurnOptions(horizon_days=30, active_within_days=60)
QUICK = TrainingOptions(max_rounds=60)
# All candidates of a log with purchases, nothing tuned.
KINDS = ("recency", "logistic", "pareto_nbd", "lightgbm", "average")
ISSUE = "support_ticket_opened"
TOPICS = ("billing", "delivery", "network")


def shop(folder: Path, customers: int = 500) -> EventLog:
    """Each orders at a pace of their own and stops one day; who orders most asks about delivery, others as before."""
    rng = np.random.default_rng(3)
    rows: list[tuple[str, str, float, str | None]] = []
    for number in range(customers):
        who, pace = f"C {number:03d}", float(rng.choice([4.0, 12.0, 25.0]))
        stops = rng.uniform(40, 600)
        day = rng.uniform(0, pace)
        while day < min(stops, 300):
            rows.append((who, "order_completed", day, None))
            day += pace * rng.uniform(0.7, 1.3)
        mine = "delivery" if pace == 4.0 else str(rng.choice(TOPICS))
        for at in np.sort(rng.uniform(0, min(stops, 300), rng.poisson(3.0))):
            topic = mine if rng.random() < 0.8 else str(rng.choice(TOPICS))
            rows.append((who, "support_ticket_opened", float(at), None if rng.random() < 0.1 else topic))
    log = EventLog(folder)
    amounts = [Decimal(5) if row[1] == "order_completed" else None for row in rows]
    log.append(
        pa.table(
            {
                "customer_id": [row[0] for row in rows],
                "name": [row[1] for row in rows],
                "amount": pa.array(amounts, pa.decimal128(18, 4)),
                "topic": pa.array([row[3] for row in rows], pa.string()),
                "occurred_at": pa.array([START + timedelta(days=row[2]) for row in rows], pa.timestamp("us", tz="UTC")),
            }
        )
    )
    return log


def run(log: EventLog, mlruns: Path, **changes: object) -> TrainResult:
    defaults: dict[str, object] = {"churn": CHURN, "issues": IssueOptions(), "training": QUICK, "as_of": AS_OF}
    return train(log, mlruns=mlruns, now=NOW, **{**defaults, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> EventLog:
    return shop(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow store with its tables and no run: making one takes longer than a training run here."""
    mlruns = tmp_path_factory.mktemp("store") / "mlruns"
    Registry(mlruns).experiment_id()
    return mlruns


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(empty_store, tmp_path / "mlruns"))


@pytest.fixture(scope="module")
def trained(log: EventLog, empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainResult, Path]:
    mlruns = Path(shutil.copytree(empty_store, tmp_path_factory.mktemp("trained") / "mlruns"))
    return run(log, mlruns), mlruns


def test_a_run_names_every_candidate_the_winner_and_why(trained: tuple[TrainResult, Path]) -> None:
    result, _ = trained
    assert [one.name for one in result.candidates] == list(KINDS)
    losses = {one.name: one.metrics["log_loss"] for one in result.candidates}
    assert result.winner != "recency"
    assert losses[result.winner] < losses["recency"]
    assert result.promoted
    assert "beats recency alone by" in result.why
    assert result.why.endswith("no model was in use")
    found = result.to_json()["intervals"]
    assert set(found) == set(MEASURES)
    assert all(low < high for low, _, high in found.values())
    low, value, high = found["auroc"]
    assert low < value < high


def test_the_same_events_in_other_files_on_other_threads_with_more_to_come_give_the_same_bytes(
    log: EventLog, trained: tuple[TrainResult, Path], store: Path, tmp_path: Path
) -> None:
    result, _ = trained
    copy = EventLog(tmp_path / "data")
    rows = log.connection().sql("from events order by random()").to_arrow_table()
    later = rows[:3].set_column(0, "event_id", pa.array(["new 1", "new 2", "new 3"]))
    moment = pa.timestamp("us", tz="UTC")
    for column, values in (("name", ["order_completed", ISSUE, "a_new_kind"]), ("topic", [None, "a new topic", None])):
        later = later.set_column(later.column_names.index(column), column, pa.array(values))
    for column, days in (("occurred_at", (0, -9, -50)), ("received_at", (0, 0, 2))):
        at = pa.array([AS_OF + timedelta(days=number) for number in days], moment)
        later = later.set_column(later.column_names.index(column), column, at)
    for part in (later, rows[: len(rows) // 3], rows[len(rows) // 3 :]):
        copy.append(part)
    again = run(copy, store, training=QUICK.model_copy(update={"threads": 1}))
    assert again.model_sha256 == result.model_sha256
    assert again.data_sha256 == result.data_sha256
    assert [one.metrics for one in again.candidates] == [one.metrics for one in result.candidates]


def test_trained_again_on_the_same_it_is_the_same_and_stays_as_nothing_newer_was_learnt(
    log: EventLog, trained: tuple[TrainResult, Path], tmp_path: Path
) -> None:
    first, mlruns = trained
    again = run(log, Path(shutil.copytree(mlruns, tmp_path / "mlruns")))
    assert again.model_sha256 == first.model_sha256
    assert not again.promoted
    assert again.why.endswith("no better, and nothing newer was learnt: the model in use stays")
    assert again.stability["top_tenth_kept"] == 1.0
    assert "top_tenth_kept" not in first.stability
    assert "of the riskiest tenth, 100% are also the riskiest tenth of the model in use" in again.notes
    rows = Registry(tmp_path / "mlruns").versions()
    assert [row["chosen"] for row in rows] == [first.chosen, again.chosen]
    assert rows[1]["metrics"]["top_tenth_kept"] == 1.0
    assert json.loads(json.dumps(again.to_json()))["chosen"]["pair"] == first.chosen["pair"]


def test_the_stored_model_scores_everybody_eligible_with_risk_and_topics(
    log: EventLog, trained: tuple[TrainResult, Path]
) -> None:
    model = Registry(trained[1]).load("champion")
    people = eligible(log, [AS_OF], CHURN)[AS_OF]
    table = model.signals(log, AS_OF, people)
    risk = model.predict(table)
    topics, chances = model.topics(table, log)
    assert table["customer_id"].to_pylist() == people
    assert ((risk > 0) & (risk < 1)).all()
    assert topics == TOPICS
    assert chances.shape == (len(people), 3)
    assert (chances > 0).all()
    assert (chances < 1).all()  # several topics may come up: they need not sum to less than 1
    assert model.contributions(table).shape == (len(people), len(model.signal_names))


def test_mlflow_keeps_parameters_hashes_figures_and_a_report(trained: tuple[TrainResult, Path]) -> None:
    result, mlruns = trained
    registry = Registry(mlruns)
    (version,) = registry.versions()
    assert version["alias"] == "champion"
    assert version["data_sha256"] == result.data_sha256
    assert version["metrics"]["recency_log_loss"] > version["metrics"]["log_loss"]
    assert all(version["metrics"][f"{name}_low"] < version["metrics"][f"{name}_high"] for name in MEASURES)
    found = registry.client.get_run(registry.found()[0].run_id).data
    assert found.params["churn.horizon_days"] == "30"
    assert found.params["versions.lightgbm"]
    report = registry.report("1")
    assert report is not None
    assert result.model_sha256 in report.decode()


def test_a_log_without_topics_amounts_or_texts_still_trains(log: EventLog, store: Path, tmp_path: Path) -> None:
    bare = EventLog(tmp_path / "data")
    bare.append(
        log.connection()
        .sql("select customer_id, occurred_at, name from events where name = 'order_completed'")
        .to_arrow_table()
    )
    result = run(bare, store)
    assert "no topics are known: the score has none" in result.notes
    model = Registry(store).load("latest")
    table = model.signals(bare, AS_OF)
    topics, chances = model.topics(table, bare)
    assert topics == ()
    assert chances.shape == (table.num_rows, 0)


def test_too_short_a_log_is_refused_and_leaves_nothing_behind(log: EventLog, tmp_path: Path) -> None:
    with pytest.raises(NotEnoughData, match=r"two horizons of 30 days.*at least 68 days"):
        run(log, tmp_path / "mlruns", as_of=START + timedelta(days=60))
    assert not (tmp_path / "mlruns").exists()


# ── the gate ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def judged(log: EventLog) -> Judged:
    return fit_and_judge(build_examples(log, AS_OF, CHURN, IssueOptions(), QUICK), QUICK)


@pytest.fixture(scope="module")
def model(log: EventLog, trained: tuple[TrainResult, Path]) -> Model:
    return Registry(trained[1]).load("latest")


def never_asked(champion: InUse) -> Opponent | None:
    raise AssertionError


def test_a_model_that_does_not_beat_recency_alone_is_not_put_in_use(judged: Judged, model: Model) -> None:
    sure = replace(judged, scores={**judged.scores, RECENCY: np.clip(judged.rows.y, 0.01, 0.99)})
    assert sure.winner != RECENCY  # earlier cutoffs know better
    floor = replace(sure, rehearsals=())
    assert floor.winner == RECENCY
    assert floor.best_stored != RECENCY
    promoted, why = gate(floor, model, None, never_asked)
    assert not promoted
    assert why.startswith("nothing beats recency alone (log loss 0.00")


def test_a_champion_for_another_question_does_not_stand_in_the_way(judged: Judged, model: Model) -> None:
    other = replace(model, settings={**model.settings, "churn": {"horizon_days": 7}})
    promoted, why = gate(judged, model, InUse(model=other, scores=None), never_asked)
    assert promoted
    assert why.endswith("; the model in use predicts another kind of leaving")


def test_settings_name_everything_that_made_the_model(log: EventLog, model: Model) -> None:
    examples = build_examples(log, AS_OF, CHURN, IssueOptions(), QUICK)
    chosen = choose_settings(examples, QUICK)
    assert dict(model.settings) == settings_of(log, AS_OF, IssueOptions(), QUICK, examples, chosen)
    assert model.settings["chosen"]["rounds"] == chosen.rounds > 20
    assert {"data_sha256", "signals_sha256", "versions", "slices", "churn", "issues", "training"} <= set(model.settings)


# ── walking through time ─────────────────────────────────────────────────────────────────────────────────────
def test_a_backtest_judges_each_step_by_the_horizon_after_it(log: EventLog) -> None:
    first = AS_OF - timedelta(days=60)
    lines: list[str] = []
    steps = backtest(log, first, first + timedelta(days=30), CHURN, IssueOptions(), QUICK, lines.append)
    assert [step["cutoff"] for step in steps] == [first.isoformat(), (first + timedelta(days=30)).isoformat()]
    assert len(lines) == 2
    for step in steps:
        losses = {name: step[f"{name}_log_loss"] for name in KINDS}
        assert losses[step["winner"]] < losses["recency"]
        assert step["gain_low"] > 0
    with pytest.raises(NotEnoughData, match=r"ends .* before it begins"):
        backtest(log, AS_OF, first, CHURN, IssueOptions(), QUICK)
