"""Who is eligible, who left, and what was asked: cutoffs, horizons and the two clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from records.errors import NotEnoughData
from records.events import EventLog
from training.labels import ChurnOptions, IssueOptions, churn_labels, eligible, is_activity, issue_labels

T = datetime(2026, 6, 1, tzinfo=UTC)
UNTIL = T + timedelta(days=90)
ORDERS = ChurnOptions()
ANYTHING = ChurnOptions(activity=[])
CANCELS = ChurnOptions(definition="event", activity=[])


def days(number: float) -> datetime:
    return T + timedelta(days=number)


def log_of(tmp_path: Path, *rows: tuple[Any, ...]) -> EventLog:
    """Rows: customer, name, day after T, and optionally topic and the day it became known."""
    filled: list[tuple[Any, ...]] = [(*row, None, None)[:5] for row in rows]
    log = EventLog(tmp_path)
    log.append(
        pa.table(
            {
                "customer_id": [row[0] for row in filled],
                "name": [row[1] for row in filled],
                "occurred_at": pa.array([days(row[2]) for row in filled], pa.timestamp("us", tz="UTC")),
                "topic": pa.array([row[3] for row in filled], pa.string()),
                "received_at": pa.array(
                    [days(row[2] if row[4] is None else row[4]) for row in filled], pa.timestamp("us", tz="UTC")
                ),
            }
        )
    )
    return log


def left(log: EventLog, churn: ChurnOptions, until: datetime = UNTIL) -> dict[str, bool]:
    found = churn_labels(log, [T], churn, until)
    return {str(row["customer_id"]): bool(row["left_us"]) for row in found.to_pylist()}


@pytest.mark.parametrize(
    ("day", "alive"),
    [(-180, True), (-180.001, False), (-0.001, True), (0, False)],
    ids=["first moment of the window", "just before it", "just before the cutoff", "at the cutoff"],
)
def test_alive_means_activity_from_180_days_before_up_to_but_not_at_the_cutoff(
    tmp_path: Path, day: float, alive: bool
) -> None:
    log = log_of(tmp_path, ("bo", "order_completed", day))
    assert eligible(log, [T], ORDERS)[T] == (["bo"] if alive else [])


@pytest.mark.parametrize(
    ("day", "gone"),
    [(0, False), (89.999, False), (90, True)],
    ids=["at the cutoff", "last moment of the horizon", "just after it"],
)
def test_the_horizon_begins_at_the_cutoff_and_ends_before_its_last_moment(
    tmp_path: Path, day: float, gone: bool
) -> None:
    log = log_of(tmp_path, ("bo", "order_completed", -5), ("bo", "order_completed", day))
    assert left(log, ORDERS, UNTIL + timedelta(days=1)) == {"bo": gone}


def test_what_was_not_yet_known_at_the_cutoff_makes_nobody_eligible(tmp_path: Path) -> None:
    log = log_of(tmp_path, ("bo", "order_completed", -5, None, 1), ("cy", "order_completed", -5, None, -4))
    assert eligible(log, [T], ORDERS)[T] == ["cy"]
    assert left(log, ORDERS) == {"cy": True}


def test_a_purchase_known_only_after_training_time_is_not_read(tmp_path: Path) -> None:
    log = log_of(tmp_path, ("bo", "order_completed", -5), ("bo", "order_completed", 10, None, 95))
    assert left(log, ORDERS) == {"bo": True}
    assert left(log, ORDERS, UNTIL + timedelta(days=10)) == {"bo": False}


def test_with_no_activity_named_anything_a_customer_does_counts_but_nothing_done_to_them(tmp_path: Path) -> None:
    log = log_of(
        tmp_path,
        ("bo", "page_viewed", -5),
        ("cy", "message_opened", -5),
        ("di", "payment_failed", -5),
        ("ed", "session_started", -5),
        ("ed", "bill_issued", 5),
    )
    assert left(log, ANYTHING) == {"bo": True, "ed": True}


def test_a_pattern_ends_in_a_star_and_matches_the_beginning_only() -> None:
    found = is_activity(ChurnOptions(activity=["order_*", "it's"]))
    assert found == "(starts_with(name, 'order_') or name = 'it''s')"


def test_leaving_by_event_asks_for_the_event_and_not_for_silence(tmp_path: Path) -> None:
    log = log_of(
        tmp_path,
        ("bo", "page_viewed", -5),
        ("cy", "page_viewed", -5),
        ("cy", "subscription_cancelled", 30),
        ("di", "page_viewed", -5),
        ("di", "subscription_cancelled", 90),
    )
    assert left(log, CANCELS, UNTIL + timedelta(days=1)) == {"bo": False, "cy": True, "di": False}


def test_who_has_left_is_not_eligible_until_they_come_back(tmp_path: Path) -> None:
    log = log_of(
        tmp_path,
        ("bo", "page_viewed", -20),
        ("bo", "subscription_cancelled", -10),
        ("cy", "subscription_cancelled", -10),
        ("cy", "page_viewed", -5),
    )
    assert eligible(log, [T], CANCELS)[T] == ["cy"]
    renewed = CANCELS.model_copy(update={"returned_by": ["subscription_started"]})
    assert eligible(log, [T], renewed)[T] == []


def test_a_return_that_nobody_knew_of_at_the_cutoff_does_not_count(tmp_path: Path) -> None:
    log = log_of(
        tmp_path, ("bo", "page_viewed", -20), ("bo", "subscription_cancelled", -10), ("bo", "page_viewed", -5, None, 2)
    )
    assert eligible(log, [T], CANCELS)[T] == []


def test_an_unfinished_horizon_is_refused(tmp_path: Path) -> None:
    log = log_of(tmp_path, ("bo", "order_completed", -5))
    with pytest.raises(NotEnoughData, match="90 days after 2026-06-01 are not over by 2026-08-29"):
        churn_labels(log, [T], ORDERS, UNTIL - timedelta(days=1))


def test_topics_are_those_of_the_horizon_and_an_unknown_one_stays_unknown(tmp_path: Path) -> None:
    log = log_of(
        tmp_path,
        ("bo", "support_ticket_opened", -1, "billing"),
        ("bo", "support_ticket_opened", 0, "network"),
        ("bo", "support_ticket_opened", 3, "network"),
        ("cy", "support_ticket_opened", 29.9, None),
        ("di", "support_ticket_opened", 30, "billing"),
        ("ed", "page_viewed", 3, "billing"),
    )
    found = issue_labels(log, [T], IssueOptions(), UNTIL)
    assert found.select(["customer_id", "topic"]).to_pylist() == [
        {"customer_id": "bo", "topic": "network"},
        {"customer_id": "cy", "topic": None},
    ]


def test_an_unknown_setting_and_bands_out_of_order_are_refused() -> None:
    with pytest.raises(ValidationError, match="horizon"):
        ChurnOptions.model_validate({"horizon": 30})
    with pytest.raises(ValidationError, match=r"medium is 0\.7, above"):
        ChurnOptions.model_validate({"bands": {"high": 0.6, "medium": 0.7}})
