"""A small simulated home for tests of the screens: people, two lists, every state. Nothing is trained."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from records.outreach import Outreach, OutreachList, PassedOver, State, new_outreach_ids, save_list
from records.people import Customer, record_consents, save_customers
from records.scores import Run, Score, save_run
from serving.binding import address_hash
from serving.home import SIMULATED, Home, create_home
from serving.playbook import load_playbook
from serving.rendering import RENDERER_VERSION, approval_hash, message_version
from serving.variables import fill, sample_facts

NOW = datetime(2026, 11, 19, 4, 42, tzinfo=UTC)  # a Thursday, 10:12 in India
SETTINGS = """
[company]
name = "Saral"
name_hi = "सरल"
timezone = "Asia/Kolkata"
website = "https://saral.invalid"
support_email = "help@saral.invalid"
postal_address = "Saral (simulated company), 12 MG Road, Indore 452001, India"
[churn]
definition = "event"
"""
NAMES = (
    "Lakshmi Narayanan",
    "Imran Qureshi",
    "Sunita Deshmukh",
    "Debashish Ghosh",
    "Harpreet Singh Gill",
    "Fatima Shaikh",
    "Ramesh Chauhan",
    "Kavya Reddy",
    "Mohan Lal Yadav",
    "Priya Nair",
    "<script>alert(1)</script>",
    "Venkatanarasimharajuvaripeta Subramanyeswara Rao",
    'O\'Brien & "Söhne"',
)
CITIES = ("Chennai", "Lucknow", "Nagpur", "Kolkata", "Ludhiana", "Mumbai", "Indore", "Hyderabad", "Patna", "Kochi")
REASONS = (
    ("Price checked 5 times this week; usually never", "इस हफ़्ते 5 बार दाम देखा; आमतौर पर नहीं"),
    ("Bill up ₹210 since August", "अगस्त से बिल ₹210 बढ़ा"),
    ("No recharge for 41 days; usually every 28", "41 दिन से रिचार्ज नहीं; आमतौर पर हर 28 दिन"),
    ("3 network tickets in 60 days; all solved", "60 दिन में नेटवर्क की 3 शिकायतें; सब सुलझीं"),
    ("Opened the bill 6 times in 2 days", "2 दिन में 6 बार बिल खोला"),
    ("With us for 6 years", "6 साल से साथ"),
)
TOPICS = ("billing", "network", "plan_price", "delivery", "payment", "router_setup")
PLAYS = (
    "better_plan",
    "really_fixed",
    "bill_explained",
    "delivery_sorry",
    "payment_help",
    "router_setup",
    "back_in_stock",
)
RESTOCKED = "phone_a15"  # what the people of back_in_stock asked for; only they really can be written to
CHANNELS = ("whatsapp", "email", "sms")
AGREED = {"en": "Agreed to WhatsApp for service messages", "hi": "WhatsApp पर सर्विस के मैसेज की सहमति दी है"}
NO_STOP = {"en": "Not on the do-not-contact list", "hi": "“मैसेज न भेजें” वाली सूची में नहीं"}
NO_COMPLAINT = {"en": "No complaint open", "hi": "कोई शिकायत खुली नहीं"}
CHECKS = [
    AGREED | {"when": "planned", "detail": "3 Mar 2025"},
    NO_STOP | {"when": "planned", "detail": ""},
    NO_COMPLAINT | {"when": "send", "detail": ""},
]


def web_home(path: Path, *, waiting: int = 40, now: datetime = NOW) -> Home:
    """A home whose newest list has `waiting` people to decide on, and some of everything else."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "pehle.toml").write_text(SETTINGS, encoding="utf-8")  # before the home is opened: settings are read once
    home = create_home(path, SIMULATED)
    count = max(60, waiting + 20)
    people = [person_number(number) for number in range(count)]
    save_customers(home.engine, people, now - timedelta(days=400))
    record_consents(
        home.engine,
        (
            {
                "customer_id": person.customer_id,
                "channel": channel,
                "purpose": purpose,
                "granted": channel != "sms" or number % 3 == 0,
                "at": now - timedelta(days=300),
                "source": "import",
            }
            for number, person in enumerate(people)
            for channel in CHANNELS
            for purpose in ("service", "promotional")
        ),
    )
    scored = [score_of(person, number, count, now) for number, person in enumerate(people)]
    as_of = now.replace(hour=0, minute=0)
    save_run(home.engine, Run(run_id="night", as_of=as_of, model_version="14", scored_at=now, customers=count), scored)
    _past_list(home, people, scored, now)
    home.log.append(_events(people, now))
    if waiting:
        _list_of_today(home, people, scored, waiting, now)
    return home


