"""How is the issue model fitted, and does it beat the simple ways? On the newest finished horizon, beside baselines."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.candidates import Rows, joined
from training.evaluation import Floats, log_loss
from training.issues import UNFITTED, IssueModel, shares
from training.labels import IssueOptions, TrainingOptions, issue_labels
from training.linear import fit_linear
from training.scorers import Part, Scorer, Signals
from training.topic_choice import fit_choice
from training.topic_figures import baselines, cross_entropy, figures_by_topic, macro_auroc, ranking_figures
from training.topic_properties import contact_properties
from training.topic_signals import NAMES, TopicSignals, known_topics
from training.trees import fit_trees

if TYPE_CHECKING:
    from records.events import EventLog

# With fewer contacts than this nothing is fitted: what follows a customer's history (Markov) ranks the topics.
FEWEST_CONTACTS = 150
# The contact model looks at so many of the newest cutoffs: how often people call changes with the year.
CONTACT_CUTOFFS = 6
# So many cutoffs fit, a seventh to three sevenths of a horizon apart: close where the log is short.
TOPIC_CUTOFFS, PARTS_OF_HORIZON, MOST_PARTS = 14, 7, 3
TOPIC_ROUNDS, TOPIC_BAGS = 150, 2
# Customer × topic pairs to learn from, at most; above it customers are sampled. Bounds the matrix to some 500 MB.
MOST_PAIRS = 1_500_000
MARKOV, CHOICE, LIGHTGBM = "markov_history", "logistic", "lightgbm"
# The means of several that also compete, in log-odds.
BLENDS = {"logistic_markov": (CHOICE, "markov"), "average": (CHOICE, "markov", LIGHTGBM)}
TOO_SHORT = "the log is shorter than two issue horizons: topics are ranked by what follows a customer's history"


@dataclass(frozen=True, kw_only=True)
class TopicRows:
    """Customers who did contact us within the horizon of one cutoff: their pairs, and what it was about."""

    pairs: Signals  # customers × topics × signals, float32
    truth: NDArray[np.bool_]  # customers × topics
    customers: tuple[str, ...]


@dataclass(kw_only=True)
class IssueResult:
    """The issue model and how it did on the judging cutoff."""

    model: IssueModel
    metrics: dict[str, float] = field(default_factory=dict)
    by_topic: dict[str, dict[str, float]] = field(default_factory=dict)  # share of contacts and AUROC of each topic
    notes: list[str] = field(default_factory=list)


def topic_cutoffs(as_of: datetime, horizon: timedelta, first: datetime) -> list[datetime]:
    """Cutoffs whose horizons are over by `as_of` and which have half a horizon of history, newest first.

    The newest judges, those within its horizon are purged, so many others fit. A long log spaces them wider: they
    cover more of the past; never wider than three sevenths of a horizon.
    """
    part = horizon / PARTS_OF_HORIZON
    earliest = first + horizon / 2
    span = (as_of - 2 * horizon - earliest) / part
    step = int(min(MOST_PARTS, max(1, span // TOPIC_CUTOFFS)))
    most = TOPIC_CUTOFFS + -(-PARTS_OF_HORIZON // step)
    found = [as_of - (PARTS_OF_HORIZON + number * step) * horizon / PARTS_OF_HORIZON for number in range(most)]
    return [cutoff for cutoff in found if cutoff >= earliest]


def topic_rows(log: EventLog, cutoff: datetime, signals: TopicSignals, until: datetime) -> TopicRows:
    """Everybody seen before the cutoff who named a topic in its horizon."""
    import pyarrow as pa

    labels = issue_labels(log, [cutoff], signals.issues, until)
    named = [
        (str(customer), topic)
        for customer, topic in zip(labels["customer_id"].to_pylist(), labels["topic"].to_pylist(), strict=True)
        if topic in signals.topics
    ]
    who = sampled(sorted({customer for customer, _ in named} & signals.seen_before(cutoff)), len(signals.topics))
    position = {customer: row for row, customer in enumerate(who)}
    truth = np.zeros((len(who), len(signals.topics)), dtype=bool)
    for customer, topic in named:
        if customer in position:
            truth[position[customer], signals.topics.index(topic)] = True
    pairs = signals.at(cutoff, pa.array(who, pa.string())).astype(np.float32)
    return TopicRows(pairs=pairs, truth=truth, customers=tuple(who))


def pooled(parts: list[TopicRows]) -> Rows:
    """Customer × topic pairs as rows for the candidates."""
    pairs = np.concatenate([part.pairs.reshape(-1, len(NAMES)) for part in parts])
    y = np.concatenate([part.truth.reshape(-1) for part in parts]).astype(np.float64)
    return Rows(X=pairs, y=y, recency=np.zeros(len(y)), customers=np.zeros(len(y), dtype=np.int64))


def sampled(customers: list[str], topics: int) -> list[str]:
    """As many of these as may be learnt from at one cutoff, chosen by a hash of the id."""
    most = max(1, MOST_PAIRS // (TOPIC_CUTOFFS * topics))
    if len(customers) <= most:
        return customers
    return sorted(sorted(customers, key=lambda one: hashlib.sha256(one.encode()).digest())[:most])


def fit_parts(
    parts: list[TopicRows], names: tuple[str, ...], training: TrainingOptions
) -> dict[str, tuple[tuple[float, Part], ...]]:
    """What ranks topics, fitted on these rows: a choice among all signals, one by Markov alone, and trees."""
    pairs, truth = np.concatenate([part.pairs for part in parts]), np.concatenate([part.truth for part in parts])
    rows, k, width = pairs.shape
    found: dict[str, tuple[tuple[float, Part], ...]] = {}
    if CHOICE in names:
        found[CHOICE] = ((1.0, fit_choice(pairs, truth)),)
    if "markov" in names:
        found["markov"] = ((1.0, fit_choice(pairs, truth, (NAMES.index(UNFITTED),))),)
    if LIGHTGBM in names:
        y = truth.reshape(rows * k).astype(np.float64)
        nobody = np.zeros(len(y))
        pooled = Rows(X=pairs.reshape(rows * k, width), y=y, recency=nobody, customers=nobody.astype(np.int64))
        forest = fit_trees(pooled, seed=training.seed, threads=training.threads, rounds=TOPIC_ROUNDS, bags=TOPIC_BAGS)
        found[LIGHTGBM] = tuple((1 / TOPIC_BAGS, one) for one in forest)
    return found


def scorer_of(name: str, parts: Mapping[str, tuple[tuple[float, Part], ...]]) -> Scorer:
    """One candidate, made of its parts."""
    members = BLENDS.get(name, (name,))
    joined = tuple((weight / len(members), part) for member in members for weight, part in parts[member])
    return Scorer(kind=name, parts=joined)


def fit_topic(
    log: EventLog, as_of: datetime, first: datetime, issues: IssueOptions, training: TrainingOptions
) -> IssueResult:
    """The ranking of topics that is best on the newest finished horizon, refitted on all; figures beside baselines."""
    horizon = issues.horizon
    cutoffs = topic_cutoffs(as_of, horizon, first)
    topics = known_topics(log, issues, as_of)
    result = IssueResult(model=IssueModel(options=issues, topics=topics))
    if not topics or not cutoffs:
        result.notes.append(TOO_SHORT if topics else "no topics are known: the score has none")
        return result
    properties = contact_properties(log, issues, as_of)
    signals = TopicSignals(log, issues, topics, as_of, training.threads, properties)
    earlier = [cutoff for cutoff in cutoffs[1:] if cutoff + horizon <= cutoffs[0]][:TOPIC_CUTOFFS]
    judged = topic_rows(log, cutoffs[0], signals, as_of)
    fit = [topic_rows(log, cutoff, signals, cutoffs[0]) for cutoff in earlier]
    scores: dict[str, Floats] = {MARKOV: shares(None, judged.pairs)}
    if sum(len(part.customers) for part in fit) >= FEWEST_CONTACTS:
        parts = fit_parts(fit, (CHOICE, "markov", LIGHTGBM), training)
        for name in (CHOICE, LIGHTGBM, *BLENDS):
            scores[name] = shares(scorer_of(name, parts), judged.pairs)
    losses = {name: cross_entropy(judged.truth, score) for name, score in scores.items()} if len(judged.truth) else {}
    winner = min(losses, key=lambda name: losses[name], default=MARKOV)
    result.metrics = {f"{name}_log_loss": value for name, value in losses.items()}
    result.metrics |= ranking_figures(
        judged.truth, {**baselines(judged.pairs, properties), **scores, "model": scores[winner]}, judged.customers
    )
    result.by_topic = figures_by_topic(topics, judged.truth, scores[winner])
    result.metrics["model_macro_auroc"] = macro_auroc(result.by_topic)
    result.notes.append(f"topics are ranked by {winner}")
    if winner != MARKOV:
        late = [topic_rows(log, cutoff, signals, as_of) for cutoff in cutoffs if cutoff not in earlier]
        newest = [*late, *fit][:TOPIC_CUTOFFS]
        scorer = scorer_of(winner, fit_parts(newest, BLENDS.get(winner, (winner,)), training))
        result.model = IssueModel(options=issues, topics=topics, properties=properties, topic=scorer)
    return result


def fit_contact(fit: Rows, judged: Rows) -> tuple[Scorer | None, float, dict[str, float]]:
    """Who contacts us at all within the horizon: a logistic, if it beats the base rate; refitted on all rows."""
    both = joined([fit, judged])
    rate = float(both.y.mean())
    if min(fit.y.sum(), (1 - fit.y).sum(), judged.y.sum()) < FEWEST_CONTACTS / 5:
        return None, rate, {}
    scorer = Scorer(kind="logistic", parts=((1.0, fit_linear(fit.X, fit.y)),))
    loss = log_loss(judged.y, scorer.predict(judged.X))
    base = log_loss(judged.y, np.full(len(judged), fit.y.mean()))
    metrics = {"contact_logistic_log_loss": loss, "contact_base_rate_log_loss": base}
    if loss >= base:
        return None, rate, metrics
    return Scorer(kind="logistic", parts=((1.0, fit_linear(both.X, both.y)),)), rate, metrics
