"""Which settings suit this log? Ridge, weight of old cutoffs, pairs, rounds and trees, chosen on earlier cutoffs.

Each fold is a rehearsal: fitted on the cutoffs whose horizon was over when the fold's cutoff came, judged by what
came after it. No fold reaches into the calibration slice or the judging slice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from training.calibration import sigmoid
from training.candidates import LIGHTGBM, LOGISTIC, NO_ORDER, TUNED, Rows, Settings
from training.evaluation import Floats, log_loss
from training.examples import Examples
from training.labels import TrainingOptions
from training.linear import every, fit_linear
from training.time_slices import Slices
from training.trees import FEWEST_ROUNDS, grown, parameters, raw_scores

MOST_FOLDS = 3
# A fold holds fewer cutoffs than the fit for use and so asks for more ridge than that one needs: only less is offered.
STRENGTHS = (0.2, 1.0)
HALF_LIVES = (None, 180.0, 90.0)
# Choosing a ridge needs fewer rows than fitting one.
ROWS_TO_CHOOSE = 30_000
# Something else than the default must be better in every fold and by so much log loss on average: early cutoffs of a
# young log are a poor likeness of today's, and what they prefer by a little costs as much later.
WORTH = 1e-3
# A fold needs so many leavers and stayers on both sides.
FEWEST_OF_EACH = 20


@dataclass(frozen=True, kw_only=True)
class Fold:
    """What was known when a cutoff came, and what came after it."""

    fit: tuple[datetime, ...]
    judge: datetime


def folds_of(slices: Slices) -> tuple[Fold, ...]:
    """The newest rehearsals before the calibration slice is needed, newest first. A very short log has none."""
    if not slices.stop:
        return ()
    found = []
    for cutoff in reversed(slices.finished):
        known = tuple(one for one in slices.finished if one + slices.horizon <= cutoff)
        if cutoff <= slices.stop[-1] and known:
            found.append(Fold(fit=known, judge=cutoff))
    return tuple(found[:MOST_FOLDS])


def aged(
    examples: Examples, cutoffs: Sequence[datetime], half_life_days: float | None, *, unseen: bool | None = False
) -> Rows:
    """The rows of these cutoffs, old ones counting less. `unseen` as in `Examples.rows`."""
    rows = examples.rows(cutoffs, unseen=unseen)
    if half_life_days is None or not cutoffs:
        return rows
    weights = np.ones(len(examples.y))
    for cutoff in cutoffs:
        halvings = (max(cutoffs) - cutoff).days / half_life_days
        weights[examples.order.places([cutoff], unseen)] = 0.5**halvings
    return replace(rows, weights=weights[examples.order.places(cutoffs, unseen)])


def thin(rows: Rows, most: int) -> Rows:
    """At most so many of the rows, evenly spread."""
    kept = every(len(rows), most)
    weights = None if rows.weights is None else rows.weights[kept]
    return Rows(
        X=rows.X[kept], y=rows.y[kept], recency=rows.recency[kept], customers=rows.customers[kept], weights=weights
    )


def says_something(rows: Rows) -> bool:
    return bool(min(rows.y.sum(), len(rows) - rows.y.sum()) >= FEWEST_OF_EACH)


def usable_folds(examples: Examples) -> list[Fold]:
    """The folds with leavers and stayers enough on both sides."""
    return [
        fold
        for fold in folds_of(examples.slices)
        if says_something(examples.rows(fold.fit)) and says_something(examples.rows([fold.judge]))
    ]


def choose_settings(examples: Examples, training: TrainingOptions, tuned: Mapping[str, Any] | None = None) -> Settings:
    """The settings that did best on average over the folds; the defaults without folds."""
    settings = Settings(odds_column=odds_column(examples), tuned=dict(tuned or {}))
    folds = usable_folds(examples)
    if not folds:
        return settings
    settings, linear = choose_linear(examples, folds, settings)
    rounds, plain = choose_rounds(examples, folds, settings, {}, training)
    rows = float(np.mean([len(examples.rows(fold.fit)) for fold in folds]))
    settings = replace(settings, rounds=rounds, rounds_at=rows)
    if not settings.tuned:
        return settings
    tuned_rounds, other = choose_rounds(examples, folds, settings, settings.tuned, training)
    scores = {LOGISTIC: linear}
    for kind, grown_trees, at in ((LIGHTGBM, plain, rounds), (TUNED, other, tuned_rounds)):
        scores[kind] = [raw_scores(booster, judge.X, at, training.threads) for booster, judge in grown_trees]
    pair = choose_pair([examples.rows([fold.judge]).y for fold in folds], scores)
    return replace(settings, tuned_rounds=tuned_rounds, pair=pair)


def odds_column(examples: Examples) -> int | None:
    """Where Pareto/NBD's chance stands among the signals; None where nobody we learn from has one: no purchases."""
    names = examples.signal_names
    if NO_ORDER not in names:
        return None
    place = names.index(NO_ORDER)
    chances = examples.rows(examples.slices.known_at_judge).X[:, place]
    return place if np.isfinite(chances).any() else None