def person_number(number: int) -> Customer:
    name = NAMES[number % len(NAMES)] + ("" if number < len(NAMES) else f" {number}")
    return Customer(
        customer_id=f"C-{20 + number // 100} {4817 + number}",
        name=name,
        email=f"person{number}@example.invalid",
        phone=f"+91 00000 {number:05d}",
        language="hi" if number % 3 == 1 else "en",
        city=CITIES[number % len(CITIES)],
        timezone="Asia/Kolkata",
        attributes={},
    )


def _events(people: list[Customer], now: datetime) -> pa.Table:
    """Everybody visits now and then; the people of back_in_stock wished for something that came back today."""
    rows: list[tuple[str, datetime, str, str | None]] = [
        (person.customer_id, now - timedelta(days=3), "session_started", None) for person in people
    ]
    for number, person in enumerate(people):
        if PLAYS[number % len(PLAYS)] == "back_in_stock":
            rows.append((person.customer_id, now - timedelta(days=20), "wishlist_added", RESTOCKED))
            rows.append((person.customer_id, now - timedelta(hours=6), "product_restocked", RESTOCKED))
    customers, times, names, products = zip(*rows, strict=True)
    return pa.table(
        {
            "customer_id": pa.array(customers, pa.string()),
            "occurred_at": pa.array(times, pa.timestamp("us", "UTC")),
            "name": pa.array(names, pa.string()),
            "product": pa.array(products, pa.string()),
        }
    )


def score_of(person: Customer, number: int, count: int, now: datetime) -> Score:
    risk = 0.94 - 0.88 * (number / count)
    reasons = [
        {
            "signal": f"signal_{place}",
            "value": 1.0,
            "push": -0.2 if place == 2 and number % 4 == 3 else 0.5 / (place + 1),
            "share": (0.46, 0.27, 0.12)[place],
            "en": REASONS[(number + place) % len(REASONS)][0],
            "hi": REASONS[(number + place) % len(REASONS)][1],
        }
        for place in range(3)
    ]
    topics = [
        {"topic": TOPICS[(number + place) % len(TOPICS)], "probability": share}
        for place, share in enumerate((0.58, 0.17, 0.09))
    ]
    return Score(
        score_id=f"s-{number}",
        run_id="night",
        customer_id=person.customer_id,
        as_of=now.replace(hour=0, minute=0),
        churn_probability=risk,
        band="high" if risk >= 0.6 else "medium" if risk >= 0.3 else "low",
        reasons=reasons,
        topics=topics,
        model_version="14",
    )


