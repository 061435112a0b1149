"""What do the signals say, each by itself? A ridge logistic regression on at most MOST_ROWS rows.

The inputs (log-compressed, standardised, gaps filled, flags for gaps, hinges where a line should bend) are made once,
as float32: as large as the signals of these rows. Sums of slopes run in float64.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from training.bends import strongest_bends
from training.calibration import log_odds, sigmoid
from training.evaluation import Floats
from training.pairs import strongest_pairs
from training.scorers import FARTHEST, Linear, Odds, Signals, compress

# Strength of the ridge on standardised signals: one row in so many. It grows with the rows, since the same customers
# come back at every cutoff and say much the same again.
ROWS_PER_RIDGE, WEAKEST_RIDGE = 60, 10.0
BLOCK = 16_384
# More rows than this change the weights by less than their noise: every so-many-th row is taken.
MOST_ROWS = 400_000
# Medians and the first steps are taken from a thinner sample; the last steps see every row.
ROWS_OF_A_SKETCH = 40_000
# Newton's steps at most; below so much in every weight nothing moves any more, and so much of a loss is rounding.
STEPS, SHORTEST_STEP, ROUNDING = 60, 1e-7, 1e-12


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
        self.bends: list[tuple[int, float]] = []  # (place in `columns`, knot)
        self.pairs: list[tuple[int, int]] = []  # places in `columns`, followed by those in `flagged`
        self.pair_means, self.pair_scales = np.zeros(0), np.zeros(0)

    @property
    def lines(self) -> int:
        """How many inputs are signals or flags: the first ones."""
        return len(self.columns) + len(self.flagged)

    @property
    def width(self) -> int:
        return self.lines + len(self.bends) + len(self.pairs) + 1

    def pair(self, inputs: NDArray[np.float32], pairs: list[tuple[int, int]]) -> None:
        """From now on these products are inputs too, standardised as they are in `inputs`."""
        products = [inputs[:, one].astype(np.float64) * inputs[:, other] for one, other in pairs]
        self.pair_means = np.array([product.mean() for product in products])
        self.pair_scales = np.array([product.std() for product in products])
        self.pairs = pairs

    def block(self, X: Signals) -> Floats:
        """The inputs of some rows; the last column is the intercept."""
        found = np.empty((len(X), self.width))
        first, last = len(self.columns), len(self.columns) + len(self.flagged)
        values = compress(np.asarray(X[:, self.columns], dtype=np.float64))
        values = np.where(np.isnan(values), self.medians, values)
        np.clip((values - self.means) / self.scales, -FARTHEST, FARTHEST, out=found[:, :first])
        found[:, first:last] = np.isnan(X[:, self.flagged])
        for number, (place, knot) in enumerate(self.bends):
            found[:, last + number] = np.maximum(found[:, place] - knot, 0.0)
        for number, (one, other) in enumerate(self.pairs, last + len(self.bends)):
            of_pair = number - last - len(self.bends)
            scaled = (found[:, one] * found[:, other] - self.pair_means[of_pair]) / self.pair_scales[of_pair]
            np.clip(scaled, -FARTHEST, FARTHEST, out=found[:, number])
        found[:, -1] = 1.0
        return found

    def inputs(self, X: Signals) -> NDArray[np.float32]:
        """The inputs of all rows, made block by block."""
        found = np.empty((len(X), self.width), dtype=np.float32)
        for part in blocks(len(X)):
            found[part] = self.block(X[part])
        return found

    def linear(self, weights: Floats) -> Linear:
        kept = [float(f"{weight:.9g}") for weight in weights]
        used, last, products = len(self.columns), self.lines, self.lines + len(self.bends)
        return Linear(
            columns=tuple(self.columns),
            medians=tuple(map(float, self.medians)),
            means=tuple(map(float, self.means)),
            scales=tuple(map(float, self.scales)),
            weights=tuple(kept[:used]),
            flagged=tuple(self.flagged),
            flag_weights=tuple(kept[used:last]),
            bends=tuple(place for place, _ in self.bends),
            knots=tuple(knot for _, knot in self.bends),
            bend_weights=tuple(kept[last:products]),
            firsts=tuple(one for one, _ in self.pairs),
            seconds=tuple(other for _, other in self.pairs),
            pair_means=tuple(map(float, self.pair_means)),
            pair_scales=tuple(map(float, self.pair_scales)),
            pair_weights=tuple(kept[products:-1]),
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
    X: Signals,
    y: Floats,
    ridge: float | None = None,
    *,
    weights: Floats | None = None,
    strength: float = 1.0,
    straight: bool = False,
    paired: bool = False,
) -> Linear:
    """A ridge logistic regression on log-compressed, standardised signals with flags for missing ones.

    `ridge` follows from the number of rows if not given, times `strength`; `weights`: one per row, all 1 if not given.
    `straight`: no signal's line may bend. `paired`: products of two signals may be inputs.
    """
    kept = every(len(y), MOST_ROWS)
    X, y = X[kept], y[kept]
    weights = np.ones(len(y)) if weights is None else weights[kept]
    design, rows = Design(X), float(weights.sum())
    ridge = max(WEAKEST_RIDGE, rows / ROWS_PER_RIDGE) * strength if ridge is None else ridge
    start = np.zeros(design.width)
    start[-1] = float(log_odds(np.array([np.average(y, weights=weights)]))[0])
    sketch = every(len(y), ROWS_OF_A_SKETCH)
    few = (y[sketch], weights[sketch], ridge * float(weights[sketch].sum()) / rows)
    inputs = design.inputs(X[sketch])
    found, curve = newton(inputs, *few, start)
    for more in (*(() if straight else (bend,)), *((pair,) if paired else ())):
        if count := more(design, inputs, few[0], few[1], found):
            start = np.r_[found[:-1], np.zeros(count), found[-1]]
            inputs = design.inputs(X[sketch])
            found, curve = newton(inputs, *few, start)
    if len(y) > ROWS_OF_A_SKETCH:
        found, _ = newton(design.inputs(X), y, weights, ridge, found, curve * (ridge / few[2]))
    return design.linear(found)


def bend(design: Design, inputs: NDArray[np.float32], y: Floats, times: Floats, weights: Floats) -> int:
    """Let the lines of some signals bend where that lowers the loss of a fitted regression; how many bends?"""
    p = slope_of(inputs, y, times, weights, np.zeros(len(weights)))[2]
    values = inputs[:, : len(design.columns)]
    design.bends = strongest_bends(values, times * (y - p), times * p * (1 - p))
    return len(design.bends)


def pair(design: Design, inputs: NDArray[np.float32], y: Floats, times: Floats, weights: Floats) -> int:
    """Let some signals count together where that lowers the loss of a fitted regression; how many pairs?"""
    p = slope_of(inputs, y, times, weights, np.zeros(len(weights)))[2]
    design.pair(inputs, strongest_pairs(inputs[:, : design.lines], times * (y - p), times * p * (1 - p)))
    return len(design.pairs)


def newton(
    inputs: NDArray[np.float32], y: Floats, times: Floats, ridge: float, start: Floats, curve: Floats | None = None
) -> tuple[Floats, Floats]:
    """Newton's method from `start`: the weights and the last curvature. The intercept is not drawn to zero.

    A step that would raise the loss is halved: where few leave and some rows are nearly sure, whole ones run to and
    fro for ever. A `curve` of fewer rows is kept as long as it brings us nearer: a slope costs a hundredth of a
    curvature, and a wrong curvature only costs steps. One BLAS thread: sums in another order would change the last
    digits from machine load to machine load.
    """
    from threadpoolctl import threadpool_limits

    penalty = np.full(inputs.shape[1], ridge)
    penalty[-1] = 1e-6
    weights, before, borrowed = start.copy(), np.inf, curve is not None
    found = np.zeros((len(penalty), len(penalty))) if curve is None else curve
    with threadpool_limits(limits=1):
        loss, slope, p = slope_of(inputs, y, times, weights, penalty)
        for _ in range(STEPS):
            if not borrowed:
                found = np.diag(penalty) + curvature(inputs, times * p * (1 - p))
            step = np.linalg.solve(found, slope)
            longest = float(np.abs(step).max())
            borrowed = borrowed and longest < before / 2
            before = longest
            size = min(1.0, 4.0 / max(longest, 1e-12))
            tried = slope_of(inputs, y, times, weights - step * size, penalty)
            while tried[0] > loss + ROUNDING * abs(loss) and size * longest > SHORTEST_STEP:
                size, borrowed = size / 2, False
                tried = slope_of(inputs, y, times, weights - step * size, penalty)
            weights = weights - step * size
            loss, slope, p = tried
            if size * longest < SHORTEST_STEP:
                break
    return np.asarray(weights, dtype=np.float64), found


def slope_of(
    inputs: NDArray[np.float32], y: Floats, times: Floats, weights: Floats, penalty: Floats
) -> tuple[float, Floats, Floats]:
    """The loss with its penalty, its slope, and the probability of each row."""
    from threadpoolctl import threadpool_limits

    slope, p = penalty * weights, np.empty(len(y))
    loss = float(slope @ weights) / 2
    with threadpool_limits(limits=1):
        for part in blocks(len(y)):
            block = inputs[part].astype(np.float64)
            z = block @ weights
            p[part] = sigmoid(z)
            loss += float(times[part] @ (np.logaddexp(0.0, z) - y[part] * z))
            slope += block.T @ (times[part] * (p[part] - y[part]))
    return loss, slope, p


def curvature(inputs: NDArray[np.float32], times: Floats) -> Floats:
    """The second derivative of the loss without its penalty; it only steers, so float32 is exact enough."""
    found = np.zeros((inputs.shape[1], inputs.shape[1]))
    for part in blocks(len(times)):
        block = inputs[part] * np.sqrt(times[part]).astype(np.float32)[:, None]
        found += block.T @ block
    return found


def blocks(rows: int) -> Iterator[slice]:
    for first in range(0, rows, BLOCK):
        yield slice(first, first + BLOCK)


def fit_odds(column: int, X: Signals, y: Floats, weights: Floats | None = None) -> Odds:
    """One signal that is itself a probability: its log-odds with a slope and an intercept of their own.

    Rows without it have the log-odds of their share of leavers.
    """
    from threadpoolctl import threadpool_limits

    p = np.asarray(X[:, column], dtype=np.float64)
    known = ~np.isnan(p)
    weights = np.ones(len(y)) if weights is None else weights
    z = log_odds(p[known])
    center = float(np.average(z, weights=weights[known])) if known.any() else 0.0
    inputs = np.column_stack([z - center, np.ones(len(z))])
    found = np.zeros(2)
    with threadpool_limits(limits=1):
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
