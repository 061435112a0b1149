"""How far is a build of signals, how fast, and how long will it take? In words, for whoever waits."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

EVERY_SECONDS = 10.0
Progress = Callable[[int, int], None]
"""Takes the events done and the events in all."""


def pace(done: int, of: int, seconds: float) -> str:
    """Every event is read once and used once, so each counts twice in `done` and `of`.

    >>> pace(6_000_000, 20_000_000, 3.0)
    '3,000,000 of 10,000,000 events, 1,000,000 events/s, 7 s left'
    """
    speed = done / 2 / max(seconds, 1e-9)
    left = (of - done) / 2 / speed if speed else 0.0
    return f"{done // 2:,} of {of // 2:,} events, {speed:,.0f} events/s, {left:,.0f} s left"


def in_lines(say: Callable[[str], None], what: str = "", *, clock: Callable[[], float] = perf_counter) -> Progress:
    """A progress for `build_signals` that says a line now and then; nothing of a build that is soon over."""
    started = said = clock()

    def tell(done: int, of: int) -> None:
        nonlocal said
        now = clock()
        if done < of and now - said >= EVERY_SECONDS:
            said = now
            say(what + pace(done, of, now - started))

    return tell
