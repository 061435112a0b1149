"""What do the signals say together? Gradient-boosted trees by LightGBM, one set of parameters for every log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from training.evaluation import Floats
from training.scorers import Signals, Trees

if TYPE_CHECKING:
    from training.candidates import Rows

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
    # Few signals per tree and few leaves: by columns costs a fifth of by rows, and holds no second copy of the bins.
    "force_col_wise": True,
    # 63 bins do not need more rows to be drawn from, and all bags share them whatever their seed.
    "bin_construct_sample_cnt": 50_000,
    "data_random_seed": 1,
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


def sizes(rows: int, signals: int) -> dict[str, Any]:
    """The settings that follow from the size of the matrix."""
    return {
        "min_data_in_leaf": min(MOST_IN_LEAF, max(FEWEST_IN_LEAF, rows // ROWS_PER_LEAF)),
        "feature_fraction": min(1.0, max(SMALLEST_SHARE, SIGNALS_PER_TREE / max(1, signals))),
    }


def parameters(fit: Rows, tuned: Mapping[str, Any], *, seed: int, threads: int) -> dict[str, Any]:
    """LightGBM's parameters for these rows. On a small matrix a second thread costs more in waiting than it saves."""
    threads = threads if fit.X.size > SMALL_MATRIX else 1
    return {**TREES, **sizes(*fit.X.shape), **tuned, "seed": seed, "num_threads": threads}


def dataset(rows: Rows, params: Mapping[str, Any], reference: Any = None) -> Any:
    """The rows as LightGBM bins them; weights keep their mean at 1, so that leaf sizes and penalties mean the same."""
    import lightgbm

    weight = None if rows.weights is None else rows.weights / rows.weights.mean()
    return lightgbm.Dataset(
        rows.X, label=rows.y, weight=weight, params=dict(params), reference=reference, free_raw_data=True
    )


def fit_trees(
    fit: Rows, *, seed: int, threads: int, rounds: int, tuned: Mapping[str, Any] | None = None, bags: int = 1
) -> tuple[Trees, ...]:
    """So many rounds of LightGBM, once for each of `bags` seeds, the first being `seed`; the rows are binned once."""
    import lightgbm

    params = parameters(fit, tuned or {}, seed=seed, threads=threads)
    data = dataset(fit, params)
    found = []
    for bag in range(bags):
        booster = lightgbm.train({**params, "seed": seed + bag}, data, num_boost_round=rounds)
        found.append(trees_of(booster, rounds))
    return tuple(found)


def grown(fit: Rows, stop: Rows, params: Mapping[str, Any], max_rounds: int) -> tuple[Any, list[float]]:
    """Trees until `stop` gets no better for a while, and its log loss after each round."""
    import lightgbm

    data = dataset(fit, params)
    valid = dataset(stop, params, reference=data)
    seen: dict[str, dict[str, list[float]]] = {}
    booster = lightgbm.train(
        dict(params),
        data,
        num_boost_round=max_rounds,
        valid_sets=[valid],
        callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False), lightgbm.record_evaluation(seen)],
    )
    return booster, next(iter(seen.values()))["binary_logloss"]


def raw_scores(booster: Any, X: Signals, rounds: int, threads: int) -> Floats:
    """Log-odds of the first so many rounds."""
    found: Floats = booster.predict(X, raw_score=True, num_iteration=rounds, num_threads=threads)
    return found


def trees_of(booster: Any, rounds: int) -> Trees:
    """The first so many rounds as text. The number of threads, which changes no tree, is not part of a model."""
    text = booster.model_to_string(num_iteration=rounds)
    return Trees(text="\n".join(line for line in text.split("\n") if not line.startswith("[num_threads:")))
