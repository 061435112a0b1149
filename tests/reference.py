"""Every signal, worked out slowly: event by event, in plain Python and pandas, one family per file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime

import pandas as pd
from reference_clock import clock, past_labels
from reference_contract import deliveries, lifetime, messaging, payments
from reference_engagement import engagement, peers, visits
from reference_generic import generic
from reference_peers import product_peers
from reference_properties import own, properties
from reference_purchases import buying, products, purchases
from reference_season import season
from reference_seen import Everyone, Seen, Values
from reference_support import support
from reference_text import text

from features.catalog import catalog
from features.fitted import Fitted

FAMILIES: dict[str, Callable[[Seen], Values]] = {
    "engagement": engagement,
    "peers": peers,
    "product peers": product_peers,
    "season": season,
    "clock": clock,
    "visits": visits,
    "purchases": purchases,
    "btyd": buying,
    "products": products,
    "past labels": past_labels,
    "lifetime": lifetime,
    "payments": payments,
    "deliveries": deliveries,
    "support": support,
    "text": text,
    "messaging": messaging,
    "generic": generic,
    "properties": properties,
    "own": own,
}


def slow_signals(
    log: pd.DataFrame,
    cutoff: datetime,
    fitted: Fitted,
    customers: Collection[str] | None = None,
    own: Mapping[str, pd.DataFrame] | None = None,
    families: Collection[str] = tuple(FAMILIES),
) -> dict[str, Values]:
    """Every signal of everyone seen before the cutoff (or of these); null until the log, of all, has what it needs.

    `own` are the company's tables by name; with `families` only the signals of these are worked out.
    """
    seen = log[(log.occurred_at < cutoff) & (log.received_at < cutoff)]
    everyone, names = Everyone(seen, cutoff, own or {}), set(seen.name)
    off = [signal.name for signal in catalog(fitted) if signal.needs and names.isdisjoint(signal.needs)]
    chosen = seen if customers is None else seen[seen.customer_id.isin(customers)]
    found: dict[str, Values] = {}
    for person, events in chosen.groupby("customer_id"):
        view = Seen(str(person), events.sort_values(["occurred_at", "event_id"]), everyone, cutoff, fitted)
        found[str(person)] = {name: value for family in families for name, value in FAMILIES[family](view).items()}
        found[str(person)] |= {name: None for name in off if name in found[str(person)]}
    return found
