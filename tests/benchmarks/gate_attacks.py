"""How often does the gate let the wrong model through, or keep the right one out? Run by `make gates`.

Each attack is drawn anew with every seed. "Fitted" ones go through all candidates, calibration and judging; the others
draw what two models say of the judged customers, which is quick enough for hundreds of seeds. A false answer is a
promotion where none is due, or a refusal where one is.

    .venv/bin/python tests/benchmarks/gate_attacks.py 200 20          seeds of the drawn, seeds of the fitted
    .venv/bin/python tests/benchmarks/gate_attacks.py 200 0 slices    only those with a word in their title
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from test_choosing import World, slices_of

from training.calibration import log_odds, sigmoid
from training.candidates import Rows, Settings
from training.evaluation import Floats, log_loss
from training.examples import Examples
from training.gates import Attributes, against, gate, knows_more
from training.judging import Judged, fit_and_judge
from training.labels import TrainingOptions
from training.model import Model
from training.opponent import Opponent

START = datetime(2025, 1, 1, tzinfo=UTC)
HORIZON = timedelta(days=30)
QUICK = TrainingOptions(threads=1, max_rounds=80)
CUSTOMERS = 4_000


@dataclass(frozen=True, kw_only=True)
class Company:
    """One judging slice: who left, their true chance, what recency alone says."""

    y: Floats
    true: Floats
    recency: Floats
    customers: np.typing.NDArray[np.int64]
    rng: np.random.Generator

    def noisy(self, size: float) -> Floats:
        """What a model says that errs by so much in log-odds."""
        return sigmoid(log_odds(self.true) + size * self.rng.normal(0, 1, len(self.y)))

    def judged(self, new: Floats) -> Judged:
        rows = Rows(X=np.zeros((len(self.y), 1)), y=self.y, recency=np.zeros(len(self.y)), customers=self.customers)
        scores = {"recency": self.recency, "logistic": new}
        losses = {name: log_loss(self.y, p) for name, p in scores.items()}
        return Judged(rows=rows, scores=scores, scorers={}, losses=losses, settings=Settings(), raw=scores)


def company(seed: int, count: int = CUSTOMERS) -> Company:
    """Customers of whom about one in five leaves; recency knows a quarter of why."""
    rng = np.random.default_rng(seed)
    known, hidden = rng.normal(0, 0.5, count), rng.normal(0, 0.9, count)
    true = sigmoid(-1.6 + known + hidden)
    y = (rng.random(count) < true).astype(float)
    return Company(y=y, true=true, recency=sigmoid(-1.4 + known), customers=np.arange(count), rng=rng)


def passes(
    at: Company, new: Floats, old: Floats | None, *, newer: bool = True, groups: Attributes | None = None
) -> bool:
    """Is the new model put in use, the old one (None: there is none) being in use?"""
    judged = at.judged(new)
    if judged.winner == "recency" or not knows_more(judged, "logistic")[0]:
        return False
    return old is None or against(judged, Opponent(what="it", scores=old, newer=newer), groups or {})[0]


# ── drawn attacks: one seed in, promoted or not out ──────────────────────────────────────────────────────────
def unrelated(seed: int) -> bool:
    at = company(seed)
    return passes(replace(at, y=at.rng.permutation(at.y)), at.noisy(0.1), None)


def constant(seed: int) -> bool:
    at = company(seed)
    return passes(at, np.full(CUSTOMERS, at.y.mean()), None)


def base_rate_alone(seed: int) -> bool:
    """Recency is stale; the new model knows today's base rate and nothing of anybody."""
    at = company(seed)
    stale = replace(at, recency=sigmoid(log_odds(at.recency) + 0.8))
    return passes(
        stale, sigmoid(log_odds(np.full(CUSTOMERS, at.y.mean())) + 1e-3 * at.rng.normal(0, 1, CUSTOMERS)), None
    )


def recency_misleads(seed: int) -> bool:
    """Those who were here last leave first; the new model knows nothing."""
    at = company(seed)
    return passes(
        replace(at, recency=sigmoid(-2.8 - log_odds(at.recency))), sigmoid(at.rng.normal(-1.4, 0.05, CUSTOMERS)), None
    )


def repeated(seed: int, size: float) -> bool:
    """Each customer is there ten times; to the gate they are one."""
    at = company(seed, 400)
    new, old = at.noisy(size), at.noisy(0.0 if size else 0.8)
    ten = {name: np.repeat(getattr(at, name), 10) for name in ("y", "true", "recency", "customers")}
    return passes(replace(at, **ten), np.repeat(new, 10), np.repeat(old, 10), newer=False)


def once(seed: int, size: float) -> bool:
    at = company(seed, 400)
    return passes(at, at.noisy(size), at.noisy(0.0 if size else 0.8), newer=False)


def tiny(seed: int) -> bool:
    """Sixty customers judge a model that knows nothing."""
    at = company(seed, 60)
    return passes(replace(at, y=at.rng.permutation(at.y)), at.noisy(0.1), None)


def worse_by(size: float) -> Callable[[int], bool]:
    """The new model errs by `size` in log-odds where the one in use does not."""

    def attack(seed: int) -> bool:
        at = company(seed)
        return passes(at, at.noisy(size), at.true)

    return attack


def better_by(size: float) -> Callable[[int], bool]:
    def attack(seed: int) -> bool:
        at = company(seed)
        return passes(at, at.true, at.noisy(size), newer=False)

    return attack


def base_rate_moved(seed: int) -> bool:
    """Both rank alike; the one in use is 40 % too high in odds everywhere."""
    at = company(seed)
    return passes(at, at.true, sigmoid(log_odds(at.true) + np.log(1.4)), newer=False)


