"""What is a step? Facts that no sum by day can say, such as which tickets are open, as two Ibis expressions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Step:
    """Rows kept of the log, once for all cutoffs, and the facts that each cutoff makes of those it can see.

    A family declares its steps in `STEPS`; `features/catalog.py` collects them. A step runs only if a signal reads one
    of its facts. `rows` looks at one event at a time (no window, no aggregate): the rows of two halves of a log are
    then the rows of the whole, which is what keeps the roll-up of the home true as days are added.
    """

    name: str  # of its tables
    events: tuple[str, ...]  # the events its rows are taken from
    rows: Callable[[Any], Any]  # facts of these events → rows, with `code` and `known_day` among the columns
    at: Callable[..., Any]  # (rows, cutoffs, ages[, everyone]) → one row per `code` and `cutoff_day`; no future
    counts: tuple[str, ...] = ()  # facts that are zero where there is no row
    values: tuple[str, ...] = ()  # facts that are null where there is no row
    everyone: Callable[..., Any] | None = None  # (rows of all customers, cutoffs, ages) → a table that `at` may join

    @property
    def facts(self) -> tuple[str, ...]:
        """Every fact it gives."""
        return (*self.counts, *self.values)
