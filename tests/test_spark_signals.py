"""Every signal of the catalog is the same on Spark as in one process: to 1e-9, with the same nulls, on nasty logs."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pytest
from features_logs import CUTOFF, HOSTILE, MORE_NAMES, PEOPLE, PROPERTIES, START, events, log_of, numbered
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.build import build_signals
from features.catalog import catalog
from features.cutoffs import microseconds
from features.fitted import Fitted, fit
from features.readings import Readings
from features.spark import session
from features.spark_signals import in_order, signals_on_spark
from records.events import EVENT_SCHEMA, EventLog
from records.own_tables import import_own

pytest.importorskip("pyspark", reason="Spark is not installed: make spark")
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # pyspark's own, to its JVM

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EARLIER = CUTOFF - timedelta(days=30)
ODD = CUTOFF - timedelta(days=20, hours=7, microseconds=3)
FEW = settings(max_examples=2, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
AMOUNTS = (None, Decimal("-12.5"), Decimal(0), Decimal("33.3333"), Decimal("99.0001"), Decimal("1e11"))
CONTRACTS = (
    {"plan": "gold", "auto_renew": True, "expires_at": "2024-05-01T00:00:00+05:30", "discount": 10},
    {"plan": "सादा", "auto_renew": False, "expires_at": "2024-04-12", "payment_method": "upi"},
    {"plan": "gold", "expires_at": "soon", "discount": "1e1", "payment_method": "card"},
)


@pytest.fixture(scope="module")
def spark() -> SparkSession:
    return session("local[2]")


def on_spark(spark: SparkSession, log: EventLog, cutoffs: list[datetime], **options: Any) -> pa.Table:
    with signals_on_spark(spark, log, cutoffs, **options) as frame:
        return in_order(frame)


def differing(here: pa.Table, there: pa.Table) -> list[str]:
    """Which signals are not the same in both tables, and by how much?"""
    assert there.schema.names == here.schema.names
    assert there.select(["customer_id", "cutoff"]).equals(here.select(["customer_id", "cutoff"]))
    wrong = []
    for name in here.column_names[2:]:
        one, other = (table.column(name).combine_chunks() for table in (here, there))
        if not one.is_valid().equals(other.is_valid()):
            wrong.append(f"{name}: null in other places")
            continue
        expected, got = one.drop_null().to_numpy(), other.drop_null().to_numpy()
        far = ~np.isclose(got, expected, rtol=1e-9, atol=1e-12, equal_nan=True)
        if far.any():
            wrong.append(f"{name}: {got[far][0]!r} instead of {expected[far][0]!r}")
    return wrong


def properties(name: str, draw: random.Random) -> dict[str, Any]:
    """What such an event carries; seldom something that nobody would write."""
    if draw.random() < 0.1:
        return draw.choice(HOSTILE)
    if name == "text_scored":
        return {"sentiment": draw.choice([-0.9, 0.25, "0.5", "1e-1", " 1 ", "NaN"])}
    if name in ("subscription_started", "plan_changed", "subscription_renewed"):
        return draw.choice(CONTRACTS)
    return draw.choice([*PROPERTIES.get(name, []), {"score": draw.choice([1, 2.5, "3", None])}])


def medium_log(folder: Path, count: int = 6_000) -> EventLog:
    """Many people, all names, ties, late events and two changes of the clocks."""
    draw = random.Random(11)
    names = sorted({*MORE_NAMES, *PROPERTIES, "text_scored", "subscription_renewed", "refund_issued"})
    rows: list[dict[str, Any]] = []
    for _ in range(count):
        name = draw.choice(names)
        at = START + timedelta(microseconds=draw.randrange(-200 * 86_400_000_000, 75 * 86_400_000_000))
        if draw.random() < 0.1 and rows:
            at = rows[-1]["occurred_at"]
        rows.append(
            {
                "customer_id": f"{draw.choice(PEOPLE)} {draw.randrange(60)}",
                "occurred_at": at,
                "received_at": at + timedelta(hours=draw.choice([0, 0, 0, 0, 5, 24, 24 * 40])),
                "name": name,
                "channel": draw.choice(["web", "app", "phone", None]),
                "product": draw.choice(["router", "phone", "सिम", "cable", None]),
                "topic": draw.choice(["network", "billing", None]),
                "amount": draw.choice(AMOUNTS),
                "rating": draw.choice([None, 1.0, 2.0, 2.5, 4.5]),
                "properties": json.dumps(properties(name, draw)),
            }
        )
    log = log_of(folder, numbered(rows), files=3)
    write_own(log, sorted({row["customer_id"] for row in rows})[::2])
    return log


def write_own(log: EventLog, people: list[str]) -> None:
    """A table of the company's own numbers, imported as `pehle import signals` does."""
    table = [
        {"customer_id": person, "cutoff": moment.isoformat(), "credit used": place + share, "visits": 3}
        for place, person in enumerate(people)
        for share, moment in ((0.1, EARLIER - timedelta(days=9)), (0.7, ODD), (0.9, CUTOFF + timedelta(days=1)))
    ]
    file = log.data / "crm.csv"
    csv.write_csv(pa.Table.from_pylist(table), file)
    report = import_own(log.data, "signals", "crm", [file], CUTOFF)
    assert (report.accepted, report.rejected) == (len(table), 0)


