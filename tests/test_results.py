"""What a message achieved is said with its interval, against people who were not contacted, or not said at all."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from math import comb
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import small_company
from small_company import SmallCompany
from sqlalchemy import Engine

from records.database import connect, migrate
from records.events import EventLog
from records.outreach import Outreach, OutreachList, State, save_list
from serving.effects import Group, difference, effect, sizes_mismatch, wilson
from serving.finished import store_finished
from serving.playbook import load_playbook
from serving.results import PlayResult, results, summarize

JULY = datetime(2026, 7, 1, 4, 30, tzinfo=UTC)
NOW = datetime(2026, 11, 19, tzinfo=UTC)


@pytest.fixture
def company(engine: Engine, tmp_path: Path) -> SmallCompany:
    return SmallCompany(
        engine=engine, log=EventLog(tmp_path / "data"), settings=small_company.settings(), folder=tmp_path
    )


@pytest.fixture
def small(tmp_path: Path) -> Iterator[SmallCompany]:
    engine = connect(f"sqlite:///{tmp_path / 'pehle.db'}")
    migrate(engine)
    yield SmallCompany(
        engine=engine, log=EventLog(tmp_path / "data"), settings=small_company.settings(), folder=tmp_path
    )
    engine.dispose()


def campaign(
    company: SmallCompany, play: str, arms: Sequence[str], *, sent: bool = True, start: datetime = JULY, key: str = "k"
) -> list[str]:
    """One list with a person per arm, all planned for the same hour; gives the customer ids."""
    rule = load_playbook().play(play)
    list_id = f"L-{play}-{start:%m%d}"
    the_list = OutreachList(
        list_id=list_id,
        planned_at=start,
        as_of=start,
        model_version="1",
        decide_by=start,
        budget_minor=0,
        currency="INR",
    )
    people = [f"{play}-{start:%m%d}-{number}" for number in range(len(arms))]
    rows = [
        Outreach(
            outreach_id=f"O-{play[:6]}{start:%m%d}-{number}",
            list_id=list_id,
            customer_id=person,
            play=play,
            trigger_key=key,
            message=play,
            message_version="",
            renderer_version="",
            language="en",
            channel="email",
            purpose=rule.purpose,
            address="",
            address_hash="",
            variables={},
            arm=arm,
            propensity=1 - rule.comparison,
            currency="INR",
            send_at=start,
            expires_at=start,
            approval_hash="",
            state=State.SENT if arm == "treated" and sent else State.EXPIRED if arm == "treated" else State.HELD_OUT,
            fenced_at=start if arm == "treated" and sent else None,
            updated_at=start,
        )
        for number, (person, arm) in enumerate(zip(people, arms, strict=True))
    ]
    save_list(company.engine, the_list, rows, [], now=start, actor="test")
    return people


def note(
    company: SmallCompany, events: Sequence[tuple[str, str, datetime]], until: datetime = NOW, **columns: Any
) -> None:
    """Events of these people, and one of somebody else at the end: so far the log reaches."""
    all_events = [*events, ("somebody", "session_started", until - timedelta(minutes=1))]
    company.log.append(
        pa.table(
            {
                "customer_id": [one for one, _, _ in all_events],
                "name": [name for _, name, _ in all_events],
                "occurred_at": pa.array([at for _, _, at in all_events], pa.timestamp("us", "UTC")),
                **{name: pa.array([value] * len(all_events)) for name, value in columns.items()},
            }
        )
    )


def measure(company: SmallCompany, now: datetime = NOW, **more: Any) -> dict[str, PlayResult]:
    found = results(company.engine, company.log, load_playbook(), company.settings, now, **more)
    return {result.play: result for result in found}


def arms_of(treated: int, held_out: int) -> list[str]:
    return ["treated"] * treated + ["holdout"] * held_out


# ── what is counted ───────────────────────────────────────────────────────────────────────────────────────
def test_an_offer_that_keeps_people_is_said_in_words_of_a_hundred(company: SmallCompany) -> None:
    """Of 1,600 written to 69 % stay, of 400 not written to 61 %."""
    people = campaign(company, "better_plan", arms_of(1_600, 400))
    leaving = people[:496] + people[1_600:1_756]
    note(company, [(one, "subscription_cancelled", JULY + timedelta(days=20)) for one in leaving])

    result = measure(company)["better_plan"]

    assert (result.n_treated, result.good_treated, result.n_holdout, result.good_holdout) == (1_600, 1_104, 400, 244)
    assert result.verdict == "helped"
    assert result.diff == pytest.approx(0.08)
    assert (result.low, result.high) == pytest.approx((0.028, 0.133), abs=0.001)
    assert result.sentence["en"] == "Of every 100 people we wrote to, about 8 more stayed (3 to 13)."
    assert result.sentence["hi"].startswith("जिन 100 लोगों को मैसेज गया, उनमें लगभग 8 ज़्यादा")
    summary = summarize([result], load_playbook())
    assert (summary.stayed, summary.stayed_low, summary.stayed_high) == (128, 45, 214)
    assert summary.sentence["en"] == (
        "One message helped. About 128 customers stayed who would have left (between 45 and 214)."
    )


def test_fewer_questions_are_good_too(small: SmallCompany) -> None:
    people = campaign(small, "router_setup", arms_of(2_000, 240))
    asked = people[:200] + people[2_000:2_041]
    note(small, [(one, "support_ticket_opened", JULY + timedelta(days=3)) for one in asked], topic="router_setup")

    result = measure(small)["router_setup"]

    assert (result.good_treated, result.good_holdout, result.verdict) == (1_800, 199, "helped")
    assert result.sentence["en"].startswith(
        "Of every 100 people we wrote to, about 7 fewer asked for help with the set-up ("
    )


def test_harm_is_called_harm(small: SmallCompany) -> None:
    people = campaign(small, "better_plan", arms_of(800, 200))
    note(small, [(one, "subscription_cancelled", JULY + timedelta(days=2)) for one in people[:320]])

    result = measure(small)["better_plan"]

    assert result.verdict == "made it worse"
    assert "about 40 fewer stayed" in result.sentence["en"]


@pytest.mark.parametrize(
    ("days", "counts"),
    [(-0.01, False), (0, True), (13.99, True), (14, False)],
)
def test_the_window_begins_with_the_planned_hour_and_ends_after_its_days(
    small: SmallCompany, days: float, counts: bool
) -> None:
    people = campaign(small, "router_setup", arms_of(30, 30))
    note(small, [(people[0], "support_ticket_opened", JULY + timedelta(days=days))], topic="router_setup")

    assert (measure(small)["router_setup"].good_treated == 29) == counts


def test_another_topic_is_another_matter(small: SmallCompany) -> None:
    people = campaign(small, "router_setup", arms_of(30, 30))
    note(small, [(people[0], "support_ticket_opened", JULY + timedelta(days=1))], topic="network")

    assert measure(small)["router_setup"].good_treated == 30


def test_only_the_same_bill_counts_as_paid(small: SmallCompany) -> None:
    people = campaign(small, "payment_help", arms_of(2, 0), key="B-1")
    paid = JULY + timedelta(days=1)
    note(small, [(people[0], "payment_completed", paid)], properties='{"bill_id": "B-1"}')
    note(small, [(people[1], "payment_completed", paid)], properties='{"bill_id": "B-2"}')

    result = measure(small)["payment_help"]

    assert (result.good_treated, result.n_treated, result.verdict) == (1, 2, "tracked")
    assert result.diff is None
    assert "we cannot say the message caused it" in result.sentence["en"]


def test_who_was_drawn_counts_reached_or_not(small: SmallCompany) -> None:
    """A tenth of the treated never got it; leaving them out would flatter the message."""
    from sqlalchemy import update

    from records.tables import outreach

    campaign(small, "better_plan", arms_of(200, 50))
    with small.engine.begin() as connection:
        connection.execute(
            update(outreach)
            .where(outreach.c.outreach_id.like("%-1%"), outreach.c.arm == "treated")
            .values(state="declined", fenced_at=None)
        )
    note(small, [])

    assert measure(small)["better_plan"].n_treated == 200


def test_a_list_nobody_sent_is_no_trial(small: SmallCompany) -> None:
    campaign(small, "better_plan", arms_of(200, 50), sent=False)
    note(small, [])

    assert "better_plan" not in measure(small)


# ── what is not known yet ─────────────────────────────────────────────────────────────────────────────────
def test_an_open_window_is_not_a_good_outcome(small: SmallCompany) -> None:
    campaign(small, "better_plan", arms_of(200, 50))
    august = datetime(2026, 8, 15, tzinfo=UTC)
    note(small, [], until=august)

    result = measure(small, now=august)["better_plan"]

    assert (result.n_treated, result.waiting, result.verdict) == (0, 250, "not enough data yet")
    assert result.next_known_on == JULY + timedelta(days=60)
    assert result.months[0].known_on == JULY + timedelta(days=60)


def test_a_window_is_over_only_in_the_data_not_on_the_calendar(small: SmallCompany) -> None:
    """The log ends in August, whatever the clock says: nobody may be called a stayer for lack of data."""
    campaign(small, "better_plan", arms_of(200, 50))
    note(small, [], until=datetime(2026, 8, 15, tzinfo=UTC))

    assert measure(small, now=NOW)["better_plan"].n_treated == 0


def test_what_became_known_later_does_not_count(small: SmallCompany) -> None:
    people = campaign(small, "router_setup", arms_of(30, 30))
    late = NOW + timedelta(days=1)
    asked = [(people[0], "support_ticket_opened", JULY + timedelta(days=1))]
    note(small, asked, topic="router_setup", received_at=late)
    note(small, [])

    assert measure(small)["router_setup"].good_treated == 30


def test_too_few_people_are_too_few_and_how_many_more_are_said(small: SmallCompany) -> None:
    people = campaign(small, "really_fixed", arms_of(212, 37))
    again = people[:40] + people[212:222]
    note(small, [(one, "support_ticket_opened", JULY + timedelta(days=3)) for one in again], topic="network")

    result = measure(small)["really_fixed"]

    assert result.verdict == "not enough data yet"
    assert result.more_people > 100
    assert result.more_weeks is not None
    assert result.sentence["en"] == (
        f"Not enough data yet. About {result.more_people} more people, or {result.more_weeks} weeks."
    )


def test_no_clear_difference_is_said_with_its_range(small: SmallCompany) -> None:
    people = campaign(small, "bill_explained", arms_of(3_105, 345))
    asked = people[:248] + people[3_105:3_140]
    note(small, [(one, "support_ticket_opened", JULY + timedelta(days=3)) for one in asked], topic="billing")

    result = measure(small)["bill_explained"]

    assert result.verdict == "no clear difference"
    assert result.sentence["en"] == (
        "No clear difference: of every 100 people we wrote to, between 6 fewer and 1 more asked about the bill; "
        "fewer is better."
    )


def test_groups_of_the_wrong_size_spoil_the_result(small: SmallCompany) -> None:
    """1,000 and 400 where 4 to 1 was drawn: somebody was sorted out afterwards."""
    campaign(small, "better_plan", arms_of(1_000, 400))
    note(small, [])

    result = measure(small)["better_plan"]

    assert result.mismatch
    assert result.verdict == "not enough data yet"
    assert result.sentence["en"].startswith("The groups did not come out in the sizes that were drawn")


def test_months_stand_apart_and_a_period_narrows(small: SmallCompany) -> None:
    august = datetime(2026, 8, 31, 20, 0, tzinfo=UTC)  # 1 September in India
    campaign(small, "better_plan", arms_of(100, 25))
    campaign(small, "better_plan", arms_of(60, 15), start=august)
    note(small, [])

    result = measure(small)["better_plan"]

    assert [(month.month, month.treated.people) for month in result.months] == [("2026-07", 100), ("2026-09", 60)]
    july = measure(small, period=(datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 8, 1, tzinfo=UTC)))["better_plan"]
    assert july.n_treated == 100


# ── the arithmetic ────────────────────────────────────────────────────────────────────────────────────────
NEWCOMBE = [  # R. G. Newcombe, Statistics in Medicine 17 (1998) 873-890, table II, method 10
    ((56, 70), (48, 80), (0.0524, 0.3339)),
    ((9, 10), (3, 10), (0.1705, 0.8090)),
    ((6, 7), (2, 7), (0.0582, 0.8062)),
    ((5, 56), (0, 29), (-0.0381, 0.1926)),
    ((0, 10), (0, 20), (-0.1611, 0.2775)),
    ((0, 10), (0, 10), (-0.2775, 0.2775)),
    ((10, 10), (0, 20), (0.6791, 1.0)),
    ((10, 10), (0, 10), (0.6075, 1.0)),
]


@pytest.mark.parametrize(("one", "two", "interval"), NEWCOMBE)
def test_the_interval_is_newcombes(one: tuple[int, int], two: tuple[int, int], interval: tuple[float, float]) -> None:
    _, low, high = difference(Group(good=one[0], people=one[1]), Group(good=two[0], people=two[1]))

    assert (low, high) == pytest.approx(interval, abs=0.0001)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Exact coverage over all outcomes of 60 and 15 people, at shares like ours: about 95 of 100."""

    def chance(n: int, k: int, p: float) -> float:
        return comb(n, k) * p**k * (1 - p) ** (n - k)

    for p1, p2 in ((0.69, 0.61), (0.9, 0.9), (0.4, 0.45)):
        covered = sum(
            chance(60, a, p1) * chance(15, b, p2)
            for a in range(61)
            for b in range(16)
            if (found := difference(Group(people=60, good=a), Group(people=15, good=b)))[1] <= p1 - p2 <= found[2]
        )
        assert 0.93 < covered < 0.98


