"""Does "30 %" mean 30 in a hundred? Maps from raw to honest probabilities, learnt on a slice of time of their own.

"none" stays unless another map is clearly better: smooth maps are tried first, since on good scores Platt and
isotonic often make things worse (measured by others on dozens of data sets).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.evaluation import SMALLEST, Floats, row_losses

Kind = Literal["none", "beta", "isotonic"]
FOLDS = 5
# A slice with fewer leavers or stayers than this cannot say anything about calibration.
FEWEST_OF_EACH = 100


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
    # beta: weight of ln p, weight of -ln(1-p), intercept (Kull, Silva Filho & Flach 2017)
    coefficients: tuple[float, ...] = ()
    # isotonic: raw scores and their probabilities, straight lines between
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()

    def apply(self, p: Floats) -> Floats:
        """The honest probability of each raw one; the order of customers never turns round."""
        if self.kind == "beta":
            return sigmoid(beta_inputs(p) @ np.asarray(self.coefficients))
        if self.kind == "isotonic":
            return np.asarray(np.interp(p, self.x, self.y), dtype=np.float64)
        return p

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "coefficients": list(self.coefficients), "x": list(self.x), "y": list(self.y)}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Calibration:
        return cls(
            kind=stored["kind"],
            coefficients=tuple(stored["coefficients"]),
            x=tuple(stored["x"]),
            y=tuple(stored["y"]),
        )


def beta_inputs(p: Floats) -> Floats:
    kept = np.clip(p, SMALLEST, 1 - SMALLEST)
    return np.column_stack([np.log(kept), -np.log1p(-kept), np.ones(len(kept))])


def fit_beta(y: Floats, p: Floats) -> Calibration:
    """A smooth map with three numbers; where it would turn the order round, one slope for both sides."""
    coefficients = newton(beta_inputs(p), y)
    if coefficients[0] < 0 or coefficients[1] < 0:
        both = log_odds(p)
        slope, intercept = newton(np.column_stack([both, np.ones(len(p))]), y)
        if slope <= 0:
            return Calibration()
        coefficients = np.array([slope, slope, intercept])
    return Calibration(kind="beta", coefficients=tuple(float(f"{value:.9g}") for value in coefficients))


def newton(X: Floats, y: Floats, steps: int = 30) -> Floats:
    """Logistic regression of a few columns, hardly penalised (1e-6 keeps it solvable)."""
    weights = np.zeros(X.shape[1])
    for _ in range(steps):
        p = sigmoid(X @ weights)
        slope = X.T @ (p - y) + 1e-6 * weights
        curve = (X * (p * (1 - p))[:, None]).T @ X + 1e-6 * np.eye(X.shape[1])
        step = np.linalg.solve(curve, slope)
        weights = weights - np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-10:
            break
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


FITTERS = {"beta": fit_beta, "isotonic": fit_isotonic}


def choose(y: Floats, p: Floats, customers: NDArray[np.int64]) -> Calibration:
    """The map with the lowest out-of-fold log loss on the calibration slice, if it is clearly better than none."""
    if min(y.sum(), len(y) - y.sum()) < FEWEST_OF_EACH:
        return Calibration()
    held_out = {"none": p}
    for kind, fitter in FITTERS.items():
        values = np.empty(len(y))
        for fold in range(FOLDS):
            inside = customers % FOLDS == fold
            if inside.any():
                values[inside] = fitter(y[~inside], p[~inside]).apply(p[inside])
        held_out[kind] = values
    best = min(held_out, key=lambda kind: float(row_losses(y, held_out[kind]).mean()))
    return FITTERS[best](y, p) if best != "none" and clearly_better(y, held_out[best], p) else Calibration()


def clearly_better(y: Floats, p: Floats, other: Floats) -> bool:
    """Is the log loss of `p` lower by more than two standard errors of the difference?"""
    gain = row_losses(y, other) - row_losses(y, p)
    return bool(gain.mean() > 2 * gain.std() / np.sqrt(len(gain)))
