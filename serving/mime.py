"""Which bytes leave for this person's mailbox?

Python's e-mail package before 3.12.5 turns an encoded word in a subject or display name into header lines of its own
(CVE-2024-6923), and some versions write line breaks in headers as they are (CVE-2026-1299). So values are refused
beforehand, and the finished bytes are read once more: the headers, and who it goes to, must be exactly what was
meant.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from records.errors import WordsError
from serving.rendering import Rendered
from serving.safe_values import ACTING, EMAIL, ENCODED_WORD, is_safe_name

OUTREACH_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", re.ASCII)
LONGEST_LINE = 998  # RFC 5322
EXPECTED = (
    "from",
    "to",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "mime-version",
    "content-type",
)


def to_mime(
    rendered: Rendered,
    *,
    from_name: str,
    from_address: str,
    to_name: str | None,
    to_address: str,
    reply_to: str,
    outreach_id: str,
    date: datetime,
) -> bytes:
    """The e-mail as bytes, text and HTML alternatives, ready for SMTP or a file.

    The same arguments give the same bytes. A name of the recipient that is not fit for a header is left out.
    Raises WordsError if anything else is not fit, or the bytes say something that was not meant.
    """
    if rendered.channel != "email" or rendered.html is None:
        raise WordsError(f"{rendered.message} is rendered for {rendered.channel}.", remedy="Render it for email.")
    if not OUTREACH_ID.fullmatch(outreach_id):
        raise _refused("outreach_id", outreach_id)
    if date.tzinfo is None:
        raise WordsError("The date has no zone.", remedy="Give an aware UTC time.", rule="headers")
    sender, recipient = checked_address("from_address", from_address), checked_address("to_address", to_address)
    shown_name = to_name if to_name and is_safe_name(to_name) else ""
    headers = {
        "From": Address(display_name=_header("from_name", from_name), addr_spec=sender),
        "To": Address(display_name=shown_name, addr_spec=recipient),
        "Reply-To": Address(addr_spec=checked_address("reply_to", reply_to)),
        "Date": format_datetime(date.astimezone(UTC)),
    }
    mail = EmailMessage(policy=policy.SMTP)
    for name, value in headers.items():
        mail[name] = value
    encoding = "base64" if rendered.language == "hi" else "quoted-printable"
    mail.set_content(rendered.text, cte=encoding)
    mail.add_alternative(rendered.html, subtype="html", cte=encoding)
    # Random otherwise; base64 and quoted-printable lines never begin with two hyphens and an underscore.
    mail.set_boundary("=_" + hashlib.sha256(f"{outreach_id}:{rendered.message_version}".encode()).hexdigest()[:40])
    own = {"Message-ID": f"<{outreach_id}@{sender.rpartition('@')[2]}>", **rendered.headers}
    content = _as_they_are(own) + _subject_line(_header("subject", rendered.subject)) + mail.as_bytes()
    _check_bytes(content, rendered, sender, recipient)
    return content


def checked_address(name: str, address: str) -> str:
    """An address that SMTP and a header take as one address and nothing else."""
    if not EMAIL.fullmatch(address) or ENCODED_WORD.search(address) or ".." in address:
        raise _refused(name, address)
    return address


def _header(name: str, value: str) -> str:
    if not value.strip() or ACTING.search(value) or ENCODED_WORD.search(value):
        raise _refused(name, value)
    return value


def _as_they_are(headers: Mapping[str, str]) -> bytes:
    """Header lines that must not be folded.

    The e-mail package writes an address longer than a line as encoded words; no mailbox finds the way to stop in those.
    """
    lines = [f"{name}: {_header(name, value)}" for name, value in headers.items()]
    for line in lines:
        if not line.isascii() or len(line) > LONGEST_LINE:
            raise _refused(line.partition(":")[0], line)
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def _subject_line(subject: str) -> bytes:
    """The subject as encoded words of our own making.

    EmailMessage loses a space where it folds between a Latin and a Devanagari word; the older Header class does not.
    """
    shown = subject if subject.isascii() else Header(subject, "utf-8", maxlinelen=75, header_name="Subject").encode()
    return f"Subject: {shown}\n".replace("\n", "\r\n").encode("ascii")


def _check_bytes(content: bytes, rendered: Rendered, sender: str, recipient: str) -> None:
    """Do the bytes hold exactly the headers meant, one recipient, and no bare line break?"""
    read = message_from_bytes(content, policy=policy.default)
    if Counter(key.lower() for key in read) != Counter(EXPECTED):
        raise WordsError("The e-mail would have headers that were not meant.", remedy="Do not send it.", rule="headers")
    for header, meant in (("From", sender), ("To", recipient)):
        if [address.addr_spec for address in read[header].addresses] != [meant]:
            raise WordsError(f"The e-mail's {header} reads {read[header]!r}.", remedy="Do not send it.", rule="headers")
    if any(str(read[name]) != value for name, value in rendered.headers.items()):
        raise WordsError("A header changes when it is written.", remedy="Do not send it.", rule="headers")
    if str(read["Subject"]) != rendered.subject:
        raise WordsError("The subject changes when it is written.", remedy="Use plainer text.", rule="headers")
    if re.search(rb"(?<!\r)\n|\r(?!\n)", content):
        raise WordsError("The e-mail has a bare line break.", remedy="Do not send it.", rule="headers")


def _refused(name: str, value: str) -> WordsError:
    return WordsError(f"{name} is not fit for a header: {value[:80]!r}.", remedy="Correct it.", rule="headers")
