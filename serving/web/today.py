"""What waits for me today, what went out, what did it achieve, and is anything late or broken?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from fastapi import APIRouter, Request, Response
from markupsafe import Markup
from sqlalchemy import Connection

from records.browsing import counts, ended_between, latest_list, left_out_by_reason, times_between
from records.leadership import leadership
from records.letters import answers_between, next_send
from records.outreach import OutreachList, State, count_by_state
from records.paging import Filter, selection
from records.review_queries import Urgent, last_decision, urgent
from records.scores import Run, latest_run, runs_together
from serving.coverage import Coverage, coverage_of
from serving.model_versions import table_in, together
from serving.planning import is_stale
from serving.web import charts
from serving.web.access import Signed
from serving.web.language import Language
from serving.web.lists import UNDO_MARGIN, next_planning
from serving.web.results import Shown, best_result
from serving.web.site import Site, render, site_of
from serving.web.wording import left_out_words, topic_words

router = APIRouter()
FIRST_HOUR, LAST_HOUR = 7, 22
SHOWN_TOPICS = 4
OUT_ROWS = (
    ("sent", (State.SENT, State.DELIVERED, State.FAILED, State.UNKNOWN, State.REFUSED)),
    ("arrived", (State.DELIVERED,)),
    ("failed", (State.FAILED, State.REFUSED)),
    ("unknown", (State.UNKNOWN,)),
)


@dataclass(kw_only=True)
class Day:
    """Everything Today says."""

    list_id: str | None = None
    waiting: int = 0
    approved: int = 0
    cost_minor: int = 0
    budget_minor: int = 0
    decide_by: datetime | None = None
    urgent: Urgent | None = None
    left_out_people: int = 0
    left_out: Sequence[tuple[Markup, int]] = ()
    by_play: Sequence[tuple[str, int]] = ()
    next_at: datetime | None = None
    next_plan: datetime
    chart: Markup = field(default_factory=Markup)
    sent_today: int = 0
    approved_today: int = 0
    waiting_today: int = 0
    later: int = 0
    out: Sequence[tuple[str, int]] = ()
    out_day: datetime | None = None
    out_yesterday: bool = True
    answers: Sequence[Markup] = ()
    result: Shown | None = None
    notes: Sequence[Markup] = ()
    data: Markup = field(default_factory=Markup)
    model: Markup = field(default_factory=Markup)
    coverage: Markup = field(default_factory=Markup)
    senders: Markup = field(default_factory=Markup)


@router.get("/")
def today(request: Request, reviewer: Signed) -> Response:
    """The first screen."""
    site, language = site_of(request), site_of(request).language(request)
    now = site.now()
    day = Day(next_plan=next_planning(site, now))
    undo = None
    with site.home.engine.connect() as connection:
        newest = latest_list(connection)
        if newest is not None:
            _list_in_numbers(connection, newest, day, language)
            undo = last_decision(connection, newest.list_id, now)
        _hours(connection, site, language, newest, day, now)
        _went_out(connection, language, day, now)
        _senders(connection, site, language, day, now)
    day.result = best_result(site, language, now)
    day.notes = _notes(site, language, now)
    until = undo.first_send_at - UNDO_MARGIN if undo else now
    return render(
        request, "today.html", now=now, day=day, undo=undo, undo_list=day.list_id, undo_until=until, language=language
    )


def _list_in_numbers(connection: Connection, newest: OutreachList, day: Day, language: Language) -> None:
    chosen = selection(connection, Filter(list_id=newest.list_id))
    number = counts(connection, newest.list_id)
    day.list_id = newest.list_id
    day.waiting = number.waiting
    still = count_by_state(connection)  # of every list: an older one may have some that go out later
    day.approved = sum(still.get(state, 0) for state in _ON_THE_WAY)
    day.cost_minor, day.budget_minor = chosen.cost_minor, newest.budget_minor
    day.decide_by = newest.decide_by
    day.urgent = urgent(connection, newest.list_id, newest.decide_by)
    day.by_play = list(chosen.by_play.items())
    day.left_out_people = number.left_out
    reasons = left_out_by_reason(connection, newest.list_id)
    day.left_out = [(left_out_words(code, language), count) for code, count in list(reasons.items())[:4]]


def _hours(
    connection: Connection, site: Site, language: Language, newest: OutreachList | None, day: Day, now: datetime
) -> None:
    """What went out, is approved, or waits, by the hour of the company's day."""
    midnight = _midnight(language, now)
    found = times_between(connection, midnight, midnight + timedelta(days=1))
    kinds: dict[tuple[int, str], int] = {}
    for state, at in found:
        kind = "waiting" if state == State.PLANNED else "approved" if state in _ON_THE_WAY else "sent"
        hour = language.local(at).hour
        kinds[hour, kind] = kinds.get((hour, kind), 0) + 1
    total = {kind: sum(n for (_, k), n in kinds.items() if k == kind) for kind in ("sent", "approved", "waiting")}
    day.sent_today, day.approved_today, day.waiting_today = total["sent"], total["approved"], total["waiting"]
    day.later = max(0, day.waiting - day.waiting_today) if day.waiting else 0
    held = [hour for hour, _ in kinds]
    hours = [
        charts.Hour(
            hour=h,
            sent=kinds.get((h, "sent"), 0),
            approved=kinds.get((h, "approved"), 0),
            waiting=kinds.get((h, "waiting"), 0),
        )
        for h in range(min([FIRST_HOUR, language.local(now).hour, *held]), max([LAST_HOUR, *held]) + 1)
    ]
    planning = site.home.settings.planning
    due = newest.decide_by if newest and _midnight(language, newest.decide_by) == midnight and day.waiting else None
    next_at = next_send(connection, now)
    day.next_at = next_at.at if next_at else None
    day.chart = charts.day_chart(
        hours,
        charts.DayWords(
            label=str(language("today.hours_label", sent=day.sent_today, waiting=day.waiting_today)),
            now=str(language("today.now", time=language.time(now))),
            decide_by=str(language("today.decide_mark", time=language.time(due))) if due else "",
            quiet_until=str(language("today.quiet_until", time=f"{planning.quiet_until:%H:%M}")),
            quiet_from=str(language("today.quiet_from", time=f"{planning.quiet_from:%H:%M}")),
        ),
        now=_hour(language, now),
        decide_by=_hour(language, due) if due else None,
        quiet_from=planning.quiet_from.hour + planning.quiet_from.minute / 60,
        quiet_until=planning.quiet_until.hour + planning.quiet_until.minute / 60,
    )


