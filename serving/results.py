"""What did our messages achieve, against people we did not contact?

Everyone planned is counted in the arm that was drawn, reached or not (intention to treat), from the hour planned for
the message; a person counts once the play's window is over in the data. Lists of which nothing at all was sent are
left out whole, both arms: they were never a trial. One query over the events per play.
"""

# ruff: noqa: S608  the SQL is made of checked field names; values come quoted from serving.triggers
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlalchemy import Connection, Engine

from records.errors import WordsError
from records.events import EventLog
from records.ledger import cohort
from records.outreach import BEFORE
from serving.effects import Effect, Group, Verdict, about, effect, sizes_mismatch
from serving.plays import Outcome, Play, Playbook
from serving.result_words import sentence
from serving.settings import Settings
from serving.triggers import field_sql, instant, passes, text
from training.definitions import belonging, by_definition, definitions
from training.labels import ChurnOptions, is_activity, named
from training.populations import DEFAULT, literal

if TYPE_CHECKING:
    import duckdb

Period = tuple[datetime, datetime]  # from, until (not included): by the hour planned for the message


@dataclass(frozen=True, kw_only=True)
class MonthResult:
    """One month of a play. `known_on`: not all of its windows are over; then they are."""

    month: str  # "2026-07", by the company's calendar
    treated: Group
    comparison: Group
    effect: Effect | None
    known_on: datetime | None


@dataclass(frozen=True, kw_only=True)
class PlayResult:
    """One play against its comparison group; diff, low, high lie between -1 and 1, or are None: nothing is claimed."""

    play: str
    title: dict[str, str]
    judged_by: dict[str, str]  # "asked about the bill"
    window_days: int
    n_treated: int
    good_treated: int
    n_holdout: int
    good_holdout: int
    diff: float | None
    low: float | None
    high: float | None
    verdict: Verdict
    sentence: dict[str, str]  # en, hi
    more_people: int  # needed for an answer; 0: there is one
    more_weeks: int | None  # at the pace of this period; None: unknown
    mismatch: bool  # the groups are not of the sizes drawn: do not trust this row
    waiting: int  # people whose window is not over yet
    next_known_on: datetime | None  # when the next windows are over
    months: tuple[MonthResult, ...]


def results(
    engine: Engine,
    log: EventLog,
    playbook: Playbook,
    settings: Settings,
    now: datetime,
    period: Period | None = None,
) -> list[PlayResult]:
    """One result per play that was ever planned (in the period), in the playbook's order."""
    last = log.summary().last
    if last is None:
        return []
    known = min(now, last)
    with engine.connect() as connection:
        cohorts = {play.name: _cohort(connection, play, period) for play in playbook.plays}
    found = []
    with log.connection() as con:
        relation = log.relation_sql(until=now)
        for play in playbook.plays:
            people = cohorts[play.name]
            if people.num_rows:
                rows = _count(con, relation, play, people, known, settings)
                found.append(_result(play, rows, period, known))
    return found


def _cohort(connection: Connection, play: Play, period: Period | None) -> pa.Table:
    """Everybody planned for the play, with arm and planned hour, of the lists of which something went out."""
    rows = cohort(connection, play.name, period)
    return pa.table(
        {
            "outreach_id": pa.array([row.outreach_id for row in rows], pa.string()),
            "customer_id": pa.array([row.customer_id for row in rows], pa.string()),
            "treated": pa.array([row.arm == "treated" for row in rows], pa.bool_()),
            "propensity": pa.array([row.propensity for row in rows], pa.float64()),
            "trigger_key": pa.array([row.trigger_key for row in rows], pa.string()),
            "send_at": pa.array([row.send_at for row in rows], pa.timestamp("us", "UTC")),
            "as_of": pa.array([row.as_of for row in rows], pa.timestamp("us", "UTC")),
        }
    )


@dataclass(frozen=True, kw_only=True)
class _Row:
    """Counts of one month, arm, and whether the windows are over."""

    month: str
    treated: bool
    over: bool
    people: int
    good: int
    expected_treated: float
    first: datetime
    last_over: datetime


