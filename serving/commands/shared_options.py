"""What do all commands share? The home, the present time, JSON on stdout and words on stderr."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from serving.home import Home

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", metavar="DIR", help="The home; default: $PEHLE_HOME, else the current folder."),
]
ByOption = Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides; it is recorded.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON value on stdout.")]
AsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="T",
        help="Use only what was known before T (ISO 8601). Default: UTC midnight after the last event.",
    ),
]

# What a terminal obeys or hides behind, but for the tab and the line end; joiners belong to Indian scripts.
_COMMANDS = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]")

# Set by the option before the command's name: `pehle --home DIR status`.
_chosen: dict[str, Path] = {}


def choose_home(path: Path | None) -> None:
    """Remember the home named before the command."""
    if path is not None:
        _chosen["home"] = path


def home_path(option: Path | None) -> Path:
    """The folder meant: the command's option, the one before the command, $PEHLE_HOME, or here."""
    return option or _chosen.get("home") or Path(os.environ.get("PEHLE_HOME", "."))


def opened(option: Path | None) -> Home:
    """The home, opened; exits 1 naming `--home` if there is none."""
    from serving.home import open_home

    return open_home(home_path(option))


def wall_clock() -> datetime:
    """The time outside."""
    return datetime.now(UTC)


def clock_of(home: Home) -> Callable[[], datetime]:
    """The time in this home: a simulated one may be ahead."""
    from serving.home import clock

    return clock(home, wall_clock)


def moment(text: str, option: str) -> datetime:
    """An instant from ISO 8601; without a zone it is UTC.

    Raises
    ------
    typer.BadParameter
        It is not a time; names the option.
    """
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:  # the latter: a zone that leads out of the years 1 to 9999
        msg = f"{text!r} is not a time. Write it like 2026-04-01 or 2026-04-01T00:00:00Z."
        raise typer.BadParameter(msg, param_hint=option) from error


def as_of_or_default(home: Home, text: str | None) -> datetime:
    """`--as-of`, or UTC midnight after the last event; the default is told."""
    from serving.jobs import default_as_of

    if text is not None:
        return moment(text, "--as-of")
    found = default_as_of(home.log)
    tell(f"Data until {found:%Y-%m-%d %H:%M} UTC (the end of the log).")
    return found


def writable(out: Path) -> Path:
    """`--out`, looked at before the work begins and not after it.

    Raises
    ------
    InputError
        Its ending is neither of those we write, or its folder is not there.
    """
    from records.errors import InputError

    if out.suffix.lower() not in (".csv", ".parquet"):
        msg = f"{out.name} ends in {out.suffix or 'nothing'!r}."
        raise InputError(msg, remedy="Use a name ending in .csv or .parquet.", file=str(out))
    if not out.parent.is_dir():
        msg = f"There is no folder {out.parent} for {out.name}."
        raise InputError(msg, remedy="Make it first, or name another.", file=str(out))
    return out


def tell(line: str) -> None:
    """A line for the person at the terminal; stdout stays clean for data."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def show(line: str = "") -> None:
    """A line of the answer; what a terminal would obey in it is written out."""
    print(harmless(line))  # noqa: T201


def harmless(text: str) -> str:
    """The text with control characters, and those that turn the direction of writing, written out.

    >>> harmless("a name with \\x1b[31m and \\u202e, क़\\u200dका")
    'a name with \\\\x1b[31m and \\\\u202e, क़\\u200dका'
    """
    return _COMMANDS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def show_json(value: Any) -> None:
    """The answer as one JSON value."""
    print(json.dumps(value, ensure_ascii=False, default=str))  # noqa: T201


def show_table(rows: list[list[str]]) -> None:
    """Columns aligned with spaces; the first row is the head."""
    if not rows:
        return
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        show("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def told_pace() -> Callable[[int, int], None] | None:
    """A line of progress that is written over, and wiped at the end; nothing where nobody watches."""
    from time import perf_counter

    from features.pace import pace

    if not sys.stderr.isatty():
        return None
    started = perf_counter()

    def tell_pace(done: int, of: int) -> None:
        text = f"  {pace(done, of, perf_counter() - started)}" if done < of else ""
        sys.stderr.write(f"\r{text}\033[K")
        sys.stderr.flush()

    return tell_pace


@contextmanager
def stage(name: str) -> Iterator[Callable[[str], None]]:
    """One progress line per stage: its name at once, what came of it and its seconds at the end."""
    from time import perf_counter

    started = perf_counter()
    outcome: list[str] = []
    live = sys.stderr.isatty()
    if live:
        print(f"  {name} …", end="", file=sys.stderr, flush=True)  # noqa: T201
    try:
        yield outcome.append
    except BaseException:
        if live:
            print(file=sys.stderr)  # noqa: T201
        raise
    text = f"  {name:<10} {outcome[-1] if outcome else 'done'}  ({perf_counter() - started:.1f} s)"
    tell(("\r\033[K" if live else "") + text)
