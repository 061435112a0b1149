"""One known log of tickets, judged from outside: what will each caller's next tickets be about?

The help desk's tickets opened before a day are imported by the command line, a model is trained and everybody scored;
the judge reads the raw file, nothing of ours.
"""

from __future__ import annotations

import csv
import gzip
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
from typer.testing import CliRunner

from serving.cli import app

HORIZON = timedelta(days=14)
SETTINGS = """
[churn]
activity = []
horizon_days = 14
active_within_days = 90
[issues]
horizon_days = 14
"""


def tickets(folder: Path) -> list[dict[str, str]]:
    with gzip.open(folder / "incidents" / "incidents_opened.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(rows: list[dict[str, str]], file: Path) -> None:
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def asked_after(rows: list[dict[str, str]], day: date) -> dict[str, set[str]]:
    """What callers seen before the day asked in the horizon after it."""
    ends = (day + HORIZON).isoformat()
    seen = {row["caller_id"] for row in rows if row["opened_at"] < day.isoformat()}
    asked: dict[str, set[str]] = {}
    for row in rows:
        if day.isoformat() <= row["opened_at"] < ends and row["caller_id"] in seen:
            asked.setdefault(row["caller_id"], set()).add(row["category"])
    return asked


@pytest.mark.soak
@pytest.mark.parametrize(
    ("day", "least_map", "least_recall"),
    [
        (date(2016, 4, 25), 0.365, 0.495),
        (date(2016, 4, 18), 0.370, 0.500),
        (date(2016, 4, 11), 0.325, 0.450),
        (date(2016, 4, 4), 0.292, 0.410),  # little history: what Markov reaches
    ],
)
def test_callers_are_ranked_as_well_as_was_promised(
    shared_data: Path, tmp_path: Path, day: date, least_map: float, least_recall: float
) -> None:
    rows = tickets(shared_data)
    file, out, home = tmp_path / "before.csv", tmp_path / "scores.parquet", tmp_path / "home"
    write([row for row in rows if row["opened_at"] < day.isoformat()], file)
    home.mkdir()
    (home / "pehle.toml").write_text(SETTINGS)
    as_of = f"{day}T00:00:00Z"
    for command in (
        ["import", "events", str(file), "--mapping", "incidents"],
        ["train", "--as-of", as_of],
        ["score", "--as-of", as_of, "--model", "latest", "--reasons", "none", "--out", str(out)],
    ):
        done = CliRunner().invoke(app, ["--home", str(home), *command])
        assert done.exit_code == 0, done.output

    asked = asked_after(rows, day)
    table = parquet.read_table(out).to_pydict()
    ranked = {
        who: [table[f"topic_{place}"][row] for place in (1, 2, 3)] for row, who in enumerate(table["customer_id"])
    }
    judged = [(asked[who], ranked[who]) for who in sorted(asked) if who in ranked and who]
    assert len(judged) == len([who for who in asked if who])
    precision, recall = zip(*(figures(truth, names) for truth, names in judged), strict=True)
    found = f"{len(judged):,} callers: MAP@3 {np.mean(precision):.4f}, recall@3 {np.mean(recall):.4f}"
    assert np.mean(precision) >= least_map, found
    assert np.mean(recall) >= least_recall, found


def figures(truth: set[str], names: list[str]) -> tuple[float, float]:
    """Average precision and recall of the first three."""
    hits = [name in truth for name in names]
    precise = [sum(hits[: place + 1]) / (place + 1) for place in range(3) if hits[place]]
    return sum(precise) / min(3, len(truth)), sum(hits) / len(truth)
