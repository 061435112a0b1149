"""The fast signals equal slow ones, worked out event by event in plain Python and pandas, on random logs."""

from __future__ import annotations

import json
import math
import tempfile
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from features_logs import CUTOFF, events, log_of, numbered
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.build import build_signals
from features.fitted import Fitted
from features.vocabulary import Vocabulary
from records.events import PASSIVE_EVENTS

DAY = timedelta(days=1)
WORDS = Fitted(words=Vocabulary(events=("song played",), topics=("network",), channels=("app", "web")))


@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(events(), min_size=1, max_size=80), st.sampled_from([CUTOFF, CUTOFF - timedelta(days=20, hours=7)]))
def test_the_fast_signals_equal_the_slow_ones(rows: list[dict[str, Any]], cutoff: datetime) -> None:
    log = pd.DataFrame(numbered(rows))
    seen = log[(log.occurred_at < cutoff) & (log.received_at < cutoff)]
    with tempfile.TemporaryDirectory() as folder:
        table = build_signals(log_of(Path(folder), numbered(rows)), [cutoff], fitted=WORDS)
    assert table.column("customer_id").to_pylist() == sorted(seen.customer_id.unique())
    known = set(seen.name)
    for fast in table.to_pylist():
        slow = slow_signals(seen[seen.customer_id == fast["customer_id"]], cutoff, known)
        for name, value in slow.items():
            where = f"{name} of {fast['customer_id']}"
            if value is None:
                assert fast[name] is None, where
            else:
                assert fast[name] is not None, where
                # Logarithms are kept as whole millionths.
                near = 1e-5 if name.startswith("sd_log") else 1e-9
                assert fast[name] == pytest.approx(value, rel=near, abs=near), where


def slow_signals(events: pd.DataFrame, cutoff: datetime, known: set[str]) -> dict[str, float | None]:
    """Every signal that the reference defines, for one customer."""
    found: dict[str, float | None] = {
        "days_known": days(cutoff, events[["occurred_at", "received_at"]].max(axis=1).min())
    }
    active = chosen(events, [not passive(name) for name in events.name])
    found |= activity(active, cutoff)
    families = {
        "order_completed": orders,
        "support_ticket_opened": tickets,
        "bill_issued": bills,
        "payment_failed": failures,
        "message_sent": messages,
        "page_viewed": pages,
        "order_delivered": deliveries,
        "rating_given": ratings,
        "song played": songs,
    }
    for name, family in families.items():
        values = family(events, cutoff)
        found |= values if name in known else dict.fromkeys(values)
    if "support_ticket_solved" in known:
        found["tickets_open"] = found["tickets_open"] or 0
    else:
        found |= {"tickets_open": None, "days_oldest_open_ticket": None, "mean_hours_to_solve_365d": None}
    return found


def passive(name: str) -> bool:
    return any(name.startswith(p[:-1]) if p.endswith("*") else name == p for p in PASSIVE_EVENTS)


def days(cutoff: datetime, moment: Any) -> float:
    return float((pd.Timestamp(cutoff) - pd.Timestamp(moment)) / DAY)


def age(cutoff: datetime, moment: Any) -> int:
    """Age in days of 24 hours before the cutoff; 1 is the last of them."""
    return math.floor((pd.Timestamp(cutoff) - pd.Timestamp(moment) - timedelta(microseconds=1)) / DAY) + 1


def within(events: pd.DataFrame, cutoff: datetime, window: int) -> pd.DataFrame:
    return chosen(events, [at >= pd.Timestamp(cutoff) - window * DAY for at in events.occurred_at])


def chosen(events: pd.DataFrame, mask: list[bool]) -> pd.DataFrame:
    return events[pd.Series(mask, index=events.index, dtype=bool)]


def rhythm(ages: list[int], silence: float | None, one: str, plural: str) -> dict[str, float | None]:
    """The own clock, from the ages of the days (a set, oldest first)."""
    gaps = [float(older - younger) for older, younger in pairwise(ages)]
    names = ("median", "mean", "sd", "cv", "sd_log", "longest")
    if not gaps or silence is None:
        return {f"{name}_days_between_{plural}": None for name in names} | {f"silence_to_median_gap_{one}": None}
    series = pd.Series(gaps)
    logs = pd.Series([math.log(gap) for gap in gaps])
    spread = series.std(ddof=0)
    values = (series.median(), series.mean(), spread, spread / series.mean(), logs.std(ddof=0), series.max())
    found = {f"{name}_days_between_{plural}": value for name, value in zip(names, values, strict=True)}
    found[f"silence_to_median_gap_{one}"] = silence / series.median()
    found[f"silence_to_longest_gap_{one}"] = silence / series.max()
    found[f"overdue_{one}"] = float(silence > 2 * series.median())
    found[f"silence_beyond_mean_gap_{one}"] = (silence - series.mean()) / (series.std(ddof=0) + 1.0)
    return found


