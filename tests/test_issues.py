"""What will each customer ask about next? Topic signals by hand, nothing from the future, and ranks for everybody."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from records.errors import ModelError
from records.events import EventLog
from training.evaluation import mean_average_precision
from training.issue_fitting import TOO_SHORT, fit_topic, topic_cutoffs, topic_rows
from training.issues import IssueModel
from training.labels import IssueOptions, TrainingOptions
from training.topic_choice import fit_choice, prior, weighed
from training.topic_figures import baselines
from training.topic_properties import contact_properties
from training.topic_ranking import TopicRanking, fit_ranking
from training.topic_signals import MOST_TOPICS, NAMES, PEERS, TopicSignals, known_topics
from training.topic_sureness import fit_sureness

START = datetime(2026, 1, 1, tzinfo=UTC)
T = START + timedelta(days=100)
ISSUES = IssueOptions()
MONTH = ISSUES.horizon
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


def test_the_newest_contacts_count_by_number_and_each_person_once(tmp_path: Path) -> None:
    rows = [ticket(f"p{number}", 1 + number / 100, "old") for number in range(60)]
    rows += [ticket(f"q{number}", 50 + number / 100, "new") for number in range(20)]
    rows += [ticket("loud", 60 + number / 100, "loud") for number in range(20)]
    found = signals_at(log_of(tmp_path, rows), ["p1"])
    shares = (np.array([20.0, 20.0, 60.0]) + 1) / 103  # loud, new, old
    for number, people in ((1_000, [1, 20, 60]), (300, [1, 20, 60]), (100, [1, 20, 60]), (40, [1, 20, 0])):
        shares = (np.array(people) + 10 * shares) / (sum(people) + 10)
        np.testing.assert_allclose(found[f"newest_{number}"][0], np.log(shares))
    # Fifty quiet days are no news: by days, nothing is left but what everybody asks in all.
    later = signals_at(log_of(tmp_path / "later", rows), ["p1"], T + timedelta(days=100))
    np.testing.assert_array_equal(later["popular_14"], later["popular_all"])
    np.testing.assert_array_equal(later["newest_40"], found["newest_40"])


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
    assert topic_rows(log, days(200), signals, MONTH, AS_OF).truth.any(axis=1).all()


def test_who_was_never_seen_before_the_cutoff_teaches_nothing(tmp_path: Path) -> None:
    log = busy_log(tmp_path, [ticket("newcomer", 210, "network")])
    signals = TopicSignals(log, ISSUES, known_topics(log, ISSUES, AS_OF), AS_OF)
    assert "newcomer" not in topic_rows(log, days(200), signals, MONTH, AS_OF).customers


def test_the_fitted_model_beats_every_baseline_where_habits_differ(tmp_path: Path) -> None:
    log = busy_log(tmp_path)
    result = fit_topic(log, AS_OF, START, ISSUES, TrainingOptions(threads=1))
    metrics = result.metrics
    assert result.model.topics == ("billing", "delivery", "network", "router")
    assert result.model.topic is not None
    assert metrics["model_map_3_low"] < metrics["model_map_3"] < metrics["model_map_3_high"]
    low, macro, high = (metrics[f"model_macro_auroc{end}"] for end in ("_low", "", "_high"))
    assert 0.5 < low < macro < high < 1
    assert macro == pytest.approx(np.mean([one["auroc"] for one in result.by_topic.values()]))
    assert sum(one["share"] for one in result.by_topic.values()) > 0.9
    assert metrics["model_map_3"] > metrics["most_popular_map_3"] + 0.1
    assert metrics["model_map_3"] >= metrics["same_as_last_map_3"]
    assert result.notes == ["topics are ranked by an average of Markov, a conditional logit and trees"]


def test_few_contacts_are_ranked_by_what_follows_a_history(tmp_path: Path) -> None:
    rows = [ticket(f"p{number}", day, "ab"[number % 2]) for number in range(20) for day in (5.0, 150.0, 280.0)]
    log = log_of(tmp_path, rows)
    result = fit_topic(log, AS_OF, START, ISSUES, TrainingOptions(threads=1))
    topics = result.model.topics
    assert result.model.topic is None
    assert result.notes == [TOO_SHORT]
    model = IssueModel(options=ISSUES, topics=topics, contact_rate=0.2)
    moments = pa.array([AS_OF] * 3, pa.timestamp("us", tz="UTC"))
    table = pa.table({"customer_id": ["p0", "p1", "new"], "cutoff": moments})
    found = model.predict(table, np.zeros((3, 0)), log).chances
    np.testing.assert_allclose(found.sum(axis=1), 0.2)
    assert found.argmax(axis=1)[:2].tolist() == [0, 1]


def test_cutoffs_lie_closer_where_the_log_is_short_and_have_half_of_its_history() -> None:
    found = topic_cutoffs(AS_OF, MONTH, AS_OF - 8 * MONTH)
    assert found[0] == AS_OF - MONTH * 4 / 7
    assert found[0] - found[1] == MONTH / 7
    assert found[-1] >= AS_OF - 4 * MONTH
    long = topic_cutoffs(AS_OF, MONTH, START - timedelta(days=600))
    assert long[0] - long[1] == MONTH * 3 / 7
    assert len(long) == 14
    short = topic_cutoffs(AS_OF, MONTH, AS_OF - 1.5 * MONTH)
    assert short
    assert short[-1] >= AS_OF - 0.75 * MONTH
    assert topic_cutoffs(AS_OF, MONTH, AS_OF - MONTH) == []


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
    rows = topic_rows(log, days(250), signals, MONTH, AS_OF)
    scores = baselines(rows.pairs)[name]
    assert np.isfinite(scores).all()
    assert 0.3 < mean_average_precision(rows.truth, scores) < 1


def rows_of(customers: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Pairs and truth of customers × 4 topics: whose own share is larger asks about it, nine times in ten."""
    rng = np.random.default_rng(seed)
    pairs = np.zeros((customers, 4, len(NAMES)), dtype=np.float32)
    mine = rng.integers(0, 4, customers)
    pairs[np.arange(customers), mine, NAMES.index("own_share")] = 0.8
    popular = np.log(np.array([0.4, 0.3, 0.2, 0.1]))
    for name in (*(name for name in NAMES if name.startswith(("popular_", "newest_"))), "after_last"):
        pairs[:, :, NAMES.index(name)] = popular
    for name in ("after_history", "after_history_late"):
        pairs[:, :, NAMES.index(name)] = popular
    asked = np.where(rng.random(customers) < 0.9, mine, rng.integers(0, 4, customers))
    return pairs, np.arange(4)[None, :] == asked[:, None]


