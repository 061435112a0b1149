"""Whom must the winner beat? The model in use by its own signals; its kind where it has seen the outcome."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from test_train import AS_OF, CHURN, QUICK, shop

from features.fitted import Fitted
from records.events import EventLog
from training.candidates import BAGS, Settings, fit_one
from training.choosing import aged
from training.evaluation import log_loss
from training.examples import Examples, build_examples
from training.gates import gate
from training.issues import IssueModel
from training.judging import Judged, fit_and_judge
from training.labels import IssueOptions
from training.model import Model
from training.opponent import InUse, in_use, opponent_of
from training.scorers import Scorer
from training.stability import scores_by_seed, shared_top, stability_of

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> EventLog:
    return shop(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def examples(log: EventLog) -> Examples:
    return build_examples(log, AS_OF, CHURN, IssueOptions(), QUICK)


@pytest.fixture(scope="module")
def judged(examples: Examples) -> Judged:
    return fit_and_judge(examples, QUICK)


def stored(examples: Examples, churn: Scorer, labels_until_days: int, **settings: object) -> Model:
    """A model whose labels end so many days after the judging cutoff."""
    until = examples.slices.judge[0] + labels_until_days * DAY
    return Model(
        signal_names=examples.signal_names,
        fitted=examples.fitted,
        churn=churn,
        issues=IssueModel(options=IssueOptions()),
        settings={"churn": CHURN.model_dump(mode="json"), "labels_until": until.isoformat(), **settings},
    )


def test_a_model_in_use_with_other_signals_is_asked_by_its_own(
    log: EventLog, examples: Examples, judged: Judged
) -> None:
    """It was made when the log knew other topics: its matrix has other columns than the new one's."""
    words = replace(examples.fitted.words, topics=("an older topic",))
    older = build_older(log, examples, replace(examples.fitted, words=words))
    assert older.signal_names != examples.signal_names
    asked = in_use(log, examples, judged, older, threads=1)
    assert asked.scores is not None
    assert asked.scores.shape == judged.rows.y.shape
    rival = opponent_of(asked, examples, judged, QUICK, AS_OF)
    assert rival is not None
    assert rival.what == "the model in use"
    assert rival.newer
    # Worse than the winner, and told so on the same rows.
    promoted, why = gate(judged, stored(examples, older.churn, 30), asked, lambda _: rival)
    assert f"{log_loss(judged.rows.y, asked.scores):.4f} of the model in use" in why
    assert promoted


def build_older(log: EventLog, examples: Examples, fitted: Fitted) -> Model:
    """A logistic of what was known long before the judging cutoff, with signals by another vocabulary."""
    from features.build import build_signals
    from training.candidates import Rows
    from training.labels import churn_labels
    from training.model import KEYS, matrix

    cutoff = examples.slices.finished[0]
    labels = churn_labels(log, [cutoff], CHURN, AS_OF)
    table = build_signals(log, [cutoff], fitted=fitted, customers=labels["customer_id"].to_pylist())
    names = tuple(name for name in table.column_names if name not in KEYS)
    y = labels["left_us"].to_numpy().astype(float)
    X = matrix(table, names)
    rows = Rows(X=X, y=y, recency=np.zeros(len(y)), customers=np.arange(len(y)))
    scorer = fit_one("logistic", rows, Settings(), seed=1, threads=1)
    return replace(stored(examples, scorer, -1), signal_names=names, fitted=fitted)


def test_one_whose_signals_are_made_no_more_can_score_nobody_and_is_replaced(
    log: EventLog, examples: Examples, judged: Judged
) -> None:
    gone = replace(stored(examples, judged.scorers["logistic"], -1), signal_names=("a_signal_of_old",))
    asked = in_use(log, examples, judged, gone, threads=1)
    assert asked.scores is None
    assert opponent_of(asked, examples, judged, QUICK, AS_OF) is None
    promoted, why = gate(judged, stored(examples, judged.scorers["logistic"], 30), asked, lambda _: None)
    assert promoted
    assert "can score nobody any more: the model was made for 1 signals" in why


