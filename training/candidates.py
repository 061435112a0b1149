"""Which models compete? Recency alone (the floor), logistic, LightGBM, and the mean of the last two.

One configuration for every log. On some thousands of rows the logistic often wins, on more the trees do: the
judging slice decides, not fashion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.calibration import log_odds, sigmoid
from training.evaluation import Floats
from training.scorers import FARTHEST, Linear, Scorer, Trees, compress

RECENCY = "recency"
# Strength of the ridge on standardised signals: one row in so many. It grows with the rows, since the same customers
# come back at every cutoff and say much the same again.
ROWS_PER_RIDGE, WEAKEST_RIDGE = 60, 10.0
# Small trees: steady on thousands of rows, quick on millions.
TREES: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.08,
    "num_leaves": 6,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 10.0,
    "max_bin": 63,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
    # Our own fitting decides what is rare: LightGBM must not drop a signal by itself.
    "feature_pre_filter": False,
}
# A leaf holds one row in so many, within bounds; a tree looks at about so many signals, drawn anew. Both were chosen
# on early cutoffs of one log of purchases: with all signals in every tree the trees agree too much.
ROWS_PER_LEAF, FEWEST_IN_LEAF, MOST_IN_LEAF = 500, 20, 200
SIGNALS_PER_TREE, SMALLEST_SHARE = 20, 0.2
SMALL_MATRIX = 3_000_000
# Rounds when there is no slice to stop on, and the patience when there is.
ROUNDS_UNTESTED = 150
PATIENCE = 40
FEWEST_ROUNDS = 20


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Examples as arrays. `y` is 1 where the customer left."""

    X: Floats
    y: Floats
    recency: Floats  # days since the last activity event
    customers: NDArray[np.int64]  # codes, the same person has the same code

    def __len__(self) -> int:
        return len(self.y)


def joined(parts: Sequence[Rows]) -> Rows:
    """Rows of several cutoffs under each other."""
    return Rows(
        X=np.vstack([part.X for part in parts]),
        y=np.concatenate([part.y for part in parts]),
        recency=np.concatenate([part.recency for part in parts]),
        customers=np.concatenate([part.customers for part in parts]),
    )


def recency_alone(fit: Rows) -> Scorer:
    """The floor: a logistic curve of the time since the last activity, and nothing else."""
    return Scorer(kind=RECENCY, parts=((1.0, fit_linear(fit.recency[:, None], fit.y)),))


def fit_linear(X: Floats, y: Floats, ridge: float | None = None) -> Linear:
    """A ridge logistic regression on log-compressed, standardised signals with flags for missing ones."""
    ridge = max(WEAKEST_RIDGE, len(y) / ROWS_PER_RIDGE) if ridge is None else ridge
    values = compress(X)
    missing = np.isnan(values)
    columns = [j for j in range(X.shape[1]) if not missing[:, j].all()]
    values, missing = values[:, columns], missing[:, columns]
    medians = np.nanmedian(values, axis=0) if columns else np.zeros(0)
    values = np.where(missing, medians, values)
    means, scales = values.mean(axis=0), values.std(axis=0)
    used = [k for k in range(len(columns)) if scales[k] > 1e-9]
    values = np.clip((values[:, used] - means[used]) / scales[used], -FARTHEST, FARTHEST)
    flagged = different_flags(missing)
    design = np.hstack([values, missing[:, flagged].astype(np.float64), np.ones((len(y), 1))])
    weights = ridge_logistic(design, y, ridge)
    kept = [float(f"{weight:.9g}") for weight in weights]
    return Linear(
        columns=tuple(columns[k] for k in used),
        medians=tuple(map(float, medians[used])),
        means=tuple(map(float, means[used])),
        scales=tuple(map(float, scales[used])),
        weights=tuple(kept[: len(used)]),
        flagged=tuple(columns[k] for k in flagged),
        flag_weights=tuple(kept[len(used) : -1]),
        intercept=kept[-1],
    )


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


