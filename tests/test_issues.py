"""What will each customer ask about next? Topic signals by hand, nothing from the future, and ranks for everybody."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from records.events import EventLog
from training.evaluation import mean_average_precision
from training.issue_fitting import fit_topic, topic_cutoffs, topic_rows
from training.issues import IssueModel
from training.labels import IssueOptions, TrainingOptions
from training.topic_figures import baselines
from training.topic_properties import contact_properties
from training.topic_signals import NAMES, PEERS, TopicSignals, known_topics

START = datetime(2026, 1, 1, tzinfo=UTC)
T = START + timedelta(days=100)
ISSUES = IssueOptions()
TICKET = "support_ticket_opened"
Row = tuple[str, str, float, str | None, str | None]


def days(number: float) -> datetime:
    return START + timedelta(days=number)


def log_of(folder: Path, rows: list[Row]) -> EventLog:
    """Rows: customer, name, day, topic, product."""
    log = EventLog(folder)
    log.append(
        pa.table(
            {
                "event_id": [f"{place:06d}" for place in range(len(rows))],
                "customer_id": [row[0] for row in rows],
                "name": [row[1] for row in rows],
                "occurred_at": pa.array([days(row[2]) for row in rows], pa.timestamp("us", tz="UTC")),
                "topic": pa.array([row[3] for row in rows], pa.string()),
                "product": pa.array([row[4] for row in rows], pa.string()),
            }
        )
    )
    return log


def ticket(who: str, day: float, topic: str | None) -> Row:
    return (who, TICKET, day, topic, None)


def signals_at(log: EventLog, customers: list[str], at: datetime = T) -> dict[str, np.ndarray]:
    topics = known_topics(log, ISSUES, at)
    found = TopicSignals(log, ISSUES, topics, at).at(at, pa.array(customers))
    return {name: found[:, :, place] for place, name in enumerate(NAMES)}


def test_own_contacts_fade_by_half_in_their_half_life(tmp_path: Path) -> None:
    log = log_of(tmp_path, [ticket("bo", 70, "a"), ticket("bo", 40, "a"), ticket("bo", 99, "b"), ticket("cy", 10, "c")])
    found = signals_at(log, ["bo", "nobody"])
    np.testing.assert_allclose(found["own_fading_30"], np.array([[0.5 + 0.25, 2.0 ** (-1 / 30), 0.0], [0.0, 0.0, 0.0]]))
    np.testing.assert_array_equal(found["own_count"], [[2, 1, 0], [0, 0, 0]])
    np.testing.assert_allclose(found["days_since_own"], np.array([[30.0, 1.0, np.nan], [np.nan] * 3]))
    np.testing.assert_array_equal(found["is_last"], [[0, 1, 0], [0, 0, 0]])


def test_popularity_is_that_of_all_time_and_of_late(tmp_path: Path) -> None:
    rows = [ticket(f"p{number}", 10, "old") for number in range(60)]
    rows += [ticket(f"q{number}", 95, "new") for number in range(40)]
    found = signals_at(log_of(tmp_path, rows), ["p1"])
    new, old = 0, 1
    assert found["popular_all"][0, old] > found["popular_all"][0, new]
    assert found["popular_7"][0, new] > found["popular_28"][0, new] > found["popular_all"][0, new]


def test_what_follows_a_topic_is_learnt_from_those_who_had_it(tmp_path: Path) -> None:
    rows = []
    for number in range(40):
        rows += [ticket(f"p{number}", 10, "router"), ticket(f"p{number}", 20, "billing")]
        rows += [ticket(f"q{number}", 10, "delivery"), ticket(f"q{number}", 20, "network")]
    rows += [ticket("bo", 90, "router"), ticket("cy", 90, "delivery")]
    found = signals_at(log_of(tmp_path, rows), ["bo", "cy"])
    billing, network = 0, 2
    assert found["after_last"].argmax(axis=1).tolist() == [billing, network]
    assert found["after_history"].argmax(axis=1).tolist() == [billing, network]


def test_what_happened_to_a_customer_speaks_for_what_its_owners_asked_before(tmp_path: Path) -> None:
    rows: list[Row] = []
    for number in range(120):
        who, faulty = f"p{number}", number % 2 == 0
        rows.append((who, "order_delivered", 65, None, "bad_router" if faulty else "good_phone"))
        if number % 4 != 3:
            rows.append(ticket(who, 75, "router" if faulty else "billing"))
    rows += [("bo", "order_delivered", 98, None, "bad_router"), ("cy", "order_delivered", 98, None, "good_phone")]
    found = signals_at(log_of(tmp_path, rows), ["bo", "cy", "stranger"])
    billing, router = 0, 1
    assert found["happened_most"][0, router] > 0.2 > found["happened_most"][0, billing]
    assert found["happened_sum"][1, billing] > found["happened_sum"][1, router]
    assert (found["happened_sum"][2] == 0).all()


def busy_log(folder: Path, extra: list[Row] | None = None) -> EventLog:
    """Everybody has a topic of their own and asks about it again and again; a tenth of the contacts has none."""
    rng = np.random.default_rng(8)
    rows: list[Row] = []
    for number in range(300):
        mine = ("billing", "delivery", "network", "router")[number % 4]
        rows.append((f"p{number:03d}", "session_started", 0.5, None, None))
        for day in np.sort(rng.uniform(0, 300, 6)):
            topic = mine if rng.random() < 0.75 else "billing"
            rows.append(ticket(f"p{number:03d}", float(day), None if rng.random() < 0.1 else topic))
    return log_of(folder, [*rows, *(extra or [])])


AS_OF = days(300)


def test_nothing_at_or_after_the_cutoff_changes_a_topic_signal(tmp_path: Path) -> None:
    customers = [f"p{number:03d}" for number in range(300)]
    cutoff = days(250)
    before = TopicSignals(busy_log(tmp_path / "a"), ISSUES, ("billing", "delivery", "network", "router"), AS_OF)
    late = [ticket(f"p{number:03d}", 250 + number / 10, "network") for number in range(300)]
    late += [(f"p{number:03d}", "order_delivered", 260, None, "x") for number in range(300)]
    after = TopicSignals(busy_log(tmp_path / "b", late), ISSUES, before.topics, AS_OF)
    assert before.at(cutoff, pa.array(customers)).tobytes() == after.at(cutoff, pa.array(customers)).tobytes()


def test_what_became_known_only_later_changes_no_topic_signal(tmp_path: Path) -> None:
    customers = [f"p{number:03d}" for number in range(300)]
    visits: list[Row] = [(who, "order_delivered", day, None, None) for who in customers for day in (215.0, 245.0)]
    before = TopicSignals(busy_log(tmp_path / "a", visits), ISSUES, ("billing", "delivery", "network", "router"), AS_OF)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    late = EventLog(tmp_path / "b")
    moment = pa.timestamp("us", tz="UTC")
    late.append(
        pa.table(
            {
                "customer_id": customers,
                "name": [TICKET] * 300,
                "topic": ["network"] * 300,
                "occurred_at": pa.array([days(225)] * 300, moment),
                "received_at": pa.array([days(251)] * 300, moment),
            }
        )
    )
    after = TopicSignals(late, ISSUES, before.topics, AS_OF)
    found = before.at(days(250), pa.array(customers))
    assert found.any()
    assert found.tobytes() == after.at(days(250), pa.array(customers)).tobytes()


def test_the_order_and_number_of_customers_asked_about_changes_nothing(tmp_path: Path) -> None:
    signals = TopicSignals(busy_log(tmp_path), ISSUES, ("billing", "delivery", "network", "router"), AS_OF)
    whole = signals.at(AS_OF, pa.array(["p001", "p002", "p003"]))
    np.testing.assert_array_equal(signals.at(AS_OF, pa.array(["p003", "p001"])), whole[[2, 0]])


def test_a_contact_without_topic_is_no_topic(tmp_path: Path) -> None:
    log = busy_log(tmp_path)
    assert known_topics(log, ISSUES, AS_OF) == ("billing", "delivery", "network", "router")
    signals = TopicSignals(log, ISSUES, known_topics(log, ISSUES, AS_OF), AS_OF)
    assert topic_rows(log, days(200), signals, AS_OF).truth.any(axis=1).all()


def test_who_was_never_seen_before_the_cutoff_teaches_nothing(tmp_path: Path) -> None:
    log = busy_log(tmp_path, [ticket("newcomer", 210, "network")])
    signals = TopicSignals(log, ISSUES, known_topics(log, ISSUES, AS_OF), AS_OF)
    assert "newcomer" not in topic_rows(log, days(200), signals, AS_OF).customers


def test_the_fitted_model_beats_every_baseline_where_habits_differ(tmp_path: Path) -> None:
    log = busy_log(tmp_path)
    result = fit_topic(log, AS_OF, START, ISSUES, TrainingOptions(threads=1))
    scorer, metrics, notes = result.model.topic, result.metrics, result.notes
    assert result.model.topics == ("billing", "delivery", "network", "router")
    assert scorer is not None
    assert metrics["model_map_3_low"] < metrics["model_map_3"] < metrics["model_map_3_high"]
    assert 0.5 < metrics["model_macro_auroc"] < 1
    assert sum(one["share"] for one in result.by_topic.values()) > 0.9
    assert metrics["model_map_3"] > metrics["most_popular_map_3"] + 0.1
    assert metrics["model_map_3"] >= metrics["same_as_last_map_3"]
    assert notes == [f"topics are ranked by {scorer.kind}"]


def test_few_contacts_are_ranked_by_what_follows_a_history(tmp_path: Path) -> None:
    rows = [ticket(f"p{number}", day, "ab"[number % 2]) for number in range(20) for day in (5.0, 150.0, 280.0)]
    log = log_of(tmp_path, rows)
    result = fit_topic(log, AS_OF, START, ISSUES, TrainingOptions(threads=1))
    topics, notes = result.model.topics, result.notes
    assert result.model.topic is None
    assert notes == ["topics are ranked by markov_history"]
    model = IssueModel(options=ISSUES, topics=topics, contact_rate=0.2)
    moments = pa.array([AS_OF] * 3, pa.timestamp("us", tz="UTC"))
    table = pa.table({"customer_id": ["p0", "p1", "new"], "cutoff": moments})
    found = model.predict(table, np.zeros((3, 0)), log)
    np.testing.assert_allclose(found.sum(axis=1), 0.2)
    assert found.argmax(axis=1)[:2].tolist() == [0, 1]


def test_cutoffs_lie_closer_where_the_log_is_short_and_begin_with_half_a_horizon_of_history() -> None:
    month = timedelta(days=30)
    found = topic_cutoffs(AS_OF, month, START)
    assert found[0] == AS_OF - month
    assert found[0] - found[1] == month * 3 / 7
    short = topic_cutoffs(AS_OF, month, AS_OF - 3 * month)
    assert short[0] - short[1] == month / 7
    assert short[-1] >= AS_OF - 2.5 * month
    assert topic_cutoffs(AS_OF, month, AS_OF - month) == []


def test_who_shares_something_with_the_last_contact_speaks_for_its_topic(tmp_path: Path) -> None:
    rows: list[Row] = []
    for number in range(60):
        place = "north" if number % 2 else "south"
        rows += [(f"p{number}", TICKET, 20, "billing", place)]
        rows += [(f"p{number}", TICKET, 96, "network" if number % 2 else "delivery", place)]
    rows += [("bo", TICKET, 90, "billing", "north"), ("cy", TICKET, 90, "billing", "south")]
    log = log_of(tmp_path, rows)
    assert contact_properties(log, ISSUES, T) == ("product",)
    topics = known_topics(log, ISSUES, T)
    signals = TopicSignals(log, ISSUES, topics, T, properties=("product",))
    found = signals.at(T, pa.array(["bo", "cy", "stranger"]))
    network = topics.index("network")
    for name in ("peers_7", "peers_28", "next"):
        column = found[:, network, signals.names.index(f"{name} of product")]
        assert column[0] > 0.2 > 0 > column[1]
        assert column[2] == 0


def test_names_of_properties_are_values(tmp_path: Path) -> None:
    key = """a"b'; drop/~. $[*] \u0915"""
    table = pa.table(
        {
            "customer_id": [f"p{number}" for number in range(80)],
            "name": [TICKET] * 80,
            "occurred_at": pa.array([days(number) for number in range(80)], pa.timestamp("us", tz="UTC")),
            "topic": ["a", "b"] * 40,
            "properties": [json.dumps({key: number % 2, "ticket_id": number}) for number in range(80)],
        }
    )
    log = EventLog(tmp_path)
    log.append(table)
    chosen = contact_properties(log, ISSUES, T)
    assert chosen == (f"properties.{key}",)  # the number of the ticket is nobody else's
    signals = TopicSignals(log, ISSUES, ("a", "b"), T, properties=chosen)
    assert signals.at(T, pa.array(["p0", "p1"]))[0, 0, len(NAMES) + PEERS.index("peers_28")] > 0


@pytest.mark.parametrize("name", ["most_popular", "most_popular_28_days", "same_as_last", "markov", "markov_history"])
def test_each_baseline_ranks_everybody(tmp_path: Path, name: str) -> None:
    log = busy_log(tmp_path)
    signals = TopicSignals(log, ISSUES, known_topics(log, ISSUES, AS_OF), AS_OF)
    rows = topic_rows(log, days(250), signals, AS_OF)
    scores = baselines(rows.pairs)[name]
    assert np.isfinite(scores).all()
    assert 0.3 < mean_average_precision(rows.truth, scores) < 1
