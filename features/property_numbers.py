"""Numbers that events carry: mean, extremes, spread, sum and last value, in windows and against the own past."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from features.signal import Columns, Measure, Signal, days_between, ratio

LARGEST = 100_000_000
"""A number beyond it is no measurement; what is left can be squared and added up exactly."""

PARTS = 10_000
"""Numbers are kept as whole ten-thousandths: their sums and squares are exact on any engine."""


def measures(count: int, events: tuple[str, ...]) -> tuple[Measure, ...]:
    """What is counted of so many numbers: how many of each, their sum, and the sum of their squares."""
    made: list[Measure] = []
    for index in range(count):
        name, given = f"number_{index}", partial(_given, f"number_{index}")
        made += [
            Measure(name=f"{name}_n", events=events, where=given),
            Measure(name=f"{name}_sum", events=events, where=given, amount=partial(_value, name)),
            Measure(name=f"{name}_squares", events=events, where=given, amount=partial(_square, name)),
        ]
    return tuple(made)


def _given(name: str, events: Any) -> Any:
    return events[name].notnull()


def _value(name: str, events: Any) -> Any:
    return events[name]


def _square(name: str, events: Any) -> Any:
    value = events[name].cast("decimal(19, 0)")
    return (value * value).cast("decimal(38, 0)")


def of_number(signal: Callable[..., Signal], what: str, fact: str, name: str) -> list[Signal]:
    """The signals of one number, whose facts begin with `fact`; `signal` knows its event and group."""
    mean, given = partial(_mean, fact), partial(signal, unit="as given")
    return [
        *(
            given(
                name=f"{name}_mean_{window}d",
                question=f"What was the mean {what} in {window} days?",
                value=partial(mean, window),
            )
            for window in (30, 365)
        ),
        signal(
            name=f"{name}_mean_30d_to_365d",
            question=f"How does the mean {what} of 30 days compare with that of 365?",
            unit="ratio",
            value=lambda t: mean(30, t) / mean(365, t).nullif(0.0),
        ),
        given(
            name=f"{name}_mean_change_90d",
            question=f"By how much is the mean {what} of 90 days above that of the 90 before?",
            value=lambda t: mean(90, t) - ratio(_before(fact, "sum", t), _before(fact, "n", t)) / float(PARTS),
        ),
        given(
            name=f"{name}_sd_365d",
            question=f"By how much did {what} vary in 365 days (standard deviation)?",
            value=partial(_deviation, fact),
        ),
        *(
            given(
                name=f"{name}_{short}_365d",
                question=f"What was the {long} {what} in 365 days?",
                value=partial(_number, f"{fact}_sum_{long}_365"),
            )
            for short, long in (("min", "lowest"), ("max", "highest"))
        ),
        given(
            name=f"{name}_last",
            question=f"What was the last {what}?",
            value=partial(_number, f"{fact}_sum_latest"),
        ),
        given(
            name=f"{name}_last_less_mean",
            question=f"By how much is the last {what} above the mean of 365 days?",
            value=lambda t: _number(f"{fact}_sum_latest", t) - mean(365, t),
        ),
        given(
            name=f"{name}_sum_90d",
            question=f"What did {what} add up to in 90 days?",
            no_data="0",
            value=partial(_number, f"{fact}_sum_90"),
        ),
        signal(
            name=f"{name}_sum_per_30d_of_tenure",
            question=f"What did {what} add up to per 30 days that we have known them, over the last 90?",
            unit="as given per 30 days",
            no_data="0",
            value=partial(_per_tenure, fact),
        ),
    ]


def _number(fact: str, t: Columns) -> Any:
    return getattr(t, fact).cast("float64") / float(PARTS)


def _mean(fact: str, window: int, t: Columns) -> Any:
    return ratio(getattr(t, f"{fact}_sum_{window}"), getattr(t, f"{fact}_n_{window}")) / float(PARTS)


def _before(fact: str, part: str, t: Columns) -> Any:
    """What lies between 180 and 90 days before the cutoff."""
    return getattr(t, f"{fact}_{part}_180") - getattr(t, f"{fact}_{part}_90")


def _deviation(fact: str, t: Columns) -> Any:
    # n·Σx² - (Σx)² in whole numbers of 38 digits: nothing cancels before the one division.
    n, total, squares = (getattr(t, f"{fact}_{part}_365").cast("decimal(38, 0)") for part in ("n", "sum", "squares"))
    return ratio(n * squares - total * total, n * n).sqrt() / float(PARTS)


def _per_tenure(fact: str, t: Columns) -> Any:
    known = days_between(t.cutoff_us, t.known_us).clip(1.0, 90.0)
    return 30.0 * _number(f"{fact}_sum_90", t) / known
