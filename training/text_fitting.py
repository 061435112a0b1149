"""How is the reader of texts fitted, and how well does it read what it has not seen?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation import Floats
from training.text_features import choose_features, folds_of
from training.text_model import FOLDS, TextModel, softmax

# Fewer labelled or rated texts teach nothing that holds; a topic named less often is left out.
FEWEST_TEXTS, FEWEST_OF_TOPIC = 200, 10
# Bounds the stored model to about 25 MB: features × topics × machines × 2 bytes.
MOST_FEATURES, MOST_WEIGHTS = 40_000, 3_000_000
MOST_TOPICS = 500
# liblinear says when it has not converged; on 77 topics and 10,000 texts it takes about 20 passes.
MOST_PASSES = 2_000
RIDGE = 1.0
# Part of naive Bayes in the sum, in standard deviations, and what it adds to each count: by cross-validation inside
# the training part of BANKING77.
NAIVE_SHARE, NAIVE_PRIOR = 0.3, 0.05
TEMPERATURES = (0.1, 30.0)


@dataclass(frozen=True, kw_only=True)
class LabelledTexts:
    """Texts with what is known about them, in an order that does not depend on files or threads."""

    texts: Sequence[str]
    topics: Sequence[str | None]  # None: not said
    ratings: Floats  # from -1, the lowest given, to 1; NaN: none


@dataclass(kw_only=True)
class TextFit:
    """A text model, or none, and how well it reads texts it has not seen."""

    model: TextModel | None
    metrics: dict[str, float]
    notes: list[str]


def fit_text_model(labelled: LabelledTexts, until: datetime, seed: int) -> TextFit:
    """The reader of texts learnt from these, judged on texts left out; None where it knows no better than a guess."""
    topics = frequent_topics(labelled.topics)
    rated = np.isfinite(labelled.ratings)
    about = len(topics) >= 2 and sum(topic in topics for topic in labelled.topics) >= FEWEST_TEXTS
    content = int(rated.sum()) >= FEWEST_TEXTS and float(np.ptp(labelled.ratings[rated])) > 0
    notes = [] if about else [f"texts get no topic: fewer than {FEWEST_TEXTS} of them have one"]
    notes += [] if content else [f"texts get no sentiment: fewer than {FEWEST_TEXTS} of them came with a rating"]
    if not about and not content:
        return TextFit(model=None, metrics={}, notes=notes)
    most = min(MOST_FEATURES, MOST_WEIGHTS // max(1, len(topics)))
    features = choose_features(labelled.texts, most)
    matrix, folds = features.matrix(labelled.texts), folds_of(labelled.texts, FOLDS)
    metrics: dict[str, float] = {}
    weights = mood = None
    temperature = 1.0
    if about:
        place = {topic: number for number, topic in enumerate(topics)}
        y = np.array([place.get(topic or "", -1) for topic in labelled.topics], dtype=np.int64)
        weights, temperature, found = fit_topics(matrix[y >= 0], y[y >= 0], folds[y >= 0], len(topics), seed)
        metrics |= found
        if not found["text_better"]:
            weights, topics = None, ()
            notes.append("texts get no topic: what is written does not tell it better than how often topics come up")
    if content:
        mood, found = fit_sentiment(matrix[rated], labelled.ratings[rated], folds[rated])
        metrics |= found
        if not found["sentiment_better"]:
            mood = None
            notes.append("texts get no sentiment: what is written does not tell the rating")
    if weights is None and mood is None:
        return TextFit(model=None, metrics=metrics, notes=notes)
    model = TextModel(
        features=features,
        topics=topics if weights is not None else (),
        topic_weights=weights,
        temperature=temperature,
        sentiment_weights=mood,
        until=until,
    )
    return TextFit(model=model, metrics=metrics, notes=notes)


def frequent_topics(topics: Sequence[str | None]) -> tuple[str, ...]:
    """The topics named often enough to be learnt, by name; of very many only the most frequent."""
    counts: dict[str, int] = {}
    for topic in topics:
        if topic:
            counts[topic] = counts.get(topic, 0) + 1
    ranked = sorted((-count, topic) for topic, count in counts.items() if count >= FEWEST_OF_TOPIC)
    return tuple(sorted(topic for _, topic in ranked[:MOST_TOPICS]))


def fit_topics(
    matrix: Any, y: NDArray[np.int64], folds: NDArray[np.int64], topics: int, seed: int
) -> tuple[NDArray[np.float32], float, dict[str, float]]:
    """The machines of each topic, their temperature, and accuracy and log loss on texts not seen."""
    from scipy.optimize import minimize_scalar

    weights = np.zeros((FOLDS + 1, matrix.shape[1] + 1, topics))
    odds = np.zeros_like(weights)
    unseen, frank, expected = np.zeros((3, len(y), topics))
    for machine in range(FOLDS + 1):
        kept, out = folds != machine - 1, folds == machine - 1
        weights[machine] = separate(matrix[kept], y[kept], topics, seed)
        odds[machine, :-1] = word_odds(matrix[kept], y[kept], topics)
        unseen[out] = matrix[out] @ weights[machine, :-1] + weights[machine, -1]
        frank[out] = matrix[out] @ odds[machine, :-1]
        expected[out] = (np.bincount(y[kept], minlength=topics) + 1) / (kept.sum() + topics)
    share = NAIVE_SHARE * unseen.std() / max(float(frank.std()), 1e-12)
    unseen += share * frank
    row = np.arange(len(y))

    def surprises(temperature: float) -> Floats:
        return np.asarray(-np.log(np.maximum(softmax(unseen * temperature)[row, y], 1e-12)), dtype=np.float64)

    found = minimize_scalar(lambda one: surprises(one).mean(), bounds=TEMPERATURES, method="bounded")
    temperature = float(f"{found.x:.6g}")
    base = -np.log(expected[row, y])
    metrics = {
        "text_accuracy": float(np.mean(unseen.argmax(axis=1) == y)),
        "text_log_loss": float(surprises(temperature).mean()),
        "text_base_log_loss": float(base.mean()),
        "text_better": float(clearly(base - surprises(temperature))),
        "text_labelled": float(len(y)),
    }
    return stored(weights + share * odds), temperature, metrics


def clearly(gains: Floats) -> bool:
    """Is the mean gain per text above zero by more than two standard errors?"""
    return bool(gains.mean() > 2 * gains.std() / np.sqrt(len(gains)))


def stored(weights: Floats) -> NDArray[np.float32]:
    """The weights as they will be read back from the model's folder, in half precision."""
    return weights.astype(np.float16).astype(np.float32)


