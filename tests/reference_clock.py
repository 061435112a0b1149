"""The slow reference of hours and weekdays, on the company's clocks, and of what counted as leaving in the past."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta

import pandas as pd
from reference_seen import Seen, Values, chosen, less, ratio

Part = Callable[[datetime], object]


def clock(seen: Seen) -> Values:
    active = seen.active()
    night = chosen(active, lambda event: daypart(seen.local(event["occurred_at"])) == "night")
    weekend = chosen(active, lambda event: seen.local(event["occurred_at"]).weekday() >= 5)

    def share(events: pd.DataFrame, window: int) -> float | None:
        return ratio(seen.count(events, window), seen.count(active, window))

    def shares(part: Part, window: int) -> dict[object, float]:
        recent = [part(seen.local(at)) for at in seen.within(active, window).occurred_at]
        return {one: recent.count(one) / len(recent) for one in sorted(set(recent), key=str)}

    def entropy(part: Part) -> float | None:
        found = shares(part, 180)
        return -sum(one * math.log(one) for one in found.values()) if found else None

    def shift(part: Part) -> float | None:
        now, usual = shares(part, 30), shares(part, 180)
        moved = sum(abs(now.get(one, 0.0) - usual.get(one, 0.0)) for one in {*now, *usual})
        return moved / 2 if now else None

    return {
        "weekend_share_180d": share(weekend, 180),
        "night_share_180d": share(night, 180),
        "weekend_share_shift": less(share(weekend, 30), share(weekend, 180)),
        "night_share_shift": less(share(night, 30), share(night, 180)),
        "daypart_entropy_180d": entropy(daypart),
        "daypart_shift": shift(daypart),
        "weekday_entropy_180d": entropy(datetime.weekday),
        "weekday_shift": shift(datetime.weekday),
    }


def daypart(at: datetime) -> str:
    if not 6 <= at.hour < 22:
        return "night"
    return "morning" if at.hour < 12 else "afternoon" if at.hour < 17 else "evening"


def past_labels(seen: Seen) -> Values:
    """At T - H, T - 2H and so on: were they a customer, and did they leave within the horizon that followed?"""
    fitted = seen.fitted
    life = seen.named(*fitted.activity) if fitted.activity else seen.active()
    leaving = seen.named(fitted.leaving)

    def some(events: pd.DataFrame, since: int, until: int) -> bool:
        """Was there one from `since` days before the cutoff up to `until` days before?"""
        begin, end = (seen.cutoff - timedelta(days=days) for days in (since, until))
        return bool(((events.occurred_at >= begin) & (events.occurred_at < end)).any())

    left: list[bool | None] = []
    for back in range(1, 5):
        then, after = back * fitted.horizon_days, (back - 1) * fitted.horizon_days
        gone = some(leaving, then, after) if fitted.leaving else not some(life, then, after)
        left.append(gone if some(life, then + fitted.active_within_days, then) else None)
    asked = [one for one in left if one is not None]
    return {
        "left_last_horizon": None if left[0] is None else float(left[0]),
        "times_left_4_horizons": sum(asked),
        "left_share_4_horizons": ratio(sum(asked), len(asked)),
    }
