"""What do we predict, for whom, and what happened? Labels as declared objects, each with its cutoff and horizon.

    alive if active here        too late to act      what is predicted         is it final?
    [T - active_within, T)   T   [T, T + gap)   [T + gap, T + gap + horizon)   + grace

What happened at T itself is never a signal. A leaving event is none if the customer comes back or changes plan within
the grace; whoever leaves for good within the gap is no example, since the question is who leaves after it. Nothing
that happened at or after T + gap + horizon + grace changes a label. Everything is read from the log as it was known
before `until`: no label may need more time than that.
"""

# ruff: noqa: S608  the SQL is made of our own names; settings are quoted
from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from features.cutoffs import DAY_US, microseconds
from features.vocabulary import BEGUN_BY
from records.errors import InputError, NotEnoughData
from records.own_rows import LABELS
from records.own_tables import own_table
from records.parts import quoted
from training.populations import Condition, literal, population_sql

if TYPE_CHECKING:
    import pyarrow as pa

    from records.events import EventLog


def passive_events() -> list[str]:
    """Which events are done *to* a customer and so are no sign of life? The default of the event log."""
    from records.events import PASSIVE_EVENTS

    return list(PASSIVE_EVENTS)


class Bands(BaseModel):
    """From which probability on is a risk called high, or medium?"""

    model_config = ConfigDict(extra="forbid", frozen=True)

    high: float = Field(default=0.6, ge=0, le=1)
    medium: float = Field(default=0.3, ge=0, le=1)

    def of(self, probability: float) -> str:
        """high, medium or low."""
        if probability >= self.high:
            return "high"
        return "medium" if probability >= self.medium else "low"


class ChurnOptions(BaseModel):
    """`[churn]`: what leaving means, for whom, and how far ahead we look."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # inactivity: no activity event in the horizon; event: the leaving event in the horizon; imported: `labels` says
    definition: Literal["inactivity", "event", "imported"] = "inactivity"
    where: Condition = {}  # whom this is about, by the last known plan, product, channel or property; empty: everybody
    activity: list[str] = ["order_completed"]  # empty: any event that is not passive
    event: str = "subscription_cancelled"  # the leaving event, for definition = "event"
    # which events say that someone who left has come back; empty: any activity event
    returned_by: list[str] = []
    # for definition = "event": one of `returned_by` or `changed_by` within so many days, and nobody has left
    grace_days: int = Field(default=0, ge=0)
    changed_by: list[str] = ["plan_changed"]
    # which events say which product, plan or course somebody has from then on; else its first event says so
    begun_by: list[str] = Field(default_factory=lambda: list(BEGUN_BY))
    labels: str = "labels"  # the table of `pehle import labels`, for definition = "imported"
    gap_days: int = Field(default=0, ge=0)  # between cutoff and horizon: time to act, and until the data are in
    horizon_days: int = Field(default=90, ge=1)
    active_within_days: int = Field(default=180, ge=1)
    bands: Bands = Bands()
    passive: list[str] = Field(default_factory=passive_events)  # "message_*": every name that begins so

    @model_validator(mode="after")
    def bands_in_order(self) -> ChurnOptions:
        if self.bands.medium > self.bands.high:
            msg = f"bands.medium is {self.bands.medium}, above bands.high {self.bands.high}"
            raise ValueError(msg)
        return self

    @property
    def horizon(self) -> timedelta:
        return timedelta(days=self.horizon_days)

    @property
    def gap(self) -> timedelta:
        return timedelta(days=self.gap_days)

    @property
    def grace(self) -> timedelta:
        """Only an event can be taken back."""
        return timedelta(days=self.grace_days if self.definition == "event" else 0)

    @property
    def span(self) -> timedelta:
        """How long after its cutoff is a label known: gap, horizon and grace."""
        return self.gap + self.horizon + self.grace


class Definition(ChurnOptions):
    """One definition of several, made of the settings: nobody who fits an earlier one."""

    unless: tuple[Condition, ...] = ()


class IssueOptions(BaseModel):
    """`[issues]`: which event is a contact about a problem, and how far ahead we look."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    event: str = "support_ticket_opened"
    horizon_days: int = Field(default=30, ge=1)

    @property
    def horizon(self) -> timedelta:
        return timedelta(days=self.horizon_days)


