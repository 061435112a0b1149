"""Who falls under which definition of leaving? Several populations side by side, nobody in two of them.

`[churn]` holds for everybody. A table `[churn.prepaid]` with `where = { plan = "prepaid" }` takes its people out: the
first definition that fits a customer counts, `[churn]` itself takes the rest. What is asked is the last value known
before the cutoff, so that somebody who changes to another plan later was not of that plan then. One definition is a
list of one: nothing else in the project asks how many there are.
"""

# ruff: noqa: S608  the SQL is made of our own names; values and names from settings are quoted
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator

if TYPE_CHECKING:
    from records.events import EventLog

DEFAULT = "default"
# Columns of an event that may be asked for; every other name is a property.
COLUMNS = ("product", "channel", "topic", "currency")
# Whose `product` is the plan, where no property says it.
PLAN_EVENTS = ("subscription_started", "plan_changed", "subscription_renewed")
PROPERTY = re.compile(r"\w[\w .-]{0,62}")


def as_condition(value: Any) -> Any:
    """`{ plan = "prepaid" }` as `{ plan = ["prepaid"] }`: each name with the values that fit, as text."""
    if not isinstance(value, Mapping):
        return value  # pydantic says what is wrong with it
    found = {}
    for name, wanted in value.items():
        if not PROPERTY.fullmatch(str(name)):
            msg = f"{name!r} is not the name of a column or property"
            raise ValueError(msg)
        several = wanted if isinstance(wanted, list | tuple) else [wanted]
        found[name] = [str(one).lower() if isinstance(one, bool) else str(one) for one in several]
        if not found[name] or not all(found[name]):
            msg = f"{name} has no value to compare with"
            raise ValueError(msg)
    return found


# Every name must have one of its values; a value may end in * ("fiber_*"). Empty: everybody.
Condition = Annotated[dict[str, list[str]], BeforeValidator(as_condition)]


def value_sql(name: str) -> str:
    """SQL of what one event says about this name; null if it says nothing."""
    if name in COLUMNS:
        return f"nullif({name}, '')"
    said = f"json_extract_string(properties, {literal('/' + name)})"
    if name == "plan":
        events = ", ".join(literal(event) for event in PLAN_EVENTS)
        said = f"coalesce({said}, case when name in ({events}) then product end)"
    return f"nullif({said}, '')"


def literal(text: str) -> str:
    """A value as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def fits_sql(condition: Condition, columns: Mapping[str, str]) -> str:
    """SQL that is true where every name has one of its values; what is not known fits nothing."""
    tests = []
    for name, values in condition.items():
        column = columns[name]
        ways = [
            f"starts_with({column}, {literal(value[:-1])})" if value.endswith("*") else f"{column} = {literal(value)}"
            for value in values
        ]
        tests.append(f"coalesce({' or '.join(ways)}, false)")
    return "(" + " and ".join(tests) + ")" if tests else "true"


def population_sql(log: EventLog, cutoff: datetime, where: Condition, unless: Sequence[Condition]) -> str:
    """SQL that is true for the customers who fit `where` and none of `unless` at the cutoff; "true" for everybody.

    Reads nothing that happened or became known at or after the cutoff. Of two values of the same moment the one with
    the greater event_id counts.
    """
    columns, newest = newest_sql((where, *unless))
    if not columns:
        return "true"
    tests = " and ".join([fits_sql(where, columns), *(f"not {fits_sql(one, columns)}" for one in unless)])
    return (
        f"customer_id in (select customer_id from (select customer_id{newest} "
        f"from {log.relation_sql(cutoff)} group by customer_id) where {tests})"
    )


def newest_sql(conditions: Sequence[Condition]) -> tuple[dict[str, str], str]:
    """The names these conditions ask for with the column of each, and SQL of those columns in a grouped query."""
    names = sorted({name for condition in conditions for name in condition})
    columns = {name: f"value_{place}" for place, name in enumerate(names)}
    newest = "".join(
        f", max_by({value_sql(name)}, (occurred_at, event_id)) filter ({value_sql(name)} is not null) as {column}"
        for name, column in columns.items()
    )
    return columns, newest


def belonging_sql(rows: str, named: Mapping[str, Condition], key: str = "customer_id") -> str:
    """SQL of (`key`, definition): to which of the named definitions does each belong, by the events in `rows`?

    `rows` is a relation of events with the column `key`; the first condition that fits counts, as in training. Whoever
    fits none belongs to the default definition.
    """
    columns, newest = newest_sql(list(named.values()))
    ways = "".join(f"when {fits_sql(where, columns)} then {literal(name)} " for name, where in named.items())
    chosen = f"case {ways}else {literal(DEFAULT)} end" if ways else literal(DEFAULT)
    return f"select {key}, {chosen} as definition from (select {key}{newest} from {rows} group by {key})"
