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
from training.text_features import MOST_WORDS, choose_features, pieces_of, words_of
from training.text_fitting import LabelledTexts, TextFit, fit_text_model, kept_apart
from training.text_model import TextModel

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
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


def test_what_one_person_writes_or_what_is_written_alike_is_kept_apart_as_a_whole() -> None:
    nothing = np.full(4, np.nan)
    alike = LabelledTexts(texts=["Net nahi!", "net  NAHI", "a", "b"], topics=["t"] * 4, ratings=nothing)
    assert kept_apart(alike)[0] == kept_apart(alike)[1]
    writers = [f"w{number % 10}" for number in range(40)]
    by_writer = LabelledTexts(texts=list(map(str, range(40))), writers=writers, topics=["t"] * 40, ratings=nothing)
    apart = kept_apart(by_writer)
    assert 0 < apart.sum() < 40
    assert all(len(set(apart[number::10])) == 1 for number in range(10))


def test_what_only_one_person_writes_is_no_feature() -> None:
    texts, writers = ["call 98765 net", "call 98765 bill", "net bill"], ["a", "a", "b"]
    assert "w98765" in choose_features(texts, 1_000).keys
    kept = choose_features(texts, 1_000, writers).keys
    assert {"wnet", "wbill"} <= set(kept)
    assert not any("987" in key for key in kept)


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
    found = model.score([text])
    assert found.topic is not None
    assert model.topics[found.topic[0]] == topic


def test_sentiment_is_read_from_words_and_stays_between_minus_one_and_one(fitted: TextFit) -> None:
    found = model_of(fitted).score(["bahut kharab, gussa", "बहुत बढ़िया", ""])
    assert found.sentiment is not None
    assert found.sentiment[0] < -0.4
    assert found.sentiment[1] > 0.4
    assert np.abs(found.sentiment).max() <= 1


def test_a_text_reads_alike_whatever_stands_beside_it(fitted: TextFit) -> None:
    model, texts = model_of(fitted), labelled().texts
    together = model.score(texts)
    for place in (0, 7, len(texts) - 1):
        alone = model.score([texts[place]])
        for one, many in zip(vars(alone).values(), vars(together).values(), strict=True):
            assert one[0] == many[place]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0",
        "{{ 7 * 7 }}{% raw %}",
        "\u202eten ahan\u202c",
        "😡" * 10_000,
        "x" * 1_000_000,
        "' or 1=1 --",
        "\ud7ff\uffff",
    ],
)
def test_a_hostile_text_is_read_like_any_other(fitted: TextFit, text: str) -> None:
    found = model_of(fitted).score([text])
    assert found.probability is not None
    assert found.sentiment is not None
    assert 0 < found.probability[0] <= 1
    assert -1 <= found.sentiment[0] <= 1


def test_few_texts_give_no_model_and_nobody_who_rates_gives_no_sentiment() -> None:
    few = fit_text_model(labelled(copies=2), UNTIL, seed=1)
    assert few.model is None
    assert few.notes == [
        "texts get no topic: fewer than 100 of them name one of two topics or more",
        "texts get no sentiment: fewer than 100 of them came with a rating, or all with the same",
    ]
    known = labelled(copies=24)
    silent = LabelledTexts(texts=known.texts, topics=known.topics, ratings=np.full(len(known.texts), np.nan))
    model = model_of(fit_text_model(silent, UNTIL, seed=1))
    assert model.score(["bahut badhiya"]).sentiment is None


def test_one_topic_alone_is_no_topic_to_tell() -> None:
    known = labelled(copies=24)
    same = LabelledTexts(
        texts=known.texts, topics=["network" if topic else None for topic in known.topics], ratings=known.ratings
    )
    fit = fit_text_model(same, UNTIL, seed=1)
    assert model_of(fit).score(["net"]).topic is None
    assert fit.notes == ["texts get no topic: fewer than 100 of them name one of two topics or more"]


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
    stored = model.to_json("text", files)
    again = TextModel.from_json(stored, "text", files)
    texts = labelled().texts
    np.testing.assert_array_equal(again.chances(texts), model.chances(texts))
    np.testing.assert_array_equal(again.score(texts).sentiment, model.score(texts).sentiment)
    assert again.key == model.key
    for name, content in files.items():
        if name.endswith(".npy"):
            np.load(io.BytesIO(content), allow_pickle=False)
    twice: dict[str, bytes] = {}
    model_of(fit_text_model(labelled(copies=24), UNTIL, seed=1)).to_json("text", twice)
    assert twice == files


def test_a_pickle_or_an_array_of_another_shape_is_refused(fitted: TextFit) -> None:
    files: dict[str, bytes] = {}
    stored = model_of(fitted).to_json("text", files)
    for array in (np.array([{"a": 1}], dtype=object), np.zeros((2, 2), dtype=np.float16), np.full(3, np.nan)):
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=True)
        with pytest.raises(ModelError, match=r"text_topics\.npy"):
            TextModel.from_json(stored, "text", {**files, "text_topics.npy": buffer.getvalue()})


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
    chances = model.chances(asked)
    per_second = len(asked) / (time.process_time() - started)
    y = np.array([model.topics.index(topic) for topic in truth])
    accuracy = float(np.mean(chances.argmax(axis=1) == y))
    surprise = float(-np.mean(np.log(chances[np.arange(len(y)), y])))
    files: dict[str, bytes] = {}
    model.to_json("text", files)
    found = f"accuracy {accuracy:.4f}, log loss {surprise:.3f}, {seconds:.0f} CPU-s, {per_second:,.0f} texts/s"
    assert accuracy >= 0.915, found
    assert surprise <= 0.33, found
    assert seconds <= 60, found
    assert per_second >= 5_000, found
    assert sum(map(len, files.values())) <= 30_000_000
    assert abs(chances.max(axis=1).mean() - accuracy) < 0.03, found
