"""What is a text about, and how content is its writer? Any script, no pickles, and known accuracy on BANKING77."""

from __future__ import annotations

import csv
import io
import time
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from records.errors import ModelError
from training.text_features import MOST_WORDS, choose_features, folds_of, pieces_of, words_of
from training.text_fitting import LabelledTexts, TextFit, fit_text_model
from training.text_model import TextModel

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
NEW = np.zeros(1, dtype=bool)
# Each topic in English, Hindi and Hinglish; the endings make the texts differ.
SAID = {
    "network": ["mera net nahi chal raha", "नेट नहीं चल रहा है", "the internet is not working"],
    "billing": ["bill zyada aaya hai", "बिल ज़्यादा आया है", "my bill is too high"],
    "delivery": ["order kab aayega", "ऑर्डर कब आएगा", "where is my order"],
}
MOODS = {"bahut kharab, gussa": 1.0, "बहुत खराब सेवा": 1.0, "bahut badhiya, shukriya": 5.0, "बहुत बढ़िया": 5.0}
ENDINGS = ["", " please", " bhai", " जल्दी", " sir", " aaj", " kal se", " फिर से", " jaldi", " ji"]


def labelled(copies: int = 12) -> LabelledTexts:
    texts: list[str] = []
    topics: list[str | None] = []
    ratings: list[float] = []
    for number in range(copies):
        for topic, ways in SAID.items():
            for way in ways:
                texts.append(f"{way}{ENDINGS[number % 10]} {number}")
                topics.append(topic)
                ratings.append(np.nan)
        for words, stars in MOODS.items():
            for name in ("app", "router", "phone"):
                texts.append(f"{name} {words}{ENDINGS[number % 10]} {number}")
                topics.append(None)
                ratings.append((stars - 3) / 2)
    return LabelledTexts(texts=texts, topics=topics, ratings=np.array(ratings))


@pytest.fixture(scope="module")
def fitted() -> TextFit:
    return fit_text_model(labelled(copies=24), UNTIL, seed=1)


def model_of(fit: TextFit) -> TextModel:
    assert fit.model is not None
    return fit.model


def test_hindi_words_keep_their_vowel_signs_and_emoji_are_words() -> None:
    assert words_of("बिल ज़्यादा आया! 😡") == [unicodedata.normalize("NFC", w) for w in ("बिल", "ज़्यादा", "आया", "😡")]
    assert "w" + "बिल" in pieces_of("बिल")


def test_two_spellings_of_the_same_characters_are_one_word() -> None:
    assert words_of("Café STRASSE ❤️") == words_of("Cafe\u0301 straße ❤")
    assert words_of("क्\u200dया") == words_of("क्या")


def test_any_text_costs_little() -> None:
    assert len(words_of("word " * 100_000)) == MOST_WORDS
    assert words_of("x" * 100) == ["x" * 40, "x" * 40, "x" * 20]
    assert words_of("") == words_of("  \0 !") == []


def test_copies_of_a_text_are_never_in_two_parts() -> None:
    assert folds_of(["Net nahi!", "net  NAHI"], 1_000)[0] == folds_of(["net nahi"], 1_000)[0]


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("mera intarnet nahin chl raha", "network"),
        ("नेट बिल्कुल नहीं चल रहा", "network"),
        ("why is the bill so high", "billing"),
        ("mera order kab tak aayega bataiye", "delivery"),
        ("ऑर्डर कब तक आएगा", "delivery"),
    ],
)
def test_topics_are_read_in_english_hindi_and_hinglish(fitted: TextFit, text: str, topic: str) -> None:
    model = model_of(fitted)
    found = model.score([text], NEW)
    assert found.topic is not None
    assert model.topics[found.topic[0]] == topic


def test_sentiment_is_read_from_words_and_stays_between_minus_one_and_one(fitted: TextFit) -> None:
    found = model_of(fitted).score(["bahut kharab, gussa", "बहुत बढ़िया", ""], np.zeros(3, dtype=bool))
    assert found.sentiment is not None
    assert found.sentiment[0] < -0.4
    assert found.sentiment[1] > 0.4
    assert np.abs(found.sentiment).max() <= 1


def test_an_old_text_is_read_by_the_machine_that_never_saw_it() -> None:
    """One text with a label nobody else would give: the machine that learnt it repeats it, the other does not."""
    known = labelled(copies=24)
    odd = "mera net nahi chal raha odd one"
    texts, topics = [*known.texts, *[odd] * 12], [*known.topics, *["delivery"] * 12]
    ratings = np.append(known.ratings, np.full(12, np.nan))
    model = model_of(fit_text_model(LabelledTexts(texts=texts, topics=topics, ratings=ratings), UNTIL, seed=1))
    delivery = model.topics.index("delivery")
    as_new = model.chances([odd], NEW)[0, delivery]
    as_old = model.chances([odd], np.ones(1, dtype=bool))[0, delivery]
    assert as_new > 0.5 > as_old


