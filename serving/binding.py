"""Are these still exactly the words, and the address, that this row was planned and approved with?

One question, asked at three moments: when a person approves, when the sender takes the row, and when somebody asks
why a message went out. The approval hash is always recomputed from the frozen variables; it is never trusted as stored.
"""

from __future__ import annotations

import hashlib

from records.outreach import Outreach
from serving.rendering import RENDERER_VERSION, approval_hash, message_version


def address_hash(channel: str, address: str) -> str:
    """SHA-256 of where a message goes: the address as we write to it, and on which channel."""
    return hashlib.sha256(f"{channel}\n{address}".encode()).hexdigest()


def why_words_differ(row: Outreach) -> str | None:
    """What changed since the row was planned, in words; None if nothing did."""
    if message_version(row.message) != row.message_version:
        return f"the words of {row.message} changed since it was planned"
    if row.renderer_version != RENDERER_VERSION:
        return "the way messages are built changed since it was planned"
    if address_hash(row.channel, row.address) != row.address_hash:
        return "the address is not the one it was planned for"
    found = approval_hash(
        address_hash=row.address_hash,
        message_version=row.message_version,
        renderer_version=row.renderer_version,
        language=row.language,
        channel=row.channel,
        variables=row.variables,
    )
    return None if found == row.approval_hash else "its variables are not those it was planned with"
