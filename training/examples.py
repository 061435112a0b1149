"""What do we learn from? Signals and labels of many customers at many cutoffs, in one matrix.

The rows lie in the order in which they are asked for, so that a slice of time is a view and not a copy:

    customers seen in fitting, by cutoff │ unseen customers, by cutoff │ the newest moment, for contacts alone

About one customer in ten is never seen in fitting and judged beside the others ("unseen"): does the model know the
world, or only its customers? The fit for use takes everybody.
"""

# ruff: noqa: S608  the SQL is made of our own names; settings are quoted
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.cutoffs import EPOCH, microseconds
from records.errors import NotEnoughData
from training.candidates import Rows
from training.evaluation import Floats
from training.labels import (
    ChurnOptions,
    IssueOptions,
    TrainingOptions,
    churn_labels,
    eligible,
    imported_cutoffs,
    left_within,
)
from training.lots import lot
from training.row_order import Order, order_rows
from training.season import labels_a_year_before
from training.signal_matrix import fill_matrix
from training.text_learning import ReaderFit, learn_to_read
from training.time_slices import Slices, finished_cutoffs, history_notes, slice_cutoffs
from training.untreated import Untreated, untreated

if TYPE_CHECKING:
    import pyarrow as pa

    from features.fitted import Fitted
    from records.events import EventLog

Progress = Callable[[str], None]
# With fewer leavers or stayers than this nothing is learnt. The slice that judges makes do with fewer: a company of 300
# accounts has no more, the mean of two stays where it can tell nothing, and the gate asks earlier cutoffs too.
FEWEST_OF_EACH, FEWEST_TO_JUDGE = 20, 5
# How many customers are kept out of the judged fit, and how many of them must be judged for a figure to say anything.
UNSEEN_SHARE, FEWEST_UNSEEN = 0.1, 200


@dataclass(frozen=True, kw_only=True)
class Examples:
    """All rows: signals `X` (float32, NaN: no data), labels and whose they are."""

    signal_names: tuple[str, ...]
    fitted: Fitted
    slices: Slices
    X: NDArray[np.float32]
    y: Floats  # 1: left
    asked: Floats  # 1: contacted us within the issue horizon; NaN where that is not known yet
    order: Order
    labels: pa.Table  # the label table the rows were made of
    year_before: pa.Table | None  # who left a year before the newest cutoffs (`training.season`)
    churn: ChurnOptions
    sampled: float  # share of customers kept
    text: ReaderFit  # how the texts of these customers were read
    notes: tuple[str, ...]

    @property
    def customer_ids(self) -> tuple[str, ...]:
        """Whose rows these are: the place is the code in `Rows.customers`."""
        return self.order.customer_ids

    @property
    def count(self) -> int:
        """How many labelled rows there are."""
        return len(self.rows(self.slices.finished, unseen=None))

    def rows(self, cutoffs: Sequence[datetime], *, unseen: bool | None = False) -> Rows:
        """The rows at these cutoffs: of the customers seen in fitting, of the unseen ones, or (None) of everybody.

        A view of the matrix wherever the rows lie beside each other: fit, stop, calibrate, all that is finished.
        """
        return self._taken(self.order.places(cutoffs, unseen), self.y)

    def contact_rows(self, cutoffs: Sequence[datetime]) -> Rows:
        """Everybody's rows at these cutoffs, with y = 1 where they contacted us within the issue horizon."""
        return self._taken(self.order.places(cutoffs, None), self.asked)

    @property
    def contact_cutoffs(self) -> list[datetime]:
        """The moments whose issue horizon is over, oldest first."""
        places = {at: self.order.places([at], None) for at in self.order.moments}
        return [at for at, place in places.items() if len(self.asked[place]) and not np.isnan(self.asked[place]).any()]

    def older(self) -> Iterator[NDArray[np.float32]]:
        """The signals at each finished cutoff before the judging one, one after the other."""
        for at in self.slices.finished:
            if at < min(self.slices.judge):
                yield self.rows([at]).X

    def within(self, days: int) -> Examples:
        """The same rows with the labels of a shorter horizon, told from the same table."""
        labels = left_within(self.labels, self.churn, days)
        churn = self.churn.model_copy(update={"horizon_days": days})
        before = self.year_before and left_within(self.year_before, self.churn, days)
        return replace(self, labels=labels, year_before=before, y=self.order.labels(labels, "left_us"), churn=churn)

    def _taken(self, place: slice | NDArray[np.int64], y: Floats) -> Rows:
        return Rows(
            X=self.X[place], y=y[place], recency=self.order.recency[place], customers=self.order.customers[place]
        )


