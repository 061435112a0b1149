"""How sure are we of a topic, if the customer contacts us? Shares as probabilities, and from where on to act.

A share is that of one contact; within a horizon a customer may contact us several times, busy ones more often. A topic
comes up unless every one of them is about something else: 1 - (1 - share)^contacts, contacts growing with how much the
customer contacted us of late. Two numbers, fitted on the newest finished horizon; the order of topics stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation import Floats, log_loss
from training.scorers import Signals
from training.topic_signals import NAMES

# Only a customer's first topics can be sure ones.
FIRST = 3
# What the two numbers may be: logarithm of the contacts of somebody quiet, and how it grows with log(1 + contacts).
QUIET, GROWTH = np.linspace(-0.4, 1.2, 17), np.linspace(0.0, 1.0, 11)
# Sure: likelier than not. Where those were right less often than that, the bar is raised; never, if it cannot be met.
BARS, RIGHT, FEWEST_SURE = (0.5, 0.6, 0.7, 0.8, 0.9), 0.5, 20
NEVER = 2.0


@dataclass(frozen=True, kw_only=True)
class Sureness:
    """From shares to probabilities, and from which probability on a topic is sure enough to act on."""

    quiet: float = 0.0
    growth: float = 0.0
    sure_from: float = NEVER

    def given(self, shares: Floats, pairs: Signals) -> Floats:
        """Customers × topics: the probability that the topic comes up in the horizon, given a contact."""
        return np.asarray(-np.expm1(np.log1p(-np.minimum(shares, 1 - 1e-9)) * self.contacts(pairs)), dtype=np.float64)

    def contacts(self, pairs: Signals) -> Floats:
        """Customers × 1: how many contacts about a topic of their own they are taken to make."""
        lately = pairs[:, :1, NAMES.index("contacts_fading_30")].astype(np.float64)
        return np.asarray(np.exp(self.quiet + self.growth * np.log1p(lately)), dtype=np.float64)

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def fit_sureness(shares: Floats, pairs: Signals, truth: NDArray[np.bool_]) -> Sureness:
    """The likeliest two numbers on these customers who contacted us, and the lowest bar that held among them."""
    if not truth.size:
        return Sureness()
    y = truth.reshape(-1).astype(np.float64)
    ways = [Sureness(quiet=round(float(one), 3), growth=round(float(two), 3)) for one in QUIET for two in GROWTH]
    best = min(ways, key=lambda way: log_loss(y, way.given(shares, pairs).reshape(-1)))
    given = best.given(shares, pairs)
    bar = next((bar for bar in BARS if held(given, truth, bar)), NEVER)
    return Sureness(quiet=best.quiet, growth=best.growth, sure_from=bar)


def held(given: Floats, truth: NDArray[np.bool_], bar: float) -> bool:
    """Were enough topics at or above the bar, and at least half of them right?"""
    sure = given >= bar
    return int(sure.sum()) >= FEWEST_SURE and float(truth[sure].mean()) >= RIGHT
