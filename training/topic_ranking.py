"""How are one customer's topics ranked from stored numbers? Markov, a conditional logit and trees, weighed together.

Nothing is switched: how much the trees have to say follows from how much they learnt from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation import Floats
from training.scorers import Signals, Trees, check_trees
from training.topic_choice import fit_choice, prior, weighed
from training.topic_trees import fit_topic_trees, grown

# Trees have half a say with so many customers to learn from, and half of that if they stem from so many horizons: what
# was popular in one horizon says little of the next. Markov has this say beside what is fitted.
HALF_A_SAY, HALF_BY_HORIZONS, MARKOV_SAY = 1_000, 2.0, 0.15


@dataclass(frozen=True, kw_only=True)
class TopicRanking:
    """A fitted ranking: log-shares = (1 - of_markov) (logit + of_trees trees) + of_markov Markov."""

    weights: tuple[float, ...]  # of the logit's inputs (training.topic_choice)
    trees: tuple[Trees, ...] = ()
    of_trees: float = 1.0
    of_markov: float = 0.0

    def log_shares(self, pairs: Signals) -> Floats:
        """Customers × topics, up to a constant of each customer."""
        markov, logit = prior(pairs), weighed(pairs, np.asarray(self.weights))
        return mixed(markov, logit, grown(self.trees, pairs), self.of_trees, self.of_markov)

    def to_json(self, files: dict[str, bytes]) -> dict[str, Any]:
        """Plain values; the trees go to `files`."""
        names = [f"topic_{number}.txt" for number in range(len(self.trees))]
        files |= {name: one.text.encode() for name, one in zip(names, self.trees, strict=True)}
        kept = {"weights": list(self.weights), "of_trees": self.of_trees, "of_markov": self.of_markov}
        return {**kept, "trees": names}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], files: Mapping[str, bytes], signals: int) -> TopicRanking:
        """The ranking again; trees are checked before LightGBM sees them."""
        texts = [files[name].decode() for name in stored["trees"]]
        for text in texts:
            check_trees(text, signals)
        return cls(
            weights=tuple(stored["weights"]),
            trees=tuple(Trees(text=text) for text in texts),
            of_trees=stored["of_trees"],
            of_markov=stored["of_markov"],
        )


def mixed(markov: Floats, logit: Floats, trees: Floats, of_trees: float, of_markov: float) -> Floats:
    """A weighted mean of log-shares; the trees were grown on top of the logit."""
    return np.asarray((1 - of_markov) * (logit + of_trees * trees) + of_markov * markov, dtype=np.float64)


def fit_ranking(pairs: Signals, truth: NDArray[np.bool_], horizons: float, *, seed: int, threads: int) -> TopicRanking:
    """Logit and trees on these customers, who stem from so many horizons; both numbers suggest the trees' say."""
    weights = fit_choice(pairs, truth)
    trees = fit_topic_trees(pairs, truth, weighed(pairs, weights), seed=seed, threads=threads)
    suggested = len(pairs) / (len(pairs) + HALF_A_SAY) * horizons / (horizons + HALF_BY_HORIZONS)
    return TopicRanking(weights=tuple(weights), trees=trees, of_trees=suggested, of_markov=MARKOV_SAY)
