"""What the slow reference of the signals is made of: one customer's events as a cutoff may see them, in plain pandas.

Written from the words of the signals (question, unit, what no data means) and not from the code that makes them fast.
Days are steps of 24 hours back from the cutoff: age 1 is the last of them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from features.fitted import Fitted
from records.events import PASSIVE_EVENTS

DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)
Values = dict[str, float | None]


@dataclass(frozen=True, eq=False)
class Everyone:
    """Events of all customers that occurred and were received before the cutoff."""

    events: pd.DataFrame
    cutoff: datetime
    own: Mapping[str, pd.DataFrame] = field(default_factory=dict)  # the company's tables, one row per person and moment

    def named(self, *names: str) -> pd.DataFrame:
        return self.events[self.events.name.isin(names)]

    def by_customer(self, name: str) -> dict[str, list[dict[str, Any]]]:
        """The events of this name, a list for each customer."""
        found: dict[str, list[dict[str, Any]]] = {}
        for event in self.named(name).to_dict("records"):
            found.setdefault(event["customer_id"], []).append(event)
        return found


@dataclass(frozen=True)
class Seen:
    """Events that occurred and were received before the cutoff: one customer's, and everybody's."""

    customer: str
    events: pd.DataFrame
    everyone: Everyone
    cutoff: datetime
    fitted: Fitted

    def named(self, *names: str) -> pd.DataFrame:
        """Their events of these names."""
        return self.events[self.events.name.isin(names)]

    def active(self) -> pd.DataFrame:
        """What they did themselves."""
        return chosen(self.events, lambda event: not passive(event["name"]))

    def within(self, events: pd.DataFrame, days: int) -> pd.DataFrame:
        """Those of the last so many days."""
        return events[events.occurred_at >= self.cutoff - days * DAY]

    def count(self, events: pd.DataFrame, days: int) -> int:
        return len(self.within(events, days))

    def change(self, events: pd.DataFrame, days: int) -> int:
        """How many more in the last so many days than in as many before?"""
        last = self.count(events, days)
        return last - (self.count(events, 2 * days) - last)

    def days_since(self, moment: datetime | None) -> float | None:
        return None if moment is None else (self.cutoff - moment) / DAY

    def since_last(self, events: pd.DataFrame) -> float | None:
        return self.days_since(max(events.occurred_at, default=None))

    def since_first(self, events: pd.DataFrame) -> float | None:
        return self.days_since(min(events.occurred_at, default=None))

    def age(self, moment: datetime) -> int:
        return math.floor((self.cutoff - INSTANT - moment) / DAY) + 1

    def ages(self, events: pd.DataFrame) -> list[int]:
        """The ages of the days with these events, each day once, oldest first."""
        return sorted({self.age(at) for at in events.occurred_at}, reverse=True)

    def decayed(self, events: pd.DataFrame, half_life: float) -> float:
        """Days, each counting half for every half-life of its age; after forty half-lives nothing is left."""
        return sum(2.0 ** (-age / half_life) for age in self.ages(events) if age <= 41 * half_life)

    def tenure_30(self, events: pd.DataFrame) -> float:
        """Those of 90 days, per 30 days that the customer has been known, over the last 90."""
        return 30.0 * self.count(events, 90) / min(max(self.known_days(), 1.0), 90.0)

    def known_days(self) -> float:
        """How long ago did their first event become known?"""
        return (self.cutoff - self.events[["occurred_at", "received_at"]].max(axis=1).min()) / DAY

    def local(self, moment: datetime) -> datetime:
        """The moment on the company's clocks."""
        return moment.astimezone(ZoneInfo(self.fitted.timezone))


def chosen(events: pd.DataFrame, fits: Callable[[dict[str, Any]], bool]) -> pd.DataFrame:
    """The events that fit."""
    if events.empty:
        return events
    return events[pd.Series([fits(event) for event in events.to_dict("records")], index=events.index, dtype=bool)]


def passive(name: str) -> bool:
    """Was it done to the customer rather than by them?"""
    return any(name.startswith(p[:-1]) if p.endswith("*") else name == p for p in PASSIVE_EVENTS)


def last_of(events: pd.DataFrame) -> dict[str, Any] | None:
    """The last of these events; of several at one moment the one with the greatest id."""
    return max(events.to_dict("records"), key=lambda e: (e["occurred_at"], e["event_id"]), default=None)


