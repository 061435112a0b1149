"""What do we predict, for whom, and what happened? Labels as declared objects, each with its cutoff and horizon.

At a cutoff T a customer is *alive* if an activity event lies in [T - active_within_days, T); the label looks at
[T, T + horizon_days). What happened at T itself belongs to the horizon, never to the signals. Everything is read
from the log as it was known before `until`: no label window may end later than that.
"""

# ruff: noqa: S608  the SQL is made of our own names; settings are quoted
from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from features.cutoffs import DAY_US, microseconds
from records.errors import NotEnoughData

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

    # inactivity: no activity event in the horizon; event: the leaving event in the horizon
    definition: Literal["inactivity", "event"] = "inactivity"
    activity: list[str] = ["order_completed"]  # empty: any event that is not passive
    event: str = "subscription_cancelled"  # the leaving event, for definition = "event"
    # which events say that someone who left has come back; empty: any activity event
    returned_by: list[str] = []
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


def literal(value: str) -> str:
    """A value as an SQL string."""
    return "'" + value.replace("'", "''") + "'"


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


def label_sql(log: EventLog, cutoff: datetime, churn: ChurnOptions, until: datetime) -> str:
    """One row per customer alive at the cutoff: `left_us` from the horizon as known before `until`, `recency_days`."""
    at, ends = instant(cutoff), instant(cutoff + churn.horizon)
    alive_from = instant(cutoff - timedelta(days=churn.active_within_days))
    activity = is_activity(churn)
    returning = named(churn.returned_by) if churn.returned_by else activity
    known = f"occurred_at < {at} and received_at < {at}"
    if churn.definition == "inactivity":
        # Nothing before the window of life can matter: let the reader skip those months.
        since, still_here = f"occurred_at >= {alive_from} and", "true"
        left = f"not bool_or({activity} and occurred_at >= {at})"
    else:
        leaving = named([churn.event])
        since = ""
        still_here = (
            f"(max(occurred_at) filter (where {leaving} and {known}) is null or "
            f"max(occurred_at) filter (where {leaving} and {known}) "
            f"< max(occurred_at) filter (where {returning} and {known}))"
        )
        left = f"bool_or({leaving} and occurred_at >= {at})"
    return f"""
        select customer_id, coalesce({left}, false) as left_us,
               ({microseconds(cutoff)} - max(epoch_us(occurred_at)) filter (where {activity} and {known}))
               / {DAY_US}.0 as recency_days
        from {log.relation_sql(until)}
        where {since} occurred_at < {ends}
        group by customer_id
        having bool_or({activity} and occurred_at >= {alive_from} and {known}) and {still_here}
        order by customer_id"""


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
    """Who left: customer_id, cutoff, left_us, recency_days (since the last activity), sorted by cutoff and customer.

    Every horizon must be over by `until`.
    """
    refuse_unfinished(cutoffs, churn.horizon, until)
    queries = {cutoff: label_sql(log, cutoff, churn, until) for cutoff in sorted(cutoffs)}
    return with_cutoffs(log, queries, threads)


def issue_labels(
    log: EventLog, cutoffs: Sequence[datetime], issues: IssueOptions, until: datetime, threads: int = 2
) -> pa.Table:
    """Which topics came up: customer_id, cutoff, topic; one row per contact topic in the horizon, sorted.

    A contact whose topic is unknown appears with topic null: the customer did contact us, about we know not what.
    """
    refuse_unfinished(cutoffs, issues.horizon, until)
    queries = {
        cutoff: f"""
            select distinct customer_id, topic from {log.relation_sql(until)}
            where {named([issues.event])} and occurred_at >= {instant(cutoff)}
              and occurred_at < {instant(cutoff + issues.horizon)}
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