def build_examples(
    log: EventLog,
    as_of: datetime,
    churn: ChurnOptions | None = None,
    issues: IssueOptions | None = None,
    training: TrainingOptions | None = None,
    progress: Progress = lambda line: None,
    *,
    timezone: str = "UTC",
    treatments: pa.Table | None = None,
    engine: str = "",
) -> Examples:
    """Signals and labels at every finished cutoff. Reads nothing that happened or became known at or after `as_of`.

    Parameters
    ----------
    churn, issues, training
        What is predicted, and how many examples; the defaults of the settings.
    treatments, engine
        Who was planned for which play (`records.treatments`), to set their labels right; the Spark that makes signals.

    Raises
    ------
    NotEnoughData
        The log is too short for a fit and a judgement, or too few left or stayed.
    """
    churn, issues, training = churn or ChurnOptions(), issues or IssueOptions(), training or TrainingOptions()
    given = imported_cutoffs(log, churn) if churn.definition == "imported" else ()
    first = first_event(log, as_of)
    cutoffs = finished_cutoffs(as_of, first, churn, training, given)
    slices = slice_cutoffs(cutoffs, churn.span)
    labels, clean = learnable(log, as_of, churn, training, slices, treatments)
    progress(f"labels: {labels.num_rows:,} examples at {len(cutoffs)} cutoffs")
    share = min(1.0, training.max_examples / max(1, labels.num_rows))
    customers = kept_customers(labels, share, training.seed)
    later = contact_moment(log, as_of - issues.horizon, churn, slices)
    unseen = UNSEEN_SHARE if judged_rows(labels, slices) * share * UNSEEN_SHARE >= FEWEST_UNSEEN else 0.0
    order = order_rows(labels, clean.copies, customers, later, unseen, training.seed)
    fitted = fit_signals(log, slices.judge[0], churn, timezone)
    text = learn_to_read(log, as_of, training.seed, progress)
    X, names = fill_matrix(log, fitted, text.reader, order, training.threads, progress, engine)
    return Examples(
        signal_names=names,
        fitted=fitted,
        slices=slices,
        X=X,
        y=order.labels(labels, "left_us"),
        asked=order.asked(log, issues, as_of),
        order=order,
        labels=labels,
        year_before=labels_a_year_before(log, as_of, first, slices, churn, training, treatments),
        churn=churn,
        sampled=share,
        text=text,
        notes=(*slices.notes, *history_notes(cutoffs, first, churn), *clean.notes, *sample_notes(share), *text.notes),
    )


def learnable(
    log: EventLog,
    as_of: datetime,
    churn: ChurnOptions,
    training: TrainingOptions,
    slices: Slices,
    treatments: pa.Table | None,
) -> tuple[pa.Table, Untreated]:
    """The label table, and which of its rows count how often; an error that says why nothing can be learnt from it."""
    labels = churn_labels(log, slices.finished, churn, as_of, training.threads)
    if not labels.num_rows and churn.definition != "imported":
        raise nobody_to_learn_from(log, as_of, churn)
    clean = untreated(labels, treatments, churn, training.seed)
    if one_sided(labels, clean.copies, slices):
        clean = clean.as_they_are()
    if why := one_sided(labels, clean.copies, slices, FEWEST_TO_JUDGE):
        raise NotEnoughData(why, remedy=more_of_each(churn))
    return labels, clean


def more_of_each(churn: ChurnOptions) -> str:
    """What to do where too few left or stayed? Labels of the company's own count only for customers the log knows."""
    if churn.definition != "imported":
        return "Import more events, or check [churn] definition, activity and horizon_days."
    return (
        f"Import more rows of both kinds (pehle import labels FILE --name {churn.labels}), about customers who have "
        "events before the row's cutoff."
    )


