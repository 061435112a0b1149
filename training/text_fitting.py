"""How is the reader of texts fitted, and how well does it read what it has not seen?"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation import Floats
from training.text_features import choose_features, words_of
from training.text_model import TextModel, softmax

# Fewer labelled or rated texts teach nothing that holds; a topic named less often is left out.
FEWEST_TEXTS, FEWEST_OF_TOPIC = 100, 10
# Bounds the stored model to about 10 MB: features × topics × 2 bytes, and the features' names.
MOST_FEATURES, MOST_WEIGHTS = 60_000, 4_000_000
MOST_TOPICS = 500
# liblinear says when it has not converged; on 77 topics and 10,000 texts it takes about 20 passes.
MOST_PASSES = 2_000
RIDGE = 1.0
# Part of naive Bayes in the sum, in standard deviations, and what it adds to each count: by cross-validation inside
# the training part of BANKING77.
NAIVE_SHARE, NAIVE_PRIOR = 0.3, 0.05
TEMPERATURES = (0.1, 30.0)
# One text in so many is read by a first fit without it, which says how sure the whole one may be.
KEPT_APART = 3


@dataclass(frozen=True, kw_only=True)
class LabelledTexts:
    """Texts with what is known about them, in an order that does not depend on files or threads."""

    texts: Sequence[str]
    writers: Sequence[str] = ()  # who wrote each; empty: each somebody else
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
    few = f"fewer than {FEWEST_TEXTS} of them"
    notes = [] if about else [f"texts get no topic: {few} name one of two topics or more"]
    notes += [] if content else [f"texts get no sentiment: {few} came with a rating, or all with the same"]
    if not about and not content:
        return TextFit(model=None, metrics={}, notes=notes)
    most = min(MOST_FEATURES, MOST_WEIGHTS // max(1, len(topics)))
    features = choose_features(labelled.texts, most, labelled.writers)
    matrix, apart = features.matrix(labelled.texts), kept_apart(labelled)
    metrics: dict[str, float] = {}
    weights = mood = None
    temperature = 1.0
    if about:
        place = {topic: number for number, topic in enumerate(topics)}
        y = np.array([place.get(topic or "", -1) for topic in labelled.topics], dtype=np.int64)
        weights, temperature, found = fit_topics(matrix[y >= 0], y[y >= 0], apart[y >= 0], len(topics), seed)
        metrics |= found
        if not found["text_better"]:
            weights, topics = None, ()
            notes.append("texts get no topic: what is written does not tell it better than how often topics come up")
    if content:
        mood, found = fit_sentiment(matrix[rated], labelled.ratings[rated], apart[rated])
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


def kept_apart(labelled: LabelledTexts) -> NDArray[np.bool_]:
    """Which texts judge? All of one in three writers; where nobody knows who wrote, all copies of one text in three."""
    names = labelled.writers or [" ".join(words_of(text)) for text in labelled.texts]
    return np.array([zlib.crc32(name.encode()) % KEPT_APART == 0 for name in names])


def frequent_topics(topics: Sequence[str | None]) -> tuple[str, ...]:
    """The topics named often enough to be learnt, by name; of very many only the most frequent."""
    counts: dict[str, int] = {}
    for topic in topics:
        if topic:
            counts[topic] = counts.get(topic, 0) + 1
    ranked = sorted((-count, topic) for topic, count in counts.items() if count >= FEWEST_OF_TOPIC)
    return tuple(sorted(topic for _, topic in ranked[:MOST_TOPICS]))


def fit_topics(
    matrix: Any, y: NDArray[np.int64], apart: NDArray[np.bool_], topics: int, seed: int
) -> tuple[NDArray[np.float32], float, dict[str, float]]:
    """The machines of each topic, their temperature, and accuracy and log loss on the texts kept apart."""
    from scipy.optimize import minimize_scalar

    known, truth = np.flatnonzero(~apart), y[apart]
    machines, odds = topic_weights(matrix[known], y[known], topics, seed)
    unseen, frank = (matrix[apart] @ weights[:-1] + weights[-1] for weights in (machines, odds))
    share = NAIVE_SHARE * unseen.std() / max(float(frank.std()), 1e-12)
    unseen, row = unseen + share * frank, np.arange(len(truth))

    def surprises(temperature: float) -> Floats:
        chances = softmax(unseen * temperature)[row, truth]
        return np.asarray(-np.log(np.maximum(chances, 1e-12)), dtype=np.float64)

    found = minimize_scalar(lambda one: surprises(one).mean(), bounds=TEMPERATURES, method="bounded")
    temperature = float(f"{found.x:.6g}")
    base = -np.log((np.bincount(y[known], minlength=topics) + 1) / (len(known) + topics))[truth]
    metrics = {
        "text_accuracy": float(np.mean(unseen.argmax(axis=1) == truth)),
        "text_log_loss": float(surprises(temperature).mean()),
        "text_base_log_loss": float(base.mean()),
        "text_better": float(clearly(base - surprises(temperature))),
        "text_labelled": float(len(y)),
    }
    machines, odds = topic_weights(matrix, y, topics, seed)
    return stored(machines + share * odds), temperature, metrics


def topic_weights(matrix: Any, y: NDArray[np.int64], topics: int, seed: int) -> tuple[Floats, Floats]:
    """The support vector machines and the word odds of these texts, each (features + 1) × topics."""
    odds = np.vstack([word_odds(matrix, y, topics), np.zeros(topics)])
    return separate(matrix, y, topics, seed), odds


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
    matrix: Any, ratings: Floats, apart: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], dict[str, float]]:
    """The weights that tell the rating from the words, and how much of its variance they tell on texts kept apart."""
    weights, truth = rating_weights(matrix[np.flatnonzero(~apart)], ratings[~apart]), ratings[apart]
    unseen = matrix[np.flatnonzero(apart)] @ weights[:-1].astype(np.float64) + weights[-1]
    errors, guesses = (np.clip(unseen, -1, 1) - truth) ** 2, (ratings[~apart].mean() - truth) ** 2
    return rating_weights(matrix, ratings), {
        "sentiment_explained": float(1 - errors.mean() / guesses.mean()),
        "sentiment_better": float(clearly(guesses - errors)),
        "text_rated": float(len(ratings)),
    }


def rating_weights(matrix: Any, ratings: Floats) -> NDArray[np.float32]:
    """Ridge regression of the rating on the features: features + 1."""
    from sklearn.linear_model import Ridge
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):  # the last digits must not depend on the number of processors
        fitted = Ridge(alpha=RIDGE, solver="sparse_cg", tol=1e-6).fit(matrix, ratings)
    return stored(np.append(fitted.coef_, fitted.intercept_))
