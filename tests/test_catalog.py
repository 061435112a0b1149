"""The catalog is complete: every signal has its question, unit and family, and computes from facts that exist."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from features import begun, cohorts, generic, things
from features.catalog import catalog, derived, describe, measures
from features.cutoffs import HALF_LIVES
from features.fitted import Fitted
from features.own import OwnColumn
from features.plan import columns_read
from features.properties import Property
from features.reasons import group_of, sayable
from features.rollup import CLOCKS, GAPS, facts_read
from features.vocabulary import KNOWN_EVENTS, Vocabulary

WORDS = Fitted(
    words=Vocabulary(
        events=("song_played", "Song played"),
        topics=("network", "वापसी"),
        channels=("app", "web"),
        products=("x",),
        plans=("jio_599",),
    )
)
ALL = catalog(WORDS)
NAME = r"[a-z][^\s\"'{}\[\]:,]*"


def test_there_are_at_least_150_signals_with_names_of_their_own() -> None:
    names = [signal.name for signal in ALL]
    assert len(catalog()) >= 150
    assert len(set(names)) == len(names)
    # Names become columns of files and of LightGBM's text models: no blanks, no marks of JSON.
    assert [name for name in names if not re.fullmatch(NAME, name)] == []


def test_every_signal_says_what_it_asks_its_unit_and_what_no_data_means() -> None:
    for entry in describe(WORDS):
        assert set(entry) == {"name", "question", "unit", "family", "no_data"}
        assert all(entry.values()), entry["name"]
        assert entry["question"].endswith("?"), entry["name"]
        assert entry["no_data"].startswith(("0", "null", "never null")), entry["name"]


def test_the_words_of_a_log_add_signals_after_the_fixed_ones() -> None:
    fixed = catalog()
    assert ALL[: len(fixed)] == fixed or [s.name for s in ALL[: len(fixed)]] == [s.name for s in fixed]
    added = {signal.name for signal in ALL[len(fixed) :]}
    assert {"event_song_played_30d", "event_song_played_2_30d", "topic_network_60d", "topic_वापसी_60d"} <= added
    assert {signal.family for signal in ALL[len(fixed) :]} == {"generic"}


words = st.lists(
    st.sampled_from(
        (
            *("a", "A", "a b", "a_change", "a 30d", "a_days", "since_last", "last", "a b last", "30d", "plan", "price"),
            *("share", "a share 90d", "mean", "365d", "", " ", "😀", "\u00a0", "\u202e", "ग़ज़ल", "x" * 300, "_", "2"),
        )
    ),
    max_size=6,
    unique=True,
).map(tuple)
properties = st.lists(st.builds(Property, words.map(" ".join), words.map("_".join), words), max_size=4, unique=True)


@settings(max_examples=60, deadline=None)
@given(st.lists(words, min_size=4, max_size=4), properties, properties, words, words)
def test_whatever_the_words_no_two_signals_share_a_name(
    lists: list[tuple[str, ...]], numbers: list[Property], texts: list[Property], tables: tuple[str, ...], own: Any
) -> None:
    events, topics, channels, plans = lists
    fitted = Fitted(
        words=Vocabulary(events=events, topics=topics, channels=channels, plans=plans),
        numbers=tuple(numbers),
        texts=tuple(texts),
        own=tuple(OwnColumn(table, name) for table in tables for name in own),
    )
    names = [signal.name.lower() for signal in catalog(fitted)]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []
    assert [name for name in names if not re.fullmatch(NAME, name) or len(name) > 150] == []


def test_definitions_read_only_facts_that_are_made() -> None:
    read = columns_read(ALL)
    rolled = {fact.name for fact in facts_read(read, measures(WORDS))}
    gaps = {f"{clock}_{fact}" for clock in CLOCKS for fact in GAPS}
    others = {
        "cutoff_us",
        "known_us",
        "tickets_open",
        "ticket_open_since",
        "tickets_solved",
        "ticket_solving_us",
        "ticket_slowest_us",
        "ticket_repeats",
        "ticket_topics",
        "product_kinds",
        "product_top",
        "product_orders",
        "product_logs",
        "product_kinds_90",
        "product_new_90",
        "product_trends",
        "product_trended",
        "trouble_worst",
        "trouble_worst_90",
        "trouble_bought_us",
        "trouble_delivered_us",
    }
    made = {name for one in derived(WORDS) for name in one.makes} | set(begun.FACTS[1:]) | set(cohorts.MAKES)
    assert read - rolled - gaps - made == others
    for fact in facts_read(read, measures(WORDS)):
        if fact.part.startswith("decay_"):
            assert int(fact.part.removeprefix("decay_")) in HALF_LIVES, fact.name


def test_the_families_count_events_of_the_known_vocabulary_only() -> None:
    counted = {name for measure in measures() for name in measure.events}
    assert counted <= KNOWN_EVENTS
    assert {name for signal in catalog() for name in signal.needs} <= KNOWN_EVENTS


def test_every_group_has_a_signal_that_can_speak_for_it_or_says_so() -> None:
    speechless = {group_of(s.name) for s in ALL} - {group_of(s.name) for s in ALL if sayable(s.name)}
    # Shares of hours, of page kinds and of basket values mean little to a reader without a chart.
    assert speechless == {"activity_clock", "activity_depth", "money_trend", "shop_interest", "ticket_channel"}


def test_a_generic_signal_is_read_from_its_name_alone() -> None:
    for signal in ALL[len(catalog()) :]:
        assert generic.group_of(signal.name) == signal.group, signal.name
        assert (generic.saying(signal.name) is None) == (signal.say is None), signal.name


def test_the_things_counted_have_words_in_both_languages() -> None:
    counted = [value for value in vars(things).values() if isinstance(value, things.Thing)]
    assert len(counted) > 15
    for thing in counted:
        assert re.search("[ऀ-ॿ]", thing.hi_one), thing
        assert thing.one != thing.many, thing
