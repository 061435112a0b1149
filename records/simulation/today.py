"""Everything one day of one block of customers needs: the facts, the people, their chances, the notebook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from records.simulation.company import DAY_US, Company
from records.simulation.draws import Array, Draws
from records.simulation.lives import ACTIVE, Lives
from records.simulation.population import Traits

SECOND = 1_000_000
HOUR = 3600 * SECOND


class Notes(Protocol):
    """Where events are written: a `Notebook`, or nowhere when only the hidden course of things matters."""

    def write(self, name: str, who: Array, at: Array, **columns: Any) -> None: ...


class NoNotes:
    """Forgets everything it is told."""

    def write(self, name: str, who: Array, at: Array, **columns: Any) -> None:
        """Nothing is kept."""


@dataclass(frozen=True)
class Today:
    """One day of one block."""

    company: Company
    traits: Traits
    lives: Lives
    draws: Draws
    notes: Notes
    day: int

    @property
    def midnight(self) -> int:
        """Microseconds since 1970 at 00:00 UTC."""
        return self.day * DAY_US

    def active(self) -> Array:
        """Who has a subscription now?"""
        here: Array = self.lives.status == ACTIVE
        return here

    def happens(self, what: str, chance: Array | float, among: Array) -> Array:
        """To whom of `among` (a mask) does it happen, at `chance` per head?"""
        to: Array = np.flatnonzero(among & (self.draws.u(what) < chance))
        return to

    def waking(self, what: str, who: Array) -> Array:
        """A moment between 07:30 and 23:00 in India, more often in the evening."""
        u = self.draws.u(f"{what} at", who)
        return self.midnight + (2 * 3600 + np.floor(15.5 * 3600 * u**0.8)).astype(np.int64) * SECOND

    def office(self, what: str, who: Array) -> Array:
        """A moment between 09:30 and 20:30 in India."""
        u = self.draws.u(f"{what} at", who)
        return self.midnight + (4 * 3600 + np.floor(11 * 3600 * u)).astype(np.int64) * SECOND

    def index(self, who: Array) -> Array:
        index: Array = self.traits.index[who]
        return index
