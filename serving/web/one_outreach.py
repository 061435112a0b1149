"""Why this person, why this message, is it allowed, and what exactly will be read?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request, Response
from markupsafe import Markup
from starlette.datastructures import QueryParams

from records import audit
from records.browsing import find_list, history
from records.errors import WordsError
from records.outreach import Outreach, State, find_outreach
from records.paging import neighbours, position_of
from records.people import Permissions, find_customers, load_permissions
from records.review_queries import LOOKED_AT, has_looked_at, openings, passed_over_for
from records.scores import score_by_id
from serving.channels import CHANNELS
from serving.message_files import message_files
from serving.model_versions import churn_of
from serving.playbook import Playbook
from serving.rendering import Rendered
from serving.web.access import Signed
from serving.web.language import Language
from serving.web.one_list import address_of, band_of, chosen_filter, chosen_order
from serving.web.previews import VIEWS, rendered
from serving.web.site import render, site_of
from serving.web.wording import channel_words, left_out_one, reason_sentence, state_words, topic_words

router = APIRouter()
TOPICS_SHOWN = 3


@router.get("/outreach/{outreach_id}")
def one_outreach(request: Request, outreach_id: str, reviewer: Signed) -> Response:
    """Everything about one planned message on one page."""
    site = site_of(request)
    language, now, values = site.language(request), site.now(), request.query_params
    with site.home.engine.connect() as connection:
        row = find_outreach(connection, outreach_id)
        the_list = find_list(connection, row.list_id) if row else None
        if row is None or the_list is None:
            raise HTTPException(404)
        wanted, order = chosen_filter(row.list_id, values), chosen_order(values)
        position, total = position_of(connection, wanted, outreach_id, order)
        before, after = neighbours(connection, wanted, outreach_id, order)
        moves = history(connection, outreach_id)
        opened = openings(connection, outreach_id)
        others = passed_over_for(connection, row.list_id, row.customer_id)
        customer = find_customers(connection, [row.customer_id]).get(row.customer_id)
        agreed = load_permissions(connection, [row.customer_id], now)
        score = score_by_id(connection, row.score_id) if row.score_id else None
        new_reader = not has_looked_at(connection, reviewer.name, outreach_id)
    if new_reader and row.state == State.PLANNED:
        # The confirmation counts which messages a person has read; this is a log line, not a change of anything.
        audit.record(site.home.engine, now, reviewer.name, LOOKED_AT, outreach_id, {"list": row.list_id})
    address = address_of(row.list_id, values)
    query = urlencode(address.fields)
    waits = row.state == State.PLANNED
    churn = churn_of(score.model_version if score else None, site.home.settings.churn)
    return render(
        request,
        "outreach.html",
        language=language,
        now=now,
        o=row,
        the_list=the_list,
        customer=customer,
        name=customer.name if customer and customer.name else row.customer_id,
        city=customer.city if customer else None,
        band=score.band if score else band_of(row, churn.bands),
        bands=churn.bands,
        horizon=churn.horizon_days,
        reasons=[(reason, reason_sentence(reason, language)) for reason in row.reasons],
        topics=[(topic_words(t["topic"], language), t["probability"]) for t in row.topics[:TOPICS_SHOWN]],
        checks=[_check(check, row, language, now) for check in row.checks],
        others=_others(others, row, site.playbook, language),
        history=_history(moves, opened, row, language, now),
        address=address,
        position=position,
        total=total,
        before=f"/outreach/{before}" + (f"?{query}" if query else "") if before else None,
        after=f"/outreach/{after}" + (f"?{query}" if query else "") if after else None,
        state=state_words(row.state, language),
        why_state=_why_state(row, language),
        may_approve=waits and the_list.decide_by > now and _try_render(row, row.channel)[1] is None,
        too_late=waits and the_list.decide_by <= now,
        **_preview(row, agreed, language, values, address.fields),
    )


def _preview(
    row: Outreach, agreed: Permissions, language: Language, values: QueryParams, fields: Mapping[str, str]
) -> dict[str, Any]:
    """Which channel is shown, in which view, and what can be chosen instead."""
    channel = values.get("channel_shown", row.channel)
    channel = channel if channel in CHANNELS else row.channel
    shown, problem = _try_render(row, channel)
    return {
        "tabs": _channels(row, agreed, language, channel, fields),
        "channel": channel,
        "view": values.get("view") if values.get("view") in VIEWS else VIEWS[0],
        "views": [(view, _here(row, fields, channel_shown=channel, view=view)) for view in VIEWS],
        "shown": shown,
        "problem": problem,
    }


def _try_render(row: Outreach, channel: str) -> tuple[Rendered | None, str | None]:
    try:
        return rendered(row, channel), None
    except WordsError as error:
        return None, str(error)


def _here(row: Outreach, fields: Mapping[str, str], **changed: str) -> str:
    return f"/outreach/{row.outreach_id}?{urlencode({**fields, **changed})}"


def _check(check: Mapping[str, Any], row: Outreach, language: Language, now: datetime) -> dict[str, Any]:
    """One check as shown: done, or once more at the send."""
    again = check.get("when") not in (None, "", "planned", "done", "plan")
    detail = check.get("detail") or ""
    if again:
        detail = language("outreach.checked_again", time=language.when(row.send_at, now))
    return {"said": check.get(language.code) or check.get("en") or "", "again": again, "detail": detail}


def _others(
    passed: list[tuple[str, str, str | None]], row: Outreach, playbook: Playbook, language: Language
) -> list[tuple[str, Markup | str, bool]]:
    """This message and its reason first, then those this person might have got instead."""
    found: list[tuple[str, Markup | str, bool]] = []
    reasons = {play: left_out_one(code, language) for play, code, _ in passed}
    for play in playbook.plays:
        if play.name == row.play:
            found.insert(0, (play.title[language.code], play.why[language.code], True))
        elif play.name in reasons:
            found.append((play.title[language.code], reasons[play.name], False))
    fits_not = [play for play in playbook.plays if play.name != row.play and play.name not in reasons]
    if fits_not:
        titles = ", ".join(play.title[language.code] for play in fits_not)
        found.append((str(language("outreach.all_others")), language("outreach.fits_not", plays=titles), False))
    return found


def _history(
    moves: list[dict[str, Any]], opened: list[tuple[datetime, str]], row: Outreach, language: Language, now: datetime
) -> list[tuple[datetime, Markup, bool]]:
    """Everything that happened to this outreach, and what would come next; the last is true for "not yet"."""
    lines = [(at, language("history.opened", who=who), False) for at, who in opened]
    for move in moves:
        who = str(move["actor"])
        job = who.startswith("job:") or "plann" in who
        key = f"history.{'planned' if move['from_state'] is None else move['to_state']}"
        words = language.either(key, str(move["to_state"]))
        if move["reason"] == "undo":
            words = language("history.undone")
        said = words if job else Markup("<b>{}</b> {}").format(who, words)
        if move["reason"] and move["reason"] != "undo":
            said += Markup(" · {}").format(_reason(str(move["reason"]), language))
        lines.append((move["at"], said, False))
    lines.sort(key=lambda line: line[0])
    if row.state in (State.PLANNED, State.APPROVED, State.QUEUED):
        key = "history.would_go" if row.state == State.PLANNED else "history.will_go"
        lines.append((row.send_at, language(key), True))
    return lines


def _reason(code: str, language: Language) -> Markup | str:
    from serving.left_out import NOT_SENT

    # A row keeps the words and not the code: it must be readable without this program.
    known = NOT_SENT.get(code) or next((one for one in NOT_SENT.values() if one.en == code), None)
    return (known.hi_one if language.code == "hi" else known.en) if known else code


def _why_state(row: Outreach, language: Language) -> Markup | str:
    return _reason(row.reason, language) if row.reason and row.reason != "undo" else ""


def _channels(
    row: Outreach, agreed: Permissions, language: Language, current: str, fields: Mapping[str, str]
) -> list[dict[str, Any]]:
    """A tab per channel: its own first, those agreed to as links, the others with the reason."""
    written = message_files(row.message).meta.channels
    found = []
    for channel in sorted(CHANNELS, key=lambda one: (one != row.channel, CHANNELS.index(one))):
        allowed, _ = agreed.may(row.customer_id, channel, row.purpose)
        why = None
        if channel != row.channel and not allowed:
            why = language("outreach.not_agreed")
        elif channel not in written:
            why = language("outreach.not_written")
        found.append(
            {
                "name": channel_words(channel, language),
                "why": why,
                "current": channel == current,
                "link": _here(row, fields, channel_shown=channel),
            }
        )
    return found
