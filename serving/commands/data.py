"""Commands that bring data in and turn it into signals: `import`, `features`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serving.commands.shared_options import (
    AsOfOption,
    HomeOption,
    JsonOption,
    as_of_or_default,
    home_path,
    opened,
    show,
    show_json,
    show_table,
    tell,
    told_pace,
    wall_clock,
    writable,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from records.importing import ImportReport
    from records.reading import Reject

imports = typer.Typer(help="Bring events and customers in.", no_args_is_help=True, rich_markup_mode=None)
features = typer.Typer(help="The signals: what they are, and their table.", no_args_is_help=True, rich_markup_mode=None)

Files = Annotated[list[Path], typer.Argument(metavar="FILE…", help="CSV, JSON Lines (also .gz) or Parquet.")]
SHOWN_REJECTS = 10


@imports.command("events")
def import_events_command(
    files: Files,
    mapping: Annotated[
        str | None,
        typer.Option(metavar="F", help="A mapping file (see README), or a shipped one: cdnow, incidents, sparkify."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and count; write nothing.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import events. A second import of the same file adds none; bad rows are put aside with file, line and reason.

    Example: pehle import events CDNOW_master.txt --mapping cdnow
    """
    from records.importing import import_events
    from records.mapping import load_mapping
    from serving.home import REAL, Home, create_home

    found = load_mapping(mapping) if mapping else None
    all_there(files)
    place = Home(home_path(home).resolve()) if dry_run else create_home(home_path(home), REAL)
    report = import_events(
        place.log,
        files,
        found,
        now=wall_clock(),
        quarantine=place.data / "quarantine",
        dry_run=dry_run,
        progress=told_rows(),
    )
    _show_report(report, as_json=as_json, dry_run=dry_run)


@imports.command("customers")
def import_customers_command(files: Files, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Import names, addresses, languages and consents; the headers are customer_id, name, email, phone, language, city.

    Example: pehle import customers people.csv
    """
    from records.importing import import_customers
    from serving.home import REAL, create_home

    all_there(files)
    place = create_home(home_path(home), REAL)
    report = import_customers(place.engine, files, now=wall_clock(), quarantine=place.data / "quarantine")
    _show_report(report, as_json=as_json, dry_run=False)


def all_there(files: list[Path]) -> None:
    """Look for the files before a home is made for them: a mistyped name must not leave one behind.

    Raises
    ------
    InputError
        One of them is not there, or is a folder.
    """
    from records.errors import InputError

    for file in files:
        if file.is_dir():
            msg, remedy = f"{file} is a folder.", f"Name the files in it: {file}/*."
        elif not file.exists():
            msg, remedy = f"There is no file {file}.", "Check the name, and the folder you are in."
        else:
            continue
        raise InputError(msg, remedy=remedy, file=str(file))


def told_rows() -> Callable[[Path, int], None] | None:
    """Rows read so far, on one line that is written over; nothing where nobody watches."""
    if not sys.stderr.isatty():
        return None

    def tell_rows(file: Path, rows: int) -> None:
        sys.stderr.write(f"\r  {file.name}: {rows:,} rows\033[K")
        sys.stderr.flush()

    return tell_rows


def _show_report(report: ImportReport, *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        show_json({"accepted": report.accepted, "duplicates": report.duplicates, "rejected": report.rejected})
        return
    would = "would be " if dry_run else ""
    show(f"{report.accepted} {would}accepted, {report.duplicates} duplicates, {report.rejected} {would}put aside.")
    show_rejects(report.rejects, report.rejected, dry_run=dry_run)


def show_rejects(rejects: Sequence[Reject], count: int, *, dry_run: bool) -> None:
    for reject in rejects[:SHOWN_REJECTS]:
        value = "" if reject.value is None else f" ({reject.value!r})"
        show(f"  {reject.file}:{reject.line}: {reject.reason}{value}")
    if count > SHOWN_REJECTS:
        kept = "" if dry_run else ", all of them in data/quarantine/"
        show(f"  … and {count - SHOWN_REJECTS} more{kept}.")


@features.command("list")
def features_list(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """The catalog of signals: name, the question it answers, unit, family and what "no data" gives.

    Example: pehle features list --json
    """
    from features.catalog import catalog
    from serving.home import Home
    from serving.jobs import default_as_of
    from training.examples import fit_signals

    place = Home(home_path(home).resolve())
    filled = place.exists() and place.log.summary().count > 0
    signals = catalog(
        fit_signals(place.log, default_as_of(place.log), place.settings.churn, place.settings.company.timezone)
        if filled
        else None
    )
    rows = [
        {"name": s.name, "question": s.question, "unit": s.unit, "family": s.family, "no_data": s.no_data}
        for s in signals
    ]
    if as_json:
        show_json(rows)
        return
    show_table(
        [["signal", "unit", "family", "question"]] + [[r["name"], r["unit"], r["family"], r["question"]] for r in rows]
    )


@features.command("build")
def features_build(
    out: Annotated[Path, typer.Option(metavar="F", help="Where to write: CSV or Parquet by its ending.")],
    as_of: AsOfOption = None,
    home: HomeOption = None,
) -> None:
    """Write the signal table: one row per person seen before T.

    Example: pehle features build --as-of 2026-04-01 --out signals.parquet
    """
    from features.engine import tables_in_order
    from features.writing import write_signals
    from training.examples import fit_signals

    place = opened(home)
    writable(out)
    cutoff = as_of_or_default(place, as_of)
    fitted = fit_signals(place.log, cutoff, place.settings.churn, place.settings.company.timezone)
    url = place.settings.engine.url
    rows = write_signals(tables_in_order(url, place.log, [cutoff], fitted, progress=told_pace()), out)
    tell(f"{rows} people written to {out}.")
