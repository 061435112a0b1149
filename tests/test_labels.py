"""Who is eligible, who left, and what was asked: cutoffs, horizons and the two clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from records.errors import InputError, NotEnoughData
from records.events import EventLog
from records.own_tables import import_own
from training.definitions import ChurnSection, definitions
from training.labels import (
    ChurnOptions,
    IssueOptions,
    churn_labels,
    eligible,
    imported_cutoffs,
    is_activity,
    issue_labels,
    left_within,
)

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


# ── gap and grace ────────────────────────────────────────────────────────────────────────────────────────────
GAP = ChurnOptions(gap_days=7, horizon_days=30)


@pytest.mark.parametrize(
    ("day", "gone"),
    [(6.999, True), (7, False), (36.999, False), (37, True)],
    ids=["in the gap", "first moment of the horizon", "its last moment", "just after it"],
)
def test_between_cutoff_and_horizon_lies_the_gap(tmp_path: Path, day: float, gone: bool) -> None:
    log = log_of(tmp_path, ("bo", "order_completed", -5), ("bo", "order_completed", day))
    assert left(log, GAP, days(60)) == {"bo": gone}


def test_a_horizon_with_a_gap_is_finished_later(tmp_path: Path) -> None:
    log = log_of(tmp_path, ("bo", "order_completed", -5))
    with pytest.raises(NotEnoughData, match="37 days after"):
        churn_labels(log, [T], GAP, days(36))
    assert left(log, GAP, days(37)) == {"bo": True}


def test_who_leaves_in_the_gap_is_no_example_since_nobody_can_act_in_time(tmp_path: Path) -> None:
    leaves = CANCELS.model_copy(update={"gap_days": 7, "horizon_days": 30})
    rows = [(who, "page_viewed", -5) for who in ("bo", "cy", "di")]
    log = log_of(tmp_path, *rows, ("bo", "subscription_cancelled", 3), ("cy", "subscription_cancelled", 7))
    assert left(log, leaves, days(60)) == {"cy": True, "di": False}
    assert eligible(log, [T], leaves)[T] == ["bo", "cy", "di"]


GRACE = CANCELS.model_copy(update={"grace_days": 10, "returned_by": ["subscription_started"], "horizon_days": 30})


@pytest.mark.parametrize(
    ("name", "day", "gone"),
    [
        ("subscription_started", 30, True),
        ("subscription_started", 29.999, False),
        ("subscription_started", 20, True),
        ("plan_changed", 20, False),
        ("plan_changed", 25, False),
        ("plan_changed", 19, True),
        ("page_viewed", 25, True),
    ],
    ids=["too late", "just in time", "not after it", "change at once", "change later", "change before", "no return"],
)
def test_a_leaving_taken_back_within_the_grace_is_none(tmp_path: Path, name: str, day: float, gone: bool) -> None:
    log = log_of(tmp_path, ("bo", "page_viewed", -5), ("bo", "subscription_cancelled", 20), ("bo", name, day))
    assert left(log, GRACE, days(60)) == {"bo": gone}


def test_the_grace_of_a_leaving_at_the_end_of_the_horizon_is_waited_for(tmp_path: Path) -> None:
    log = log_of(
        tmp_path,
        *(("bo", name, day) for name, day in [("page_viewed", -5), ("subscription_cancelled", 29)]),
        ("bo", "subscription_started", 38),
    )
    with pytest.raises(NotEnoughData, match="40 days after"):
        churn_labels(log, [T], GRACE, days(39))
    assert left(log, GRACE, days(40)) == {"bo": False}


def test_a_change_of_plan_known_at_the_cutoff_keeps_somebody_eligible(tmp_path: Path) -> None:
    log = log_of(
        tmp_path,
        ("bo", "page_viewed", -9),
        ("bo", "subscription_cancelled", -8),
        ("bo", "plan_changed", -7),
        ("cy", "page_viewed", -9),
        ("cy", "subscription_cancelled", -8),
        ("cy", "plan_changed", -7, None, 1),
    )
    assert eligible(log, [T], GRACE)[T] == ["bo"]


# ── several horizons, and whose ──────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("churn", [GAP, GRACE], ids=["inactivity", "event"])
@pytest.mark.parametrize("shorter", [1, 10, 30])
def test_shorter_horizons_come_from_the_same_table(tmp_path: Path, churn: ChurnOptions, shorter: int) -> None:
    decides = "order_completed" if churn is GAP else "subscription_cancelled"
    people = [(f"C{day}", day) for day in range(0, 40, 3)]
    before = "order_completed" if churn is GAP else "page_viewed"
    rows = [row for who, day in people for row in ((who, before, -5), (who, decides, day))]
    log = log_of(tmp_path, *rows)
    table = left_within(churn_labels(log, [T], churn, days(60)), churn, shorter)
    alone = churn.model_copy(update={"horizon_days": shorter})
    assert dict(zip(*(table[name].to_pylist() for name in ("customer_id", "left_us")), strict=True)) == left(
        log, alone, days(60)
    )
    with pytest.raises(InputError, match="31 days cannot be told"):
        left_within(table, churn, 31)


def test_a_population_is_told_by_the_last_value_known_at_the_cutoff(tmp_path: Path) -> None:
    log = log_of(tmp_path, *((who, "order_completed", -5) for who in ("bo", "cy", "di", "ed", "fa")))
    rows = [
        ("bo", -9, -9, "prepaid_s", None),
        ("cy", -9, -9, "prepaid_s", None),
        ("cy", -8, -8, "postpaid", None),
        ("di", -9, 3, "prepaid_s", None),  # not known yet
        ("ed", -9, -9, None, '{"plan": "prepaid_l"}'),
    ]
    moment = pa.timestamp("us", tz="UTC")
    log.append(
        pa.table(
            {
                "customer_id": [row[0] for row in rows],
                "name": ["subscription_started"] * len(rows),
                "occurred_at": pa.array([days(row[1]) for row in rows], moment),
                "received_at": pa.array([days(row[2]) for row in rows], moment),
                "product": pa.array([row[3] for row in rows], pa.string()),
                "properties": pa.array([row[4] for row in rows], pa.string()),
            }
        )
    )
    found = definitions(
        ChurnSection.model_validate(
            {"prepaid": {"where": {"plan": "prepaid_*"}}, "one": {"where": {"plan": "postpaid"}}}
        )
    )
    who = {name: eligible(log, [T], churn)[T] for name, churn in found.items()}
    assert who == {"prepaid": ["bo", "ed"], "one": ["cy"], "default": ["di", "fa"]}
    assert left(log, found["prepaid"]) == {"bo": True, "ed": True}


# ── the company's own labels ─────────────────────────────────────────────────────────────────────────────────
def test_imported_labels_say_who_left_of_those_who_are_eligible(tmp_path: Path) -> None:
    log = log_of(tmp_path, *((who, "order_completed", -5) for who in ("bo", "cy", "di")), ("ed", "page_viewed", -5))
    file = tmp_path / "left.csv"
    rows = ["bo,2026-06-01,true", "cy,2026-06-01,0", "ed,2026-06-01,1", "di,2026-05-01,1"]
    file.write_text("\n".join(["customer_id,cutoff,left", *rows]) + "\n")
    import_own(tmp_path, "labels", "crm", [file], T)
    churn = ChurnOptions(definition="imported", labels="crm")
    assert left(log, churn) == {"bo": True, "cy": False}
    assert eligible(log, [T], churn)[T] == ["bo", "cy", "di"]
    assert imported_cutoffs(log, churn) == [T, datetime(2026, 5, 1, tzinfo=UTC)]
    with pytest.raises(InputError, match="no table of labels called 'left'; there are crm"):
        left(log, churn.model_copy(update={"labels": "left"}))


# ── nothing later ────────────────────────────────────────────────────────────────────────────────────────────
NAMES = ("order_completed", "page_viewed", "subscription_cancelled", "subscription_started", "plan_changed")
Rows = list[tuple[str, str, float, None, float]]


def events(first: float, last: float, received: float) -> st.SearchStrategy[Rows]:
    """Some events between these days after T, known at once or later, but by `received`."""
    one = st.tuples(
        st.sampled_from(["bo", "cy", "di"]),
        st.sampled_from(NAMES),
        st.integers(int(first * 4), int(last * 4) - 1).map(lambda quarter: quarter / 4),
    )
    known = one.flatmap(
        lambda row: st.sampled_from([row[2], max(row[2], received - 0.5)]).map(lambda day: (*row, None, day))
    )
    return st.lists(known, max_size=12)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(past=events(-40, 60, 60), later=events(47, 60, 60), unknown=events(-40, 60, 75))
@pytest.mark.parametrize("churn", [GAP, GRACE.model_copy(update={"gap_days": 7})], ids=["inactivity", "event"])
def test_what_happened_after_a_label_was_known_or_became_known_after_training_changes_none(
    tmp_path_factory: pytest.TempPathFactory, churn: ChurnOptions, past: Rows, later: Rows, unknown: Rows
) -> None:
    assert churn.span <= timedelta(days=47)
    start: Rows = [("bo", "order_completed", -1.0, None, -1.0), ("cy", "order_completed", -2.0, None, -2.0)]
    unseen = [(who, name, day, None, 61.0) for who, name, day, _, _ in unknown]
    one = log_of(tmp_path_factory.mktemp("one"), *start, *past)
    other = log_of(tmp_path_factory.mktemp("other"), *start, *past, *later, *unseen)
    assert churn_labels(one, [T], churn, days(60)).equals(churn_labels(other, [T], churn, days(60)))
    assert eligible(one, [T], churn) == eligible(other, [T], churn)