def ridge_logistic(X: Floats, y: Floats, ridge: float, steps: int = 40) -> Floats:
    """Newton's method; the last column is the intercept, which is not drawn to zero.

    One BLAS thread: sums in another order would change the last digits from machine load to machine load.
    """
    from threadpoolctl import threadpool_limits

    penalty = np.full(X.shape[1], ridge)
    penalty[-1] = 1e-6
    weights = np.zeros(X.shape[1])
    weights[-1] = float(log_odds(np.array([y.mean()]))[0])
    with threadpool_limits(limits=1):
        for _ in range(steps):
            p = sigmoid(X @ weights)
            slope = X.T @ (p - y) + penalty * weights
            curve = (X * (p * (1 - p))[:, None]).T @ X
            curve[np.diag_indices_from(curve)] += penalty
            step = np.linalg.solve(curve, slope)
            weights = weights - step * min(1.0, 4.0 / max(np.abs(step).max(), 1e-12))
            if np.abs(step).max() < 1e-9:
                break
    return np.asarray(weights, dtype=np.float64)


def sizes(rows: int, signals: int) -> dict[str, Any]:
    """The settings that follow from the size of the matrix."""
    return {
        "min_data_in_leaf": min(MOST_IN_LEAF, max(FEWEST_IN_LEAF, rows // ROWS_PER_LEAF)),
        "feature_fraction": min(1.0, max(SMALLEST_SHARE, SIGNALS_PER_TREE / max(1, signals))),
    }


def fit_trees(
    fit: Rows, stop: Rows | None, *, seed: int, threads: int, max_rounds: int, rounds: int | None = None
) -> tuple[Trees, int]:
    """LightGBM, and how many rounds it took. With `stop`: until that slice gets no better; else `rounds`, fixed."""
    import lightgbm

    # On a small matrix a second thread costs more in waiting than it saves.
    threads = threads if fit.X.size > SMALL_MATRIX else 1
    params = {**TREES, **sizes(*fit.X.shape), "seed": seed, "num_threads": threads}
    data = lightgbm.Dataset(fit.X, label=fit.y, params=params, free_raw_data=True)
    if stop is None or rounds is not None:
        rounds = rounds or min(ROUNDS_UNTESTED, max_rounds)
        booster = lightgbm.train(params, data, num_boost_round=rounds)
        return trees_of(booster, rounds), rounds
    valid = lightgbm.Dataset(stop.X, label=stop.y, reference=data, params=params)
    stopping = lightgbm.early_stopping(PATIENCE, verbose=False)
    booster = lightgbm.train(params, data, num_boost_round=max_rounds, valid_sets=[valid], callbacks=[stopping])
    best = max(FEWEST_ROUNDS, int(booster.best_iteration))
    return trees_of(booster, min(best, booster.current_iteration())), best


def trees_of(booster: Any, rounds: int) -> Trees:
    """The first so many rounds as text. The number of threads, which changes no tree, is not part of a model."""
    text = booster.model_to_string(num_iteration=rounds)
    return Trees(text="\n".join(line for line in text.split("\n") if not line.startswith("[num_threads:")))


def fit_candidates(
    fit: Rows, stop: Rows | None, *, seed: int, threads: int, max_rounds: int, rounds: int | None = None
) -> tuple[dict[str, Scorer], int]:
    """All stored kinds, fitted on the same rows, and the rounds the trees took."""
    linear = fit_linear(fit.X, fit.y)
    trees, taken = fit_trees(fit, stop, seed=seed, threads=threads, max_rounds=max_rounds, rounds=rounds)
    return {
        "logistic": Scorer(kind="logistic", parts=((1.0, linear),)),
        "lightgbm": Scorer(kind="lightgbm", parts=((1.0, trees),)),
        "average": Scorer(kind="average", parts=((0.5, linear), (0.5, trees))),
    }, taken


def refit(kind: str, rows: Rows, *, seed: int, threads: int, rounds: int) -> Scorer:
    """One kind once more, on everything that is finished, for use."""
    parts: list[tuple[float, Linear | Trees]] = []
    weight = 0.5 if kind == "average" else 1.0
    if kind in ("logistic", "average"):
        parts.append((weight, fit_linear(rows.X, rows.y)))
    if kind in ("lightgbm", "average"):
        trees, _ = fit_trees(rows, None, seed=seed, threads=threads, max_rounds=rounds, rounds=rounds)
        parts.append((weight, trees))
    return Scorer(kind=kind, parts=tuple(parts))
