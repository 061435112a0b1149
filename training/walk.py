"""Would it have worked before? Each finished cutoff judged by models that knew only what was finished by then.

The examples of a training run are walked through once more, so that nothing is built twice. Fits are kept small: at
most `MOST_ROWS` rows each. The words and tables the signals were made with are those of the judging cutoff. The report
shows the walk, and the gate asks it where the newest horizon is silent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from training.candidates import RECENCY, Rows, Settings, fit_all, predicted
from training.evaluation import Estimate, Floats, auroc, log_loss, paired_difference
from training.labels import TrainingOptions
from training.time_slices import Slices

MOST_STEPS = 8  # the newest ones
MOST_ROWS = 10_000  # of a fit, and of what judges it
FEWEST_OF_EACH = 20
# What was gained at some cutoffs is no luck from so many times what was lost at the others on.
TIMES_THE_LOSSES = 4.0


@dataclass(frozen=True, kw_only=True)
class Step:
    """One cutoff: who was scored, how many left, and how each candidate did."""

    cutoff: datetime
    customers: int
    left_share: float
    log_loss: Mapping[str, float]
    auroc: Mapping[str, float]
    gain: Estimate  # log loss of recency alone less that of the winner's kind
    predicted_share: float  # mean risk the winner's kind foresaw


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """What every candidate said at one cutoff, and what came."""

    cutoff: datetime
    y: Floats
    customers: NDArray[np.int64]
    scores: Mapping[str, Floats]

    def step(self, kind: str) -> Step:
        """The figures of it, with the foresight of this kind."""
        foreseen = self.scores[kind]
        return Step(
            cutoff=self.cutoff,
            customers=len(self.y),
            left_share=float(self.y.mean()),
            log_loss={name: log_loss(self.y, score) for name, score in self.scores.items()},
            auroc={name: auroc(self.y, score) for name, score in self.scores.items()},
            gain=paired_difference(self.y, foreseen, self.scores[RECENCY], self.customers, count=100),
            predicted_share=float(foreseen.mean()),
        )


def steady(gains: Sequence[float]) -> bool:
    """Has something gained far more at earlier cutoffs than it lost at others?

    >>> steady([0.02, 0.01, -0.005]), steady([0.02, 0.01, -0.01]), steady([])
    (True, False, True)
    """
    return sum(max(0.0, one) for one in gains) >= TIMES_THE_LOSSES * sum(max(0.0, -one) for one in gains)


def walk(
    slices: Slices, rows_at: Callable[[Sequence[datetime]], Rows], training: TrainingOptions, settings: Settings
) -> list[Rehearsal]:
    """One rehearsal per finished cutoff that has an earlier finished one to learn from, oldest first.

    `rows_at` gives the examples of some cutoffs; `settings` are those of the judged fit.
    """
    steps = [(cutoff, [one for one in slices.finished if one + slices.horizon <= cutoff]) for cutoff in slices.finished]
    usable = [(cutoff, earlier) for cutoff, earlier in steps if earlier]
    found = [
        _rehearsed(cutoff, rows_at(earlier), rows_at([cutoff]), training, settings)
        for cutoff, earlier in usable[-MOST_STEPS:]
    ]
    return [one for one in found if one is not None]


def _rehearsed(
    cutoff: datetime, known: Rows, came: Rows, training: TrainingOptions, settings: Settings
) -> Rehearsal | None:
    """The candidates as they would have been at the cutoff; None where too few left or stayed to say anything."""
    fit, rows = thinned(known), thinned(came)
    if min(fit.y.sum(), len(fit) - fit.y.sum(), rows.y.sum(), len(rows) - rows.y.sum()) < FEWEST_OF_EACH:
        return None
    scorers = fit_all(fit, settings, seed=training.seed, threads=training.threads, bags=1)
    scores = {name: predicted(scorer, rows) for name, scorer in scorers.items()}
    return Rehearsal(cutoff=cutoff, y=rows.y, customers=rows.customers, scores=scores)


def thinned(rows: Rows) -> Rows:
    """At most so many rows, those of the same customers at every cutoff: which ones, a hash of their code decides."""
    if len(rows) <= MOST_ROWS:
        return rows
    mixed = (rows.customers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
    kept = np.flatnonzero(mixed < MOST_ROWS / len(rows) * 2**32)
    return Rows(X=rows.X[kept], y=rows.y[kept], recency=rows.recency[kept], customers=rows.customers[kept])
