"""The slow reference of ratings, public mentions and the sentiment of texts."""

from __future__ import annotations

import pandas as pd
from reference_seen import Seen, Values, chosen, last_of, less, number, ratio, windows


def text(seen: Seen) -> Values:
    rated = chosen(seen.named("rating_given"), lambda event: not pd.isna(event["rating"]))
    last = last_of(rated)
    year = seen.within(rated, 365)
    mean = float(year.rating.mean()) if len(year) else None
    return {
        "last_rating": last["rating"] if last else None,
        "mean_rating_365d": mean,
        "last_rating_less_mean": less(last["rating"] if last else None, mean),
        "low_ratings_90d": seen.count(chosen(rated, lambda event: event["rating"] <= 2), 90),
        "days_since_last_rating": seen.since_last(rated),
        **windows(seen, seen.named("social_mention"), "mentions_{}d", (30, 90)),
        **sentiment(seen),
    }


def sentiment(seen: Seen) -> Values:
    """Of the texts that were scored."""
    nan = float("nan")
    scored = chosen(
        seen.named("text_scored"), lambda event: number(event, "sentiment", nan) == number(event, "sentiment")
    )
    unhappy = chosen(scored, lambda event: number(event, "sentiment") < -0.25)

    def mean(events: pd.DataFrame) -> float | None:
        found = [number(event, "sentiment") for event in events.to_dict("records")]
        return ratio(sum(found), len(found))

    last, recent = last_of(scored), seen.within(scored, 30)
    half_year = seen.within(scored, 180)
    weights = [2.0 ** (-seen.age(at) / 90) for at in scored.occurred_at]
    weighted = sum(
        weight * number(event, "sentiment") for weight, event in zip(weights, scored.to_dict("records"), strict=True)
    )
    return {
        "last_sentiment": number(last, "sentiment") if last else None,
        "mean_sentiment_30d": mean(recent),
        "mean_sentiment_90d": mean(seen.within(scored, 90)),
        "sentiment_decayed_90d": ratio(weighted, sum(weights)),
        "sentiment_change": less(mean(recent), mean(half_year.drop(recent.index))),
        "unhappy_texts_90d": seen.count(unhappy, 90),
        "days_since_unhappy_text": seen.since_last(unhappy),
    }