def contact_moment(
    log: EventLog, moment: datetime, churn: ChurnOptions, slices: Slices
) -> tuple[datetime, list[str]] | None:
    """One more moment, for the contact model, and who was a customer then: its horizon is shorter and its newest
    finished cutoff later. None where it is not later."""
    return (moment, eligible(log, [moment], churn)[moment]) if moment > slices.finished[-1] else None


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
        begun_by=churn.begun_by,
    )


def nobody_to_learn_from(log: EventLog, as_of: datetime, churn: ChurnOptions) -> NotEnoughData:
    """Nobody was a customer at any cutoff: what should they have done, and what does the log have instead?"""
    with log.connection() as connection:
        most = connection.execute(
            f"select name, count(*) from {log.relation_sql(as_of)} group by name order by count(*) desc, name limit 5"
        ).fetchall()
    whom = "with an activity that is not passive" if not churn.activity else f"with {' or '.join(churn.activity)}"
    there = ", ".join(f"{name} ({count:,})" for name, count in most)
    msg = f"nobody {whom} within {churn.active_within_days} days before any cutoff; the log has {there}."
    return NotEnoughData(msg, remedy="Name what customers do in pehle.toml: [churn] activity.", found=0, needed=1)


def first_event(log: EventLog, as_of: datetime) -> datetime:
    """When does the log begin? An empty one is an error that says so."""
    with log.connection() as connection:
        row = connection.execute(f"select min(epoch_us(occurred_at)) from {log.relation_sql(as_of)}").fetchone()
    if row is None or row[0] is None:
        msg = f"there are no events before {as_of:%Y-%m-%d %H:%M}Z."
        raise NotEnoughData(msg, remedy="Import some: pehle import events FILE", found=0, needed=1)
    return EPOCH + timedelta(microseconds=row[0])


def judged_rows(labels: pa.Table, slices: Slices) -> int:
    """How many labels has the judging slice?"""
    return int(at_moments(labels, slices.judge).sum())


def at_moments(labels: pa.Table, moments: Sequence[datetime]) -> NDArray[np.bool_]:
    """Which rows of the label table are of these cutoffs?"""
    cutoffs = np.array(labels.column("cutoff").to_numpy(), dtype="datetime64[us]").astype(np.int64)
    return np.isin(cutoffs, [microseconds(moment) for moment in moments])


def one_sided(labels: pa.Table, copies: NDArray[np.int64], slices: Slices, to_judge: int = FEWEST_OF_EACH) -> str:
    """Somebody must have left and somebody stayed, both where we learn and where we judge; if not, where it lacks."""
    left = labels.column("left_us").to_numpy().astype(bool)
    for what, moments, fewest in (
        ("fitting", slices.known_at_judge, FEWEST_OF_EACH),
        ("judging", slices.judge, to_judge),
    ):
        inside = at_moments(labels, moments) & (copies > 0)
        leavers, stayers = int(left[inside].sum()), int((~left[inside]).sum())
        if min(leavers, stayers) < fewest:
            return (
                f"the {what} slice ({moments[0]:%Y-%m-%d} to {moments[-1]:%Y-%m-%d}) has {leavers} customers who left "
                f"and {stayers} who stayed; {fewest} of each are needed."
            )
    return ""


def kept_customers(labels: pa.Table, share: float, seed: int) -> list[str]:
    """The customers we learn from: all, or a stable sample by a hash of the id, the same at every cutoff."""
    import pyarrow.compute as pc

    everybody = [str(customer) for customer in pc.unique(labels.column("customer_id")).sort().to_pylist()]
    return everybody if share >= 1 else [customer for customer in everybody if lot("sample", seed, customer) < share]


def sample_notes(share: float) -> tuple[str, ...]:
    """What to say where not all customers are learnt from."""
    if share >= 1:
        return ()
    return (f"{share:.0%} of the customers are learnt from: [training] max_examples bounds the memory",)