def _count(
    con: duckdb.DuckDBPyConnection, relation: str, play: Play, people: pa.Table, known: datetime, settings: Settings
) -> list[_Row]:
    con.register("planned", people)
    window = f"interval {play.outcome.window_days * 24} hour"
    month = f"strftime(c.send_at at time zone {text(settings.company.timezone)}, '%Y-%m')"
    sql = f"""
        with cohort as ({_cohort_sql(play.outcome, settings.churn, relation)}),
        hit as (
            select distinct c.outreach_id from cohort c join {relation} e on e.customer_id = c.customer_id
            and e.occurred_at >= c.send_at and e.occurred_at < c.send_at + {window}
            and {_outcome_sql(play, settings)})
        select {month} as month, c.treated, c.send_at + {window} <= {instant(known)} as over, count(*),
            count(*) filter (where (h.outreach_id is null) = {_good_is_absence(play.outcome, settings)}),
            sum(c.propensity), epoch_us(min(c.send_at)), epoch_us(max(c.send_at + {window}))
        from cohort c left join hit h using (outreach_id) group by all order by all"""
    return [
        _Row(
            month=month,
            treated=treated,
            over=over,
            people=people,
            good=good,
            expected_treated=expected,
            first=_time(first),
            last_over=_time(last),
        )
        for month, treated, over, people, good, expected, first, last in con.execute(sql).fetchall()
    ]


def _cohort_sql(outcome: Outcome, churn: ChurnOptions, relation: str) -> str:
    """Everybody planned, each with the definition of leaving they fell under when the list was planned."""
    if outcome.kind != "still_active" or len(definitions(churn)) == 1:
        return f"select *, {literal(DEFAULT)} as definition from planned"
    known = "e.customer_id = p.customer_id and e.occurred_at < p.as_of and e.received_at < p.as_of"
    rows = f"(select p.outreach_id, e.* from planned p left join {relation} e on {known})"
    return f"select * from planned join ({belonging(churn, rows, 'outreach_id')}) using (outreach_id)"


def _good_is_absence(outcome: Outcome, settings: Settings) -> str:
    """SQL: is it good if the counted event does not happen?"""
    if outcome.kind == "still_active":
        return by_definition(settings.churn, lambda churn: str(churn.definition == "event").lower(), "c.definition")
    return str(outcome.kind == "no_event").lower()


def _stays_sql(churn: ChurnOptions) -> str:
    """SQL of the event that tells whether somebody stayed: a leaving, or a sign of life."""
    return named([churn.event]) if churn.definition == "event" else is_activity(churn)


def _outcome_sql(play: Play, settings: Settings) -> str:
    """SQL that is true for the event the play is judged by."""
    outcome = play.outcome
    if outcome.kind == "still_active":
        return by_definition(settings.churn, _stays_sql, "c.definition")
    tests = [f"e.name = {text(str(outcome.event))}", *(passes(test, "e") for test in outcome.where)]
    for name in outcome.same:
        if any(trigger.key != name for trigger in play.trigger):
            raise WordsError(
                f"The play {play.name} is judged by the same {name}, which is not the key of its triggers.",
                remedy="Use the trigger's key in outcome.same.",
                rule="playbook",
            )
        # Of outreach from before Pehle it is not known which bill or product it was about: any one counts.
        tests.append(f"({field_sql(name, 'e')} = c.trigger_key or starts_with(c.trigger_key, {text(BEFORE)}))")
    return " and ".join(tests)


