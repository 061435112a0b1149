"""Which signals does a model go by? By how much it gained from each, and by how much each moves a customer's risk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.catalog import catalog
from training.candidates import Rows
from training.model import Model
from training.scorers import Trees

SHOWN = 25
SAMPLE = 2_000  # contributions cost about ten times a prediction


@dataclass(frozen=True, kw_only=True)
class Importance:
    """One signal: its question, its share of the trees' gain, and the mean size of its push in log-odds."""

    signal: str
    question: str
    family: str
    gain: float | None  # share of all gain; None: the model has no trees
    push: float  # mean of |contribution|


def importance(model: Model, rows: Rows) -> list[Importance]:
    """The signals that move the risk of these customers most, the strongest first."""
    step = max(1, len(rows) // SAMPLE)
    pushes = np.abs(model.churn.terms(rows.X[::step])).mean(axis=0)
    gains = tree_gains(model)
    known = {signal.name: signal for signal in catalog(model.fitted)}
    order = sorted(range(len(pushes)), key=lambda place: (-pushes[place], place))
    found = []
    for place in order[:SHOWN]:
        name = model.signal_names[place]
        if pushes[place] > 0:
            signal = known.get(name)
            found.append(
                Importance(
                    signal=name,
                    question=signal.question if signal else "",
                    family=signal.family if signal else "own",
                    gain=float(gains[place]) if gains is not None else None,
                    push=float(pushes[place]),
                )
            )
    return found


def tree_gains(model: Model) -> np.typing.NDArray[np.float64] | None:
    """Each signal's share of what all splits gained; None for a model without trees."""
    trees = [part for _, part in model.churn.parts if isinstance(part, Trees)]
    if not trees:
        return None
    total = np.sum([one.booster().feature_importance(importance_type="gain") for one in trees], axis=0)
    return np.asarray(total / max(total.sum(), 1e-12), dtype=np.float64)
