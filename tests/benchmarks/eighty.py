"""Which 80 signals stand for the real work? All peers of the benchmark make these, at the same six monthly cutoffs.

They are signals of our catalog on the log of `bench_log`: windows of active days, events, channels, orders, amounts,
failures and tickets, decays, trends, two own clocks (mean, spread, median and longest gap), recency, tenure, shares.
What each means is said by `pehle features list`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

ACTIVITY = (
    "days_since_last_activity",
    "days_known",
    "mean_age_of_active_days",
    *(f"active_days_{window}d" for window in (7, 14, 30, 60, 90, 180, 365)),
    "active_days_ever",
    *(f"active_days_decayed_{half_life}d" for half_life in (30, 90, 180)),
    "active_days_per_30d_of_tenure",
    "activities_30d",
    "activities_90d",
    "activities_per_active_day_90d",
    *(f"active_days_change_{window}d" for window in (7, 14, 30, 90)),
    "activity_30_to_90",
    "activity_30_to_180",
    "weekly_slope_of_active_days",
    "median_days_between_activity",
    "mean_days_between_activity",
    "sd_days_between_activity",
    "cv_days_between_activity",
    "longest_days_between_activity",
    "silence_to_median_gap_activity",
    "silence_to_longest_gap_activity",
    "silence_beyond_mean_gap_activity",
    "overdue_activity",
    "silence_to_tenure_activity",
    *(f"channel_{channel}_share_90d" for channel in ("web", "app", "phone", "email")),
)
VISITS = (
    "sessions_7d",
    "sessions_30d",
    "sessions_90d",
    "sessions_change_30d",
    "days_since_last_session",
    "app_share_90d",
    "pages_per_session_90d",
)
ORDERS = (
    "days_since_last_order",
    "days_since_first_order",
    "mean_age_of_order_days",
    "last_order_to_first_order",
    *(f"orders_{window}d" for window in (30, 90, 180, 365)),
    "orders_ever",
    "order_days_ever",
    "order_days_decayed_30d",
    "order_days_decayed_90d",
    *(f"spent_{window}d" for window in (30, 90, 365)),
    "spent_ever",
    "mean_order_value",
    "order_value_90d_to_ever",
    "orders_change_30d",
    "orders_change_90d",
    "median_days_between_orders",
    "mean_days_between_orders",
    "silence_to_median_gap_order",
)
TROUBLE = (
    "payment_failures_30d",
    "payment_failures_90d",
    "days_since_payment_failure",
    "payment_failure_share_180d",
    "tickets_30d",
    "tickets_90d",
    "tickets_365d",
    "tickets_change_30d",
    "days_since_last_ticket",
    "event_song_played_30d",
    "event_song_played_days_since_last",
)
EIGHTY: tuple[str, ...] = (*ACTIVITY, *VISITS, *ORDERS, *TROUBLE)


def monthly(end: datetime, months: int = 6) -> list[datetime]:
    """The cutoffs: `end` and as many as asked before it, 30 days apart, earliest first."""
    return [end - timedelta(days=30 * back) for back in range(months)][::-1]