def test_no_effect_is_rarely_called_one() -> None:
    chance = random.Random(3)
    claimed = 0
    for _ in range(2_000):
        treated = Group(people=800, good=sum(chance.random() < 0.65 for _ in range(800)))
        other = Group(people=200, good=sum(chance.random() < 0.65 for _ in range(200)))
        claimed += effect(treated, other).verdict in ("helped", "made it worse")
    assert claimed < 130  # 5 % of 2,000, and three standard deviations


def test_a_dozen_people_prove_nothing() -> None:
    assert effect(Group(people=12, good=12), Group(people=12, good=0)).verdict == "not enough data yet"
    assert effect(Group(people=500, good=500), Group(people=0, good=0)).verdict == "not enough data yet"
    assert wilson(Group(people=0, good=0)) == (0.0, 1.0)


def test_sizes_as_drawn_are_fine() -> None:
    assert not sizes_mismatch(1_842, 461, expected_treated=2_303 * 0.8)
    assert sizes_mismatch(1_842, 361, expected_treated=2_203 * 0.8)


# ── campaigns from before Pehle ───────────────────────────────────────────────────────────────────────────
def test_finished_campaigns_of_the_simulation_are_measured_like_our_own(small: SmallCompany) -> None:
    from records.simulation import Saral

    until = datetime(2026, 11, 19, tzinfo=UTC)
    saral = Saral(customers=600, until=until, seed=7)
    for events in saral.history():
        small.log.append(events)
    past = saral.past_campaigns()

    stored = store_finished(small.engine, past, load_playbook(), small.settings, until)

    apologies = sum(one.play == "delivery_sorry" for one in past)
    assert stored == len(past) + apologies
    found = measure(small, now=until)
    assert {"router_setup", "bill_explained", "payment_help"} <= set(found)
    assert found["payment_help"].verdict == "tracked"
    assert found["payment_help"].good_treated > 0
    assert all(result.n_treated + result.n_holdout + result.waiting > 0 for result in found.values())


def test_two_million_events_are_measured_in_seconds(small: SmallCompany) -> None:
    people = campaign(small, "better_plan", arms_of(4_000, 1_000))
    count = 2_000_000
    start = int((JULY - timedelta(days=200)).timestamp() * 1_000_000)
    step = int(timedelta(days=300).total_seconds() * 1_000_000) // count
    small.log.append(
        pa.table(
            {
                "event_id": pa.array([f"e{number}" for number in range(count)]),
                "customer_id": pa.array([people[number % 5_000] for number in range(count)]),
                "name": pa.array(["page_viewed"] * count),
                "occurred_at": pa.array(range(start, start + step * count, step), pa.timestamp("us", "UTC")),
            }
        )
    )
    note(small, [])
    began = time.perf_counter()

    measure(small)

    assert time.perf_counter() - began < 10
