"""What do the signals say, each by itself? A ridge logistic regression that never needs the whole matrix twice.

The design (log-compressed, standardised, gaps filled, flags for gaps) is made block by block in every step, so that
memory stays that of the signals themselves however many rows there are.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from training.calibration import log_odds, sigmoid
from training.evaluation import Floats
from training.scorers import FARTHEST, Linear, Odds, Signals, compress

# Strength of the ridge on standardised signals: one row in so many. It grows with the rows, since the same customers
# come back at every cutoff and say much the same again.
ROWS_PER_RIDGE, WEAKEST_RIDGE = 60, 10.0
BLOCK = 16_384
# More rows than this change the weights by less than their noise: every so-many-th row is taken.
MOST_ROWS = 400_000
# Medians and the first steps are taken from a thinner sample; the last steps see every row.
ROWS_OF_A_SKETCH = 40_000


class Design:
    """How rows of signals become inputs of a regression: fitted once, applied block by block."""

    def __init__(self, X: Signals) -> None:
        sketch = compress(np.asarray(X[every(len(X), ROWS_OF_A_SKETCH)], dtype=np.float64))
        missing = np.isnan(sketch)
        columns = [j for j in range(X.shape[1]) if not missing[:, j].all()]
        medians = np.nanmedian(sketch[:, columns], axis=0) if columns else np.zeros(0)
        values = np.where(missing[:, columns], medians, sketch[:, columns])
        means, scales = values.mean(axis=0), values.std(axis=0)
        used = [k for k in range(len(columns)) if scales[k] > 1e-9]
        self.columns = [columns[k] for k in used]
        self.medians, self.means, self.scales = medians[used], means[used], scales[used]
        self.flagged = [columns[k] for k in different_flags(missing[:, columns])]

    @property
    def width(self) -> int:
        return len(self.columns) + len(self.flagged) + 1

    def block(self, X: Signals) -> Floats:
        """The inputs of some rows; the last column is the intercept."""
        found = np.empty((len(X), self.width))
        values = compress(np.asarray(X[:, self.columns], dtype=np.float64))
        values = np.where(np.isnan(values), self.medians, values)
        np.clip((values - self.means) / self.scales, -FARTHEST, FARTHEST, out=found[:, : len(self.columns)])
        found[:, len(self.columns) : -1] = np.isnan(X[:, self.flagged])
        found[:, -1] = 1.0
        return found

    def linear(self, weights: Floats) -> Linear:
        kept = [float(f"{weight:.9g}") for weight in weights]
        used = len(self.columns)
        return Linear(
            columns=tuple(self.columns),
            medians=tuple(map(float, self.medians)),
            means=tuple(map(float, self.means)),
            scales=tuple(map(float, self.scales)),
            weights=tuple(kept[:used]),
            flagged=tuple(self.flagged),
            flag_weights=tuple(kept[used:-1]),
            intercept=kept[-1],
        )


def every(rows: int, most: int) -> slice:
    """Which rows stand for all, if at most so many may be looked at? Evenly spread, the same ones every time."""
    return slice(None, None, max(1, -(-rows // most)))


def different_flags(missing: NDArray[np.bool_]) -> list[int]:
    """Columns whose pattern of missing rows is neither nearly empty nor that of an earlier column."""
    seen: set[bytes] = set()
    kept = []
    for column in range(missing.shape[1]):
        share = missing[:, column].mean() if len(missing) else 0.0
        pattern = np.packbits(missing[:, column]).tobytes()
        if 0.001 < share < 0.999 and pattern not in seen:
            seen.add(pattern)
            kept.append(column)
    return kept


def fit_linear(
    X: Signals, y: Floats, ridge: float | None = None, *, weights: Floats | None = None, strength: float = 1.0
) -> Linear:
    """A ridge logistic regression on log-compressed, standardised signals with flags for missing ones.

    `ridge` follows from the number of rows if not given, times `strength`; `weights`: one per row, all 1 if not given.
    """
    kept = every(len(y), MOST_ROWS)
    X, y = X[kept], y[kept]
    weights = np.ones(len(y)) if weights is None else weights[kept]
    design = Design(X)
    rows = float(weights.sum())
    ridge = max(WEAKEST_RIDGE, rows / ROWS_PER_RIDGE) * strength if ridge is None else ridge
    start = np.zeros(design.width)
    start[-1] = float(log_odds(np.array([np.average(y, weights=weights)]))[0])
    sketch = every(len(y), ROWS_OF_A_SKETCH)
    if len(y) > ROWS_OF_A_SKETCH:
        thin = float(weights[sketch].sum()) / rows
        start = newton(design, X[sketch], y[sketch], weights[sketch], ridge * thin, start)
    return design.linear(newton(design, X, y, weights, ridge, start))


def newton(design: Design, X: Signals, y: Floats, row_weights: Floats, ridge: float, start: Floats) -> Floats:
    """Newton's method from `start`; the intercept is not drawn to zero.

    One BLAS thread: sums in another order would change the last digits from machine load to machine load.
    """
    from threadpoolctl import threadpool_limits

    penalty = np.full(design.width, ridge)
    penalty[-1] = 1e-6
    weights = start.copy()
    with threadpool_limits(limits=1):
        for _ in range(40):
            slope, curve = penalty * weights, np.diag(penalty)
            for inputs, labels, times in blocks(design, X, y, row_weights):
                p = sigmoid(inputs @ weights)
                slope += inputs.T @ (times * (p - labels))
                curve += (inputs * (times * p * (1 - p))[:, None]).T @ inputs
            step = np.linalg.solve(curve, slope)
            weights = weights - step * min(1.0, 4.0 / max(np.abs(step).max(), 1e-12))
            if np.abs(step).max() < 1e-7:
                break
    return np.asarray(weights, dtype=np.float64)


def blocks(design: Design, X: Signals, y: Floats, weights: Floats) -> Iterator[tuple[Floats, Floats, Floats]]:
    for first in range(0, len(y), BLOCK):
        part = slice(first, first + BLOCK)
        yield design.block(X[part]), y[part], weights[part]


def fit_odds(column: int, X: Signals, y: Floats, weights: Floats | None = None) -> Odds:
    """One signal that is itself a probability: its log-odds with a slope and an intercept of their own.

    Rows without it have the log-odds of their share of leavers.
    """
    p = np.asarray(X[:, column], dtype=np.float64)
    known = ~np.isnan(p)
    weights = np.ones(len(y)) if weights is None else weights
    z = log_odds(p[known])
    center = float(np.average(z, weights=weights[known])) if known.any() else 0.0
    inputs = np.column_stack([z - center, np.ones(len(z))])
    found = np.zeros(2)
    for _ in range(30):
        chance = sigmoid(inputs @ found)
        times = weights[known]
        slope = inputs.T @ (times * (chance - y[known])) + 1e-3 * found
        curve = (inputs * (times * chance * (1 - chance))[:, None]).T @ inputs + 1e-3 * np.eye(2)
        step = np.linalg.solve(curve, slope)
        found = found - np.clip(step, -4, 4)
        if np.abs(step).max() < 1e-9:
            break
    rest = ~known
    share = float(np.average(y[rest], weights=weights[rest])) if rest.sum() > WEAKEST_RIDGE else float(y.mean())
    absent = float(log_odds(np.array([np.clip(share, 0.001, 0.999)]))[0])
    numbers = [float(f"{value:.9g}") for value in (center, found[0], found[1], absent)]
    return Odds(column=column, center=numbers[0], slope=numbers[1], intercept=numbers[2], absent=numbers[3])
