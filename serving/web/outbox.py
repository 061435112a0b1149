"""What did customers receive? A mailbox and a telephone, and in a simulated company a way to answer in their place."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from markupsafe import Markup, escape
from sqlalchemy import Connection

from records.letters import Letter, chat, count_letters, letters, live_events, next_send
from records.outreach import Outreach, find_outreach
from serving.web.access import Form, Signed
from serving.web.language import Language
from serving.web.previews import Bubble, as_chat, chat_frame, email_frame, text_frame
from serving.web.site import Site, render, site_of
from serving.web.wording import channel_words, state_words

router = APIRouter()
CHANNELS = ("whatsapp", "email", "sms")
SIZE = 30
REPLY_LIMIT = 1_000
OPENED = re.compile(r"<img\b[^>]*/o/[^>]*>")


@dataclass(frozen=True, kw_only=True)
class Received:
    """One message as its file in the outbox has it."""

    subject: str
    text: str
    html: str | None
    sender: str
    to: str
    stop: str | None  # path on this app that stops these messages
    buttons: tuple[Mapping[str, str], ...] = ()
    footer: str = ""


def received(site: Site, row: Outreach) -> Received | None:
    """Read a message's file; None if it is not (or no longer) there."""
    name = quote(row.outreach_id, safe="")
    ending = "eml" if row.channel == "email" else "json"
    file: Path = site.home.outbox / row.channel / f"{name}.{ending}"
    try:
        content = file.read_bytes()
    except OSError:
        return None
    return _mail(site, content) if ending == "eml" else _text(content)


def _mail(site: Site, content: bytes) -> Received:
    found = message_from_bytes(content, policy=policy.default)
    if not isinstance(found, EmailMessage):
        raise TypeError
    html, text = found.get_body(("html",)), found.get_body(("plain",))
    stop = str(found.get("List-Unsubscribe", "")).strip("<> ")
    return Received(
        subject=str(found.get("Subject", "")),
        text=text.get_content() if text else "",
        html=_here(site, html.get_content()) if html else None,
        sender=str(found.get("From", "")),
        to=str(found.get("To", "")),
        stop=urlsplit(stop).path if urlsplit(stop).path.startswith("/u/") else None,
    )


def _here(site: Site, html: str) -> str:
    """The mail with its own links led to where this app really listens: a taken port may have moved it.

    Without the point that says it was opened: who reads it here is not the customer.
    """
    html = OPENED.sub("", html)
    base = site.home.settings.sending.base_url.rstrip("/")
    return html.replace(base + "/", site.base_url.rstrip("/") + "/") if site.simulated else html


def _text(content: bytes) -> Received:
    found: dict[str, Any] = json.loads(content)
    return Received(
        subject="",
        text=str(found.get("text", "")),
        html=None,
        sender=str(found.get("sender", "")),
        to=str(found.get("to", "")),
        stop=None,
        buttons=tuple(found.get("buttons", ())),
        footer=str(found.get("footer", "")),
    )


@router.get("/outbox")
def outbox(request: Request, reviewer: Signed) -> Response:
    """Everything that left, by channel, and one of them open."""
    site, values = site_of(request), request.query_params
    language, now, moved = site.language(request), site.now(), values.get("moved", "")[:9]
    with site.home.engine.connect() as connection:
        number = count_letters(connection)
        channel = values.get("channel") or next((one for one in CHANNELS if number.get(one)), CHANNELS[0])
        if channel not in CHANNELS:
            raise HTTPException(404)
        found = letters(connection, (channel,), size=SIZE + 1, before=values.get("before"))
        row = find_outreach(connection, values["open"]) if values.get("open") else None
        if row is not None and row.channel != channel:
            row = None
        shown = row or (found[0].outreach if found else None)
        answers = _answers(site, connection, shown) if shown else []
        following = next_send(connection, now)
    people = {letter.outreach.outreach_id: letter.name for letter in found}
    file = received(site, shown) if shown else None
    return render(
        request,
        "outbox.html",
        language=language,
        now=now,
        channel=channel,
        tabs=[(one, channel_words(one, language), number.get(one, 0)) for one in CHANNELS],
        letters=[_line(site, letter, language, now) for letter in found[:SIZE]],
        older=found[SIZE - 1].outreach.outreach_id if len(found) > SIZE else None,
        row=shown,
        opened=row is not None,
        name=_name(site, shown, people) if shown else "",
        file=file,
        state=state_words(shown.state, language) if shown else "",
        answers=answers,
        following=following,
        moved=int(moved) if moved.isdecimal() else None,
    )


