"""Who is drawn? A number in [0, 1) that is always the same for the same words, and unlike that of any others."""

from __future__ import annotations

from hashlib import blake2b


def lot(*words: object) -> float:
    """The number drawn for these words.

    >>> lot("sample", 2026, "C 001") == lot("sample", 2026, "C 001")
    True
    >>> 0.24 < sum(lot("unseen", number) < 0.25 for number in range(10_000)) / 10_000 < 0.26
    True
    """
    digest = blake2b("\0".join(map(str, words)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
