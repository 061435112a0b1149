"""Would another draw, or another month, have chosen other people? How much of the riskiest tenth stays the same.

A list is made of the riskiest: two models of equal log loss may still name different customers. Useless: .1, as two
draws by lot share; good: above .7; perfect: 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from training.calibration import sigmoid
from training.candidates import BAGS, RECENCY, Rows
from training.evaluation import Floats, log_loss
from training.scorers import Scorer, Trees

TOP = 0.10


@dataclass(frozen=True, kw_only=True)
class Stability:
    """How steady the ranking is. Shares are of the riskiest tenth; None where there is nothing to compare."""

    kept: float | None = None  # by the new model, also among the riskiest of the one in use
    seeds: tuple[float, ...] = ()  # log loss of the judged fit with the trees of one seed alone
    seeds_share: float | None = None  # what two seeds have in common, on average

    def figures(self) -> Mapping[str, float]:
        """What is listed beside a run's other figures."""
        found = {"top_tenth_kept": self.kept, "top_tenth_shared_by_seeds": self.seeds_share}
        found |= {"seeds_log_loss_low": min(self.seeds), "seeds_log_loss_high": max(self.seeds)} if self.seeds else {}
        return {name: value for name, value in found.items() if value is not None}

    def said(self) -> tuple[str, ...]:
        """The same in sentences."""
        lines = []
        if self.kept is not None:
            lines.append(f"of the riskiest tenth, {self.kept:.0%} are also the riskiest tenth of the model in use")
        if self.seeds_share is not None:
            lines.append(
                f"trees of one seed alone have log loss {min(self.seeds):.4f} to {max(self.seeds):.4f}, and share "
                f"{self.seeds_share:.0%} of the riskiest tenth"
            )
        return tuple(lines)


def shared_top(p: Floats, other: Floats, share: float = TOP) -> float:
    """Which share of the riskiest by `p` is among the riskiest by `other`, of as many rows each?

    >>> shared_top(np.arange(20.0), np.arange(20.0) * 3), shared_top(np.arange(20.0), -np.arange(20.0))
    (1.0, 0.0)
    """
    top = max(1, round(len(p) * share))
    one, two = (np.argsort(-scores, kind="stable")[:top] for scores in (p, other))
    return len(np.intersect1d(one, two)) / top


def stability_of(rows: Rows, judged: Scorer, new: Floats, in_use: Floats | None) -> Stability:
    """How steady is the ranking of the judged customers?

    Parameters
    ----------
    judged
        The winner as it was judged; its trees are drawn with several seeds.
    new, in_use
        What the model that is to be stored says of these customers, and the model in use (None: there is none).
    """
    by_seed = scores_by_seed(judged, rows)
    pairs = [shared_top(one, other) for one, other in combinations(by_seed, 2)]
    return Stability(
        kept=shared_top(new, in_use) if in_use is not None else None,
        seeds=tuple(log_loss(rows.y, one) for one in by_seed),
        seeds_share=float(np.mean(pairs)) if pairs else None,
    )


def scores_by_seed(scorer: Scorer, rows: Rows) -> list[Floats]:
    """The scores with the trees of each seed alone, all else as it is; none for a scorer without trees."""
    trees = [(weight, part) for weight, part in scorer.parts if isinstance(part, Trees)]
    if scorer.kind == RECENCY or not trees or len(trees) % BAGS:
        return []
    rest = np.zeros(len(rows))
    for weight, part in scorer.parts:
        if not isinstance(part, Trees):
            rest += weight * part.log_odds(rows.X)
    grown = [BAGS * weight * part.log_odds(rows.X) for weight, part in trees]
    return [scorer.calibration.apply(sigmoid(rest + np.sum(grown[seed::BAGS], axis=0))) for seed in range(BAGS)]
