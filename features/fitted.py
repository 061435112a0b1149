"""What do the signals know before they look at a customer? Fitted on the log before a moment, stored with the model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from features.begun import Beginnings, fit_beginnings
from features.btyd import ParetoNBD, fit_pareto_nbd, histories
from features.cohorts import Norms
from features.own import OwnColumn, fit_own
from features.peers import Curve, fit_curve
from features.properties import Property, fit_properties
from features.vocabulary import BEGUN_BY, Vocabulary, fit_vocabulary
from records.events import EventLog


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The words, settings and fitted tables that make the columns of a signal table and their values."""

    words: Vocabulary = field(default_factory=Vocabulary)
    timezone: str = "UTC"  # IANA name: the company's, of hours, weekdays and start months
    horizon_days: int = 90  # how far ahead the model looks
    active_within_days: int = 180  # how long after an activity somebody is still a customer
    activity: tuple[str, ...] = ("order_completed",)  # which events are signs of life; empty: any but passive ones
    leaving: str = ""  # the event that says somebody left; empty: silence over the horizon says it
    numbers: tuple[Property, ...] = ()  # what the events that no family knows carry
    texts: tuple[Property, ...] = ()
    peers: Curve = ()  # how active customers are as they age; empty: too few to fit
    begun: Beginnings = field(default_factory=Beginnings)  # how the log says which product a customer has
    own: tuple[OwnColumn, ...] = ()  # columns of the company's own tables
    purchases: ParetoNBD | None = None  # how all customers bought; none: too few orders to fit

    @property
    def norms(self) -> Norms:
        """What everybody is counted by."""
        return Norms(self.horizon_days, self.active_within_days, bool(self.leaving), self.peers)

    def to_json(self) -> str:
        """How is it written beside the model?"""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Fitted:
        """What does this text hold?"""
        found: Mapping[str, Any] = json.loads(text)
        known = {one.name for one in fields(cls)}
        values = {key: _tuples(value) for key, value in found.items() if key in known}
        values["words"] = Vocabulary(**values["words"])
        if values["purchases"]:
            values["purchases"] = ParetoNBD(**values["purchases"])
        for key in ("numbers", "texts"):
            values[key] = tuple(Property(**one) for one in values[key])
        values["begun"] = Beginnings(**values["begun"])
        values["own"] = tuple(OwnColumn(**one) for one in values["own"])
        return cls(**values)


def _tuples(value: Any) -> Any:
    """Lists of JSON as tuples: what is fitted never changes and can be a key."""
    if isinstance(value, dict):
        return {key: _tuples(one) for key, one in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def fit(
    log: EventLog,
    until: datetime,
    *,
    timezone: str = "UTC",
    horizon_days: int = 90,
    active_within_days: int = 180,
    activity: Sequence[str] = ("order_completed",),
    leaving: str = "",
    begun_by: Sequence[str] = BEGUN_BY,
) -> Fitted:
    """What did the log say before `until`? Nothing that happened or became known later can change it.

    Parameters
    ----------
    timezone
        IANA name of the company's zone.
    horizon_days, active_within_days, activity, leaving
        What leaving means, as under `[churn]`; `leaving` is the leaving event where one defines it.
    begun_by
        Which events say which product, plan or course a customer has from then on.
    """
    words = fit_vocabulary(log, until)
    numbers, texts = fit_properties(log, until, words.events)
    return Fitted(
        words=words,
        timezone=timezone,
        horizon_days=horizon_days,
        active_within_days=active_within_days,
        activity=tuple(activity),
        leaving=leaving,
        numbers=numbers,
        texts=texts,
        peers=fit_curve(log, until),
        begun=fit_beginnings(log, until, begun_by),
        own=fit_own(log, until),
        purchases=fit_pareto_nbd(*histories(log, until)),
    )
