"""What does a model earn where only so many customers can be asked? Profit at contact capacity.

The campaign is that of training/profit.py. A customer's own worth counts where it is known; what nobody has measured
is called assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation import Estimate, Floats, interval
from training.profit import CAMPAIGN, Campaign

# Nobody has said how many can be asked: one in ten.
CAPACITY = 0.10


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


def contact_profits(y: Floats, values: Floats, campaign: Campaign) -> Floats:
    """What asking each customer brings on average, knowing whether he leaves (1) or stays (0)."""
    leaver = campaign.acceptance * (values - campaign.offer) - campaign.contact
    return np.asarray(np.where(y == 1, leaver, -campaign.offer - campaign.contact), dtype=np.float64)


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


def capacity_profit(y: Floats, p: Floats, *, capacity: float = CAPACITY, campaign: Campaign = CAMPAIGN) -> float:
    """The bare figure of `profit_at_capacity` where every customer is worth the same."""
    values = worth(y, None, campaign)
    brings = contact_profits(y, values, campaign)
    return float(earnings(promises(p, values, campaign), brings, places(y, capacity)).mean())


def worth(y: Floats, values: Floats | None, campaign: Campaign) -> Floats:
    return np.full(len(y), campaign.value) if values is None else values


def places(y: Floats, capacity: float) -> int:
    """How many may be asked? Somebody always."""
    return max(1, round(len(y) * capacity))


def promises(p: Floats, values: Floats, campaign: Campaign) -> Floats:
    """What asking each customer would bring if the scores were true."""
    leaver = contact_profits(np.ones(len(p)), values, campaign)
    return np.asarray(p * leaver + (1 - p) * (-campaign.offer - campaign.contact), dtype=np.float64)


def earnings(promise: Floats, brings: Floats, asked: int) -> Floats:
    """Profit per customer when the most promising are asked; those tied at the border share the last places."""
    border = max(np.sort(promise)[-asked], 0.0)
    above, tied = promise > border, (promise == border) & (border > 0)
    left = asked - int(above.sum())
    share = left / max(int(tied.sum()), 1)
    return np.asarray(brings * above + brings * tied * min(share, 1.0), dtype=np.float64)
