"""Tables of the company's own by the command line; scores made elsewhere become scorings like ours."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from records.own_tables import own_tables
from records.scores import count_by_band, find_scores, latest_run
from serving.cli import app
from serving.home import open_home

HEAD = "customer_id,cutoff,churn_probability"


def run(home: Path, *words: str) -> str:
    done = CliRunner().invoke(app, ["--home", str(home), "import", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def written(folder: Path, *lines: str) -> str:
    file = folder / "given.csv"
    file.write_text("\n".join(lines) + "\n")
    return str(file)


def test_imported_scores_are_what_the_next_plan_goes_by(tmp_path: Path) -> None:
    rows = [HEAD, "bo,2026-06-01,0.9", "cy,2026-06-01,0.1", "bo,2026-05-01,0.4", "di,2026-06-01,1.5"]
    said = json.loads(run(tmp_path / "home", "scores", written(tmp_path, *rows), "--name", "partner", "--json"))
    assert said == {
        "accepted": 3,
        "replaced": 0,
        "duplicates": 0,
        "rejected": 1,
        "table": "partner",
        "scorings": 2,
    }
    home = open_home(tmp_path / "home")
    with home.engine.connect() as connection:
        newest = latest_run(connection)
        assert newest is not None
        assert (newest.as_of, newest.model_version) == (datetime(2026, 6, 1, tzinfo=UTC), "imported-partner")
        found = find_scores(connection, newest.run_id)
        assert {who: (one.churn_probability, one.band) for who, one in found.items()} == {
            "bo": (0.9, "high"),
            "cy": (0.1, "low"),
        }
        assert [(one.reasons, one.topics) for one in found.values()] == [([], []), ([], [])]
    # The same file again makes no scoring; another score makes a new one of its moment alone.
    again = json.loads(run(tmp_path / "home", "scores", written(tmp_path, *rows), "--name", "partner", "--json"))
    assert (again["duplicates"], again["scorings"]) == (3, 0)
    changed = json.loads(
        run(tmp_path / "home", "scores", written(tmp_path, HEAD, "cy,2026-06-01,0.7"), "--name", "partner", "--json")
    )
    assert (changed["replaced"], changed["scorings"]) == (1, 1)
    with home.engine.connect() as connection:
        newest = latest_run(connection)
        assert newest is not None
        assert count_by_band(connection, newest.run_id) == {"high": 2}
    home.engine.dispose()


@pytest.mark.parametrize(("kind", "column"), [("signals", "visits"), ("labels", "left")])
def test_a_bad_row_is_told_with_file_line_reason_and_value_and_a_dry_run_makes_no_home(
    tmp_path: Path, kind: str, column: str
) -> None:
    file = written(tmp_path, f"customer_id,cutoff,{column}", "bo,2026-06-01,1", "cy,June,1")
    dry = run(tmp_path / "dry", kind, file, "--dry-run")
    assert dry.startswith("1 would be accepted, 0 would be replaced, 0 duplicates, 1 would be put aside.")
    assert not (tmp_path / "dry").exists()
    told = run(tmp_path / "home", kind, file)
    assert told.startswith("1 accepted, 0 replaced, 0 duplicates, 1 put aside.")
    assert "given.csv:3: cutoff is neither a day nor a time with its zone ('June')" in told
    assert list(own_tables(tmp_path / "home" / "data", kind)) == [kind]  # type: ignore[arg-type]
