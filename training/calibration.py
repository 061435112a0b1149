"""Does "30 %" mean 30 in a hundred? Maps from raw to honest probabilities, learnt on a slice of time of their own.

"none" stays unless another map is clearly better: smooth maps are tried first, since on good scores Platt and
isotonic often make things worse (measured by others on dozens of data sets).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.evaluation import SMALLEST, Floats, row_losses, standard_error

Kind = Literal["none", "shift", "beta", "isotonic"]
FOLDS = 5
# A slice with fewer leavers or stayers than this cannot say anything about calibration.
FEWEST_OF_EACH = 100
FLATTEST = 1e-3


def sigmoid(z: Floats) -> Floats:
    """Log-odds to probability."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(z, -40, 40))), dtype=np.float64)


def log_odds(p: Floats) -> Floats:
    """Probability to log-odds."""
    kept = np.clip(p, SMALLEST, 1 - SMALLEST)
    return np.asarray(np.log(kept) - np.log1p(-kept), dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A map from probability to probability, as plain numbers."""

    kind: Kind = "none"
    # beta: weight of ln p, weight of -ln(1-p), intercept (Kull, Silva Filho & Flach 2017); shift: 1, 1, intercept
    coefficients: tuple[float, ...] = ()
    # isotonic: raw scores and their probabilities, straight lines between
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()
    level: float = 0.0  # what the season adds to everybody's log-odds (`training.season`)

    def apply(self, p: Floats) -> Floats:
        """The honest probability of each raw one; the order of customers never turns round."""
        mapped = self._mapped(p)
        return sigmoid(log_odds(mapped) + self.level) if self.level else mapped

    def _mapped(self, p: Floats) -> Floats:
        if self.kind in ("shift", "beta"):
            return sigmoid(beta_inputs(p) @ np.asarray(self.coefficients))
        if self.kind == "isotonic":
            return np.asarray(np.interp(p, self.x, self.y), dtype=np.float64)
        return p

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "coefficients": list(self.coefficients),
            "x": list(self.x),
            "y": list(self.y),
            "level": self.level,
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Calibration:
        return cls(
            kind=stored["kind"],
            coefficients=tuple(stored["coefficients"]),
            x=tuple(stored["x"]),
            y=tuple(stored["y"]),
            level=stored.get("level", 0.0),  # models stored before know no seasons
        )


def beta_inputs(p: Floats) -> Floats:
    kept = np.clip(p, SMALLEST, 1 - SMALLEST)
    return np.column_stack([np.log(kept), -np.log1p(-kept), np.ones(len(kept))])


def fit_shift(y: Floats, p: Floats) -> Calibration:
    """The same odds for everybody times a number: where the base rate moved and nothing else."""
    z, moved = log_odds(p), 0.0
    for _ in range(30):
        chance = sigmoid(z + moved)
        step = float(np.sum(chance - y)) / max(float(np.sum(chance * (1 - chance))), 1e-9)
        moved -= float(np.clip(step, -5, 5))
        if abs(step) < 1e-10:
            break
    return Calibration(kind="shift", coefficients=(1.0, 1.0, float(f"{moved:.9g}")))


def fit_beta(y: Floats, p: Floats) -> Calibration:
    """A smooth map with three numbers; where it would turn the order round, one slope for both sides."""
    coefficients = newton(beta_inputs(p), y)
    if coefficients[0] < 0 or coefficients[1] < 0:
        both = log_odds(p)
        slope, intercept = newton(np.column_stack([both, np.ones(len(p))]), y)
        if slope <= 0:
            # The scores say nothing: nearly the base rate for everybody, and nobody overtakes another.
            slope, intercept = FLATTEST, float(log_odds(np.array([y.mean()]))[0] - FLATTEST * both.mean())
        coefficients = np.array([slope, slope, intercept])
    return Calibration(kind="beta", coefficients=tuple(float(f"{value:.9g}") for value in coefficients))


def newton(X: Floats, y: Floats, steps: int = 50) -> Floats:
    """Logistic regression of a few columns, hardly penalised (1e-6 keeps it solvable).

    A step that would raise the loss is halved: with few leavers and nearly constant scores a whole one runs away.
    """

    def loss(weights: Floats) -> float:
        return float(row_losses(y, sigmoid(X @ weights)).sum() + 0.5e-6 * weights @ weights)

    from threadpoolctl import threadpool_limits

    weights = np.zeros(X.shape[1])
    with threadpool_limits(limits=1):  # the last digits must not depend on the number of processors
        for _ in range(steps):
            p = sigmoid(X @ weights)
            slope = X.T @ (p - y) + 1e-6 * weights
            curve = (X * (p * (1 - p))[:, None]).T @ X + 1e-6 * np.eye(X.shape[1])
            step, before = np.linalg.solve(curve, slope), loss(weights)
            size = 1.0
            while size > 1e-6 and loss(weights - size * step) > before:
                size /= 2
            if size <= 1e-6 or np.abs(step).max() < 1e-10:
                break
            weights = weights - size * step
    return np.asarray(weights, dtype=np.float64)


def fit_isotonic(y: Floats, p: Floats) -> Calibration:
    """The best rising steps (pool adjacent violators), drawn towards the base rate by one observation each."""
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(out_of_bounds="clip").fit(p, y)
    x, levels = fitted.X_thresholds_, fitted.y_thresholds_
    # Steps of pure 0 or 1 would claim certainty from a handful of rows.
    edge = 1.0 / (len(y) + 2)
    kept = np.clip(levels, edge, 1 - edge)
    return Calibration(kind="isotonic", x=tuple(map(float, x)), y=tuple(map(float, kept)))


FITTERS: dict[Kind, Callable[[Floats, Floats], Calibration]] = {
    "shift": fit_shift,
    "beta": fit_beta,
    "isotonic": fit_isotonic,
}


def fit_map(kind: Kind, y: Floats, p: Floats) -> Calibration:
    """The map of one kind; "none" is none."""
    return Calibration() if kind == "none" else FITTERS[kind](y, p)


def out_of_fold(kind: Kind, y: Floats, p: Floats, customers: NDArray[np.int64]) -> Floats:
    """Each probability as the map of this kind, learnt from other customers, would give it."""
    if kind == "none":
        return p
    values = np.empty(len(y))
    for fold in range(FOLDS):
        inside = customers % FOLDS == fold
        if inside.any():
            values[inside] = fit_map(kind, y[~inside], p[~inside]).apply(p[inside])
    return values


@dataclass(frozen=True)
class Gains:
    """How much less each row loses, and whose row it is."""

    rows: Floats
    customers: NDArray[np.int64]

    def surely(self, errors: float) -> bool:
        """Is it a gain on average, by more than so many standard errors? Copies of a person make nobody surer."""
        return bool(self.rows.mean() > errors * standard_error(self.rows, self.customers))


def best_map(y: Floats, p: Floats, customers: NDArray[np.int64]) -> tuple[Calibration, Gains]:
    """The map with the lowest out-of-fold log loss on the calibration slice, and how much less each row loses by it.

    "none" has no gain. Whether the gain is more than luck is asked on this slice and the next together (`holds`).
    """
    if min(y.sum(), len(y) - y.sum()) < FEWEST_OF_EACH:
        return Calibration(), Gains(np.zeros(len(y)), customers)
    raw, best, gain = row_losses(y, p), Calibration().kind, np.zeros(len(y))
    for kind in FITTERS:
        more = raw - row_losses(y, out_of_fold(kind, y, p, customers)) - gain
        # A map with more freedom must be better than the simpler one by a standard error.
        if Gains(more, customers).surely(1.0):
            best, gain = kind, gain + more
    return fit_map(best, y, p), Gains(gain, customers)


def holds(then: Gains, now: Gains) -> bool:
    """Does a map that gained `then` still gain `now`, on later customers, and both together more than by luck?

    One slice alone would seldom see a base rate that moved; a gain that was and is no more is a map to be dropped.
    """
    both = np.concatenate([then.rows, now.rows]), np.concatenate([then.customers, now.customers])
    return bool(now.rows.mean() > 0 and Gains(*both).surely(2.0))
