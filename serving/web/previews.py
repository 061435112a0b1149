"""What exactly will this person read? The send path's own bytes, in a frame that can do nothing.

A frame is a document of its own address with its own policy: no scripts, no forms, no requests. The page around it
keeps the strict policy, which an inline document would have to share.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from markupsafe import Markup, escape

from records.errors import WordsError
from records.outreach import Outreach, find_outreach
from serving.rendering import Rendered, preview_slots
from serving.rendering import render as render_message
from serving.web.access import Signed
from serving.web.language import Language
from serving.web.site import Site, asset_bytes, part, site_of

router = APIRouter()
FRAME_HEADERS = {
    "Content-Security-Policy": "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "Referrer-Policy": "no-referrer",
}
WHATSAPP_BOLD = re.compile(r"\*(?=\S)([^*\n]+?)(?<=\S)\*")
FIRST_WORDS = 120
VIEWS = ("phone", "desktop", "text")


@dataclass(frozen=True, kw_only=True)
class Bubble:
    """One message in a chat, ours or the customer's."""

    text: Markup
    language: str
    time: str
    ours: bool
    buttons: tuple[str, ...] = ()
    footer: str = ""


def rendered(row: Outreach, channel: str | None = None) -> Rendered:
    """This outreach as it would be sent, on its own or on another channel. Raises WordsError."""
    website = row.variables.get("website", "https://example.invalid")
    return render_message(row.message, channel or row.channel, row.language, row.variables, preview_slots(website))


def first_words(row: Outreach) -> str:
    """The beginning of what the person reads: an e-mail's subject, else the text; why not, if it cannot be made."""
    try:
        found = rendered(row)
    except WordsError as error:
        return f"({error.message})"
    text = found.subject if row.channel == "email" else found.text
    return " ".join(text.replace("*", "").split())[:FIRST_WORDS]


def as_chat(text: str) -> Markup:
    """WhatsApp's own marks: *bold* and line breaks; everything else is plain."""
    return Markup(WHATSAPP_BOLD.sub(r"<b>\1</b>", str(escape(text.strip()))))  # noqa: S704  escaped before


def frame(content: str) -> Response:
    """A document for a sandboxed frame."""
    return HTMLResponse(content, headers=FRAME_HEADERS)


def email_frame(html: str) -> Response:
    """An e-mail as it is, its links opening beside the app."""
    head, tag, rest = html.partition("<head>")
    return frame(f'{head}{tag}<base target="_blank">{rest}' if tag else html)


def text_frame(request: Request, text: str, language: str) -> Response:
    """Plain words in a frame."""
    css = Markup(asset_bytes("frames.css").decode())  # noqa: S704  our own file
    return frame(part(request, "frame_text.html", css=css, text=text, language=language))


def chat_frame(request: Request, channel: str, bubbles: Sequence[Bubble], language: Language, day: str) -> Response:
    """A telephone with these messages on it."""
    company = site_of(request).home.settings.company
    css = Markup(asset_bytes("frames.css").decode())  # noqa: S704  our own file
    return frame(
        part(
            request,
            "frame_chat.html",
            css=css,
            channel=channel,
            bubbles=bubbles,
            day=day,
            brand=company.name,
            initial=(company.name_hi or company.name)[:1],
            t=language,
        )
    )


def bubble_of(row: Outreach, found: Rendered, language: Language) -> Bubble:
    """The message as a bubble."""
    return Bubble(
        text=as_chat(found.text) if found.channel == "whatsapp" else escape(found.text),
        language=row.language,
        time=language.time(row.sent_at or row.send_at),
        ours=True,
        buttons=tuple(button.label for button in found.buttons),
        footer=found.footer,
    )


@router.get("/outreach/{outreach_id}/preview/{channel}")
def preview(request: Request, outreach_id: str, channel: str, reviewer: Signed) -> Response:
    """One outreach on one channel, exactly as the sender would make it."""
    site: Site = site_of(request)
    with site.home.engine.connect() as connection:
        row = find_outreach(connection, outreach_id)
    if row is None:
        raise HTTPException(404)
    # Words on a phone are the customer's language, whatever the reviewer's.
    theirs = site.speak(row.language if row.language in ("en", "hi") else "en")
    try:
        found = rendered(row, channel)
    except WordsError as error:
        return text_frame(request, str(error), "en")
    view = request.query_params.get("view", VIEWS[0])
    if channel == "email" and view != "text":
        return email_frame(found.html or "")
    if channel == "email":
        return text_frame(request, found.text, row.language)
    return chat_frame(request, channel, [bubble_of(row, found, theirs)], theirs, str(theirs("days.today")))
