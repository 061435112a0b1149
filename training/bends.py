"""Where does the line of a signal bend? A few hinges for a regression, each where the data ask for one.

A hinge is max(0, value - knot) of a standardised signal. All are asked at once, by a score test: would the loss fall if
this one had a weight, beyond what a weight of the signal itself can do? Only the strongest are taken, since hinges of
every signal would drown a small log.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.evaluation import Floats

# At most so many hinges, each with a score of so many squared standard errors: customers come back at every cutoff,
# so that rows say the same again and a score looks larger than it is.
MOST_BENDS, FEWEST_SQUARED_ERRORS = 40, 12.0
# Where a signal may bend: at these quantiles of its values above the lowest, which for counts is most often zero.
QUANTILES = (0.25, 0.75)
# What is left of a hinge beside its signal must vary by so much of its own variance.
LEFT_OVER = 0.01


def knots_of(values: Floats) -> list[float]:
    """The places where one standardised signal may bend, each with values on both sides."""
    above = values[values > values.min()] if len(values) else values
    if not len(above):
        return []
    found = {float(f"{knot:.9g}") for knot in np.quantile(above, QUANTILES, method="lower")}
    return [knot for knot in sorted(found) if values.min() < knot < values.max()]


def strongest_bends(values: NDArray[np.float32], residual: Floats, curve: Floats) -> list[tuple[int, float]]:
    """The hinges that would lower the loss most: (column of `values`, knot), in the order of the columns.

    Parameters
    ----------
    values
        Standardised signals, rows × signals.
    residual, curve
        Of a fitted regression, per row: outcome less probability, and probability × (1 - probability), both times the
        weight of the row.

    One BLAS thread: a score that just suffices must not hang on the order of a sum.
    """
    from threadpoolctl import threadpool_limits

    found: list[tuple[float, int, float]] = []
    with threadpool_limits(limits=1):
        for column in range(values.shape[1]):
            one = values[:, column].astype(np.float64)
            for knot in knots_of(one):
                score = score_of(np.maximum(one - knot, 0.0), one, residual, curve)
                if score >= FEWEST_SQUARED_ERRORS:
                    found.append((-score, column, knot))
    return sorted((column, knot) for _, column, knot in sorted(found)[:MOST_BENDS])


def score_of(hinge: Floats, signal: Floats, residual: Floats, curve: Floats) -> float:
    """The squared slope along a hinge over its variance, both beside the intercept and the signal itself."""
    hinge, signal = (one - np.average(one, weights=curve) for one in (hinge, signal))
    spread, own = float(curve @ hinge**2), float(curve @ signal**2)
    beside = float(curve @ (hinge * signal)) / max(own, 1e-12)
    left = spread - beside**2 * own
    if left <= LEFT_OVER * spread:
        return 0.0
    return float(residual @ (hinge - beside * signal)) ** 2 / left
