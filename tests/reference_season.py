"""The slow reference of the season's clock: everybody's days are counted one by one for each customer."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise

from reference_seen import DAY, INSTANT, Everyone, Seen, Values

from features.fitted import Fitted

EDGES = [0, 7, 14, *range(30, 331, 30), 364]


@lru_cache(maxsize=4)
def clock(everyone: Everyone, fitted: Fitted) -> list[float]:
    """How fast the clock goes in each span of ages."""
    came, lived = [0] * (len(EDGES) - 1), [0] * (len(EDGES) - 1)
    for who, events in everyone.events.groupby("customer_id"):
        seen = Seen(str(who), events, everyone, everyone.cutoff, fitted)
        moments = sorted(seen.active().occurred_at)
        if not moments:
            continue
        first, last = (math.floor((seen.cutoff - INSTANT - at) / DAY) for at in (moments[0], moments[-1]))
        days = [age for age in seen.ages(seen.active()) if age <= first]  # all active days but the first
        for span, (low, high) in enumerate(pairwise(EDGES)):
            came[span] += sum(low < age <= high for age in days)
            lived[span] += max(min(first, high) - max(low, last - fitted.active_within_days, 0), 0)
    mean = sum(came) / max(sum(lived), 1)
    if not mean:
        return [1.0] * len(came)
    return [(days + mean * 900) / (there + 900) / mean for days, there in zip(came, lived, strict=True)]


def passed(paces: list[float], age: float) -> float:
    """The time on the clock that passed in so many days before the cutoff."""
    spans = zip(EDGES, EDGES[1:], paces, strict=False)
    return sum(pace * max(min(age, high) - low, 0) for low, high, pace in spans) + max(age - EDGES[-1], 0)


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
