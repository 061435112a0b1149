"""Which values do the words get, for this person and this trigger, in this language?

Facts are flat: "customer.name", "company.website", "trigger.amount", "plan.product". meta.toml says for each variable
which fact it comes from and how it is shown; what cannot be shown is an error that names variable and fact, so a
message with a hole in it is never planned.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from records.errors import WordsError
from serving.message_files import ROOT, MessageFiles, Variable, message_files
from serving.safe_values import is_safe_name

MONTHS = {
    "en": [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    "hi": ["जनवरी", "फ़रवरी", "मार्च", "अप्रैल", "मई", "जून", "जुलाई", "अगस्त", "सितंबर", "अक्टूबर", "नवंबर", "दिसंबर"],
}
SYMBOLS = {"INR": "₹", "USD": "$", "EUR": "€", "GBP": "£"}
MISSING = (None, "")


def event_facts(prefix: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """An event's columns and properties as facts "<prefix>.<field>"; a column wins over a property of the same name."""
    raw = event.get("properties")
    properties = json.loads(raw) if isinstance(raw, str) and raw else dict(raw or {})
    columns = {key: value for key, value in event.items() if key != "properties" and value is not None}
    return {f"{prefix}.{key}": value for key, value in {**properties, **columns}.items()}


def company_facts(
    *, name: str, name_hi: str, website: str, support_email: str, postal_address: str, timezone: str, currency: str
) -> dict[str, Any]:
    """The company's settings as facts."""
    return {
        "company.name": name,
        "company.name_hi": name_hi or name,
        "company.website": website,
        "company.support_email": support_email,
        "company.postal_address": postal_address,
        "company.timezone": timezone,
        "company.currency": currency,
    }


def fill(message: str, language: str, facts: Mapping[str, Any], *, root: Path = ROOT) -> dict[str, str]:
    """Every variable of the message as the text a person reads. Raises WordsError naming variable and fact."""
    files = message_files(message, root)
    values = {
        "name": greeting_name(facts.get("customer.name")),
        "company": str(facts["company.name_hi" if language == "hi" else "company.name"]),
        "website": str(facts["company.website"]).rstrip("/"),
        "support_email": str(facts["company.support_email"]),
        "postal_address": str(facts["company.postal_address"]),
    }
    for name, variable in files.meta.variables.items():
        shown = _shown(files, variable, language, facts)
        if not shown and not variable.optional:
            raise WordsError(
                f"{message}: {name} has no value: the fact {variable.source} is missing or cannot be shown.",
                remedy="Leave this person out of this play.", rule="variables", variable=name, fact=variable.source,
            )  # fmt: skip
        values[name] = shown
    groups = files.meta.needs_one_of
    if groups and not any(all(values[name] for name in group) for group in groups):
        raise WordsError(
            f"{message}: none of {' or '.join('+'.join(group) for group in groups)} has a value.",
            remedy="Leave this person out of this play.", rule="variables", variable=groups[0][0],
        )  # fmt: skip
    return values


def sample_facts(message: str, *, root: Path = ROOT) -> dict[str, Any]:
    """Facts to preview a message with when nobody is planned yet."""
    company = company_facts(
        name="Saral", name_hi="सरल", website="https://saral.invalid", support_email="help@saral.invalid",
        postal_address="Saral (simulated company), 12 MG Road, Indore 452001, India", timezone="Asia/Kolkata",
        currency="INR",
    )  # fmt: skip
    return {**company, "customer.name": "Sunita Deshmukh", **message_files(message, root).meta.sample}


def greeting_name(name: Any) -> str:
    """How do we address this person? By the first name; by the whole name if that is an initial or a title.

    Empty if the name is missing or not fit to be printed: the words then greet without one.

    >>> greeting_name("Sunita Deshmukh"), greeting_name("S. Lakshmi"), greeting_name("www.win.com")
    ('Sunita', 'S. Lakshmi', '')
    """
    if not isinstance(name, str) or not is_safe_name(name):
        return ""
    words = name.split()
    first = words[0]
    # Titles and initials do not name anybody by themselves; a first word of two letters often is one.
    short = len(first) <= 2 or first.endswith(".") or first.lower() in {"mohd", "shri", "smt", "kumari", "dr"}
    return " ".join(words) if short else first


@cache
def vocabulary(root: Path = ROOT) -> dict[str, Any]:
    """Names of products, plans and bill lines as people read them."""
    return tomllib.loads((root / "_frame" / "vocabulary.toml").read_text(encoding="utf-8"))


