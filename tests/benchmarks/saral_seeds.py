"""Five seeds nobody has looked at: how near do we come to the simulated truth? Prints a table.

python tests/benchmarks/saral_seeds.py [customers] [first seed]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from saral_judge import judge, table_of


def main(customers: int = 6_000, first_seed: int = 101) -> None:
    verdicts = []
    for seed in range(first_seed, first_seed + 5):
        with tempfile.TemporaryDirectory() as folder:
            verdicts.append(judge(Path(folder), customers=customers, seed=seed))
        sys.stdout.write(table_of(verdicts) + "\n\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
