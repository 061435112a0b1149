"""What does it cost to learn from a sample of the customers? Log loss, time and memory. Run by `make bench-sampling`.

One simulated company; signals are built once, for everybody. Then the candidates are fitted on everything known when
the judging cutoff came, and on the samples of customers that smaller settings of [training] max_examples would keep;
all are judged on the same customers, everybody's model paired with each sample's.

    .venv/bin/python tests/benchmarks/sampling_bench.py --customers 50000 --samples 30000 100000 300000
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from records.events import EventLog
from records.simulation import Saral
from training.candidates import AVERAGE, LIGHTGBM, LOGISTIC, Rows, Settings, fit_all, predicted
from training.evaluation import Floats, log_loss, paired_difference
from training.examples import build_examples
from training.labels import ChurnOptions, TrainingOptions
from training.lots import lot

DAY = datetime(2026, 8, 1, tzinfo=UTC)
CHURN = ChurnOptions(definition="event", activity=[], returned_by=["subscription_started"])
KINDS = (LOGISTIC, LIGHTGBM, AVERAGE)
# As many trees as suit so many rows; more rows get more by the rule of the product.
SETTINGS = Settings(rounds=120, rounds_at=30_000)


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What one sample gave on the judged customers."""

    rows: int
    customers: int
    seconds: float  # CPU
    scores: dict[str, Floats]


def fitted(known: Rows, judged: Rows, share: float, seed: int) -> Fitted:
    """All candidates on the rows of a share of the customers, the same at every cutoff."""
    codes = np.unique(known.customers)
    kept = codes[[lot("sample", seed, int(code)) < share for code in codes]] if share < 1 else codes
    inside = np.isin(known.customers, kept)
    rows = known
    if share < 1:
        rows = Rows(
            X=known.X[inside], y=known.y[inside], recency=known.recency[inside], customers=known.customers[inside]
        )
    begun = time.process_time()
    scorers = fit_all(rows, SETTINGS, seed=seed, threads=2)
    seconds = time.process_time() - begun
    scores = {kind: predicted(scorers[kind], judged) for kind in KINDS}
    return Fitted(rows=len(rows), customers=len(kept), seconds=seconds, scores=scores)


def table(known: Rows, judged: Rows, examples: int, samples: Sequence[int], seeds: int) -> str:
    """One line per sample and seed. `examples`: how many a run would have in all, by which max_examples counts."""
    head = ["max_examples", "customers", "rows fitted", "matrix, GB", "CPU-s", *KINDS, "average, worse than all by"]
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    whole = fitted(known, judged, 1.0, 2026)
    for most in sorted(samples):
        if most < examples:
            lines += [line(fitted(known, judged, most / examples, 2026 + n), whole, judged, most) for n in range(seeds)]
    return "\n".join(f"| {text} |" for text in [*lines, line(whole, whole, judged, examples)]) + "\n"


def line(found: Fitted, whole: Fitted, judged: Rows, most: int) -> str:
    gap = paired_difference(judged.y, whole.scores[AVERAGE], found.scores[AVERAGE], judged.customers)
    cells = [f"{most:,}", f"{found.customers:,}", f"{found.rows:,}", f"{found.rows * judged.X.shape[1] * 4e-9:.2f}"]
    cells += [f"{found.seconds:.0f}", *(f"{log_loss(judged.y, found.scores[kind]):.4f}" for kind in KINDS)]
    same = "" if found is whole else f"{gap.value:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]"
    return " | ".join([*cells, same])


def main() -> None:
    """Draw the company, build its examples, compare the samples."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--customers", type=int, default=30_000)
    arguments.add_argument("--samples", type=int, nargs="+", default=[10_000, 30_000, 100_000, 300_000])
    arguments.add_argument("--seed", type=int, default=901)
    arguments.add_argument("--seeds", type=int, default=2, help="different samples of each size")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = EventLog(Path(folder))
        for events in Saral(customers=chosen.customers, until=DAY, seed=chosen.seed).history():
            log.append(events)
        everybody = TrainingOptions(max_examples=10**9)
        examples = build_examples(log, DAY, CHURN, training=everybody, progress=tell, timezone="Asia/Kolkata")
    slices = examples.slices
    known, judged = examples.rows(slices.known_at_judge, unseen=None), examples.rows(slices.judge, unseen=None)
    sys.stdout.write(table(known, judged, examples.count, chosen.samples, chosen.seeds))


def tell(text: str) -> None:
    """A line of progress."""
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    main()