def _name(site: Site, row: Outreach, people: Mapping[str, str | None]) -> str:
    if row.outreach_id in people:
        return people[row.outreach_id] or row.customer_id
    from records.people import find_customers

    found = find_customers(site.home.engine, [row.customer_id]).get(row.customer_id)
    return (found.name if found else None) or row.customer_id


def _line(site: Site, letter: Letter, language: Language, now: datetime) -> dict[str, Any]:
    """One line of the mailbox."""
    file = received(site, letter.outreach)
    words = (file.subject or file.text) if file else ""
    return {
        "id": letter.outreach.outreach_id,
        "name": letter.name or letter.outreach.customer_id,
        "words": " ".join(words.replace("*", "").split())[:120],
        "time": language.when(letter.at, now),
        "unsure": letter.outreach.state in ("unknown", "failed"),
        "state": state_words(letter.outreach.state, language),
    }


def _answers(site: Site, connection: Connection, row: Outreach) -> list[tuple[datetime, str]]:
    """What this person wrote back on this channel, oldest first."""
    return [
        (datetime.fromisoformat(str(event["occurred_at"])), str(event.get("text") or ""))
        for event in live_events(connection, row.customer_id, "message_replied")
        if event.get("channel") == row.channel
    ]


@router.get("/outbox/{outreach_id}/frame")
def letter_frame(request: Request, outreach_id: str, reviewer: Signed) -> Response:
    """The message as it arrived: the mail itself, or the telephone with everything on this channel."""
    site = site_of(request)
    with site.home.engine.connect() as connection:
        row = find_outreach(connection, outreach_id)
        if row is None:
            raise HTTPException(404)
        talk = chat(connection, row.customer_id, row.channel) if row.channel != "email" else []
        answers = _answers(site, connection, row)
    theirs = site.speak(row.language if row.language in ("en", "hi") else "en")
    if row.channel == "email":
        file = received(site, row)
        if file is None:
            return text_frame(request, str(theirs("outbox.lost")), theirs.code)
        return email_frame(file.html) if file.html else text_frame(request, file.text, row.language)
    said: list[tuple[datetime, Bubble]] = []
    for letter in talk:
        file = received(site, letter.outreach)
        if file is not None:
            said.append((letter.at, _bubble(letter, file, theirs)))
    for at, text in answers:
        bubble = Bubble(text=escape(text), language=row.language, time=theirs.time(at), ours=False)
        said.append((at, bubble))
    said.sort(key=lambda one: one[0])
    day = theirs.day(said[0][0]) if said else ""
    return chat_frame(request, row.channel, [bubble for _, bubble in said], theirs, day)


def _bubble(letter: Letter, file: Received, theirs: Language) -> Bubble:
    row = letter.outreach
    return Bubble(
        text=as_chat(file.text) if row.channel == "whatsapp" else Markup(escape(file.text)),  # noqa: S704  escaped
        language=row.language,
        time=theirs.time(letter.at),
        ours=True,
        buttons=tuple(str(button.get("label", "")) for button in file.buttons),
        footer=file.footer,
    )


@router.post("/outbox/reply")
def reply(request: Request, reviewer: Signed, form: Form) -> Response:
    """Answer in the customer's place; only simulated customers can be spoken for."""
    from serving.feedback import receive_reply

    site = site_of(request)
    if not site.simulated:
        raise HTTPException(404)
    text = str(form.get("text", "")).strip()[:REPLY_LIMIT]
    with site.home.engine.connect() as connection:
        row = find_outreach(connection, str(form.get("id", "")))
    if row is None:
        raise HTTPException(404)
    if text:
        now = site.now()
        receive_reply(site.home.engine, channel=row.channel, text=text, at=now, now=now, customer_id=row.customer_id)
    return RedirectResponse(f"/outbox?channel={row.channel}&open={quote(row.outreach_id)}", 303)


@router.post("/outbox/clock")
def move_clock(request: Request, reviewer: Signed, form: Form) -> Response:
    """Let the hour of the next messages come in a simulated company, and send what is due."""
    from serving import home as homes
    from serving import jobs

    site = site_of(request)
    if not site.simulated:
        raise HTTPException(404)
    now = site.now()
    with site.home.engine.connect() as connection:
        following, before = next_send(connection, now), count_letters(connection)
    if following is None:
        return RedirectResponse("/outbox", 303)
    if following.at > now:
        homes.move_clock(site.home, following.at, site.wall())
    jobs.send(site.home, site.now(), "web")
    with site.home.engine.connect() as connection:
        went = sum(count_letters(connection).values()) - sum(before.values())
    return RedirectResponse(f"/outbox?moved={went}", 303)
