"""May this message still go out, this very moment?

Two halves. `look_again` asks the events, live ones in the inbox included, about a handful of claimed rows at once,
outside any transaction: left, complaining, escalated, is what set it off still so? `may_go` runs inside the transaction
that fences one row and asks the database: consent, suppression, other messages, the hour, the words, and whether
anything at all has happened to this person since `look_again`; if so the row is let go and looked at again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine

from records.database import reading
from records.events import EventLog
from records.inbox import events_table
from records.ledger import gone_since, written_since
from records.live import Glance, glance, news_of
from records.outreach import Outreach
from records.people import load_permissions
from serving.binding import why_words_differ
from serving.candidates import month_began
from serving.plays import Play, Playbook
from serving.settings import Settings
from serving.standing import Standing, load_standing
from serving.timing import is_quiet
from serving.triggers import find, people_sql

# Events that say nothing about whether a message is still true: our own messages and what became of them.
_OURS = "message_"


@dataclass(frozen=True, kw_only=True)
class Look:
    """What the events said about the claimed rows, and which live events that answer already includes."""

    standing: Mapping[str, Standing]
    true: frozenset[str]  # outreach ids whose trigger still holds
    inbox: Glance  # the live events the answer already includes


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Go, or why not. `again`: let the row go, something happened meanwhile. `later`: not at this hour."""

    go: bool = False
    again: bool = False
    later: datetime | None = None
    reason: str = ""  # a key of serving.left_out.NOT_SENT


GO = Verdict(go=True)


def look_again(
    engine: Engine, log: EventLog, settings: Settings, playbook: Playbook, rows: Sequence[Outreach], now: datetime
) -> Look:
    """What do the events say now about the people of these rows?"""
    with reading(engine) as connection:
        live = glance(connection)
    true: set[str] = set()
    moment = now + timedelta(microseconds=1)  # what happened at this very instant counts
    with log.connection() as con:
        con.register("live_events", events_table(list(live.events)))
        # An event may be in both places for a moment; it must count once.
        known = f"select event_id from {log.relation_sql()} where event_id in (select event_id from live_events)"  # noqa: S608
        people_sql(con, "held", {row.customer_id for row in rows})
        # One scan of the log for these few people; every question below is then asked of a small table.
        con.execute(
            f"create temp table happened as select * from {log.relation_sql(until=moment)} "  # noqa: S608
            "where customer_id in (select customer_id from held) union all by name "
            "select * from live_events where customer_id in (select customer_id from held) "
            f"and event_id not in ({known})"
        )
        standing = load_standing(
            con, "happened", "held", as_of=moment, churn=settings.churn, escalated=playbook.nothing.escalated
        )
        for name in {row.play for row in rows}:
            play = playbook.play(name)
            mine = [row for row in rows if row.play == name]
            people = people_sql(con, f"held_{name}", {row.customer_id for row in mine})
            for way, trigger in enumerate(play.trigger):
                fits = find(con, "happened", trigger, way, as_of=moment, people=people, still=True)
                keys = {(fit.customer_id, None if trigger.nightly else fit.key) for fit in fits}
                true |= {
                    row.outreach_id
                    for row in mine
                    if (row.customer_id, None if trigger.nightly else row.trigger_key) in keys
                }
    return Look(standing=standing, true=frozenset(true), inbox=live)


def may_go(
    connection: Connection,
    row: Outreach,
    play: Play,
    look: Look,
    settings: Settings,
    customer_zone: ZoneInfo,
    now: datetime,
) -> Verdict:
    """The last check of one row, inside the transaction that fences it. The first thing that speaks against it wins."""
    if row.arm != "treated":
        return Verdict(reason="held_out")
    if row.expires_at <= now:
        return Verdict(reason="expired")
    if row.approved_by is None:
        return Verdict(reason="not_approved")
    # A service message may go to whom an offer may not: which of the two it is, the playbook says, not the row.
    if why_words_differ(row) is not None or (row.message, row.purpose) != (play.message, play.purpose):
        return Verdict(reason="words_changed")
    allowed, why = load_permissions(connection, [row.customer_id], now).may(row.customer_id, row.channel, row.purpose)
    if not allowed:
        return Verdict(reason=why)
    if any(not name.startswith(_OURS) for name in news_of(connection, row.customer_id, look.inbox)):
        return Verdict(again=True)
    if (reason := _against(row, play, look)) is not None:
        return Verdict(reason=reason)
    if row.cost_minor > settings.planning.budget_minor - gone_since(connection, month_began(settings, now)):
        return Verdict(reason="over_budget")
    if _heard_meanwhile(connection, row, play, settings, now):
        return Verdict(reason="heard_from_us")
    if is_quiet(now, (settings.planning.quiet_from, settings.planning.quiet_until), customer_zone):
        return Verdict(later=_quiet_until(now, settings, customer_zone))
    return GO


def _against(row: Outreach, play: Play, look: Look) -> str | None:
    standing = look.standing.get(row.customer_id, Standing())
    if standing.left_at is not None:
        return "left"
    if standing.escalated_at is not None and not play.even_if_escalated:
        return "just_escalated"
    if standing.open_ticket_since is not None and not play.even_with_open_ticket:
        return "open_complaint"
    return None if row.outreach_id in look.true else "not_true_any_more"


def _heard_meanwhile(connection: Connection, row: Outreach, play: Play, settings: Settings, now: datetime) -> bool:
    """Has another message of ours reached this person inside the cool-down, or, for an offer, another offer?"""
    person, own = row.customer_id, row.outreach_id
    if written_since(connection, person, now - timedelta(days=play.cool_down_days), besides=own):
        return True
    if play.purpose != "promotional":
        return False
    offers_from = now - timedelta(days=settings.planning.cool_down_days)
    return written_since(connection, person, offers_from, besides=own, purpose="promotional")


def _quiet_until(now: datetime, settings: Settings, customer_zone: ZoneInfo) -> datetime:
    local = now.astimezone(customer_zone)
    end = settings.planning.quiet_until
    day = local.date() if local.time() < end else local.date() + timedelta(days=1)
    return datetime.combine(day, end, customer_zone)
