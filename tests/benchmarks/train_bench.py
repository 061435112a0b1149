"""What does training cost beside LightGBM alone on the same matrix? Run by `make bench-train`.

Time in CPU-seconds and peak memory of fitting, and the times of scoring and of reasons, on drawn examples: trees as
large as asked, our own fitting against LightGBM called by hand with the same parameters. Each side runs in a process
of its own, so that the peaks are separate. What a logistic beside it costs is told too.

    make bench-train                         1,000,000 examples × 150 signals, 300 trees of 31 leaves
    .venv/bin/python tests/benchmarks/train_bench.py --rows 100000
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from training.candidates import Rows
from training.linear import fit_linear
from training.trees import TREES, fit_trees, sizes

SEED, THREADS = 7, 2
LEAVES = {"num_leaves": 31}


def drawn(rows: int, signals: int) -> Rows:
    """Examples with gaps, where leaving follows a few of the signals."""
    rng = np.random.default_rng(SEED)
    X = rng.standard_normal((rows, signals), dtype=np.float32)
    for column in range(0, signals, 5):
        X[rng.random(rows, dtype=np.float32) < 0.2, column] = np.nan
    z = np.nan_to_num(X[:, 0]) + 0.7 * X[:, 1] * (X[:, 2] > 0) + 0.4 * np.abs(X[:, 3]) - 1.6
    y = (rng.random(rows, dtype=np.float32) < 1 / (1 + np.exp(-z))).astype(np.float64)
    return Rows(X=X, y=y, recency=np.zeros(rows), customers=np.arange(rows))


def cpu(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU-seconds of all threads, and what `work` returned."""
    before = time.process_time()
    found = work()
    return time.process_time() - before, found


def peak() -> int:
    """Most memory this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def one_side(side: str, count: int, signals: int, trees: int) -> dict[str, float]:
    """Fits and scores in this process; `side` is ours, lightgbm or logistic."""
    import lightgbm

    rows = drawn(count, signals)
    if side == "logistic":
        seconds, linear = cpu(lambda: fit_linear(rows.X, rows.y))
        scoring, _ = cpu(lambda: linear.log_odds(rows.X))
        return {"fit": seconds, "predict": scoring, "peak": peak() / rows.X.nbytes}
    if side == "ours":
        options: dict[str, Any] = {"seed": SEED, "threads": THREADS, "max_rounds": trees, "rounds": trees}
        seconds, (model, _) = cpu(lambda: fit_trees(rows, None, tuned=LEAVES, **options))
        scoring, _ = cpu(lambda: model.log_odds(rows.X, THREADS))
        some = rows.X[: max(1, min(2_000, count))]
        reasons, _ = cpu(lambda: model.terms(some, THREADS))
        return {"fit": seconds, "predict": scoring, "peak": peak() / rows.X.nbytes, "reasons": len(some) / reasons}
    params = {**TREES, **sizes(*rows.X.shape), **LEAVES, "seed": SEED, "num_threads": THREADS}
    seconds, booster = cpu(
        lambda: lightgbm.train(params, lightgbm.Dataset(rows.X, label=rows.y, params=params), num_boost_round=trees)
    )
    scoring, _ = cpu(lambda: booster.predict(rows.X, raw_score=True, num_threads=THREADS))
    return {"fit": seconds, "predict": scoring, "peak": peak() / rows.X.nbytes}


def main() -> None:
    """Both sides, each in a process of its own, and their ratios."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--signals", type=int, default=150)
    arguments.add_argument("--trees", type=int, default=300)
    arguments.add_argument("--side", choices=("ours", "lightgbm", "logistic"))
    chosen = arguments.parse_args()
    size = (chosen.rows, chosen.signals, chosen.trees)
    if chosen.side:
        sys.stdout.write(json.dumps(one_side(chosen.side, *size)))
        return
    found = {}
    for side in ("lightgbm", "ours", "logistic"):
        numbers = [text for name, value in zip(("rows", "signals", "trees"), size, strict=True)
                   for text in (f"--{name}", str(value))]  # fmt: skip
        command = [sys.executable, __file__, *numbers, "--side", side]
        found[side] = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    lines = [f"{chosen.rows:,} examples × {chosen.signals} signals, {chosen.trees} trees of 31 leaves", ""]
    lines += ["| side | fit, CPU-s | scoring, CPU-s | peak memory ÷ float32 matrix |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {side} | {one['fit']:.1f} | {one['predict']:.2f} | {one['peak']:.2f} |" for side, one in found.items()
    ]
    ours, theirs = found["ours"], found["lightgbm"]
    lines += [
        "",
        f"ours ÷ LightGBM alone: fit {ours['fit'] / theirs['fit']:.2f}, "
        f"scoring {ours['predict'] / theirs['predict']:.2f}",
        f"reasons: {ours['reasons']:,.0f} rows per CPU-second",
        f"per million examples: {ours['fit'] * 1e6 / chosen.rows:.0f} CPU-s, "
        f"{ours['peak'] * chosen.signals * 4e6 / 1e9:.1f} GB",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
