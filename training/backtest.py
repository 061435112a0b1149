"""Would it have worked? Train-then-predict, walking through time, with the floor beside every figure.

At each step the model knows what was known at that moment and no more; the horizon that follows judges it. All
candidates are reported, since which one wins may change from month to month.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from records.errors import NotEnoughData
from training.candidates import RECENCY
from training.evaluation import Estimate, measure, paired_difference
from training.examples import build_examples
from training.judging import fit_and_judge
from training.labels import ChurnOptions, IssueOptions, TrainingOptions

if TYPE_CHECKING:
    import pyarrow as pa

    from records.events import EventLog

Progress = Callable[[str], None]
Treatments = Callable[[datetime], "pa.Table"]  # who was planned for a measured play before an instant
# What a row shows of each candidate.
SHOWN = ("log_loss", "auroc", "lift_10")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One moment of the walk: who was scored then, how each candidate did on what followed."""

    cutoff: datetime
    customers: int
    left_share: float
    winner: str  # on these rows
    metrics: Mapping[str, Mapping[str, float]]  # by candidate
    gain: Estimate  # log loss of recency alone less that of the best model

    def row(self) -> dict[str, Any]:
        """One line of the table, and of `pehle backtest --json`: plain values, NaN as null."""
        found: dict[str, Any] = {
            "cutoff": self.cutoff.isoformat(),
            "customers": self.customers,
            "left_share": self.left_share,
            "winner": self.winner,
        }
        for name, figures in self.metrics.items():
            for key in SHOWN:
                found[f"{name}_{key}"] = figures[key] if figures[key] == figures[key] else None
        return found | {"gain_low": self.gain.low, "gain": self.gain.value, "gain_high": self.gain.high}


def backtest(
    log: EventLog,
    first: datetime,
    last: datetime,
    churn: ChurnOptions,
    issues: IssueOptions,
    training: TrainingOptions,
    progress: Progress | None = None,
    *,
    timezone: str = "UTC",
    treatments: Treatments | None = None,
    engine: str = "",
) -> list[dict[str, Any]]:
    """One row per stride from `first` to `last`: fitted on what was finished by then, judged on the horizon after.

    Raises
    ------
    NotEnoughData
        The walk is empty, or its first step has too little history to learn from.
    """
    if last < first:
        msg = f"the walk ends ({last:%Y-%m-%d}) before it begins ({first:%Y-%m-%d})."
        raise NotEnoughData(msg, remedy="Give --from a time before --to.", found=last, needed=first)
    say = progress or (lambda line: None)
    rows = []
    cutoff = first
    while cutoff <= last:
        step = one_step(log, cutoff, churn, issues, training, timezone, treatments, engine)
        losses = ", ".join(f"{name} {found['log_loss']:.4f}" for name, found in step.metrics.items())
        say(f"{cutoff:%Y-%m-%d}: {step.customers:,} customers; log loss {losses}")
        rows.append(step.row())
        cutoff += timedelta(days=training.stride_days)
    return rows


def one_step(
    log: EventLog,
    cutoff: datetime,
    churn: ChurnOptions,
    issues: IssueOptions,
    training: TrainingOptions,
    timezone: str,
    treatments: Treatments | None,
    engine: str = "",
) -> Step:
    """The candidates as they would have been at the cutoff, and what became of those they scored."""
    known = cutoff + churn.span
    planned = treatments(known) if treatments else None
    examples = build_examples(log, known, churn, issues, training, timezone=timezone, treatments=planned, engine=engine)
    judged = fit_and_judge(examples, training)
    rows, best = judged.rows, judged.best_stored
    return Step(
        cutoff=cutoff,
        customers=len(rows),
        left_share=float(rows.y.mean()),
        winner=judged.winner,
        metrics={name: measure(rows.y, scores) for name, scores in judged.scores.items()},
        gain=paired_difference(rows.y, judged.scores[best], judged.scores[RECENCY], rows.customers),
    )