@pytest.fixture(scope="module")
def log() -> Iterator[EventLog]:
    with tempfile.TemporaryDirectory(prefix="pehle [old] {1} * ग्राहक ") as folder:
        yield medium_log(Path(folder))


def test_every_signal_at_several_cutoffs(spark: SparkSession, log: EventLog) -> None:
    fitted = fit(log, EARLIER, timezone="Europe/Berlin", activity=[], horizon_days=30)
    here = build_signals(log, [EARLIER, CUTOFF, ODD], fitted=fitted)
    assert here.column_names[2:] == [signal.name for signal in catalog(fitted)]
    assert here.num_rows > 200
    silent = [name for name in here.column_names if here.column(name).null_count == here.num_rows]
    assert silent == []  # else the log says nothing of them, and neither does this test
    assert differing(here, on_spark(spark, log, [EARLIER, CUTOFF, ODD], fitted=fitted)) == []


@FEW
@given(st.lists(events(MORE_NAMES, hostile=True), min_size=60, max_size=120))
def test_every_signal_of_random_logs(spark: SparkSession, rows: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        drawn = log_of(Path(folder), numbered(rows))
        fitted = fit(drawn, CUTOFF, timezone="America/New_York")
        here = build_signals(drawn, [CUTOFF], fitted=fitted)
        assert differing(here, on_spark(spark, drawn, [CUTOFF], fitted=fitted)) == []


def test_chosen_customers_and_signals(spark: SparkSession, log: EventLog) -> None:
    """What is said of all customers' products stays, whoever is asked about."""
    fitted = Fitted()
    names = ["orders_30d", "worst_trouble_rate_ever", "days_known", "median_days_between_orders"]
    people = [f"{PEOPLE[2]} 3", f"{PEOPLE[3]} 7", "nobody"]
    here = build_signals(log, [CUTOFF], fitted=fitted, customers=people, signals=names)
    assert here.num_rows == 2
    assert differing(here, on_spark(spark, log, [CUTOFF], fitted=fitted, customers=people, signals=names)) == []


def test_readings_stand_in_for_what_the_log_says_of_texts(spark: SparkSession, log: EventLog) -> None:
    fitted = fit(log, EARLIER)
    names = [one.name for one in catalog(fitted) if "sentiment" in one.name or one.name.startswith("text_topic_")]
    rows = [
        {
            "event_id": f"reading-{number}",
            "customer_id": f"{PEOPLE[number % 4]} {number % 7}",
            "occurred_at": CUTOFF - timedelta(days=number % 90, seconds=number),
            "received_at": CUTOFF - timedelta(days=number % 90 - number % 5),
            "name": "text_scored",
            "topic": fitted.words.topics[number % 2] if number % 3 else None,
            "properties": json.dumps({"sentiment": number % 21 / 10 - 1}),
        }
        for number in range(300)
    ]
    first = min(max(row["occurred_at"], row["received_at"]) for row in rows)
    found = Readings(pa.Table.from_pylist(rows, schema=EVENT_SCHEMA), microseconds(first))
    chosen: dict[str, Any] = {"fitted": fitted, "signals": ["orders_30d", *names], "readings": found}
    here = build_signals(log, [EARLIER, CUTOFF, ODD], **chosen)
    bare = build_signals(log, [EARLIER, CUTOFF, ODD], **{**chosen, "readings": None})
    assert here["orders_30d"] == bare["orders_30d"]
    assert all(here[name] != bare[name] for name in names[:9])
    assert differing(here, on_spark(spark, log, [EARLIER, CUTOFF, ODD], **chosen)) == []
    none = {**chosen, "readings": Readings(found.events.slice(0, 0), None)}
    silent = build_signals(log, [CUTOFF], **none)
    assert all(silent[name].null_count == silent.num_rows for name in names)
    assert differing(silent, on_spark(spark, log, [CUTOFF], **none)) == []


def test_a_log_without_events_has_no_rows(spark: SparkSession, tmp_path: Path) -> None:
    found = on_spark(spark, EventLog(tmp_path), [CUTOFF], fitted=Fitted(), signals=["orders_30d", "days_known"])
    assert (found.num_rows, found.column_names) == (0, ["customer_id", "cutoff", "days_known", "orders_30d"])
