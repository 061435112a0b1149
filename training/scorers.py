"""How is one customer's risk computed from stored numbers? The shapes a fitted model can take, and no others.

All work in log-odds, so that a mean of two models is a weighted sum and each signal's share of it can be told.
`X` has one row per customer and one column per signal, NaN where there is no data.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from records.errors import ModelError
from training.calibration import Calibration, sigmoid
from training.calibration import log_odds as odds_of
from training.evaluation import Floats

# Read when LightGBM is first imported, which is later: a thread with nothing to do sleeps. On a busy machine spinning
# costs eight times the work itself.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# Signals as numbers: float32 in training, where there are many rows; either will do.
Signals = NDArray[np.floating[Any]]
BLOCK = 16_384
# Standardised values are cut here: a customer a hundred times the mean must not own the sum.
FARTHEST = 5.0


def compress(X: Signals) -> Floats:
    """log1p on both sides of zero: counts and money become comparable, small values stay as they are."""
    return np.asarray(np.sign(X) * np.log1p(np.abs(X)), dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Linear:
    """A logistic regression on log-compressed, standardised signals; no data is the median plus a flag of its own.

    The line of a signal may bend: `bend_weights` times what it exceeds `knots` by is added. Two signals may say more
    together: `pair_weights` times their standardised product, half of it the share of each.
    """

    columns: tuple[int, ...]  # which signals
    medians: tuple[float, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    flagged: tuple[int, ...]  # columns whose missing flag carries a weight
    flag_weights: tuple[float, ...]
    intercept: float
    bends: tuple[int, ...] = ()  # places in `columns`, one per knot
    knots: tuple[float, ...] = ()
    bend_weights: tuple[float, ...] = ()
    firsts: tuple[int, ...] = ()  # of pairs: places in `columns`, followed by those in `flagged`
    seconds: tuple[int, ...] = ()
    pair_means: tuple[float, ...] = ()
    pair_scales: tuple[float, ...] = ()
    pair_weights: tuple[float, ...] = ()

    def terms(self, X: Signals) -> Floats:
        """The share of each signal in the log-odds, beside the intercept."""
        shares, values = np.zeros(X.shape), np.zeros((len(X), 0))
        if self.columns:
            values = self.standardise(X)
            shares[:, list(self.columns)] = values * np.asarray(self.weights)
            for place, knot, weight in zip(self.bends, self.knots, self.bend_weights, strict=True):
                shares[:, self.columns[place]] += weight * np.maximum(values[:, place] - knot, 0.0)
        for column, weight in zip(self.flagged, self.flag_weights, strict=True):
            shares[:, column] += weight * np.isnan(X[:, column])
        if self.pair_weights:
            self.add_pairs(X, values, shares)
        return shares

    def add_pairs(self, X: Signals, values: Floats, shares: Floats) -> None:
        """Adds half of each product's share to each of its two signals."""
        inputs = np.column_stack([values, np.isnan(X[:, list(self.flagged)])])
        columns = (*self.columns, *self.flagged)
        pairs = zip(self.firsts, self.seconds, self.pair_means, self.pair_scales, self.pair_weights, strict=True)
        for one, other, mean, scale, weight in pairs:
            product = np.clip((inputs[:, one] * inputs[:, other] - mean) / scale, -FARTHEST, FARTHEST)
            for place in (one, other):
                shares[:, columns[place]] += weight / 2 * product

    def standardise(self, X: Signals) -> Floats:
        values = compress(np.asarray(X[:, list(self.columns)], dtype=np.float64))
        values = np.where(np.isnan(values), np.asarray(self.medians), values)
        scaled = (values - np.asarray(self.means)) / np.asarray(self.scales)
        return np.asarray(np.clip(scaled, -FARTHEST, FARTHEST), dtype=np.float64)

    def log_odds(self, X: Signals) -> Floats:
        total = np.full(len(X), self.intercept)
        # In blocks: the shares of all rows at once would be twice the matrix of signals.
        for first in range(0, len(X), BLOCK):
            part = slice(first, first + BLOCK)
            total[part] += self.terms(X[part]).sum(axis=1)
        return total

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Linear:
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()
        }
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class Trees:
    """Gradient-boosted trees, kept as LightGBM's own text."""

    text: str

    def booster(self) -> Any:
        import lightgbm

        return lightgbm.Booster(model_str=self.text)

    def log_odds(self, X: Signals, threads: int = 2) -> Floats:
        return np.asarray(self.booster().predict(X, raw_score=True, num_threads=threads), dtype=np.float64)

    def terms(self, X: Signals, threads: int = 2) -> Floats:
        """Exact Shapley shares of each signal (LightGBM's pred_contrib, without its last column, the mean)."""
        shares = self.booster().predict(X, pred_contrib=True, num_threads=threads)
        return np.asarray(shares, dtype=np.float64)[:, :-1]


@dataclass(frozen=True, kw_only=True)
class Odds:
    """One signal that is itself a probability of leaving: its log-odds, stretched and moved; `absent` without it."""

    column: int
    center: float  # mean log-odds of the signal where it was fitted
    slope: float
    intercept: float
    absent: float

    def terms(self, X: Signals) -> Floats:
        """The share of the one signal in the log-odds, beside the intercept."""
        shares = np.zeros(X.shape)
        p = np.asarray(X[:, self.column], dtype=np.float64)
        with_signal = self.slope * (odds_of(p) - self.center)
        shares[:, self.column] = np.where(np.isnan(p), self.absent - self.intercept, with_signal)
        return shares

    def log_odds(self, X: Signals) -> Floats:
        return np.asarray(self.terms(X[:, : self.column + 1]).sum(axis=1) + self.intercept, dtype=np.float64)

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


