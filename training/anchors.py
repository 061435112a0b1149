"""What does a figure mean? Each measure: its name for people, what it asks, what useless, good and perfect are.

What is useless depends on how many leave: a log loss of .3 says nothing where one in ten leaves, much where half do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log

import numpy as np

from training.evaluation import MEASURES
from training.profit import CAMPAIGN, CAPACITY, expected_maximum_profit

SHARES = 10_000  # a base rate is told to so many parts


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """One measure as a reader meets it."""

    name: str
    question: str
    useless: str
    good: str
    perfect: str
    digits: int = 3


def figure(value: float, digits: int = 3) -> str:
    """A figure for people: 0.731, 12,400, and a dash where it cannot be said.

    >>> figure(0.7314), figure(-0.02, 2), figure(12400.4, 0), figure(float("nan"))
    ('0.731', '−0.02', '12,400', '–')
    """
    if value != value:
        return "–"
    return f"{value:,.{digits}f}".replace("-", "\N{MINUS SIGN}")


def percent(share: float, digits: int = 0) -> str:
    """A share for people.

    >>> percent(0.4049), percent(0.0031), percent(0.0031, 1), percent(float("nan"))
    ('40%', 'under 1%', '0.3%', '–')
    """
    if share != share:
        return "–"
    least = 10.0 ** (-2 - digits)
    return f"under {100 * least:g}%" if 0 < share < least / 2 else f"{100 * share:.{digits}f}%"


def entropy(base: float) -> float:
    """The log loss of saying the base rate to everybody."""
    return 0.0 if base in (0.0, 1.0) else -base * log(base) - (1 - base) * log(1 - base)


def _auroc(base: float) -> Anchor:
    question = "How often does someone who left stand above someone who stayed?"
    return Anchor(name="AUROC", question=question, useless="0.5", good="0.7 to 0.9", perfect="1")


def _average_precision(base: float) -> Anchor:
    question = "Of those we would call, how many do leave, averaged over all lengths of the list?"
    useless, good = f"{figure(base)}, the share that leaves", "several times that"
    return Anchor(name="Average precision", question=question, useless=useless, good=good, perfect="1")


def _log_loss(base: float) -> Anchor:
    question = "How surprised are the probabilities by what happened? Lower is better; a sure mistake costs most."
    useless = f"{figure(entropy(base))}: the same risk for everybody"
    good = "lower than recency alone, beyond the interval"
    return Anchor(name="Log loss", question=question, useless=useless, good=good, perfect="0", digits=4)


def _brier(base: float) -> Anchor:
    question = "What is the mean squared error of the probabilities? Lower is better."
    useless = f"{figure(base * (1 - base))}: the same risk for everybody"
    return Anchor(
        name="Brier", question=question, useless=useless, good="clearly lower than that", perfect="0", digits=4
    )


def _ece(base: float) -> Anchor:
    question = "How far is “30%” from 30 in a hundred, on average over ten groups?"
    return Anchor(name="Calibration error", question=question, useless="0.1 and more", good="up to 0.02", perfect="0")


def _lift(base: float) -> Anchor:
    question = "How many times the average do the riskiest 10% leave?"
    best = figure(1 / max(0.1, base), 1) if base else "–"
    return Anchor(name="Lift, top 10%", question=question, useless="1", good="2 to 5", perfect=best, digits=2)


def _empc(base: float) -> Anchor:
    question = "What does a campaign of the best size earn per customer? Value, offer and costs are assumed."
    return Anchor(
        name="Profit (EMPC)",
        question=question,
        useless=f"{figure(campaign_profit(base, known=False), 2)}: asking everybody or nobody",
        good="clearly above",
        perfect=f"{figure(campaign_profit(base, known=True), 2)}: every leaver is asked and nobody else",
        digits=2,
    )


def _capacity(base: float) -> Anchor:
    leaver, stayer = CAMPAIGN.acceptance * (CAMPAIGN.value - CAMPAIGN.offer) - CAMPAIGN.contact, CAMPAIGN.offer
    by_lot = CAPACITY * (base * leaver - (1 - base) * (stayer + CAMPAIGN.contact))
    return Anchor(
        name="Profit, 10% asked",
        question="What does asking the riskiest 10% earn per customer of all? Value, offer and costs are assumed.",
        useless=f"{figure(max(0.0, by_lot), 2)}: asking 10% drawn by lot, or nobody",
        good="clearly above",
        perfect=f"{figure(min(base, CAPACITY) * leaver, 2)}: nobody but leavers is asked",
        digits=2,
    )


def campaign_profit(base: float, *, known: bool) -> float:
    """What the assumed campaign earns per customer where it is known who leaves, or nothing of anybody.

    >>> round(campaign_profit(0.5, known=True), 1), campaign_profit(0.0, known=True)
    (28.0, nan)
    """
    left = (np.arange(SHARES) < round(base * SHARES)).astype(np.float64)
    return expected_maximum_profit(left, left if known else np.zeros(SHARES))


KNOWN: dict[str, Callable[[float], Anchor]] = {
    "auroc": _auroc,
    "average_precision": _average_precision,
    "log_loss": _log_loss,
    "brier": _brier,
    "ece": _ece,
    "lift_10": _lift,
    "empc": _empc,
    "profit_10": _capacity,
}


def anchor(name: str, base: float) -> Anchor:
    """The anchor of a measure where a share of `base` leaves; a measure not listed here speaks by its docstring."""
    if name in KNOWN:
        return KNOWN[name](base)
    said = " ".join((MEASURES[name].__doc__ or "").split()) if name in MEASURES else ""
    parts = {"useless": "", "good": "", "perfect": ""}
    for sentence in said.replace(";", ".").split(". "):
        for part in parts:
            if sentence.lower().startswith(part):
                parts[part] = sentence[len(part) :].strip(" :.")
    question = said.partition("?")[0] + "?" if "?" in said else said.partition(". ")[0]
    return Anchor(name=name.replace("_", " "), question=question, digits=3, **parts)


# ── topics ────────────────────────────────────────────────────────────────────────────────────────────────
TOPIC_ANCHORS = (
    Anchor(
        name="MAP@3",
        question="How high among the first three stand the topics that came up?",
        useless="topics in any order",
        good="above “most popular” and “same as last”",
        perfect="1",
    ),
    Anchor(
        name="Recall@3",
        question="Which share of a customer's topics stands among the first three?",
        useless="3 divided by the number of topics: three drawn by lot",
        good="above “most popular” and “same as last”",
        perfect="1",
    ),
)