def test_few_customers_leave_the_ranking_near_markov_and_many_do_not() -> None:
    pairs, truth = rows_of(4_000)
    few, many = fit_choice(pairs[:20], truth[:20]), fit_choice(pairs, truth)
    away = [float(np.abs(weighed(pairs, weights) - prior(pairs)).max()) for weights in (few, many)]
    assert away[0] < 0.6 < 2 < away[1]
    assert mean_average_precision(truth, weighed(pairs, many)) > 0.9 > mean_average_precision(truth, prior(pairs))


def test_trees_have_less_to_say_the_fewer_customers_and_horizons_they_stem_from() -> None:
    pairs, truth = rows_of(600)
    say = [
        fit_ranking(pairs[:rows], truth[:rows], horizons, seed=1, threads=1).of_trees
        for rows, horizons in ((200, 1.0), (600, 1.0), (600, 6.0))
    ]
    assert 0 < say[0] < say[1] < say[2] < 1


def test_a_ranking_is_stored_and_read_to_the_bit_and_altered_trees_are_refused() -> None:
    pairs, truth = rows_of(400)
    ranking = fit_ranking(pairs, truth, 3.0, seed=1, threads=1)
    files: dict[str, bytes] = {}
    stored = json.loads(json.dumps(ranking.to_json(files)))
    again = TopicRanking.from_json(stored, files, len(NAMES))
    assert again.log_shares(pairs).tobytes() == ranking.log_shares(pairs).tobytes()
    parts = [ranking.log_shares(part) for part in (pairs[:7], pairs[7:])]
    np.testing.assert_array_equal(np.concatenate(parts), ranking.log_shares(pairs))
    with pytest.raises(ModelError, match="made for"):
        TopicRanking.from_json(stored, files, len(NAMES) + 1)


def test_a_topic_comes_up_more_surely_the_more_contacts_there_are() -> None:
    rng = np.random.default_rng(2)
    shares = rng.dirichlet(np.ones(5), 3_000)
    pairs = np.zeros((3_000, 5, len(NAMES)), dtype=np.float32)
    busy = rng.integers(0, 2, 3_000) * 7
    pairs[:, :, NAMES.index("contacts_fading_30")] = busy[:, None]
    truth = np.zeros(shares.shape, dtype=bool)
    for row, share in enumerate(shares):
        truth[row, rng.choice(5, 4 if busy[row] else 1, p=share)] = True
    sureness = fit_sureness(shares, pairs, truth)
    given = sureness.given(shares, pairs)
    assert (given.argmax(axis=1) == shares.argmax(axis=1)).all()
    for busy_ones in (True, False):
        rows = (busy > 0) == busy_ones
        assert given[rows].mean() == pytest.approx(truth[rows].mean(), rel=0.1)
    sure = given >= sureness.sure_from
    assert truth[sure].mean() >= 0.5
    nothing_to_tell = fit_sureness(np.full((500, 5), 0.2), pairs[:500] * 0, np.eye(5, dtype=bool)[np.arange(500) % 5])
    assert nothing_to_tell.sure_from > 1


