"""A dozen people, each here to show one thing: planning, sending, feedback and results are tested on it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy import Engine

from records.canonical import EVENT_SCHEMA
from records.database import connect, migrate, set_state
from records.events import EventLog
from records.people import Customer, record_consents, save_customers, suppress
from records.scores import Run, Score, save_run
from serving.channels import Channel, open_channels
from serving.planning import PlanResult, plan
from serving.playbook import load_playbook
from serving.settings import CompanyOptions, PlanningOptions, SendingOptions, Settings
from training.labels import ChurnOptions

# A Thursday, 06:10 in India: before the working day, so that the whole day lies ahead.
MORNING = datetime(2026, 11, 19, 0, 40, tzinfo=UTC)
AS_OF = datetime(2026, 11, 19, 0, 30, tzinfo=UTC)
EVENING = datetime(2026, 11, 19, 14, 25, tzinfo=UTC)  # 19:55 in India: every message of the day is due

NAMES = {
    "asha": "Asha Rao",  # router delivered yesterday
    "bala": "Bala Krishnan",  # payment failed five hours ago
    "chitra": "Chitra Sen",  # bill up by a third, and the bill is what she will ask about
    "dev": "Dev Patel",  # two network tickets solved
    "esha": "Esha Gupta",  # router delivered yesterday; asked us not to write
    "farid": "Farid Khan",  # order late; complaint open
    "gita": "Gita Menon",  # router delivered yesterday; agreed to nothing
    "hari": "Hari Om",  # high risk for reasons of price
    "indu": "Indu Nair",  # fine
    "jai": "Jai Singh",  # router delivered yesterday; no address
    "kiran": "Kiran Das",  # payment failed; just escalated
    "lata": "Lata Roy",  # payment failed, then paid
}


def customer_id(name: str) -> str:
    """ "C-10 0001": ids hold a blank, as Saral's do."""
    return f"C-10 {list(NAMES).index(name) + 1:04d}"


def event(
    who: str, name: str, hours_ago: float, properties: dict[str, Any] | None = None, **columns: Any
) -> dict[str, Any]:
    """One event, so many hours before AS_OF."""
    return {
        "customer_id": customer_id(who) if who in NAMES else who,
        "name": name,
        "occurred_at": AS_OF - timedelta(hours=hours_ago),
        "properties": json.dumps(properties or {}),
        **columns,
    }


def table(events: Sequence[dict[str, Any]]) -> pa.Table:
    """Events as the log takes them."""
    names = [field.name for field in EVENT_SCHEMA if field.name not in ("event_id", "received_at")]
    rows = [{name: one.get(name) for name in names} for one in events]
    schema = pa.schema([EVENT_SCHEMA.field(name).with_nullable(True) for name in names])
    return pa.Table.from_pylist(rows, schema=schema)


def history() -> list[dict[str, Any]]:
    """What happened before the morning."""
    bill = {"bill_id": "B-3", "previous_amount": 589, "month": "2026-11", "lines": [["data_pack", 150], ["gst", 27]]}
    bill |= {"due_at": "2026-12-02T00:00:00+00:00"}
    events = [event(who, "subscription_started", 9_000, product="mobile_499", amount=Decimal(499)) for who in NAMES]
    events += [event(who, "session_started", 300, channel="app") for who in NAMES]
    for who in ("asha", "esha", "gita", "jai"):
        order = {"order_id": f"R-{who}", "days_late": 0}
        events.append(event(who, "order_delivered", 30, order, product="airfiber_router"))
    for who in ("bala", "kiran", "lata"):
        failed = {"bill_id": f"B-{who}", "reason": "card_expired", "due_at": "2026-11-28T00:00:00+00:00"}
        events.append(event(who, "payment_failed", 5, failed, amount=Decimal(499), currency="INR"))
    events.append(event("lata", "payment_completed", 3, {"bill_id": "B-lata", "method": "upi"}, amount=Decimal(499)))
    events.append(event("chitra", "bill_issued", 20, bill, amount=Decimal(766), currency="INR"))
    for number, hours in enumerate((400, 60)):
        ticket = {"ticket_id": f"T-{number}", "severity": 1}
        events.append(event("dev", "support_ticket_opened", hours + 20, ticket, topic="network", text="net is slow"))
        events.append(event("dev", "support_ticket_solved", hours, {**ticket, "hours": 20}, topic="network"))
    events.append(event("farid", "order_delivered", 40, {"order_id": "R-9", "days_late": 3}, product="phone_a15"))
    events.append(event("farid", "support_ticket_opened", 30, {"ticket_id": "T-9", "severity": 1}, topic="delivery"))
    events.append(event("kiran", "support_ticket_opened", 40, {"ticket_id": "T-8", "severity": 3}, topic="payment"))
    events.append(event("kiran", "support_ticket_solved", 20, {"ticket_id": "T-8", "hours": 20}, topic="payment"))
    return events


