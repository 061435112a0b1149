"""Which SQL turns the cells of a source into an event, and says what is wrong where it cannot?

One statement per mapping, run by DuckDB on a chunk of rows at a time. Its input has the columns `line` and c0, c1, …:
the texts of the source's columns, null where there is none. Its output has the canonical columns and `reason`, `value`:
null for a good row.
"""

# ruff: noqa: S608  names are our own, every word of a mapping is quoted
from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from json import dumps as to_json

from records.canonical import COLUMNS
from records.errors import InputError
from records.mapping import Mapping, Rule
from records.reading import MAX_CELL

EARLIEST_YEAR = 1990  # events before that are misread dates (1970: an empty epoch) rather than history
CLOCK_SKEW = timedelta(days=2)  # a source's clock may run ahead of ours by a time zone or so
_EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}
_WORDS = ("event_id", "customer_id", "name", "channel", "product", "topic", "currency")
_ZONED = r"'([+-](0\d|1[0-5])(:?[0-5]\d)?|[A-Za-z][A-Za-z0-9/_+-]*)$'"  # +05:30, Z, Europe/Berlin
# Nothing may follow the seconds: DuckDB would leave out an offset it half understands.
_LOCAL = r"'\d{4}[-/]\d{1,2}[-/]\d{1,2}([ T]\d{1,2}:\d{1,2}(:\d{1,2}([.]\d+)?)?)?'"
_NUL_ESCAPE = r"'(^|[^\\])(\\\\)*\\u0000'"  # in JSON; not a backslash before the four characters u0000
LONGEST_ID = 500  # characters; databases index ids, and PostgreSQL's index has room for no more
_NO_JSON_NUMBER = r"'[:\[,]-?(nan|inf|NaN|Inf)'"
_CANONICAL = Mapping(columns={name: Rule(column=name) for name in COLUMNS})


def translation_sql(mapping: Mapping | None, sources: Sequence[str], relation: str, now: datetime, json: bool) -> str:
    """The statement for rows of these source columns; `json`: properties' cells are JSON values already."""
    if mapping is None:
        given = {name: rule for name, rule in _CANONICAL.columns.items() if name in sources}
        mapping = _CANONICAL.model_copy(update={"columns": given})
    cells = {name: f"c{index}" for index, name in enumerate(sources)}
    read = [f"{_given(name, mapping, cells)} as given_{name}" for name in COLUMNS if name != "properties"]
    properties = _properties(mapping, cells, json)
    skips = []
    for skip in mapping.skip:
        values = [skip.equals] if isinstance(skip.equals, str) else skip.equals
        listed = ", ".join(literal(value) for value in values)
        skips.append((f"coalesce({cells[skip.column]}, '') in ({listed})", literal(skip.reason), cells[skip.column]))
    faults = [*skips, *_faults(now)]
    longest = " or ".join(f"length({cell}) > {MAX_CELL}" for cell in cells.values())
    faults.insert(0, (longest, literal(f"a cell is longer than {MAX_CELL} characters"), "null"))
    faults.insert(
        1, (" or ".join(f"contains({cell}, chr(0))" for cell in cells.values()), "'it holds a NUL character'", "null")
    )
    texts = ", ".join(f"cast({cell} as varchar) as {cell}" for cell in cells.values())
    output = [
        "coalesce(received_at, occurred_at) as received_at" if name == "received_at" else name for name in COLUMNS
    ]
    return (
        f"with cells as (select line, {texts} from {relation}), "
        f"given as (select *, {', '.join(read)}, {properties} as given_properties from cells), "
        f"parsed as (select *, {', '.join(_parsed(name, mapping) for name in COLUMNS)} from given) "
        f"select line, {', '.join(output)}, case {_cases(faults, 1)} end as reason, "
        f"left(case {_cases(faults, 2)} end, 200) as value from parsed order by line"
    )


def _cases(faults: Sequence[tuple[str, str, str]], index: int) -> str:
    return " ".join(f"when {fault[0]} then {fault[index]}" for fault in faults)


