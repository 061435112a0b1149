"""Text and ratings: how content did they say they are?"""

from __future__ import annotations

from functools import partial
from typing import Any

from features.phrases import in_window, plain
from features.signal import Columns, Measure, Signal, column, days_since, ratio
from features.things import LOW_RATING, MENTION, UNHAPPY_TEXT

RATING = ("rating_given",)
MENTIONS = ("social_mention",)
SCORED = ("text_scored",)
UNHAPPY = -250
"""A text below this sentiment, in thousandths from -1000 to 1000, is unhappy."""

MEASURES: tuple[Measure, ...] = (
    Measure(name="ratings", events=RATING, where=lambda t: t.rating_hundredths.notnull()),
    Measure(name="rating_total", events=RATING, amount=lambda t: t.rating_hundredths),
    Measure(name="low_ratings", events=RATING, where=lambda t: t.rating_hundredths <= 200),
    Measure(name="mentions", events=MENTIONS),
    Measure(name="texts", events=SCORED, where=lambda t: t.sentiment.notnull()),
    Measure(name="sentiments", events=SCORED, amount=lambda t: t.sentiment),
    Measure(name="unhappy_texts", events=SCORED, where=lambda t: t.sentiment < UNHAPPY),
)

_rating = partial(
    Signal, family="text", needs=RATING, unit="rating as given", no_data="null: no rating", group="rating"
)
_mention = partial(Signal, family="text", needs=MENTIONS, group="mention")


def signals() -> tuple[Signal, ...]:
    """Which signals describe what they said?"""
    return (
        _rating(
            name="last_rating",
            question="What was the last rating?",
            say=plain("Last rating: {n}", "पिछली रेटिंग: {n}"),
            value=lambda t: t.rating_total_latest.cast("float64") / 100.0,
        ),
        _rating(
            name="mean_rating_365d",
            question="What was the mean rating of 365 days?",
            value=lambda t: ratio(t.rating_total_365, t.ratings_365) / 100.0,
            say=plain("Rated {n} on average in 365 days", "365 दिन में औसत रेटिंग {n}"),
        ),
        _rating(
            name="last_rating_less_mean",
            question="How far is the last rating from their mean of 365 days?",
            value=lambda t: (
                t.rating_total_latest.cast("float64") / 100.0 - ratio(t.rating_total_365, t.ratings_365) / 100.0
            ),
        ),
        _rating(
            name="low_ratings_90d",
            question="How many ratings of 2 or less in 90 days?",
            unit="ratings",
            no_data="0",
            value=column("low_ratings_90"),
            say=in_window(LOW_RATING, 90),
        ),
        _rating(
            name="days_since_last_rating",
            question="How long ago did they last rate?",
            unit="days",
            value=days_since("ratings_last"),
            say=plain("Last rating {d} days ago", "पिछली रेटिंग {d} दिन पहले"),
        ),
        *(
            _mention(
                name=f"mentions_{window}d",
                question=f"How often did they write about us in public in {window} days?",
                unit="mentions",
                no_data="0",
                value=column(f"mentions_{window}"),
                say=in_window(MENTION, window),
            )
            for window in (30, 90)
        ),
        *_sentiment(),
    )


def _sentiment() -> list[Signal]:
    signal = partial(
        Signal, family="text", needs=SCORED, unit="from -1 to 1", no_data="null: no text", group="sentiment"
    )
    return [
        signal(
            name="last_sentiment",
            question="How content did their last text sound?",
            value=lambda t: t.sentiments_latest.cast("float64") / 1000.0,
        ),
        *(
            signal(
                name=f"mean_sentiment_{window}d",
                question=f"How content did their texts of {window} days sound on average?",
                value=partial(_mean, window),
            )
            for window in (30, 90)
        ),
        signal(
            name="sentiment_decayed_90d",
            question="How content did their texts sound on average, each counting half for every 90 days of age?",
            value=lambda t: ratio(t.sentiments_decay_90, t.texts_decay_90) / 1000.0,
        ),
        signal(
            name="sentiment_change",
            question="How much more content did texts of 30 days sound than those of the 150 days before?",
            value=lambda t: _mean(30, t) - ratio(t.sentiments_180 - t.sentiments_30, t.texts_180 - t.texts_30) / 1000.0,
        ),
        signal(
            name="unhappy_texts_90d",
            question="How many of their texts of 90 days sounded unhappy (sentiment below -0.25)?",
            unit="texts",
            no_data="0",
            value=column("unhappy_texts_90"),
            say=lambda value, row: in_window(UNHAPPY_TEXT, 90)(value, row) if value else None,
        ),
        signal(
            name="days_since_unhappy_text",
            question="How long ago did a text of theirs last sound unhappy (sentiment below -0.25)?",
            unit="days",
            no_data="null: never",
            value=days_since("unhappy_texts_last"),
            say=plain("Unhappy message {d} days ago", "{d} दिन पहले नाराज़ मैसेज"),
        ),
    ]


def _mean(window: int, t: Columns) -> Any:
    return ratio(getattr(t, f"sentiments_{window}"), getattr(t, f"texts_{window}")) / 1000.0
