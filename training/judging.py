"""Which candidate wins, and may it be put in use? The judging slice, and the gate before the model in use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from training.calibration import Calibration, choose, clearly_better
from training.candidates import RECENCY, Rows, fit_candidates, recency_alone
from training.evaluation import Floats, log_loss, paired_difference
from training.examples import Examples
from training.labels import TrainingOptions
from training.model import Model
from training.scorers import Scorer

# The simplest first: it is taken at a draw.
ORDER = (RECENCY, "logistic", "lightgbm", "average")


@dataclass(frozen=True, kw_only=True)
class Judged:
    """All candidates on the judging slice."""

    rows: Rows
    scores: Mapping[str, Floats]
    scorers: Mapping[str, Scorer]  # as fitted before the judging slice
    losses: Mapping[str, float]
    rounds: int

    @property
    def winner(self) -> str:
        """The lowest log loss; the simpler one at a draw."""
        return min(self.losses, key=lambda name: self.losses[name])

    @property
    def best_stored(self) -> str:
        """The best that can be stored: recency alone is a floor, not a model."""
        return min((name for name in self.losses if name != RECENCY), key=lambda name: self.losses[name])


def fit_and_judge(examples: Examples, training: TrainingOptions) -> Judged:
    """Fits every candidate on the past, and lets the newest finished horizon judge.

    The judged fit is a rehearsal of the one to be used: rounds and calibration learnt on the earlier slices, then all
    that was finished by the judging cutoff. A calibration that no longer helps there is dropped.
    """
    slices, rows = examples.slices, examples.rows(examples.slices.judge)
    options = {"seed": training.seed, "threads": training.threads, "max_rounds": training.max_rounds}
    fit = examples.rows(slices.fit)
    fitted, rounds = fit_candidates(fit, examples.rows(slices.stop) if slices.stop else None, **options)
    fitted[RECENCY] = recency_alone(fit)
    maps = {name: Calibration() for name in fitted}
    if slices.calibrate:
        held = examples.rows(slices.calibrate)
        maps = {name: choose(held.y, predicted(scorer, held), held.customers) for name, scorer in fitted.items()}
        rehearsed = examples.rows(slices.known_at_judge)
        fitted, _ = fit_candidates(rehearsed, None, rounds=rounds, **options)
        fitted[RECENCY] = recency_alone(rehearsed)
    for name, scorer in fitted.items():
        raw = predicted(scorer, rows)
        if clearly_better(rows.y, maps[name].apply(raw), raw):
            fitted[name] = replace(scorer, calibration=maps[name])
    scores = {name: predicted(fitted[name], rows) for name in ORDER}
    losses = {name: log_loss(rows.y, score) for name, score in scores.items()}
    return Judged(rows=rows, scores=scores, scorers=fitted, losses=losses, rounds=rounds)


def predicted(scorer: Scorer, rows: Rows) -> Floats:
    """A candidate's probabilities; recency alone looks at nothing but the time since the last activity."""
    return scorer.predict(rows.recency[:, None] if scorer.kind == RECENCY else rows.X)


def gate(judged: Judged, champion: Model | None, model: Model) -> tuple[bool, str]:
    """May the winner be put in use, and why (not)? It must beat recency alone and not be worse than what is in use."""
    if judged.winner == RECENCY:
        loss = judged.losses[judged.best_stored]
        return False, (
            f"nothing beats recency alone (log loss {judged.losses[RECENCY]:.4f}, best model {loss:.4f}): "
            "the model in use stays"
        )
    rows, winner = judged.rows, judged.winner
    gain = paired_difference(rows.y, judged.scores[winner], judged.scores[RECENCY], rows.customers)
    beats = (
        f"{winner} beats recency alone by {gain.value:.4f} log loss "
        f"[{gain.low:.4f}, {gain.high:.4f}] on {gain.rows:,} customers"
    )
    if champion is None:
        return True, f"{beats}; no model was in use"
    return against_champion(judged, champion, model, beats)


def against_champion(judged: Judged, champion: Model, model: Model, beats: str) -> tuple[bool, str]:
    """The model in use on the same rows. One that has seen their labels is no fair opponent: its kind stands in."""
    winner, loss = judged.winner, judged.losses[judged.winner]
    if champion.settings.get("churn") != model.settings["churn"]:
        return True, f"{beats}; the model in use predicts another kind of leaving"
    if champion.signal_names != model.signal_names:
        return True, f"{beats}; the model in use knows other signals"
    if str(champion.settings.get("labels_until", "")) <= min(model.settings["slices"]["judge"]):
        theirs = log_loss(judged.rows.y, champion.churn.predict(judged.rows.X))
        what = "the model in use"
    else:
        theirs = judged.losses[champion.churn.kind]
        what = f"{champion.churn.kind}, the kind in use (the model itself has seen these customers' outcome)"
    if loss > theirs + 1e-12:
        return False, f"{winner} has log loss {loss:.4f}, worse than {theirs:.4f} of {what}: the model in use stays"
    return True, f"{beats}; log loss {loss:.4f}, {theirs:.4f} of {what}"
