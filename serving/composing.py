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

    `/u/TOKEN` stops, `/m/TOKEN` is the settings page, `/c/TOKEN/LINK` counts a click and leads on to the website.
    """
    base = settings.sending.base_url.rstrip("/")
    click = make_token(secret, row.outreach_id, "click")
    return Slots(
        unsubscribe_url=f"{base}/u/{make_token(secret, row.outreach_id, 'unsubscribe')}",
        settings_url=f"{base}/m/{make_token(secret, row.outreach_id, 'settings')}",
        base_url=base,
        links={name: f"{base}/c/{click}/{name}" for name in message_files(row.message).meta.links},
    )


def rendered_row(row: Outreach, settings: Settings, secret: bytes) -> Rendered:
    """The words of this row as they go out; the preview uses the same function."""
    return render(row.message, row.channel, row.language, row.variables, slots_of(row, settings, secret))


def compose(row: Outreach, settings: Settings, secret: bytes, now: datetime) -> Message:
    """The finished message. Raises WordsError if a value may not be printed."""
    rendered = rendered_row(row, settings, secret)
    company = settings.company
    brand = company.name_hi if row.language == "hi" and company.name_hi else company.name
    email = row.channel == "email"
    raw = b""
    if email:
        raw = to_mime(
            rendered,
            from_name=brand,
            from_address=settings.sending.from_address,
            to_name=None,  # a name in the header adds nothing for the reader and much for an attacker
            to_address=row.address,
            reply_to=company.support_email,
            outreach_id=row.outreach_id,
            date=now,
        )
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