Part = Linear | Trees | Odds


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """One fitted candidate: a weighted sum of parts in log-odds, then a calibration."""

    kind: str  # logistic, pareto_nbd, lightgbm, tuned, average
    parts: tuple[tuple[float, Part], ...]
    calibration: Calibration = field(default_factory=Calibration)

    def log_odds(self, X: Signals) -> Floats:
        total = np.zeros(len(X))
        for weight, part in self.parts:
            total += weight * part.log_odds(X)
        return total

    def predict(self, X: Signals) -> Floats:
        """Calibrated probability of leaving, per row."""
        if not len(X):
            return np.zeros(0)
        return self.calibration.apply(sigmoid(self.log_odds(X)))

    def terms(self, X: Signals) -> Floats:
        """What each signal adds to the log-odds before calibration; calibration keeps their order and sign."""
        total = np.zeros(X.shape)
        if not len(X):
            return total
        for weight, part in self.parts:
            total += weight * part.terms(X)
        return total


def scorer_to_json(name: str, scorer: Scorer, files: dict[str, bytes]) -> dict[str, Any]:
    """The scorer as plain values; its trees go to `files`."""
    parts: list[dict[str, Any]] = []
    for number, (weight, part) in enumerate(scorer.parts):
        if isinstance(part, Trees):
            file = f"{name}_{number}.txt"
            files[file] = part.text.encode()
            parts.append({"weight": weight, "trees": file})
        else:
            shape = "linear" if isinstance(part, Linear) else "odds"
            parts.append({"weight": weight, shape: part.to_json()})
    return {"kind": scorer.kind, "parts": parts, "calibration": scorer.calibration.to_json()}


def scorer_from_json(stored: dict[str, Any], files: Mapping[str, bytes], signals: int) -> Scorer:
    """The scorer again; trees are checked before LightGBM sees them."""
    parts: list[tuple[float, Part]] = []
    for part in stored["parts"]:
        if "trees" in part:
            text = files[part["trees"]].decode()
            check_trees(text, signals)
            parts.append((part["weight"], Trees(text=text)))
        elif "odds" in part:
            parts.append((part["weight"], Odds(**part["odds"])))
        else:
            parts.append((part["weight"], Linear.from_json(part["linear"])))
    return Scorer(kind=stored["kind"], parts=tuple(parts), calibration=Calibration.from_json(stored["calibration"]))


def check_trees(text: str, signals: int) -> None:
    """Refuse a model text whose indices point outside the tree or the signals: LightGBM itself does not look."""
    header, *blocks = text.split("\nTree=")
    names = fields(header)
    if names.get("max_feature_idx") != str(signals - 1):
        refuse(f"it was made for {int(names.get('max_feature_idx', -2)) + 1} signals, not {signals}")
    if not blocks:
        refuse("it holds no trees")
    for number, block in enumerate(blocks):
        check_tree(fields("Tree=" + block.split("\nend of trees")[0]), signals, number)


def fields(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def integers(tree: dict[str, str], name: str) -> NDArray[np.int64]:
    try:
        return np.array(tree.get(name, "").split(), dtype=np.int64)
    except ValueError:
        refuse(f"{name} is not a list of numbers")
        raise


def check_tree(tree: dict[str, str], signals: int, number: int) -> None:
    leaves = int(tree.get("num_leaves", "0"))
    if tree.get("num_cat") != "0" or tree.get("is_linear", "0") != "0":
        refuse(f"tree {number} has categories or linear leaves, which we never fit")
    if len(tree.get("leaf_value", "").split()) != max(leaves, 1):
        refuse(f"tree {number} names {leaves} leaves and holds another number")
    if leaves <= 1:
        return
    left, right = integers(tree, "left_child"), integers(tree, "right_child")
    split = integers(tree, "split_feature")
    inside = ("threshold", "decision_type", "split_gain")
    if {len(left), len(right), len(split), *(len(tree.get(name, "").split()) for name in inside)} != {leaves - 1}:
        refuse(f"tree {number} has lists of unequal length")
    if split.min() < 0 or split.max() >= signals:
        refuse(f"tree {number} splits on a signal that does not exist")
    # Every node but the root, and every leaf, hangs on exactly one parent that comes before it.
    children = np.concatenate([left, right])
    if sorted(children[children >= 0].tolist()) != list(range(1, leaves - 1)):
        refuse(f"tree {number} has a child outside the tree or twice")
    if sorted((~children[children < 0]).tolist()) != list(range(leaves)):
        refuse(f"tree {number} has a leaf outside the tree or twice")
    parents = np.concatenate([np.arange(leaves - 1)] * 2)
    if (parents[children >= 0] >= children[children >= 0]).any():
        refuse(f"tree {number} turns back on itself")


def refuse(why: str) -> None:
    msg = f"the stored trees are not what LightGBM writes: {why}."
    raise ModelError(msg, remedy="Train again: pehle train")
