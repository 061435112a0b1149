"""What is really so in the simulated company. For tests only: nothing that learns, plans or shows may import it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from records.simulation.company import TOPICS, Company
from records.simulation.days import run_day
from records.simulation.draws import Array, Draws
from records.simulation.lives import ACTIVE, Lives
from records.simulation.mood import leaving_chance
from records.simulation.people import customer_ids
from records.simulation.population import RESPONSES, Traits
from records.simulation.support import intensities
from records.simulation.today import NoNotes, Today

_HIDDEN = ("mood", "usage", "look", "pain")


@dataclass(frozen=True)
class Truth:
    """The hidden side of every customer on the morning of one day."""

    blocks: Sequence[tuple[Traits, Lives]]  # copies
    company: Company
    day: int
    causal: bool

    @property
    def customer_ids(self) -> list[str]:
        """In the order of all arrays below."""
        return [name for traits, _ in self.blocks for name in customer_ids(traits.index)]

    @property
    def active(self) -> NDArray[np.bool_]:
        """Who has a subscription?"""
        return np.concatenate([lives.status == ACTIVE for _, lives in self.blocks])

    @property
    def response(self) -> list[str]:
        """What contact does to them: tutorial, offer, indifferent, sleeping_dog."""
        return [RESPONSES[r] for traits, _ in self.blocks for r in traits.response.tolist()]

    def states(self) -> dict[str, Array]:
        """The hidden states now: mood (satisfaction), usage, look (looking around), pain (about the price)."""
        return {name: np.concatenate([getattr(lives, name) for _, lives in self.blocks]) for name in _HIDDEN}

    def hazard(self) -> Array:
        """The chance to cancel today, given the hidden states and the true causes."""
        return np.concatenate([leaving_chance(lives, traits, self.day) for traits, lives in self.blocks])

    def topic_rates(self) -> dict[str, Array]:
        """The true daily rates of tickets per topic now; one more a week for a fault about to be felt."""
        parts = []
        for traits, lives in self.blocks:
            today = Today(self.company, traits, lives, Draws(self.company.seed, traits.index), NoNotes(), self.day)
            rates = intensities(today, np.arange(len(traits)))
            who = np.flatnonzero(lives.fault_day >= self.day)
            rates[who, lives.fault_topic[who].astype(np.int64)] += 1 / 7
            parts.append(rates)
        rates = np.concatenate(parts)
        return {name: rates[:, k] for k, name in enumerate(TOPICS)}

    def cancel_probability(self, days: int = 90, paths: int = 24) -> NDArray[np.float64]:
        """The chance to cancel within `days`, given everything hidden now, if nobody is contacted.

        The mean over `paths` futures of 1 − ∏(1 − hazard); along a path nobody leaves, so each path counts whole.
        People without a subscription have 0.
        """
        parts = []
        for traits, lives in self.blocks:
            leaves = np.zeros(len(traits))
            here = lives.status == ACTIVE
            for path in range(paths):
                leaves += self._one_path(traits, lives.copy(), days, f"truth {path}")
            parts.append(np.where(here, leaves / paths, 0.0))
        return np.concatenate(parts)

    def _one_path(self, traits: Traits, lives: Lives, days: int, salt: str) -> Array:
        draws = Draws(self.company.seed, traits.index, salt)
        stays = np.ones(len(traits))
        for day in range(self.day, self.day + days):
            draws.on(day)
            today = Today(self.company, traits, lives, draws, NoNotes(), day)
            stays *= 1.0 - run_day(today, causal=self.causal, may_leave=False)
        return 1.0 - stays


def find_truth(blocks: Sequence[tuple[Traits, Lives]], company: Company, day: int, causal: bool) -> Truth:
    """Copy the hidden side, so that it stays as it was while the company lives on."""
    return Truth([(traits, lives.copy()) for traits, lives in blocks], company, day, causal)