def row_for(
    home: Home,
    list_id: str,
    outreach_id: str,
    person: Customer,
    score: Score,
    number: int,
    send_at: datetime,
    now: datetime,
) -> Outreach:
    """One planned outreach whose approval hash is the true one."""
    play = load_playbook().play(PLAYS[number % len(PLAYS)])
    channel = CHANNELS[number % len(CHANNELS)]
    channel = channel if channel in play.channels else play.channels[0]
    language = person.language or "en"
    address = (person.email if channel == "email" else person.phone) or ""
    variables = fill(play.message, language, {**sample_facts(play.message), "customer.name": person.name})
    version, hashed = message_version(play.message), address_hash(channel, address)
    bound: dict[str, Any] = {"address_hash": hashed, "message_version": version, "renderer_version": RENDERER_VERSION}
    bound |= {"language": language, "channel": channel}
    return Outreach(
        outreach_id=outreach_id,
        list_id=list_id,
        customer_id=person.customer_id,
        play=play.name,
        trigger_key=RESTOCKED if play.name == "back_in_stock" else f"{list_id}:{number}",
        message=play.message,
        **bound,
        purpose=play.purpose,
        address=address,
        variables=variables,
        arm="treated",
        propensity=1 - play.comparison,
        score_id=score.score_id,
        churn_probability=score.churn_probability,
        reasons=score.reasons,
        topics=score.topics,
        checks=CHECKS,
        value_minor=play.value,
        cost_minor=play.cost(channel),
        currency="INR",
        send_at=send_at,
        expires_at=send_at + timedelta(hours=play.expires_hours),
        approval_hash=approval_hash(**bound, variables=variables),
        updated_at=now,
    )


def _list_of_today(home: Home, people: list[Customer], scored: list[Score], waiting: int, now: datetime) -> None:
    ids = new_outreach_ids(home.engine, waiting + 6)
    rows = []
    for number in range(waiting + 6):
        send_at = now.replace(hour=12, minute=40) + timedelta(minutes=5 * (number % 24))
        if number % 11 == 5:
            send_at = now.replace(hour=7, minute=0)
        row = row_for(home, "L-0148", ids[number], people[number], scored[number], number, send_at, now)
        if number >= waiting:
            row = replace(row, arm="holdout", state=State.HELD_OUT)
        rows.append(row)
    left = [
        PassedOver(list_id="L-0148", customer_id=person.customer_id, play="better_plan", reason=reason)
        for person, reason in zip(
            people[waiting + 6 :], ["heard_from_us", "open_complaint", "do_not_contact", "no_consent"] * 5, strict=False
        )
    ]
    the_list = OutreachList(
        list_id="L-0148",
        planned_at=now - timedelta(hours=4),
        as_of=now.replace(hour=0, minute=0),
        model_version="14",
        decide_by=now.replace(hour=12, minute=30),
        budget_minor=5_000_000,
        currency="INR",
    )
    save_list(home.engine, the_list, rows, left, now=now - timedelta(hours=4), actor="job:plan")


STATES = (
    State.DELIVERED,
    State.SENT,
    State.UNKNOWN,
    State.FAILED,
    State.DECLINED,
    State.EXPIRED,
    State.CANCELLED,
    State.REFUSED,
)


def _past_list(home: Home, people: list[Customer], scored: list[Score], now: datetime) -> None:
    """Yesterday's list: one row in every state it can have ended in, and two messages in the outbox."""
    from serving.channels.outbox import Outbox
    from serving.composing import compose
    from serving.tokens import link_secret

    yesterday = now - timedelta(days=1)
    ids = new_outreach_ids(home.engine, 16)
    rows = []
    for number in range(16):
        at = yesterday.replace(hour=12, minute=30) + timedelta(minutes=number)
        row = row_for(home, "L-0147", ids[number], people[number + 9], scored[number + 9], number, at, yesterday)
        state = STATES[number % len(STATES)]
        gone = state in (State.DELIVERED, State.SENT, State.UNKNOWN, State.FAILED, State.REFUSED)
        reason = {State.CANCELLED: "open_complaint", State.EXPIRED: "nobody decided in time"}.get(state)
        row = replace(row, state=state, reason=reason, fenced_at=at if gone else None, sent_at=at if gone else None)
        rows.append(row)
        if state in (State.DELIVERED, State.SENT):
            Outbox(home.outbox).deliver(compose(row, home.settings, link_secret(home.engine), at))
    the_list = OutreachList(
        list_id="L-0147",
        planned_at=yesterday - timedelta(hours=4),
        as_of=yesterday.replace(hour=0, minute=0),
        model_version="14",
        decide_by=yesterday.replace(hour=12, minute=30),
        budget_minor=5_000_000,
        currency="INR",
    )
    save_list(home.engine, the_list, rows, [], now=yesterday, actor="job:plan")
