"""Which of the topics, given that somebody contacts us? A conditional logit: weights per signal, topics compete.

A customer's topics are compared with each other only, so what is the same for all of them (how often somebody calls)
cannot disturb; every customer counts once, however many topics they named (McFadden 1974).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.evaluation import Floats
from training.linear import Design
from training.scorers import Linear, Signals

# Strength of the ridge, in customers; Newton's steps at most; customers taken at a time.
RIDGE, STEPS, AT_ONCE = 100.0, 25, 256


def fit_choice(pairs: Signals, truth: NDArray[np.bool_], columns: tuple[int, ...] | None = None) -> Linear:
    """The weights under which what came up was likeliest, on customers × topics × signals.

    With `columns` only these signals may carry weight. The intercept is 0: it is the same for all topics.
    """
    from threadpoolctl import threadpool_limits

    rows, k, width = pairs.shape
    used = pairs.reshape(rows * k, width)
    if columns is not None:
        used = np.where(np.isin(np.arange(width), columns), used, np.float32(np.nan))
    design = Design(used)
    inputs = np.empty((rows, k, design.width), dtype=np.float32)
    for start in range(0, rows, AT_ONCE):
        part = slice(start * k, (start + AT_ONCE) * k)
        block = design.block(used[part]).reshape(-1, k, design.width)
        # Against the mean of the customer's topics: a sum that is the same for all of them costs no precision.
        inputs[start : start + AT_ONCE] = block - block.mean(axis=1, keepdims=True)
    wanted = truth / truth.sum(axis=1, keepdims=True)
    with threadpool_limits(limits=1):
        weights = newton(inputs, wanted)
    return design.linear(weights)


def newton(inputs: NDArray[np.float32], wanted: Floats) -> Floats:
    """Minimises the surprise plus the ridge; a step that makes it worse is halved."""
    weights = np.zeros(inputs.shape[2])
    loss, slope, curve = derivatives(inputs, wanted, weights)
    for _ in range(STEPS):
        step = np.linalg.solve(curve, slope)
        share = 1.0
        while share > 1e-3:
            tried = weights - share * step
            found = derivatives(inputs, wanted, tried)
            if found[0] < loss:
                break
            share /= 2
        else:
            break
        gained, weights = loss - found[0], tried
        loss, slope, curve = found
        if gained < 1e-6 * len(inputs):
            break
    return weights


def derivatives(inputs: NDArray[np.float32], wanted: Floats, weights: Floats) -> tuple[float, Floats, Floats]:
    """Surprise at what came up plus the ridge, its slope and its curvature, summed block by block."""
    width = len(weights)
    loss = RIDGE / 2 * float(weights @ weights)
    slope, curve = RIDGE * weights, RIDGE * np.eye(width)
    for start in range(0, len(inputs), AT_ONCE):
        X = inputs[start : start + AT_ONCE].astype(np.float64)
        q = wanted[start : start + AT_ONCE]
        z = X @ weights
        z -= z.max(axis=1, keepdims=True)
        logs = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        p = np.exp(logs)
        loss -= float((q * logs).sum())
        slope += np.tensordot(p - q, X, axes=2)
        means = np.einsum("nk,nkw->nw", p, X)
        flat = X.reshape(-1, width)
        curve += (flat * p.reshape(-1, 1)).T @ flat - means.T @ means
    return loss, slope, curve
