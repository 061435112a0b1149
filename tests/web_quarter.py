"""A finished quarter for the results screen: lists that went out, comparison groups, and what happened afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pyarrow as pa
from web_home import person_number, row_for, score_of

from records.outreach import OutreachList, State, save_list
from serving.home import Home


def measured_quarter(
    home: Home, now: datetime, *, sizes: dict[str, tuple[int, int, float, float]] | None = None
) -> None:
    """A finished quarter with events: per play people treated and compared, and the share of each gone bad."""
    sizes = sizes or {
        "better_plan": (900, 230, 0.27, 0.40),
        "bill_explained": (700, 90, 0.08, 0.10),
        "really_fixed": (110, 22, 0.19, 0.26),
        "payment_help": (300, 0, 0.40, 0.0),
    }
    bad = {
        "better_plan": ("subscription_cancelled", None),
        "bill_explained": ("support_ticket_opened", "billing"),
        "really_fixed": ("support_ticket_opened", "network"),
        "payment_help": ("session_started", None),
    }
    sample = row_for(home, "L-0100", "x", person_number(1), score_of(person_number(1), 1, 60, now), 0, now, now)
    events: dict[str, list[object]] = {name: [] for name in ("customer_id", "occurred_at", "name", "topic")}
    for month in range(4):
        at = now - timedelta(days=200 - 30 * month)
        rows = []
        for play, (treated, compared, bad_treated, bad_compared) in sizes.items():
            for number in range((treated + compared) // 4):
                held_out = number >= treated // 4
                customer = f"H-{month} {play} {number}"
                state = State.HELD_OUT if held_out else State.DELIVERED
                row = replace(sample, outreach_id=f"O-m{month}-{play}-{number}", customer_id=customer, play=play)
                row = replace(row, list_id=f"L-010{month}", trigger_key=f"{month}", send_at=at, state=state)
                row = replace(row, arm="holdout" if held_out else "treated", fenced_at=None if held_out else at)
                rows.append(replace(row, propensity=treated / (treated + compared)))
                share = bad_compared if held_out else bad_treated
                happened = (number * 37) % 100 < 100 * share
                name, topic = bad[play] if happened else ("session_started", None)
                for column, value in zip(events, (customer, at + timedelta(days=2), name, topic), strict=True):
                    events[column].append(value)
        the_list = OutreachList(
            list_id=f"L-010{month}",
            planned_at=at,
            as_of=at,
            model_version="13",
            decide_by=at,
            budget_minor=5_000_000,
            currency="INR",
        )
        save_list(home.engine, the_list, rows, [], now=at, actor="job:plan")
    events["customer_id"].append("C-20 4817")
    for column, value in zip(
        ("occurred_at", "name", "topic"), (now - timedelta(hours=5), "session_started", None), strict=True
    ):
        events[column].append(value)
    log = home.log
    log.append(pa.table(events))