class TrainingOptions(BaseModel):
    """`[training]`: how many examples, and what makes a run repeatable. One default for every log."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(default=2026, ge=0)
    stride_days: int = Field(default=30, ge=1)  # between cutoffs; never more than the horizon
    max_cutoffs: int = Field(default=12, ge=2)  # the newest ones
    max_examples: int = Field(default=300_000, ge=1_000)  # customers × cutoffs; above it customers are sampled
    max_rounds: int = Field(default=400, ge=10)  # trees at most; the early-stopping slice decides
    threads: int = Field(default=2, ge=1)


def instant(value: datetime) -> str:
    """An aware instant as an SQL timestamp."""
    return f"make_timestamptz({microseconds(value)})"


def named(names: Sequence[str]) -> str:
    """SQL that is true for events of these names; a name may end in * ("message_*")."""
    tests = [
        f"starts_with(name, {literal(name[:-1])})" if name.endswith("*") else f"name = {literal(name)}"
        for name in names
    ]
    return "(" + " or ".join(tests) + ")" if tests else "false"


def is_activity(churn: ChurnOptions) -> str:
    """SQL that is true for events that show a customer alive."""
    if churn.activity:
        return named(churn.activity)
    leaving = [churn.event] if churn.definition == "event" else []
    return f"(not {named([*churn.passive, *leaving])})"


def seen_sql(log: EventLog, cutoff: datetime, churn: ChurnOptions, until: datetime) -> str:
    """The events a label is made of: us, known (before the cutoff, on both clocks), active, leaving, back, gone.

    `gone` is a leaving that nothing took back: at the end of the grace it still held.
    """
    at = instant(cutoff)
    activity = is_activity(churn)
    by_event = churn.definition == "event"
    leaving = named([churn.event]) if by_event else "false"
    returning = named(churn.returned_by) if churn.returned_by else activity
    changing = named(churn.changed_by) if churn.grace else "false"
    unless = churn.unless if isinstance(churn, Definition) else ()
    # Without leaving events nothing before the window of life can matter: let the reader skip those months.
    since = "true" if by_event else f"occurred_at >= {instant(cutoff - timedelta(days=churn.active_within_days))}"
    rows = f"""
        select customer_id, epoch_us(occurred_at) as us, occurred_at < {at} and received_at < {at} as known,
               {activity} as active, {leaving} as leaving, {returning} as back, {changing} as changed
        from {log.relation_sql(until)}
        where {since} and occurred_at < {instant(cutoff + churn.span)}
          and {population_sql(log, cutoff, churn.where, unless)}"""
    if not churn.grace:
        return f"select *, leaving as gone from ({rows})"
    grace = microseconds(cutoff + churn.grace) - microseconds(cutoff)
    after = "over (partition by customer_id order by us range between"
    return f"""
        select *, leaving and not coalesce(bool_or(back) {after} 1 following and {grace - 1} following), false)
               and not coalesce(bool_or(changed) {after} current row and {grace - 1} following), false) as gone
        from ({rows}) where active or leaving or back or changed"""


def label_sql(log: EventLog, cutoff: datetime, churn: ChurnOptions, until: datetime) -> str:
    """One row per customer eligible at the cutoff: left_us, recency_days and decided_days.

    `recency_days`: since the last activity known at the cutoff. `decided_days`: from the beginning of the horizon to
    what decides it, the first activity or the leaving; null if neither came.
    """
    start = microseconds(cutoff + churn.gap)
    end, now = microseconds(cutoff + churn.gap + churn.horizon), microseconds(cutoff)
    alive_from = microseconds(cutoff - timedelta(days=churn.active_within_days))
    decides = "gone" if churn.definition == "event" else "active"
    left = "is not null" if churn.definition == "event" else "is null"
    return f"""
        with seen as ({seen_sql(log, cutoff, churn, until)}),
        people as (
            select customer_id,
                   ({now} - max(us) filter (where active and known)) / {DAY_US}.0 as recency_days,
                   (min(us) filter (where {decides} and us >= {start} and us < {end}) - {start}) / {DAY_US}.0
                   as decided_days
            from seen group by customer_id
            having bool_or(active and known and us >= {alive_from})
               and not bool_or(gone and us >= {now} and us < {start})
               and (max(us) filter (where leaving and known) is null
                    or coalesce(max(us) filter (where leaving and known)
                                < max(us) filter (where back and known), false)
                    or coalesce(max(us) filter (where leaving and known)
                                <= max(us) filter (where changed and known), false)))
        select customer_id, decided_days {left} as left_us, recency_days, decided_days from people
        order by customer_id"""


def imported_sql(log: EventLog, cutoff: datetime, churn: ChurnOptions, until: datetime) -> str:
    """The same columns, with what the customer's own table says of those who are eligible at the cutoff."""
    table = own_table(log.data, LABELS, churn.labels)
    return f"""
        select customer_id, l.left_us > 0.5 as left_us, recency_days, decided_days
        from ({label_sql(log, cutoff, churn, until)}) e
        join (select customer_id, "left" as left_us from read_parquet({quoted(table)})
              where cutoff = {instant(cutoff)}) l using (customer_id)
        order by customer_id"""


