"""Which models compete? Recency alone (the floor), logistic, Pareto/NBD, LightGBM, tuned LightGBM, a mean of two.

One configuration for every log. The mean of logistic and trees is hard to beat; where one of them alone, or another
kind, clearly knows more on the judging slice, it is taken. What is chosen at all (`Settings`) is chosen on earlier
cutoffs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation import Floats
from training.linear import fit_linear, fit_odds
from training.scorers import Part, Scorer, Signals
from training.trees import ROUNDS_UNTESTED, fit_trees

RECENCY = "recency"
LOGISTIC, PARETO_NBD, LIGHTGBM, TUNED, AVERAGE = "logistic", "pareto_nbd", "lightgbm", "tuned", "average"
# The simplest first: it is taken at a draw.
ORDER = (RECENCY, LOGISTIC, PARETO_NBD, LIGHTGBM, TUNED, AVERAGE)
# A log with purchases has this signal: the chance of none in the horizon by the Pareto/NBD model.
NO_ORDER = "btyd_no_order_probability"
# Trees are drawn so many times, each with its own seed, and averaged: a ranking should not hang on a seed.
BAGS = 3


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Examples as arrays. `y` is 1 where the customer left."""

    X: Signals
    y: Floats
    recency: Floats  # days since the last activity event
    customers: NDArray[np.int64]  # codes, the same person has the same code
    weights: Floats | None = None  # how much each row counts in a fit; all the same if None

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What was chosen on earlier cutoffs; the defaults hold where a log is too short to choose."""

    strength: float = 1.0  # of the ridge, times what follows from the number of rows
    paired: bool = False  # may signals of the logistic count together, as products of two?
    half_life_days: float | None = None  # a cutoff older by so much counts half; None: all count alike
    rounds: int = ROUNDS_UNTESTED
    rounds_at: float | None = None  # with how many rows the rounds were found; None: they are not scaled
    tuned: Mapping[str, Any] = field(default_factory=dict)  # LightGBM parameters of `--tune`; empty: not tuned
    tuned_rounds: int = ROUNDS_UNTESTED
    pair: tuple[str, str] = (LOGISTIC, LIGHTGBM)  # the two that are averaged
    odds_column: int | None = None  # where NO_ORDER stands among the signals

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that can be stored, without the mean of two."""
        return (
            LOGISTIC,
            *([PARETO_NBD] if self.odds_column is not None else []),
            LIGHTGBM,
            *([TUNED] if self.tuned else []),
        )

    def scaled(self, rounds: int, rows: int) -> int:
        """More rows bear more trees: the cube root of how many more, at most twice."""
        if self.rounds_at is None:
            return rounds
        times = float((rows / self.rounds_at) ** (1 / 3))
        return round(rounds * min(2.0, max(1.0, times)))

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {"tuned": dict(self.tuned)}


def joined(parts: Sequence[Rows]) -> Rows:
    """Rows of several cutoffs under each other."""
    weights = [np.ones(len(part)) if part.weights is None else part.weights for part in parts]
    return Rows(
        X=np.vstack([part.X for part in parts]),
        y=np.concatenate([part.y for part in parts]),
        recency=np.concatenate([part.recency for part in parts]),
        customers=np.concatenate([part.customers for part in parts]),
        weights=None if all(part.weights is None for part in parts) else np.concatenate(weights),
    )


def recency_alone(fit: Rows) -> Scorer:
    """The floor: a logistic curve of the time since the last activity, and nothing else."""
    return Scorer(
        kind=RECENCY, parts=((1.0, fit_linear(fit.recency[:, None], fit.y, weights=fit.weights, straight=True)),)
    )


def fit_kind(
    kind: str, rows: Rows, settings: Settings, *, seed: int, threads: int, bags: int = BAGS
) -> tuple[tuple[float, Part], ...]:
    """The parts of one kind, fitted on these rows with these settings."""
    if kind == LOGISTIC:
        linear = fit_linear(rows.X, rows.y, weights=rows.weights, strength=settings.strength, paired=settings.paired)
        return ((1.0, linear),)
    if kind == PARETO_NBD:
        if settings.odds_column is None:
            msg = f"there is no signal {NO_ORDER}"
            raise ValueError(msg)
        return ((1.0, fit_odds(settings.odds_column, rows.X, rows.y, rows.weights)),)
    tuned, rounds = (settings.tuned, settings.tuned_rounds) if kind == TUNED else ({}, settings.rounds)
    rounds = settings.scaled(rounds, len(rows))
    trees = fit_trees(rows, seed=seed, threads=threads, rounds=rounds, tuned=tuned, bags=bags)
    return tuple((1.0 / bags, one) for one in trees)


def mean_of(parts: Mapping[str, tuple[tuple[float, Part], ...]], pair: tuple[str, str]) -> Scorer:
    """The mean of two kinds in log-odds."""
    return Scorer(kind=AVERAGE, parts=tuple((weight / 2, part) for kind in pair for weight, part in parts[kind]))


def fit_all(rows: Rows, settings: Settings, *, seed: int, threads: int, bags: int = BAGS) -> dict[str, Scorer]:
    """Every candidate, fitted on the same rows, the simplest first."""
    parts = {kind: fit_kind(kind, rows, settings, seed=seed, threads=threads, bags=bags) for kind in settings.kinds}
    found = {RECENCY: recency_alone(rows)} | {kind: Scorer(kind=kind, parts=part) for kind, part in parts.items()}
    return found | {AVERAGE: mean_of(parts, settings.pair)}


def fit_one(kind: str, rows: Rows, settings: Settings, *, seed: int, threads: int, bags: int = BAGS) -> Scorer:
    """One candidate, for use."""
    needed = settings.pair if kind == AVERAGE else (kind,)
    parts = {one: fit_kind(one, rows, settings, seed=seed, threads=threads, bags=bags) for one in needed}
    return mean_of(parts, settings.pair) if kind == AVERAGE else Scorer(kind=kind, parts=parts[kind])


def predicted(scorer: Scorer, rows: Rows) -> Floats:
    """A candidate's probabilities; recency alone looks at nothing but the time since the last activity."""
    return scorer.predict(rows.recency[:, None] if scorer.kind == RECENCY else rows.X)
