"""Which of the topics, given that somebody contacts us? A conditional logit around Markov: topics compete.

A customer's topics are compared with each other only, so what is the same for all of them (how often somebody calls)
cannot disturb; every customer counts once, however many topics they named (McFadden 1974). What usually follows a
customer's history (Markov) stands in front with weight 1, and every weight is drawn to 0 from there: with few
customers this is Markov, and it leaves Markov as far as they bear it out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.evaluation import Floats
from training.scorers import Signals
from training.topic_counts import NEWEST, WINDOWS
from training.topic_signals import FADING, NAMES

# Strength of the ridge, in customers. What all customers share at a cutoff (how popular a topic is) was seen once per
# horizon, not once per customer: it is drawn to 0 more.
RIDGE, SHARED_RIDGE = 150.0, 200.0
# Newton's steps at most; customers taken at a time.
STEPS, AT_ONCE = 15, 256
# What ranks the topics where nothing is fitted: what usually follows a customer's later contacts.
PRIOR = "after_history_late"
SHARED = (
    "popular_all",
    *(f"popular_{window}" for window in WINDOWS if window != 28),
    *(f"newest_{number}" for number in NEWEST),
)
LIFTS = ("after_last", "after_history", PRIOR)
COUNTS = (*(f"own_fading_{days}" for days in FADING), "own_count")
TRACES = ("happened_most", "happened_least", "happened_sum")
# A contact about a topic makes another likelier for days rather than weeks: half of it is gone after so many.
RECENT_DAYS, FARTHEST_LIFT = 7.0, 5.0


def place(name: str) -> int:
    """The column of a fixed signal."""
    return NAMES.index(name)


def prior(pairs: Signals) -> Floats:
    """Markov over the history: log-shares, customers × topics."""
    return np.asarray(pairs[:, :, place(PRIOR)], dtype=np.float64)


def inputs_of(pairs: Signals) -> NDArray[np.float32]:
    """What is weighed: popularity, then lifts over it, counts as logarithms; the first `len(SHARED) + 1` are shared."""
    rows, k, width = pairs.shape
    popular = pairs[:, :, place("popular_28")]
    columns = [popular]
    columns += [pairs[:, :, place(name)] - popular for name in (*SHARED, *LIFTS)]
    columns += [np.log1p(pairs[:, :, place(name)]) for name in COUNTS]
    columns += [pairs[:, :, place(name)] for name in ("own_share", "is_last")]
    since = pairs[:, :, place("days_since_own")]
    columns.append(np.where(np.isnan(since), 0.0, np.exp2(-np.nan_to_num(since) / RECENT_DAYS)))
    columns += [np.clip(pairs[:, :, place(name)], -FARTHEST_LIFT, FARTHEST_LIFT) for name in TRACES]
    fixed = len(columns)
    found = np.empty((rows, k, fixed + width - len(NAMES)), dtype=np.float32)
    for number, column in enumerate(columns):
        found[:, :, number] = column
    found[:, :, fixed:] = pairs[:, :, len(NAMES) :]
    return found


def fit_choice(pairs: Signals, truth: NDArray[np.bool_]) -> Floats:
    """The weights of the inputs under which what came up was likeliest, beside the ridge. customers × topics × signals.

    An input that is the same for all topics of everybody has weight 0.
    """
    from threadpoolctl import threadpool_limits

    inputs = np.concatenate([inputs_of(pairs[start : start + AT_ONCE]) for start in range(0, len(pairs), AT_ONCE)])
    # Against the mean of the customer's topics: a sum that is the same for all of them costs no precision.
    inputs -= inputs.mean(axis=1, keepdims=True)
    spread = np.sqrt(np.einsum("nkw,nkw->w", inputs, inputs, dtype=np.float64) / max(1, inputs[:, :, 0].size))
    used = spread > 1e-6
    if not used.any():  # one topic, or a log in which all topics look alike
        return np.zeros(len(spread))
    inputs = inputs[:, :, used]
    inputs /= spread[used].astype(np.float32)
    ridge = np.where(np.arange(len(spread)) <= len(SHARED), SHARED_RIDGE, RIDGE)[used]
    wanted = truth / truth.sum(axis=1, keepdims=True)
    found = np.zeros(len(spread))
    with threadpool_limits(limits=1):
        found[used] = newton(inputs, wanted, prior(pairs), ridge) / spread[used]
    return np.array([float(f"{weight:.9g}") for weight in found])


def weighed(pairs: Signals, weights: Floats) -> Floats:
    """Log-shares up to a constant of each customer: customers × topics."""
    found = prior(pairs)
    for start in range(0, len(pairs), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        # Summed input by input: the same for any number of customers at a time.
        found[part] += (inputs_of(pairs[part]) * weights).sum(axis=2)
    return found


def newton(inputs: NDArray[np.float32], wanted: Floats, start: Floats, ridge: Floats) -> Floats:
    """Minimises the surprise plus the ridge; a step that makes it worse is halved."""
    weights = np.zeros(inputs.shape[2])
    loss, slope, curve = derivatives(inputs, wanted, start, weights, ridge)
    for _ in range(STEPS):
        step = np.linalg.solve(curve, slope)
        share = 1.0
        while share > 1e-3:
            tried = weights - share * step
            found = derivatives(inputs, wanted, start, tried, ridge)
            if found[0] < loss:
                break
            share /= 2
        else:
            break
        gained, weights = loss - found[0], tried
        loss, slope, curve = found
        if gained < 1e-5 * len(inputs):
            break
    return weights


def derivatives(
    inputs: NDArray[np.float32], wanted: Floats, start: Floats, weights: Floats, ridge: Floats
) -> tuple[float, Floats, Floats]:
    """Surprise at what came up plus the ridge, its slope and its curvature, summed block by block."""
    width = len(weights)
    loss = float((ridge * weights * weights).sum()) / 2
    slope, curve = ridge * weights, np.diag(ridge)
    for first in range(0, len(inputs), AT_ONCE):
        X, q = inputs[first : first + AT_ONCE], wanted[first : first + AT_ONCE]
        z = X @ weights + start[first : first + AT_ONCE]
        z -= z.max(axis=1, keepdims=True)
        logs = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        p = np.exp(logs)
        loss -= float((q * logs).sum())
        flat, share = X.reshape(-1, width), p.astype(np.float32)
        slope = slope + flat.T @ (p - q).reshape(-1)
        means = np.einsum("nk,nkw->nw", share, X)
        curve = curve + (flat * share.reshape(-1, 1)).T @ flat - means.T @ means
    return loss, slope, curve
