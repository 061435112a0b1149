"""Which group does a judged customer belong to? The newest value known before the cutoff, and nothing later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from records.events import EventLog
from training.attributes import attributes_at

CUTOFF = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def event(who: str, days_before: float, properties: str = "{}", **columns: Any) -> dict[str, Any]:
    at = CUTOFF - days_before * DAY
    plain = {"event_id": f"{who} {days_before} {columns}", "name": "page_viewed", "channel": None, "product": None}
    return {"customer_id": who, "occurred_at": at, "received_at": at, "properties": properties} | plain | columns


def log_of(folder: Path, rows: list[dict[str, Any]]) -> EventLog:
    log, moment = EventLog(folder), pa.timestamp("us", "UTC")
    types = {"occurred_at": moment, "received_at": moment}
    names = list(rows[0])
    log.append(pa.table({name: pa.array([row[name] for row in rows], types.get(name, pa.string())) for name in names}))
    return log


def test_the_newest_value_counts_in_the_order_that_was_asked_for(tmp_path: Path) -> None:
    rows = [
        event("a", 9, '{"city": "Indore", "language": "hi"}', channel="web"),
        event("a", 2, '{"city": "Bhopal"}', channel="app"),
        event("b", 400, name="subscription_started", product="fiber_100"),
        event("b", 3, name="plan_changed", product="fiber_300"),
        event("b", 1, product="router"),  # looked at a product, which is no plan
    ]
    found = attributes_at(log_of(tmp_path, rows), CUTOFF, ["b", "nobody", "a"])
    assert found == {
        "plan": ["fiber_300", None, None],
        "channel": [None, None, "app"],
        "language": [None, None, "hi"],
        "region": [None, None, "Bhopal"],
        "tenure": ["one to two years", None, "under 30 days"],
    }


@pytest.mark.parametrize(
    ("days", "tenure"),
    [(0.5, "under 30 days"), (29.9, "under 30 days"), (30, "30 to 90 days"), (89.9, "30 to 90 days"),
     (90, "90 days to a year"), (365, "one to two years"), (730, "two years or more"), (4_000, "two years or more")],
)  # fmt: skip
def test_tenure_counts_whole_days_since_the_first_event(tmp_path: Path, days: float, tenure: str) -> None:
    assert attributes_at(log_of(tmp_path, [event("a", days)]), CUTOFF, ["a"])["tenure"] == [tenure]


def test_nothing_that_happened_or_became_known_at_or_after_the_cutoff_counts(tmp_path: Path) -> None:
    before = [event("a", 40, '{"region": "north", "locale": "en"}', channel="web")]
    after = [
        event("a", 0, '{"region": "at the cutoff"}', channel="store"),
        event("a", -3, '{"region": "later"}', channel="phone"),
        event("a", 5, '{"region": "told later"}', channel="chat", received_at=CUTOFF + DAY),
        event("a", 300, received_at=CUTOFF),  # an older first event that nobody knew of
        event("b", -1, channel="web"),
    ]
    people = ["a", "b"]
    found = attributes_at(log_of(tmp_path / "all", before + after), CUTOFF, people)
    assert found == attributes_at(log_of(tmp_path / "before", before), CUTOFF, people)
    assert found["region"] == ["north", None]
    assert found["language"] == ["en", None]
    assert found["tenure"] == ["30 to 90 days", None]


def test_of_two_names_in_one_event_the_first_of_the_list_counts(tmp_path: Path) -> None:
    """`language` before `lang`, `region` before `city`; an empty value is no value."""
    rows = [event("a", 3, '{"lang": "mr", "language": "hi", "city": "Pune", "region": ""}', channel="")]
    found = attributes_at(log_of(tmp_path, rows), CUTOFF, ["a"])
    assert (found["language"], found["region"], found["channel"]) == (["hi"], ["Pune"], [None])


def test_of_two_events_at_one_moment_the_greater_id_counts_whatever_the_order_of_the_file(tmp_path: Path) -> None:
    rows = [event("a", 3, channel="web", event_id="2"), event("a", 3, channel="app", event_id="1")]
    for number, order in enumerate((rows, rows[::-1])):
        assert attributes_at(log_of(tmp_path / str(number), order), CUTOFF, ["a"])["channel"] == ["web"]
