"""The slow reference of the signals made of the words of a log: its other events, its topics and channels."""

from __future__ import annotations

from reference_contract import CONTRACT
from reference_seen import Seen, Values, chosen, last_of, ratio, windows

from features.generic import slugs


def generic(seen: Seen) -> Values:
    words = seen.fitted.words
    found: Values = {}
    for name, slug in zip(words.events, slugs(words.events), strict=True):
        found |= event(seen, name, f"event_{slug}")
    for topic, slug in zip(words.topics, slugs(words.topics), strict=True):
        tickets = chosen(seen.named("support_ticket_opened"), lambda e, topic=topic: e["topic"] == topic)
        found |= windows(seen, tickets, f"topic_{slug}_{{}}d", (60, 180))
        found[f"topic_{slug}_days_since_last"] = seen.since_last(tickets)
        texts = chosen(seen.named("text_scored"), lambda e, topic=topic: e["topic"] == topic)
        found[f"text_topic_{slug}_90d"] = seen.count(texts, 90)
    active = seen.active()
    for channel, slug in zip(words.channels, slugs(words.channels), strict=True):
        by = chosen(active, lambda e, channel=channel: e["channel"] == channel)
        found[f"channel_{slug}_share_90d"] = ratio(seen.count(by, 90), seen.count(active, 90))
    contract = last_of(chosen(seen.named(*CONTRACT), lambda e: isinstance(e["product"], str)))
    for plan, slug in zip(words.plans, slugs(words.plans), strict=True):
        found[f"plan_{slug}_now"] = None if contract is None else float(contract["product"] == plan)
    return found


def event(seen: Seen, name: str, column: str) -> Values:
    """Counts, windows and a trend of an event no family knows."""
    done = seen.named(name)
    return {
        **windows(seen, done, column + "_{}d", (7, 30, 90)),
        f"{column}_ever": len(done),
        f"{column}_30d_change": seen.change(done, 30),
        f"{column}_days_since_last": seen.since_last(done),
    }
