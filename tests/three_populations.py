"""A company with three kinds of customers, each with a definition of leaving of its own, on paper and in the log.

Prepaid customers leave by falling silent, fibre customers by cancelling, shoppers by not ordering. Whoever will go
looks at the page with the plans first, so that they may be written to about a better one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
from typer.testing import CliRunner

from records.people import Customer, record_consents, save_customers
from serving.cli import app
from serving.home import REAL, Home, create_home, open_home

START = datetime(2025, 1, 1, tzinfo=UTC)
AS_OF = START + timedelta(days=300)
MORNING = AS_OF + timedelta(hours=6)
EVENING = AS_OF + timedelta(hours=19, minutes=29)
SETTINGS = """
[company]
name = "Trio"
website = "https://trio.invalid"
support_email = "help@trio.invalid"
postal_address = "Trio, 1 Test Street, Indore 452001, India"
[churn]
horizon_days = 30
active_within_days = 60
bands = { high = 0.9, medium = 0.8 }
[churn.prepaid]
where = { plan = "mobile_*" }
activity = ["recharge_made"]
bands = { high = 0.5, medium = 0.2 }
[churn.fiber]
where = { plan = "fiber_*" }
definition = "event"
activity = ["session_started"]
horizon_days = 45
bands = { high = 0.1, medium = 0.05 }
[training]
max_rounds = 20
max_cutoffs = 8
[planning]
budget_minor = 50000000
"""
KINDS = ("prepaid", "fiber", "shop")
PLANS = {"prepaid": "mobile_299", "fiber": "fiber_999"}
SIGNS = {"prepaid": "recharge_made", "fiber": "session_started", "shop": "order_completed"}


def kind_of(customer_id: str) -> str:
    """Of which kind is this customer? Tests read it off the id, the product off the log."""
    return KINDS["PFS".index(customer_id[0])]


def customers(people: int) -> list[str]:
    return [f"{'PFS'[number % 3]} {number:03d}" for number in range(people)]


def lives(people: int, days: int) -> list[dict[str, object]]:
    """Everybody acts at a pace of their own until they stop one day; who has fibre then cancels."""
    rng = np.random.default_rng(8)
    rows: list[dict[str, object]] = []

    def add(who: str, name: str, day: float, **more: object) -> None:
        if day < days:
            rows.append({"customer_id": who, "name": name, "occurred_at": START + timedelta(days=day), **more})

    for who in customers(people):
        kind, pace = kind_of(who), float(rng.choice([3.0, 9.0, 18.0]))
        stops = float(rng.uniform(*((40, 330) if rng.random() < 0.5 else (200, 700))))
        if kind in PLANS:
            add(who, "subscription_started", 0.0, product=PLANS[kind], amount=Decimal(299))
        day = float(rng.uniform(0, pace))
        while day < stops:
            add(who, SIGNS[kind], day)
            # Whoever will cancel calls less often in the last weeks.
            day += pace * float(rng.uniform(0.7, 1.3)) * (2.5 if kind == "fiber" and stops - day < 40 else 1.0)
        if kind == "fiber":
            add(who, "subscription_cancelled", stops)
        # Whoever will go compares plans before; some of the others do now and then.
        for at in [*rng.uniform(stops - 25, stops, 4), *rng.uniform(0, 300, rng.poisson(1.0))]:
            add(who, "page_viewed", max(0.0, float(at)), properties='{"page": "plans"}')
        for at in rng.uniform(0, min(stops, 298), rng.poisson(5.0)):
            asked = {"topic": "plan_price" if rng.random() < 0.9 else "billing"}
            asked["properties"] = json.dumps({"ticket_id": f"T{at}"})
            add(who, "support_ticket_opened", float(at), **asked)
            add(who, "support_ticket_solved", float(at) + 0.5, **asked)
    return rows


def events(rows: list[dict[str, object]]) -> pa.Table:
    def column(name: str, kind: pa.DataType) -> pa.Array:
        return pa.array([row.get(name) for row in rows], kind)

    return pa.table(
        {
            "customer_id": column("customer_id", pa.string()),
            "name": column("name", pa.string()),
            "occurred_at": column("occurred_at", pa.timestamp("us", tz="UTC")),
            "product": column("product", pa.string()),
            "topic": column("topic", pa.string()),
            "amount": column("amount", pa.decimal128(18, 4)),
            "properties": column("properties", pa.string()),
        }
    )


def company(folder: Path, people: int = 720, settings: str = SETTINGS) -> Home:
    """The home on the morning after day 300: nothing trained, nobody written to."""
    create_home(folder, REAL).engine.dispose()
    (folder / "pehle.toml").write_text(settings, encoding="utf-8")
    home = open_home(folder)
    home.log.append(events(lives(people, 300)))
    save_customers(
        home.engine,
        [
            Customer(customer_id=who, name=f"Person {who}", email=f"{who[0]}{who[2:]}@example.invalid", language="en")
            for who in customers(people)
        ],
        START,
    )
    agreed = {"channel": "email", "granted": True, "at": START, "source": "import"}
    record_consents(
        home.engine,
        [
            {"customer_id": who, "purpose": purpose, **agreed}
            for who in customers(people)
            for purpose in ("service", "promotional")
        ],
    )
    return home


def pehle(home: Path, *words: str, code: int = 0) -> str:
    """The command as a person types it; what it says on stdout."""
    done = CliRunner().invoke(app, ["--home", str(home), *words])
    assert done.exit_code == code, (done.output, done.exception)
    return f"{done.output}{done.exception}" if code else done.stdout


def at(moment: datetime) -> Callable[[], datetime]:
    """A wall clock that stands still."""
    return lambda: moment
