"""How close do our scores come to the simulated truth? Used by the test of one seed and the benchmark of five.

The company lives until a day; we train on what it showed and score everybody. Truth is then asked twice, with
independent futures: once to rank as one would who knows every hidden state, once to judge both rankings. (Ranking
and judging by the same simulated futures would reward knowing the dice.)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from records.events import EventLog
from records.simulation import Saral
from training.evaluation import Floats, auroc, expected_calibration_error, mean_average_precision
from training.labels import ChurnOptions, IssueOptions, TrainingOptions, churn_labels, eligible, issue_labels
from training.registry import Registry
from training.storing import TrainResult
from training.topic_figures import baselines
from training.topic_signals import TopicSignals
from training.train import train

DAY = datetime(2026, 8, 1, tzinfo=UTC)
CHURN = ChurnOptions(definition="event", activity=[], returned_by=["subscription_started"])
ISSUES = IssueOptions()
KNOWING, JUDGING = 16, 8  # simulated futures for the ranking by truth, and for the judgement


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What one seed showed."""

    seed: int
    customers: int
    lift_10: float  # expected leavers among our riskiest tenth, against the average
    lift_10_truth: float  # the same for the ranking by the true probabilities
    lift_10_hazard: float  # the same for the ranking by the true hazard of this one day
    auroc: float  # on what really happened in the 90 days
    auroc_recency: float
    auroc_error: float  # standard error of an AUROC of so many leavers and stayers where there is nothing to find
    ece: float
    map_3: dict[str, float]  # of the model and its baselines, on the tickets of the next 30 days
    result: TrainResult

    @property
    def share_of_truth(self) -> float:
        return self.lift_10 / self.lift_10_truth


def live(folder: Path, *, customers: int, seed: int, causal: bool) -> tuple[Saral, EventLog, EventLog]:
    """The company on the day, the log until then, and the log of what came after."""
    company = Saral(customers=customers, until=DAY + timedelta(days=90), months=18, seed=seed, causal=causal)
    past, future = EventLog(folder / "past"), EventLog(folder / "future")
    for events in company.history(upto=DAY):
        past.append(events)
    return company, past, future


def top_tenth(scores: Floats, expected: Floats) -> float:
    """Expected leavers among the riskiest tenth by these scores, against the average."""
    top = np.argsort(-scores, kind="stable")[: len(scores) // 10]
    return float(expected[top].mean() / expected.mean())


def judge(folder: Path, *, customers: int, seed: int, causal: bool = True) -> Verdict:
    """Simulates, trains, scores, and compares with the truth."""
    company, log, future = live(folder, customers=customers, seed=seed, causal=causal)
    truth = company.truth()
    known = truth.cancel_probability(90, paths=KNOWING)
    every = truth.cancel_probability(90, paths=KNOWING + JUDGING)
    expected = (every * (KNOWING + JUDGING) - known * KNOWING) / JUDGING
    place = {customer: row for row, customer in enumerate(truth.customer_ids)}
    hazard = truth.hazard()
    for events in company.history():
        future.append(events)

    result = train(log, DAY, CHURN, ISSUES, TrainingOptions(), folder / "mlruns", DAY)
    model = Registry(folder / "mlruns").load("latest")
    people = eligible(log, [DAY], CHURN)[DAY]
    table = model.signals(log, DAY, people)
    rows = np.array([place[customer] for customer in people])
    p = model.predict(table)
    y, recency = outcome(log, future, people)
    names, chances = model.topics(table, log)
    asked = topics_asked(future, people, names)
    pairs = TopicSignals(log, ISSUES, names, DAY).at(DAY, table.column("customer_id").combine_chunks())
    rankings = {"model": chances, **baselines(pairs)}
    return Verdict(
        seed=seed,
        customers=len(people),
        lift_10=top_tenth(p, expected[rows]),
        lift_10_truth=top_tenth(known[rows], expected[rows]),
        lift_10_hazard=top_tenth(hazard[rows], expected[rows]),
        auroc=auroc(y, p),
        auroc_recency=auroc(y, recency),
        auroc_error=float(np.sqrt((len(y) + 1) / (12 * y.sum() * (len(y) - y.sum())))),
        ece=expected_calibration_error(y, p),
        map_3={name: mean_average_precision(asked, scores) for name, scores in rankings.items()},
        result=result,
    )


def outcome(log: EventLog, future: EventLog, people: list[str]) -> tuple[Floats, Floats]:
    """Who of them cancelled in the 90 days, and how long each had been silent on the day."""
    with future.connection() as connection:
        rows = connection.execute(
            f"select distinct customer_id from {future.relation_sql(DAY + CHURN.horizon)} "  # noqa: S608
            "where name = 'subscription_cancelled'"
        ).fetchall()
    gone = {row[0] for row in rows}
    found = churn_labels(log, [DAY], CHURN, DAY + CHURN.horizon)
    silent = dict(zip(found["customer_id"].to_pylist(), found["recency_days"].to_pylist(), strict=True))
    y = np.array([float(customer in gone) for customer in people])
    return y, np.array([silent[customer] for customer in people], dtype=float)


def topics_asked(future: EventLog, people: list[str], names: tuple[str, ...]) -> NDArray[np.bool_]:
    """What each asked about in the 30 days after the day."""
    labels = issue_labels(future, [DAY], ISSUES, DAY + ISSUES.horizon)
    place = {customer: row for row, customer in enumerate(people)}
    asked = np.zeros((len(people), len(names)), dtype=bool)
    for customer, topic in zip(labels["customer_id"].to_pylist(), labels["topic"].to_pylist(), strict=True):
        if customer in place and topic in names:
            asked[place[str(customer)], names.index(str(topic))] = True
    return asked


def table_of(verdicts: list[Verdict]) -> str:
    """The verdicts as lines for people."""
    lines = [
        "| seed | customers | lift@10% | by the truth | share | by today's hazard | AUROC | recency | ECE "
        "| MAP@3 | popular | last | Markov |",
        "| --- " * 13 + "|",
    ]
    lines += [
        f"| {one.seed} | {one.customers} | {one.lift_10:.2f} | {one.lift_10_truth:.2f} | {one.share_of_truth:.0%} "
        f"| {one.lift_10_hazard:.2f} | {one.auroc:.3f} | {one.auroc_recency:.3f} | {one.ece:.3f} "
        f"| {one.map_3['model']:.3f} | {one.map_3['most_popular']:.3f} | {one.map_3['same_as_last']:.3f} "
        f"| {one.map_3['markov_history']:.3f} |"
        for one in verdicts
    ]
    return "\n".join(lines)
