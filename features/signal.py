"""What is a signal? One number about one customer at one cutoff, declared with its question, unit and definition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from features.cutoffs import WEIGHT_ONE

Row = Mapping[str, float | None]
Definition = Callable[["Columns"], Any]
Saying = Callable[[float, Row], "tuple[str, str] | None"]
"""Value and the customer's other signals → the fact in English and in Hindi, or nothing worth saying."""


class Columns:
    """The facts about one customer at one cutoff that definitions read, as attributes; remembers which were read."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self.read: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.read.add(name)
        return self._table[name]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What an event adds to its customer's day. It becomes the facts `<name>_30` (sum over the last 30 days; `_all`:
    ever), `<name>_first` and `<name>_last` (microseconds), `<name>_latest` and `<name>_earliest` (the value then), and
    for counted days `<name>_decay_90` and `<name>_age`."""

    name: str
    events: tuple[str, ...]  # the stream: names of the events it is taken from; empty: all of activity
    where: Callable[[Any], Any] | None = None  # which of these events; none: all
    amount: Callable[[Any], Any] | None = None  # what is summed, a whole number or decimal; none: 1 each
    day_of: str = ""  # counts the days on which this other measure was above zero, each day once


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One column of the signal table."""

    name: str  # of the column
    question: str
    unit: str
    family: str
    no_data: str  # what a null, or the zero in its place, means
    value: Definition
    needs: tuple[str, ...] = ()  # null until the log has one of these events before the cutoff
    group: str = ""  # signals of one group tell the same story: at most one of them becomes a reason
    say: Saying | None = None  # none: never a reason by itself, it may strengthen another of its group


# ── definitions that many signals share ──────────────────────────────────────────────────────────────────────


def ratio(above: Any, below: Any) -> Any:
    """How many times does one go into the other? Null where there is nothing to divide by."""
    return above.cast("float64") / below.cast("float64").nullif(0.0)


def days_between(later: Any, earlier: Any) -> Any:
    """How many days, with fractions, lie between two moments in microseconds?"""
    return (later - earlier).cast("float64") / 86_400_000_000.0


def column(fact: str) -> Definition:
    """The fact itself."""
    return lambda t: getattr(t, fact)


def per(above: str, below: str) -> Definition:
    """One fact for each of another."""
    return lambda t: ratio(getattr(t, above), getattr(t, below))


def days_since(moment: str) -> Definition:
    """Days from a moment to the cutoff."""
    return lambda t: days_between(t.cutoff_us, getattr(t, moment))


def decayed(measure: str, half_life: int) -> Definition:
    """Days, each counting half for every half-life of its age."""
    return lambda t: getattr(t, f"{measure}_decay_{half_life}").cast("float64") / float(WEIGHT_ONE)


def change(measure: str, window: int) -> Definition:
    """This window's count less that of the window before it."""
    return lambda t: 2 * getattr(t, f"{measure}_{window}") - getattr(t, f"{measure}_{2 * window}")


def week(measure: str, number: int) -> Definition:
    """The count of one week, the first being the last seven days."""
    return lambda t: getattr(t, f"{measure}_{7 * number}") - getattr(t, f"{measure}_{7 * (number - 1)}")


def per_30_days(fact: str) -> Definition:
    """A count of 90 days for each 30 of these that the customer was known: a newcomer had less time to act."""
    return lambda t: 30.0 * getattr(t, fact).cast("float64") / days_between(t.cutoff_us, t.known_us).clip(1.0, 90.0)
