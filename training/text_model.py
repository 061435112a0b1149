"""What is a text about, and how content is its writer? Learnt from the company's own labelled texts and ratings.

Topic: a linear support vector machine per topic on weighed words and pieces of words, with a little naive Bayes, made
into probabilities by one temperature fitted on texts the machines had not seen. Sentiment: ridge regression on
ratings, from -1 to 1.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from records.errors import ModelError
from training.evaluation import Floats
from training.text_features import PAIR, PIECE, WORD, TextFeatures, Texts


@dataclass(frozen=True, kw_only=True)
class TextScores:
    """What was read in each text. None where nothing could be learnt."""

    topic: NDArray[np.int64] | None  # place in the model's topics; None: no topics are known
    probability: Floats | None  # of that topic
    sentiment: Floats | None  # -1 unhappy to 1 happy; None: nobody ever rated


@dataclass(frozen=True, kw_only=True)
class TextModel:
    """A fitted reader of texts."""

    features: TextFeatures
    topics: tuple[str, ...] = ()
    topic_weights: NDArray[np.float32] | None = None  # (features + 1) × topics; the last row is added to every text
    temperature: float = 1.0
    sentiment_weights: NDArray[np.float32] | None = None  # features + 1
    until: datetime  # it learnt from texts known before this moment

    def chances(self, texts: Texts) -> Floats:
        """Texts × topics: the probability of each topic; rows sum to 1."""
        return self._chances(self.features.matrix(texts))

    def score(self, texts: Texts) -> TextScores:
        """Topic, its probability, and sentiment of each text; a text reads alike whatever stands beside it."""
        matrix = self.features.matrix(texts)
        topic = probability = sentiment = None
        if self.topic_weights is not None:
            chances = self._chances(matrix)
            topic, probability = chances.argmax(axis=1), chances.max(axis=1, initial=0)
        if self.sentiment_weights is not None:
            sentiment = np.clip(_applied(matrix, self.sentiment_weights[:, None])[:, 0], -1, 1)
        return TextScores(topic=topic, probability=probability, sentiment=sentiment)

    def _chances(self, matrix: Any) -> Floats:
        if self.topic_weights is None:
            return np.zeros((matrix.shape[0], 0))
        return softmax(_applied(matrix, self.topic_weights) * self.temperature)

    @cached_property
    def key(self) -> str:
        """A short name of exactly this model: the hash of what is stored of it."""
        files: dict[str, bytes] = {}
        stored = json.dumps(self.to_json("text", files), sort_keys=True, ensure_ascii=False)
        parts = [hashlib.sha256(content).hexdigest() for _, content in sorted(files.items())]
        return hashlib.sha256("\n".join([stored, *parts]).encode()).hexdigest()[:16]

    def to_json(self, name: str, files: dict[str, bytes]) -> dict[str, Any]:
        """The model as plain values; arrays and the list of features go to `files`, whose names begin with `name`."""
        arrays = {"rarity": self.features.rarity.astype(np.float32)}
        if self.topic_weights is not None:
            arrays["topics"] = self.topic_weights.astype(np.float16)
        if self.sentiment_weights is not None:
            arrays["sentiment"] = self.sentiment_weights.astype(np.float16)
        for part, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=False)
            files[f"{name}_{part}.npy"] = buffer.getvalue()
        keys = json.dumps(list(self.features.keys), ensure_ascii=False, separators=(",", ":"))
        files[f"{name}_keys.json"] = keys.encode()
        return {
            "topics": list(self.topics),
            "temperature": self.temperature,
            "until": self.until.isoformat(),
            "arrays": sorted(arrays),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], name: str, files: Mapping[str, bytes]) -> TextModel:
        """The model again. Raises ModelError where its parts do not fit each other."""
        keys = tuple(json.loads(files[f"{name}_keys.json"]))
        topics = tuple(stored["topics"])
        width = len(keys)
        shapes = {"rarity": (width,), "topics": (width + 1, len(topics)), "sentiment": (width + 1,)}
        arrays = {
            part: read_array(f"{name}_{part}.npy", files, shapes[part]) for part in stored["arrays"] if part in shapes
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


def _applied(matrix: Any, weights: NDArray[np.float32]) -> Floats:
    return np.asarray(matrix @ weights[:-1].astype(np.float64) + weights[-1], dtype=np.float64)


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