def test_one_that_has_seen_the_outcome_sends_its_kind_with_the_settings_chosen_for_it(
    log: EventLog, examples: Examples, judged: Judged
) -> None:
    chosen = replace(judged.settings, rounds=33, half_life_days=90.0)
    knowing = stored(examples, judged.scorers["lightgbm"], 30, chosen=chosen.to_json() | {"odds_column": 999})
    asked = InUse(model=knowing, scores=judged.rows.y * 0.98 + 0.01)  # it knows who left
    rival = opponent_of(asked, examples, judged, QUICK, AS_OF)
    assert rival is not None
    assert rival.what.startswith("lightgbm, the kind in use (the model itself has seen")
    rows = aged(examples, examples.slices.known_at_judge, 90.0)
    fitted = fit_one("lightgbm", rows, chosen, seed=QUICK.seed, threads=1)
    expected = judged.scorers["lightgbm"].calibration.apply(fitted.predict(judged.rows.X))
    np.testing.assert_array_equal(rival.scores, expected)
    # The same settings are the fit that was judged; a model of before settings were kept has the defaults.
    same = stored(examples, judged.scorers["logistic"], 30, chosen=judged.settings.to_json())
    rival = opponent_of(InUse(model=same, scores=asked.scores), examples, judged, QUICK, AS_OF)
    assert rival is not None
    np.testing.assert_array_equal(rival.scores, judged.scores["logistic"])
    old = stored(examples, judged.scorers["logistic"], 30)
    rival = opponent_of(InUse(model=old, scores=asked.scores), examples, judged, QUICK, AS_OF)
    assert rival is not None
    assert not np.array_equal(rival.scores, asked.scores)


def test_nothing_after_the_judging_cutoff_reaches_what_the_model_in_use_says(
    log: EventLog, examples: Examples, judged: Judged, tmp_path: Path
) -> None:
    model = stored(examples, judged.scorers["average"], -1)
    cutoff = examples.slices.judge[0]
    before = EventLog(tmp_path / "before")
    at = pa.scalar(cutoff, pa.timestamp("us", "UTC"))
    events = log.connection().sql("from events").to_arrow_table()
    before.append(events.filter(pa.compute.less(events["occurred_at"], at)))
    found, again = (in_use(one, examples, judged, model, threads=1).scores for one in (log, before))
    assert found is not None
    assert again is not None
    np.testing.assert_array_equal(found, again)


# ── how much of the riskiest tenth stays the same ────────────────────────────────────────────────────────────
def test_what_two_rankings_have_in_common_is_between_a_draw_by_lot_and_everybody() -> None:
    rng = np.random.default_rng(5)
    p = rng.random(20_000)
    assert shared_top(p, np.exp(p)) == 1.0
    assert shared_top(p, 1 - p) == 0.0
    assert shared_top(p, rng.random(20_000)) == pytest.approx(0.1, abs=0.02)
    assert shared_top(np.array([0.5]), np.array([0.2])) == 1.0


def test_each_seed_alone_is_told_and_their_mean_is_the_judged_fit(judged: Judged) -> None:
    for kind in ("lightgbm", "average"):
        scorer = replace(judged.scorers[kind], calibration=replace(judged.scorers[kind].calibration, kind="none"))
        by_seed = scores_by_seed(scorer, judged.rows)
        assert len(by_seed) == BAGS
        assert not np.array_equal(by_seed[0], by_seed[1])
        odds = [np.log(p / (1 - p)) for p in by_seed]
        np.testing.assert_allclose(np.mean(odds, axis=0), scorer.log_odds(judged.rows.X), rtol=1e-9)
    found = stability_of(judged.rows, judged.scorers["lightgbm"], judged.scores["lightgbm"], judged.scores["logistic"])
    assert found.kept is not None
    assert found.seeds_share is not None
    assert 0.3 < found.kept < 1
    assert 0.5 < found.seeds_share <= 1
    assert len(found.seeds) == BAGS
    assert set(found.figures()) == {
        "top_tenth_kept", "top_tenth_shared_by_seeds", "seeds_log_loss_low", "seeds_log_loss_high"
    }  # fmt: skip
    assert len(found.said()) == 2


def test_without_trees_or_a_model_in_use_nothing_is_said(judged: Judged) -> None:
    found = stability_of(judged.rows, judged.scorers["logistic"], judged.scores["logistic"], None)
    assert (found.figures(), found.said()) == ({}, ())
