"""Words of this log: counts, windows and trends for events no family knows, and for its topics and channels."""

from __future__ import annotations

import re
from functools import partial
from typing import Any
from unicodedata import category

from features.phrases import ever, in_window, plain, since
from features.signal import Measure, Saying, Signal, change, column, days_since, per
from features.things import Thing
from features.vocabulary import CONTRACT, Vocabulary

TOPIC_WORDS = {
    "network": ("network", "नेटवर्क"),
    "billing": ("billing", "बिल"),
    "router_setup": ("router set-up", "राउटर सेट-अप"),
    "delivery": ("delivery", "डिलीवरी"),
    "payment": ("payment", "पेमेंट"),
    "plan_price": ("plan price", "प्लान दाम"),
    "app_login": ("app login", "ऐप लॉगिन"),
    "returns": ("returns", "वापसी"),
}
_LONGEST = 24
_LONGEST_SLUG = 80
_NAME = re.compile(
    r"^(?P<kind>event|topic|text_topic|channel|plan)_(?P<word>.+?)"
    r"_(?P<what>\d+d|ever|days_since_last|30d_change|share_90d|now)$"
)


def slugs(words: tuple[str, ...]) -> list[str]:
    """Which part of a column's name stands for each word? Letters of any script, digits and `_`; no two alike.

    What follows a slug in a name (`_30d`, `_days_since_last`, …) is never the end of what follows another: then no two
    names are alike either.

    >>> slugs(("Add to Playlist", "add-to playlist", "हिंदी"))
    ['add_to_playlist', 'add_to_playlist_2', 'हिंदी']
    """
    made: dict[str, None] = {}
    for word in words:
        start = slug = _slug(word)
        number = 2
        while slug in made:
            slug, number = f"{start}_{number}", number + 1
        made[slug] = None
    return list(made)


def _slug(word: str) -> str:
    """Letters with their marks and digits, of so many first characters; one `_` for whatever lies between them."""
    letters = (one if category(one)[0] in "LMN" else "_" for one in word[:_LONGEST_SLUG].casefold())
    return "_".join(filter(None, "".join(letters).split("_"))) or "other"


def measures(vocabulary: Vocabulary) -> tuple[Measure, ...]:
    """What is counted for the words of this log?"""

    def named(kind: str, words: tuple[str, ...], events: tuple[str, ...], column_name: str) -> list[Measure]:
        return [
            Measure(name=f"{kind}{index}", events=events, where=partial(_is, column_name, word))
            for index, word in enumerate(words)
        ]

    return (
        *named("event", vocabulary.events, vocabulary.events, "name"),
        *named("topic", vocabulary.topics, ("support_ticket_opened",), "topic"),
        *named("texttopic", vocabulary.topics, ("text_scored",), "topic"),
        *named("channel", vocabulary.channels, (), "channel"),
        *(
            Measure(name=f"plan{index}", events=CONTRACT, amount=partial(_is_plan, plan))
            for index, plan in enumerate(vocabulary.plans)
        ),
    )


def _is_plan(plan: str, events: Any) -> Any:
    """1 or 0; null where the event says no plan."""
    return (events["product"] == plan).cast("int64")


def _is(name: str, word: str, events: Any) -> Any:
    return events[name] == word


def signals(vocabulary: Vocabulary) -> tuple[Signal, ...]:
    """Which signals describe the words of this log?"""
    made: list[Signal] = []
    for index, (event, slug) in enumerate(zip(vocabulary.events, slugs(vocabulary.events), strict=True)):
        made += _event(f"event{index}", event, slug)
    for index, (topic, slug) in enumerate(zip(vocabulary.topics, slugs(vocabulary.topics), strict=True)):
        made += _topic(f"topic{index}", topic, slug)
    for index, (channel, slug) in enumerate(zip(vocabulary.channels, slugs(vocabulary.channels), strict=True)):
        name = f"channel_{slug}_share_90d"
        made.append(
            Signal(
                name=name,
                question=f"What share of 90 days' activity came by {channel}?",
                unit="share",
                family="generic",
                no_data="null: not active",
                group="channel_mix",
                value=per(f"channel{index}_90", "events_90"),
                say=saying(name),
            )
        )
    for index, (plan, slug) in enumerate(zip(vocabulary.plans, slugs(vocabulary.plans), strict=True)):
        made.append(
            Signal(
                name=f"plan_{slug}_now",
                question=f"Is their plan “{plan}”, by the last contract event that says so?",
                unit="yes 1, no 0",
                family="generic",
                needs=CONTRACT,
                no_data="null: no subscription",
                group="plan",
                value=column(f"plan{index}_latest"),
                say=saying(f"plan_{slug}_now"),
            )
        )
    return tuple(made)


