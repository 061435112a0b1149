"""Which two signals say more together than apart? A few products for a regression, each where the data ask for one.

"The contract ends soon" and "they switched renewal off" are each a hint; both together are a farewell, and no sum of
two lines can say that. All products are asked at once, by a score test: would the loss fall if this one had a weight,
beyond what the two inputs themselves can do? All sums are products of matrices: 300 inputs take a second.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.evaluation import Floats

# At most so many products, each with a score of so many squared standard errors. Of 50,000 products of noise the
# strongest has some 20, and customers come back at every cutoff.
MOST_PAIRS, FEWEST_SQUARED_ERRORS = 40, 30.0
# What is left of a product beside its two inputs must vary by so much of its own size.
LEFT_OVER = 0.05
BLOCK = 16_384


def strongest_pairs(inputs: NDArray[np.float32], residual: Floats, curve: Floats) -> list[tuple[int, int]]:
    """The products that would lower the loss most, as pairs of columns of `inputs`, in their order.

    Parameters
    ----------
    inputs
        Standardised signals and flags, rows × inputs.
    residual, curve
        Of a fitted regression, per row: outcome less probability, and probability × (1 - probability), both times the
        weight of the row.

    One BLAS thread: a score that just suffices must not hang on the order of a sum.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        first, second, scores = scores_of(inputs, residual, curve)
    order = np.argsort(-scores, kind="stable")[:MOST_PAIRS]
    return sorted((int(first[one]), int(second[one])) for one in order if scores[one] >= FEWEST_SQUARED_ERRORS)


def scores_of(
    inputs: NDArray[np.float32], residual: Floats, curve: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Each pair of columns, and the squared slope along their product over its variance, both beside 1 and the two."""
    width = inputs.shape[1]
    pulls, once, twice, both = (np.zeros((width, width)) for _ in range(4))
    sums, slopes = np.zeros(width), np.zeros(width)
    for start in range(0, len(inputs), BLOCK):
        part = slice(start, start + BLOCK)
        block = inputs[part].astype(np.float64)
        weighed, squares = curve[part, None] * block, block**2
        pulls += block.T @ (residual[part, None] * block)
        once += block.T @ weighed
        twice += squares.T @ weighed  # of a column squared, times another
        both += squares.T @ (curve[part, None] * squares)
        sums += weighed.sum(axis=0)
        slopes += residual[part] @ block
    a, b = np.triu_indices(width, 1)
    known = np.empty((len(a), 3, 3))  # of 1, the one and the other with each other
    total = float(curve.sum())
    known[:, 0] = np.column_stack([np.full(len(a), total), sums[a], sums[b]])
    known[:, 1] = np.column_stack([sums[a], once[a, a], once[a, b]])
    known[:, 2] = np.column_stack([sums[b], once[a, b], once[b, b]])
    product = np.column_stack([once[a, b], twice[a, b], twice[b, a]])  # the same three with the product
    shares = np.linalg.solve(known + 1e-6 * total * np.eye(3), product[:, :, None])[:, :, 0]
    left = both[a, b] - (shares * product).sum(axis=1)
    pull = pulls[a, b] - shares[:, 0] * residual.sum() - shares[:, 1] * slopes[a] - shares[:, 2] * slopes[b]
    enough = left > LEFT_OVER * both[a, b]
    return a, b, np.where(enough, pull**2 / np.where(enough, left, 1.0), 0.0)
