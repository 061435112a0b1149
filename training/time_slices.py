"""From which moments do we learn, and which may judge? Cutoffs, and four slices of time.

    fit ── purge ── early stop ── purge ── calibrate ── purge ── judge ── as of
Between two slices lies all that a label needs (gap, horizon, grace), so that no label of an earlier one looks into a
later one. A short log merges the two in the middle, a very short one does without them; both are said in the notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from records.errors import NotEnoughData
from training.labels import ChurnOptions, TrainingOptions

# A cutoff needs some past to have signals: a horizon of it, at most so many days. A log that could not be learnt from
# with that makes do with a quarter: the newest horizon judges what comes of it, as it judges everything.
MOST_HISTORY_DAYS = 60
SHORTEST_HISTORY = 1 / 4
# The fitting slice keeps at least so many cutoffs before the middle slices are merged.
FEWEST_FIT_CUTOFFS = 3


@dataclass(frozen=True, kw_only=True)
class Slices:
    """Cutoffs by what they are for, oldest first. `stop` and `calibrate` may be the same, or empty."""

    fit: tuple[datetime, ...]
    stop: tuple[datetime, ...]
    calibrate: tuple[datetime, ...]
    judge: tuple[datetime, ...]
    finished: tuple[datetime, ...]  # all cutoffs whose labels are known, for the refit
    notes: tuple[str, ...] = ()
    horizon: timedelta  # what lies between two slices: a label's whole span

    @property
    def known_at_judge(self) -> tuple[datetime, ...]:
        """Every cutoff whose labels were known when the judging one came."""
        return tuple(cutoff for cutoff in self.finished if cutoff + self.horizon <= self.judge[0])


def finished_cutoffs(
    as_of: datetime, first: datetime, churn: ChurnOptions, training: TrainingOptions, given: Sequence[datetime] = ()
) -> list[datetime]:
    """Cutoffs whose labels are known by `as_of` and which have some history, newest first, a stride apart.

    `given`: the moments of a company's own labels, newest first; then they are chosen from these.
    """
    stride = min(timedelta(days=training.stride_days), churn.horizon)
    newest = as_of - churn.span
    if given:
        found: list[datetime] = []
        for cutoff in given:
            if cutoff <= (found[-1] - stride if found else newest):
                found.append(cutoff)
    else:
        found = [newest - number * stride for number in range(training.max_cutoffs)]
    kept = found[: training.max_cutoffs]
    enough = [cutoff for cutoff in kept if cutoff >= first + history(churn)]
    if enough and enough[-1] + churn.span <= enough[0]:
        return enough
    return [cutoff for cutoff in kept if cutoff >= first + history(churn) * SHORTEST_HISTORY]


def history(churn: ChurnOptions) -> timedelta:
    """How much past should a cutoff have?"""
    return min(churn.horizon, timedelta(days=MOST_HISTORY_DAYS))


def history_notes(cutoffs: Sequence[datetime], first: datetime, churn: ChurnOptions) -> tuple[str, ...]:
    """What to say where a cutoff had to do with less. Cutoffs newest first."""
    had = cutoffs[-1] - first if cutoffs else history(churn)
    if had >= history(churn):
        return ()
    days = churn.horizon_days
    return (f"the log is short for {days} days: leaving is learnt from a moment with {had.days} days of history on",)


def slice_cutoffs(cutoffs: Sequence[datetime], horizon: timedelta) -> Slices:
    """Which cutoffs (newest first) fit, stop, calibrate and judge: each slice ends a horizon before the next begins.

    `horizon` is what a label needs in all: gap, horizon and grace.
    """

    def newest_before(moment: datetime) -> tuple[datetime, ...]:
        return tuple(cutoff for cutoff in cutoffs if cutoff + horizon <= moment)[:1]

    def all_before(moment: datetime) -> tuple[datetime, ...]:
        return tuple(sorted(cutoff for cutoff in cutoffs if cutoff + horizon <= moment))

    finished = tuple(sorted(cutoffs))
    judge = tuple(cutoffs[:1])
    calibrate = newest_before(judge[0]) if judge else ()
    stop = newest_before(calibrate[0]) if calibrate else ()
    fit = all_before(stop[0]) if stop else ()
    if len(fit) >= FEWEST_FIT_CUTOFFS:
        return Slices(fit=fit, stop=stop, calibrate=calibrate, judge=judge, finished=finished, horizon=horizon)
    fit = all_before(calibrate[0]) if calibrate else ()
    if fit:
        note = "the log is short: one slice both stops the trees early and calibrates"
        return Slices(
            fit=fit,
            stop=calibrate,
            calibrate=calibrate,
            judge=judge,
            finished=finished,
            horizon=horizon,
            notes=(note,),
        )
    fit = all_before(judge[0]) if judge else ()
    if fit:
        note = "the log is very short: a fixed number of trees and no calibration"
        return Slices(fit=fit, stop=(), calibrate=(), judge=judge, finished=finished, horizon=horizon, notes=(note,))
    days = horizon.days
    before = ceil(min(days, MOST_HISTORY_DAYS) * SHORTEST_HISTORY)
    msg = f"to learn and to judge takes {before} days of history and two horizons of {days} days after it."
    remedy = f"Import at least {before + 2 * days} days of events before --as-of, or shorten [churn] horizon_days."
    raise NotEnoughData(msg, remedy=remedy, found=len(cutoffs), needed=2)
