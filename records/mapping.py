"""How do the columns of a source become the columns of an event? A mapping file (TOML) says so.

format = "csv"                      # csv, whitespace, fixed, jsonl, parquet; else by the file's ending
separator = ";"                     # header = ["a", "b"] for a file without names, widths = [8, 12], skip_lines = 2
timezone = "Asia/Kolkata"           # of times that carry no zone; else UTC

[columns]                           # canonical column = column of the source, or a table:
customer_id = "user.id"             # in JSON Lines a dot goes into an object
occurred_at = { column = "ts", format = "epoch_ms" }       # iso, epoch_s, epoch_ms, epoch_us, or "%d.%m.%Y %H:%M"
received_at = "loaded_at"           # when the source learned of it
amount = { column = "paise", multiply = "0.01" }
name = { column = "page", style = "snake_case", rename = { NextSong = "song_played" }, otherwise = "page_viewed" }

[constants]
currency = "INR"

[properties]
quantity = { column = "qty", type = "number" }             # text, number, boolean, json, time
expires_at = { column = "end", type = "time", format = "%Y%m%d" }

[[skip]]                            # rows to leave out; they are counted and put aside with this reason
column = "userId"
equals = ""
reason = "nobody was signed in"
"""

from __future__ import annotations

import tomllib
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from records.canonical import COLUMNS, REQUIRED
from records.errors import InputError
from records.reading import Format, Layout, ending_of, layout_of


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Strict):
    """Where the value of one column comes from, and what is done to it on the way."""

    column: str
    format: str = "iso"
    multiply: Decimal | None = Field(default=None, max_digits=18, decimal_places=6, gt=-(10**12), lt=10**12)
    style: Literal["snake_case"] | None = None
    rename: dict[str, str] = Field(default_factory=dict)
    otherwise: str | None = None  # for values `rename` does not name; None: they stay
    type: Literal["text", "number", "boolean", "json", "time"] | None = None


class Skip(_Strict):
    """Rows to leave out."""

    column: str
    equals: str | list[str]
    reason: str = Field(min_length=1)


def _rule(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


Ruled = Annotated[Rule, BeforeValidator(_rule)]


class Mapping(_Strict):
    """A mapping file, read and checked."""

    format: Format | None = None
    separator: str = Field(default=",", min_length=1, max_length=1)
    header: list[str] | None = None
    skip_lines: int = Field(default=0, ge=0)
    widths: list[Annotated[int, Field(gt=0)]] = Field(default_factory=list)
    encoding: Literal["utf-8", "latin-1", "cp1252"] = "utf-8"
    timezone: str = "UTC"
    columns: dict[str, Ruled] = Field(default_factory=dict)
    constants: dict[str, str] = Field(default_factory=dict)
    properties: dict[str, Ruled] = Field(default_factory=dict)
    skip: list[Skip] = Field(default_factory=list)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, OSError, ValueError) as error:
            msg = f"no time zone is called {name!r}"
            raise ValueError(msg) from error
        return name

    @model_validator(mode="after")
    def _complete(self) -> Mapping:
        for name in (*self.columns, *self.constants):
            if name not in COLUMNS:
                msg = f"an event has no column {name!r}; the columns are {', '.join(COLUMNS)}"
                raise ValueError(msg)
        for name in REQUIRED:
            if name not in self.columns and name not in self.constants:
                msg = f"{name} comes from nowhere: name it in [columns] or [constants]"
                raise ValueError(msg)
        twice = set(self.columns) & set(self.constants)
        if twice or (self.properties and "properties" in {*self.columns, *self.constants}):
            msg = f"{', '.join(sorted(twice)) or 'properties'} is given twice"
            raise ValueError(msg)
        if any("\0" in text for text in (*self.constants.values(), *self.properties)):
            msg = "a constant or the name of a property holds a NUL character"
            raise ValueError(msg)
        if (self.format == "fixed") != bool(self.widths) or (
            self.widths and len(self.widths) != len(self.header or ())
        ):
            msg = 'format = "fixed" needs widths and a header of the same length'
            raise ValueError(msg)
        return self

    def layout(self, path: Path) -> Layout:
        """How this file is written."""
        found = self.format or layout_of(path).format
        tabs = self.format is None and ending_of(path) == ".tsv" and "separator" not in self.model_fields_set
        return Layout(
            format=found,
            separator="\t" if tabs else self.separator,
            header=None if self.header is None else tuple(self.header),
            skip_lines=self.skip_lines,
            widths=tuple(self.widths),
            encoding=self.encoding,
        )

    def sources(self) -> list[str]:
        """The columns of the source that are read, each once."""
        rules = [*self.columns.values(), *self.properties.values()]
        return list(dict.fromkeys([*(rule.column for rule in rules), *(skip.column for skip in self.skip)]))


def shipped_mappings() -> list[str]:
    """The names of the mappings that come with Pehle."""
    folder = files("templates") / "mappings"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name no file can have
        return False


def load_mapping(name: str | Path) -> Mapping:
    """The mapping in this file, or the one of this name that comes with Pehle."""
    path = Path(name)
    if _is_file(path):
        content, label = path.read_bytes(), str(path)
    elif str(name) in shipped_mappings():
        content, label = (files("templates") / "mappings" / f"{name}.toml").read_bytes(), str(name)
    else:
        raise InputError(
            f"There is no mapping {str(name)!r}.",
            remedy=f"Give a file, or one of {', '.join(shipped_mappings())}.",
            file=str(name),
        )
    try:
        return Mapping.model_validate(tomllib.loads(content.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"The mapping {label} is not TOML: {error}.", remedy="Correct it.", file=label) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        found = "" if isinstance(first["input"], dict) else f" (found {first['input']!r})"
        why = "there is no such key" if first["type"] == "extra_forbidden" else first["msg"]
        raise InputError(
            f"The mapping {label} cannot be used: {place + ': ' if place else ''}{why}{found}.",
            remedy="Correct it; README, With your own events, shows the keys.",
            file=label,
            value=place,
        ) from error
