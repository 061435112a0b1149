"""Which definitions of leaving does this company have? `[churn]` for everybody, and its tables for some."""

from __future__ import annotations

from typing import Any, Self

from pydantic import ConfigDict, Field, model_validator

from records.own_rows import NAME
from training.labels import ChurnOptions, Definition
from training.populations import DEFAULT


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
            if name == DEFAULT or not NAME.fullmatch(name):
                msg = f"[churn.{name}] cannot be the name of a definition: small letters, digits and _, not {DEFAULT!r}"
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
