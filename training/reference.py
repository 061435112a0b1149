"""What did the world look like when the model learnt? Stored with it, so that a later look can say what has changed.

For each signal and for the score: bins that each held about a tenth of the examples, and the share with no data. For
the log: which events there were in the last weeks. Some kilobytes, whatever the size of the log; nothing about anyone.

The examples are those of the newest cutoff that was finished: at older ones a young log knows less of everybody, and
that would look like change. How much each signal differed at the older ones is kept beside: what the model has learnt
to live with is no news.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.readings import SCORED
from training.evaluation import Floats
from training.labels import instant

if TYPE_CHECKING:
    from records.events import EventLog

BINS = 10
SAMPLE = 20_000  # examples that the bins are made from
EARLIER_SAMPLE = 5_000  # examples of each older cutoff
EVENT_WEEKS = 4
MOST_EVENTS = 200  # names, the most frequent first


@dataclass(frozen=True, kw_only=True)
class Bins:
    """How the values of one signal were spread: `shares` has one entry per bin and a last one for no data."""

    edges: tuple[float, ...]  # a value belongs to the bin after the last edge that it reaches
    shares: tuple[float, ...]
    median: float | None  # None: no data at all

    def spread(self, values: Floats) -> Floats:
        """The shares of these values in the same bins. As float32, which is what the examples are kept in: a value
        that many share must fall on the same side of an edge then and now.
        """
        values = values.astype(np.float32).astype(np.float64)
        missing = np.isnan(values)
        counts = np.bincount(np.searchsorted(self.edges, values[~missing], side="right"), minlength=len(self.edges) + 1)
        return np.asarray(np.r_[counts, missing.sum()] / max(1, len(values)), dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What the model learnt from, in so far as it can be compared with today."""

    rows: int = 0
    signals: tuple[Bins, ...] = ()  # in the order of the model's signals
    score: Bins | None = None
    events: Mapping[str, int] = field(default_factory=dict)  # in the last weeks before the model was made
    usual: tuple[float, ...] = ()  # per signal: its greatest change (stability) between an older cutoff and this one
    usual_score: float = 0.0

    def to_json(self) -> dict[str, Any]:
        bins = [[one.edges, one.shares, one.median] for one in self.signals]
        score = [self.score.edges, self.score.shares, self.score.median] if self.score else None
        usual = {"signals": self.usual, "score": self.usual_score}
        return {"rows": self.rows, "signals": bins, "score": score, "events": dict(self.events), "usual": usual}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Reference:
        signals = tuple(_bins(one) for one in stored["signals"])
        # A model from before this was kept has seen no change that we know of.
        usual = stored.get("usual", {"signals": [0.0] * len(signals), "score": 0.0})
        return cls(
            rows=stored["rows"],
            signals=signals,
            score=_bins(stored["score"]) if stored["score"] else None,
            events=stored["events"],
            usual=tuple(usual["signals"]),
            usual_score=usual["score"],
        )


def _bins(stored: Sequence[Any]) -> Bins:
    edges, shares, median = stored
    return Bins(edges=tuple(edges), shares=tuple(shares), median=median)


def bins_of(values: Floats) -> Bins:
    """About ten bins of equal size; values that many share have an edge at themselves and so a bin of their own."""
    known = np.sort(values[~np.isnan(values)].astype(np.float32)).astype(np.float64)
    if not len(known):
        return Bins(edges=(), shares=(0.0, 1.0), median=None)
    places = (np.arange(1, BINS) * len(known)) // BINS
    # Edges are values, to the last bit: rounded up, an edge would lie above the very value it is for.
    edges = tuple(sorted({float(edge) for edge in known[places]} - {float(known[0])}))
    made = Bins(edges=edges, shares=(), median=float(f"{known[len(known) // 2]:.9g}"))
    return Bins(edges=edges, shares=tuple(float(f"{share:.6g}") for share in made.spread(values)), median=made.median)


def reference_of(
    X: NDArray[Any],
    predict: Callable[[Floats], Floats],
    events: Mapping[str, int],
    earlier: Iterable[NDArray[Any]] = (),
) -> Reference:
    """The reference of a model from examples of the newest finished cutoff and what it says of them.

    `earlier`: the examples of each older cutoff, so that what always changes from cutoff to cutoff is known.
    """
    part = _sample(X, SAMPLE)
    signals = tuple(bins_of(part[:, column]) for column in range(part.shape[1]))
    score = bins_of(predict(part))
    usual, usual_score = np.zeros(len(signals)), 0.0
    for older in earlier:
        past = _sample(older, EARLIER_SAMPLE)
        if len(past):
            found = [difference(bins, past[:, column], len(part)) for column, bins in enumerate(signals)]
            usual = np.maximum(usual, found)
            usual_score = max(usual_score, difference(score, predict(past), len(part)))
    return Reference(
        rows=len(part),
        signals=signals,
        score=score,
        events=events,
        usual=tuple(float(f"{one:.6g}") for one in usual),
        usual_score=float(f"{usual_score:.6g}"),
    )


def _sample(X: NDArray[Any], most: int) -> Floats:
    """Every so many rows, at most so many."""
    return np.asarray(X[:: max(1, -(-len(X) // most))], dtype=np.float64)


def difference(bins: Bins, values: Floats, rows: int) -> float:
    """How differently are these values spread over the bins of so many rows, less what chance adds on average?"""
    found = stability(np.array(bins.shares), bins.spread(values), rows, len(values))
    return max(0.0, found - len(bins.edges) * (1 / rows + 1 / len(values)))


def stability(then: Floats, now: Floats, rows_then: int, rows_now: int) -> float:
    """The population stability index of two spreads over the same bins.

    Half a customer more in each bin: an empty one must not make the index of a small company huge.
    """
    bins = len(then)
    before = (then * rows_then + 0.5) / (rows_then + bins / 2)
    after = (now * rows_now + 0.5) / (rows_now + bins / 2)
    return float(np.sum((after - before) * np.log(after / before)))


def recent_events(log: EventLog, until: datetime) -> dict[str, int]:
    """How often each event came in the last weeks known before `until`: the most frequent names, sorted by name."""
    since = instant(until - timedelta(weeks=EVENT_WEEKS))
    with log.connection() as con:
        rows = con.execute(
            f"select name, count(*) as number from {log.relation_sql(until)} where occurred_at >= {since} "  # noqa: S608
            f"and name <> '{SCORED}' group by name order by number desc, name limit {MOST_EVENTS}"
        ).fetchall()
    return {str(name): int(number) for name, number in sorted(rows)}