def settings(**planning: Any) -> Settings:
    """Saral's settings."""
    return Settings(
        company=CompanyOptions(
            name="Saral",
            name_hi="सरल",
            timezone="Asia/Kolkata",
            website="https://saral.invalid",
            support_email="help@saral.invalid",
            postal_address="Saral, 12 MG Road, Indore 452001, India",
        ),
        churn=ChurnOptions(
            definition="event", event="subscription_cancelled", returned_by=["subscription_started"], activity=[]
        ),
        planning=PlanningOptions(**planning),
        sending=SendingOptions(max_per_minute=10_000, base_url="https://messages.saral.invalid"),
    )


@dataclass
class SmallCompany:
    """A home in memory and on disk: database, log, settings, outbox."""

    engine: Engine
    log: EventLog
    settings: Settings
    folder: Path

    def plan(self, as_of: datetime = AS_OF, now: datetime = MORNING) -> PlanResult:
        """Tonight's list."""
        return plan(self.engine, self.log, self.settings, load_playbook(), as_of, now)

    def channels(self) -> dict[str, Channel]:
        return open_channels(self.settings.sending, self.folder / "outbox", simulated=True)

    def outbox(self) -> list[str]:
        """Names of the messages in the outbox: "whatsapp/O-1.json"."""
        folder = self.folder / "outbox"
        found = folder.glob("*/[!.]*") if folder.exists() else []
        return sorted(f"{file.parent.name}/{file.name}" for file in found)


def people() -> list[Customer]:
    """The cast, half of it Hindi-speaking; Jai has no address."""
    return [
        Customer(
            customer_id=customer_id(who),
            name=name,
            email=None if who == "jai" else f"{who}@example.invalid",
            phone=None if who == "jai" else f"+9199000000{number:02d}",
            language="hi" if number % 2 else "en",
            city="Indore",
        )
        for number, (who, name) in enumerate(NAMES.items())
    ]


def make(engine: Engine, folder: Path) -> SmallCompany:
    """The company on the morning of 19 November."""
    log = EventLog(folder / "data")
    log.append(table(history()))
    set_state(engine, "holdout_salt", "salt-1")
    save_customers(engine, people(), MORNING - timedelta(days=400))
    agreed = MORNING - timedelta(days=300)
    record_consents(
        engine,
        [
            {"customer_id": customer_id(who), "channel": channel, "purpose": purpose, "granted": True}
            | {"at": agreed, "source": "import"}
            for who in NAMES
            if who != "gita"
            for channel in ("email", "whatsapp", "sms")
            for purpose in ("service", "promotional")
        ],
    )
    suppress(engine, customer_id("esha"), "asked on the phone", agreed)
    save_run(engine, RUN, [score(who) for who in NAMES])
    return SmallCompany(engine=engine, log=log, settings=settings(), folder=folder)


def copy_of(prepared: Path, folder: Path) -> SmallCompany:
    """A company of one's own from one prepared earlier: many times faster than making it anew."""
    shutil.copytree(prepared, folder, dirs_exist_ok=True)
    engine = connect(f"sqlite:///{folder / 'pehle.db'}")
    return SmallCompany(engine=engine, log=EventLog(folder / "data"), settings=settings(), folder=folder)


def prepare(folder: Path, then: Callable[[SmallCompany], object] = lambda company: None) -> Path:
    """A company on SQLite in `folder`, brought as far as `then` brings it."""
    engine = connect(f"sqlite:///{folder / 'pehle.db'}")
    migrate(engine)
    then(make(engine, folder))
    engine.dispose()
    return folder


RUN = Run(run_id="run-1", as_of=AS_OF, model_version="14", scored_at=MORNING, customers=len(NAMES))


def score(who: str) -> Score:
    """Hari is likely to leave because of the price; Chitra will ask about the bill."""
    high = who == "hari"
    reason = {"signal": "days_since_price_page" if high else "days_since_last_session", "value": 2.0, "push": 0.8}
    topic = {"hari": "plan_price", "chitra": "billing"}.get(who, "network")
    return Score(
        score_id=f"s-{who}",
        run_id=RUN.run_id,
        customer_id=customer_id(who),
        as_of=AS_OF,
        churn_probability=0.84 if high else 0.2,
        band="high" if high else "low",
        reasons=[{**reason, "share": 0.5, "en": "Price checked 5 times", "hi": "दाम 5 बार देखा"}],
        topics=[{"topic": topic, "probability": 0.5, "given_contact": 0.6, "sure": True}],
        model_version=RUN.model_version,
    )
