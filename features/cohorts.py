"""How do a customer's peers fare? Counts over everybody at each cutoff, and what they say of one customer.

Peers have the same product and began within the same four weeks; where fewer than thirty of them are still here, they
are all who have the product. What is counted are whole numbers, so everybody may be counted in any pieces and on any
engine: `counts_of` each piece, `added` together, `Cohorts` to look up. Nothing is fitted: each cutoff counts what was
known before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features import season
from features.cutoffs import DAY_US
from features.fact_columns import Facts, filled, flat, moments, numbers
from features.life_table import LifeTable
from features.sorted_rows import EARLIEST, Whole
from features.standing import Histogram, tally

START_DAYS = 28
"""Peers began in the same run of so many days, counted from 1970 on."""

FEWEST_PEERS = 30

COMPARED = ("active_days_7", "active_days_30", "events_30", "spent_90")
"""The facts by which customers are ranked among their peers."""

LATELY = "active_days_14"
MOMENTS = ("begun_us", "life_last", "leaving_last")
_OWN_READS = ("cutoff_day", "cutoff_us", "known_us", "product_now", *MOMENTS, LATELY, *COMPARED)
READS = tuple(dict.fromkeys((*_OWN_READS, *season.READS)))  # each once: Spark would give a column twice
"""The facts that peers and the clock of the season are told by. Of what the log has no event, nobody has any."""

MAKES = (
    "cohort_left_share",
    "cohort_lately_share",
    *(f"cohort_{name}_rank" for name in COMPARED),
    *(f"cohort_{name}_mean" for name in COMPARED[1:3]),
    "cohort_begun_days",
    "cohort_usual_length",
    "cohort_leaving_ahead",
    *season.MAKES,
)

GROUP = ("cutoff_day", "product", "start")
KEYS = (*GROUP, "kind", "value")
_TYPES: Any = (pa.int64(), pa.string(), pa.int64(), pa.string(), pa.float64(), pa.int64())
NOBODY = pa.table({name: pa.array([], kind) for name, kind in zip((*KEYS, "n"), _TYPES, strict=True)})
"""No counts."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Norms:
    """What everybody is counted by: what leaving means, and how active customers are as they age."""

    horizon_days: int
    active_within_days: int
    by_event: bool
    curve: tuple[float, ...] = ()  # as `features/peers.py` fits it


@dataclass(frozen=True)
class People:
    """Customers at cutoffs: whose peers they are, and how they fare."""

    cutoff_day: Whole
    product: pa.Array[Any]  # empty: none
    start: Whole  # the run of `START_DAYS` in which they began
    values: Mapping[str, NDArray[Any]]  # by kind of count
    counted: Mapping[str, NDArray[np.bool_]]  # who counts for it; everybody if it is not here
    age: Whole  # whole days since they began

    @classmethod
    def of(cls, facts: Facts, norms: Norms) -> People:
        """Who are these, by their facts?"""
        now, known = (np.asarray(facts[name], np.int64) for name in ("cutoff_us", "known_us"))
        begun, life, gone = (moments(facts, name, len(now)) for name in MOMENTS)
        begun = np.where(begun == EARLIEST, known, begun)
        # By an event somebody certainly stayed up to now, by silence up to a horizon ago.
        stayed = now if norms.by_event else now - norms.horizon_days * DAY_US
        left = (gone > EARLIEST) & (gone >= life) & (gone >= begun) if norms.by_event else life < stayed
        end = np.where(left, gone if norms.by_event else np.maximum(life, begun), stayed)
        here = ~left & (life >= now - norms.active_within_days * DAY_US)
        values = {
            "left": left,
            "begun": begun // DAY_US,
            "ended": np.maximum(end - begun, 0) // DAY_US,
            "lately": numbers(facts, LATELY, len(now)) > 0,
            **{name: numbers(facts, name, len(now)) for name in COMPARED},
        }
        values["going"] = values["ended"]
        counted = {"ended": left, "going": ~left & (end >= begun)} | dict.fromkeys(("lately", *COMPARED), here)
        product = facts.get("product_now")
        return cls(
            cutoff_day=np.asarray(facts["cutoff_day"], np.int64),
            product=pa.array([""] * len(now)) if product is None else filled(flat(product), ""),
            start=begun // (START_DAYS * DAY_US),
            values=values,
            counted=counted,
            age=(now - begun) // DAY_US,
        )


def counts_of(facts: Facts, norms: Norms) -> pa.Table:
    """How many of these customers are how, by cutoff, product and start: `KEYS` and `n`, sorted."""
    people = People.of(facts, norms)
    columns: dict[str, Any] = {"cutoff_day": people.cutoff_day.take, "product": people.product.take}
    columns["start"] = people.start.take
    words = pc.unique(people.product)
    word = pc.index_in(people.product, value_set=words).to_numpy().astype(np.int64)
    packed = _packed(people.cutoff_day, word, people.start, *_sizes(len(words), people.start))
    _, row, group = np.unique(packed, return_index=True, return_inverse=True)
    found = []
    for kind, values in people.values.items():
        chosen = people.counted.get(kind, slice(None))
        of, value, n = tally(group[chosen], values[chosen])
        keys: dict[str, Any] = {name: take(row[of]) for name, take in columns.items()}
        found.append(pa.table(keys | {"kind": pa.array([kind] * len(of), pa.string()), "value": value, "n": n}))
    return added([*found, _of_nobody(season.counts_of(facts, norms.curve))])


