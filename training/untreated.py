"""What would have happened without us? Labels of people whose future our own messages changed, set right.

A score says how likely somebody is to leave if nobody writes to them. Rows of people in the treated arm of a play,
planned within the horizon or shortly before the cutoff, are therefore left out. They were chosen for their risk, so
that without them the risky would be too few: each person of the comparison group, like them in all but the draw,
stands for 1 / (1 - propensity) people (inverse probability weighting, Horvitz and Thompson 1952), by being there that
often. Whole copies instead of weights, so that every candidate, figure and interval counts alike; an interval by
customer takes all copies as one person.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.labels import ChurnOptions
from training.lots import lot

if TYPE_CHECKING:
    import pyarrow as pa

# A message is over after so long: later it is a part of the past like any other, and the signals know of it.
AFTERMATH = timedelta(days=30)
# Nobody stands for more people than this: a rare comparison group would decide everything.
MOST_COPIES = 10
KEYS = ("customer_id", "cutoff")


@dataclass(frozen=True, kw_only=True)
class Untreated:
    """How often each row of a label table counts."""

    copies: NDArray[np.int64]  # 0: left out
    left_out: int  # rows
    standing_in: int  # rows of the comparison group that count more than once

    kept: bool = False  # so few would be left that nothing was left out after all

    @property
    def notes(self) -> tuple[str, ...]:
        if not self.left_out:
            return ()
        what = f"{self.left_out:,} examples of people whom a measured message may have kept"
        if self.kept:
            return (f"{what} are learnt from as they are: without them too few would have left or stayed",)
        return (f"{what} are left out; {self.standing_in:,} of their comparison group stand in for them",)

    def as_they_are(self) -> Untreated:
        """Every row once: what a small company does, whose messages reached half of its people."""
        return replace(self, copies=np.ones_like(self.copies), kept=True)


def untreated(labels: pa.Table, treatments: pa.Table | None, churn: ChurnOptions, seed: int) -> Untreated:
    """How often each row of `labels` (customer_id, cutoff) counts, after `treatments` (see records.treatments)."""
    copies = np.ones(labels.num_rows, dtype=np.int64)
    if treatments is None or not treatments.num_rows:
        return Untreated(copies=copies, left_out=0, standing_in=0)
    cutoffs: list[datetime] = labels.column("cutoff").unique().to_pylist()  # type: ignore[assignment]  # never null
    planned = treatments.to_pylist()
    weights = {at: weights_at(planned, at, churn) for at in cutoffs}
    for row, (customer, at) in enumerate(zip(*(labels.column(name).to_pylist() for name in KEYS), strict=True)):
        weight = weights[at].get(str(customer))
        if weight is not None:
            copies[row] = whole(weight, lot("copies", seed, at, customer))
    return Untreated(copies=copies, left_out=int((copies == 0).sum()), standing_in=int((copies > 1).sum()))


def weights_at(planned: Sequence[Mapping[str, Any]], cutoff: datetime, churn: ChurnOptions) -> dict[str, float]:
    """How many people stand for each of those planned around this cutoff? 0: in a treated arm."""
    first, last = cutoff - AFTERMATH, cutoff + churn.gap + churn.horizon
    plays: dict[str, dict[str, float]] = defaultdict(dict)
    for row in planned:
        if first <= row["at"] < last:
            # One person is in one arm of a play, however often it was planned for them.
            plays[row["customer_id"]][row["play"]] = 0.0 if row["treated"] else 1.0 / (1.0 - row["propensity"])
    found = {}
    for customer, by_play in plays.items():
        weight = 1.0
        for play in sorted(by_play):
            weight *= by_play[play]
        found[customer] = min(weight, float(MOST_COPIES))
    return found


def whole(weight: float, drawn: float) -> int:
    """The weight as a whole number that is right on average over the lots drawn in [0, 1).

    >>> [whole(2.4, drawn / 10) for drawn in range(10)]
    [3, 3, 3, 3, 2, 2, 2, 2, 2, 2]
    """
    return int(weight) + (drawn < weight - int(weight))
