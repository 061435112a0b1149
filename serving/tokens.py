"""Who may use this link? A signed, URL-safe token that names one outreach and one purpose, and nothing about a person.

Tokens never expire: whoever finds an old message must still be able to stop us.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Literal

from sqlalchemy import Connection, Engine

from records.database import keep_state

Purpose = Literal["unsubscribe", "open", "click", "settings"]
SECRET = "link_secret"  # noqa: S105 - the name of the row in home_state, not the secret
_TAG_BYTES = 18  # 144 bits, and a whole number of base64 characters
_LONGEST = 256


def link_secret(target: Engine | Connection) -> bytes:
    """This home's key for links; made at the first need and then never changed, or old links would stop working."""
    return bytes.fromhex(str(keep_state(target, SECRET, secrets.token_hex(32))))


def make_token(secret: bytes, outreach_id: str, purpose: Purpose) -> str:
    """A token for one link of one message.

    >>> make_token(b"k" * 32, "O-12", "unsubscribe").startswith("Ty0xMg.")
    True
    """
    name = base64.urlsafe_b64encode(outreach_id.encode()).rstrip(b"=").decode()
    tag = base64.urlsafe_b64encode(_tag(secret, outreach_id, purpose)).decode()
    return f"{name}.{tag}"


def read_token(secret: bytes, token: str, purpose: Purpose) -> str | None:
    """The outreach id the token was made for; None if it is not ours, or was made for another purpose."""
    name, dot, _ = token.partition(".")
    if not dot or len(token) > _LONGEST or not token.isascii():
        return None
    try:
        outreach_id = base64.b64decode(name + "=" * (-len(name) % 4), altchars=b"-_", validate=True).decode()
    except (ValueError, UnicodeDecodeError):
        return None
    # Comparing the whole token, not the decoded tag: base64 has several spellings of some bytes.
    if not hmac.compare_digest(make_token(secret, outreach_id, purpose).encode(), token.encode()):
        return None
    return outreach_id


def _tag(secret: bytes, outreach_id: str, purpose: Purpose) -> bytes:
    return hmac.new(secret, f"{purpose}\n{outreach_id}".encode(), hashlib.sha256).digest()[:_TAG_BYTES]
