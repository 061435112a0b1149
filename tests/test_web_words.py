"""Does every screen speak both languages, and are figures, days and Hindi runs written as decided?"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter
from zoneinfo import ZoneInfo

import pytest

from serving.web.language import Language, catalog, in_script

PAGES = Path(__file__).resolve().parents[1] / "templates" / "pages"
EN = Language(code="en", zone=ZoneInfo("Asia/Kolkata"), currency="INR")
HI = Language(code="hi", zone=ZoneInfo("Asia/Kolkata"), currency="INR")
NOW = datetime(2026, 11, 19, 4, 42, tzinfo=UTC)


def slots(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


def test_both_languages_have_every_sentence() -> None:
    assert set(catalog("en")) == set(catalog("hi"))


def test_both_languages_fill_the_same_slots() -> None:
    differing = [key for key in catalog("en") if slots(catalog("en")[key]) != slots(catalog("hi")[key])]
    assert differing == []


def test_hindi_is_in_hindi() -> None:
    """Names and figures may stay as they are; anything longer must be in Devanagari."""
    latin = [
        key
        for key, sentence in catalog("hi").items()
        if not re.search(r"[\u0900-\u097F]", sentence) and len(re.sub(r"\{\w+\}|\W", "", sentence)) > 8
    ]
    assert latin == []


def test_hindi_leaves_gender_open() -> None:
    """Nobody is addressed as he or she: no verb form that says which."""
    said = " ".join(catalog("hi").values())
    for form in ("करेंगी", "चाहते हैं", "चाहती हैं", "सकते हैं आप", "आप सकती"):
        assert form not in said


def test_every_sentence_a_template_asks_for_is_there() -> None:
    for file in PAGES.glob("*.html"):
        text = file.read_text()
        for key in re.findall(r"\bt\([\"']([a-z_]+\.[a-z_0-9]+)[\"'](?! ~)", text):
            assert key in catalog("en"), f"{file.name}: {key}"
        for key in re.findall(r"\bt\.count\([\"']([a-z_]+\.[a-z_0-9]+)[\"'](?! ~)", text):
            assert f"{key}_one" in catalog("en"), f"{file.name}: {key}_one"
            assert f"{key}_many" in catalog("en"), f"{file.name}: {key}_many"


@pytest.mark.parametrize(
    ("minor", "shown"),
    [(1_840_000, "₹18,400"), (12_130, "₹121.30"), (184_205_500, "₹18,42,055"), (8, "₹0.08"), (0, "₹0")],
)
def test_money_is_grouped_as_in_india(minor: int, shown: str) -> None:
    assert EN.money(minor) == shown
    assert HI.money(minor) == shown


def test_numbers_keep_latin_digits_in_hindi() -> None:
    assert HI.number(1_842_055) == "18,42,055"


def test_days_and_times_are_short() -> None:
    assert EN.day(NOW, NOW) == "Thu 19 Nov"
    assert EN.time(NOW) == "10:12"
    assert EN.when(NOW, NOW) == "10:12"
    assert EN.day(NOW, datetime(2027, 1, 2, tzinfo=UTC)) == "Thu 19 Nov 2026"


def test_a_change_is_written_with_a_real_minus() -> None:
    assert [EN.signed(value) for value in (7.6, -1.2, 0.0)] == ["+8", "−1", "0"]


def test_a_change_that_rounds_to_nought_keeps_its_side() -> None:
    assert [EN.signed(value) for value in (0.3, -0.26, 0.01)] == ["+0.3", "−0.3", "0"]


def test_months_have_three_letters() -> None:
    september = datetime(2026, 9, 17, 5, tzinfo=UTC)
    assert (EN.month(september), EN.day(september, september)) == ("Sep", "Thu 17 Sep")


def test_devanagari_inside_english_is_marked() -> None:
    assert in_script("Bill: नवंबर का बिल <b>") == 'Bill: <span lang="hi">नवंबर का बिल</span> &lt;b&gt;'


def test_values_are_escaped_inside_our_own_words() -> None:
    said = EN("outreach.title", play="<b>", name="O'Brien & <script>")
    assert "<script>" not in said
    assert "&lt;script&gt;" in said


def test_one_is_not_many() -> None:
    assert EN.count("today.wait", 1) == "1 person waits for your yes"
    assert EN.count("today.wait", 412) == "412 people wait for your yes"
