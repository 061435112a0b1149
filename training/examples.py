"""From which moments do we learn, and which may judge? Cutoffs, four slices of time, and the rows themselves.

    fit ── purge ── early stop ── purge ── calibrate ── purge ── judge ── as of
Between two slices lies a whole horizon, so that no label of an earlier one looks into a later one. A short log
merges the two in the middle, a very short one does without them; both are said in the notes.
"""

# ruff: noqa: S608  the SQL is made of our own names; settings are quoted
from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from features.cutoffs import EPOCH, microseconds
from records.errors import NotEnoughData
from training.candidates import Rows, joined
from training.labels import ChurnOptions, IssueOptions, TrainingOptions, churn_labels, issue_labels

if TYPE_CHECKING:
    import pyarrow as pa

    from features.fitted import Fitted
    from records.events import EventLog

Progress = Callable[[str], None]
# A cutoff needs some past to have signals: a horizon of it, at most so many days.
MOST_HISTORY_DAYS = 60
# The fitting slice keeps at least so many cutoffs before the middle slices are merged.
FEWEST_FIT_CUTOFFS = 3
# Fewer leavers or stayers than this in a slice decide nothing.
FEWEST_OF_EACH = 20


@dataclass(frozen=True, kw_only=True)
class Slices:
    """Cutoffs by what they are for, oldest first. `stop` and `calibrate` may be the same, or empty."""

    fit: tuple[datetime, ...]
    stop: tuple[datetime, ...]
    calibrate: tuple[datetime, ...]
    judge: tuple[datetime, ...]
    finished: tuple[datetime, ...]  # all cutoffs whose horizon is over, for the refit
    notes: tuple[str, ...] = ()
    horizon: timedelta

    @property
    def known_at_judge(self) -> tuple[datetime, ...]:
        """Every cutoff whose horizon was over when the judging one came."""
        return tuple(cutoff for cutoff in self.finished if cutoff + self.horizon <= self.judge[0])


@dataclass(frozen=True, kw_only=True)
class Examples:
    """All rows, sorted by cutoff and customer; `Rows` by cutoff on demand."""

    signal_names: tuple[str, ...]
    fitted: Fitted
    slices: Slices
    by_cutoff: dict[datetime, Rows]  # churn labels
    contacts: dict[datetime, Rows]  # the same people, y = 1 where they contacted us within the issue horizon
    sampled: float  # share of customers kept

    def rows(self, cutoffs: Sequence[datetime]) -> Rows:
        return joined([self.by_cutoff[cutoff] for cutoff in cutoffs])


def finished_cutoffs(as_of: datetime, first: datetime, horizon: timedelta, training: TrainingOptions) -> list[datetime]:
    """Cutoffs whose horizon is over by `as_of` and which have some history, newest first."""
    stride = min(timedelta(days=training.stride_days), horizon)
    earliest = first + min(horizon, timedelta(days=MOST_HISTORY_DAYS))
    found = [as_of - horizon - number * stride for number in range(training.max_cutoffs)]
    return [cutoff for cutoff in found if cutoff >= earliest]


def slice_cutoffs(cutoffs: Sequence[datetime], horizon: timedelta) -> Slices:
    """Which cutoffs fit, stop, calibrate and judge: each slice ends a horizon before the next begins."""

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
    history = min(days, MOST_HISTORY_DAYS)
    msg = f"to learn and to judge takes {history} days of history and two horizons of {days} days after it."
    remedy = f"Import at least {history + 2 * days} days of events before --as-of, or shorten [churn] horizon_days."
    raise NotEnoughData(msg, remedy=remedy, found=len(cutoffs), needed=2)


def build_examples(
    log: EventLog,
    as_of: datetime,
    churn: ChurnOptions,
    issues: IssueOptions,
    training: TrainingOptions,
    progress: Progress = lambda line: None,
    *,
    timezone: str = "UTC",
) -> Examples:
    """Signals and labels at every finished cutoff. Reads nothing that happened or became known at or after `as_of`."""
    from features.build import build_signals

    first = first_event(log, as_of)
    cutoffs = finished_cutoffs(as_of, first, churn.horizon, training)
    slices = slice_cutoffs(cutoffs, churn.horizon)
    labels = churn_labels(log, slices.finished, churn, as_of, training.threads)
    refuse_one_sided(labels, slices)
    progress(f"labels: {labels.num_rows:,} examples at {len(cutoffs)} cutoffs")
    share = min(1.0, training.max_examples / max(1, labels.num_rows))
    customers = kept_customers(labels, share, training.seed)
    # One more moment, for the contact model: its horizon is shorter and its newest finished cutoff later.
    extra = as_of - issues.horizon
    moments = sorted({*slices.finished, *([extra] if extra > slices.judge[0] else [])})
    fitted = fit_signals(log, slices.judge[0], churn, timezone)
    table = build_signals(log, moments, fitted=fitted, customers=customers, threads=training.threads)
    names = tuple(name for name in table.column_names if name not in ("customer_id", "cutoff"))
    progress(f"signals: {table.num_rows:,} rows × {len(names)}")
    return assemble(log, as_of, table, labels, issues, fitted, slices, moments, share)


