"""Properties of events that no family knows: which are there, and which of them are worth a signal?

In the manner of deep feature synthesis: numbers of such events (`amount` among them) become means, extremes, spread,
sums, the last value and its trend (`features/property_numbers.py`), words their kinds, shares and the last one
(`features/property_words.py`). Names of events and properties are data: they are quoted wherever they meet SQL.
"""

# ruff: noqa: S608  the SQL is made of our own names and whole numbers; words are quoted

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain, islice

from features.generic import slugs
from features.property_numbers import LARGEST, PARTS, of_number
from features.property_words import of_property, of_word
from features.signal import Signal
from records.events import EventLog

MOST_NUMBERS, MOST_TEXTS, MOST_WORDS = 8, 4, 3
FEWEST_VALUES = 20
SAMPLE = 8_000
"""About so many events of each name tell which properties they have."""

LONGEST_TEXT, LONGEST_WORD = 200, 60
"""Texts are told apart by their first characters; a word with signals of its own is no longer than a few of them."""

ALL_DIFFERENT = 0.9
"""Texts of which more than this share are different tell things apart, or are prose: their kinds say nothing."""

_NO_MEASURE = re.compile(r"(?i:(^|[\W_])(id|uuid|guid|key|hash|zip|phone)$)|[a-z]I[dD]$")
"""Numbers under such a name tell things apart: their mean says nothing."""


@dataclass(frozen=True, order=True)
class Property:
    """A property of an event; the empty key stands for the column `amount`. `words`: its most frequent texts."""

    event: str
    key: str
    words: tuple[str, ...] = ()


def sql_of(one: Property, *, number: bool) -> str:
    """SQL of its value, null for other events and for what is not as it should be."""
    from features.facts import quoted  # which itself reads what is fitted

    pointer = "/" + one.key.replace("~", "~0").replace("/", "~1")
    value = f"(properties->>{quoted(pointer)})" if one.key else "amount"
    if number:
        value = f"try_cast({value} as decimal(18, 4))"
        value = f"case when {value} between -{LARGEST} and {LARGEST} then ({value} * {PARTS})::bigint end"
    else:
        value = f"left({value}, {LONGEST_TEXT})"
    return f"case when name = {quoted(one.event)} then {value} end"


def fit_properties(
    log: EventLog, until: datetime, events: Sequence[str]
) -> tuple[tuple[Property, ...], tuple[Property, ...]]:
    """Which numbers, and which words, of these events are worth a signal? The most useful first.

    Useful is what many customers have and what is not always the same: customers × the share of values that are not
    the most frequent one. A key takes a second slot, for another event, only after every key had one.
    """
    if not events:
        return (), ()
    with log.connection() as con:
        con.execute("create temp table valued as " + _values_sql(log, until, events))
        found = con.execute(
            f"""with counted as (
                select name, key, value_hash, count(*) as n from valued group by all
            ), frequent as (
                select name, key, max(n) as top, count(*) as kinds from counted group by all
            ), whole as (
                select name, key, count(*) as n, count(*) filter (where numeric) as numbers,
                    count(distinct customer_id) as people
                from valued group by all having count(*) >= {FEWEST_VALUES}
            )
            select name, key, numbers >= 0.9 * n as is_number, kinds > {ALL_DIFFERENT} * n as all_different
            from whole join frequent using (name, key) where kinds >= 2
            order by
                case when key = '' then 1
                    else row_number() over (partition by key order by people * (n - top) / n desc, name) end,
                people * (n - top) / n desc, name, key"""
        ).fetchall()
        usable = [(Property(name, key), *is_what) for name, key, *is_what in found]
        numbers = (one for one, is_number, _ in usable if is_number and not _NO_MEASURE.search(one.key))
        texts = (one for one, is_number, all_different in usable if not is_number and not all_different)
        words = [
            Property(
                one.event, one.key, tuple(str(word) for (word,) in con.execute(_WORDS, [one.event, one.key]).fetchall())
            )
            for one in islice(texts, MOST_TEXTS)
        ]
    return tuple(islice(numbers, MOST_NUMBERS)), tuple(words)


_WORDS = f"""select value from valued where name = ? and key = ? and length(value) between 1 and {LONGEST_WORD}
    group by value having count(*) >= {FEWEST_VALUES} order by count(*) desc, value limit {MOST_WORDS}"""


def _values_sql(log: EventLog, until: datetime, events: Sequence[str]) -> str:
    """SQL of what a sample of each of these events carries: name, customer, key and value.

    Of a frequent event one in so many is looked at, chosen by a hash of its id.
    """
    from features.facts import names_in  # which itself reads what is fitted

    past = f"(select * from {log.relation_sql(until)} where {names_in(events)})"
    return f"""with one_in as (
            select name, greatest(1, count(*) // {SAMPLE}) as many from {past} group by name
        ), sample as (
            select name, customer_id, amount, properties from {past} join one_in using (name)
            where hash(event_id) % many = 0
        ), pairs as (
            select name, customer_id, unnest(list_distinct(json_keys(properties))) as key, properties from sample
            where json_type(properties) = 'OBJECT'
        ), found as (
            select name, customer_id, key, properties->>('/' || replace(replace(key, '~', '~0'), '/', '~1')) as value
            from pairs where key <> ''
            union all select name, customer_id, '', amount::varchar from sample
        )
        select name, customer_id, key, hash(value) as value_hash, left(value, {LONGEST_WORD + 1}) as value,
            try_cast(value as decimal(18, 4)) is not null as numeric
        from found where value is not null"""


def fact_columns(numbers: Sequence[Property], texts: Sequence[Property]) -> dict[str, str]:
    """The columns of staged events that hold these properties, each with its SQL."""
    found = {f"number_{index}": sql_of(one, number=True) for index, one in enumerate(numbers)}
    return found | {f"text_{index}": sql_of(one, number=False) for index, one in enumerate(texts)}


def names_of(numbers: Sequence[Property], texts: Sequence[Property]) -> list[str]:
    """Which part of a column's name stands for each number, then each text, then each of the texts' words?"""
    whole = [f"{one.event} {one.key or 'amount'}" for one in (*numbers, *texts)]
    words = [f"{one.event} {one.key or 'amount'} {word}" for one in texts for word in one.words]
    return slugs((*whole, *words))


def signals(numbers: Sequence[Property], texts: Sequence[Property]) -> tuple[Signal, ...]:
    """Which signals describe these properties?"""
    names = iter(names_of(numbers, texts))
    made: list[list[Signal]] = []

    def declared(one: Property, name: str) -> tuple[partial[Signal], str]:
        signal = partial(
            Signal, family="properties", needs=(one.event,), group=f"property_{name}", no_data="null: no such value"
        )
        return signal, f"“{one.key or 'amount'}” of “{one.event}”"

    for index, one in enumerate(numbers):
        name = next(names)
        made.append(of_number(*declared(one, name), f"number_{index}", f"property_{name}"))
    groups = []
    for index, one in enumerate(texts):
        name = next(names)
        groups.append(name)
        made.append(of_property(*declared(one, name), f"text_{index}", f"property_{name}"))
    for index, (one, group) in enumerate(zip(texts, groups, strict=True)):
        for place, word in enumerate(one.words):
            signal, what = declared(one, group)
            made.append(of_word(signal, what, word, f"text_{index}", place, f"property_{next(names)}"))
    return tuple(chain.from_iterable(made))