def activity(active: pd.DataFrame, cutoff: datetime) -> dict[str, float | None]:
    ages = sorted({age(cutoff, at) for at in active.occurred_at}, reverse=True)
    silence = days(cutoff, active.occurred_at.max()) if len(active) else None
    found: dict[str, float | None] = {"days_since_last_activity": silence, "active_days_ever": len(ages)}
    found["mean_age_of_active_days"] = sum(ages) / len(ages) if ages else None
    for window in (7, 14, 30, 60, 90):
        found[f"active_days_{window}d"] = sum(a <= window for a in ages)
    for window in (7, 14, 30):
        before = sum(window < a <= 2 * window for a in ages)
        found[f"active_days_change_{window}d"] = sum(a <= window for a in ages) - before
    for half_life in (30, 90, 180):
        found[f"active_days_decayed_{half_life}d"] = sum(2.0 ** (-a / half_life) for a in ages)
    weeks = [sum(7 * w < a <= 7 * w + 7 for a in ages) for w in range(4)]
    found["weekly_slope_of_active_days"] = (3 * weeks[0] + weeks[1] - weeks[2] - 3 * weeks[3]) / 10
    found["activities_30d"] = len(within(active, cutoff, 30))
    recent = within(active, cutoff, 180)
    weekend = [at.weekday() >= 5 for at in recent.occurred_at]
    night = [at.hour >= 22 or at.hour < 6 for at in recent.occurred_at]
    found["weekend_share_180d"] = sum(weekend) / len(recent) if len(recent) else None
    found["night_share_180d"] = sum(night) / len(recent) if len(recent) else None
    last = within(active, cutoff, 90)
    found["channel_app_share_90d"] = float((last.channel == "app").mean()) if len(last) else None
    return found | rhythm(ages, silence, "activity", "activity")


def orders(events: pd.DataFrame, cutoff: datetime) -> dict[str, float | None]:
    made = events[events.name == "order_completed"]
    amounts = [float(amount) for amount in made.amount if amount is not None]
    ages = sorted({age(cutoff, at) for at in made.occurred_at}, reverse=True)
    silence = days(cutoff, made.occurred_at.max()) if len(made) else None
    found: dict[str, float | None] = {
        "orders_ever": len(made),
        "order_days_ever": len(ages),
        "days_since_last_order": silence,
        "days_since_first_order": days(cutoff, made.occurred_at.min()) if len(made) else None,
        "mean_order_value": sum(amounts) / len(made) if amounts else (None if made.empty else 0.0),
        "refunds_180d": sum(amount < 0 for amount in amounts),
        "items_per_order": sum(items(p) for p in made.properties) / len(made) if len(made) else None,
        "coupon_share_365d": sum("coupon" in json.loads(p) for p in made.properties) / len(made) if len(made) else None,
    }
    for window in (14, 30, 60, 90):
        found[f"orders_{window}d"] = len(within(made, cutoff, window))
    for window in (30, 90):
        found[f"spent_{window}d"] = float(sum(a for a in within(made, cutoff, window).amount if a is not None))
    for half_life in (30, 90, 180):
        found[f"order_days_decayed_{half_life}d"] = sum(2.0 ** (-a / half_life) for a in ages)
    counts = made["product"].dropna().value_counts()
    found["products_ever"] = len(counts)
    found["top_product_share"] = counts.max() / counts.sum() if len(counts) else None
    found["repeat_share"] = 1 - len(counts) / counts.sum() if len(counts) else None
    return found | rhythm(ages, silence, "order", "orders")


def items(properties: str) -> int:
    given = json.loads(properties)
    value = given.get("items", given.get("quantity", 1))
    return len(value) if isinstance(value, list) else int(value)


