"""Which candidate wins? All is chosen and fitted on earlier slices of time; the newest finished horizon judges.

It judges what a candidate knows, not whether its level happened to fit this month: everybody's level is set right
first. And it must be sure: the mean of two stays unless another is better beyond chance, since on a thin slice the
lowest loss is mostly luck. Where the same weeks of the year before tell the level better, all take it from there
(`training.season`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np

from training.calibration import Calibration, Gains, best_map, fit_map, fit_shift, holds
from training.candidates import AVERAGE, ORDER, RECENCY, Rows, Settings, fit_all, fit_one, predicted
from training.choosing import aged, choose_settings
from training.evaluation import Floats, log_loss, row_losses, standard_error
from training.examples import Examples
from training.labels import TrainingOptions
from training.scorers import Scorer
from training.season import at_level_of, comes_truer, in_season, shares_of
from training.walk import Rehearsal, steady, walk

# Losses nearer than this are a draw: the same numbers summed in another order.
DRAW = 1e-12
# A candidate is better than the mean of two beyond chance from so many standard errors on.
SURE = 2.0


@dataclass(frozen=True, kw_only=True)
class Judged:
    """All candidates on the judging slice."""

    rows: Rows
    scores: Mapping[str, Floats]
    scorers: Mapping[str, Scorer]  # as fitted before the judging slice
    losses: Mapping[str, float]
    settings: Settings  # chosen on earlier cutoffs
    raw: Mapping[str, Floats]  # before calibration
    rehearsals: Sequence[Rehearsal] = ()  # the candidates at earlier cutoffs and at this one
    shares: Mapping[datetime, float] = field(default_factory=dict)  # that left a year before, where that is the level

    @property
    def rounds(self) -> int:
        """Trees of the LightGBM candidate."""
        return self.settings.rounds

    @cached_property
    def winner(self) -> str:
        """The best that can be stored, or recency alone where that has no higher log loss, here and before."""
        names = tuple(name for name in self.losses if name in (RECENCY, self.best_stored))
        here = lowest({name: float(levelled(self.rows.y, self.scores[name]).mean()) for name in names}, names)
        if here != RECENCY or not self.rehearsals:
            return here
        past = {
            name: float(np.mean([levelled(one.y, one.scores[name]).mean() for one in self.rehearsals]))
            for name in names
        }
        return lowest(past, names)

    @cached_property
    def best_stored(self) -> str:
        """The best that can be stored: recency alone is a floor, not a model."""
        return best_known(self.rows, {name: p for name, p in self.scores.items() if name != RECENCY})


def best_known(rows: Rows, scores: Mapping[str, Floats]) -> str:
    """Whose scores know most of who leaves: the mean of two, unless another is better beyond chance.

    Each is put at the right level first: how far the base rate moved since the fit is luck in a single slice, and
    would decide between candidates that know the same. Copies of one person count as one (`standard_error`).
    """
    losses = {name: levelled(rows.y, p) for name, p in scores.items()}
    best = lowest({name: float(loss.mean()) for name, loss in losses.items()}, tuple(losses))
    if AVERAGE not in losses:
        return best
    gain = losses[AVERAGE] - losses[best]
    return best if gain.mean() > SURE * standard_error(gain, rows.customers) else AVERAGE


def levelled(y: Floats, p: Floats) -> Floats:
    """The loss of each row at the level that fits them best."""
    return row_losses(y, fit_shift(y, p).apply(p))


def lowest(losses: Mapping[str, float], names: tuple[str, ...]) -> str:
    """The name with the lowest loss, the first of those that are equal."""
    least = min(losses[name] for name in names)
    return next(name for name in names if losses[name] <= least + DRAW)


def fit_and_judge(examples: Examples, training: TrainingOptions, tuned: Mapping[str, Any] | None = None) -> Judged:
    """Fits every candidate on the past, and lets the newest finished horizon judge.

    The judged fit is a rehearsal of the one to be used: settings chosen on early cutoffs, the calibration map on the
    next slice, then a fit on all that was finished by the judging cutoff. A map that no longer clearly helps there is
    dropped, and so is one whose like would have harmed at earlier cutoffs. `tuned`: LightGBM parameters found by
    `training.tuning.tune`, for a candidate of their own.
    """
    slices = examples.slices
    settings = choose_settings(examples, training, tuned)
    rehearsals, shares = rehearsed(examples, settings, training)
    maps = {} if shares else calibration_maps(examples, settings, training)
    known = slices.known_at_judge
    fitted = fit_all(
        aged(examples, known, settings.half_life_days), settings, seed=training.seed, threads=training.threads
    )
    rows = examples.rows(slices.judge, unseen=None)
    raw = {name: predicted(fitted[name], rows) for name in ORDER if name in fitted}
    for name, (found, then) in maps.items():
        now = row_losses(rows.y, raw[name]) - row_losses(rows.y, found.apply(raw[name]))
        if holds(then, Gains(now, rows.customers)) and steady(map_gains(rehearsals, name, slices.horizon)):
            fitted[name] = replace(fitted[name], calibration=found)
    if shares:
        here = shares[slices.judge[0]]
        fitted = {name: in_season(one, raw[name], here) for name, one in fitted.items()}
    scores = {name: fitted[name].calibration.apply(unmapped) for name, unmapped in raw.items()}
    return Judged(
        rows=rows,
        scores=scores,
        scorers=fitted,
        losses={name: log_loss(rows.y, score) for name, score in scores.items()},
        settings=settings,
        raw=raw,
        rehearsals=rehearsals,
        shares=shares,
    )


def rehearsed(
    examples: Examples, settings: Settings, training: TrainingOptions
) -> tuple[list[Rehearsal], dict[datetime, float]]:
    """The candidates at earlier cutoffs, and the shares that left a year before: none where their level is no better.

    Where it is better no calibration map is looked for: it would take the season for a fault of the scores.
    """
    shares = shares_of(examples.year_before)
    rehearsals = walk(examples.slices, examples.rows, training, settings)
    if not comes_truer(rehearsals, shares, examples.slices, AVERAGE):
        return rehearsals, {}
    return at_level_of(rehearsals, shares), shares


def calibration_maps(
    examples: Examples, settings: Settings, training: TrainingOptions
) -> dict[str, tuple[Calibration, Gains]]:
    """The map each candidate would need, told by a fit on what was finished when the calibration slice came."""
    slices = examples.slices
    if not slices.calibrate:
        return {}
    known = tuple(one for one in slices.finished if one + slices.horizon <= slices.calibrate[0])
    rows = aged(examples, known, settings.half_life_days)
    fitted = fit_all(rows, settings, seed=training.seed, threads=training.threads, bags=1)
    held = examples.rows(slices.calibrate)
    return {name: best_map(held.y, predicted(scorer, held), held.customers) for name, scorer in fitted.items()}


def map_gains(rehearsals: Sequence[Rehearsal], name: str, horizon: timedelta) -> list[float]:
    """How much less log loss a candidate had at each earlier cutoff with the map of the newest finished one before it.

    A level that goes up and down is overtaken by its own map: that of the feast is used when the feast is over.
    """
    gains = []
    for one in rehearsals:
        known = [other for other in rehearsals if other.cutoff + horizon <= one.cutoff]
        if known:
            found, _ = best_map(known[-1].y, known[-1].scores[name], known[-1].customers)
            p = one.scores[name]
            gains.append(log_loss(one.y, p) - log_loss(one.y, found.apply(p)))
    return gains


def final_scorer(examples: Examples, judged: Judged, training: TrainingOptions) -> Scorer:
    """The winner's kind once more, on everything that is finished and everybody, for use.

    If its calibration map proved itself on the judging slice, the numbers of the map are told from that slice: the
    newest finished horizon, as the map that was judged came from the newest one of its day.
    """
    kind, settings, finished = judged.best_stored, judged.settings, examples.slices.finished
    rows = aged(examples, finished, settings.half_life_days, unseen=None)
    scorer = fit_one(kind, rows, settings, seed=training.seed, threads=training.threads)
    proven = judged.scorers[kind].calibration.kind
    return replace(scorer, calibration=fit_map(proven, judged.rows.y, judged.raw[kind]))
