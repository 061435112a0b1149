"""Properties of events that no family knows: what do their numbers and words say, customer by customer?

Found by frequency before the fit, in the manner of deep feature synthesis: every number of every such event (`amount`
among them) gets its mean, spread, sum and last value in windows and against the customer's own past, every word how
many kinds of it there were. Names of events and properties are data: they are quoted wherever they meet SQL.
"""

# ruff: noqa: S608  the SQL is made of our own names; words are quoted

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from features.generic import slugs
from features.signal import Columns, Measure, Signal, column, days_between, ratio
from features.step import Step
from records.events import EventLog

MOST_NUMBERS, MOST_TEXTS = 8, 4
FEWEST_VALUES = 20
LARGEST = 100_000_000
"""A number beyond it is no measurement; what is left can be squared and added up exactly."""

PARTS = 10_000
"""Numbers are kept as whole ten-thousandths: their sums and squares are exact on any engine."""

_NO_MEASURE = re.compile(r"(?i:(^|[\W_])(id|uuid|guid|key|hash|zip|phone)$)|[a-z]I[dD]$")
"""Numbers under such a name tell things apart: their mean says nothing."""

SAMPLE = 50_000
"""So many of the last events that have properties tell which there are."""


@dataclass(frozen=True, order=True)
class Property:
    """A property of an event; the empty key stands for the column `amount`."""

    event: str
    key: str


def sql_of(one: Property, *, number: bool) -> str:
    """SQL of its value, null for other events and for what is not as it should be."""
    from features.facts import quoted  # which itself reads what is fitted

    pointer = "/" + one.key.replace("~", "~0").replace("/", "~1")
    value = f"(properties->>{quoted(pointer)})" if one.key else "amount"
    if number:
        value = f"try_cast({value} as decimal(18, 4))"
        value = f"case when {value} between -{LARGEST} and {LARGEST} then ({value} * {PARTS})::bigint end"
    return f"case when name = {quoted(one.event)} then {value} end"


def fit_properties(
    log: EventLog, until: datetime, events: Sequence[str]
) -> tuple[tuple[Property, ...], tuple[Property, ...]]:
    """Which numbers, and which words, do these events carry most often? Most frequent first, then by name."""
    if not events:
        return (), ()
    from features.facts import quoted

    names = ", ".join(map(quoted, events))
    with log.connection() as con:
        found = con.execute(
            f"""with past as (
                select name, amount, properties from {log.relation_sql(until)} where name in ({names})
                order by occurred_at desc, event_id limit {SAMPLE}
            ), pairs as (
                select name, unnest(json_keys(properties)) as key, properties from past
                where json_type(properties) = 'OBJECT'
            ), valued as (
                select name, key, properties->>('/' || replace(replace(key, '~', '~0'), '/', '~1')) as value from pairs
                where key <> ''
                union all select name, '', amount::varchar from past
            )
            select name, key, count(value), count(try_cast(value as decimal(18, 4))), count(distinct value)
            from valued where value is not null group by name, key
            order by count(value) desc, name, key"""
        ).fetchall()
    usable = [(Property(*row[:2]), *row[2:]) for row in found if row[2] >= FEWEST_VALUES and row[4] >= 2]
    numbers = [one for one, count, numeric, _ in usable if numeric >= 0.9 * count and not _NO_MEASURE.search(one.key)]
    texts = [one for one, count, numeric, _ in usable if numeric < 0.9 * count]
    return tuple(numbers[:MOST_NUMBERS]), tuple(texts[:MOST_TEXTS])


def fact_columns(numbers: Sequence[Property], texts: Sequence[Property]) -> dict[str, str]:
    """The columns of staged events that hold these properties, each with its SQL."""
    found = {f"number_{index}": sql_of(one, number=True) for index, one in enumerate(numbers)}
    return found | {f"text_{index}": sql_of(one, number=False) for index, one in enumerate(texts)}


def measures(numbers: Sequence[Property], events: tuple[str, ...]) -> tuple[Measure, ...]:
    """What is counted of these numbers: how many, their sum, and the sum of their squares."""
    made: list[Measure] = []
    for index, _ in enumerate(numbers):
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


