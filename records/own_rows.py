"""What does one row of a company's own table say? Who, at which moment, and the numbers; or why it cannot be used."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal
from unicodedata import category

from records.errors import InputError
from records.translating import CLOCK_SKEW, EARLIEST_YEAR

Kind = Literal["signals", "labels", "scores"]
SIGNALS: Kind = "signals"
LABELS: Kind = "labels"
SCORES: Kind = "scores"
KEYS = ("customer_id", "cutoff")
# The column of a kind whose columns are not the company's to name.
FIXED: dict[str, str] = {LABELS: "left", SCORES: "churn_probability"}
# Names of tables, and of definitions in the settings.
NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
LONGEST_NAME = 63
TRUE, FALSE = ("true", "yes", "t", "y"), ("false", "no", "f", "n")


def value_names(kind: Kind, file: Path, header: Sequence[str]) -> tuple[str, ...]:
    """The columns beside the keys; a refusal where a key is missing or a column cannot be used."""
    names = tuple(name for name in header if name not in KEYS)
    wanted = FIXED.get(kind)
    wrong, remedy = "", "Correct the line with the names of the columns."
    if missing := [name for name in (*KEYS, *([wanted] if wanted else [])) if name not in header]:
        wrong, remedy = f"has no column {missing[0]!r}", f"Rename the column that holds it to {missing[0]}."
    elif wanted and len(names) > 1:
        wrong, remedy = f"has columns beside {', '.join((*KEYS, wanted))}", "Leave them out."
    elif not names:
        wrong, remedy = "has no column beside customer_id and cutoff", "Add the columns with the numbers."
    elif bad := [name for name in names if not _names_a_signal(name)]:
        wrong = f"has a column named {bad[0][:80]!r}, which cannot name a signal"
        remedy = f"Use letters, digits, blanks and . _ -, {LONGEST_NAME} of them at most, a letter or digit first."
    elif len({name.lower() for name in header}) < len(header):
        wrong = "has two columns of one name"
    if wrong:
        msg = f"{file} {wrong}; it has {', '.join(header)[:300] or 'none'}."
        raise InputError(msg, remedy=remedy, file=str(file), line=1, value=", ".join(header)[:200])
    return names


def _names_a_signal(name: str) -> bool:
    """Letters of any script with their marks (the vowels of Hindi are such), digits, and little else."""
    first = name[:1]
    letters = all(category(one)[0] in "LMN" or one in " ._-" for one in name)
    return letters and len(name) <= LONGEST_NAME and (first == "_" or category(first or " ")[0] in "LN")


def own_row(kind: Kind, row: dict[str, Any], names: Sequence[str], now: datetime) -> tuple[Any, ...]:
    """customer_id, cutoff and the numbers; ValueError(reason, value) if the row cannot be used.

    A row about a moment after `now` is none that anybody can know.
    """
    customer = str(row.get("customer_id") or "").strip(" ")  # as of an event
    if not customer or "\0" in customer:
        raise ValueError("customer_id is missing", None)
    if strange := row.keys() - {*KEYS, *names}:
        raise ValueError("the row has a column the table does not have", min(strange))
    values = [number_of(name, row.get(name)) for name in names]
    if kind == LABELS and values[0] not in (0.0, 1.0):
        raise ValueError("left is not true or false", row.get("left"))
    if kind == SCORES and (values[0] is None or not 0 <= values[0] <= 1):
        raise ValueError("churn_probability is not between 0 and 1", row.get("churn_probability"))
    cutoff = instant_of(row.get("cutoff"))
    if cutoff > now + CLOCK_SKEW:
        raise ValueError("cutoff lies in the future", row.get("cutoff"))
    if cutoff.year < EARLIEST_YEAR:
        raise ValueError(f"cutoff is before {EARLIEST_YEAR}", row.get("cutoff"))
    return (customer, cutoff, *values)


def instant_of(value: Any) -> datetime:
    """A day as its midnight in UTC, a time only with its zone."""
    if value is None or value == "":
        raise ValueError("cutoff is missing", None)
    try:
        if isinstance(value, date) and not isinstance(value, datetime):
            at = datetime(value.year, value.month, value.day, tzinfo=UTC)
        else:
            at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
            if at.tzinfo is None and not isinstance(value, datetime) and len(str(value).strip()) <= len("2026-04-01"):
                at = at.replace(tzinfo=UTC)
        if at.tzinfo is None:
            raise ValueError("cutoff has a time but no zone", value)
        return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        if len(error.args) == 2:
            raise
        raise ValueError("cutoff is neither a day nor a time with its zone", value) from error


def number_of(name: str, value: Any) -> float | None:
    """A number; true and false are 1 and 0, nothing is None."""
    text = str(value).strip().lower() if value is not None else ""
    if not text:
        return None
    if text in TRUE or text in FALSE:
        return float(text in TRUE)
    try:
        found = float(text.replace("_", "?"))  # what Python takes for a number, but nobody else
    except ValueError as error:
        raise ValueError(f"{name} is not a number", value) from error
    if not math.isfinite(found):
        raise ValueError(f"{name} is not a finite number", value)
    return found
