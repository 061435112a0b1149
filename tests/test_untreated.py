"""What our own messages changed is left out of learning, and the comparison group stands in for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import Engine

from records.treatments import treatments
from training.labels import ChurnOptions
from training.untreated import MOST_COPIES, untreated, whole

T = datetime(2026, 6, 1, tzinfo=UTC)
CHURN = ChurnOptions(horizon_days=30, gap_days=5)
SEED = 2026


def labels_of(*customers: str) -> pa.Table:
    moment = pa.timestamp("us", "UTC")
    return pa.table({"customer_id": list(customers), "cutoff": pa.array([T] * len(customers), moment)})


def planned(*rows: tuple[str, str, float, bool, float]) -> pa.Table:
    """Rows: customer, play, day after T, treated, propensity."""
    return pa.table(
        {
            "customer_id": [row[0] for row in rows],
            "play": [row[1] for row in rows],
            "at": pa.array([T + timedelta(days=row[2]) for row in rows], pa.timestamp("us", "UTC")),
            "treated": [row[3] for row in rows],
            "propensity": [row[4] for row in rows],
        }
    )


def copies(*rows: tuple[str, str, float, bool, float], who: tuple[str, ...] = ("bo",)) -> list[int]:
    return untreated(labels_of(*who), planned(*rows), CHURN, SEED).copies.tolist()


@pytest.mark.parametrize(
    ("day", "counted"),
    [(-30.01, 1), (-30, 0), (0, 0), (34.99, 0), (35, 1)],
    ids=["long over", "still at work", "at the cutoff", "end of the horizon", "after it"],
)
def test_whom_a_message_may_have_kept_is_left_out(day: float, counted: int) -> None:
    assert copies(("bo", "offer", day, True, 0.8)) == [counted]
    # At .8 the comparison group is a fifth: each of them stands for five.
    assert copies(("bo", "offer", day, False, 0.8)) == [1 if counted else 5]


def test_who_was_in_no_list_counts_once_and_nothing_planned_changes_nothing() -> None:
    found = untreated(labels_of("bo", "cy"), planned(("cy", "offer", 1, True, 0.5)), CHURN, SEED)
    assert found.copies.tolist() == [1, 0]
    assert (found.left_out, found.standing_in) == (1, 0)
    assert "1 examples of people" in found.notes[0]
    assert untreated(labels_of("bo"), None, CHURN, SEED).notes == ()


def test_of_two_plays_the_treated_one_decides_and_two_comparison_groups_multiply() -> None:
    assert copies(("bo", "a", 1, False, 0.5), ("bo", "b", 2, True, 0.5)) == [0]
    assert copies(("bo", "a", 1, False, 0.5), ("bo", "b", 2, False, 0.5)) == [4]
    assert copies(("bo", "a", 1, False, 0.5), ("bo", "a", 2, False, 0.5)) == [2]
    assert copies(("bo", "a", 1, False, 0.99)) == [MOST_COPIES]


def test_copies_are_whole_and_right_on_average() -> None:
    assert sum(whole(6.67, number / 1000) for number in range(1000)) == 6670


def test_the_base_rate_without_messages_is_found_again() -> None:
    """Half of those at risk are kept by a message that goes to 85 %; the labels set right know nothing of it."""
    rng = np.random.default_rng(5)
    people = 40_000
    risk = rng.choice([0.05, 0.6], people, p=[0.8, 0.2])
    would_leave = rng.random(people) < risk
    asked, held_out = risk > 0.5, rng.random(people) < 0.15
    saved = asked & ~held_out & (rng.random(people) < 0.5)
    left = would_leave & ~saved
    names = [f"C{number}" for number in range(people)]
    rows = [(names[n], "offer", 3.0, not held_out[n], 0.85) for n in np.flatnonzero(asked)]
    found = untreated(labels_of(*names), planned(*rows), CHURN, SEED)
    truth, naive = would_leave.mean(), left.mean()
    without = left[found.copies > 0].mean()
    set_right = np.average(left, weights=found.copies)
    assert naive < truth - 0.03
    assert without < truth - 0.03
    assert abs(set_right - truth) < 0.01
    assert abs(found.copies.sum() / people - 1) < 0.02


def add(engine: Engine, **changes: Any) -> None:
    """One outreach."""
    from records.tables import outreach, outreach_lists

    values: dict[str, Any] = {column.name: "" for column in outreach.columns}
    values |= {name: [] for name in ("reasons", "topics", "checks")} | {"variables": {}}
    values |= dict.fromkeys(("claimed_at", "fenced_at", "sent_at", "approved_at", "churn_probability"))
    values |= {
        "value_minor": 0,
        "cost_minor": 0,
        "updated_at": T,
        "expires_at": T,
        "state": "delivered",
        "arm": "treated",
    }
    with engine.begin() as connection:
        known = {row.list_id for row in connection.execute(outreach_lists.select())}
        if changes["list_id"] not in known:
            one = {
                "planned_at": T,
                "as_of": T,
                "model_version": "1",
                "decide_by": T,
                "budget_minor": 0,
                "currency": "INR",
            }
            connection.execute(outreach_lists.insert().values(list_id=changes["list_id"], **one))
        connection.execute(outreach.insert().values(values | changes))


def test_everybody_planned_on_a_list_that_went_out_is_read_with_their_arm(engine: Engine) -> None:
    sent = {"list_id": "L-1", "play": "offer", "propensity": 0.8, "send_at": T}
    add(engine, outreach_id="1", customer_id="bo", fenced_at=T, **sent)
    add(engine, outreach_id="2", customer_id="cy", arm="holdout", state="held_out", **sent)
    add(engine, outreach_id="3", customer_id="di", state="declined", **sent)
    # Nothing of this list went out; everybody gets this play; this one comes later.
    add(engine, outreach_id="4", customer_id="ed", arm="holdout", **{**sent, "list_id": "L-2"})
    add(engine, outreach_id="5", customer_id="fa", fenced_at=T, **{**sent, "play": "outage", "propensity": 1.0})
    add(engine, outreach_id="6", customer_id="ga", fenced_at=T, **{**sent, "send_at": T + timedelta(days=1)})
    found = treatments(engine, T + timedelta(days=1))
    assert [(row["customer_id"], row["treated"]) for row in found.to_pylist()] == [
        ("bo", True),
        ("cy", False),
        ("di", True),
    ]
