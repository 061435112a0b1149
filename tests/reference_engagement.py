"""The slow reference of engagement, visits and what they said."""

from __future__ import annotations

import numpy as np
import pandas as pd
from reference_seen import Seen, Values, chosen, given, last_of, less, number, own_clock, ratio, windows


def engagement(seen: Seen) -> Values:
    active = seen.active()
    ages = seen.ages(active)
    known = seen.events[["occurred_at", "received_at"]].max(axis=1).min()
    tenure = seen.days_since(known)
    assert tenure is not None
    days = {window: sum(age <= window for age in ages) for window in (7, 14, 30, 60, 90, 180, 365)}
    found: Values = {f"active_days_{window}d": count for window, count in days.items()}
    found |= {
        f"active_days_change_{window}d": sum(age <= window for age in ages)
        - sum(window < age <= 2 * window for age in ages)
        for window in (7, 14, 30, 90)
    }
    decays = {half_life: seen.decayed(active, half_life) for half_life in (30, 90, 180)}
    found |= {f"active_days_decayed_{half_life}d": value for half_life, value in decays.items()}
    weeks = [sum(7 * week < age <= 7 * week + 7 for age in ages) for week in (3, 2, 1, 0)]
    return found | {
        "days_since_last_activity": seen.since_last(active),
        "days_known": tenure,
        "mean_age_of_active_days": float(np.mean(ages)) if ages else None,
        "active_days_ever": len(ages),
        "active_days_per_30d_of_tenure": 30.0 * days[90] / min(max(tenure, 1.0), 90.0),
        **windows(seen, active, "activities_{}d", (30, 90)),
        "activities_per_active_day_90d": ratio(seen.count(active, 90), days[90]),
        "activity_30_to_90": ratio(decays[30], decays[90]),
        "activity_30_to_180": ratio(decays[30], decays[180]),
        "weekly_slope_of_active_days": float(np.polyfit(range(4), weeks, 1)[0]),
        **clock(seen, active),
        **own_clock(seen, active, "activity", "activity"),
    }


def clock(seen: Seen, active: pd.DataFrame) -> Values:
    """Weekends and nights on the company's clocks, and how their share moved."""
    weekend = chosen(active, lambda event: seen.local(event["occurred_at"]).weekday() >= 5)
    night = chosen(active, lambda event: not 6 <= seen.local(event["occurred_at"]).hour < 22)

    def share(events: pd.DataFrame, window: int) -> float | None:
        return ratio(seen.count(events, window), seen.count(active, window))

    return {
        "weekend_share_180d": share(weekend, 180),
        "night_share_180d": share(night, 180),
        "weekend_share_shift": less(share(weekend, 30), share(weekend, 180)),
        "night_share_shift": less(share(night, 30), share(night, 180)),
    }


def visits(seen: Seen) -> Values:
    sessions, viewed = seen.named("session_started"), seen.named("page_viewed")
    of = {
        page: chosen(viewed, lambda event, page=page: given(event, "page") == page)
        for page in ("help", "plans", "bill", "cancel", "product")
    }

    def minutes(window: int) -> float | None:
        recent = seen.within(sessions, window).to_dict("records")
        return ratio(sum(number(event, "minutes") for event in recent), len(recent))

    in_app = chosen(sessions, lambda event: event["channel"] == "app")
    return {
        **windows(seen, sessions, "sessions_{}d", (7, 30, 90)),
        "sessions_change_30d": seen.change(sessions, 30),
        "days_since_last_session": seen.since_last(sessions),
        "minutes_per_session_90d": minutes(90),
        "minutes_per_session_30d_to_90d": ratio(minutes(30), minutes(90)),
        "app_share_90d": ratio(seen.count(in_app, 90), seen.count(sessions, 90)),
        "pages_per_session_90d": ratio(seen.count(viewed, 90), seen.count(sessions, 90)),
        **windows(seen, of["help"], "help_pages_{}d", (14, 60)),
        **windows(seen, of["plans"], "plan_pages_{}d", (30, 90)),
        **windows(seen, of["bill"], "bill_pages_{}d", (30,)),
        **windows(seen, of["cancel"], "cancel_pages_{}d", (30, 90)),
        "help_share_of_pages_60d": ratio(seen.count(of["help"], 60), seen.count(viewed, 60)),
        "product_share_of_pages_60d": ratio(seen.count(of["product"], 60), seen.count(viewed, 60)),
        "days_since_cancel_page": seen.since_last(of["cancel"]),
        "wishes_60d": seen.count(seen.named("wishlist_added"), 60),
    }


def text(seen: Seen) -> Values:
    rated = chosen(seen.named("rating_given"), lambda event: not pd.isna(event["rating"]))
    last = last_of(rated)
    year = seen.within(rated, 365)
    mean = float(year.rating.mean()) if len(year) else None
    return {
        "last_rating": last["rating"] if last else None,
        "mean_rating_365d": mean,
        "last_rating_less_mean": less(last["rating"] if last else None, mean),
        "low_ratings_90d": seen.count(chosen(rated, lambda event: event["rating"] <= 2), 90),
        "days_since_last_rating": seen.since_last(rated),
        **windows(seen, seen.named("social_mention"), "mentions_{}d", (30, 90)),
    }