_ON_THE_WAY = (State.APPROVED, State.QUEUED, State.CLAIMED)


def _went_out(connection: Connection, language: Language, day: Day, now: datetime) -> None:
    """Yesterday's messages, or those of the last day on which any went out."""
    midnight = _midnight(language, now)
    for back in range(1, 15):
        start = midnight - timedelta(days=back)
        ended = ended_between(connection, start, start + timedelta(days=1))
        if not sum(ended.values()):
            continue
        rows = [(key, sum(ended.get(state, 0) for state in states)) for key, states in OUT_ROWS]
        day.out = [rows[0], *((key, number) for key, number in rows[1:] if number)]
        day.out_day, day.out_yesterday = start, back == 1
        came = answers_between(connection, start, now)
        day.answers = [
            language.count(f"today.came_{name}", came[event])
            for name, event in (("stops", "message_unsubscribed"), ("answers", "message_replied"))
            if came.get(event)
        ]
        return


def _senders(connection: Connection, site: Site, language: Language, day: Day, now: datetime) -> None:
    summary = site.home.log.summary()
    if summary.last is None:
        day.data = language("today.data_none")
    else:
        day.data = language(
            "today.data_line",
            until=language.when(summary.last, now),
            events=language.number(summary.count),
            customers=language.number(summary.customers),
        )
    run = latest_run(connection)
    runs = runs_together(connection, run.run_id) if run else []
    day.model = _scored(runs, language, now)
    day.coverage = _unanswered(coverage_of(connection, runs, site.playbook.topics), site, language)
    smtp = site.home.settings.sending.smtp_host and not site.simulated
    day.senders = language("today.senders_smtp" if smtp else "today.senders_outbox")


def _scored(runs: Sequence[Run], language: Language, now: datetime) -> Markup:
    """With what everybody was scored last, and whether we did it ourselves."""
    if not runs:
        return language("today.model_none")
    figures = {
        "customers": language.number(sum(one.customers for one in runs)),
        "until": language.when(runs[0].as_of, now),
    }
    table = table_in(runs[0].model_version)
    if table is not None:
        return language("today.model_elsewhere", table=table, **figures)
    return language("today.model_line", version=together(runs), **figures)


def _unanswered(coverage: Coverage | None, site: Site, language: Language) -> Markup:
    """About what people will ask that no message answers; empty where there is nothing of the kind."""
    if coverage is None or not coverage.unanswered:
        return Markup()
    named = list(coverage.unanswered)[:SHOWN_TOPICS]
    return language(
        "today.unanswered_line",
        topics=Markup(", ").join(topic_words(topic, language) for topic in named),
        n=language.number(100 * coverage.share),
        days=site.home.settings.issues.horizon_days,
    )


def _notes(site: Site, language: Language, now: datetime) -> list[Markup]:
    """What is late or broken, each with since when and the way out."""
    # Loads APScheduler: only where the state of the jobs is asked for.
    from serving.schedule import status

    found = []
    # Whoever can take the lead here found nobody at work.
    with leadership(site.home.engine, site.home.data) as free:
        late = "today.job_late" if free else "today.job_waits"
    for job in status(site.home.engine, site.home.settings.company.zone, now):
        if job.late:
            failed = job.last_state == "failed"
            found.append(
                language(
                    "today.job_failed" if failed else late,
                    job=language.either(f"jobs.{job.name}", job.name),
                    time=language.when(job.last_run if failed and job.last_run else job.next_run, now),
                    detail=job.detail or "",
                )
            )
    last, limit = site.home.log.summary().last, site.home.settings.planning.max_staleness_days
    if last is not None and is_stale(last, site.home.settings, now):
        found.append(language("today.stale", until=language.day(last, now), n=limit))
    midnight = _midnight(language, now)
    with site.home.engine.connect() as connection:
        ended = ended_between(connection, midnight - timedelta(days=1), now)
    for key, states in (("unknown", (State.UNKNOWN,)), ("refused", (State.REFUSED, State.FAILED))):
        number = sum(ended.get(state, 0) for state in states)
        if number:
            found.append(language.count(f"today.note_{key}", number))
    return found


def _midnight(language: Language, at: datetime) -> datetime:
    return datetime.combine(language.local(at).date(), time(0), tzinfo=language.zone)


def _hour(language: Language, at: datetime) -> float:
    local = language.local(at)
    return local.hour + local.minute / 60