def fit_signals(log: EventLog, until: datetime, churn: ChurnOptions, timezone: str) -> Fitted:
    """What do signals know of the log before `until`, if leaving means what `churn` says?"""
    from features.fitted import fit

    return fit(
        log,
        until,
        timezone=timezone,
        horizon_days=churn.horizon_days,
        active_within_days=churn.active_within_days,
        activity=churn.activity,
        leaving=churn.event if churn.definition == "event" else "",
    )


def first_event(log: EventLog, as_of: datetime) -> datetime:
    """When does the log begin? An empty one is an error that says so."""
    with log.connection() as connection:
        row = connection.execute(f"select min(epoch_us(occurred_at)) from {log.relation_sql(as_of)}").fetchone()
    if row is None or row[0] is None:
        msg = f"there are no events before {as_of:%Y-%m-%d %H:%M}Z."
        raise NotEnoughData(msg, remedy="Import some: pehle import events FILE", found=0, needed=1)
    return EPOCH + timedelta(microseconds=row[0])


def refuse_one_sided(labels: pa.Table, slices: Slices) -> None:
    """Somebody must have left and somebody stayed, both where we learn and where we judge."""
    cutoffs = np.array(labels.column("cutoff").to_numpy(), dtype="datetime64[us]").astype(np.int64)
    left = labels.column("left_us").to_numpy()
    for what, moments in (("fitting", slices.fit), ("judging", slices.judge)):
        inside = np.isin(cutoffs, [microseconds(moment) for moment in moments])
        leavers, stayers = int(left[inside].sum()), int((~left[inside]).sum())
        if min(leavers, stayers) < FEWEST_OF_EACH:
            msg = (
                f"the {what} slice ({moments[0]:%Y-%m-%d} to {moments[-1]:%Y-%m-%d}) has {leavers} customers who left "
                f"and {stayers} who stayed; {FEWEST_OF_EACH} of each are needed."
            )
            remedy = "Import more events, or check [churn] definition, activity and horizon_days."
            raise NotEnoughData(msg, remedy=remedy, found=min(leavers, stayers), needed=FEWEST_OF_EACH)


def kept_customers(labels: pa.Table, share: float, seed: int) -> list[str]:
    """The customers we learn from: all, or a stable sample by a hash of the id, the same at every cutoff."""
    import pyarrow.compute as pc

    everybody = [str(customer) for customer in pc.unique(labels.column("customer_id")).sort().to_pylist()]
    if share >= 1:
        return everybody
    border = int(share * 2**32)
    return [customer for customer in everybody if zlib.crc32(f"{seed}:{customer}".encode()) < border]


def assemble(
    log: EventLog,
    as_of: datetime,
    table: pa.Table,
    labels: pa.Table,
    issues: IssueOptions,
    fitted: Fitted,
    slices: Slices,
    moments: Sequence[datetime],
    share: float,
) -> Examples:
    """Signals beside labels, one `Rows` per cutoff."""
    import pyarrow.compute as pc

    names = tuple(name for name in table.column_names if name not in ("customer_id", "cutoff"))
    everybody = pc.unique(table.column("customer_id"))
    by_cutoff: dict[datetime, Rows] = {}
    contacts: dict[datetime, Rows] = {}
    for cutoff in moments:
        part = at_cutoff(table, cutoff)
        if cutoff in slices.finished:
            label = at_cutoff(labels, cutoff)
            place = pc.index_in(part.column("customer_id"), value_set=label.column("customer_id").combine_chunks())
            part, place = part.filter(pc.is_valid(place)), place.drop_null()
        who = part.column("customer_id")
        rows = Rows(
            X=np.column_stack([part.column(name).to_numpy() for name in names]),
            y=np.zeros(part.num_rows),
            recency=np.zeros(part.num_rows),
            customers=pc.index_in(who, value_set=everybody).to_numpy().astype(np.int64),
        )
        if cutoff in slices.finished:
            left = label.column("left_us").take(place).to_numpy().astype(np.float64)
            by_cutoff[cutoff] = replace(rows, y=left, recency=label.column("recency_days").take(place).to_numpy())
        if cutoff + issues.horizon <= as_of:
            asked = pc.unique(issue_labels(log, [cutoff], issues, as_of).column("customer_id"))
            y = pc.is_valid(pc.index_in(who, value_set=asked)).to_numpy().astype(np.float64)
            contacts[cutoff] = replace(rows, y=y)
    return Examples(
        signal_names=names, fitted=fitted, slices=slices, by_cutoff=by_cutoff, contacts=contacts, sampled=share
    )


def at_cutoff(table: pa.Table, cutoff: datetime) -> pa.Table:
    """The rows of one cutoff."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return table.filter(pc.equal(table.column("cutoff"), pa.scalar(cutoff, pa.timestamp("us", tz="UTC"))))