def literal(text: str) -> str:
    """This text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def _given(name: str, mapping: Mapping, cells: dict[str, str]) -> str:
    """The text that stands for a column, before it is read as a time or a number."""
    if name in mapping.constants:
        return literal(mapping.constants[name])
    rule = mapping.columns.get(name)
    if rule is None:
        return "cast(null as varchar)"
    cell = cells[rule.column]
    text = f"nullif({cell}, '')" if name == "text" else f"nullif(trim({cell}), '')"
    return _renamed(text, rule)


def _renamed(text: str, rule: Rule) -> str:
    value = text
    if rule.style == "snake_case":
        spaced = f"regexp_replace({text}, '([a-z0-9])([A-Z])', '\\1_\\2', 'g')"
        value = f"trim(regexp_replace(lower({spaced}), '[^a-z0-9]+', '_', 'g'), '_')"
    if not rule.rename:
        return value
    otherwise = value if rule.otherwise is None else literal(rule.otherwise)
    cases = " ".join(f"when {literal(old)} then {literal(new)}" for old, new in rule.rename.items())
    return f"case {text} {cases} else {otherwise} end"


def _parsed(name: str, mapping: Mapping) -> str:
    given = f"given_{name}"
    rule = mapping.columns.get(name, Rule(column=name))
    if name == "occurred_at":
        return f"{_time(given, rule, mapping.timezone)} as occurred_at"
    if name == "received_at":
        return f"{_time(given, rule, mapping.timezone)} as received_at"
    if name == "amount":
        number = f"try_cast({given} as decimal(18, 4))"
        if rule.multiply is not None:
            # A decimal by a decimal stays exact in DuckDB; a decimal divided does not.
            number = f"try_cast(try_cast({given} as decimal(18, 4)) * cast({rule.multiply:f} as decimal(18, 6)) "
            number += "as decimal(18, 4))"
        return f"{number} as amount"
    if name == "rating":
        return f"try_cast({given} as double) as rating"
    if name == "properties":
        # DuckDB reads more than JSON allows: json() writes it properly, apart from numbers JSON does not have.
        proper = f"cast(json(case when json_valid({given}) then {given} end) as varchar)"
        return f"case when not regexp_matches({proper}, {_NO_JSON_NUMBER}) then {proper} end as properties"
    if name == "currency":
        return f"upper({given}) as currency"
    return f"{given} as {name}"


def _time(given: str, rule: Rule, zone: str) -> str:
    if rule.format in _EPOCHS:
        micros = f"try_cast(try_cast({given} as decimal(28, 6)) * {_EPOCHS[rule.format]} as bigint)"
        # Beyond some 290,000 years make_timestamptz fails; such a number is no time at all.
        return f"make_timestamptz(case when abs({micros}) < 9000000000000000 then {micros} end)"
    if rule.format == "iso":
        plain = f"case when regexp_full_match({given}, {_LOCAL}) then {given} end"
        local = f"try_cast({plain} as timestamp) at time zone {literal(zone)}"
        zoned = f"length({given}) > 10 and regexp_matches({given}, {_ZONED})"
        return f"case when {zoned} then try_cast({given} as timestamptz) else {local} end"
    if "%" not in rule.format:
        raise InputError(
            f"The mapping's time format {rule.format!r} is unknown.",
            remedy=f"Expected iso, {', '.join(_EPOCHS)}, or a pattern such as %d.%m.%Y.",
            value=rule.format,
        )
    moment = f"try_strptime({given}, {literal(rule.format)})"
    return moment if "%z" in rule.format else f"{moment} at time zone {literal(zone)}"


def _properties(mapping: Mapping, cells: dict[str, str], json: bool) -> str:
    """SQL of the JSON object with the mapped properties that this row has."""
    if not mapping.properties:
        return _given("properties", mapping, cells)
    members = []
    for key, rule in sorted(mapping.properties.items()):
        cell = cells[rule.column]
        text = _renamed(f"nullif(trim({cell}), '')", rule)
        number = f"try_cast({text} as double)"
        kind = rule.type or ("json" if json else "text")
        # What is not the number or truth value it should be stays, as text: nothing is lost.
        value = {
            "text": f"cast(to_json({text}) as varchar)",
            "number": f"case when not coalesce(isfinite({number}), false) then cast(to_json({text}) as varchar) "
            f"when json_valid({text}) then {text} else cast(to_json({number}) as varchar) end",
            "boolean": f"coalesce(cast(try_cast({text} as boolean) as varchar), cast(to_json({text}) as varchar))",
            "json": f"case when json_valid({text}) then {text} else cast(to_json({text}) as varchar) end",
        }.get(kind, "")
        if rule.type == "time":
            value = f"coalesce({_moment_text(_time(text, rule, mapping.timezone))}, cast(to_json({text}) as varchar))"
        name = literal(to_json(key, ensure_ascii=False) + ":")
        members.append(f"case when {text} is not null then {name} || {value} end")
    return f"nullif('{{' || concat_ws(',', {', '.join(members)}) || '}}', '{{}}')"


def _moment_text(moment: str) -> str:
    """JSON of a time: in UTC, to the microsecond."""
    return f"""strftime({moment} at time zone 'UTC', '"%Y-%m-%dT%H:%M:%S.%fZ"')"""


def _faults(now: datetime) -> list[tuple[str, str, str]]:
    """(condition, reason, value) of everything that can be wrong with a row, the first that holds counts."""
    latest = literal((now + CLOCK_SKEW).isoformat())
    faults = [("given_customer_id is null", "'customer_id is missing'", "null")]
    for name in ("event_id", "customer_id"):
        reason = literal(f"{name} is longer than {LONGEST_ID} characters")
        faults.append((f"length(given_{name}) > {LONGEST_ID}", reason, f"given_{name}"))
    faults.append(("given_occurred_at is null", "'occurred_at is missing'", "null"))
    for name in ("occurred_at", "received_at"):
        given = f"given_{name}"
        faults += [
            (f"{given} is not null and {name} is null", f"'{name} cannot be read as a time'", given),
            (f"{name} < timestamptz '{EARLIEST_YEAR}-01-01'", f"'{name} is before {EARLIEST_YEAR}'", given),
            (f"{name} > timestamptz {latest}", f"'{name} lies in the future'", given),
        ]
    faults += [
        ("given_name is null", "'name is missing'", "null"),
        ("not regexp_full_match(name, '[a-z][a-z0-9_]{0,79}')", "'name is not snake_case'", "given_name"),
        ("given_amount is not null and amount is null", "'amount is not a number of our size'", "given_amount"),
        (
            "given_rating is not null and coalesce(not isfinite(rating), true)",
            "'rating is not a number'",
            "given_rating",
        ),
        ("not regexp_full_match(currency, '[A-Z]{3}')", "'currency is not an ISO 4217 code'", "given_currency"),
        (
            "given_properties is not null and coalesce(json_type(properties) <> 'OBJECT', true)",
            "'properties is not a JSON object'",
            "given_properties",
        ),
        (f"regexp_matches(properties, {_NUL_ESCAPE})", "'it holds a NUL character'", "given_properties"),
    ]
    return faults
