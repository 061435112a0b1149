"""How does one message leave the house? Each channel takes a finished message and says what became of it.

A channel knows nothing of customers' scores, of records or of templates; adding one is one file. Whatever goes wrong
inside it comes out as `ChannelError`: `permanent` says whether another try can help, `sent` whether the provider may
already have the message ("no" or "unknown"). A simulated home can only ever get the outbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from serving.settings import SendingOptions

CHANNELS = ("email", "whatsapp", "sms")


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message, ready to go."""

    outreach_id: str
    channel: str  # email, whatsapp, sms
    to: str  # e-mail address or telephone number
    sender: str  # e-mail address, or the name shown above a chat
    text: str
    raw: bytes = b""  # e-mail only: the whole message as it leaves, headers included
    buttons: tuple[Mapping[str, str], ...] = ()  # WhatsApp: {"label", "url"}; without url it answers
    footer: str = ""  # WhatsApp: how to stop
    language: str = "en"
    date: datetime


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The next server has it: `provider_id` is its name for the message."""

    provider: str
    provider_id: str


class Channel(Protocol):
    """A way out. `live` is true if a real person may receive what is delivered."""

    @property
    def live(self) -> bool: ...

    def deliver(self, message: Message) -> Receipt:
        """Hand the message on, once. Raises ChannelError."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


def reachable(options: SendingOptions, *, simulated: bool) -> tuple[str, ...]:
    """On which channels can this home write? Where a mail server is configured, only on those that really leave."""
    return CHANNELS if simulated or not options.smtp_host else ("email",)


def open_channels(options: SendingOptions, outbox: Path, *, simulated: bool) -> dict[str, Channel]:
    """The channels of this home by name. A simulated home gets the outbox whatever its settings say."""
    from serving.channels.outbox import Outbox
    from serving.channels.smtp import Smtp

    if simulated or not options.smtp_host:
        return {name: Outbox(outbox) for name in CHANNELS}
    return {
        "email": Smtp(
            host=options.smtp_host,
            port=options.smtp_port,
            user=options.smtp_user,
            password=options.password(),
            starttls=options.smtp_starttls,
        )
    }