def first_of(events: pd.DataFrame) -> dict[str, Any] | None:
    """The first of these events; of several at one moment the one with the least id."""
    return min(events.to_dict("records"), key=lambda e: (e["occurred_at"], e["event_id"]), default=None)


def amount(event: dict[str, Any]) -> Decimal | None:
    """The money of an event; none was given."""
    return event["amount"] if isinstance(event["amount"], Decimal) else None


def with_amount(events: pd.DataFrame) -> pd.DataFrame:
    return chosen(events, lambda event: amount(event) is not None)


def total(events: pd.DataFrame) -> float:
    """The money of these events together, exactly."""
    return float(sum((money for event in events.to_dict("records") if (money := amount(event))), Decimal(0)))


def given(event: dict[str, Any], key: str) -> Any:
    """What an event says under this key of its properties; None if nothing."""
    properties = json.loads(event["properties"] or "{}", object_pairs_hook=first_of_each)
    return properties.get(key) if isinstance(properties, dict) else None


def first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of keys that are written twice, the first."""
    return dict(reversed(pairs))


def number(event: dict[str, Any], key: str, otherwise: float = 0.0) -> float:
    """The number under this key, also as text; what is no number, or none that can be meant, does not count."""
    value = given(event, key)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return otherwise
    try:
        found = float(value)
    except ValueError:
        return otherwise
    return found if abs(found) < 1e9 else otherwise


def true(event: dict[str, Any], key: str) -> bool:
    """Is it there, and neither empty nor a no in other words?"""
    value = given(event, key)
    no = ("", "false", "f", "no", "n", "off", "0", "0.0")
    return value is not None and not (isinstance(value, bool | int | float | str) and str(value).lower() in no)


def ratio(above: float | None, below: float | None) -> float | None:
    """Null where there is nothing to divide, or to divide by."""
    return None if above is None or not below else above / below


def less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def own_clock(seen: Seen, events: pd.DataFrame, one: str, plural: str) -> Values:
    """The gaps between the days with these events, and the silence held against them."""
    ages = seen.ages(events)
    gaps = pd.Series([float(older - younger) for older, younger in pairwise(ages)], dtype=float)
    silence = seen.since_last(events)
    some = len(gaps) > 0 and silence is not None
    values: dict[str, Any] = {
        f"median_days_between_{plural}": lambda: gaps.median(),
        f"mean_days_between_{plural}": lambda: gaps.mean(),
        f"sd_days_between_{plural}": lambda: gaps.std(ddof=0),
        f"cv_days_between_{plural}": lambda: gaps.std(ddof=0) / gaps.mean(),
        f"sd_log_days_between_{plural}": lambda: pd.Series([math.log(gap) for gap in gaps]).std(ddof=0),
        f"longest_days_between_{plural}": lambda: gaps.max(),
        f"silence_to_median_gap_{one}": lambda: silence / gaps.median(),
        f"silence_to_longest_gap_{one}": lambda: silence / gaps.max(),
        f"silence_beyond_mean_gap_{one}": lambda: (silence - gaps.mean()) / (gaps.std(ddof=0) + 1.0),
        f"overdue_{one}": lambda: float(silence > 2 * gaps.median()),
    }
    values[f"overdue_percentile_{one}"] = lambda: sum(gap < silence for gap in gaps) / len(gaps)
    found: Values = {name: float(value()) if some else None for name, value in values.items()}
    found[f"silence_to_tenure_{one}"] = ratio(silence, seen.since_first(events))
    return found


def weeks(seen: Seen, events: pd.DataFrame) -> list[int]:
    """On how many days of the last week, of the one before, and so on, four of them?"""
    ages = seen.ages(events)
    return [sum(7 * week < age <= 7 * week + 7 for age in ages) for week in range(4)]


def half_year(seen: Seen, events: pd.DataFrame) -> int:
    """How many more days in the last 182 days than in the 182 before?"""
    ages = seen.ages(events)
    return sum(age <= 182 for age in ages) - sum(182 < age <= 364 for age in ages)


def windows(seen: Seen, events: pd.DataFrame, name: str, days: Sequence[int]) -> Values:
    """Counts in windows, one column each: `name` with the window put in."""
    return {name.format(window): seen.count(events, window) for window in days}
