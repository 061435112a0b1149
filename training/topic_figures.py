"""How well are topics ranked? Beside the simple ways, with intervals by customer, and topic by topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from training.evaluation import Estimate, Floats, auroc, draws, interval, mean_average_precision, recall
from training.scorers import Signals
from training.topic_signals import NAMES, PEERS
from training.topic_sureness import Sureness

# A topic that fewer of the judging customers named has no AUROC worth telling.
FEWEST_OF_TOPIC = 20


def baselines(pairs: Signals, properties: Sequence[str] = ()) -> dict[str, Floats]:
    """What must be beaten: simple ways to rank topics, as scores."""
    popular = pairs[:, :, NAMES.index("popular_all")]
    recent = np.where(pairs[:, :, NAMES.index("own_count")] > 0, pairs[:, :, NAMES.index("days_since_own")], np.inf)
    ways = {
        "most_popular": popular,
        "most_popular_28_days": pairs[:, :, NAMES.index("popular_28")],
        # The customer's topics, the latest first; then everybody's.
        "same_as_last": np.where(np.isfinite(recent), 1e6 - np.where(np.isfinite(recent), recent, 0), popular),
        "markov": pairs[:, :, NAMES.index("after_last")],
        "markov_history": pairs[:, :, NAMES.index("after_history_late")],
    }
    if "product" in properties:
        # What those ask who last asked about the same product.
        place = len(NAMES) + list(properties).index("product") * len(PEERS) + PEERS.index("peers_28")
        ways["product_popular"] = pairs[:, :, NAMES.index("popular_28")] + pairs[:, :, place]
    return ways


def cross_entropy(truth: NDArray[np.bool_], scores: Floats) -> float:
    """Mean surprise at the topics that came up, scores as shares. Useless: ln(topics); perfect 0 for one topic."""
    shares = scores / scores.sum(axis=1, keepdims=True)
    return float(-np.mean(np.log(np.clip(shares, 1e-9, 1))[truth]))


def ranking_figures(
    truth: NDArray[np.bool_], scores: Mapping[str, Floats], customers: Sequence[str]
) -> dict[str, float]:
    """MAP@3 and recall@3 of each way to rank, with 95 % intervals by customer; one row per customer."""
    found = {"judged_customers": float(len(truth))}
    if not len(truth):
        return found
    codes = np.arange(len(customers))
    for name, score in scores.items():
        for measure, function in (("map_3", mean_average_precision), ("recall_3", recall)):
            figure = interval(lambda rows, s=score, f=function: f(truth[rows], s[rows]), codes)  # type: ignore[misc]
            found[f"{name}_{measure}"] = figure.value
            found[f"{name}_{measure}_low"], found[f"{name}_{measure}_high"] = figure.low, figure.high
    return found


def sure_figures(sureness: Sureness, shares: Floats, pairs: Signals, truth: NDArray[np.bool_]) -> dict[str, float]:
    """Whom the model is sure of a topic for, how often that topic came up, and how many topics came up per foretold."""
    given = sureness.given(shares, pairs)
    sure = given.max(axis=1) >= sureness.sure_from
    first = np.take_along_axis(truth, given.argmax(axis=1)[:, None], axis=1)[:, 0]
    return {
        "sure_customers_share": float(sure.mean()),
        "sure_right_share": float(first[sure].mean()) if sure.any() else float("nan"),
        "topics_came_up_per_expected": float(truth.sum() / given.sum()),
    }


def figures_by_topic(topics: Sequence[str], truth: NDArray[np.bool_], scores: Floats) -> dict[str, dict[str, float]]:
    """Each topic's share of the judging customers, and how well those who named it are told from the others."""
    found = {}
    for place, topic in enumerate(topics):
        named = truth[:, place]
        found[topic] = {
            "share": float(named.mean()) if len(named) else float("nan"),
            "auroc": auroc(named.astype(np.float64), scores[:, place]) if named_enough(named) else float("nan"),
        }
    return found


def macro_auroc(truth: NDArray[np.bool_], scores: Floats, *, count: int = 100, seed: int = 2026) -> Estimate | None:
    """The mean AUROC of the topics that enough customers named, with its 95 % interval by customer; one row each.

    Useless .5, perfect 1; None where no topic was named enough. A resample counts each row so often: rows are sorted
    once for each topic, not once for each resample.
    """
    people = np.arange(len(truth))
    times = [np.ones(len(truth), np.int64)]
    times += [np.bincount(rows, minlength=len(truth)) for rows in draws(people, count, seed)] if len(truth) else []
    kept = [place for place in range(truth.shape[1]) if named_enough(truth[:, place])]
    if not kept:
        return None
    means = np.nanmean([drawn_aurocs(truth[:, place], scores[:, place], np.array(times)) for place in kept], axis=0)
    low, high = np.nanpercentile(means[1:], [2.5, 97.5])
    return Estimate(value=float(means[0]), low=float(low), high=float(high), rows=len(truth))


def named_enough(named: NDArray[np.bool_]) -> bool:
    """Did enough customers name the topic, and enough not, for an AUROC?"""
    return min(int(named.sum()), int((~named).sum())) >= FEWEST_OF_TOPIC


def drawn_aurocs(named: NDArray[np.bool_], score: Floats, times: NDArray[np.int64]) -> Floats:
    """The AUROC of one topic where each row counts so often, for every row of `times`; equal scores are half right."""
    order = np.argsort(score, kind="stable")
    starts = np.r_[0, np.flatnonzero(np.diff(score[order])) + 1]
    counts = times[:, order]
    hits = np.add.reduceat(counts * named[order], starts, axis=1).astype(np.float64)
    others = np.add.reduceat(counts * ~named[order], starts, axis=1).astype(np.float64)
    below = np.cumsum(others, axis=1) - others / 2
    pairs = hits.sum(axis=1) * others.sum(axis=1)
    return np.asarray(np.where(pairs > 0, (hits * below).sum(axis=1) / np.where(pairs > 0, pairs, 1.0), np.nan))
