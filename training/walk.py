"""Would it have worked before? Each finished cutoff judged by models that knew only what was finished by then.

The examples of a training run are walked through once more, so that nothing is built twice. Fits are kept small: at
most `MOST_ROWS` rows each. The words and tables the signals were made with are those of the judging cutoff.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from training.candidates import RECENCY, Rows, Settings, fit_all
from training.evaluation import Estimate, auroc, log_loss, paired_difference
from training.judging import predicted
from training.labels import TrainingOptions
from training.time_slices import Slices

MOST_STEPS = 8  # the newest ones
MOST_ROWS = 10_000  # of a fit, and of what judges it
FEWEST_OF_EACH = 20


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


def walk(
    slices: Slices,
    rows_at: Callable[[Sequence[datetime]], Rows],
    training: TrainingOptions,
    *,
    winner: str,
    settings: Settings,
) -> list[Step]:
    """One step per finished cutoff that has an earlier finished one to learn from, oldest first.

    `rows_at` gives the examples of some cutoffs; `winner` is the kind whose foresight is compared with what came;
    `settings` are those of the judged fit.
    """
    steps = [(cutoff, [one for one in slices.finished if one + slices.horizon <= cutoff]) for cutoff in slices.finished]
    usable = [(cutoff, earlier) for cutoff, earlier in steps if earlier]
    found = [
        _step(cutoff, rows_at(earlier), rows_at([cutoff]), training, winner, settings)
        for cutoff, earlier in usable[-MOST_STEPS:]
    ]
    return [step for step in found if step is not None]


def _step(
    cutoff: datetime, known: Rows, came: Rows, training: TrainingOptions, winner: str, settings: Settings
) -> Step | None:
    """The candidates as they would have been at the cutoff; None where too few left or stayed to say anything."""
    fit, rows = thinned(known), thinned(came)
    if min(fit.y.sum(), len(fit) - fit.y.sum(), rows.y.sum(), len(rows) - rows.y.sum()) < FEWEST_OF_EACH:
        return None
    scorers = fit_all(fit, settings, seed=training.seed, threads=training.threads, bags=1)
    scores = {name: predicted(scorer, rows) for name, scorer in scorers.items()}
    foreseen = scores[winner]
    return Step(
        cutoff=cutoff,
        customers=len(rows),
        left_share=float(rows.y.mean()),
        log_loss={name: log_loss(rows.y, score) for name, score in scores.items()},
        auroc={name: auroc(rows.y, score) for name, score in scores.items()},
        gain=paired_difference(rows.y, foreseen, scores[RECENCY], rows.customers, count=100),
        predicted_share=float(foreseen.mean()),
    )


def thinned(rows: Rows) -> Rows:
    """At most so many rows, those of the same customers at every cutoff: which ones, a hash of their code decides."""
    if len(rows) <= MOST_ROWS:
        return rows
    mixed = (rows.customers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
    kept = np.flatnonzero(mixed < MOST_ROWS / len(rows) * 2**32)
    return Rows(X=rows.X[kept], y=rows.y[kept], recency=rows.recency[kept], customers=rows.customers[kept])
