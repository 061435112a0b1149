"""The data scientist's commands: `train`, `backtest`, `score`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from serving.commands.shared_options import (
    AsOfOption,
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


def train(as_of: AsOfOption = None, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Train at many cutoffs, compare the candidates, and put the winner in use if it passes the gate.

    Example: pehle train --as-of 2026-04-01T00:00:00Z
    """
    from training.train import train as train_models

    place = opened(home)
    cutoff = as_of_or_default(place, as_of)
    settings = place.settings
    result = train_models(
        place.log,
        cutoff,
        settings.churn,
        settings.issues,
        settings.training,
        place.mlruns,
        clock_of(place)(),
        progress=tell,
        timezone=settings.company.timezone,
    )
    if as_json:
        show_json(result.to_json())
        return
    for note in result.notes:
        show(note)
    names = list(result.candidates[0].metrics)
    rows = [[one.name, *(_figure(one.metrics[name]) for name in names)] for one in result.candidates]
    show_table([["candidate", *names], *rows])
    show(f"{result.winner} won. {result.why}")


def backtest(
    first: Annotated[str, typer.Option("--from", metavar="T1", help="First cutoff.")],
    last: Annotated[str, typer.Option("--to", metavar="T2", help="Last cutoff.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Walk through time: train before each cutoff, predict after it, and compare with the baselines.

    Example: pehle backtest --from 2026-01-01 --to 2026-04-01
    """
    from training.backtest import backtest as walk

    place = opened(home)
    settings = place.settings
    rows = walk(
        place.log,
        moment(first, "--from"),
        moment(last, "--to"),
        settings.churn,
        settings.issues,
        settings.training,
        progress=tell,
        timezone=settings.company.timezone,
    )
    if as_json:
        show_json(rows)
        return
    if rows:
        names = [name for name in rows[0] if name != "cutoff"]
        shown = [[str(row["cutoff"])[:10], *(_figure(row[name]) for name in names)] for row in rows]
        show_table([["cutoff", *names], *shown])


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
    from serving.scoring import score as score_customers
    from serving.scoring import write_scores
    from training.registry import Registry

    place = opened(home)
    if out is not None:
        writable(out)
    cutoff = as_of_or_default(place, as_of)
    registry = Registry(place.mlruns)
    version, _ = registry.resolve(model)
    chosen = registry.load(version)
    run = score_customers(
        place.log,
        place.engine,
        chosen,
        version,
        place.settings,
        cutoff,
        clock_of(place)(),
        reasons=reasons,
    )
    if out is not None:
        write_scores(run.table, out)
    bands = run.count_by_band()
    if as_json:
        show_json({"as_of": cutoff.isoformat(), "customers": run.customers, "bands": bands, "model_version": version})
        return
    show(f"{run.customers} customers scored with model {version}: " + ", ".join(f"{n} {b}" for b, n in bands.items()))
    if out is not None:
        tell(f"Written to {out}.")
