"""Commands for tables of the company's own: `import signals`, `labels`, `scores`, and what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serving.commands.data import Files, all_there, imports, show_rejects, told_rows
from serving.commands.shared_options import (
    HomeOption,
    JsonOption,
    home_path,
    opened,
    show,
    show_json,
    show_table,
    wall_clock,
)

if TYPE_CHECKING:
    from records.own_rows import Kind

__all__ = ["imports"]


NameOption = Annotated[
    str | None, typer.Option("--name", metavar="N", help="The table; default: signals, labels or scores.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Read and count; write nothing.")]


@imports.command("signals")
def import_signals_command(
    files: Files,
    name: NameOption = None,
    dry_run: DryRunOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import a table of your own numbers: customer_id, cutoff, columns. Models learn from them as own_<name>_<column>.

    A row counts for every cutoff from its own on, until a newer one. A cutoff is a day (its midnight in UTC) or a time
    with its zone.

    Example: pehle import signals crm.csv --name crm
    """
    _import_own("signals", files, name, dry_run=dry_run, home=home, as_json=as_json)


@imports.command("labels")
def import_labels_command(
    files: Files,
    name: NameOption = None,
    dry_run: DryRunOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import who left by your own rule: customer_id, cutoff, left (true or false, within the horizon after the cutoff).

    They are learnt from where [churn] says definition = "imported" and labels = the table's name.

    Example: pehle import labels left.csv
    """
    _import_own("labels", files, name, dry_run=dry_run, home=home, as_json=as_json)


@imports.command("scores")
def import_scores_command(
    files: Files,
    name: NameOption = None,
    dry_run: DryRunOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import scores made elsewhere: customer_id, cutoff, churn_probability. Plan and review take them like our own.

    Example: pehle import scores scores.csv --name partner
    """
    _import_own("scores", files, name, dry_run=dry_run, home=home, as_json=as_json)


def _import_own(
    kind: Kind, files: list[Path], name: str | None, *, dry_run: bool, home: Path | None, as_json: bool
) -> None:
    from records.own_tables import import_own
    from serving.home import REAL, Home, create_home
    from serving.imported_scores import publish_scores

    all_there(files)
    place = Home(home_path(home).resolve()) if dry_run else create_home(home_path(home), REAL)
    table, now = name or kind, wall_clock()
    report = import_own(place.data, kind, table, files, now, dry_run=dry_run, progress=told_rows())
    made = publish_scores(place, table, now) if kind == "scores" and not dry_run and report.changed else []
    counts = {"accepted": report.accepted, "replaced": report.replaced}
    counts |= {"duplicates": report.duplicates, "rejected": report.rejected}
    if as_json:
        show_json({**counts, "table": table, **({"scorings": len(made)} if kind == "scores" else {})})
        return
    would = "would be " if dry_run else ""
    told = f"{report.accepted} {would}accepted, {report.replaced} {would}replaced, {report.duplicates} duplicates"
    show(f"{told}, {report.rejected} {would}put aside.")
    show_rejects(report.rejects, report.rejected, dry_run=dry_run)
    for run in made:
        show(f"{run.customers} customers scored as of {run.as_of:%Y-%m-%d %H:%M} UTC: pehle plan goes by the newest.")


@imports.command("tables")
def import_tables_command(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """The tables of your own that were imported: kind, name, rows, from which cutoff to which, columns.

    Example: pehle import tables
    """
    from records.own_tables import described

    found = described(opened(home).data)
    if as_json:
        show_json(found)
        return
    if not found:
        show("No table of your own yet: pehle import signals FILE --name NAME")
        return
    rows = [
        [one["kind"], one["table"], str(one["rows"]), one["first"], one["last"], ", ".join(one["columns"])]
        for one in found
    ]
    show_table([["kind", "table", "rows", "first cutoff", "last cutoff", "columns"], *rows])


@imports.command("remove")
def import_remove_command(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="signals, labels or scores.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="The table.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a table of your own, as if it had never been imported. Its files can be imported again.

    A model that learnt from it goes on without: its columns become "no data". Train again. Scorings made of imported
    scores stay until a newer one.

    Example: pehle import remove signals crm
    """
    from records.own_tables import remove_own

    kinds: dict[str, Kind] = {one: one for one in ("signals", "labels", "scores")}
    if kind not in kinds:
        msg = f"{kind!r} is no kind of table: signals, labels or scores."
        raise typer.BadParameter(msg, param_hint="KIND")
    rows = remove_own(opened(home).data, kinds[kind], name)
    if as_json:
        show_json({"removed": rows, "table": name})
        return
    show(f"{rows} rows of {kind} {name!r} removed.")
