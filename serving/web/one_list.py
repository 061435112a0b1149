"""Who is on this list, why, with which words, and what does it cost? One list, a tab and a filter at a time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request, Response
from sqlalchemy import Connection
from starlette.datastructures import QueryParams

from records.browsing import Counts, counts, find_list, left_out_by_reason, left_out_page
from records.outreach import Outreach, OutreachList
from records.paging import TABS, Filter, ListRow, Order, Page, Selection, Tab, page, selection
from records.review_queries import (
    assumed_saves,
    choices,
    last_decision,
    last_moves,
    list_before,
    new_and_gone,
    rows_by_id,
    urgent,
)
from serving.left_out import REASONS, detail_hi, mend_largest
from serving.model_versions import churn_of
from serving.playbook import Playbook
from serving.web.access import Signed
from serving.web.language import Language
from serving.web.lists import UNDO_MARGIN
from serving.web.previews import first_words
from serving.web.site import render, site_of
from serving.web.wording import channel_words, left_out_one, left_out_words, reason_sentence, state_words, topic_words
from training.definitions import definitions
from training.labels import Bands, ChurnOptions

router = APIRouter()
SIZE = 25
TAB_NAMES = ("waiting", "approved", "declined", "left", "comparison", "all")
ORDERS = ("risk", "time", "cost")
BANDS = ("high", "medium", "low")
FIELDS = ("tab", "q", "message", "risk", "channel", "topic", "sort")
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
MOST_DONE = 10  # rows decided one by one stay in sight, the last so many


def chosen_filter(list_id: str, values: QueryParams | Any) -> Filter:
    """The filter an address or a form asks for; unknown words do not narrow."""
    tab = str(values.get("tab", "waiting"))
    band = str(values.get("risk", ""))
    return Filter(
        list_id=list_id,
        tab=cast(Tab, tab if tab in TABS else "waiting"),
        play=str(values.get("message", "")) or None,
        band=band if band in BANDS else None,
        channel=str(values.get("channel", "")) or None,
        topic=str(values.get("topic", "")) or None,
        text=str(values.get("q", ""))[:100],
    )


def chosen_order(values: QueryParams | Any) -> Order:
    sort = str(values.get("sort", "risk"))
    return cast(Order, sort if sort in ORDERS else "risk")


@dataclass(frozen=True)
class Address:
    """The address of this list with its filter; `with_` changes some fields and drops the place in the pages."""

    list_id: str
    fields: dict[str, str]

    def with_(self, **changed: str | None) -> str:
        kept = {**self.fields, **changed}
        query = urlencode({key: value for key, value in kept.items() if value and (key, value) != ("tab", "waiting")})
        return f"/lists/{self.list_id}" + (f"?{query}" if query else "")


def address_of(list_id: str, values: QueryParams | Any) -> Address:
    return Address(list_id, {name: str(values[name])[:100] for name in FIELDS if values.get(name)})


@router.get("/lists/{list_id}")
def one_list(request: Request, list_id: str, reviewer: Signed) -> Response:
    """One tab of one list."""
    site, values = site_of(request), request.query_params
    language, now = site.language(request), site.now()
    tab = values.get("tab", "waiting")
    tab = tab if tab in TAB_NAMES else "waiting"
    chosen, order, address = chosen_filter(list_id, values), chosen_order(values), address_of(list_id, values)
    with site.home.engine.connect() as connection:
        the_list = find_list(connection, list_id)
        if the_list is None:
            raise HTTPException(404)
        shared = _head(connection, the_list, site.playbook, language, now)
        shared |= {"tab": tab, "address": address, "chosen": chosen, "language": language, "now": now}
        if tab == "left":
            return _left_out(request, connection, list_id, language, shared)
        found = page(connection, chosen, order=order, size=SIZE, after=values.get("after"), before=values.get("before"))
        options = choices(connection, list_id, chosen.tab)
        picked = selection(connection, chosen) if tab == "waiting" else None
        done = values.getlist("done")[-MOST_DONE:]
        rows = _with_decided(connection, found, done, order) if tab == "waiting" else list(found.rows)
        moves = last_moves(connection, [row.outreach.outreach_id for row in rows])
    return render(
        request,
        "list.html",
        page=found,
        rows=[_shown(row, moves, chosen, reviewer.name, language, site.home.settings.churn) for row in rows],
        options=options,
        picked=picked,
        scope=_scope(values.get("pick"), picked, found),
        order=order,
        done=done,
        horizon=common_horizon(site.home.settings.churn),
        issue_horizon=site.home.settings.issues.horizon_days,
        channel_words=lambda channel: channel_words(channel, language),
        topic_words=lambda topic: topic_words(topic, language),
        **shared,
    )


def _head(
    connection: Connection, the_list: OutreachList, playbook: Playbook, language: Language, now: datetime
) -> dict[str, Any]:
    """What stands above every tab: figures, tabs with their counts, and what can be taken back."""
    number = counts(connection, the_list.list_id)
    undo = last_decision(connection, the_list.list_id, now)
    return {
        "the_list": the_list,
        "tabs": _tabs(number),
        "counts": number,
        "summary": _summary(connection, the_list, number, playbook, language, now),
        "undo": undo,
        "undo_list": the_list.list_id,
        "undo_until": undo.first_send_at - UNDO_MARGIN if undo else now,
    }


def _tabs(number: Counts) -> list[tuple[str, int]]:
    by_name = {
        "waiting": number.waiting,
        "approved": number.approved,
        "declined": number.declined,
        "left": number.left_out,
        "comparison": number.comparison,
        "all": number.all,
    }
    return list(by_name.items())


def _scope(wanted: str | None, picked: Selection | None, found: Page) -> str:
    """What is ticked when the page opens: everyone the filter holds, those on this page, or nobody."""
    if picked is None or not picked.count or not found.rows:
        return "none"
    return wanted if wanted in ("page", "none") else "all"


def _with_decided(connection: Connection, found: Page, done: Sequence[str], order: Order) -> list[ListRow]:
    """The rows of the page, and those just decided at the place they had."""
    present = {row.outreach.outreach_id for row in found.rows}
    extra = rows_by_id(connection, [one for one in done if one not in present]) if done else []
    rows = [*found.rows, *extra]

    def key(row: ListRow) -> tuple[Any, str]:
        o = row.outreach
        risk = -1.0 if o.churn_probability is None else o.churn_probability
        return ({"risk": risk, "time": o.send_at, "cost": o.cost_minor}[order], o.outreach_id)

    return sorted(rows, key=key, reverse=order != "time")


def _shown(
    row: ListRow,
    moves: dict[str, tuple[datetime, str]],
    chosen: Filter,
    me: str,
    language: Language,
    churn: ChurnOptions,
) -> dict[str, Any]:
    """One row as the template needs it."""
    o, mine = row.outreach, churn_of(row.version, churn)
    at, who = moves.get(o.outreach_id, (o.updated_at, ""))
    topic = o.topics[0] if o.topics else None
    return {
        "o": o,
        "name": row.name or o.customer_id,
        "city": row.city,
        "band": row.band or band_of(o, mine.bands),
        "bands": mine.bands,
        "horizon": mine.horizon_days,
        "reasons": [(reason, reason_sentence(reason, language)) for reason in o.reasons[:3]],
        "topic": topic_words(topic["topic"], language) if topic else None,
        "share": topic["probability"] if topic else 0.0,
        "words": first_words(o),
        "channel": channel_words(o.channel, language),
        "decided": chosen.tab == "waiting" and o.state != "planned",
        "state": state_words(o.state, language),
        "at": at,
        "who": who,
        "mine": who == me,
    }


def band_of(o: Outreach, bands: Bands) -> str | None:
    """The band of a row whose score is gone; None for a play that needed none."""
    return None if o.churn_probability is None else bands.of(o.churn_probability)


def common_horizon(churn: ChurnOptions) -> int | None:
    """How many days ahead every definition looks; None where they differ."""
    found = {one.horizon_days for one in definitions(churn).values()}
    return found.pop() if len(found) == 1 else None


def _summary(
    connection: Connection,
    the_list: OutreachList,
    number: Counts,
    playbook: Playbook,
    language: Language,
    now: datetime,
) -> dict[str, Any]:
    """The line of figures below the title."""
    treated = assumed_saves(connection, the_list.list_id)
    everyone = selection(connection, replace(Filter(list_id=the_list.list_id), tab="all"))
    costs = [
        selection(connection, Filter(list_id=the_list.list_id, tab=tab)).cost_minor for tab in ("waiting", "approved")
    ]
    hope: dict[str, float] = {}
    windows = []
    for play in playbook.plays:
        if people := treated.get(play.name):
            hope[play.outcome.kind] = hope.get(play.outcome.kind, 0.0) + people * play.assumed_effect
            if play.comparison:
                windows.append(play.outcome.window_days)
    before = list_before(connection, the_list.list_id)
    return {
        "people": sum(treated.values()),
        "plays": len(treated),
        "channels": len(everyone.by_channel),
        "cost": sum(costs),
        "hope": [(kind, round(figure)) for kind, figure in hope.items() if round(figure)],
        "measured": the_list.planned_at + timedelta(days=min(windows)) if windows else None,
        "comparison": number.comparison,
        "since": new_and_gone(connection, the_list.list_id, before) if before else None,
        "urgent": urgent(connection, the_list.list_id, the_list.decide_by) if number.waiting else None,
        "left": the_list.decide_by - now,
    }


def _left_out(
    request: Request, connection: Connection, list_id: str, language: Language, shared: dict[str, Any]
) -> Response:
    """People who fit a message and do not get it, and why."""
    values = request.query_params
    by_reason = left_out_by_reason(connection, list_id)
    reason = values.get("reason") if values.get("reason") in by_reason else None
    people = left_out_page(connection, list_id, reason=reason, size=SIZE + 1, after=values.get("after"))
    site = site_of(request)
    return render(
        request,
        "left_out.html",
        people=[person | {"detail": _detail(person, language, shared["now"])} for person in people[:SIZE]],
        next=people[SIZE - 1]["customer_id"] if len(people) > SIZE else None,
        started=bool(values.get("after")),
        total=by_reason[reason] if reason else sum(by_reason.values()),
        by_reason=[(code, left_out_words(code, language), n) for code, n in by_reason.items()],
        reason=reason,
        said=lambda code: left_out_one(code, language),
        command=_mend(by_reason, language),
        titled=lambda play: site.title(play, language),
        **shared,
    )


def _mend(by_reason: Mapping[str, int], language: Language) -> str:
    """How the largest group that can be reached would be, after how many and who they are."""
    found = mend_largest(by_reason)
    if found is None:
        return ""
    number = max(count for code, count in by_reason.items() if REASONS[code] is found)
    who, how = (found.hi, found.mend_hi) if language.code == "hi" else (found.en, found.mend)
    return f"{language.number(number)} {who}. {how}"


def _detail(person: Mapping[str, Any], language: Language, now: datetime) -> str:
    """What was written beside the reason, as people say it."""
    if person["reason"] == "not_sure":
        return str(language("list.perhaps", topic=topic_words(str(person["detail"]), language)))
    return _days(person["detail"], language, now)


def _days(detail: str | None, language: Language, now: datetime) -> str:
    """The detail with its dates as people write them."""

    def day(found: re.Match[str]) -> str:
        return language.day(datetime.fromisoformat(found[0]).replace(hour=12, tzinfo=language.zone), now)

    said = detail or ""
    return ISO_DATE.sub(day, detail_hi(said) if language.code == "hi" else said)
