"""Text and ratings: how content did they say they are?"""

from __future__ import annotations

from functools import partial

from features.phrases import in_window, plain
from features.signal import Measure, Signal, column, days_since, ratio
from features.things import LOW_RATING, MENTION

RATING = ("rating_given",)
MENTIONS = ("social_mention",)

MEASURES: tuple[Measure, ...] = (
    Measure(name="ratings", events=RATING, where=lambda t: t.rating_hundredths.notnull()),
    Measure(name="rating_total", events=RATING, amount=lambda t: t.rating_hundredths),
    Measure(name="low_ratings", events=RATING, where=lambda t: t.rating_hundredths <= 200),
    Measure(name="mentions", events=MENTIONS),
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
    )
