"""Is this value fit to stand in a message, and does this address lead home?

Names and other attributes come from outside. A value that would act (a control character that starts a new header, an
encoded word that Python's own e-mail code decodes into one, a character that turns the reading direction, a link) is
refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

from records.errors import WordsError

LIMIT = 300
# Control characters, among them everything Python takes for a line end; direction changes; invisible characters; lone
# surrogates. The joiners U+200C and U+200D stay: Devanagari needs them.
ACTING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
# RFC 2047: the e-mail package of Python before 3.12.5 decodes these and writes the decoded line breaks (CVE-2024-6923).
ENCODED_WORD = re.compile(r"=\?[^?\s]*\?[bqBQ]\?", re.ASCII)
LINK = re.compile(
    r"://|\bwww\.|\b(?:javascript|data|mailto|tel|vbscript):"
    r"|[\w-]\.(?:com|in|net|org|co|io|ly|me|xyz|info|biz|top|shop|site|online|link|click|gl|app|dev|invalid)\b",
    re.IGNORECASE,
)
NOT_A_VALUE = frozenset({"none", "nan", "nat", "null", "<na>", "undefined", "n/a"})
# These are addresses themselves; each is checked by its own rule.
MAY_LINK = frozenset({"website", "support_email", "postal_address", "company"})
URL_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?#@!$&*+,;=%]+", re.ASCII)
EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+", re.ASCII)
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def check_value(name: str, value: Any, *, optional: bool, message: str) -> str:
    """The value, if it may stand in a message. Raises WordsError naming the variable."""
    if value is None or (isinstance(value, str) and not value.strip()):
        if optional and value is not None:
            return ""
        what = "has no value" if value is None else "is empty"
        raise _refused(name, message, what, "Fill it or leave this person out.")
    if not isinstance(value, str):
        raise _refused(name, message, f"is a {type(value).__name__}, not text", "Write it as text first.")
    if value.strip().lower() in NOT_A_VALUE:
        raise _refused(name, message, f"says {value!r}, which is no value", "Fill it or leave this person out.")
    if len(value) > LIMIT:
        raise _refused(name, message, f"has {len(value)} characters", f"At most {LIMIT}.")
    if ACTING.search(value):
        raise _refused(name, message, "has a control, invisible or direction-changing character", "Take it out.")
    if ENCODED_WORD.search(value):
        raise _refused(name, message, "has an encoded word (=?…?=), which becomes a header", "Take it out.")
    if name == "support_email" and not EMAIL.fullmatch(value):
        raise _refused(name, message, f"{value!r} is no e-mail address", "Set [company] support_email.")
    if name not in MAY_LINK and LINK.search(value):
        raise _refused(name, message, "has a link in it", "Only the company's own pages are linked, by the words.")
    return value


def is_safe_name(name: str) -> bool:
    """May this name greet a person and stand in a header? If not, we greet without a name."""
    return (
        0 < len(name.strip()) <= 80
        and not ACTING.search(name)
        and not ENCODED_WORD.search(name)
        and not LINK.search(name)
        and name.strip().lower() not in NOT_A_VALUE
        and not any(c in name for c in '<>{}[]\\@"=*_`|^')
        and any(c.isalpha() for c in name)
    )


def origin(url: str) -> str:
    """Scheme, host and port of one of our own addresses. https only, except on this very machine."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _address(url, "cannot be read") from error
    if not URL_CHARACTERS.fullmatch(url):
        raise _address(url, "has characters an address cannot have")
    if parts.username is not None or parts.password is not None or not host:
        raise _address(url, "has no plain host")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in LOOPBACK):
        raise _address(url, "is not https")
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def check_url(name: str, url: str, allowed: Collection[str]) -> str:
    """The address, if it leads to one of the allowed origins. Raises WordsError naming the slot."""
    if origin(url) not in allowed:
        raise WordsError(
            f"{name} leads to {url!r}, which is not ours.", remedy=f"Allowed: {', '.join(sorted(allowed))}.",
            rule="addresses", variable=name,
        )  # fmt: skip
    return url


def _refused(name: str, message: str, what: str, remedy: str) -> WordsError:
    return WordsError(f"{message}: {name} {what}.", remedy=remedy, rule="variables", variable=name)


def _address(url: str, what: str) -> WordsError:
    return WordsError(f"The address {url!r} {what}.", remedy="Use https and the company's own host.", rule="addresses")
