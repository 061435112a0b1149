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
    capacity: float = 0.10,
    campaign: Campaign = CAMPAIGN,
) -> Profit:
    """What do we earn per customer of the base if at most a share `capacity` of it can be asked?

    `values`: each customer's worth, where known; the costs of the campaign then keep their share of the mean worth.
    Asked are those who promise most by the scores, and nobody who promises a loss. `customers` as for intervals.
    """
    assumed = ["offer", "contact", "acceptance", *([] if values is not None else ["value"])]
    if values is None:
        values = np.full(len(y), campaign.value)
    else:
        campaign = campaign.scaled_to(float(values.mean()))
    leaver, stayer = contact_profits(np.ones(len(y)), values, campaign), -campaign.offer - campaign.contact
    asked = max(1, round(len(y) * capacity))
    brings = contact_profits(y, values, campaign)
    earned = earnings(p * leaver + (1 - p) * stayer, brings, asked)
    return Profit(
        estimate=interval(lambda rows: float(earned[rows].mean()), customers),
        random=float(brings.mean()) * asked / len(y),
        perfect=float(earnings(brings, brings, asked).mean()),
        asked=asked,
        assumed=tuple(assumed),
    )


def earnings(promise: Floats, brings: Floats, asked: int) -> Floats:
    """Profit per customer when the most promising are asked; those tied at the border share the last places."""
    border = max(np.sort(promise)[-asked], 0.0)
    above, tied = promise > border, (promise == border) & (border > 0)
    left = asked - int(above.sum())
    share = left / max(int(tied.sum()), 1)
    return np.asarray(brings * above + brings * tied * min(share, 1.0), dtype=np.float64)
