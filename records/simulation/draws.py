"""Chance that belongs to a person and a day, not to a stream.

Every draw is a hash of (seed, person, day, what is drawn). So a customer's life is the same whatever the number
of customers, the block size or the threads, and going on after a save needs no generator state.
"""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float64]

_GOLD = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
LIFELONG = -1  # the "day" of what is drawn once per person


@cache
def _code(what: str, again: int) -> int:
    return int.from_bytes(blake2b(f"{what}/{again}".encode(), digest_size=8).digest(), "little")


def _mix(x: Array) -> Array:
    """SplitMix64's finalizer, in place."""
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x


def _word(number: int) -> np.uint64:
    return np.uint64(number & _MASK)


class Draws:
    """Which chances do these people meet? `indices` are their places in the company, `salt` names another fate."""

    def __init__(self, seed: int, indices: Array, salt: str = "") -> None:
        start = _word(_code(f"seed {seed} {salt}", 0))
        self._keys = _mix((indices.astype(np.uint64) + np.uint64(1)) * np.uint64(_GOLD) + start)
        self._today = self._keys
        self.on(LIFELONG)

    def on(self, day: int) -> None:
        """Move to another day. Days are counted from 1970."""
        self._today = _mix(self._keys ^ _word(_code("day", day)))

    def u(self, what: str, who: Array | None = None, again: int = 0) -> Floats:
        """Uniform numbers in (0, 1), one per person in `who` (all if None)."""
        keys = self._today if who is None else self._today[who]
        bits = _mix(keys + _word(_code(what, again)))
        return ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53

    def normal(self, what: str, who: Array | None = None) -> Floats:
        """Standard normal numbers (Box and Muller)."""
        return np.sqrt(-2.0 * np.log(self.u(what, who))) * np.cos(2.0 * np.pi * self.u(what, who, 1))

    def whole(self, what: str, low: int, high: int, who: Array | None = None) -> Array:
        """Whole numbers from `low` to `high`, both possible."""
        return (low + np.floor(self.u(what, who) * (high - low + 1))).astype(np.int64)

    def choose(self, what: str, shares: Array, who: Array | None = None) -> Array:
        """Places in `shares`: one list of weights for all, or one row of weights per person."""
        edges = np.cumsum(shares, axis=-1)
        point = self.u(what, who)[:, None] * edges[..., -1:]
        picked: Array = np.minimum((point > edges).sum(axis=1), edges.shape[-1] - 1)
        return picked


def company_chance(seed: int, what: str, again: int = 0) -> float:
    """A uniform number in (0, 1) that belongs to the company as a whole."""
    return (_code(f"company {seed} {what}", again) + 0.5) / 2.0**64
