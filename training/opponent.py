"""What would the model in use have said of the judged customers? Its scores beside the new ones, on the same rows.

It is asked about its own signals, made with what it was fitted on, as they would be made to score with it tonight.
One that has seen these customers' outcome is no fair judge of itself: its kind, with the settings that were chosen
for it, is then fitted on what was known when the judging cutoff came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from records.errors import ModelError
from training.candidates import PARETO_NBD, Settings, fit_one, predicted
from training.choosing import aged, odds_column
from training.evaluation import Floats
from training.examples import Examples
from training.judging import Judged
from training.labels import TrainingOptions
from training.model import Model, matrix

if TYPE_CHECKING:
    from records.events import EventLog


@dataclass(frozen=True, kw_only=True)
class Opponent:
    """What the winner is compared with on the judging slice."""

    what: str
    scores: Floats
    newer: bool  # has the winner seen labels the opponent has not?


@dataclass(frozen=True, kw_only=True)
class InUse:
    """The model in use, and what it says of the judged customers by its own signals."""

    model: Model
    scores: Floats | None  # None: this version of Pehle no longer makes its signals, so nobody can be scored with it
    why_not: str = ""


def in_use(log: EventLog, examples: Examples, judged: Judged, champion: Model, threads: int) -> InUse:
    """The champion asked about the judged customers, as it would be asked to score them."""
    (cutoff,), rows = examples.slices.judge, judged.rows
    present, place = np.unique(rows.customers, return_inverse=True)
    who = [examples.customer_ids[code] for code in present]
    try:
        signals = champion.signals(log, cutoff, who, threads=threads)
        scores = champion.churn.predict(matrix(signals, champion.signal_names))
    except ModelError as error:
        return InUse(model=champion, scores=None, why_not=str(error))
    return InUse(model=champion, scores=scores[place])


def opponent_of(
    champion: InUse, examples: Examples, judged: Judged, training: TrainingOptions, labels_until: datetime
) -> Opponent | None:
    """Whom the winner has to beat; None where the model in use can score nobody any more.

    `labels_until`: up to when the new model has seen outcomes.
    """
    if champion.scores is None:
        return None
    seen = datetime.fromisoformat(str(champion.model.settings["labels_until"]))
    newer = labels_until > seen
    if seen <= examples.slices.judge[0]:
        return Opponent(what="the model in use", scores=champion.scores, newer=newer)
    kind, scores = stand_in(champion.model, examples, judged, training)
    return Opponent(
        what=f"{kind}, the kind in use (the model itself has seen these customers' outcome)", scores=scores, newer=newer
    )


def stand_in(champion: Model, examples: Examples, judged: Judged, training: TrainingOptions) -> tuple[str, Floats]:
    """The champion's kind with its chosen settings, fitted on what was known at the judging cutoff: name and scores."""
    kind = champion.churn.kind
    chosen = settings_from(champion.settings.get("chosen") or {}, examples)
    if kind == PARETO_NBD and chosen.odds_column is None:
        kind = judged.best_stored
    if kind in judged.scores and chosen == judged.settings:
        return kind, judged.scores[kind]
    rows = aged(examples, examples.slices.known_at_judge, chosen.half_life_days)
    scorer = fit_one(kind, rows, chosen, seed=training.seed, threads=training.threads)
    raw = predicted(scorer, judged.rows)
    return kind, judged.scorers[kind].calibration.apply(raw) if kind in judged.scorers else raw


def settings_from(stored: Mapping[str, Any], examples: Examples) -> Settings:
    """Settings as a model keeps them, for the signals of these examples."""
    known = {field.name for field in fields(Settings)} & set(stored)
    found: dict[str, Any] = {name: stored[name] for name in known - {"odds_column", "pair"}}
    return Settings(**found, pair=tuple(stored.get("pair", Settings().pair)), odds_column=odds_column(examples))
