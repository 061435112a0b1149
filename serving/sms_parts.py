"""How many parts does an SMS take? Networks bill each.

The GSM-7 alphabet holds 160 characters in one part, 153 in each of several; a few characters count twice. Any other
character (all of Devanagari, ₹, curly quotes, emoji) makes the whole message UTF-16: 70, then 67 units.
"""

from __future__ import annotations

from dataclasses import dataclass

GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM7_TWICE = frozenset("^{}\\[~]|€\f")


@dataclass(frozen=True, kw_only=True)
class SmsParts:
    """Length and price of an SMS text."""

    units: int  # characters as the network counts them
    parts: int
    alphabet: str  # "GSM-7" or "UCS-2"


def sms_parts(text: str) -> SmsParts:
    """How long is this text for the network?

    >>> sms_parts("Hello"), sms_parts("नमस्ते" * 12)
    (SmsParts(units=5, parts=1, alphabet='GSM-7'), SmsParts(units=72, parts=2, alphabet='UCS-2'))
    """
    if all(c in GSM7 or c in GSM7_TWICE for c in text):
        sizes, one, many, alphabet = [2 if c in GSM7_TWICE else 1 for c in text], 160, 153, "GSM-7"
    else:
        sizes, one, many, alphabet = [2 if ord(c) > 0xFFFF else 1 for c in text], 70, 67, "UCS-2"
    units = sum(sizes)
    return SmsParts(units=units, parts=1 if units <= one else _parts(sizes, many), alphabet=alphabet)


def _parts(sizes: list[int], limit: int) -> int:
    """Parts needed when no character may be cut in two."""
    parts, room = 1, limit
    for size in sizes:
        if size > room:
            parts, room = parts + 1, limit
        room -= size
    return parts
