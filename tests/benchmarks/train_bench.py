"""What does training cost beside LightGBM alone on the same matrix? Run by `make bench-train`.

Time in CPU-seconds and peak memory of fitting, and the times of scoring and of reasons, on drawn examples: trees as
large as asked, our own fitting against LightGBM called by hand with the same parameters. Each side runs in a process
of its own, so that the peaks are separate. What three bags, as a model has them, and a logistic cost is told too.

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
from collections.abc import Callable, Sequence
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
    """Fits and scores in this process; `side` is one of SIDES. Importing is left out."""
    import lightgbm  # noqa: F401

    rows = drawn(count, signals)
    fit, scores = SIDES[side](rows, trees)
    seconds, model = cpu(fit)
    scoring, _ = cpu(lambda: scores(model))
    found = {"fit": seconds, "predict": scoring, "peak": peak() / rows.X.nbytes}
    if side == "ours":
        (one,) = model
        some = rows.X[: max(1, min(2_000, count))]
        reasons, _ = cpu(lambda: one.terms(some, THREADS))
        parsing, _ = cpu(one.booster)
        found |= {"reasons": len(some) / reasons, "parsing": parsing}
    return found


def ours(rows: Rows, trees: int, bags: int = 1) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    return (
        lambda: fit_trees(rows, seed=SEED, threads=THREADS, rounds=trees, tuned=LEAVES, bags=bags),
        lambda found: [one.log_odds(rows.X, THREADS) for one in found],
    )


def by_hand(rows: Rows, trees: int) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    """LightGBM alone with the same parameters."""
    import lightgbm

    params = {**TREES, **sizes(*rows.X.shape), **LEAVES, "seed": SEED, "num_threads": THREADS}
    return (
        lambda: lightgbm.train(params, lightgbm.Dataset(rows.X, label=rows.y, params=params), num_boost_round=trees),
        lambda booster: booster.predict(rows.X, raw_score=True, num_threads=THREADS),
    )


def logistic(rows: Rows, trees: int) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    return lambda: fit_linear(rows.X, rows.y), lambda linear: linear.log_odds(rows.X)


SIDES: dict[str, Callable[[Rows, int], tuple[Callable[[], Any], Callable[[Any], Any]]]] = {
    "lightgbm": by_hand,
    "ours": ours,
    "ours, three bags": lambda rows, trees: ours(rows, trees, bags=3),
    "logistic": logistic,
}


def best(answers: Sequence[dict[str, float]]) -> dict[str, float]:
    """The least of each figure: other work on the machine only ever adds."""
    return {name: (max if name == "reasons" else min)(one[name] for one in answers) for name in answers[0]}


def main() -> None:
    """All sides in turn, each in a process of its own, and their ratios."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--signals", type=int, default=150)
    arguments.add_argument("--trees", type=int, default=300)
    arguments.add_argument("--leaves", type=int, default=LEAVES["num_leaves"])
    arguments.add_argument("--repeats", type=int, default=1, help="the least of so many runs, taken in turn")
    arguments.add_argument("--only", nargs="+", choices=list(SIDES), default=list(SIDES), help="not all sides")
    arguments.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    LEAVES["num_leaves"] = chosen.leaves
    if chosen.side:
        sys.stdout.write(json.dumps(one_side(chosen.side, chosen.rows, chosen.signals, chosen.trees)))
        return
    sizes_asked = ("rows", "signals", "trees", "leaves")
    numbers = [text for name in sizes_asked for text in (f"--{name}", str(getattr(chosen, name)))]
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in chosen.only}
    for _ in range(chosen.repeats):
        for side in chosen.only:
            command = [sys.executable, __file__, *numbers, "--side", side]
            runs[side].append(json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout))
    show({side: best(answers) for side, answers in runs.items()}, chosen)


def show(found: dict[str, dict[str, float]], chosen: argparse.Namespace) -> None:
    lines = [f"{chosen.rows:,} examples × {chosen.signals} signals, {chosen.trees} trees of {chosen.leaves} leaves", ""]
    lines += ["| side | fit, CPU-s | scoring, CPU-s | peak memory ÷ float32 matrix |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {side} | {one['fit']:.1f} | {one['predict']:.2f} | {one['peak']:.2f} |" for side, one in found.items()
    ]
    lines.append("")
    lines += [
        f"{side} ÷ LightGBM alone: fit {one['fit'] / found['lightgbm']['fit']:.2f}, "
        f"scoring {one['predict'] / found['lightgbm']['predict']:.2f}"
        for side, one in found.items()
        if side != "lightgbm" and "lightgbm" in found
    ]
    if "ours" in found:
        one = found["ours"]
        lines += [
            f"reading the trees' text takes {one['parsing']:.3f} CPU-s of a scoring",
            f"reasons: {one['reasons']:,.0f} rows per CPU-second",
            f"per million examples: {one['fit'] * 1e6 / chosen.rows:.0f} CPU-s, "
            f"{one['peak'] * chosen.signals * 4e6 / 1e9:.1f} GB",
        ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
