"""How well are topics ranked, against which baselines, and which topics can no message help with?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from training.evaluation import Estimate
from training.report_plots import said


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """One way to rank topics, and its figures on the judging cutoff."""

    name: str
    map_3: float
    recall_3: float
    map_interval: Estimate | None
    recall_interval: Estimate | None
    chosen: bool
    baseline: bool


@dataclass(frozen=True, kw_only=True)
class Topic:
    """One topic: how many of those who contacted us named it, how well it is told from the others, who answers it."""

    name: str
    share: float
    auroc: float
    answered: bool | None  # None: not known here


@dataclass(frozen=True, kw_only=True)
class Topics:
    """What the report shows of the issue model."""

    customers: int
    rankings: Sequence[Ranking]
    topics: Sequence[Topic]
    macro_auroc: Estimate | None


NAMES = {
    "most_popular": "Most popular topics",
    "most_popular_28_days": "Most popular of 28 days",
    "product_popular": "Most popular of the product",
    "same_as_last": "Same as last time",
    "markov": "What follows the last topic (Markov)",
    "markov_history": "What follows the whole history (Markov)",
}
# The parts of the model, and their average, which is what is used.
PARTS = {
    "logistic": "Conditional logit",
    "lightgbm": "Trees on top of the logit",
    "average": "Their average with Markov",
}


def rankings(metrics: Mapping[str, float]) -> list[Ranking]:
    """Every way to rank that the metrics name, the best first; the model in use is marked."""
    names = [key.removesuffix("_map_3") for key in metrics if key.endswith("_map_3")]
    chosen = metrics.get("model_map_3", float("nan"))
    found = [
        Ranking(
            name=(NAMES | PARTS).get(name, said(name)),
            map_3=metrics[f"{name}_map_3"],
            recall_3=metrics.get(f"{name}_recall_3", float("nan")),
            map_interval=interval_of(metrics, name, "map_3"),
            recall_interval=interval_of(metrics, name, "recall_3"),
            chosen=metrics[f"{name}_map_3"] == chosen,
            baseline=name in NAMES,
        )
        for name in names
        if name != "model"
    ]
    return sorted(found, key=lambda one: (-one.map_3, one.name))


def interval_of(metrics: Mapping[str, float], name: str, measure: str) -> Estimate | None:
    """A figure of a way to rank with its interval, where one was measured."""
    low, high = metrics.get(f"{name}_{measure}_low"), metrics.get(f"{name}_{measure}_high")
    if low is None or high is None:
        return None
    rows = int(metrics.get("judged_customers", 0))
    return Estimate(value=metrics[f"{name}_{measure}"], low=low, high=high, rows=rows)


def topics_of(by_topic: Mapping[str, Mapping[str, float]], answered: Collection[str] | None) -> list[Topic]:
    """Each topic with its share of the contacts and its AUROC, the most frequent first."""
    found = [
        Topic(
            name=name,
            share=figures["share"],
            auroc=figures["auroc"],
            answered=None if answered is None else name in answered,
        )
        for name, figures in by_topic.items()
    ]
    return sorted(found, key=lambda one: (-one.share, one.name))