def separate(matrix: Any, y: NDArray[np.int64], topics: int, seed: int) -> Floats:
    """One linear support vector machine per topic (liblinear's dual descent): (features + 1) × topics.

    A topic of which these rows hold no text gets a machine that always says no.
    """
    from sklearn.svm import LinearSVC

    weights = np.zeros((matrix.shape[1] + 1, topics))
    weights[-1] = -1.0
    present = np.unique(y)
    if len(present) < 2:
        weights[-1, present] = 1.0
        return weights
    machine = LinearSVC(C=1.0, dual=True, random_state=seed, max_iter=MOST_PASSES).fit(matrix, y)
    signs = machine.coef_ if len(present) > 2 else np.vstack([-machine.coef_, machine.coef_])
    levels = machine.intercept_ if len(present) > 2 else np.array([-machine.intercept_[0], machine.intercept_[0]])
    weights[:-1, present], weights[-1, present] = signs.T, levels
    return weights


def word_odds(matrix: Any, y: NDArray[np.int64], topics: int) -> Floats:
    """Naive Bayes: how much each feature is used in texts of a topic, in logs, against the mean of the topics.

    A little of it steadies the machines where a topic has few texts (after Wang & Manning 2012, "Baselines and
    Bigrams").
    """
    import scipy.sparse

    members = scipy.sparse.csr_array((np.ones(len(y)), (np.arange(len(y)), y)), shape=(len(y), topics))
    use = (matrix.T @ members).toarray() + NAIVE_PRIOR
    logs = np.log(use / use.sum(axis=0))
    return np.asarray(logs - logs.mean(axis=1, keepdims=True), dtype=np.float64)


def fit_sentiment(
    matrix: Any, ratings: Floats, folds: NDArray[np.int64]
) -> tuple[NDArray[np.float32], dict[str, float]]:
    """The machines that tell the rating from the words, and how much of its variance they tell on texts not seen."""
    from sklearn.linear_model import Ridge
    from threadpoolctl import threadpool_limits

    weights = np.zeros((FOLDS + 1, matrix.shape[1] + 1), dtype=np.float32)
    unseen, mean = np.zeros(len(ratings)), np.zeros(len(ratings))
    with threadpool_limits(limits=1):  # the last digits must not depend on the number of processors
        for machine in range(FOLDS + 1):
            kept, out = folds != machine - 1, folds == machine - 1
            fitted = Ridge(alpha=RIDGE, solver="sparse_cg", tol=1e-6).fit(matrix[kept], ratings[kept])
            weights[machine] = stored(np.append(fitted.coef_, fitted.intercept_))
            unseen[out] = matrix[out] @ weights[machine, :-1].astype(np.float64) + weights[machine, -1]
            mean[out] = ratings[kept].mean()
    errors, guesses = (np.clip(unseen, -1, 1) - ratings) ** 2, (mean - ratings) ** 2
    return weights, {
        "sentiment_explained": float(1 - errors.mean() / guesses.mean()),
        "sentiment_better": float(clearly(guesses - errors)),
        "text_rated": float(len(ratings)),
    }