def test_few_texts_give_no_model_and_nobody_who_rates_gives_no_sentiment() -> None:
    few = fit_text_model(labelled(copies=2), UNTIL, seed=1)
    assert few.model is None
    assert few.notes == [
        "texts get no topic: fewer than 200 of them have one",
        "texts get no sentiment: fewer than 200 of them came with a rating",
    ]
    known = labelled(copies=24)
    silent = LabelledTexts(texts=known.texts, topics=known.topics, ratings=np.full(len(known.texts), np.nan))
    model = model_of(fit_text_model(silent, UNTIL, seed=1))
    assert model.score(["bahut badhiya"], NEW).sentiment is None


def test_words_that_tell_nothing_give_no_model() -> None:
    rng = np.random.default_rng(3)
    texts = [" ".join(rng.choice(["haan", "nahi", "kya", "ok", "ji"], 4)) for _ in range(600)]
    topics = [str(topic) for topic in rng.choice(["a", "b", "c"], 600)]
    found = fit_text_model(LabelledTexts(texts=texts, topics=topics, ratings=rng.uniform(-1, 1, 600)), UNTIL, seed=1)
    assert found.model is None
    assert any("does not tell it better" in note for note in found.notes)
    assert any("does not tell the rating" in note for note in found.notes)


def test_the_model_is_json_and_plain_arrays_and_comes_back_the_same(fitted: TextFit) -> None:
    model = model_of(fitted)
    files: dict[str, bytes] = {}
    stored = model.to_json(files)
    again = TextModel.from_json(stored, files)
    texts, old = labelled().texts, np.arange(len(labelled().texts)) % 2 == 0
    np.testing.assert_array_equal(again.chances(texts, old), model.chances(texts, old))
    np.testing.assert_array_equal(again.score(texts, old).sentiment, model.score(texts, old).sentiment)
    for name, content in files.items():
        if name.endswith(".npy"):
            np.load(io.BytesIO(content), allow_pickle=False)
    twice: dict[str, bytes] = {}
    model_of(fit_text_model(labelled(copies=24), UNTIL, seed=1)).to_json(twice)
    assert twice == files


def test_a_pickle_or_an_array_of_another_shape_is_refused(fitted: TextFit) -> None:
    files: dict[str, bytes] = {}
    stored = model_of(fitted).to_json(files)
    for array in (np.array([{"a": 1}], dtype=object), np.zeros((2, 2), dtype=np.float16), np.full(3, np.nan)):
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=True)
        with pytest.raises(ModelError, match=r"text_topics\.npy"):
            TextModel.from_json(stored, {**files, "text_topics.npy": buffer.getvalue()})


def test_the_features_kept_are_the_most_used_whatever_the_order_of_texts() -> None:
    texts = ["net nahi chal raha", "net band hai", "bill nahi aaya", "net nahi"]
    assert choose_features(texts, 20).keys == choose_features(texts[::-1], 20).keys
    assert len(choose_features(texts, 20)) == 20


def banking(folder: Path, part: str) -> tuple[list[str], list[str]]:
    with (folder / "banking77" / f"{part}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], [row["category"] for row in rows]


@pytest.mark.slow
def test_banking77_is_read_as_well_as_was_promised(shared_data: Path) -> None:
    texts, topics = banking(shared_data, "train")
    started = time.process_time()
    fit = fit_text_model(LabelledTexts(texts=texts, topics=topics, ratings=np.full(len(texts), np.nan)), UNTIL, seed=1)
    seconds = time.process_time() - started
    model, (asked, truth) = model_of(fit), banking(shared_data, "test")
    started = time.process_time()
    chances = model.chances(asked, np.zeros(len(asked), dtype=bool))
    per_second = len(asked) / (time.process_time() - started)
    y = np.array([model.topics.index(topic) for topic in truth])
    accuracy = float(np.mean(chances.argmax(axis=1) == y))
    surprise = float(-np.mean(np.log(chances[np.arange(len(y)), y])))
    files: dict[str, bytes] = {}
    model.to_json(files)
    found = f"accuracy {accuracy:.4f}, log loss {surprise:.3f}, {seconds:.0f} CPU-s, {per_second:,.0f} texts/s"
    assert accuracy >= 0.915, found
    assert surprise <= 0.33, found
    assert seconds <= 60, found
    assert per_second >= 5_000, found
    assert sum(map(len, files.values())) <= 30_000_000
    assert abs(chances.max(axis=1).mean() - accuracy) < 0.03, found
