"""Would other LightGBM parameters suit this log better? A seeded search on earlier cutoffs, for `pehle train --tune`.

Each trial is judged by its mean log loss over the folds of `training.choosing`: rehearsals in time that end before
the calibration and the judging slice. What is found is one more candidate; the judging slice decides whether it is
any good. Much tuning on few folds finds luck: the first trial is the default, and the number of trials is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from training.choosing import mean_curve, usable_folds
from training.examples import Examples
from training.labels import TrainingOptions
from training.trees import PATIENCE, dataset, parameters

MOST_TRIALS = 50
# The mean over fewer rehearsals follows the luck of one.
FEWEST_FOLDS = 3
SECONDS_PER_MINUTE = 60
Progress = Callable[[str], None]


class OutOfTime(Exception):
    """The time for looking is over, in the middle of a trial."""


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """A fold, binned once for all trials."""

    fit: Any
    judge: Any


def tune(
    examples: Examples,
    training: TrainingOptions,
    minutes: float,
    seed: int,
    progress: Progress = lambda line: None,
) -> dict[str, Any]:
    """LightGBM parameters with the lowest mean log loss over the folds, after at most so many minutes.

    The same seed tries the same parameters in the same order; the time decides how far it comes, so a repeatable run
    has time for all MOST_TRIALS. A trial that is not over in time does not count. Empty where the log is too short to
    rehearse, or no trial was over.
    """
    import optuna

    folds, ends = usable_folds(examples), monotonic() + minutes * SECONDS_PER_MINUTE
    if len(folds) < FEWEST_FOLDS:
        said = f"{len(folds)} rehearsals of the {FEWEST_FOLDS} that are needed"
        progress(f"tuning: the log is too short ({said}), the default parameters stay")
        return {}
    plain = {}
    rehearsals = []
    for fold in folds:
        rows = examples.rows(fold.fit)
        plain = parameters(rows, {}, seed=training.seed, threads=training.threads)
        fit = dataset(rows, plain)
        rehearsals.append(Rehearsal(fit=fit, judge=dataset(examples.rows([fold.judge]), plain, reference=fit)))

    def loss(trial: Any) -> float:
        try:
            found = rehearse(rehearsals, {**plain, **suggested(trial)}, training.max_rounds, ends)
        except OutOfTime:
            raise optuna.TrialPruned from None
        progress(f"tuning: trial {trial.number + 1}, log loss {found:.4f}")
        return found

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial(started(plain))
    study.optimize(loss, n_trials=MOST_TRIALS, timeout=max(0.0, ends - monotonic()))
    if not study.get_trials(states=[optuna.trial.TrialState.COMPLETE]):
        progress("tuning: no trial was over in time, the default parameters stay")
        return {}
    return rounded(study.best_params)


def suggested(trial: Any) -> dict[str, Any]:
    """What is searched, and how far."""
    return {
        "num_leaves": trial.suggest_int("num_leaves", 3, 63, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
        "feature_fraction": trial.suggest_float("feature_fraction", 0.03, 1.0, log=True),
        "bagging_fraction": trial.suggest_float("bagging_fraction", 0.4, 0.95),
        "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 5, 1_000, log=True),
        "lambda_l2": trial.suggest_float("lambda_l2", 0.1, 300.0, log=True),
    }


def started(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The default parameters, as the first trial."""
    names = ("num_leaves", "learning_rate", "feature_fraction", "bagging_fraction", "min_data_in_leaf", "lambda_l2")
    return {name: plain[name] for name in names}


def rounded(found: Mapping[str, Any]) -> dict[str, Any]:
    """Four digits are plenty, and are stored with the model as they are used."""
    return {name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in found.items()}


def rehearse(rehearsals: list[Rehearsal], params: Mapping[str, Any], max_rounds: int, ends: float) -> float:
    """Mean log loss over the folds at the round where it is lowest; OutOfTime if the clock has passed `ends`."""
    import lightgbm

    def watch(environment: Any) -> None:
        if monotonic() > ends:
            raise OutOfTime

    curves = []
    for rehearsal in rehearsals:
        seen: dict[str, dict[str, list[float]]] = {}
        stopping = lightgbm.early_stopping(PATIENCE, verbose=False)
        lightgbm.train(
            dict(params),
            rehearsal.fit,
            num_boost_round=max_rounds,
            valid_sets=[rehearsal.judge],
            callbacks=[watch, stopping, lightgbm.record_evaluation(seen)],
        )
        curves.append(next(iter(seen.values()))["binary_logloss"])
    return float(mean_curve(curves).min())
