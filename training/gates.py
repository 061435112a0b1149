"""May the winner be put in use? It must know more than recency, and be no worse than the model in use.

Every comparison is paired: the same customers, both models, resampled by customer. Two things make a model know more
than recency alone: it ranks better, or it has less log loss after both were calibrated alike. Log loss as it stands
is no proof: a model that knows nothing beats a stale base rate. Where the newest horizon is silent, the rehearsals at
earlier cutoffs may speak.

A monthly retrain usually brings a tie. Then the newer one is taken: it has seen the newest horizon, and a model that
is only replaced when it is clearly beaten grows old. But not if it is worse for a slice, or worse calibrated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from training.calibration import out_of_fold
from training.candidates import RECENCY
from training.evaluation import (
    Estimate,
    Floats,
    auroc,
    estimate,
    expected_calibration_error,
    interval,
    log_loss,
    paired_difference,
)
from training.judging import Judged, levelled
from training.labels import Definition
from training.model import Model
from training.opponent import InUse, Opponent
from training.profit import capacity_profit
from training.slices import TOLERANCE, worse_slices

# The AUROC of no order at all.
CHANCE = 0.5
# A calibration error up to here is good (see expected_calibration_error) and stands in nobody's way.
GOOD_ECE = 0.02
# Of `[churn]`: what changes no label.
NOT_ASKED = {"bands", "begun_by"}
Attributes = Mapping[str, Sequence[str | None]]


def gate(
    judged: Judged,
    model: Model,
    champion: InUse | None,
    opponent: Callable[[InUse], Opponent | None],
    attributes: Attributes | None = None,
) -> tuple[bool, str]:
    """May the winner be put in use, and why (not)?

    Parameters
    ----------
    model
        The winner's kind as it would be stored.
    champion, opponent
        The model in use, and whom it sends (`training.opponent`); asked only where there is something to compare.
    attributes
        Of the judged rows: no slice of them may lose.
    """
    winner, instead = judged.winner, "the model in use stays" if champion else "none is put in use"
    if winner == RECENCY:
        floor, best = (levelled(judged.rows.y, judged.scores[name]).mean() for name in (RECENCY, judged.best_stored))
        return False, (
            f"nothing beats recency alone (log loss {floor:.4f}, best model {best:.4f}, "
            f"each at the level that came): {instead}"
        )
    knows, beats = knows_more(judged, winner)
    if not knows:
        return False, f"{beats}: {instead}"
    if champion is None:
        return True, f"{beats}; no model was in use"
    if not same_leaving(champion.model.settings["churn"], model.settings["churn"]):
        return True, f"{beats}; the model in use predicts another kind of leaving"
    rival = opponent(champion)
    if rival is None:
        return True, f"{beats}; the model in use can score nobody any more: {champion.why_not}".removesuffix(".")
    promoted, why = against(judged, rival, attributes or {})
    return promoted, f"{beats}; {why}" if promoted else f"{why}: the model in use stays"


def same_leaving(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Do two models predict the same? What a risk is called, and which signals tell it, makes it no other question.

    Stored settings are read as today's are: what an older version did not know has its default.
    """
    try:
        asked = [Definition(**stored).model_dump(exclude=NOT_ASKED) for stored in (one, other)]
    except ValidationError:
        return False
    return asked[0] == asked[1]


def knows_more(judged: Judged, winner: str) -> tuple[bool, str]:
    """Does the winner know more than recency alone, beyond chance? And how much.

    Where recency alone is misleading, beating it is no proof: the order must be better than none at all.
    A thin newest horizon may be silent; then all rehearsals are asked together, the same customer being one draw.
    """
    rows, p, floor = judged.rows, judged.scores[winner], judged.scores[RECENCY]
    loss, order = told_more(rows.y, p, floor, rows.customers), estimate("auroc", rows.y, p, rows.customers)
    rank = difference(judged, p, floor)
    told = (
        f"by {loss.value:.4f} log loss [{loss.low:.4f}, {loss.high:.4f}] after both were calibrated alike and "
        f"{rank.value:.4f} AUROC [{rank.low:.4f}, {rank.high:.4f}] on {loss.rows:,} customers"
    )
    if order.low > CHANCE and (loss.low > 0 or rank.low > 0):
        return True, f"{winner} beats recency alone {told}"
    if judged.rehearsals and loss.high >= 0:
        past, ranked = over_rehearsals(judged, winner)
        if ranked.low > CHANCE and past.low > 0:
            return True, (
                f"{winner} beats recency alone by {past.value:.4f} log loss [{past.low:.4f}, {past.high:.4f}] over "
                f"{len(judged.rehearsals)} cutoffs together; the newest horizon alone cannot tell: {told}"
            )
    if order.low <= CHANCE:
        return False, (
            f"{winner} does not clearly rank better than chance: AUROC {order.value:.4f} "
            f"[{order.low:.4f}, {order.high:.4f}] on {order.rows:,} customers"
        )
    return False, f"{winner} does not clearly beat recency alone: {told}"


