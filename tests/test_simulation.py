"""Saral is deterministic, goes on exactly, keeps its secrets, and what it hides causes what it shows."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pytest

from records.canonical import EVENT_SCHEMA
from records.errors import InputError, StateError
from records.simulation import Contact, Saral
from records.simulation.campaigns import COMPARISON
from records.simulation.company import TOPICS
from records.simulation.draws import Draws
from records.simulation.population import STYLES
from records.simulation.texts import ticket_texts

pc: Any = pa.compute  # its stubs know no chunked comparisons
UNTIL = datetime(2026, 11, 1, tzinfo=UTC)


def company(customers: int = 300, *, months: int = 6, **more: Any) -> Saral:
    return Saral(customers=customers, until=UNTIL, months=months, **more)


def all_of(tables: Iterator[pa.Table]) -> pa.Table:
    return pa.concat_tables(list(tables)).sort_by([("occurred_at", "ascending"), ("event_id", "ascending")])


def fingerprint(events: pa.Table) -> str:
    return hashlib.sha256(json.dumps(events.to_pylist(), default=str).encode()).hexdigest()


def rows(events: pa.Table, name: str) -> list[dict[str, Any]]:
    chosen: list[dict[str, Any]] = events.filter(pc.equal(events["name"], name)).to_pylist()
    for row in chosen:
        row["properties"] = json.loads(row["properties"])
    return chosen


class Lived:
    """A company whose history was read, and its events."""

    def __init__(self, saral: Saral) -> None:
        self.saral = saral
        self.events = all_of(saral.history())


@pytest.fixture(scope="module")
def lived() -> Lived:
    return Lived(company(3000, months=18))


# ── the same again ────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not() -> None:
    once, again, other = (fingerprint(all_of(company(seed=seed).history())) for seed in (4, 4, 5))
    assert once == again
    assert once != other


def test_the_size_of_the_blocks_changes_nothing() -> None:
    whole = Lived(company(1100, months=7))
    blocks = Lived(company(1100, months=7, block=500))
    assert fingerprint(whole.events) == fingerprint(blocks.events)
    assert whole.saral.past_campaigns() == blocks.saral.past_campaigns()


def test_a_life_does_not_depend_on_how_many_others_there_are() -> None:
    few, many = company(200), company(500)
    names = pa.array([person.customer_id for person in few.people()])
    events = all_of(many.history())
    assert fingerprint(all_of(few.history())) == fingerprint(events.filter(pc.is_in(events["customer_id"], names)))


def test_history_can_be_read_in_parts_saved_and_gone_on_with(tmp_path: Path) -> None:
    whole = all_of(company().history())
    halfway = company()
    first = all_of(halfway.history(UNTIL - timedelta(days=47)))
    halfway.save(tmp_path / "saral.npz")
    later = Saral.load(tmp_path / "saral.npz")
    assert later.today == UNTIL - timedelta(days=47)
    rest = all_of(later.history())
    assert fingerprint(whole) == fingerprint(pa.concat_tables([first, rest]))
    assert len(later.past_campaigns()) > 0


def test_days_stepped_through_with_nothing_sent_equal_the_history() -> None:
    whole, stepped = company(campaigns=False), company(campaigns=False)
    past = all_of(stepped.history(UNTIL - timedelta(days=35)))
    days = [stepped.step(UNTIL - timedelta(days=k), []) for k in range(35, 0, -1)]
    assert fingerprint(all_of(whole.history())) == fingerprint(all_of(iter([past, *days])))


def test_the_two_quarters_of_campaigns_do_not_reach_the_last_week() -> None:
    whole, stepped = company(), company()
    past = all_of(stepped.history(UNTIL - timedelta(days=6)))
    days = [stepped.step(UNTIL - timedelta(days=k), []) for k in range(6, 0, -1)]
    assert fingerprint(all_of(whole.history())) == fingerprint(all_of(iter([past, *days])))


# ── the shape of the log ──────────────────────────────────────────────────────────────────────────────────


def test_events_are_canonical_unique_and_inside_the_history(lived: Lived) -> None:
    events = lived.events
    assert events.schema == EVENT_SCHEMA
    assert len(events) == len(pc.unique(events["event_id"]))
    assert pc.min(events["occurred_at"]).as_py() >= lived.saral.start
    assert pc.max(events["occurred_at"]).as_py() < UNTIL
    delay = np.asarray(pc.subtract(events["received_at"], events["occurred_at"]).cast(pa.int64()))
    assert delay.min() == 0
    assert delay.max() <= 5 * 3600 * 10**6
    assert 0.0005 < (delay > 0).mean() < 0.05
    assert 100 <= len(events) / 3000 <= 240


def test_money_is_in_rupees_with_its_currency(lived: Lived) -> None:
    for row in rows(lived.events, "bill_issued")[:500]:
        assert row["currency"] == "INR"
        assert float(row["amount"]) == pytest.approx(sum(value for _, value in row["properties"]["lines"]), abs=0.006)
    sessions = lived.events.filter(pc.equal(lived.events["name"], "session_started"))
    assert sessions["amount"].null_count == len(sessions) == sessions["currency"].null_count


KEYS: dict[str, set[str]] = {
    "session_started": {"minutes"}, "page_viewed": {"page", "help_topic"},
    "order_completed": {"order_id", "items", "coupon"},
    "order_delivered": {"order_id", "promised_at", "days_late"}, "item_missing": {"order_id"},
    "bill_issued": {"bill_id", "previous_amount", "due_at", "month", "lines"},
    "payment_completed": {"bill_id", "method"},
    "payment_failed": {"bill_id", "reason"}, "subscription_started": set(), "plan_changed": {"from_plan"},
    "subscription_cancelled": {"reason"}, "wishlist_added": set(), "product_restocked": set(),
    "support_ticket_opened": {"ticket_id", "severity"}, "support_ticket_solved": {"ticket_id", "hours"},
    "rating_given": {"about", "ticket_id"}, "social_mention": set(),
    "incident_declared": {"incident_id", "area", "service"},
    "incident_resolved": {"incident_id", "area", "service"},
    **{f"message_{what}": {"outreach_id", "play", "machine"}
       for what in ("sent", "delivered", "opened", "clicked", "replied", "unsubscribed")},
}  # fmt: skip


def test_properties_hold_only_what_the_company_would_know(lived: Lived) -> None:
    names, properties_of = lived.events["name"].to_pylist(), lived.events["properties"].to_pylist()
    pairs = set(zip(names, properties_of, strict=True))
    assert {name for name, _ in pairs} == set(KEYS)
    for name, properties in pairs:
        assert set(json.loads(str(properties))) <= KEYS[str(name)], name


def test_one_ticket_in_ten_has_no_topic_and_every_ticket_has_words(lived: Lived) -> None:
    tickets = rows(lived.events, "support_ticket_opened")
    assert 0.08 < sum(row["topic"] is None for row in tickets) / len(tickets) < 0.12
    assert {row["topic"] for row in tickets} == {None, *TOPICS}
    assert all(row["text"] for row in tickets)


def test_the_last_outage_is_open_at_the_end_and_the_other_is_over(lived: Lived) -> None:
    declared = rows(lived.events, "incident_declared")
    resolved = {row["properties"]["incident_id"] for row in rows(lived.events, "incident_resolved")}
    still_open = [row for row in declared if row["properties"]["incident_id"] not in resolved]
    assert len({row["properties"]["incident_id"] for row in declared}) == 2
    assert still_open
    assert all(row["occurred_at"] == UNTIL - timedelta(hours=8, minutes=30) for row in still_open)


# ── people ────────────────────────────────────────────────────────────────────────────────────────────────


def test_people_are_invented_and_cannot_be_reached(lived: Lived) -> None:
    people = list(lived.saral.people())
    assert len({person.customer_id for person in people}) == 3000
    for person in people:
        assert re.fullmatch(r"C-\d\d \d{4}", person.customer_id)
        assert person.email is None or person.email.endswith(".invalid")
        assert (person.phone or "").startswith("+9100")
        assert person.language in ("en", "hi")
        assert person.timezone == "Asia/Kolkata"
    assert len({person.name for person in people}) > 1000
    assert set(pc.unique(lived.events["customer_id"]).to_pylist()) <= {person.customer_id for person in people}


def test_consents_have_gaps_and_remember_who_unsubscribed(lived: Lived) -> None:
    consents = list(lived.saral.consents())
    offers = [row for row in consents if row["purpose"] == "promotional" and row["source"] == "sign-up form"]
    assert 0.3 < sum(bool(row["granted"]) for row in offers) / len(offers) < 0.7
    took_back = {row["customer_id"] for row in consents if row["source"] == "unsubscribed"}
    stopped = {row["customer_id"] for row in rows(lived.events, "message_unsubscribed")}
    assert took_back
    assert took_back <= stopped


@pytest.mark.parametrize("style", range(len(STYLES)), ids=STYLES)
@pytest.mark.parametrize("topic", range(len(TOPICS)), ids=TOPICS)
def test_every_topic_is_told_in_at_least_twelve_ways(style: int, topic: int) -> None:
    n = 400
    draws = Draws(1, np.arange(n))
    u = np.stack([draws.u("words", None, k) for k in range(4)], axis=1)
    texts = ticket_texts(np.full(n, style), np.full(n, topic), np.full(n, -1), np.full(n, 64_900), u)
    assert len(set(texts)) > 100
    assert len({text.casefold()[-14:] for text in texts}) >= 12
    assert not any("{" in text for text in texts)
    assert any("\u0900" <= letter <= "\u097f" for letter in "".join(texts)) == (STYLES[style] == "hi")


# ── causes ────────────────────────────────────────────────────────────────────────────────────────────────


def pages_before(saral: Saral) -> tuple[float, float]:
    """Plan and cancel pages of the last 60 days per head: of those who leave in the next 60, and of the others."""
    cutoff = UNTIL - timedelta(days=60)
    past = all_of(saral.history(cutoff))
    here = np.array(saral.truth().customer_ids)[saral.truth().active]
    left = {row["customer_id"] for row in rows(all_of(saral.history()), "subscription_cancelled")}
    seen: dict[str, int] = dict.fromkeys(here.tolist(), 0)
    recent = past.filter(pc.greater_equal(past["occurred_at"], pa.scalar(cutoff - timedelta(days=60))))
    for row in rows(recent, "page_viewed"):
        if row["properties"]["page"] in ("plans", "cancel") and row["customer_id"] in seen:
            seen[row["customer_id"]] += 1
    leaving = [count for name, count in seen.items() if name in left]
    staying = [count for name, count in seen.items() if name not in left]
    return float(np.mean(leaving)), float(np.mean(staying))


def test_those_who_will_leave_look_at_the_plans_and_the_way_out() -> None:
    leaving, staying = pages_before(company(4000, campaigns=False))
    assert leaving > 1.4 * staying


def test_with_the_causal_links_shuffled_they_do_not() -> None:
    leaving, staying = pages_before(company(4000, campaigns=False, causal=False))
    assert 0.75 < leaving / staying < 1.25


def test_two_to_four_in_a_hundred_leave_every_month(lived: Lived) -> None:
    by_month: dict[str, list[int]] = {}
    for k, name in enumerate(("subscription_cancelled", "bill_issued")):
        for row in rows(lived.events, name):
            by_month.setdefault(f"{row['occurred_at']:%Y-%m}", [0, 0])[k] += 1
    shares = [left / billed for left, billed in by_month.values()]
    assert 0.018 < float(np.mean(shares)) < 0.04


def test_the_true_chances_foretell_how_many_leave() -> None:
    saral = company(4000, campaigns=False)
    for _ in saral.history():
        pass
    truth = saral.truth()
    chances = truth.cancel_probability(30, paths=6)
    left = set()
    for k in range(30):
        day = saral.step(UNTIL + timedelta(days=k), [])
        left |= {row["customer_id"] for row in rows(day, "subscription_cancelled")}
    hit = np.array([name in left for name in truth.customer_ids])
    spread = float(np.sqrt((chances * (1 - chances)).sum()))
    assert abs(hit.sum() - chances.sum()) < 4 * spread
    risky = chances >= np.quantile(chances[truth.active], 0.9)
    assert hit[risky].mean() > 3 * hit[truth.active & ~risky].mean()


def test_one_new_router_in_five_brings_a_set_up_ticket_within_a_week(lived: Lived) -> None:
    tickets: dict[str, list[datetime]] = {}
    for row in rows(lived.events, "support_ticket_opened"):
        if row["topic"] == "router_setup":
            tickets.setdefault(row["customer_id"], []).append(row["occurred_at"])
    before = UNTIL - timedelta(days=190)  # before the campaigns
    routers = [row for row in rows(lived.events, "order_delivered") if row["product"] == "airfiber_router"]
    came = [row for row in routers if row["occurred_at"] < before]
    troubled = [
        any(timedelta(0) < at - row["occurred_at"] < timedelta(days=8) for at in tickets.get(row["customer_id"], []))
        for row in came
    ]
    assert 0.13 < float(np.mean(troubled)) < 0.30


def test_network_trouble_repeats_more_than_chance_would(lived: Lived) -> None:
    topics: dict[str, list[str]] = {}
    for row in rows(lived.events, "support_ticket_opened"):
        if row["topic"]:
            topics.setdefault(row["customer_id"], []).append(row["topic"])
    pairs = [(a, b) for told in topics.values() for a, b in pairwise(told)]
    after_network = [b == "network" for a, b in pairs if a == "network"]
    otherwise = [b == "network" for a, b in pairs if a != "network"]
    assert float(np.mean(after_network)) > 1.8 * float(np.mean(otherwise))


# ── campaigns and contact ─────────────────────────────────────────────────────────────────────────────────


def test_past_campaigns_keep_their_comparison_groups(lived: Lived) -> None:
    past = lived.saral.past_campaigns()
    assert len({row.outreach_id for row in past}) == len(past)
    assert max(len(row.outreach_id) for row in past) <= 32
    sent = {row["properties"]["outreach_id"] for row in rows(lived.events, "message_sent")}
    assert sent == {row.outreach_id for row in past if row.sent_at}
    for play, share in COMPARISON.items():
        people = [row for row in past if row.play == play]
        held = sum(row.arm == "holdout" for row in people)
        assert abs(held - share * len(people)) <= 4 * np.sqrt(share * (1 - share) * len(people)), play
        assert {row.propensity for row in people} == {1 - share}
        assert all(row.sent_at is None for row in people if row.arm == "holdout" and play != "delivery_sorry")


def write_to(saral: Saral, play: str, people: list[str]) -> list[Contact]:
    at = saral.today + timedelta(hours=4)
    return [
        Contact(outreach_id=f"O-{k}", customer_id=name, play=play, channel="whatsapp", language="en", sent_at=at)
        for k, name in enumerate(people)
    ]


def test_an_offer_calms_some_and_wakes_the_sleeping_dogs() -> None:
    quiet, written = company(2000), company(2000)
    for saral in (quiet, written):
        for _ in saral.history():
            pass
    truth = written.truth()
    people = [name for name, here in zip(truth.customer_ids, truth.active, strict=True) if here]
    events = written.step(UNTIL, write_to(written, "better_plan", people))
    quiet.step(UNTIL, [])
    change = np.log(written.truth().hazard() / quiet.truth().hazard())[truth.active]
    response = np.array(truth.response)[truth.active]
    assert change[response == "offer"].mean() < -0.3
    assert abs(change[response == "indifferent"].mean()) < 0.1
    assert change[response == "sleeping_dog"].mean() > 0.5
    names = set(events["name"].to_pylist())
    assert {"message_delivered", "message_opened", "message_clicked", "message_replied"} <= names
    assert "message_sent" not in names
    answers = rows(events, "message_opened") + rows(events, "message_replied")
    assert all(row["occurred_at"] >= UNTIL + timedelta(hours=4) for row in answers)


def test_step_refuses_another_day_and_strangers() -> None:
    saral = company(20, months=1)
    with pytest.raises(StateError, match="the next day of the simulation is 2026-10-01"):
        saral.step(UNTIL, [])
    stranger = write_to(saral, "better_plan", ["C-99 9999x"])
    with pytest.raises(InputError, match="No customer 'C-99 9999x'"):
        saral.step(saral.start, stranger)


def test_a_company_ends_at_midnight_utc() -> None:
    with pytest.raises(InputError, match="expected midnight in UTC"):
        Saral(customers=10, until=UNTIL + timedelta(hours=5, minutes=30))


# ── size ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_thousand_customers_take_few_seconds() -> None:
    began = time.process_time()
    for _ in company(1000, months=6).history():
        pass
    assert time.process_time() - began < 10


@pytest.mark.soak
def test_a_million_customers_fit_in_four_gigabytes() -> None:
    program = (
        "import resource\nfrom datetime import UTC, datetime\nfrom records.simulation import Saral\n"
        "saral = Saral(customers=1_000_000, until=datetime(2026, 11, 1, tzinfo=UTC), months=3)\n"
        "events = sum(len(table) for table in saral.history())\n"
        "print(events, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    events, kilobytes = map(int, done.stdout.split())
    assert events > 20_000_000
    assert kilobytes < 4_000_000