def tickets(events: pd.DataFrame, cutoff: datetime) -> dict[str, float | None]:
    opened, solved = (events[events.name == f"support_ticket_{state}"] for state in ("opened", "solved"))
    still, hours = [], []
    for _, ticket in opened.iterrows():
        number = json.loads(ticket.properties).get("ticket_id")
        after = [
            s.occurred_at
            for _, s in solved.iterrows()
            if number and json.loads(s.properties).get("ticket_id") == number and s.occurred_at >= ticket.occurred_at
        ]
        if after:
            hours.append((min(after) - ticket.occurred_at) / timedelta(hours=1))
        else:
            still.append(ticket.occurred_at)
    topics = within(opened, cutoff, 90).topic.dropna().value_counts()
    severe = [json.loads(p).get("severity") == 3 for p in within(opened, cutoff, 90).properties]
    return {
        "tickets_ever": len(opened),
        "tickets_30d": len(within(opened, cutoff, 30)),
        "tickets_open": len(still),
        "days_oldest_open_ticket": days(cutoff, min(still)) if still else None,
        "mean_hours_to_solve_365d": sum(hours) / len(hours) if hours else None,
        "severe_tickets_90d": sum(severe),
        "ticket_topics_90d": len(topics),
        "repeats_of_one_topic_90d": topics.max() if len(topics) else 0,
        "topic_network_60d": (within(opened, cutoff, 60).topic == "network").sum(),
        "days_since_last_ticket": days(cutoff, opened.occurred_at.max()) if len(opened) else None,
    }


def last_of(events: pd.DataFrame) -> Any:
    """The last of these events; of two at one moment the one with the greater id."""
    return sorted(events.to_dict("records"), key=lambda e: (e["occurred_at"], e["event_id"]))[-1]


def bills(events: pd.DataFrame, cutoff: datetime) -> dict[str, float | None]:
    issued = events[events.name == "bill_issued"]
    priced = issued[issued.amount.notna()]
    before = chosen(issued, ["previous_amount" in p for p in issued.properties])
    last = float(last_of(priced)["amount"]) if len(priced) else None
    return {
        "last_bill": last,
        "bill_increase": last - 299 if last is not None and len(before) else None,
        "days_since_last_bill": days(cutoff, issued.occurred_at.max()) if len(issued) else None,
    }


def failures(events: pd.DataFrame, cutoff: datetime) -> dict[str, float | None]:
    failed, paid = (events[events.name == name].occurred_at for name in ("payment_failed", "payment_completed"))
    return {
        "payment_failures_30d": len(within(events[events.name == "payment_failed"], cutoff, 30)),
        "payment_failure_share_180d": len(failed) / (len(failed) + len(paid)) if len(failed) + len(paid) else None,
        "unpaid_since_failure": float(len(failed) > 0 and (len(paid) == 0 or failed.max() > paid.max())),
    }


def messages(events: pd.DataFrame, cutoff: datetime) -> dict[str, float | None]:
    sent, opened = (within(events[events.name == name], cutoff, 90) for name in ("message_sent", "message_opened"))
    human = sum(not json.loads(p).get("machine") for p in opened.properties)
    return {
        "messages_90d": len(sent),
        "message_opens_90d": human,
        "open_share_90d": human / len(sent) if len(sent) else None,
    }


def pages(events: pd.DataFrame, cutoff: datetime) -> dict[str, float | None]:
    viewed = within(events[events.name == "page_viewed"], cutoff, 30)
    return {"cancel_pages_30d": sum(json.loads(p).get("page") == "cancel" for p in viewed.properties)}


def deliveries(events: pd.DataFrame, cutoff: datetime) -> dict[str, float | None]:
    came = events[events.name == "order_delivered"]
    late = [max(json.loads(p)["days_late"], 0) for p in came.properties]
    last = max(json.loads(last_of(came)["properties"])["days_late"], 0) if len(came) else None
    return {"late_share_365d": sum(d >= 1 for d in late) / len(late) if late else None, "last_delivery_days_late": last}


def ratings(events: pd.DataFrame, cutoff: datetime) -> dict[str, float | None]:
    given = events[(events.name == "rating_given") & events.rating.notna()]
    return {
        "last_rating": last_of(given)["rating"] if len(given) else None,
        "mean_rating_365d": given.rating.mean() if len(given) else None,
        "low_ratings_90d": (within(given, cutoff, 90).rating <= 2).sum(),
    }


def songs(events: pd.DataFrame, cutoff: datetime) -> dict[str, float | None]:
    played = events[events.name == "song played"]
    return {
        "event_song_played_30d": len(within(played, cutoff, 30)),
        "event_song_played_ever": len(played),
        "event_song_played_days_since_last": days(cutoff, played.occurred_at.max()) if len(played) else None,
    }
