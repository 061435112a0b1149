"""`--tune`: the same seed tries the same, three rehearsals or none, and the time that was given is kept."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic

import numpy as np
import pytest
from test_choosing import QUICK, examples

from training import tuning
from training.candidates import AVERAGE, LIGHTGBM, LOGISTIC, TUNED, Rows
from training.choosing import usable_folds
from training.examples import Examples
from training.judging import final_scorer, fit_and_judge
from training.scorers import Trees
from training.tuning import FEWEST_FOLDS, tune


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "MOST_TRIALS", 4)


@pytest.mark.usefixtures("few")
def test_ended_by_the_number_of_trials_the_same_seed_gives_the_same_model_to_the_byte() -> None:
    lines: list[str] = []
    found = tune(examples(8), QUICK, 10, 5, lines.append)
    assert [line.split(",")[0] for line in lines] == [f"tuning: trial {number}" for number in (1, 2, 3, 4)]
    assert tune(examples(8), QUICK, 10, 5) == found
    assert {"num_leaves", "learning_rate", "feature_fraction", "min_data_in_leaf", "lambda_l2"} <= set(found)

    def texts() -> list[str]:
        world = examples(8)
        judged = fit_and_judge(world, QUICK, found)
        assert list(judged.losses) == ["recency", LOGISTIC, LIGHTGBM, TUNED, AVERAGE]
        sure = np.clip(judged.rows.y, 0.1, 0.9)
        scorer = final_scorer(world, replace(judged, scores={**judged.scores, TUNED: sure}), QUICK)
        return [part.text for _, part in scorer.parts if isinstance(part, Trees)]

    assert texts() == texts() != []


@pytest.mark.usefixtures("few")
def test_the_default_is_tried_first_and_the_best_of_all_is_taken() -> None:
    lines: list[str] = []
    tune(examples(8), QUICK, 10, 5, lines.append)
    tried: list[float] = [float(line.rsplit(" ", 1)[1]) for line in lines]
    again: list[str] = []
    tune(examples(8), QUICK, 10, 99, again.append)
    assert again[0] == lines[0]
    assert again[1:] != lines[1:]
    assert min(tried) <= tried[0]


def test_the_time_given_is_kept_even_in_the_middle_of_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    assert tune(examples(8), QUICK, 1e-9, 5, lines.append) == {}
    assert lines == ["tuning: no trial was over in time, the default parameters stay"]
    # A trial that would go on for minutes.
    monkeypatch.setattr(tuning, "PATIENCE", 10**6)
    begun = monotonic()
    tune(examples(8), QUICK.model_copy(update={"max_rounds": 10**6}), 0.05, 5)
    assert monotonic() - begun < 60


def test_fewer_than_three_rehearsals_are_no_ground_for_tuning() -> None:
    short = next(cutoffs for cutoffs in range(8, 2, -1) if len(usable_folds(examples(cutoffs))) < FEWEST_FOLDS)
    lines: list[str] = []
    assert tune(examples(short), QUICK, 10, 5, lines.append) == {}
    assert lines[0].startswith(f"tuning: the log is too short ({FEWEST_FOLDS - 1} rehearsals of the 3")


def test_what_judges_and_calibrates_is_not_looked_at() -> None:
    """Turn their labels round: the parameters that are found stay."""

    def found(turned: bool) -> dict[str, object]:
        world: Examples = examples(8)
        if turned:
            for cutoff in (*world.slices.calibrate, *world.slices.judge):
                part: Rows = world.parts[cutoff]  # type: ignore[attr-defined]
                kept = Rows(X=part.X, y=1 - part.y, recency=part.recency, customers=part.customers)
                world.parts[cutoff] = kept  # type: ignore[attr-defined]
        return tune(world, QUICK, 10, 5)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "MOST_TRIALS", 2)
        assert found(False) == found(True)
