"""The data scientist's commands: `train`, `backtest`, `score`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from serving.commands.shared_options import (
    AsOfOption,
    ByOption,
    HomeOption,
    JsonOption,
    as_of_or_default,
    clock_of,
    moment,
    opened,
    show,
    show_json,
    show_table,
    tell,
    writable,
)


def train(
    as_of: AsOfOption = None,
    tune: Annotated[
        float,
        typer.Option("--tune", metavar="MINUTES", min=0, help="Look so long for better settings of the trees."),
    ] = 0,
    by: ByOption = "operator",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train at many cutoffs, compare the candidates, and put the winner in use if it passes the gate.

    Example: pehle train --as-of 2026-04-01T00:00:00Z
    """
    from serving.each_definition import train_each

    place = opened(home)
    cutoff = as_of_or_default(place, as_of)
    found = train_each(place, cutoff, clock_of(place)(), tell, tune, by)
    if as_json:
        show_json(found.to_json())
        return
    for result in found.results:
        if len(found.results) + len(found.failed) > 1:
            show(f"[{result.definition}]")
        for note in result.notes:
            show(note)
        names = list(result.candidates[0].metrics)
        rows = [[one.name, *(_figure(one.metrics[name]) for name in names)] for one in result.candidates]
        show_table([["candidate", *names], *rows])
        show(f"{result.winner} won. {result.why}")
    for line in found.failed:
        show(line)


def backtest(
    first: Annotated[str, typer.Option("--from", metavar="T1", help="First cutoff.")],
    last: Annotated[str, typer.Option("--to", metavar="T2", help="Last cutoff.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Walk through time: train before each cutoff, predict after it, and compare with the baselines.

    Example: pehle backtest --from 2026-01-01 --to 2026-04-01
    """
    from serving.each_definition import backtest_each

    rows = backtest_each(opened(home), moment(first, "--from"), moment(last, "--to"), tell)
    if as_json:
        show_json(rows)
        return
    for definition in dict.fromkeys(row["definition"] for row in rows):
        mine = [row for row in rows if row["definition"] == definition]
        names = [name for name in mine[0] if name not in ("definition", "cutoff")]
        shown = [[definition, str(row["cutoff"])[:10], *(_figure(row[name]) for name in names)] for row in mine]
        show_table([["definition", "cutoff", *names], *shown])


def _figure(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def score(
    as_of: AsOfOption = None,
    model: Annotated[str, typer.Option(metavar="champion|latest|V", help="Which model.")] = "champion",
    reasons: Annotated[
        Literal["top", "all", "none"], typer.Option(help="Reasons for those who may be contacted, all, or none.")
    ] = "top",
    out: Annotated[Path | None, typer.Option(metavar="F", help="Also write a file: CSV or Parquet.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score everyone eligible: chance of leaving, reasons, likely topics.

    Example: pehle score --as-of 2026-04-01 --out scores.csv
    """
    from serving.each_definition import score_each
    from serving.scoring import write_scores

    place = opened(home)
    if out is not None:
        writable(out)
    cutoff = as_of_or_default(place, as_of)
    found = score_each(place, cutoff, clock_of(place)(), model, reasons)
    if out is not None:
        write_scores(found.table, out)
    if as_json:
        show_json(found.to_json())
        return
    bands = ", ".join(f"{number} {band}" for band, number in found.count_by_band().items())
    show(f"{found.customers} customers scored with model {found.versions}: {bands}")
    for line in found.failed:
        show(line)
    if out is not None:
        tell(f"Written to {out}.")
