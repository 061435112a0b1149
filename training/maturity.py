"""Were the scores right? A scoring whose horizon is over, against what happened.

Only customers we did not contact count: whom a message kept would look like a mistake of the model.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.anchors import entropy
from training.calibration import log_odds, newton, sigmoid
from training.evaluation import Estimate, Floats, auroc, interval, lift, row_losses

FEWEST_OF_EACH = 20  # leavers and stayers; with fewer nothing is said
Z95 = 1.959963984540054


@dataclass(frozen=True, kw_only=True)
class Matured:
    """One scoring, looked at again."""

    customers: int  # rows that count: a customer of a comparison group stands for several
    contacted: int  # left out, since a message may have kept them
    gone: int  # scored then, and no longer in the log: erased
    left: int
    predicted_share: float
    log_loss: Estimate
    expected_log_loss: float  # what it would be if every probability were right
    everybody_log_loss: float  # of the same risk for everybody
    auroc: Estimate
    lift_10: Estimate
    intercept: Estimate  # calibration in the large, log-odds: above 0 more left than foreseen; perfect 0
    slope: Estimate  # below 1 the scores are too sure, above 1 too timid; perfect 1

    @property
    def left_share(self) -> float:
        return self.left / self.customers

    def to_json(self) -> dict[str, Any]:
        """Plain values; what cannot be said is null."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return None if isinstance(value, float) and value != value else value


def matured_from(stored: dict[str, Any]) -> Matured:
    """The figures as they were stored."""
    names = ("log_loss", "auroc", "lift_10", "intercept", "slope")
    return Matured(**{**stored, **{name: _estimate_from(stored[name]) for name in names}})


def _estimate_from(stored: dict[str, Any]) -> Estimate:
    value, low, high = (float("nan") if stored[key] is None else stored[key] for key in ("value", "low", "high"))
    return Estimate(value=value, low=low, high=high, rows=stored["rows"])


def judge(y: Floats, p: Floats, customers: NDArray[np.int64], *, contacted: int = 0, gone: int = 0) -> Matured | None:
    """How these probabilities did; None where too few left or stayed to say anything.

    A customer of a comparison group may stand in several rows (training.untreated); intervals take them as one.
    """
    left = int(y.sum())
    if min(left, len(y) - left) < FEWEST_OF_EACH:
        return None
    losses = row_losses(y, p)
    kept = np.clip(p, 1e-6, 1 - 1e-6)
    return Matured(
        customers=len(y),
        contacted=contacted,
        gone=gone,
        left=left,
        predicted_share=float(p.mean()),
        log_loss=interval(lambda rows: float(losses[rows].mean()), customers),
        expected_log_loss=float(-np.mean(kept * np.log(kept) + (1 - kept) * np.log(1 - kept))),
        everybody_log_loss=entropy(left / len(y)),
        auroc=interval(lambda rows: auroc(y[rows], p[rows]), customers),
        lift_10=interval(lambda rows: lift(y[rows], p[rows]), customers),
        intercept=level(y, p),
        slope=slope(y, p),
    )


def level(y: Floats, p: Floats) -> Estimate:
    """The one number to add to every log-odds so that as many leave as foreseen; interval by its standard error."""
    odds, shift = log_odds(p), 0.0
    for _ in range(30):
        now = sigmoid(odds + shift)
        step = float((now - y).sum() / max((now * (1 - now)).sum(), 1e-9))
        shift -= max(-2.0, min(2.0, step))
        if abs(step) < 1e-10:
            break
    now = sigmoid(odds + shift)
    return _estimate(shift, float(1 / np.sqrt(max((now * (1 - now)).sum(), 1e-9))), len(y))


def slope(y: Floats, p: Floats) -> Estimate:
    """By how much the log-odds must be stretched; where all scores are equal it cannot be said."""
    odds = log_odds(p)
    if np.ptp(odds) < 1e-9:
        return Estimate(value=float("nan"), low=float("nan"), high=float("nan"), rows=len(y))
    X = np.column_stack([odds - odds.mean(), np.ones(len(y))])
    weights = newton(X, y)
    now = sigmoid(X @ weights)
    curve = (X * (now * (1 - now))[:, None]).T @ X + 1e-6 * np.eye(2)
    return _estimate(float(weights[0]), float(np.sqrt(np.linalg.inv(curve)[0, 0])), len(y))


def _estimate(value: float, error: float, rows: int) -> Estimate:
    return Estimate(value=value, low=value - Z95 * error, high=value + Z95 * error, rows=rows)
