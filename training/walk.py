"""Would it have worked before? Each finished cutoff judged by models that knew only what was finished by then.

The examples of a training run are walked through once more, so that nothing is built twice. Fits are kept small: at
most `MOST_ROWS` rows each. The words and tables the signals were made with are those of the judging cutoff.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from training.candidates import RECENCY, Rows, fit_candidates, recency_alone
from training.evaluation import Estimate, auroc, log_loss, paired_difference
from training.examples import Examples
from training.judging import predicted
from training.labels import TrainingOptions

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


def walk(examples: Examples, training: TrainingOptions, *, winner: str, rounds: int) -> list[Step]:
    """One step per finished cutoff that has an earlier finished one to learn from, oldest first.

    `winner` is the kind whose foresight is compared with what came; `rounds` are the trees each fit grows.
    """
    finished, horizon = examples.slices.finished, examples.slices.horizon
    steps = [(cutoff, [one for one in finished if one + horizon <= cutoff]) for cutoff in finished]
    usable = [(cutoff, earlier) for cutoff, earlier in steps if earlier]
    found = [_step(examples, training, winner, rounds, *step) for step in usable[-MOST_STEPS:]]
    return [step for step in found if step is not None]


def _step(
    examples: Examples,
    training: TrainingOptions,
    winner: str,
    rounds: int,
    cutoff: datetime,
    earlier: Sequence[datetime],
) -> Step | None:
    """The candidates as they would have been at the cutoff; None where too few left or stayed to say anything."""
    fit, rows = thinned(examples.rows(earlier)), thinned(examples.rows([cutoff]))
    if min(fit.y.sum(), len(fit) - fit.y.sum(), rows.y.sum(), len(rows) - rows.y.sum()) < FEWEST_OF_EACH:
        return None
    scorers, _ = fit_candidates(
        fit, None, seed=training.seed, threads=training.threads, max_rounds=training.max_rounds, rounds=rounds
    )
    scorers[RECENCY] = recency_alone(fit)
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
