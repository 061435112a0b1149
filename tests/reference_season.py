"""The slow reference of the season's clock: everybody's days are counted one by one for each customer."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

from reference_seen import Everyone, Seen, Values

from features.fitted import Fitted

EDGES = [0, 7, 14, *range(30, 331, 30), 364]


def usual(curve: tuple[float, ...], age: float) -> float:
    """How many active days customers have up to this age; past the curve as many as in its last thirty days."""
    if not curve:
        return 0.0
    full = int(age // 30)
    return sum(curve[min(span, len(curve) - 1)] * min(1.0, age / 30 - span) for span in range(full + 1))


@lru_cache(maxsize=4)
def clock(everyone: Everyone, fitted: Fitted) -> list[float]:
    """How fast the clock goes in each span of days before the cutoff."""
    came, expected = [0] * (len(EDGES) - 1), [0.0] * (len(EDGES) - 1)
    for who, events in everyone.events.groupby("customer_id"):
        seen = Seen(str(who), events, everyone, everyone.cutoff, fitted)
        days, age = seen.ages(seen.active()), seen.known_days()
        for span, (low, high) in enumerate(pairwise(EDGES)):
            came[span] += sum(low < day <= high for day in days)
            until, since = (usual(fitted.peers, max(age - edge, 0.0)) for edge in (low, high))
            expected[span] += round(until - since, 9)
    if not sum(came) or not sum(expected):
        return [1.0] * len(came)
    mean = sum(came) / sum(expected)
    return [(days / mean + 100) / (there + 100) for days, there in zip(came, expected, strict=True)]


def passed(paces: list[float], age: float) -> float:
    """The time on the clock that passed in so many days before the cutoff."""
    spans = zip(pairwise(EDGES), paces, strict=True)
    return sum(pace * max(min(age, high) - low, 0) for (low, high), pace in spans) + max(age - EDGES[-1], 0)


def season(seen: Seen) -> Values:
    active = seen.active()
    if active.empty:
        return dict.fromkeys(("silence_by_season", "active_days_expected_since", "silence_to_mean_gap_by_season"))
    paces = clock(seen.everyone, seen.fitted)
    silence, tenure = (passed(paces, age or 0.0) for age in (seen.since_last(active), seen.since_first(active)))
    days = len(seen.ages(active))
    return {
        "silence_by_season": silence,
        "active_days_expected_since": silence * days / (tenure + 30),
        "silence_to_mean_gap_by_season": silence * (days - 1) / (tenure - silence) if tenure > silence else None,
    }
