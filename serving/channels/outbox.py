"""Where do messages go when nobody real should get them? Into a folder: one file per message, shown in the web app.

The file appears whole or not at all (written aside, fsynced, then linked to its name), and a name is never written
twice: a second hand-over of the same outreach is refused as "may have arrived".
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from records.errors import ChannelError
from serving.channels import Message, Receipt


@dataclass(frozen=True)
class Outbox:
    """`<folder>/<channel>/<outreach_id>.eml` for e-mail, `.json` for the others."""

    folder: Path

    @property
    def live(self) -> bool:
        return False

    def deliver(self, message: Message) -> Receipt:
        """Write the message to its file."""
        ending, content = ("eml", message.raw) if message.channel == "email" else ("json", as_json(message))
        name = f"{quote(message.outreach_id, safe='')}.{ending}"
        place = self.folder / message.channel
        aside = place / f".{name}.{os.getpid()}"
        try:
            place.mkdir(parents=True, exist_ok=True)
            with aside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            with suppress(OSError):
                aside.unlink()
            raise ChannelError(f"The outbox cannot be written: {error.strerror}.", permanent=False) from error
        try:
            os.link(aside, place / name)
        except FileExistsError as error:
            raise ChannelError(f"{name} is in the outbox already.", permanent=True, sent="unknown") from error
        except OSError as error:
            raise ChannelError(f"The outbox cannot be written: {error.strerror}.", permanent=False) from error
        finally:
            aside.unlink(missing_ok=True)
        _keep(place)
        return Receipt(provider="outbox", provider_id=f"{message.channel}/{name}")

    def close(self) -> None:
        """Nothing is held."""


def as_json(message: Message) -> bytes:
    """A chat or text message as the file the web app's mailbox reads."""
    shown = {
        "outreach_id": message.outreach_id,
        "channel": message.channel,
        "to": message.to,
        "sender": message.sender,
        "text": message.text,
        "footer": message.footer,
        "buttons": [dict(button) for button in message.buttons],
        "language": message.language,
        "date": message.date.isoformat(),
    }
    return json.dumps(shown, ensure_ascii=False, indent=1).encode()


def _keep(folder: Path) -> None:
    """The new name itself must survive a power cut."""
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:  # the message is there, but perhaps not for long
        raise ChannelError(f"The outbox could not be flushed: {error}.", permanent=False, sent="unknown") from error
