"""The slow reference of support."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd
from reference_contract import dearer
from reference_seen import Seen, Values, chosen, given, number, ratio, windows

HOUR = timedelta(hours=1)


def support(seen: Seen) -> Values:
    opened, incidents = seen.named("support_ticket_opened"), seen.named("incident_declared")
    topics = seen.within(opened, 90).topic.dropna().value_counts()
    graded = [
        grade for event in seen.within(opened, 180).to_dict("records") if (grade := number(event, "severity")) >= 1
    ]
    return {
        **windows(seen, opened, "tickets_{}d", (14, 30, 60, 90, 180, 365)),
        "tickets_ever": len(opened),
        **{f"ticket_days_decayed_{half_life}d": seen.decayed(opened, half_life) for half_life in (30, 90)},
        "tickets_per_30d_of_tenure": seen.tenure_30(opened),
        "tickets_change_30d": seen.change(opened, 30),
        "days_since_last_ticket": seen.since_last(opened),
        "severe_tickets_90d": seen.count(chosen(opened, lambda event: number(event, "severity") >= 3), 90),
        "mean_severity_180d": ratio(sum(graded), len(graded)),
        "phone_share_of_tickets_365d": ratio(
            seen.count(chosen(opened, lambda event: event["channel"] == "phone"), 365), seen.count(opened, 365)
        ),
        "repeats_of_one_topic_90d": int(topics.max()) if len(topics) else 0,
        "ticket_topics_90d": len(topics),
        **solving(seen),
        **windows(seen, incidents, "incidents_{}d", (30, 90)),
        "days_since_incident": seen.since_last(incidents),
        **mishaps(seen),
    }


def mishaps(seen: Seen) -> Values:
    """Days with something that should not have happened."""
    late = chosen(seen.named("order_delivered"), lambda event: number(event, "days_late") >= 1)
    wrong = seen.named("support_ticket_opened", "incident_declared", "payment_failed", "item_missing")
    all_of_them = pd.concat([wrong, late, dearer(seen.named("bill_issued"))])
    return {
        **{f"mishap_days_decayed_{half_life}d": seen.decayed(all_of_them, half_life) for half_life in (30, 90)},
        "days_since_mishap": seen.since_last(all_of_them),
    }


def solving(seen: Seen) -> Values:
    """Open tickets and the time to solve: the first solution with its id, not before it, solves a ticket."""
    solved = seen.named("support_ticket_solved").to_dict("records")
    still, took = [], []
    for ticket in seen.named("support_ticket_opened").to_dict("records"):
        own = ticket_id(ticket)
        after = [
            event["occurred_at"]
            for event in solved
            if own is not None and ticket_id(event) == own and event["occurred_at"] >= ticket["occurred_at"]
        ]
        if not after:
            still.append(ticket["occurred_at"])
        elif seen.age(ticket["occurred_at"]) <= 365:
            took.append((min(after) - ticket["occurred_at"]) / HOUR)
    return {
        "tickets_open": len(still),
        "days_oldest_open_ticket": seen.days_since(min(still, default=None)),
        "mean_hours_to_solve_365d": ratio(sum(took), len(took)),
        "longest_hours_to_solve_365d": max(took, default=None),
    }


def ticket_id(event: dict[str, Any]) -> str | None:
    found = given(event, "ticket_id")
    return None if found is None else str(found)
