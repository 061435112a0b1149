"""What is a text about, and how content is its writer? Learnt from the company's own labelled texts and ratings.

Topic: a linear support vector machine per topic on weighed words and pieces of words, with a little naive Bayes, made
into probabilities by one temperature fitted on texts the machines had not seen. Sentiment: ridge regression on
ratings, from -1 to 1.

A text the model learnt from would be read too well. Three more machines, each fitted without a third of the texts,
read the texts of that third whenever they are older than the model; so old and new texts are read alike.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from records.errors import ModelError
from training.evaluation import Floats
from training.text_features import PAIR, PIECE, WORD, TextFeatures, Texts, folds_of

FOLDS = 3
FILE = "text.json"


@dataclass(frozen=True, kw_only=True)
class TextScores:
    """What was read in each text. Empty columns where nothing could be learnt."""

    topic: NDArray[np.int64] | None  # place in the model's topics; None: no topics are known
    probability: Floats | None  # of that topic
    sentiment: Floats | None  # -1 unhappy to 1 happy; None: nobody ever rated


@dataclass(frozen=True, kw_only=True)
class TextModel:
    """A fitted reader of texts. Weights: machines × (features + 1) × topics; machine 0 has seen every text."""

    features: TextFeatures
    topics: tuple[str, ...] = ()
    topic_weights: NDArray[np.float32] | None = None
    temperature: float = 1.0
    sentiment_weights: NDArray[np.float32] | None = None  # machines × (features + 1)
    until: datetime  # it may have learnt from texts known before this moment

    def machines(self, texts: Texts, old: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Which machine may read each text: the whole one a new text, an old text the one that never saw it."""
        return np.where(old, folds_of(texts, FOLDS) + 1, 0)

    def chances(self, texts: Texts, old: NDArray[np.bool_]) -> Floats:
        """Texts × topics: the probability of each topic; rows sum to 1."""
        if self.topic_weights is None:
            return np.zeros((len(texts), 0))
        return softmax(self._apply(self.topic_weights, texts, old) * self.temperature)

    def score(self, texts: Texts, old: NDArray[np.bool_]) -> TextScores:
        """Topic, its probability, and sentiment. `old`: known before the model was fitted."""
        topic = probability = sentiment = None
        if self.topic_weights is not None:
            chances = self.chances(texts, old)
            topic, probability = chances.argmax(axis=1), chances.max(axis=1, initial=0)
        if self.sentiment_weights is not None:
            raw = self._apply(self.sentiment_weights[:, :, None], texts, old)[:, 0]
            sentiment = np.clip(raw, -1, 1)
        return TextScores(topic=topic, probability=probability, sentiment=sentiment)

    def _apply(self, weights: NDArray[np.float32], texts: Texts, old: NDArray[np.bool_]) -> Floats:
        matrix, machines = self.features.matrix(texts), self.machines(texts, old)
        found = np.zeros((len(texts), weights.shape[2]))
        for machine in np.unique(machines):
            rows = np.flatnonzero(machines == machine)
            found[rows] = matrix[rows] @ weights[machine, :-1].astype(np.float64) + weights[machine, -1]
        return found

    def to_json(self, files: dict[str, bytes]) -> dict[str, Any]:
        """The model as plain values; arrays and the list of features go to `files`."""
        arrays = {"rarity": self.features.rarity.astype(np.float32)}
        if self.topic_weights is not None:
            arrays["topics"] = self.topic_weights.astype(np.float16)
        if self.sentiment_weights is not None:
            arrays["sentiment"] = self.sentiment_weights.astype(np.float16)
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=False)
            files[f"text_{name}.npy"] = buffer.getvalue()
        files[FILE] = json.dumps(list(self.features.keys), ensure_ascii=False, separators=(",", ":")).encode()
        return {
            "topics": list(self.topics),
            "temperature": self.temperature,
            "until": self.until.isoformat(),
            "arrays": sorted(arrays),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], files: Mapping[str, bytes]) -> TextModel:
        """The model again. Raises ModelError where its parts do not fit each other."""
        keys = tuple(json.loads(files[FILE]))
        topics = tuple(stored["topics"])
        width = len(keys)
        shapes = {
            "rarity": (width,),
            "topics": (FOLDS + 1, width + 1, len(topics)),
            "sentiment": (FOLDS + 1, width + 1),
        }
        arrays = {
            name: read_array(f"text_{name}.npy", files, shapes[name]) for name in stored["arrays"] if name in shapes
        }
        if "rarity" not in arrays or any(key[:1] not in (PIECE, WORD, PAIR) for key in keys):
            refuse("its list of features is not one of ours")
        return cls(
            features=TextFeatures(keys=keys, rarity=arrays["rarity"].astype(np.float64)),
            topics=topics,
            topic_weights=arrays.get("topics"),
            temperature=float(stored["temperature"]),
            sentiment_weights=arrays.get("sentiment"),
            until=datetime.fromisoformat(stored["until"]),
        )


def read_array(name: str, files: Mapping[str, bytes], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """One stored array, if it has the shape it must have and holds nothing but numbers."""
    try:
        array = np.load(io.BytesIO(files[name]), allow_pickle=False)
    except (ValueError, EOFError, KeyError) as error:
        msg = f"{name} of the text model is not an array of numbers."
        raise ModelError(msg, remedy="Train again: pehle train", file=name) from error
    if array.shape != shape or array.dtype.kind != "f" or not np.isfinite(array).all():
        refuse(f"{name} has shape {array.shape} of {array.dtype}, expected {shape} of finite numbers")
    return np.asarray(array, dtype=np.float32)


def refuse(why: str) -> None:
    msg = f"the stored text model cannot be used: {why}."
    raise ModelError(msg, remedy="Train again: pehle train")


def softmax(z: Floats) -> Floats:
    """Scores as shares of 1, row by row."""
    powers = np.exp(z - z.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)