def _of_nobody(counts: pa.Table) -> pa.Table:
    """Counts over everybody in the columns of those of groups."""
    rows = counts.num_rows
    columns: dict[str, Any] = {name: counts.column(name) for name in counts.column_names}
    columns |= {"product": [""] * rows, "start": np.zeros(rows, np.int64), "value": np.zeros(rows)}
    return pa.table({name: columns[name] for name in NOBODY.column_names}, NOBODY.schema)


def added(counts: Sequence[pa.Table]) -> pa.Table:
    """The counts of several pieces as those of the whole, sorted by all keys."""
    grouped = pa.concat_tables([NOBODY, *counts]).group_by(list(KEYS), use_threads=False).aggregate([("n", "sum")])
    table = grouped.select([*KEYS, "n_sum"]).rename_columns([*KEYS, "n"])
    return table.sort_by([(key, "ascending") for key in KEYS]).combine_chunks()


class Cohorts:
    """What everybody's counts say of a customer. Groups are numbered at three levels: peers, product, everybody."""

    def __init__(self, counts: pa.Table, norms: Norms) -> None:
        of_all = pc.is_in(counts.column("kind"), value_set=pa.array([*season.CAME, *season.EXPECTED]))
        self.norms, self._pace = norms, season.Pace(counts.filter(of_all))
        counts = counts.filter(pc.invert(of_all)).combine_chunks()
        self._words = pc.unique(counts.column("product").combine_chunks())
        day, start = (counts.column(name).to_numpy() for name in ("cutoff_day", "start"))
        self._sizes = _sizes(len(self._words), start)
        levels = self._levels(day, counts.column("product").combine_chunks(), start)
        names = pc.unique(counts.column("kind").combine_chunks())
        kinds = pc.index_in(counts.column("kind"), value_set=names).to_numpy()
        value, n = (counts.column(name).to_numpy() for name in ("value", "n"))
        which = {str(name): kinds == place for place, name in enumerate(names.to_pylist())}
        self._counts: list[dict[str, Histogram]] = [
            {kind: Histogram.of(level[rows], value[rows], n[rows]) for kind, rows in which.items()} for level in levels
        ]
        nobody = np.zeros(len(n), dtype=bool)
        over = which.get("ended", nobody)
        lived = over | which.get("going", nobody)
        length, ended = value[lived].astype(np.int64), over[lived].astype(np.int64)
        self._lives = LifeTable(levels[1][lived], levels[2][lived], length, ended, n[lived])

    def facts(self, facts: Facts) -> dict[str, Floats]:
        """`MAKES` of these customers, NaN where they have too few peers."""
        people = People.of(facts, self.norms)
        levels = self._levels(people.cutoff_day, people.product, people.start)
        made = {
            "cohort_left_share": self._at(levels, "left", 0, lambda of, rows, at: of.mean(at)),
            "cohort_lately_share": self._at(levels, "lately", 0, lambda of, rows, at: of.mean(at)),
        }
        for name in COMPARED:
            value = people.values[name].astype(np.float64)
            made[f"cohort_{name}_rank"] = self._at(
                levels, name, 0, lambda of, rows, at, value=value: of.below(at, value[rows])
            )
        for name in COMPARED[1:3]:
            made[f"cohort_{name}_mean"] = self._at(levels, name, 0, lambda of, rows, at: of.mean(at))
        today = np.asarray(facts["cutoff_us"], np.int64) // DAY_US
        made["cohort_begun_days"] = today - self._at(levels[:2], "begun", 1, lambda of, rows, at: of.median(at))
        age = people.age.astype(np.float64)
        made["cohort_usual_length"] = self._at(levels, "ended", 1, lambda of, rows, at: of.below(at, age[rows]))
        ahead = self._lives.leaving
        made["cohort_leaving_ahead"] = ahead(levels[1], levels[2], people.age, self.norms.horizon_days)
        return made | self._pace.facts(facts)

    def _at(self, levels: Sequence[Whole], kind: str, first: int, say: Any) -> Floats:
        """What `say` makes of the counts of the first level, from `first` on, that has enough people."""
        last = 2 if kind == "ended" else 1
        found = np.full(len(levels[0]), np.nan)
        todo = np.arange(len(found))
        for place in range(first, last + 1):
            counts = self._counts[place].get(kind)
            if counts is None or not len(todo):
                break
            group = levels[place][todo]
            enough = counts.total(group) >= FEWEST_PEERS
            found[todo[enough]] = say(counts, todo[enough], group[enough])
            todo = todo[~enough]
        return found

    def _levels(self, day: Whole, product: pa.Array[Any], start: Whole) -> list[Whole]:
        """The numbers of the groups of these rows; that of no group where nobody was counted."""
        word = filled(pc.index_in(product, value_set=self._words), -1).to_numpy().astype(np.int64)
        first, starts, words = self._sizes
        inside = (start >= first) & (start < first + starts)
        none = np.iinfo(np.int64).min
        wide = np.where(word >= 0, day * words + word, none)
        narrow = np.where((word >= 0) & inside, _packed(day, word, start, *self._sizes), none)
        return [narrow, wide, day.astype(np.int64)]


def _sizes(words: int, start: Whole) -> tuple[int, int, int]:
    """The first run of days, how many runs there are, and how many products."""
    first, last = (int(start.min()), int(start.max())) if len(start) else (0, 0)
    return first, last - first + 1, max(words, 1)


def _packed(day: Whole, word: Whole, start: Whole, first: int, starts: int, words: int) -> Whole:
    """Cutoff, product and start as one whole number."""
    return (day * words + word) * starts + (start - first)
