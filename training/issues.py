"""What will each customer need help with next? p(contact) × p(topic | contact), within the issue horizon.

One pooled model over customer × topic pairs, so that rare topics borrow strength. It always ranks, and says of each
topic whether it is sure enough to act on; whether to act is for planning to say. A log without topics gives no topics,
and everything else still works.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation import Floats
from training.labels import IssueOptions
from training.scorers import Scorer, Signals, scorer_from_json, scorer_to_json
from training.topic_choice import prior
from training.topic_ranking import TopicRanking
from training.topic_signals import TopicSignals, signal_names
from training.topic_sureness import FIRST, Sureness
from training.topic_trees import softmax

if TYPE_CHECKING:
    import pyarrow as pa

    from records.events import EventLog

# Customer × topic pairs asked about at once: bounds the memory of the matrix to some 300 MB.
PAIRS_AT_ONCE = 500_000


@dataclass(frozen=True, kw_only=True)
class TopicChances:
    """What each row's customer may ask about, within the issue horizon of the row's cutoff."""

    names: tuple[str, ...]
    contact: Floats  # rows: the probability that they contact us at all
    given: Floats  # rows × topics: the probability that the topic comes up if they do; several may
    sure: NDArray[np.bool_]  # rows × topics: whether that is sure enough to act on

    @property
    def chances(self) -> Floats:
        """Rows × topics: the probability of a contact about the topic."""
        return self.contact[:, None] * self.given


@dataclass(frozen=True, kw_only=True)
class IssueModel:
    """The fitted issue model."""

    options: IssueOptions
    topics: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()  # of contacts, by which they are compared
    contact: Scorer | None = None  # on the customer's signals; None: everybody alike
    contact_rate: float = 0.0
    topic: TopicRanking | None = None  # on topic signals; None: by Markov over the history
    sureness: Sureness = field(default_factory=Sureness)

    def predict(self, table: pa.Table, X: Signals, log: EventLog) -> TopicChances:
        """What each row's customer may ask about. Reads contacts known before the row's cutoff, nothing later."""
        contact = self.contact.predict(X) if self.contact else np.full(len(X), self.contact_rate)
        given = np.zeros((table.num_rows, len(self.topics)))
        sure = np.zeros(given.shape, dtype=bool)
        if given.size:
            customers = table.column("customer_id").combine_chunks()
            cutoffs: list[datetime] = table.column("cutoff").to_pylist()  # type: ignore[assignment]  # never null
            at_once = max(1, PAIRS_AT_ONCE // len(self.topics))
            for cutoff in sorted(set(cutoffs)):
                rows = np.flatnonzero([at == cutoff for at in cutoffs])
                signals = TopicSignals(log, self.options, self.topics, cutoff, properties=self.properties)
                for part in np.array_split(rows, max(1, -(-len(rows) // at_once))):
                    pairs = signals.at(cutoff, customers.take(part)).astype(np.float32)
                    given[part] = self.sureness.given(shares(self.topic, pairs), pairs)
            order = np.argsort(-given, axis=1, kind="stable")[:, :FIRST]
            np.put_along_axis(sure, order, np.take_along_axis(given, order, axis=1) >= self.sureness.sure_from, axis=1)
        return TopicChances(names=self.topics, contact=contact, given=given, sure=sure)

    def to_json(self, files: dict[str, bytes]) -> dict[str, Any]:
        return {
            "options": self.options.model_dump(mode="json"),
            "topics": list(self.topics),
            "properties": list(self.properties),
            "contact": scorer_to_json("contact", self.contact, files) if self.contact else None,
            "contact_rate": self.contact_rate,
            "topic": self.topic.to_json(files) if self.topic else None,
            "topic_signals": list(signal_names(self.properties)),
            "sureness": self.sureness.to_json(),
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
            topic=TopicRanking.from_json(stored["topic"], files, width) if stored["topic"] else None,
            sureness=Sureness(**stored["sureness"]),
        )


def shares(ranking: TopicRanking | None, pairs: Signals) -> Floats:
    """p(next topic | contact): rows × topics, each row sums to 1. Without a fitted ranking, by Markov."""
    return softmax(ranking.log_shares(pairs) if ranking else prior(pairs))