def choose_linear(examples: Examples, folds: Sequence[Fold], settings: Settings) -> tuple[Settings, list[Floats]]:
    """Ridge first, the weight of old cutoffs, then pairs; and the logistic's log-odds on each fold with all three."""
    found, scores = best(examples, folds, settings, [replace(settings, strength=one) for one in STRENGTHS])
    found, scores = best(examples, folds, found, [replace(found, half_life_days=one) for one in HALF_LIVES], scores)
    return best(examples, folds, found, [replace(found, paired=True)], scores)


def best(
    examples: Examples,
    folds: Sequence[Fold],
    default: Settings,
    options: Sequence[Settings],
    scores: list[Floats] | None = None,
) -> tuple[Settings, list[Floats]]:
    """The option with the lowest loss, and its scores; the default unless another is clearly better."""
    labels = [examples.rows([fold.judge]).y for fold in folds]
    start = scores or [linear_scores(examples, fold, default) for fold in folds]
    plain = losses_of(labels, start)
    found, lowest = (default, start), plain.mean()
    for option in options:
        if option == default:
            continue
        tried = [linear_scores(examples, fold, option) for fold in folds]
        losses = losses_of(labels, tried)
        if clearly_lower(losses, plain) and losses.mean() < lowest:
            found, lowest = (option, tried), losses.mean()
    return found


def losses_of(labels: Sequence[Floats], scores: Sequence[Floats]) -> Floats:
    """The log loss of each fold; every fold counts alike, however many customers it has."""
    return np.array([log_loss(y, sigmoid(found)) for y, found in zip(labels, scores, strict=True)])


def clearly_lower(losses: Floats, default: Floats) -> bool:
    """Lower in every fold, and by more than WORTH on average?"""
    return bool((losses < default).all() and (default - losses).mean() > WORTH)


def linear_scores(examples: Examples, fold: Fold, settings: Settings) -> Floats:
    rows = thin(aged(examples, fold.fit, settings.half_life_days), ROWS_TO_CHOOSE)
    linear = fit_linear(rows.X, rows.y, weights=rows.weights, strength=settings.strength, paired=settings.paired)
    return linear.log_odds(examples.rows([fold.judge]).X)


def choose_rounds(
    examples: Examples, folds: Sequence[Fold], settings: Settings, tuned: Mapping[str, Any], training: TrainingOptions
) -> tuple[int, list[tuple[Any, Rows]]]:
    """The round at which the mean log loss over the folds is lowest; each fold's trees, and what judges them."""
    fitted, curves = [], []
    for fold in folds:
        rows, judge = aged(examples, fold.fit, settings.half_life_days), examples.rows([fold.judge])
        params = parameters(rows, tuned, seed=training.seed, threads=training.threads)
        booster, losses = grown(rows, judge, params, training.max_rounds)
        fitted.append((booster, judge))
        curves.append(losses)
    return max(FEWEST_ROUNDS, int(mean_curve(curves).argmin()) + 1), fitted


def mean_curve(curves: Sequence[list[float]]) -> Floats:
    """The mean over the folds; one that stopped early keeps its last loss, since it would hardly have come back."""
    longest = max(len(losses) for losses in curves)
    padded = np.array([losses + [losses[-1]] * (longest - len(losses)) for losses in curves])
    return np.asarray(padded.mean(axis=0), dtype=np.float64)


def choose_pair(labels: Sequence[Floats], scores: Mapping[str, Sequence[Floats]]) -> tuple[str, str]:
    """The logistic and the trees, tuned ones where their mean with the logistic is clearly better over the folds."""
    plain, tuned = (
        losses_of(labels, [(one + other) / 2 for one, other in zip(scores[LOGISTIC], scores[trees], strict=True)])
        for trees in (LIGHTGBM, TUNED)
    )
    return (LOGISTIC, TUNED) if clearly_lower(tuned, plain) else Settings().pair
