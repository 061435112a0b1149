"""The slow reference of product, start and peers: everybody is looked at, one by one, for each customer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from reference_seen import DAY, Everyone, Seen, Values, less, ratio, total

from features import cohorts
from features.fitted import Fitted

BAND, BANDS, PRIOR = 28, 40, 30 * 28
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Person:
    """One customer, as their peers see them."""

    product: str
    begun: datetime
    run: int  # of four weeks, in which they began
    left: bool
    here: bool
    stayed: int | None  # full days until they left, or until which they certainly stayed; None: not even a moment
    lately: bool
    values: dict[str, float]


def having(seen: Seen) -> tuple[str, datetime, datetime, int] | None:
    """The product begun last, since when, the last event of its kind, and how many products."""
    how = seen.fitted.begun
    events = [e for e in seen.named(*how.events).to_dict("records") if isinstance(e["product"], str) and e["product"]]
    if not events:
        return None
    products = {event["product"] for event in events}
    if how.by_use:
        known = [(max(event["occurred_at"], event["received_at"]), event["product"]) for event in events]
        firsts = [min(one for one in known if one[1] == product) for product in products]
        moment, product = max(firsts)
        return product, moment, moment, len(products)
    last = max(events, key=lambda event: (event["occurred_at"], event["product"]))
    same = [event for event in events if event["product"] == last["product"]]
    begins = [event["occurred_at"] for event in same if event["name"] != "subscription_renewed"]
    begun = max(begins) if begins else min(event["occurred_at"] for event in same)
    return last["product"], begun, last["occurred_at"], len(products)


def person(seen: Seen) -> Person:
    fitted, cutoff, found = seen.fitted, seen.cutoff, having(seen)
    known = cutoff - timedelta(days=1) * seen.known_days()
    product, begun = (found[0], found[1]) if found else ("", known)
    life = max((seen.named(*fitted.activity) if fitted.activity else seen.active()).occurred_at, default=None)
    end: datetime = cutoff
    if fitted.leaving:
        gone = max(seen.named(fitted.leaving).occurred_at, default=None)
        left = gone is not None and (life is None or gone >= life) and gone >= begun
        end = gone if left and gone is not None else cutoff
    else:
        end = cutoff - fitted.horizon_days * DAY
        left = life is None or life < end
        end = max(life or begun, begun) if left else end
    active = seen.ages(seen.active())
    return Person(
        product=product,
        begun=begun,
        run=math.floor((begun - EPOCH) / (28 * DAY)),
        left=left,
        here=not left and life is not None and life >= cutoff - fitted.active_within_days * DAY,
        stayed=math.floor((end - begun) / DAY) if left or end >= begun else None,
        lately=any(age <= 14 for age in active),
        values={
            "active_days_7d": sum(age <= 7 for age in active),
            "active_days_30d": sum(age <= 30 for age in active),
            "activities_30d": seen.count(seen.active(), 30),
            "spend_90d": total(seen.within(seen.named("order_completed"), 90)),
        },
    )


@lru_cache(maxsize=4)
def everybody(everyone: Everyone, fitted: Fitted) -> list[Person]:
    found = everyone.events.groupby("customer_id")
    return [person(Seen(str(who), events, everyone, everyone.cutoff, fitted)) for who, events in found]


def enough(groups: Sequence[list[Person]]) -> list[Person] | None:
    """The first of these groups that is large enough."""
    return next((group for group in groups if len(group) >= cohorts.FEWEST_PEERS), None)


def mean(group: list[Person] | None, of: Callable[[Person], float]) -> float | None:
    return None if group is None else sum(map(of, group)) / len(group)


def below(group: list[Person] | None, of: Callable[[Person], float], value: float) -> float | None:
    return mean(group, lambda one: 1.0 if of(one) < value else 0.5 if of(one) == value else 0.0)


def product_peers(seen: Seen) -> Values:
    me, found = person(seen), having(seen)
    every = everybody(seen.everyone, seen.fitted)
    product = [one for one in every if one.product == me.product]
    peers = [one for one in product if one.run == me.run]
    here = enough([[one for one in group if one.here] for group in (peers, product)])
    gone = enough([[one for one in group if one.left] for group in (product, every)])
    started = sorted((one.begun - EPOCH) // DAY for one in product)
    today = (seen.cutoff - EPOCH) // DAY
    half = today - started[(len(started) - 1) // 2] if enough([product]) else None
    age = (seen.cutoff - me.begun) / DAY
    orders = not seen.everyone.named("order_completed").empty
    found_values: Values = {
        "days_since_product_began": age,
        "days_since_product_event": seen.days_since(found[2]) if found else None,
        "products_begun_ever": found[3] if found else 0,
        "days_since_product_peers_began": half,
        "days_began_after_product_peers": less(half, age),
        "peers_left_share": mean(enough([peers, product]), lambda one: one.left),
        "peers_active_share_14d": mean(here, lambda one: one.lately),
        "peers_gone_by_this_age": below(gone, lambda one: one.stayed or 0, math.floor(age)),
        "peers_ahead_left_share": leaving(every, me.product, math.floor(age), seen.fitted.horizon_days),
    }
    for name, value in me.values.items():
        found_values[f"{name}_rank_of_peers"] = below(here, lambda one, name=name: one.values[name], value)
    for name in ("active_days_30d", "activities_30d"):
        usual = mean(here, lambda one, name=name: one.values[name])
        found_values[f"{name}_to_peers_mean"] = ratio(me.values[name], usual)
    if not orders:
        found_values["spend_90d_rank_of_peers"] = None
    return found_values


def leaving(every: list[Person], product: str, age: int, horizon: int) -> float:
    """By the life table of the product, drawn to that of all: of those who came to this age, who leaves so soon?"""
    lived = [(one.product == product, one.stayed, one.left) for one in every if one.stayed is not None]

    def passed(band: int, of: list[tuple[bool, int, bool]]) -> tuple[int, int]:
        last = band == BANDS - 1
        ends = sum(left and (days // BAND == band or (last and days // BAND > band)) for _, days, left in of)
        return ends, sum(
            max(days - band * BAND, 0) if last else min(max(days - band * BAND, 0), BAND) for _, days, _ in of
        )

    mine = [one for one in lived if one[0]]
    at_any = sum(left for *_, left in lived) / max(sum(days for _, days, _ in lived), 1)
    hazard = 0.0
    rates: dict[int, float] = {}
    for day in range(age, age + horizon):
        band = min(day // BAND, BANDS - 1)
        if band not in rates:
            ends, days = passed(band, lived)
            everyones = (ends + PRIOR * at_any) / (days + PRIOR)
            ends, days = passed(band, mine)
            rates[band] = (ends + PRIOR * everyones) / (days + PRIOR)
        hazard += rates[band]
    return 1 - math.exp(-hazard)
