"""What does a model earn where only so many customers can be asked? Profit at contact capacity.

The campaign is that of training/profit.py. A customer's own worth counts where it is known; what nobody has measured
is called assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation import Estimate, Floats, interval
from training.profit import CAMPAIGN, CAPACITY, Campaign, contact_profits, earnings, places, promises, worth


@dataclass(frozen=True, kw_only=True)
class Profit:
    """Profit per customer of the base when the riskiest are asked. Useless: `random`; good: nearer `perfect`."""

    estimate: Estimate  # of these scores, with a 95 % interval by customer
    random: float  # the same number of customers drawn by lot
    perfect: float  # with the leavers known
    asked: int  # how many customers the capacity allows
    assumed: tuple[str, ...]  # which figures nobody has measured

    @property
    def share_of_perfect(self) -> float:
        """0 is a draw by lot, 1 is knowing who leaves; NaN where both earn the same."""
        reach = self.perfect - self.random
        return (self.estimate.value - self.random) / reach if reach > 0 else float("nan")


def profit_at_capacity(
    y: Floats,
    p: Floats,
    customers: NDArray[np.int64],
    *,
    values: Floats | None = None,
    capacity: float = CAPACITY,
    campaign: Campaign = CAMPAIGN,
) -> Profit:
    """What do we earn per customer of the base if at most a share `capacity` of it can be asked?

    `values`: each customer's worth, where known; the costs of the campaign then keep their share of the mean worth.
    Asked are those who promise most by the scores, and nobody who promises a loss. `customers` as for intervals.
    """
    assumed = ("offer", "contact", "acceptance", *(["value"] if values is None else []))
    campaign = campaign if values is None else campaign.scaled_to(float(values.mean()))
    brings = contact_profits(y, worth(y, values, campaign), campaign)
    earned = earnings(promises(p, worth(y, values, campaign), campaign), brings, places(y, capacity))
    return Profit(
        estimate=interval(lambda rows: float(earned[rows].mean()), customers),
        random=float(brings.mean()) * places(y, capacity) / len(y),
        perfect=float(earnings(brings, brings, places(y, capacity)).mean()),
        asked=places(y, capacity),
        assumed=assumed,
    )