def told_more(y: Floats, p: Floats, other: Floats, customers: NDArray[np.int64]) -> Estimate:
    """How much lower the log loss of `p` is, once a map has set both to the level that came."""
    ours, theirs = (out_of_fold("beta", y, one, customers) for one in (p, other))
    return paired_difference(y, ours, theirs, customers)


def over_rehearsals(judged: Judged, winner: str) -> tuple[Estimate, Estimate]:
    """The same over all rehearsals, and the AUROC there."""
    found = judged.rehearsals
    y, customers = (np.concatenate([getattr(one, name) for one in found]) for name in ("y", "customers"))
    p, floor = (np.concatenate([one.scores[name] for one in found]) for name in (winner, RECENCY))
    return told_more(y, p, floor, customers), estimate("auroc", y, p, customers)


def difference(judged: Judged, p: Floats, other: Floats) -> Estimate:
    """How much better `p` ranks than `other`, in AUROC."""
    y = judged.rows.y
    return interval(lambda chosen: auroc(y[chosen], p[chosen]) - auroc(y[chosen], other[chosen]), judged.rows.customers)


def against(judged: Judged, opponent: Opponent, attributes: Attributes) -> tuple[bool, str]:
    """Better in log loss or profit, or as good and newer; and then no worse in calibration and in any slice."""
    rows, winner, scores = judged.rows, judged.winner, judged.scores[judged.winner]
    loss = paired_difference(rows.y, scores, opponent.scores, rows.customers)
    profit = earned_more(judged, scores, opponent.scores)
    losses = f"log loss {log_loss(rows.y, scores):.4f}, {log_loss(rows.y, opponent.scores):.4f} of {opponent.what}"
    if loss.high < 0:
        return False, f"{winner} has {losses}, worse beyond chance [{loss.low:+.4f}, {loss.high:+.4f}]"
    better = loss.low > 0 or (profit.low > 0 and loss.value >= -TOLERANCE)
    if not better and not (opponent.newer and loss.value >= -TOLERANCE):
        lacking = "worse by more than a tie" if loss.value < -TOLERANCE else "no better, and nothing newer was learnt"
        return False, f"{winner} has {losses}: {lacking}"
    for what in (*worse_calibration(judged, scores, opponent.scores), *lost_slices(judged, opponent, attributes)):
        return False, f"{winner} has {losses}, but is worse {what}"
    if loss.low > 0:
        return True, f"{losses}: better by {loss.value:.4f} [{loss.low:.4f}, {loss.high:.4f}]"
    if profit.low > 0:
        return True, f"{losses}: more profit at contact capacity, {profit.value:+.3f} a customer (costs assumed)"
    return True, f"{losses}: as good, and it has seen newer outcomes"


def earned_more(judged: Judged, p: Floats, other: Floats) -> Estimate:
    """Profit per customer at contact capacity, less the other's; the same campaign for both."""
    y = judged.rows.y
    return interval(
        lambda chosen: capacity_profit(y[chosen], p[chosen]) - capacity_profit(y[chosen], other[chosen]),
        judged.rows.customers,
    )


def worse_calibration(judged: Judged, p: Floats, other: Floats) -> list[str]:
    """Is the gap between said and came wider beyond chance, and more than good?"""
    y = judged.rows.y
    if expected_calibration_error(y, p) <= GOOD_ECE:
        return []
    wider = interval(
        lambda chosen: (
            expected_calibration_error(y[chosen], p[chosen]) - expected_calibration_error(y[chosen], other[chosen])
        ),
        judged.rows.customers,
    )
    if wider.low <= 0:
        return []
    found, theirs = expected_calibration_error(y, p), expected_calibration_error(y, other)
    return [f"calibrated (error {found:.3f}, {theirs:.3f} before)"]


def lost_slices(judged: Judged, opponent: Opponent, attributes: Attributes) -> list[str]:
    if np.array_equal(judged.scores[judged.winner], opponent.scores):
        return []
    return [
        f"for {name}" for name in worse_slices(judged.rows, judged.scores[judged.winner], opponent.scores, attributes)
    ]
