"""What will each customer need help with next? p(contact) × p(topic | contact), within the issue horizon.

One pooled model over customer × topic pairs, so that rare topics borrow strength. It always ranks; whether a rank is
sure enough to act on is for planning to say. A log without topics gives no topics, and everything else still works.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation import Floats
from training.labels import IssueOptions
from training.scorers import Scorer, Signals, scorer_from_json, scorer_to_json
from training.topic_signals import NAMES, TopicSignals, signal_names

if TYPE_CHECKING:
    import pyarrow as pa

    from records.events import EventLog

# Customer × topic pairs asked about at once: bounds the memory of the matrix to some 300 MB.
PAIRS_AT_ONCE = 500_000
# What ranks the topics where there is too little to fit: what usually follows a customer's later contacts.
UNFITTED = "after_history_late"


@dataclass(frozen=True, kw_only=True)
class IssueModel:
    """The fitted issue model."""

    options: IssueOptions
    topics: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()  # of contacts, by which they are compared
    contact: Scorer | None = None  # on the customer's signals; None: everybody alike
    contact_rate: float = 0.0
    topic: Scorer | None = None  # on topic signals; None: by Markov over the history

    def predict(self, table: pa.Table, X: Signals, log: EventLog) -> Floats:
        """Rows × topics: probability of a contact about the topic within the horizon of the row's cutoff."""
        found = np.zeros((table.num_rows, len(self.topics)))
        if not self.topics or not table.num_rows:
            return found
        contact = self.contact.predict(X) if self.contact else np.full(len(X), self.contact_rate)
        customers = table.column("customer_id").combine_chunks()
        cutoffs: list[datetime] = table.column("cutoff").to_pylist()  # type: ignore[assignment]  # never null
        at_once = max(1, PAIRS_AT_ONCE // len(self.topics))
        for cutoff in sorted(set(cutoffs)):
            rows = np.flatnonzero([at == cutoff for at in cutoffs])
            signals = TopicSignals(log, self.options, self.topics, cutoff, properties=self.properties)
            for part in np.array_split(rows, max(1, -(-len(rows) // at_once))):
                found[part] = shares(self.topic, signals.at(cutoff, customers.take(part)))
        return found * contact[:, None]

    def to_json(self, files: dict[str, bytes]) -> dict[str, Any]:
        return {
            "options": self.options.model_dump(mode="json"),
            "topics": list(self.topics),
            "properties": list(self.properties),
            "contact": scorer_to_json("contact", self.contact, files) if self.contact else None,
            "contact_rate": self.contact_rate,
            "topic": scorer_to_json("topic", self.topic, files) if self.topic else None,
            "topic_signals": list(signal_names(self.properties)),
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any], files: Mapping[str, bytes], signals: int) -> IssueModel:
        properties = tuple(stored["properties"])
        width = len(signal_names(properties))
        return cls(
            options=IssueOptions(**stored["options"]),
            topics=tuple(stored["topics"]),
            properties=properties,
            contact=scorer_from_json(stored["contact"], files, signals) if stored["contact"] else None,
            contact_rate=stored["contact_rate"],
            topic=scorer_from_json(stored["topic"], files, width) if stored["topic"] else None,
        )


def shares(scorer: Scorer | None, pairs: Signals) -> Floats:
    """p(topic | contact): rows × topics, each row sums to 1. Without a fitted model, by Markov over the history.

    A scorer's log-odds are compared among the topics of a customer only: a softmax over each row.
    """
    rows, k, width = pairs.shape
    if scorer is None:
        z = np.asarray(pairs[:, :, NAMES.index(UNFITTED)], dtype=np.float64)
    else:
        z = scorer.log_odds(pairs.reshape(rows * k, width)).reshape(rows, k)
    powers = np.exp(z - z.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)
