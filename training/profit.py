"""Which model earns more, if as many are asked as pays, or as many as can be? Profit of a retention campaign.

The campaign is that of Verbraken, Verbeke & Baesens (IEEE TKDE 25(5), 2013): everyone who is asked costs a contact;
a leaver accepts the offer with a chance drawn from a beta distribution, and then the company keeps the customer's
value less the offer; a stayer takes the offer and would have stayed anyway. Their figures are the defaults here;
nobody has measured them for this company, so what rests on them is called assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """What a contact costs and brings, in money of the same kind as the customers' value."""

    value: float = 200.0  # of a customer who is kept, where it is not known for each
    offer: float = 10.0
    contact: float = 1.0
    # Shape of the chance that a leaver accepts: its mean is accepts / (accepts + declines) = 0.3.
    accepts: float = 6.0
    declines: float = 14.0

    @property
    def acceptance(self) -> float:
        """The mean chance that a leaver who is asked accepts and stays."""
        return self.accepts / (self.accepts + self.declines)

    def scaled_to(self, value: float) -> Campaign:
        """The same campaign where a customer is worth `value`: the costs keep their share of it."""
        share = value / self.value
        return Campaign(
            value=value,
            offer=self.offer * share,
            contact=self.contact * share,
            accepts=self.accepts,
            declines=self.declines,
        )


CAMPAIGN = Campaign()
# Nobody has said how many can be asked: one in ten.
CAPACITY = 0.10
# Points below their neighbours are dropped all at once, so often; the few that are left one by one.
PASSES = 6


def roc_hull(y: Floats, p: Floats) -> tuple[Floats, Floats]:
    """Corners of the upper convex hull of the ROC curve: shares of the leavers and of the stayers above each score."""
    order = np.argsort(-p, kind="stable")
    hits, scores = y[order], p[order]
    # Equal scores cannot be told apart: the curve goes straight through a tied group.
    ends = np.r_[np.flatnonzero(np.diff(scores)), len(scores) - 1]
    found = np.r_[0.0, np.cumsum(hits)[ends] / y.sum()]
    false = np.r_[0.0, np.cumsum(1 - hits)[ends] / (len(y) - y.sum())]
    for _ in range(PASSES):
        point = np.arange(1, len(found) - 1)
        inside = below(found, false, point - 1, point, point + 1)
        found, false = (np.delete(one, point[inside]) for one in (found, false))
    corners: list[int] = []
    for place in range(len(found)):
        while len(corners) > 1 and below(found, false, corners[-2], corners[-1], place):
            corners.pop()
        corners.append(place)
    return found[corners], false[corners]


def below(found: Floats, false: Floats, first: Any, middle: Any, last: Any) -> NDArray[np.bool_]:
    """Does the middle point lie on or below the line from the first to the last? Places, or arrays of them."""
    rise = (found[last] - found[first]) * (false[middle] - false[first])
    return np.asarray(rise >= (found[middle] - found[first]) * (false[last] - false[first]))


def expected_maximum_profit(y: Floats, p: Floats, campaign: Campaign = CAMPAIGN) -> float:
    """Profit per customer if always the best share were asked, averaged over the unknown chance of acceptance (EMPC).

    In the money of `campaign`. Useless: that of a constant score (asking all or nobody); good: clearly above it;
    perfect: that of knowing who leaves (28.0 with half of them leaving and the default campaign). NaN where nobody
    left or nobody stayed. Verified on the published vectors of ProfLogit.
    """
    from scipy.stats import beta

    leaving = float(y.mean()) if len(y) else 0.0
    if leaving in (0.0, 1.0):
        return float("nan")
    found, false = roc_hull(y, p)
    value, staying = campaign.value, 1 - leaving
    offer, contact = campaign.offer / value, campaign.contact / value
    up, across = np.diff(found), np.diff(false)
    with np.errstate(divide="ignore", invalid="ignore"):
        # From which chance of acceptance on does it pay to go one corner further?
        turn = (staying * (offer + contact) * across + leaving * contact * up) / (leaving * (1 - offer) * up)
    borders = np.r_[0.0, np.minimum(np.nan_to_num(turn, nan=1.0, posinf=1.0), 1.0), 1.0]
    shape = (campaign.accepts, campaign.declines)
    kept = campaign.acceptance * np.diff(beta.cdf(borders, shape[0] + 1, shape[1]))
    weight = np.diff(beta.cdf(borders, *shape))
    gain = (1 - offer) * leaving * found * kept
    cost = (contact * leaving * found + (offer + contact) * staying * false) * weight
    return float(value * np.sum(gain - cost))


def capacity_profit(y: Floats, p: Floats, *, capacity: float = CAPACITY, campaign: Campaign = CAMPAIGN) -> float:
    """Profit per customer of the base when the riskiest tenth can be asked, and nobody who promises a loss is.

    Useless: that of a draw by lot, or of asking nobody; good: clearly above it; perfect: that of knowing who leaves.
    """
    values = worth(y, None, campaign)
    brings = contact_profits(y, values, campaign)
    return float(earnings(promises(p, values, campaign), brings, places(y, capacity)).mean())


def contact_profits(y: Floats, values: Floats, campaign: Campaign) -> Floats:
    """What asking each customer brings on average, knowing whether he leaves (1) or stays (0)."""
    leaver = campaign.acceptance * (values - campaign.offer) - campaign.contact
    return np.asarray(np.where(y == 1, leaver, -campaign.offer - campaign.contact), dtype=np.float64)


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