def slice_harmed(seed: int) -> bool:
    """Better for nine in ten, blind for one plan in ten."""
    at = company(seed)
    harmed = np.arange(CUSTOMERS) % 10 == 0
    plans = {"plan": ["fiber" if one else "mobile" for one in harmed]}
    return passes(at, np.where(harmed, at.y.mean(), at.true), at.noisy(0.5), groups=plans)


def many_plans(seed: int) -> bool:
    """The same, where five attributes with ten values each are looked at."""
    at = company(seed)
    groups = {f"attribute {n}": [f"{code}" for code in at.rng.integers(0, 10, CUSTOMERS)] for n in range(5)}
    harmed = np.array(groups["attribute 0"]) == "3"
    return passes(at, np.where(harmed, at.y.mean(), at.true), at.noisy(0.5), groups=groups)


def far_too_sure(seed: int) -> bool:
    """The true order and half as much again of log-odds, twice over, beside a model that errs by .25."""
    at = company(seed)
    return passes(at, sigmoid(2.25 * log_odds(at.true) + 1.5), at.noisy(0.25))


def as_good(seed: int, copies: int = 1, *, named_apart: bool = False) -> bool:
    """400 customers, as good as the one in use and no newer; each there several times, as one person or as several."""
    at = company(seed, 400)
    new, old = (np.repeat(at.noisy(0.4), copies) for _ in range(2))
    many = {name: np.repeat(getattr(at, name), copies) for name in ("y", "true", "recency", "customers")}
    if named_apart:
        many["customers"] = np.arange(400 * copies)
    return passes(replace(at, **many), new, old, newer=False)


def equal_in_slices(seed: int) -> bool:
    """No better and no worse anywhere, looked at in thirty slices: refused only by chance."""
    at = company(seed)
    groups = {
        name: [f"{name}{code}" for code in at.rng.integers(0, 10, CUSTOMERS)] for name in ("plan", "region", "app")
    }
    return passes(at, at.noisy(0.15), at.noisy(0.15), groups=groups)


# ── fitted attacks ───────────────────────────────────────────────────────────────────────────────────────────
def fitted(seed: int, *, shuffled: bool) -> bool:
    """All candidates over twelve cutoffs; with `shuffled` labels nothing can be known."""
    world = World(slices_of(12))
    rng = np.random.default_rng(seed)
    for cutoff, part in world.parts.items():
        X = rng.normal(0, 1, (len(part), 12)).astype(np.float32)
        X[:, 0] = np.log(part.recency)
        z = -1.5 + 0.5 * X[:, 0] + 0.6 * X[:, 1] - 0.4 * X[:, 2]
        y = (rng.random(len(part)) < sigmoid(z.astype(np.float64))).astype(float)
        world.parts[cutoff] = replace(part, X=X, y=rng.permutation(y) if shuffled else y)
    world.year_before = None
    world.signal_names = tuple(f"signal {number}" for number in range(12))
    judged = fit_and_judge(cast(Examples, world), QUICK)
    return gate(judged, cast(Model, None), None, lambda one: None)[0]


DRAWN: tuple[tuple[str, bool, Callable[[int], bool]], ...] = (
    ("scores that say nothing of who left", False, unrelated),
    ("the same score for everybody", False, constant),
    ("today's base rate against a stale recency", False, base_rate_alone),
    ("knows nothing, beside a recency that misleads", False, recency_misleads),
    ("sixty customers judge a model that knows nothing", False, tiny),
    ("worse than the one in use by .001 log loss (errs by .12)", False, worse_by(0.12)),
    ("worse by .004 (errs by .25)", False, worse_by(0.25)),
    ("worse by .018 (errs by .5)", False, worse_by(0.5)),
    ("400 customers, worse by .018", False, lambda seed: once(seed, 0.5)),
    ("the same, each ten times over", False, lambda seed: repeated(seed, 0.5)),
    ("better for nine in ten, blind for a plan", False, slice_harmed),
    ("blind for a plan, fifty slices looked at", False, many_plans),
    ("far too sure, beside one that errs by .25", False, far_too_sure),
    ("400 customers, as good and no newer", False, as_good),
    ("as good and no newer, each ten times over", False, lambda seed: as_good(seed, 10)),
    ("as good and no newer, each ten times under ten names", False, lambda seed: as_good(seed, 10, named_apart=True)),
    ("better by .018", True, better_by(0.5)),
    ("better by .004", True, better_by(0.25)),
    ("the same order, the right level after the base rate moved", True, base_rate_moved),
    ("400 customers, better by .045", True, lambda seed: once(seed, 0.0)),
    ("the same, each ten times over", True, lambda seed: repeated(seed, 0.0)),
    ("as good and newer, thirty slices looked at", True, equal_in_slices),
)
FITTED: tuple[tuple[str, bool, Callable[[int], bool]], ...] = (
    ("shuffled labels, all candidates fitted", False, lambda seed: fitted(seed, shuffled=True)),
    ("the same with its labels, all candidates fitted", True, lambda seed: fitted(seed, shuffled=False)),
)


def main(drawn: int = 200, through_all: int = 20, *only: str) -> None:
    """Every attack (or those whose titles hold one of these words): how often promoted, and how often wrongly."""
    sys.stdout.write("| attack | due | promoted | seeds | wrong |\n| --- | --- | --- | --- | --- |\n")
    for attacks, seeds in ((DRAWN, drawn), (FITTED, through_all)):
        for title, due, attack in attacks:
            if not seeds or (only and not any(word in title for word in only)):
                continue
            promoted = sum(attack(seed) for seed in range(seeds))
            wrong = seeds - promoted if due else promoted
            sys.stdout.write(
                f"| {title} | {'yes' if due else 'no'} | {promoted} | {seeds} | {wrong / max(1, seeds):.1%} |\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), *sys.argv[3:])