def _event(measure: str, event: str, slug: str) -> list[Signal]:
    signal = partial(Signal, family="generic", needs=(event,), group=f"event_{slug}", no_data="0")
    windows = [
        signal(
            name=f"event_{slug}_{window}d",
            question=f"How many times “{event}” in the last {window} days?",
            unit="events",
            value=column(f"{measure}_{window}"),
            say=saying(f"event_{slug}_{window}d"),
        )
        for window in (7, 30, 90)
    ]
    return [
        *windows,
        signal(
            name=f"event_{slug}_ever",
            question=f"How many times “{event}” so far?",
            unit="events",
            value=column(f"{measure}_all"),
            say=saying(f"event_{slug}_ever"),
        ),
        signal(
            name=f"event_{slug}_30d_change",
            question=f"How many more times “{event}” in 30 days than in the 30 before?",
            unit="events",
            value=change(measure, 30),
        ),
        signal(
            name=f"event_{slug}_days_since_last",
            question=f"How long ago was the last “{event}”?",
            unit="days",
            no_data="null: never",
            value=days_since(f"{measure}_last"),
            say=saying(f"event_{slug}_days_since_last"),
        ),
    ]


def _topic(measure: str, topic: str, slug: str) -> list[Signal]:
    signal = partial(
        Signal, family="generic", needs=("support_ticket_opened",), group=f"topic_{slug}", no_data="0", unit="tickets"
    )
    return [
        *(
            signal(
                name=f"topic_{slug}_{window}d",
                question=f"How many tickets about “{topic}” in the last {window} days?",
                value=column(f"{measure}_{window}"),
                say=saying(f"topic_{slug}_{window}d"),
            )
            for window in (60, 180)
        ),
        signal(
            name=f"topic_{slug}_days_since_last",
            question=f"How long ago was the last ticket about “{topic}”?",
            unit="days",
            no_data="null: never",
            value=days_since(f"{measure}_last"),
            say=saying(f"topic_{slug}_days_since_last"),
        ),
        signal(
            name=f"text_topic_{slug}_90d",
            question=f"How many of their texts of 90 days were about “{topic}”, as the text model reads them?",
            unit="texts",
            needs=("text_scored",),
            value=column(f"text{measure}_90"),
        ),
    ]


def group_of(name: str) -> str:
    """Which group of reasons does a signal of this kind belong to? Empty: the name is of another kind."""
    found = _NAME.match(name)
    if not found:
        return ""
    kind = found["kind"].removeprefix("text_")
    return {"channel": "channel_mix", "plan": "plan"}.get(kind, f"{kind}_{found['word']}")


def saying(name: str) -> Saying | None:
    """How is a signal of this kind said? Read from its name alone: a stored score knows no vocabulary."""
    found = _NAME.match(name)
    if not found or found["what"] == "30d_change" or found["kind"] == "text_topic":
        return None
    if found["kind"] == "plan":
        readable = _readable(found["word"])
        return lambda value, row: (f"On the plan {readable}", f"प्लान {readable}") if value else None
    thing = _thing(found["kind"], found["word"])
    what = found["what"]
    if what == "days_since_last":
        return since(thing)
    if what == "share_90d":
        readable = _readable(found["word"])
        share = plain(f"{{p}}% of activity in 90 days by {readable}", f"90 दिन में {{p}}% गतिविधि {readable} से")
        return lambda value, row: share(value, row) if value else None
    return ever(thing) if what == "ever" else in_window(thing, int(what[:-1]))


def _thing(kind: str, word: str) -> Thing:
    if kind == "topic":
        en, hi = TOPIC_WORDS.get(word, (_readable(word), _readable(word)))
        return Thing(f"{en} ticket", f"{en} tickets", f"{hi} टिकट", f"{hi} टिकट")
    readable = _readable(word)
    return Thing(readable, readable, readable, readable)


def _readable(word: str) -> str:
    """Which words does a part of a column's name stand for? Cut at the end of a word if too long."""
    text = word.replace("_", " ").replace("{", "").replace("}", "")
    if len(text) <= _LONGEST:
        return text
    return text[:_LONGEST].rsplit(" ", 1)[0].rstrip() + "…"