def _shown(files: MessageFiles, variable: Variable, language: str, facts: Mapping[str, Any]) -> str:
    value = facts.get(variable.source)
    if value in MISSING:
        return ""
    words = vocabulary(files.folder.parent)
    currency = str(facts.get("company.currency", "INR"))
    match variable.type:
        case "money" | "number":
            return _amount(value, variable, facts, currency)
        case "date" | "time":
            return _moment(value, variable, language, str(facts.get("company.timezone", "UTC")))
        case "month":
            return _month(value, variable.months, language)
        case "product":
            return _product(str(value), words, language)
        case "choice":
            return str(words.get(variable.table or "", {}).get(str(value), {}).get(language, ""))
        case "plan":
            return _plan(str(value), variable, words, language, currency)
        case "line":
            return _line(value, variable, words, language, currency)
        case "code" | "text":
            return str(value).strip()


def _decimal(value: Any) -> Decimal | None:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _amount(value: Any, variable: Variable, facts: Mapping[str, Any], currency: str) -> str:
    number = _decimal(value)
    if number is not None and variable.minus:
        less = _decimal(facts.get(variable.minus))
        # A difference that is nothing or negative would make the sentence around it untrue.
        number = number - less if less is not None and number > less else None
    if number is None:
        return ""
    if variable.type == "number":
        return str(int(number)) if number == number.to_integral_value() else ""
    return money(number, currency)


def money(amount: Decimal, currency: str, *, always_cents: bool = False) -> str:
    """An amount in major units as people write it; rupees with Indian grouping.

    >>> money(Decimal("124766.50"), "INR"), money(Decimal("766.0000"), "INR")
    ('₹1,24,766.50', '₹766')
    """
    rounded = amount.quantize(Decimal("0.01"))
    whole, cents = f"{abs(rounded):.2f}".split(".")
    if currency == "INR" and len(whole) > 3:
        head = re.sub(r"(?<=\d)(?=(\d\d)+$)", ",", whole[:-3])
        grouped = f"{head},{whole[-3:]}"
    else:
        grouped = f"{int(whole):,}"
    symbol = SYMBOLS.get(currency, f"{currency} ")
    return ("-" if rounded < 0 else "") + symbol + grouped + ("" if cents == "00" and not always_cents else f".{cents}")


def _moment(value: Any, variable: Variable, language: str, timezone: str) -> str:
    """A day "14 November", or a moment "14 November, 21:00", in the company's zone."""
    try:
        when = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return ""
    if not isinstance(when, datetime):
        return ""
    local = (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(ZoneInfo(timezone))
    local += timedelta(days=variable.days)
    day = f"{local.day} {MONTHS[language][local.month - 1]}"
    return day if variable.type == "date" else f"{day}, {local:%H:%M}"


def _month(value: Any, later: int, language: str) -> str:
    found = re.fullmatch(r"\d{4}-(\d{2})", str(value))
    if not found or not 1 <= int(found[1]) <= 12:
        return ""
    return MONTHS[language][(int(found[1]) - 1 + later) % 12]


def _product(value: str, words: Mapping[str, Any], language: str) -> str:
    known = words.get("products", {}).get(value) or words.get("plans", {}).get(value)
    return str(known[language]) if known else value.replace("_", " ").strip()


def _plan(value: str, variable: Variable, words: Mapping[str, Any], language: str, currency: str) -> str:
    plan = words.get("plans", {}).get(value)
    other = words.get("plans", {}).get(plan.get("cheaper", "")) if plan else None
    if plan is None or (variable.show.startswith(("cheaper", "saving")) and other is None):
        return ""
    match variable.show:
        case "name":
            return str(plan[language])
        case "price":
            return money(Decimal(plan["monthly"]), currency)
        case "cheaper":
            return str(other[language]) if other else ""
        case "cheaper_price":
            return money(Decimal(other["monthly"]), currency) if other else ""
        case "saving":
            return money(Decimal(plan["monthly"] - other["monthly"]), currency) if other else ""
        case _:
            return ""


def _line(value: Any, variable: Variable, words: Mapping[str, Any], language: str, currency: str) -> str:
    """One half of one line of a bill: "3 data packs" or "₹150"."""
    lines = json.loads(value) if isinstance(value, str) else value
    if not isinstance(lines, Sequence) or variable.index >= len(lines):
        return ""
    label, amount = lines[variable.index]
    number = _decimal(amount)
    if number is None:
        return ""
    if variable.show == "amount":
        # One amount with paise: all with paise, or the column does not line up.
        uneven = any((_decimal(other) or 0) % 1 for _, other in lines)
        return money(number, currency, always_cents=uneven)
    known = words.get("bill_lines", {}).get(str(label)) or words.get("plans", {}).get(str(label))
    return str(known[language]) if known else str(label).replace("_", " ")
