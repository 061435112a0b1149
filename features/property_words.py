"""Words that events carry: how many kinds, how much of them is the favourite, and which was the last?"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from features.signal import Measure, Signal, column, per, ratio
from features.step import Step


def measures(words: tuple[tuple[str, ...], ...], events: tuple[str, ...]) -> tuple[Measure, ...]:
    """What is counted of texts, given the frequent words of each: how many texts, and how many are each word."""
    made: list[Measure] = []
    for index, some in enumerate(words):
        name = f"text_{index}"
        made.append(Measure(name=f"{name}_n", events=events, where=partial(_given, name)))
        made += [
            Measure(name=f"{name}_word_{place}", events=events, amount=partial(_is, name, word))
            for place, word in enumerate(some)
        ]
    return tuple(made)


def _given(name: str, events: Any) -> Any:
    return events[name].notnull()


def _is(name: str, word: str, events: Any) -> Any:
    """1 or 0; null where the event says nothing."""
    return (events[name] == word).cast("int64")


def steps(count: int, events: tuple[str, ...]) -> tuple[Step, ...]:
    """What no sum by day can say of so many texts: how many kinds, and how often the most frequent?"""
    return tuple(_step(f"text_{index}", events) for index in range(count))


def _step(name: str, events: tuple[str, ...]) -> Step:
    def rows(facts: Any) -> Any:
        return facts.filter(facts[name].notnull()).select("code", "day", "known_day", word=facts[name])

    def at(rows: Any, cutoffs: Any, ages: Any) -> Any:
        seen = rows.join(cutoffs, rows.known_day < cutoffs.cutoff_day)
        age = seen.cutoff_day - seen.day
        by_word = seen.group_by("code", "cutoff_day", "word").agg(
            lately=(age <= 90).sum().cast("int64"), in_a_year=(age <= 365).sum().cast("int64")
        )
        found = {
            f"{name}_kinds": by_word.count().cast("int64"),
            f"{name}_kinds_90": (by_word.lately > 0).sum().cast("int64"),
            f"{name}_top": by_word.in_a_year.max().cast("int64"),
        }
        return by_word.group_by("code", "cutoff_day").agg(**found)

    counts = tuple(f"{name}_{part}" for part in ("kinds", "kinds_90", "top"))
    return Step(name=name, events=events, rows=rows, at=at, counts=counts)


def of_property(signal: Callable[..., Signal], what: str, fact: str, name: str) -> list[Signal]:
    """The signals of one text, whose facts begin with `fact`; `signal` knows its event and group."""
    return [
        *(
            signal(
                name=f"{name}_kinds_{words}",
                question=f"How many different {what} {when}?",
                unit="kinds",
                no_data="0",
                value=column(found),
            )
            for words, when, found in (("90d", "in 90 days", f"{fact}_kinds_90"), ("ever", "so far", f"{fact}_kinds"))
        ),
        signal(
            name=f"{name}_kinds_90d_share",
            question=f"What share of all their different {what} came in the last 90 days?",
            unit="share",
            value=lambda t: ratio(getattr(t, f"{fact}_kinds_90"), getattr(t, f"{fact}_kinds")),
        ),
        signal(
            name=f"{name}_top_share_365d",
            question=f"What share of {what} in 365 days was their most frequent one?",
            unit="share",
            value=per(f"{fact}_top", f"{fact}_n_365"),
        ),
    ]


def of_word(signal: Callable[..., Signal], what: str, word: str, fact: str, place: int, name: str) -> list[Signal]:
    """The signals of one frequent word of a text."""
    return [
        signal(
            name=f"{name}_share_90d",
            question=f"What share of {what} in 90 days was “{word}”?",
            unit="share",
            value=per(f"{fact}_word_{place}_90", f"{fact}_n_90"),
        ),
        signal(
            name=f"{name}_last",
            question=f"Was the last {what} “{word}”?",
            unit="yes 1, no 0",
            value=column(f"{fact}_word_{place}_latest"),
        ),
    ]
