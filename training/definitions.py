"""Which definitions of leaving does this company have? `[churn]` for everybody, and its tables for some."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from pydantic import ConfigDict, Field, model_validator

from records.own_rows import NAME
from training.labels import ChurnOptions, Definition
from training.populations import DEFAULT, belonging_sql, literal

TAKEN = (DEFAULT, "imported")  # [churn] itself; what scores made elsewhere begin their version with


class ChurnSection(ChurnOptions):
    """`[churn]`, with a table for each further population: `[churn.prepaid] where = { plan = "prepaid" }`.

    A table says what is different from `[churn]`; whom it is about it must say itself.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, ChurnOptions] = Field(init=False)

    @model_validator(mode="before")
    @classmethod
    def tables_over_the_defaults(cls, values: Any) -> Any:
        if isinstance(values, ChurnOptions):
            values = {field: getattr(values, field) for field in ChurnOptions.model_fields}
        if not isinstance(values, dict):
            return values
        own = {key: value for key, value in values.items() if key in ChurnOptions.model_fields}
        inherited = {key: value for key, value in own.items() if key != "where"}
        others = {
            key: {**inherited, **value} if isinstance(value, dict) else value
            for key, value in values.items()
            if key not in own
        }
        return own | others

    @model_validator(mode="after")
    def each_names_its_people(self) -> Self:
        for name, churn in (self.model_extra or {}).items():
            if name in TAKEN or not NAME.fullmatch(name):
                taken = " or ".join(repr(one) for one in TAKEN)
                msg = f"[churn.{name}] cannot be the name of a definition: small letters, digits and _, not {taken}"
                raise ValueError(msg)
            if not churn.where:
                msg = f'[churn.{name}] says nothing of whom it is about, for example where = {{ plan = "{name}" }}'
                raise ValueError(msg)
        return self


def definitions(churn: ChurnOptions) -> dict[str, Definition]:
    """Each definition by name, in the order of the file, "default" last: whoever fits an earlier one is in no later."""
    tables: dict[str, ChurnOptions] = dict(churn.model_extra or {})
    found: dict[str, Definition] = {}
    for name, one in {**tables, DEFAULT: churn}.items():
        values = {field: getattr(one, field) for field in ChurnOptions.model_fields}
        found[name] = Definition(**values, unless=tuple(earlier.where for earlier in found.values()))
    return found


def belonging(churn: ChurnOptions, rows: str, key: str = "customer_id") -> str:
    """SQL of (`key`, definition) for the events in `rows`: see training.populations.belonging_sql."""
    named = {name: one.where for name, one in definitions(churn).items() if name != DEFAULT}
    return belonging_sql(rows, named, key)


def by_definition(churn: ChurnOptions, sql: Callable[[Definition], str], column: str = "definition") -> str:
    """SQL that says of each row what `sql` says of the definition in its `column`."""
    found = {name: sql(one) for name, one in definitions(churn).items()}
    default = found.pop(DEFAULT)
    ways = "".join(f"when {literal(name)} then {one} " for name, one in found.items())
    return f"(case {column} {ways}else {default} end)" if ways else f"({default})"
