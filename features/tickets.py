"""Which tickets were open, how long did they take, and which topic came again, as each cutoff knew it?"""

from __future__ import annotations

from typing import Any

from features.step import Step


def ticket_rows(events: Any) -> Any:
    """One row per opening or solution of a ticket."""
    opened = events.name == "support_ticket_opened"
    return events.select("code", "known_day", "day", "us", "ticket_id", "topic", "event_id", opened=opened)


def paired(rows: Any) -> Any:
    """One row per opening of a ticket and solution of it that came at or after (or none): when each became known."""
    opened = rows.filter(rows.opened).drop("opened")
    solved = rows.filter(~rows.opened & rows.ticket_id.notnull())
    solved = solved.select("code", "ticket_id", solved_us=solved.us, solved_day=solved.known_day)
    joined = opened.left_join(
        solved,
        [opened.code == solved.code, opened.ticket_id == solved.ticket_id, solved.solved_us >= opened.us],
    )
    return joined.select("code", "event_id", "us", "day", "known_day", "topic", "solved_us", "solved_day")


def tickets(rows: Any, cutoffs: Any, ages: Any) -> Any:
    """One row per customer and cutoff: open tickets, since when, time to solve, and repeated topics of 90 days."""
    import ibis

    pairs = paired(rows)
    seen = pairs.join(cutoffs, pairs.known_day < cutoffs.cutoff_day)
    solved_us = ibis.ifelse(seen.solved_day < seen.cutoff_day, seen.solved_us, ibis.null("int64"))
    one = (
        seen.mutate(solved_us=solved_us)
        .group_by("code", "cutoff_day", "event_id")
        .agg(
            us=lambda t: t.us.min(),
            day=lambda t: t.day.min(),
            topic=lambda t: t.topic.min(),
            solved_us=lambda t: t.solved_us.min(),
        )
    )
    age = one.cutoff_day - one.day
    took = one.solved_us - one.us
    year = one.solved_us.notnull() & (age <= 365)
    facts = one.group_by("code", "cutoff_day").agg(
        tickets_open=one.solved_us.isnull().sum().cast("int32"),
        ticket_open_since=one.us.min(where=one.solved_us.isnull()),
        tickets_solved=year.sum().cast("int32"),
        ticket_solving_us=took.sum(where=year).cast("decimal(38, 0)"),
        ticket_slowest_us=took.max(where=year),
    )
    quarter = one.filter((age <= 90) & one.topic.notnull())
    topics = quarter.group_by("code", "cutoff_day", "topic").agg(n=quarter.count().cast("int32"))
    repeats = topics.group_by("code", "cutoff_day").agg(
        ticket_repeats=topics.n.max(), ticket_topics=topics.count().cast("int32")
    )
    return facts.left_join(repeats, ["code", "cutoff_day"]).drop("code_right", "cutoff_day_right")


STEPS = (
    Step(
        name="tickets",
        events=("support_ticket_opened", "support_ticket_solved"),
        rows=ticket_rows,
        at=tickets,
        counts=("tickets_open", "tickets_solved", "ticket_solving_us", "ticket_repeats", "ticket_topics"),
        values=("ticket_open_since", "ticket_slowest_us"),
    ),
)
