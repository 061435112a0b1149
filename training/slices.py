"""For whom does the model work less well? Its figures for each tenure, plan, channel, language and region.

A slice is the customers who share one value of one attribute. The gap of an attribute is the distance between its
best and its worst slice, small slices left out: what a fairness review asks for first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.candidates import Rows
from training.evaluation import Floats, auroc, interval, mean_interval, paired_difference, row_losses, row_ranks

# A slice with fewer customers, or fewer leavers or stayers, says nothing.
FEWEST_ROWS, FEWEST_OF_EACH = 200, 20
# The largest values of an attribute have a slice each; the others share one.
MOST_VALUES = 12
# Less than this much log loss worse is as good.
TOLERANCE = 0.002
# What a slice is compared by, how much worse is still a tie, and the digits it is told with.
TIES = (("log loss", TOLERANCE, 4), ("AUROC", 0.01, 3))
LONGEST_NAME = 80
OTHERS, UNKNOWN = "all others", "not known"
Attributes = Mapping[str, Sequence[str | None]]


@dataclass(frozen=True, kw_only=True)
class SliceRow:
    """The customers with one value of one attribute, and how well their scores did."""

    attribute: str
    value: str
    rows: int
    left_share: float
    mean_probability: float
    auroc: float  # NaN where all left or all stayed
    log_loss: float
    log_loss_low: float
    log_loss_high: float
    too_small: bool  # its figures decide nothing

    @property
    def miscalibration(self) -> float:
        """How much more was predicted than came: 0 is perfect."""
        return self.mean_probability - self.left_share


@dataclass(frozen=True, kw_only=True)
class Gap:
    """How unequally an attribute's slices are served. 0 is perfect."""

    attribute: str
    slices: int
    log_loss: float  # largest less smallest; part of it is that some groups are easier
    miscalibration: float  # the same for predicted less came: what a fair model keeps near 0
    auroc: float


def members(values: Sequence[str | None]) -> dict[str, NDArray[np.int64]]:
    """Row numbers by value, largest first; what is rare shares a slice, what is not known has one."""
    named = np.array([UNKNOWN if value is None else str(value) for value in values], dtype=object)
    found, counts = np.unique(named, return_counts=True)
    ranked = [str(found[place]) for place in np.lexsort((found, -counts))]
    parts = {value: np.flatnonzero(named == value) for value in ranked[:MOST_VALUES]}
    rest = np.flatnonzero(~np.isin(named, ranked[:MOST_VALUES]))
    if OTHERS in parts:  # somebody's plan is called that: in one slice with the rest, but in one
        rest = np.union1d(parts[OTHERS], rest)
    return parts | ({OTHERS: rest} if len(rest) else {})


def brief(name: str) -> str:
    """A value from the data as a name that a line can hold.

    >>> brief("Fiber \\n 100"), len(brief("x" * 10_000))
    ('Fiber 100', 80)
    """
    said = " ".join(name.split())
    return said if len(said) <= LONGEST_NAME else f"{said[: LONGEST_NAME - 1]}…"


def too_small(y: Floats) -> bool:
    """Are there too few customers, leavers or stayers for a figure?"""
    leavers = float(y.sum())
    return len(y) < FEWEST_ROWS or min(leavers, len(y) - leavers) < FEWEST_OF_EACH


def slice_table(rows: Rows, scores: Floats, attributes: Attributes) -> tuple[SliceRow, ...]:
    """The figures of each slice. `attributes`: a name and one value per row of `rows`; None is not known.

    An attribute that nobody has is left out.
    """
    table = []
    for attribute, values in attributes.items():
        if len(values) != len(rows):
            msg = f"{attribute} has {len(values)} values for {len(rows)} rows"
            raise ValueError(msg)
        if all(value is None for value in values):
            continue
        table += [one_slice(rows, scores, attribute, value, inside) for value, inside in members(values).items()]
    return tuple(table)


def one_slice(rows: Rows, scores: Floats, attribute: str, value: str, inside: NDArray[np.int64]) -> SliceRow:
    y, p = rows.y[inside], scores[inside]
    losses = row_losses(y, p)
    loss = interval(lambda chosen: float(losses[chosen].mean()), rows.customers[inside])
    return SliceRow(
        attribute=attribute,
        value=value,
        rows=len(y),
        left_share=float(y.mean()),
        mean_probability=float(p.mean()),
        auroc=auroc(y, p),
        log_loss=loss.value,
        log_loss_low=loss.low,
        log_loss_high=loss.high,
        too_small=too_small(y),
    )


def gaps(table: Sequence[SliceRow]) -> tuple[Gap, ...]:
    """The fairness gap of each attribute that has two slices or more which are not too small."""
    found = []
    for attribute in dict.fromkeys(row.attribute for row in table):
        large = [row for row in table if row.attribute == attribute and not row.too_small]
        if len(large) > 1:
            found.append(
                Gap(
                    attribute=attribute,
                    slices=len(large),
                    log_loss=width([row.log_loss for row in large]),
                    miscalibration=width([row.miscalibration for row in large]),
                    auroc=width([row.auroc for row in large]),
                )
            )
    return tuple(found)


def width(values: Sequence[float]) -> float:
    return float(max(values) - min(values))


def worse_slices(rows: Rows, scores: Floats, others: Floats, attributes: Attributes) -> tuple[str, ...]:
    """In which slices are `scores` worse than `others` on the same customers: by log loss, or by the order they give?

    Worse is what lies beyond the interval of the difference and is more than a tie. A model that is blind for four
    hundred customers shows it in their order long before it shows in their log loss.
    With many slices some lose by chance: the interval is widened to the number of looks (Bonferroni), so that all
    of them together err once in twenty times and not once per twenty slices.
    """
    from scipy.stats import norm

    parts = [
        (f"{attribute} {brief(value)}", inside)
        for attribute, values in attributes.items()
        for value, inside in members(values).items()
        if not too_small(rows.y[inside])
    ]
    wider = float(norm.isf(0.025 / max(len(parts) * len(TIES), 1)) / norm.isf(0.025))
    found = []
    for name, inside in parts:
        y, one, other, customers = rows.y[inside], scores[inside], others[inside], rows.customers[inside]
        ranked = row_ranks(y, one) - row_ranks(y, other)
        gains = (paired_difference(y, one, other, customers), mean_interval(ranked, customers))
        for gain, (what, tie, digits) in zip(gains, TIES, strict=True):
            if gain.value < -tie and gain.value + wider * (gain.high - gain.value) < 0:
                found.append(f"{name} ({what} worse by {-gain.value:.{digits}f}, {gain.rows:,} customers)")
    return tuple(found)
