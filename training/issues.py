"""What will each customer need help with next? p(contact) × p(topic | contact), within the issue horizon.

One pooled model over customer × topic pairs, so that rare topics borrow strength. It always ranks; whether a rank is
sure enough to act on is for planning to say. A log without topics gives no topics, and everything else still works.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.candidates import Rows, fit_candidates, fit_linear, joined, refit
from training.evaluation import Floats, log_loss, mean_average_precision, recall
from training.labels import IssueOptions, TrainingOptions, issue_labels
from training.scorers import Scorer, scorer_from_json, scorer_to_json
from training.topic_signals import NAMES, TopicSignals, known_topics

if TYPE_CHECKING:
    import pyarrow as pa

    from records.events import EventLog

# Customers asked about at once: bounds the memory of the customer × topic matrix.
AT_ONCE = 50_000
# With fewer contacts than this nothing is fitted: what follows a customer's history (Markov) ranks the topics.
FEWEST_CONTACTS = 150
# The contact model looks at so many of the newest cutoffs: how often people call changes with the year.
CONTACT_CUTOFFS = 6
# Half a horizon apart: the newest judges, its neighbour is purged, the others fit. Older ones teach old habits.
TOPIC_CUTOFFS = 10
TOPIC_ROUNDS = 150
TOO_SHORT = "the log is shorter than two issue horizons: topics are ranked by what follows a customer's history"


@dataclass(frozen=True, kw_only=True)
class IssueModel:
    """The fitted issue model."""

    options: IssueOptions
    topics: tuple[str, ...] = ()
    contact: Scorer | None = None  # on the customer's signals; None: everybody alike
    contact_rate: float = 0.0
    topic: Scorer | None = None  # on topic signals; None: by Markov over the history

    def predict(self, table: pa.Table, X: Floats, log: EventLog) -> Floats:
        """Rows × topics: probability of a contact about the topic within the horizon of the row's cutoff."""
        found = np.zeros((table.num_rows, len(self.topics)))
        if not self.topics or not table.num_rows:
            return found
        contact = self.contact.predict(X) if self.contact else np.full(len(X), self.contact_rate)
        customers = table.column("customer_id").combine_chunks()
        cutoffs: list[datetime] = table.column("cutoff").to_pylist()  # type: ignore[assignment]  # never null
        for cutoff in sorted(set(cutoffs)):
            rows = np.flatnonzero([at == cutoff for at in cutoffs])
            signals = TopicSignals(log, self.options, self.topics, cutoff)
            for part in np.array_split(rows, max(1, -(-len(rows) // AT_ONCE))):
                found[part] = self.shares(signals.at(cutoff, customers.take(part)))
        return found * contact[:, None]

    def shares(self, pairs: Floats) -> Floats:
        """p(topic | contact): rows × topics, each row sums to 1."""
        scores = topic_scores(self.topic, pairs)
        return np.asarray(scores / scores.sum(axis=1, keepdims=True), dtype=np.float64)

    def to_json(self, files: dict[str, bytes]) -> dict[str, Any]:
        return {
            "options": self.options.model_dump(mode="json"),
            "topics": list(self.topics),
            "contact": scorer_to_json("contact", self.contact, files) if self.contact else None,
            "contact_rate": self.contact_rate,
            "topic": scorer_to_json("topic", self.topic, files) if self.topic else None,
            "topic_signals": list(NAMES),
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any], files: Mapping[str, bytes], signals: int) -> IssueModel:
        return cls(
            options=IssueOptions(**stored["options"]),
            topics=tuple(stored["topics"]),
            contact=scorer_from_json(stored["contact"], files, signals) if stored["contact"] else None,
            contact_rate=stored["contact_rate"],
            topic=scorer_from_json(stored["topic"], files, len(NAMES)) if stored["topic"] else None,
        )


def topic_scores(scorer: Scorer | None, pairs: Floats) -> Floats:
    """A positive score per row and topic; without a fitted model, what usually follows the customer's history."""
    rows, k, width = pairs.shape
    if scorer is None:
        return np.asarray(np.exp(pairs[:, :, NAMES.index("after_history")]), dtype=np.float64)
    return scorer.predict(pairs.reshape(rows * k, width)).reshape(rows, k)


def baselines(pairs: Floats) -> dict[str, Floats]:
    """What must be beaten: simple ways to rank topics, as scores."""
    popular = pairs[:, :, NAMES.index("popular_all")]
    recent = np.where(pairs[:, :, NAMES.index("own_count")] > 0, pairs[:, :, NAMES.index("days_since_own")], np.inf)
    return {
        "most_popular": popular,
        "most_popular_28_days": pairs[:, :, NAMES.index("popular_28")],
        # The customer's topics, the latest first; then everybody's.
        "same_as_last": np.where(np.isfinite(recent), 1e6 - np.where(np.isfinite(recent), recent, 0), popular),
        "markov": pairs[:, :, NAMES.index("after_last")],
        "markov_history": pairs[:, :, NAMES.index("after_history")],
    }


@dataclass(frozen=True, kw_only=True)
class TopicRows:
    """Customers who did contact us within the horizon of one cutoff: their pairs, and what it was about."""

    pairs: Floats  # customers × topics × signals
    truth: NDArray[np.bool_]  # customers × topics
    customers: tuple[str, ...]


@dataclass(kw_only=True)
class IssueResult:
    """The issue model and how it did on the judging cutoff."""

    model: IssueModel
    metrics: dict[str, float] = field(default_factory=dict)
    # topic → "share" of the judged customers who named it, "auroc" of its probability among them
    by_topic: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def topic_cutoffs(as_of: datetime, horizon: timedelta, first: datetime, most: int) -> list[datetime]:
    """Cutoffs half a horizon apart, newest first, whose horizons are over and which have a horizon of history."""
    step = max(timedelta(days=1), timedelta(days=horizon.days // 2))
    found = [as_of - horizon - number * step for number in range(most)]
    return [cutoff for cutoff in found if cutoff >= first + horizon]


def topic_rows(log: EventLog, cutoff: datetime, signals: TopicSignals, until: datetime) -> TopicRows:
    """Everybody seen before the cutoff who named a topic in its horizon."""
    import pyarrow as pa

    labels = issue_labels(log, [cutoff], signals.issues, until)
    named = [
        (str(customer), topic)
        for customer, topic in zip(labels["customer_id"].to_pylist(), labels["topic"].to_pylist(), strict=True)
        if topic in signals.topics
    ]
    seen = signals.seen_before(cutoff)
    who = sorted({customer for customer, _ in named} & seen)
    position = {customer: row for row, customer in enumerate(who)}
    truth = np.zeros((len(who), len(signals.topics)), dtype=bool)
    for customer, topic in named:
        if customer in position:
            truth[position[customer], signals.topics.index(topic)] = True
    return TopicRows(pairs=signals.at(cutoff, pa.array(who, pa.string())), truth=truth, customers=tuple(who))


def pooled(parts: list[TopicRows]) -> Rows:
    """Customer × topic pairs as rows for the candidates."""
    pairs = np.concatenate([part.pairs.reshape(-1, len(NAMES)) for part in parts])
    y = np.concatenate([part.truth.reshape(-1) for part in parts]).astype(np.float64)
    return Rows(X=pairs, y=y, recency=np.zeros(len(y)), customers=np.zeros(len(y), dtype=np.int64))


def cross_entropy(truth: NDArray[np.bool_], scores: Floats) -> float:
    """Mean surprise at the topics that came up, scores as shares. Useless: ln(topics); perfect 0 for one topic."""
    shares = scores / scores.sum(axis=1, keepdims=True)
    return float(-np.mean(np.log(np.clip(shares, 1e-9, 1))[truth]))


def fit_topic(
    log: EventLog, as_of: datetime, first: datetime, issues: IssueOptions, training: TrainingOptions
) -> tuple[tuple[str, ...], Scorer | None, dict[str, float], list[str]]:
    """The topic scorer that is best on the newest finished horizon, refitted on all; figures beside baselines."""
    horizon = issues.horizon
    cutoffs = topic_cutoffs(as_of, horizon, first, TOPIC_CUTOFFS)
    topics = known_topics(log, issues, as_of)
    if not topics or not cutoffs:
        return topics, None, {}, ["no topics are known: the score has none"] if not topics else [TOO_SHORT]
    judged_at, earlier = cutoffs[0], [cutoff for cutoff in cutoffs[1:] if cutoff + horizon <= cutoffs[0]]
    before = TopicSignals(log, issues, topics, as_of, training.threads)
    judged = topic_rows(log, judged_at, before, as_of)
    fit = [topic_rows(log, cutoff, before, judged_at) for cutoff in earlier]
    scores: dict[str, Floats] = {"markov_history": np.exp(baselines(judged.pairs)["markov_history"])}
    candidates: dict[str, Scorer] = {}
    options = {"seed": training.seed, "threads": training.threads}
    if sum(len(part.customers) for part in fit) >= FEWEST_CONTACTS:
        candidates, _ = fit_candidates(pooled(fit), None, max_rounds=TOPIC_ROUNDS, rounds=TOPIC_ROUNDS, **options)
        scores |= {name: topic_scores(scorer, judged.pairs) for name, scorer in candidates.items()}
    losses = {name: cross_entropy(judged.truth, score) for name, score in scores.items()} if len(judged.truth) else {}
    winner = min(losses, key=lambda name: losses[name]) if losses else "markov_history"
    metrics = {f"{name}_log_loss": value for name, value in losses.items()}
    for name, score in {**baselines(judged.pairs), **scores, "model": scores[winner]}.items():
        metrics[f"{name}_map_3"] = mean_average_precision(judged.truth, score)
        metrics[f"{name}_recall_3"] = recall(judged.truth, score)
    metrics["judged_customers"] = float(len(judged.truth))
    scorer = None
    if winner in candidates:
        late = [topic_rows(log, cutoff, before, as_of) for cutoff in cutoffs if cutoff not in earlier]
        scorer = refit(winner, pooled([*late, *fit]), rounds=TOPIC_ROUNDS, **options)
    return topics, scorer, metrics, [f"topics are ranked by {winner}"]


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