def test_only_the_first_three_topics_can_be_sure_ones(tmp_path: Path) -> None:
    log = busy_log(tmp_path)
    model = fit_topic(log, AS_OF, START, ISSUES, TrainingOptions(threads=1)).model
    customers = [f"p{number:03d}" for number in range(300)]
    moments = pa.array([AS_OF] * 300, pa.timestamp("us", tz="UTC"))
    table = pa.table({"customer_id": customers, "cutoff": moments})
    found = replace(model, contact_rate=0.3).predict(table, np.zeros((300, 0)), log)
    assert found.sure.any()
    assert not found.sure.all()
    assert (found.given[found.sure] >= model.sureness.sure_from).all()
    first = np.argsort(-found.given, axis=1, kind="stable")[:, :3]
    assert np.take_along_axis(found.sure, first, axis=1).sum() == found.sure.sum()
    np.testing.assert_allclose(found.chances, 0.3 * found.given)
    never = replace(model, sureness=replace(model.sureness, sure_from=2.0))
    assert not never.predict(table, np.zeros((300, 0)), log).sure.any()


def test_ten_thousand_topics_are_cut_to_the_frequent_ones_and_everybody_is_ranked(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    rows = [ticket(f"p{number % 400}", float(rng.uniform(0, 300)), f"text {number}") for number in range(10_000)]
    rows += [ticket(f"p{number % 400}", float(rng.uniform(0, 300)), "billing'; --") for number in range(800)]
    log = log_of(tmp_path, rows)
    result = fit_topic(log, AS_OF, START, ISSUES, TrainingOptions(threads=1))
    assert len(result.model.topics) == MOST_TOPICS
    moments = pa.array([AS_OF] * 2, pa.timestamp("us", tz="UTC"))
    found = result.model.predict(pa.table({"customer_id": ["p1", "new"], "cutoff": moments}), np.zeros((2, 0)), log)
    assert np.isfinite(found.given).all()
    assert [found.names[place] for place in found.given.argmax(axis=1)] == ["billing'; --"] * 2


def test_one_topic_only_is_ranked_first_for_everybody(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    log = log_of(tmp_path, [ticket(f"p{number % 300}", float(rng.uniform(0, 300)), "only") for number in range(2_000)])
    result = fit_topic(log, AS_OF, START, ISSUES, TrainingOptions(threads=1))
    moments = pa.array([AS_OF], pa.timestamp("us", tz="UTC"))
    found = result.model.predict(pa.table({"customer_id": ["new"], "cutoff": moments}), np.zeros((1, 0)), log)
    assert found.names == ("only",)
    assert found.given[0, 0] > 0.99
    assert result.metrics["model_map_3"] == 1.0


def test_what_became_known_or_happened_later_changes_no_ranking(tmp_path: Path) -> None:
    files: list[dict[str, bytes]] = [{}, {}]
    late = [ticket(f"p{number:03d}", 250 + number / 10, "network") for number in range(300)]
    models = []
    for number, extra in enumerate(([], late)):
        log = busy_log(tmp_path / str(number), extra)
        log_until = fit_topic(log, days(250), START, ISSUES, TrainingOptions(threads=1)).model
        models.append(json.dumps(log_until.to_json(files[number])))
    assert models[0] == models[1]
    assert files[0] == files[1]
    assert files[0]


def test_names_of_properties_of_other_events_are_values(tmp_path: Path) -> None:
    key = """a"b'; drop/~. $[*]"""
    customers = [f"p{number}" for number in range(100)]
    rows = [(who, 90.0, "order_delivered", None, json.dumps({key: place % 2})) for place, who in enumerate(customers)]
    rows += [(who, 60.0, "order_delivered", None, json.dumps({key: place % 2})) for place, who in enumerate(customers)]
    rows += [(who, 72.0, TICKET, "ab"[place % 2], None) for place, who in enumerate(customers)]
    log = EventLog(tmp_path)
    names = ("customer_id", "occurred_at", "name", "topic", "properties")
    columns: dict[str, object] = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    columns["occurred_at"] = pa.array([days(row[1]) for row in rows], pa.timestamp("us", tz="UTC"))
    log.append(pa.table(columns))
    found = signals_at(log, customers[:2], days(97))
    assert found["happened_most"][0, 0] > 0.1 > found["happened_most"][0, 1]
