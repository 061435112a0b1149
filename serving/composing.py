"""What does a channel get for this row: the approved words, with this outreach's own links in the slots?"""

from __future__ import annotations

from datetime import datetime

from records.outreach import Outreach
from serving.channels import Message
from serving.message_files import message_files
from serving.mime import to_mime
from serving.rendering import Rendered, Slots, render
from serving.settings import Settings
from serving.tokens import make_token


def slots_of(row: Outreach, settings: Settings, secret: bytes) -> Slots:
    """The addresses that differ from send to send. Each carries a signed token, and nothing about the person.

    `/u/TOKEN` stops, `/m/TOKEN` is the settings page, `/c/TOKEN/LINK` counts a click and leads on to the website;
    `/o/TOKEN` is the point in an e-mail that says it was shown.
    """
    base = settings.sending.base_url.rstrip("/")
    click = make_token(secret, row.outreach_id, "click")
    return Slots(
        unsubscribe_url=f"{base}/u/{make_token(secret, row.outreach_id, 'unsubscribe')}",
        settings_url=f"{base}/m/{make_token(secret, row.outreach_id, 'settings')}",
        base_url=base,
        links={name: f"{base}/c/{click}/{name}" for name in message_files(row.message).meta.links},
        open_url=f"{base}/o/{make_token(secret, row.outreach_id, 'open')}",
    )


def rendered_row(row: Outreach, settings: Settings, secret: bytes) -> Rendered:
    """The words of this row as they go out; the preview uses the same function."""
    return render(row.message, row.channel, row.language, row.variables, slots_of(row, settings, secret))


def brand_name(settings: Settings, language: str) -> str:
    """The company's name as it is written in this language."""
    company = settings.company
    return company.name_hi if language == "hi" and company.name_hi else company.name


def mail_bytes(rendered: Rendered, to: str, settings: Settings, outreach_id: str, date: datetime) -> bytes:
    """The e-mail as it leaves. Raises WordsError if it would not arrive as meant."""
    return to_mime(
        rendered,
        from_name=brand_name(settings, rendered.language),
        from_address=settings.sending.from_address,
        to_name=None,  # a name in the header adds nothing for the reader and much for an attacker
        to_address=to,
        reply_to=settings.company.support_email,
        outreach_id=outreach_id,
        date=date,
    )


def compose(row: Outreach, settings: Settings, secret: bytes, now: datetime) -> Message:
    """The finished message. Raises WordsError if a value may not be printed."""
    rendered = rendered_row(row, settings, secret)
    brand = brand_name(settings, row.language)
    email = row.channel == "email"
    raw = mail_bytes(rendered, row.address, settings, row.outreach_id, now) if email else b""
    return Message(
        outreach_id=row.outreach_id,
        channel=row.channel,
        to=row.address,
        sender=settings.sending.from_address if email else brand,
        text=rendered.text,
        raw=raw,
        buttons=tuple({"label": button.label, "url": button.url or ""} for button in rendered.buttons),
        footer=rendered.footer,
        language=row.language,
        date=now,
    )
