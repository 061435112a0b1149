"""The check of the words: the shipped ones pass, and each rule finds what breaks it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.message_files import ROOT
from serving.playbook import FILE
from serving.word_rules import RULES, asks_for_secrets, plain_words, wrong_language
from serving.words import check_words


@pytest.fixture
def messages(tmp_path: Path) -> Path:
    """Two of the shipped messages, to be broken one way at a time."""
    root = tmp_path / "messages"
    for name in ("_frame", "router_setup", "delivery_coupon"):
        shutil.copytree(ROOT / name, root / name)
    return root


@pytest.fixture
def playbook(tmp_path: Path) -> Path:
    """A playbook of the router play alone."""
    text = FILE.read_text(encoding="utf-8")
    start, play, rest = text.partition("[[play]]\n")
    file = tmp_path / "playbook.toml"
    file.write_text(start + play + rest.partition("[[play]]\n")[0], encoding="utf-8")
    return file


def test_the_shipped_words_break_no_rule() -> None:
    assert [str(finding) for finding in check_words()] == []


def test_the_copies_the_other_tests_break_are_whole(messages: Path, playbook: Path) -> None:
    assert check_words(messages, playbook) == []


def appended(text: str) -> Callable[[str], str]:
    return lambda old: old + text


def exchanged(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text, old
        return text.replace(old, new)

    return change


@pytest.mark.parametrize(
    ("file", "change", "rule", "said"),
    [
        # what must not be said
        ("sms.en.txt", appended(" Hurry, last chance."), "urgency", "Hurry"),
        ("sms.hi.txt", appended(" जल्दी करें।"), "urgency", "जल्दी करें"),
        ("email.en.txt", appended("\nWe noticed that you may leave."), "prediction", "We noticed that you"),
        ("email.hi.txt", appended("\nहम आपको खोना नहीं चाहते।"), "prediction", "खोना नहीं चाहते"),
        ("subject.en.txt", appended(": 20% off"), "selling", "20% off"),
        ("email.hi.mjml", exchanged("या ये तीन काम करें:", "या ये तीन काम करें, ₹100 की छूट भी:"), "selling", "छूट"),
        ("whatsapp.en.toml", exchanged("I need help", "Buy now"), "selling", "Buy now"),
        ("sms.en.txt", appended(" See bit.ly/router."), "short link", "bit.ly"),
        ("email.en.txt", appended("\nPlease reply with the OTP you received."), "secrets", "Please reply with the OTP"),
        ("email.hi.txt", appended("\nअपना PIN लिख भेजिए।"), "secrets", "अपना PIN"),
        ("subject.en.txt", appended("!"), "shouting", "'!'"),
        ("email.hi.txt", appended("\nक्या आप राउटर चालू करना चाहेंगे?"), "gender", "चाहेंगे"),
        ("email.hi.txt", appended("\nआप राउटर चालू कर चुके हैं।"), "gender", "चुके हैं"),
        ("email.en.txt", appended("\nDear Sir, hello."), "gender", "Dear Sir"),
        ("email.hi.txt", appended("\nज्यादा मदद के लिए फोन करें।"), "nuqta", "ज्यादा"),
        ("email.hi.txt", appended("\nकृपया भुगतान करें।"), "stiff Hindi", "कृपया"),
        ("email.hi.txt", appended("\n१० मिनट लगेंगे।"), "stiff Hindi", "१"),
        ("email.hi.txt", appended("\nPlease plug the router in first."), "language", "Please plug the router in"),
        ("sms.en.txt", appended(" नमस्ते"), "language", "नमस्ते"),
        # files and variables
        ("sms.en.txt", appended(" {{ plan }}"), "variables", "uses plan"),
        ("meta.toml", appended('\n[variables.spare]\ntype = "text"\nfrom = "trigger.text"\n'), "variables", "spare"),
        ("sms.hi.txt", appended("{% for x in name %}x{% endfor %}"), "template", "For is not allowed"),
        ("meta.toml", exchanged('purpose = "service"', 'purpose = "service"\nsells = true'), "selling", "sells"),
        ("meta.toml", exchanged('name = "router_setup"', 'name = "other"'), "files", "name is 'other'"),
        ("meta.toml", exchanged('type = "product"', 'type = "picture"'), "files", "variables.product.type"),
        ("email.hi.mjml", exchanged('path="foot.hi.mjml"', 'path="tail.hi.mjml"'), "files", "tail.hi.mjml"),
        ("email.hi.mjml", exchanged("</mj-text>", "</mj-texts>"), "mjml", "</mj-texts> has no partner"),
        # links and the way to stop
        ("email.en.mjml", exchanged('href="{{ button_url }}"', 'href="{{ product }}"'), "links", "product"),
        ("email.en.mjml", exchanged('href="{{ button_url }}"', 'href="https://x.test"'), "links", "https://x.test"),
        ("email.en.mjml", exchanged("Or do these", '<img src="x.png" />Or do these'), "links", "x.png"),
        ("email.en.txt", appended("\nhttps://x.test/page"), "links", "https://x.test/page"),
        ("email.en.mjml", exchanged('<mj-include path="foot.en.mjml" />', ""), "stop", "html has no stop link"),
        ("email.en.mjml", exchanged('<mj-include path="foot.en.mjml" />', ""), "address", "html has no postal"),
        ("whatsapp.hi.toml", exchanged("“बंद” लिखिए", "बताइए"), "stop", "how to stop"),
        ("sms.en.txt", exchanged("Reply STOP to stop.", ""), "stop", "how to stop"),
        # what is read first, and how long it is
        (
            "whatsapp.en.toml",
            exchanged("Hello{% if name %} {{ name }}{% endif %}, this", "Hello, this"),
            "first lines",
            "name",
        ),
        ("sms.en.txt", exchanged("{{ company }}: ", ""), "first lines", "company"),
        ("email.en.txt", exchanged("{{ button_url }}", "see below"), "button", "no button in its first two lines"),
        (
            "email.en.mjml",
            exchanged("<mj-button", '<mj-text><a href="{{ yes_url }}">x</a></mj-text><mj-button'),
            "button",
            "right after",
        ),
        (
            "email.en.mjml",
            exchanged("</mj-button>", '</mj-button><mj-button href="{{ no_url }}">b</mj-button>'),
            "button",
            "2 buttons",
        ),
        ("subject.en.txt", appended(" and some more words that nobody reads"), "length", "the subject has"),
        ("sms.hi.txt", appended(" और बात" * 20), "length", "parts"),
        ("whatsapp.en.toml", exchanged('footer = "No', 'footer = "' + "No " * 20), "files", "at most 60"),
        ("whatsapp.en.toml", exchanged("It works now", "It works now, thank you very much"), "files", "at most 25"),
        ("meta.toml", exchanged("Which cable goes where", "Which cable goes where " * 6), "length", "preheader"),
    ],
)
def test_each_rule_finds_what_breaks_it(
    messages: Path, playbook: Path, file: str, change: Callable[[str], str], rule: str, said: str
) -> None:
    path = messages / "router_setup" / file
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    found = check_words(messages, playbook)
    assert [f for f in found if f.rule == rule and said in f.text and "router_setup" in f.file], found
    assert all(f.remedy for f in found)


@pytest.mark.parametrize("name", ["subject.hi.txt", "email.en.mjml", "email.hi.txt", "whatsapp.en.toml", "sms.hi.txt"])
def test_a_missing_file_is_found(messages: Path, playbook: Path, name: str) -> None:
    (messages / "router_setup" / name).unlink()
    assert any(name in f.file and f.rule == "files" for f in check_words(messages, playbook))


def test_a_file_that_belongs_to_nothing_is_found(messages: Path, playbook: Path) -> None:
    (messages / "router_setup" / "sms.ta.txt").write_text("x", encoding="utf-8")
    assert any("sms.ta.txt" in f.file and f.rule == "files" for f in check_words(messages, playbook))


def test_selling_is_for_messages_that_say_so(messages: Path, playbook: Path) -> None:
    """The coupon may speak of its ₹100; the same words in a service message are found."""
    meta = messages / "delivery_coupon" / "meta.toml"
    meta.write_text(meta.read_text(encoding="utf-8").replace("sells = true\n", ""), encoding="utf-8")
    found = check_words(messages, playbook)
    assert {f.rule for f in found} == {"selling"}
    assert {f.file.split(".")[1] for f in found if f.file.count(".") > 1} >= {"en", "hi"}


def test_play_and_message_must_fit(messages: Path, playbook: Path) -> None:
    playbook.write_text(
        playbook.read_text(encoding="utf-8").replace('purpose = "service"', 'purpose = "promotional"'), encoding="utf-8"
    )
    assert [f.rule for f in check_words(messages, playbook)] == ["playbook"]


@pytest.mark.parametrize(
    "sentence",
    [
        "Saral never asks for your OTP, PIN or KYC.",
        "सरल आपसे OTP, PIN या KYC कभी नहीं माँगता।",
        "Spinning pins and opinions.",
    ],
)
def test_saying_that_we_never_ask_is_not_asking(sentence: str) -> None:
    assert asks_for_secrets(sentence) is None


@pytest.mark.parametrize(
    "sentence", ["Enter your PIN.", "Saral never asks twice. Send the OTP.", "अपना ओटीपी बताइए।", "पिन डालें"]
)
def test_asking_is_found_beside_other_sentences(sentence: str) -> None:
    assert asks_for_secrets(sentence)


@pytest.mark.parametrize(
    "fine",
    [
        "आपका राउटर पहुँच गया।",
        "आपने राउटर मँगाया था।",
        "आपको कुछ नहीं करना है।",
        "जब तक आप न चुनें, कुछ नहीं बदलेगा।",
        "ज़्यादा मदद के लिए फ़ोन करें।",
        "आप से एक बात पूछनी है।",
        "सेल्फ़ सर्विस",
    ],
)
def test_neutral_hindi_passes(fine: str) -> None:
    hits = {rule.name: rule.found(plain_words(fine)) for rule in RULES if rule.language in ("", "hi")}
    assert {name: hit for name, hit in hits.items() if hit} == {}


def test_product_names_do_not_make_hindi_english() -> None:
    assert wrong_language("AirFiber राउटर को Wi-Fi और WAN, LAN से जोड़ें", "hi") is None
    assert wrong_language("", "hi") == "(empty)"
