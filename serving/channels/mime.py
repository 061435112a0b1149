"""What are the bytes of this e-mail, and do they hold exactly the headers we meant?

Python's `email` package lets an encoded word smuggle a line break into a header (CVE-2024-6923, in 3.11.7 too), so
values are checked before, and the finished bytes are read back after: a header that was not planned stops the message.
"""

from __future__ import annotations

import re
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.utils import format_datetime

from records.errors import ChannelError
from serving.channels import Message

# Control characters, Unicode line ends, and the start of an encoded word: none belongs in a header of ours.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]|=\\?|[\ud800-\udfff]")
_ADDRESS = re.compile(r"[A-Za-z0-9._%+\-]+@[A-Za-z0-9](?:[A-Za-z0-9.\-]*[A-Za-z0-9])?")
_OURS = {"From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"}


def message_id(message: Message) -> str:
    """The same outreach always gets the same Message-ID, so that late evidence finds its row."""
    return f"<{message.outreach_id}@{message.sender.rpartition('@')[2]}>"


def address(value: str) -> str:
    """The address, if it is one we can put into an SMTP command and a header. Raises ChannelError."""
    if not _ADDRESS.fullmatch(value) or len(value) > 254 or ".." in value:
        raise ChannelError(f"{value!r} is not an e-mail address we can write to.", permanent=True)
    return value


def serialize(message: Message) -> bytes:
    """The e-mail as bytes, with CRLF line ends. Raises ChannelError if a header would not arrive as meant."""
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"] = _person(message.sender_name, message.sender)
    mail["To"] = _person(message.to_name, message.to)
    mail["Subject"] = _clean("Subject", message.subject)
    mail["Date"] = format_datetime(message.date)
    mail["Message-ID"] = message_id(message)
    for name, value in message.headers.items():
        if name in _OURS or not re.fullmatch(r"[A-Za-z][A-Za-z0-9\-]*", name):
            raise ChannelError(f"The header {name!r} may not be set by a message.", permanent=True)
        mail[name] = _clean(name, value)
    mail.set_content(message.text, cte="quoted-printable")
    if message.html is not None:
        mail.add_alternative(message.html, subtype="html", cte="quoted-printable")
    found = mail.as_bytes()
    _read_back(message, found)
    return found


def _person(name: str, at: str) -> Address:
    user, _, domain = address(at).rpartition("@")
    return Address(_clean("name", name), user, domain)


def _clean(field: str, value: str) -> str:
    if hit := _FORBIDDEN.search(value):
        raise ChannelError(f"The {field} holds {hit.group()!r}, which a header may not.", permanent=True)
    return value


def _read_back(message: Message, found: bytes) -> None:
    read = BytesHeaderParser(policy=policy.compat32).parsebytes(found)
    expected = sorted(_OURS | set(message.headers)) if message.html is None else None
    names = sorted(read.keys())
    if expected is None:  # the transfer encoding then stands in the parts
        expected = sorted((_OURS - {"Content-Transfer-Encoding"}) | set(message.headers))
    if names != expected or found.split(b"\r\n\r\n", 1)[0].count(b"\n") != found.split(b"\r\n\r\n", 1)[0].count(
        b"\r\n"
    ):
        raise ChannelError(f"The e-mail came out with the headers {names}, not {expected}.", permanent=True)
    try:
        found.decode("ascii")
    except UnicodeDecodeError as error:
        raise ChannelError("The e-mail has bytes outside ASCII.", permanent=True) from error
