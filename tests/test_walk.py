"""Read this first: one event becomes one message becomes one event.

Bo's payment fails in the morning. Pehle takes the event in, scores Bo, plans one message, waits for Meera's yes, sends
it once, hears Bo's tap, and sees it in tomorrow's signals. Everything is real: the event log, the model, the database,
the words, the outbox.
"""

from __future__ import annotations

import csv
import json
from datetime import datetime, timedelta
from pathlib import Path

from features.build import build_signals
from records.importing import import_customers, import_events
from records.outreach import State, find_outreach
from records.paging import Filter, matching_ids
from serving import jobs
from serving.feedback import record_click
from serving.home import Home, open_home
from serving.planning import plan
from serving.playbook import load_playbook
from serving.review import approve
from serving.tokens import link_secret, make_token
from training.candidates import PARETO_NBD
from training.registry import Registry

BO = {
    "customer_id": "B-07 / Bo",
    "name": "Bo Chatterjee",
    "phone": "+910012345678",
    "language": "en",
    "consent_whatsapp_service": "true",
}


def test_one_event_becomes_one_message_becomes_one_event(trained_home: Path, tmp_path: Path, now: datetime) -> None:
    home = open_home(trained_home)
    # ── an event ──────────────────────────────────────────────────────────────────────────────────────────
    import_customers(home.engine, [written(tmp_path / "people.csv", [BO])], now)
    report = import_events(home.log, [written(tmp_path / "events.csv", life_of_bo(now))], None, now, home.data)
    assert (report.accepted, report.rejected) == (24, 0)
    # ── becomes signals and a score with reasons ──────────────────────────────────────────────────────────
    jobs.score(home, as_of=now, now=now)
    # ── becomes one message, which waits for a yes ────────────────────────────────────────────────────────
    made = plan(home.engine, home.log, home.settings, load_playbook(), as_of=now, now=now)
    with home.engine.connect() as connection:
        (outreach_id,) = matching_ids(connection, Filter(list_id=made.list_id, text=BO["customer_id"]))
        planned = find_outreach(connection, outreach_id)
    assert planned is not None
    assert (planned.play, planned.channel, planned.state) == ("payment_help", "whatsapp", State.PLANNED)
    assert planned.churn_probability is not None
    model = Registry(home.mlruns).load("latest")  # the floor model of purchases looks at one thing: one reason
    assert len(planned.reasons) == (1 if model.churn.kind == PARETO_NBD else 3)
    # ── goes out once, exactly as approved ────────────────────────────────────────────────────────────────
    approve(home.engine, [outreach_id], "Meera Iyer", now, expected=1)
    jobs.send(home, planned.send_at, "sender")
    jobs.send(home, planned.send_at + timedelta(minutes=1), "another sender")
    (message,) = outbox(home).values()
    assert message["to"] == BO["phone"]
    assert message["text"].startswith("Hello Bo Chatterjee, this is Saral.")
    assert "₹499" in message["text"]
    # ── becomes an event: Bo taps the button ──────────────────────────────────────────────────────────────
    tapped_at = planned.send_at + timedelta(minutes=20)
    token = make_token(link_secret(home.engine), outreach_id, "click")
    assert record_click(home.engine, token, "button", tapped_at) == "https://saral.invalid/pay"
    jobs.import_new(home, tapped_at)
    names = home.log.for_customer(BO["customer_id"]).column("name").to_pylist()
    assert names[-3:] == ["payment_failed", "message_sent", "message_clicked"]
    # ── which tomorrow's signals read ─────────────────────────────────────────────────────────────────────
    tomorrow = build_signals(home.log, [now, now + timedelta(days=1)], customers=[BO["customer_id"]])
    assert tomorrow.column("messages_30d").to_pylist() == [0, 1]
    assert tomorrow.column("message_clicks_90d").to_pylist() == [0, 1]


def life_of_bo(now: datetime) -> list[dict[str, str]]:
    """Twenty visits and three paid bills over three months; this morning, three hours ago, a payment fails."""
    bill = json.dumps({"bill_id": "bill-11", "due_at": now.isoformat(), "previous_amount": 499, "month": "2026-11"})
    failed = json.dumps({"bill_id": "bill-11", "reason": "bank_down"})
    visits = [event("session_started", now - timedelta(days=4 * n + 1), channel="app") for n in range(20)]
    paid = [event("payment_completed", now - timedelta(days=30 * n), amount="499.00") for n in (1, 2)]
    return [
        *visits,
        *paid,
        event("bill_issued", now - timedelta(days=2), amount="499.00", properties=bill),
        event("payment_failed", now - timedelta(hours=3), amount="499.00", properties=failed),
    ]


def event(name: str, at: datetime, **columns: str) -> dict[str, str]:
    currency = {"currency": "INR"} if "amount" in columns else {}
    return {"customer_id": BO["customer_id"], "occurred_at": at.isoformat(), "name": name, **currency, **columns}


def written(file: Path, rows: list[dict[str, str]]) -> Path:
    with file.open("w", newline="", encoding="utf-8") as out:
        names = list(dict.fromkeys(name for row in rows for name in row))
        writer = csv.DictWriter(out, names)
        writer.writeheader()
        writer.writerows(rows)
    return file


def outbox(home: Home) -> dict[str, dict[str, str]]:
    """What Bo's phone received."""
    found = {file.name: json.loads(file.read_text(encoding="utf-8")) for file in home.outbox.glob("whatsapp/*.json")}
    return {name: message for name, message in found.items() if message["to"] == BO["phone"]}