def imported_cutoffs(log: EventLog, churn: ChurnOptions) -> list[datetime]:
    """At which moments does the customer's own table of labels have rows? Newest first."""
    import pyarrow.parquet as parquet

    column = parquet.read_table(own_table(log.data, LABELS, churn.labels), columns=["cutoff"]).column(0)
    return sorted((at for at in column.unique().to_pylist() if at is not None), reverse=True)


def eligible(
    log: EventLog, cutoffs: Sequence[datetime], churn: ChurnOptions, threads: int = 2
) -> dict[datetime, list[str]]:
    """Who can be scored at each cutoff: alive, and not gone. Sorted ids; reads nothing at or after the cutoff."""
    with log.connection(threads=threads) as connection:
        return {
            cutoff: [row[0] for row in connection.execute(label_sql(log, cutoff, churn, cutoff)).fetchall()]
            for cutoff in cutoffs
        }


def churn_labels(
    log: EventLog, cutoffs: Sequence[datetime], churn: ChurnOptions, until: datetime, threads: int = 2
) -> pa.Table:
    """Who left: customer_id, cutoff, left_us, recency_days, decided_days, sorted by cutoff and customer.

    Every label must be known by `until`. `left_within` gives the labels of a shorter horizon from the same table.
    """
    refuse_unfinished(cutoffs, churn.span, until)
    sql = imported_sql if churn.definition == "imported" else label_sql
    queries = {cutoff: sql(log, cutoff, churn, until) for cutoff in sorted(cutoffs)}
    return with_cutoffs(log, queries, threads)


def left_within(labels: pa.Table, churn: ChurnOptions, days: int) -> pa.Table:
    """The same rows with `left_us` for a horizon of so many days, at most that of the table.

    Raises
    ------
    InputError
        The horizon is longer than what was looked at, or the labels are the customer's own and know no days.
    """
    import pyarrow as pa

    if days > churn.horizon_days or churn.definition == "imported":
        known = "that long" if churn.definition == "imported" else f"{churn.horizon_days} days"
        msg = f"labels for {days} days cannot be told from a table that looked ahead {known}."
        raise InputError(msg, remedy="Take fewer days, or a definition with a longer horizon.", value=days)
    decided = labels.column("decided_days").to_numpy() < days  # null is NaN, which is below nothing
    left = pa.array(decided if churn.definition == "event" else ~decided)
    return labels.set_column(labels.column_names.index("left_us"), "left_us", left)


def issue_labels(
    log: EventLog,
    cutoffs: Sequence[datetime],
    issues: IssueOptions,
    until: datetime,
    threads: int = 2,
    span: timedelta | None = None,
) -> pa.Table:
    """Which topics came up: customer_id, cutoff, topic; one row per contact topic in the horizon, sorted.

    A contact whose topic is unknown appears with topic null: the customer did contact us, about we know not what.
    `span`: another length than the horizon's.
    """
    span = issues.horizon if span is None else span
    refuse_unfinished(cutoffs, span, until)
    queries = {
        cutoff: f"""
            select distinct customer_id, topic from {log.relation_sql(until)}
            where {named([issues.event])} and occurred_at >= {instant(cutoff)}
              and occurred_at < {instant(cutoff + span)}
            order by customer_id, topic"""
        for cutoff in sorted(cutoffs)
    }
    return with_cutoffs(log, queries, threads)


def with_cutoffs(log: EventLog, queries: Mapping[datetime, str], threads: int) -> pa.Table:
    """The rows of each cutoff's query under each other, the cutoff as second column."""
    import pyarrow as pa

    moment = pa.timestamp("us", tz="UTC")
    tables = []
    with log.connection(threads=threads) as connection:
        for cutoff, query in queries.items():
            found = connection.sql(query).to_arrow_table()
            column = pa.repeat(pa.scalar(cutoff, moment), found.num_rows)
            tables.append(found.add_column(1, pa.field("cutoff", moment), column))
    return pa.concat_tables(tables)


def refuse_unfinished(cutoffs: Sequence[datetime], horizon: timedelta, until: datetime) -> None:
    """A horizon that is not over has no label: raise rather than count the quiet as absence."""
    for cutoff in cutoffs:
        if cutoff + horizon > until:
            msg = f"the {horizon.days} days after {cutoff:%Y-%m-%d} are not over by {until:%Y-%m-%d %H:%M}Z."
            raise NotEnoughData(msg, remedy="Take earlier cutoffs or a later --as-of.", found=until, needed=cutoff)
