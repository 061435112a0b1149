"""How is the issue model fitted, and does it beat the simple ways? On the newest finished horizon, beside baselines."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.candidates import Rows, joined
from training.evaluation import Floats, log_loss
from training.issues import IssueModel, shares
from training.labels import IssueOptions, TrainingOptions, issue_labels
from training.linear import fit_linear
from training.scorers import Scorer, Signals
from training.topic_choice import weighed
from training.topic_figures import (
    baselines,
    cross_entropy,
    figures_by_topic,
    macro_auroc,
    ranking_figures,
    sure_figures,
)
from training.topic_properties import contact_properties
from training.topic_ranking import TopicRanking, fit_ranking
from training.topic_signals import TopicSignals, known_topics
from training.topic_sureness import Sureness, fit_sureness
from training.topic_trees import softmax

if TYPE_CHECKING:
    from records.events import EventLog

# With fewer contacts than this nothing is fitted: what follows a customer's history (Markov) ranks the topics.
FEWEST_CONTACTS = 100
# The contact model looks at so many of the newest cutoffs: how often people call changes with the year.
CONTACT_CUTOFFS = 6
# A horizon has seven parts. Topics are learnt from what came up in four of them after a cutoff: what somebody asks
# first is much the same, and more that is recent can be learnt from. So many cutoffs fit, one to three parts apart.
PARTS_OF_HORIZON, LEARNT_PARTS, TOPIC_CUTOFFS, MOST_PARTS = 7, 4, 14, 3
# Customer × topic pairs to learn from, at most; above it customers are sampled. Bounds the matrix to some 250 MB.
MOST_PAIRS = 750_000
MARKOV, LOGIT, TREES, AVERAGE = "markov_history", "logistic", "lightgbm", "average"
AS_RANKED = "topics are ranked by an average of Markov, a conditional logit and trees"
TOO_SHORT = "the log is too short to learn topics from: they are ranked by what follows a customer's history"


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
    """Cutoffs to learn topics from, newest first: what they are learnt from is over by `as_of`.

    Each has at least half the history there is now, and half a horizon: where less is known of everybody, the same
    signals mean something else. A long log spaces them wider: they cover more of the past.
    """
    part = horizon / PARTS_OF_HORIZON
    earliest = max(first + (as_of - first) / 2, first + horizon / 2)
    newest = as_of - LEARNT_PARTS * part
    step = int(min(MOST_PARTS, max(1, (newest - earliest) / part // TOPIC_CUTOFFS)))
    found = [as_of - (LEARNT_PARTS + number * step) * horizon / PARTS_OF_HORIZON for number in range(TOPIC_CUTOFFS)]
    return [cutoff for cutoff in found if cutoff >= earliest]


def topic_rows(log: EventLog, cutoff: datetime, signals: TopicSignals, span: timedelta, until: datetime) -> TopicRows:
    """Everybody seen before the cutoff who named a topic in the span after it."""
    import pyarrow as pa

    labels = issue_labels(log, [cutoff], signals.issues, until, span=span)
    named = [
        (str(customer), signals.places[topic])
        for customer, topic in zip(labels["customer_id"].to_pylist(), labels["topic"].to_pylist(), strict=True)
        if topic in signals.places
    ]
    who = sampled(sorted({customer for customer, _ in named} & signals.seen_before(cutoff)), len(signals.topics))
    position = {customer: row for row, customer in enumerate(who)}
    truth = np.zeros((len(who), len(signals.topics)), dtype=bool)
    for customer, place in named:
        if customer in position:
            truth[position[customer], place] = True
    pairs = signals.at(cutoff, pa.array(who, pa.string())).astype(np.float32)
    return TopicRows(pairs=pairs, truth=truth, customers=tuple(who))


def sampled(customers: list[str], topics: int) -> list[str]:
    """As many of these as may be learnt from at one cutoff, chosen by a hash of the id."""
    most = max(1, MOST_PAIRS // (TOPIC_CUTOFFS * topics))
    if len(customers) <= most:
        return customers
    return sorted(sorted(customers, key=lambda one: hashlib.sha256(one.encode()).digest())[:most])


def learnt(parts: list[TopicRows], horizons: float, training: TrainingOptions) -> TopicRanking | None:
    """The ranking fitted on these rows, from so many horizons; None where there are too few."""
    if sum(len(part.customers) for part in parts) < FEWEST_CONTACTS:
        return None
    pairs, truth = np.concatenate([part.pairs for part in parts]), np.concatenate([part.truth for part in parts])
    return fit_ranking(pairs, truth, horizons, seed=training.seed, threads=training.threads)


def fit_topic(
    log: EventLog, as_of: datetime, first: datetime, issues: IssueOptions, training: TrainingOptions
) -> IssueResult:
    """The ranking of topics, judged on the newest finished horizon beside baselines, then fitted on all there is."""
    horizon, span = issues.horizon, issues.horizon * LEARNT_PARTS / PARTS_OF_HORIZON
    topics = known_topics(log, issues, as_of)
    result = IssueResult(model=IssueModel(options=issues, topics=topics))
    if not topics:
        result.notes.append("no topics are known: the score has none")
        return result
    properties = contact_properties(log, issues, as_of)
    signals = TopicSignals(log, issues, topics, as_of, training.threads, properties)
    judging = as_of - horizon
    seen: dict[datetime, TopicRows] = {}

    def fitted(until: datetime) -> TopicRanking | None:
        cutoffs = topic_cutoffs(until, horizon, first)
        for cutoff in set(cutoffs) - set(seen):
            seen[cutoff] = topic_rows(log, cutoff, signals, span, until)
        horizons = (cutoffs[0] + span - cutoffs[-1]) / horizon if cutoffs else 0.0
        return learnt([seen[cutoff] for cutoff in cutoffs], horizons, training)

    sureness = Sureness()
    if judging >= first + horizon / 2:
        judged = topic_rows(log, judging, signals, horizon, as_of)
        sureness = judge(result, judged, fitted(judging), properties)
    ranking = fitted(as_of)
    result.notes.append(AS_RANKED if ranking else TOO_SHORT)
    kept = properties if ranking else ()
    result.model = replace(result.model, properties=kept, topic=ranking, sureness=sureness)
    return result


def judge(
    result: IssueResult, judged: TopicRows, ranking: TopicRanking | None, properties: tuple[str, ...]
) -> Sureness:
    """Writes the figures of the judging cutoff, and says how sure the shares were there."""
    pairs, truth = judged.pairs, judged.truth
    scores: dict[str, Floats] = {MARKOV: shares(None, pairs)}
    if ranking and len(truth):
        logit = weighed(pairs, np.asarray(ranking.weights))
        scores[LOGIT] = softmax(logit)
        scores[TREES] = shares(replace(ranking, of_trees=1.0, of_markov=0.0), pairs)
        scores[AVERAGE] = shares(ranking, pairs)
    model = scores.get(AVERAGE, scores[MARKOV])
    sureness = fit_sureness(model, pairs, truth)
    if len(truth):
        result.metrics = {f"{name}_log_loss": cross_entropy(truth, score) for name, score in scores.items()}
        result.metrics |= sure_figures(sureness, model, pairs, truth)
    ways = {**baselines(pairs, properties), **scores, "model": model}
    result.metrics |= ranking_figures(truth, ways, judged.customers)
    result.by_topic = figures_by_topic(result.model.topics, truth, model)
    if (macro := macro_auroc(truth, model)) is not None:
        names = ("model_macro_auroc", "model_macro_auroc_low", "model_macro_auroc_high")
        result.metrics |= dict(zip(names, (macro.value, macro.low, macro.high), strict=True))
    return sureness


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
