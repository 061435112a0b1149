"""The slow reference of engagement, visits and what they said."""

from __future__ import annotations

import numpy as np
from reference_seen import (
    Seen,
    Values,
    chosen,
    given,
    half_year,
    less,
    number,
    own_clock,
    ratio,
    weeks,
    windows,
)


def engagement(seen: Seen) -> Values:
    active = seen.active()
    ages = seen.ages(active)
    tenure = seen.known_days()
    days = {window: sum(age <= window for age in ages) for window in (7, 14, 30, 60, 90, 180, 365)}
    found: Values = {f"active_days_{window}d": count for window, count in days.items()}
    found |= {
        f"active_days_change_{window}d": sum(age <= window for age in ages)
        - sum(window < age <= 2 * window for age in ages)
        for window in (7, 14, 30, 90)
    }
    decays = {half_life: seen.decayed(active, half_life) for half_life in (7, 30, 90, 180)}
    found |= {f"active_days_decayed_{half_life}d": decays[half_life] for half_life in (30, 90, 180)}
    by_week = weeks(seen, active)
    found |= {f"active_days_week_{number}": by_week[number - 1] for number in (2, 3, 4)}
    return found | {
        "days_since_last_activity": seen.since_last(active),
        "days_known": tenure,
        "mean_age_of_active_days": float(np.mean(ages)) if ages else None,
        "active_days_ever": len(ages),
        "active_days_per_30d_of_tenure": 30.0 * days[90] / min(max(tenure, 1.0), 90.0),
        **windows(seen, active, "activities_{}d", (30, 90)),
        "activities_per_active_day_90d": ratio(seen.count(active, 90), days[90]),
        "active_days_change_half_year": half_year(seen, active),
        "activity_7_to_30": ratio(decays[7], decays[30]),
        "activity_30_to_90": ratio(decays[30], decays[90]),
        "activity_30_to_180": ratio(decays[30], decays[180]),
        "weekly_slope_of_active_days": float(np.polyfit(range(4), by_week[::-1], 1)[0]),
        **own_clock(seen, active, "activity", "activity"),
    }


def peers(seen: Seen) -> Values:
    """Active days beside what the fitted curve says of customers known for as long: so many in their first thirty days,
    in their second, and so on; a straight line between two points, level after the last."""
    curve = seen.fitted.peers
    usual = float(np.interp(seen.known_days() / 30, range(len(curve) + 1), (0.0, *curve))) if curve else None
    days = sum(age <= 30 for age in seen.ages(seen.active()))
    return {"active_days_30d_less_peers": less(days, usual), "active_days_30d_to_peers": ratio(days, usual)}


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
        "sessions_per_30d_of_tenure": seen.tenure_30(sessions),
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
        **{
            f"leaving_share_of_pages_{window}d": ratio(
                seen.count(of["plans"], window) + seen.count(of["cancel"], window), seen.count(viewed, window)
            )
            for window in (14, 30)
        },
        "product_share_of_pages_60d": ratio(seen.count(of["product"], 60), seen.count(viewed, 60)),
        "days_since_cancel_page": seen.since_last(of["cancel"]),
        "wishes_60d": seen.count(seen.named("wishlist_added"), 60),
    }
