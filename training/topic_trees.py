"""What do the signals of a topic say together? Trees on top of the conditional logit, grown on the same likelihood.

Each tree follows the slope of the surprise at what a customer asked, topics against each other (a softmax over the
customer's topics), from where the logit left it. They add what the logit cannot say and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation import Floats
from training.trees import SMALL_MATRIX, TREES, raw_scores, sizes, trees_of

if TYPE_CHECKING:
    from training.scorers import Signals, Trees

ROUNDS, BAGS = 80, 2


def softmax(z: Floats) -> Floats:
    """Shares of the topics of each customer: rows sum to 1."""
    powers = np.exp(z - z.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)


def fit_topic_trees(
    pairs: Signals, truth: NDArray[np.bool_], start: Floats, *, seed: int, threads: int
) -> tuple[Trees, ...]:
    """Trees of several seeds, to be averaged. `start`: the log-shares they begin at, customers × topics."""
    import lightgbm

    rows, k, width = pairs.shape
    X, wanted = pairs.reshape(rows * k, width), (truth / truth.sum(axis=1, keepdims=True)).reshape(-1)

    def slopes(z: Floats, _: Any) -> tuple[Floats, Floats]:
        p = softmax(z.reshape(rows, k)).reshape(-1)
        return p - wanted, np.maximum(p * (1 - p), 1e-6)

    # The slopes are made between the trees, by one thread: others would wait for them.
    threads = threads if X.size > 10 * SMALL_MATRIX else 1
    params = {**TREES, **sizes(rows * k, width), "objective": slopes, "num_threads": threads}
    found = []
    for bag in range(BAGS):
        data = lightgbm.Dataset(X, label=wanted, init_score=start.reshape(-1), params={**params, "objective": "none"})
        booster = lightgbm.train({**params, "seed": seed + bag}, data, num_boost_round=ROUNDS)
        found.append(trees_of(booster, ROUNDS))
    return tuple(found)


def grown(trees: tuple[Trees, ...], pairs: Signals, threads: int = 2) -> Floats:
    """What the trees add to the log-shares: customers × topics, the mean of the seeds."""
    rows, k, width = pairs.shape
    total = np.zeros(rows * k)
    for one in trees:
        total += raw_scores(one.booster(), pairs.reshape(rows * k, width), -1, threads)
    return (total / max(1, len(trees))).reshape(rows, k)
