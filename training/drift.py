"""Do today's customers look like those the model learnt from? Each signal, the score and the events, then and now.

The population stability index sums (now - then) × ln(now / then) over bins: 0 is no change, below .1 nothing to
mention, from .25 much. Small samples wander by chance: a change counts only beyond what chance does once in a thousand
times. And the days pass: in a young log everybody is known for longer every month, and seasons come round. A change
counts only if it is greater than all the model has seen between the cutoffs it learnt from. Drift alone is no reason to
train again: a model may be right about customers it has not seen the like of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from training.evaluation import Floats
from training.reference import Bins, Reference, stability

if TYPE_CHECKING:
    import pyarrow as pa

Level = Literal["none", "some", "much"]
SOME, MUCH = 0.1, 0.25
CHANCE = 0.999
SHOWN = 12
# An event counts as gone or as new if it was, or is, so large a part of all, and as many as this.
EVENT_SHARE, FEWEST_EVENTS = 0.01, 50


@dataclass(frozen=True, kw_only=True)
class Change:
    """One signal (or the score), then and now."""

    signal: str
    psi: float
    level: Level
    median_then: float | None
    median_now: float | None
    missing_then: float
    missing_now: float


@dataclass(frozen=True, kw_only=True)
class Drift:
    """What has changed since the model learnt."""

    customers: int
    much: int  # signals that changed much, and some
    some: int
    signals: int
    score: Change
    changes: tuple[Change, ...]  # those that count, the largest first
    events_gone: tuple[str, ...] = ()
    events_new: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def by_chance(bins: int, then: int, now: int) -> float:
    """How large the index gets by chance once in a thousand, without any change (chi-square; Yurdakul 2018)."""
    from scipy.stats import chi2

    return float(chi2.ppf(CHANCE, max(1, bins - 1)) * (1 / max(1, then) + 1 / max(1, now)))


def change(name: str, bins: Bins, values: Floats, rows_then: int, usual: float = 0.0) -> Change:
    """One column, then and now; `usual` is the greatest change the model has learnt from."""
    then, now = np.array(bins.shares), bins.spread(values)
    index = stability(then, now, rows_then, len(values))
    counts = index > max(usual, by_chance(int((then + now > 0).sum()), rows_then, len(values)))
    level: Level = "none" if not counts or index < SOME else "some" if index < MUCH else "much"
    known = values[~np.isnan(values)]
    return Change(
        signal=name,
        psi=index,
        level=level,
        median_then=bins.median,
        median_now=float(np.median(known)) if len(known) else None,
        missing_then=float(then[-1]),
        missing_now=float(now[-1]),
    )


def drift_of(
    reference: Reference, names: Sequence[str], table: pa.Table, scores: Floats, events: Mapping[str, int]
) -> Drift | None:
    """Those scored now against those learnt from; None for a model that keeps no reference."""
    if reference.score is None or not len(scores):
        return None
    found = [
        change(name, bins, np.asarray(table.column(name).to_numpy(), dtype=np.float64), reference.rows, usual)
        for name, bins, usual in zip(names, reference.signals, reference.usual, strict=True)
    ]
    counting = sorted((one for one in found if one.level != "none"), key=lambda one: (-one.psi, one.signal))
    return Drift(
        customers=len(scores),
        much=sum(one.level == "much" for one in found),
        some=sum(one.level == "some" for one in found),
        signals=len(found),
        score=change("score", reference.score, scores, reference.rows, reference.usual_score),
        changes=tuple(counting[:SHOWN]),
        events_gone=tuple(missing(reference.events, events)),
        events_new=tuple(missing(events, reference.events)),
    )


def missing(there: Mapping[str, int], here: Mapping[str, int]) -> list[str]:
    """Events that are frequent there and absent here, the most frequent first; nothing if one side is empty."""
    total = sum(there.values())
    if not total or not here:
        return []
    frequent = {name: n for name, n in there.items() if n >= max(FEWEST_EVENTS, EVENT_SHARE * total)}
    return sorted((name for name in frequent if name not in here), key=lambda name: (-frequent[name], name))
