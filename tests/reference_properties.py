"""The slow reference of what unknown events carry, numbers and words, and of the company's own tables."""

from __future__ import annotations

import json
import re
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pandas as pd
from reference_seen import DAY, Seen, Values, amount, chosen, given, last_of, less, ratio

from features.generic import slugs
from features.properties import Property

NUMBER = re.compile(
    r"[ \t\n\v\f\r]*[+-]?(\d+(_\d+)*\.?(\d+(_\d+)*)?|\.\d+(_\d+)*)([eE][+-]?\d+)?[ \t\n\v\f\r]*", re.ASCII
)


def properties(seen: Seen) -> Values:
    numbers, texts = seen.fitted.numbers, seen.fitted.texts
    named = [called(one) for one in (*numbers, *texts)]
    worded = [f"{called(one)} {word}" for one in texts for word in one.words]
    columns = iter(f"property_{slug}" for slug in slugs((*named, *worded)))
    found: Values = {}
    for one in numbers:
        found |= of_number(seen, one, next(columns))
    for one in texts:
        found |= of_text(seen, one, next(columns))
    for one in texts:
        texted = chosen(seen.named(one.event), lambda e, one=one: text(e, one) is not None)
        last = last_of(texted)
        for word in one.words:
            column = next(columns)
            are = chosen(texted, lambda e, one=one, word=word: text(e, one) == word)
            found[f"{column}_share_90d"] = ratio(seen.count(are, 90), seen.count(texted, 90))
            found[f"{column}_last"] = None if last is None else float(text(last, one) == word)
    return found


def called(one: Property) -> str:
    return f"{one.event} {one.key or 'amount'}"


def of_number(seen: Seen, one: Property, column: str) -> Values:
    events = seen.named(one.event).to_dict("records")
    rows = [(e, value) for e in events if (value := measured(e, one)) is not None]

    def within(since: int, until: int = 0) -> list[Decimal]:
        """The values that are up to `since` days old, and more than `until`."""
        return [value for e, value in rows if until * DAY < seen.cutoff - e["occurred_at"] <= since * DAY]

    def mean(since: int, until: int = 0) -> float | None:
        values = within(since, until)
        return float(sum(values) / len(values)) if values else None

    year, quarter = within(365), sum(within(90), Decimal(0))
    newest = float(max(rows, key=lambda row: (row[0]["occurred_at"], row[0]["event_id"]))[1]) if rows else None
    return {
        f"{column}_mean_30d": mean(30),
        f"{column}_mean_365d": mean(365),
        f"{column}_mean_30d_to_365d": ratio(mean(30), mean(365)),
        f"{column}_mean_change_90d": less(mean(90), mean(180, 90)),
        f"{column}_sd_365d": deviation(year),
        f"{column}_min_365d": float(min(year)) if year else None,
        f"{column}_max_365d": float(max(year)) if year else None,
        f"{column}_last": newest,
        f"{column}_last_less_mean": less(newest, mean(365)),
        f"{column}_sum_90d": float(quarter),
        f"{column}_sum_per_30d_of_tenure": 30 * float(quarter) / min(max(seen.known_days(), 1.0), 90.0),
    }


def deviation(values: list[Decimal]) -> float | None:
    """The standard deviation, in decimals: floats would lose the difference of large squares."""
    if not values:
        return None
    mean = sum(values) / len(values)
    return float((sum((value - mean) ** 2 for value in values) / len(values)).sqrt())


def of_text(seen: Seen, one: Property, column: str) -> Values:
    events = seen.named(one.event).to_dict("records")
    rows = [(e["occurred_at"], said) for e in events if (said := text(e, one)) is not None]

    def kinds(days: int) -> Counter[str]:
        return Counter(said for at, said in rows if at >= seen.cutoff - days * DAY)

    ever, recent, year = Counter(said for _, said in rows), kinds(90), kinds(365)
    return {
        f"{column}_kinds_90d": len(recent),
        f"{column}_kinds_ever": len(ever),
        f"{column}_kinds_90d_share": ratio(len(recent), len(ever)),
        f"{column}_top_share_365d": ratio(max(year.values(), default=0), sum(year.values())),
    }


def measured(event: dict[str, Any], one: Property) -> Decimal | None:
    """The number an event carries, as a number or as text, to four digits; none that is no measurement."""
    if not one.key:
        value = amount(event)
    else:
        written = text(event, one, whole=True)
        value = Decimal(written.strip()) if written is not None and NUMBER.fullmatch(written) else None
    if value is None or abs(value) > 10**12:
        return None
    value = value.quantize(Decimal("0.0001"), ROUND_HALF_UP)
    return value if abs(value) <= 100_000_000 else None


def text(event: dict[str, Any], one: Property, *, whole: bool = False) -> str | None:
    """What an event says under a key, in words: true, 7, an object as it is written. The first 200 characters."""
    value = given(event, one.key)
    if isinstance(value, bool | dict | list):
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if value is None:
        return None
    return str(value) if whole else str(value)[:200]


def own(seen: Seen) -> Values:
    """The newest row of each of the company's tables that is about a moment up to the cutoff."""
    columns = seen.fitted.own
    found: Values = {}
    for one, slug in zip(columns, slugs(tuple(f"{one.table}_{one.name}" for one in columns)), strict=True):
        table = seen.everyone.own.get(one.table)
        value = None
        if table is not None and one.name in table:
            rows = table[(table.customer_id == seen.customer) & (table.cutoff <= seen.cutoff)]
            if len(rows):
                value = rows.loc[rows.cutoff.idxmax(), one.name]
        found[f"own_{slug}"] = None if value is None or pd.isna(value) else float(value)
    return found