def step(texts: Sequence[Property], events: tuple[str, ...]) -> tuple[Step, ...]:
    """How many kinds of each word? One step for all of them."""
    names = [f"text_{index}" for index, _ in enumerate(texts)]
    if not names:
        return ()

    def rows(facts: Any) -> Any:
        import ibis

        kept = facts.filter(ibis.or_(*(facts[name].notnull() for name in names)))
        return kept.select("code", "day", "known_day", *names)

    def at(rows: Any, cutoffs: Any, ages: Any) -> Any:
        seen = rows.join(cutoffs, rows.known_day < cutoffs.cutoff_day)
        recent = seen.cutoff_day - seen.day <= 90
        found: dict[str, Any] = {}
        for name in names:
            found[f"{name}_kinds"] = seen[name].nunique().cast("int32")
            found[f"{name}_kinds_90"] = seen[name].nunique(where=recent).cast("int32")
        return seen.group_by("code", "cutoff_day").agg(**found)

    counts = tuple(f"{name}_{part}" for name in names for part in ("kinds", "kinds_90"))
    return (Step(name="texts", events=events, rows=rows, at=at, counts=counts),)


def signals(numbers: Sequence[Property], texts: Sequence[Property]) -> tuple[Signal, ...]:
    """Which signals describe these properties?"""
    made: list[Signal] = []
    names = slugs(tuple(f"{one.event} {one.key or 'amount'}" for one in (*numbers, *texts)))
    for index, (one, name) in enumerate(zip((*numbers, *texts), names, strict=True)):
        signal = partial(
            Signal, family="properties", needs=(one.event,), group=f"property_{name}", no_data="null: no such value"
        )
        what = f"“{one.key or 'amount'}” of “{one.event}”"
        if index < len(numbers):
            made += _of_number(signal, f"number_{index}", name, what)
        else:
            made += _of_text(signal, f"text_{index - len(numbers)}", name, what)
    return tuple(made)


def _of_number(signal: Any, fact: str, name: str, what: str) -> list[Signal]:
    return [
        *(
            signal(
                name=f"property_{name}_mean_{window}d",
                question=f"What was the mean {what} in {window} days?",
                unit="as given",
                value=partial(_mean, fact, window),
            )
            for window in (30, 365)
        ),
        signal(
            name=f"property_{name}_mean_30d_to_365d",
            question=f"How does the mean {what} of 30 days compare with that of 365?",
            unit="ratio",
            value=lambda t: _mean(fact, 30, t) / _mean(fact, 365, t).nullif(0.0),
        ),
        signal(
            name=f"property_{name}_sd_365d",
            question=f"By how much did {what} vary in 365 days (standard deviation)?",
            unit="as given",
            value=partial(_deviation, fact),
        ),
        signal(
            name=f"property_{name}_last",
            question=f"What was the last {what}?",
            unit="as given",
            value=lambda t: getattr(t, f"{fact}_sum_latest").cast("float64") / float(PARTS),
        ),
        signal(
            name=f"property_{name}_sum_per_30d_of_tenure",
            question=f"What did {what} add up to per 30 days that we have known them, over the last 90?",
            unit="as given per 30 days",
            no_data="0",
            value=partial(_per_tenure, fact),
        ),
    ]


def _of_text(signal: Any, fact: str, name: str, what: str) -> list[Signal]:
    return [
        *(
            signal(
                name=f"property_{name}_kinds_{words}",
                question=f"How many different {what} {when}?",
                unit="kinds",
                no_data="0",
                value=column(found),
            )
            for words, when, found in (("90d", "in 90 days", f"{fact}_kinds_90"), ("ever", "so far", f"{fact}_kinds"))
        ),
        signal(
            name=f"property_{name}_kinds_90d_share",
            question=f"What share of all their different {what} came in the last 90 days?",
            unit="share",
            value=lambda t: ratio(getattr(t, f"{fact}_kinds_90"), getattr(t, f"{fact}_kinds")),
        ),
    ]


def _mean(fact: str, window: int, t: Columns) -> Any:
    return ratio(getattr(t, f"{fact}_sum_{window}"), getattr(t, f"{fact}_n_{window}")) / float(PARTS)


def _deviation(fact: str, t: Columns) -> Any:
    # n·Σx² - (Σx)² in whole numbers of 38 digits: nothing cancels before the one division.
    n, total, squares = (getattr(t, f"{fact}_{part}_365").cast("decimal(38, 0)") for part in ("n", "sum", "squares"))
    return ratio(n * squares - total * total, n * n).sqrt() / float(PARTS)


def _per_tenure(fact: str, t: Columns) -> Any:
    known = days_between(t.cutoff_us, t.known_us).clip(1.0, 90.0)
    return 30.0 * getattr(t, f"{fact}_sum_90").cast("float64") / float(PARTS) / known
