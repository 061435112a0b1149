"""`pehle demo`: a simulated company, from nothing to a list waiting for review."""

from __future__ import annotations

from typing import Annotated

import typer

from serving.commands.shared_options import HomeOption, home_path, moment, stage, tell, wall_clock


def demo(
    customers: Annotated[
        int,
        typer.Option(
            metavar="N", min=300, help="How many customers Saral has; fewer than 300 are too few to learn from."
        ),
    ] = 5000,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="The simulation's present day; default: today.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed is another company.")] = 2026,
    advance: Annotated[
        int, typer.Option(metavar="DAYS", min=0, help="Let DAYS pass in the demo that is there; then plan again.")
    ] = 0,
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Open the web app at the end.")] = True,
    port: Annotated[int | None, typer.Option(metavar="P", help="Port; a taken one moves on to the next.")] = None,
    home: HomeOption = None,
) -> None:
    """A simulated telecom and shop, Saral: 18 months of customers, a trained model, and a list waiting for your yes.

    Example: pehle demo --customers 2000
    """
    from serving.demo import advance_days, build

    path = home_path(home)
    day = moment(until, "--until") if until else None
    if advance:
        place = advance_days(path, advance, wall_clock(), stage)
    else:
        place = build(path, customers=customers, until=day, seed=seed, wall=wall_clock(), stage=stage)
    tell(f"Everything about Saral is simulated. Its home is {place.path}.")
    if serve:
        from serving.commands.service import run_up

        run_up(place, port, "Meera Iyer")
