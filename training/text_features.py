"""Which numbers describe a text? Words, pairs of words near each other, and pieces of words, weighed by rarity.

Pieces of words carry spellings nobody listed: Hinglish ("nahi", "nahin", "nhi"), endings, typing errors. A word is a
run of letters, digits *and marks*: a tokeniser that knows letters only cuts Hindi words at every vowel sign.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse

from training.evaluation import Floats

# Of longer texts only the beginning is read, longer words are cut in two: any text costs little.
MOST_WORDS, LONGEST_WORD = 100, 40
SHORTEST_PIECE, LONGEST_PIECE = 2, 4
# Two words within this distance of each other are a pair, whatever their order.
NEAR = 8
# What only one person writes says nothing about others, and may name them.
FEWEST_WRITERS = 2
# Kinds of features by the first letter of their key, and how much each kind weighs in a text of length 1.
PIECE, WORD, PAIR = "c", "w", "p"
WEIGHTS = {PIECE: 1.0, PAIR: 0.8, WORD: 0.8}
Texts = Sequence[str]


class _Characters(dict[int, str | None]):
    """What becomes of each character, worked out when it is first met: for `str.translate`."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        category = unicodedata.category(character)
        found: str | None = " "
        if 0xFE00 <= code <= 0xFE0F or category == "Cf":  # how a character is drawn, not what it is
            found = None
        elif category[0] in "LMN":
            found = character
        elif category == "So":  # an emoji is a word
            found = f" {character} "
        self[code] = found
        return found


_CHARACTERS = _Characters()


def words_of(text: str) -> list[str]:
    """The words of a text, in small letters and one spelling.

    >>> words_of("Mera NET नहीं चल रहा!! 😡")
    ['mera', 'net', 'नहीं', 'चल', 'रहा', '😡']
    """
    start = text[: MOST_WORDS * LONGEST_WORD]
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", start).casefold())
    words = folded.translate(_CHARACTERS).split()
    cut = [word[at : at + LONGEST_WORD] for word in words for at in range(0, len(word), LONGEST_WORD)]
    return cut[:MOST_WORDS]


def pieces_of(word: str) -> list[str]:
    """The word itself and its pieces of two to four characters, its borders included."""
    framed = f" {word} "
    sizes = range(SHORTEST_PIECE, LONGEST_PIECE + 1)
    pieces = [PIECE + framed[at : at + size] for size in sizes for at in range(len(framed) - size + 1)]
    return [WORD + word, *pieces]


def phrases_of(words: Sequence[str]) -> Iterator[str]:
    """Each word with the next one, and pairs of words near each other."""
    for place, word in enumerate(words):
        following = words[place + 1 : place + 1 + NEAR]
        if following:
            yield f"{WORD}{word} {following[0]}"
        for other in following:
            if other != word:
                yield f"{PAIR}{min(word, other)} {max(word, other)}"


@dataclass(frozen=True, kw_only=True)
class TextFeatures:
    """The features a model knows, and how rare each is. Their order: by kind, the most used first."""

    keys: tuple[str, ...]
    rarity: Floats  # log of the share of people who use it, plus one: an inverse document frequency
    _place: dict[str, int] = field(default_factory=dict, repr=False, compare=False)
    _pieces: dict[str, list[int]] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.keys)

    def matrix(self, texts: Texts) -> Any:
        """Texts × features, sparse: log-damped counts times rarity, each kind of unit length times its weight."""
        if not self._place:
            self._place.update({key: place for place, key in enumerate(self.keys)})
        counted = self._counted(texts)
        counted.data = (1 + np.log(counted.data)) * self.rarity[counted.indices]
        kinds = np.array([key[0] for key in self.keys])
        blocks = []
        for kind, weight in WEIGHTS.items():
            block = counted[:, np.flatnonzero(kinds == kind)]
            length = np.sqrt(np.asarray(block.multiply(block).sum(axis=1)).ravel())
            blocks.append(scipy.sparse.diags_array(weight / np.maximum(length, 1e-9)) @ block)
        return scipy.sparse.hstack(blocks, format="csr")

    def _counted(self, texts: Texts) -> Any:
        place, known = self._place, self._pieces
        found: list[int] = []
        ends = [0]
        for text in texts:
            words = words_of(text)
            for word in words:
                mine = known.get(word)
                if mine is None:
                    mine = [place[key] for key in pieces_of(word) if key in place]
                    if len(known) < 200_000:
                        known[word] = mine
                found += mine
            found += [place[key] for key in phrases_of(words) if key in place]
            ends.append(len(found))
        columns, rows = np.array(found, dtype=np.int32), np.array(ends, dtype=np.int32)
        counted = scipy.sparse.csr_array((np.ones(len(found)), columns, rows), shape=(len(texts), len(self)))
        counted.sum_duplicates()
        return counted


def choose_features(texts: Texts, most: int, writers: Sequence[str] = ()) -> TextFeatures:
    """The features that at least two people use, at most so many: those most people use, ties by spelling.

    `writers`: who wrote each text; empty: each somebody else.
    """
    by_writer: dict[object, list[str]] = {}
    for number, text in enumerate(texts):
        by_writer.setdefault(writers[number] if writers else number, []).append(text)
    used: dict[str, int] = {}
    for theirs in by_writer.values():
        keys: set[str] = set()
        for text in theirs:
            words = words_of(text)
            keys.update(phrases_of(words), *map(pieces_of, set(words)))
        for key in keys:
            used[key] = used.get(key, 0) + 1
    order = sorted((-count, key) for key, count in used.items() if count >= FEWEST_WRITERS)[:most]
    place = list(WEIGHTS)
    order.sort(key=lambda one: (place.index(one[1][0]), one))
    counts = np.array([-count for count, _ in order], dtype=np.float64)
    rarity = np.log((1 + len(by_writer)) / (1 + counts)) + 1
    # Single precision, as it is stored: a model reads alike before and after.
    kept = rarity.astype(np.float32).astype(np.float64)
    return TextFeatures(keys=tuple(key for _, key in order), rarity=kept)