def _result(play: Play, rows: Sequence[_Row], period: Period | None, known: datetime) -> PlayResult:
    over = [row for row in rows if row.over]
    treated, comparison = _group(over, treated=True), _group(over, treated=False)
    answer = effect(treated, comparison) if play.comparison else None
    verdict: Verdict = answer.verdict if answer else "tracked"
    weeks = _weeks(answer, over, period, known) if answer else None
    mismatch = bool(answer) and sizes_mismatch(
        treated.people, comparison.people, sum(row.expected_treated for row in over)
    )
    if mismatch:
        verdict = "not enough data yet"
    pending = [row for row in rows if not row.over]
    return PlayResult(
        play=play.name,
        title={"en": play.title.en, "hi": play.title.hi},
        judged_by={"en": play.outcome.words.en, "hi": play.outcome.words.hi},
        window_days=play.outcome.window_days,
        n_treated=treated.people,
        good_treated=treated.good,
        n_holdout=comparison.people,
        good_holdout=comparison.good,
        diff=answer.diff if answer else None,
        low=answer.low if answer else None,
        high=answer.high if answer else None,
        verdict=verdict,
        sentence=sentence(play.outcome, verdict, answer, treated, weeks, mismatch=mismatch),
        more_people=answer.more_people if answer else 0,
        more_weeks=weeks,
        mismatch=mismatch,
        waiting=sum(row.people for row in pending),
        next_known_on=min((row.first + timedelta(days=play.outcome.window_days) for row in pending), default=None),
        months=_months(play, rows),
    )


def _group(rows: Sequence[_Row], *, treated: bool) -> Group:
    mine = [row for row in rows if row.treated == treated]
    return Group(people=sum(row.people for row in mine), good=sum(row.good for row in mine))


def _weeks(answer: Effect, rows: Sequence[_Row], period: Period | None, known: datetime) -> int | None:
    """In how many weeks do the missing people come, at the pace so far?"""
    people = sum(row.people for row in rows)
    if not answer.more_people or not people:
        return None
    start = period[0] if period else min(row.first for row in rows)
    end = min(period[1], known) if period else known
    weeks = max((end - start).days / 7, 1.0)
    return about(answer.more_people / (people / weeks))


def _months(play: Play, rows: Sequence[_Row]) -> tuple[MonthResult, ...]:
    found = []
    for month in sorted({row.month for row in rows}):
        mine = [row for row in rows if row.month == month]
        pending = [row.last_over for row in mine if not row.over]
        over = [row for row in mine if row.over]
        treated, comparison = _group(over, treated=True), _group(over, treated=False)
        measured = bool(play.comparison and treated.people and comparison.people)
        found.append(
            MonthResult(
                month=month,
                treated=treated,
                comparison=comparison,
                effect=effect(treated, comparison) if measured else None,
                known_on=max(pending, default=None),
            )
        )
    return tuple(found)


def _time(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """All plays in one sentence, and how many people stayed who would have left (None: nothing to claim)."""

    sentence: dict[str, str]
    verdicts: dict[str, int]
    stayed: int | None
    stayed_low: int | None
    stayed_high: int | None


def summarize(found: Sequence[PlayResult], playbook: Playbook) -> Summary:
    """The one sentence above the results; see serving.result_words for its words."""
    from serving.result_words import summary_sentence

    verdicts = dict(Counter(str(result.verdict) for result in found if result.verdict != "tracked"))
    saving: list[tuple[float, float, float, int]] = [
        (result.diff, result.diff - result.low, result.high - result.diff, result.n_treated)
        for result in found
        if playbook.play(result.play).outcome.kind == "still_active"
        and result.verdict == "helped"
        and result.diff is not None
        and result.low is not None
        and result.high is not None
        and not result.mismatch
    ]
    stayed: dict[str, Any] = {"stayed": None, "stayed_low": None, "stayed_high": None}
    if saving:
        # Each side of the interval by itself: Newcombe's intervals are not symmetric, and a play that helped must not
        # be summed up as one that may have harmed.
        total = sum(diff * people for diff, _, _, people in saving)
        below = sum((down * people) ** 2 for _, down, _, people in saving) ** 0.5
        above = sum((up * people) ** 2 for _, _, up, people in saving) ** 0.5
        stayed = {"stayed": round(total), "stayed_low": round(total - below), "stayed_high": round(total + above)}
    return Summary(sentence=summary_sentence(verdicts, **stayed), verdicts=verdicts, **stayed)
