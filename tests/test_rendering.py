"""Rendering: the same bytes each time, the values as they are and never as code, and nothing that leads away."""

from __future__ import annotations

import html
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from records.errors import WordsError
from serving.message_files import message_files, message_names
from serving.plays import CHANNELS, LANGUAGES
from serving.rendering import (
    RENDERER_VERSION,
    Rendered,
    Slots,
    approval_hash,
    message_version,
    preview_slots,
    render,
)
from serving.sms_parts import sms_parts
from serving.variables import fill, sample_facts

SITE = "https://saral.invalid"
PREVIEW = preview_slots(SITE)
SEND = Slots(
    unsubscribe_url="http://127.0.0.1:8800/u/tok-1",
    settings_url="http://127.0.0.1:8800/m/tok-2",
    base_url="http://127.0.0.1:8800",
    links={"button": "http://127.0.0.1:8800/c/tok-3/button"},
)
LONG = "Venkatasubramanian Lakshminarayanan Ramachandran Iyengar"
HOSTILE = "\"Bobby\" {{7*7}} <script>alert('x')</script> 😀 सुनीता {% raw %}"
EVERY = [(m, c, lang) for m in message_names() for c in CHANNELS for lang in LANGUAGES]


def values(message: str, language: str = "en", name: str = "Sunita") -> dict[str, str]:
    """The message's variables from its sample, with this name as it is."""
    return {**fill(message, language, sample_facts(message)), "name": name}


@pytest.mark.parametrize(("message", "channel", "language"), EVERY)
def test_every_message_reads_well_for_three_people(message: str, channel: str, language: str) -> None:
    for name in (LONG, HOSTILE, ""):
        seen = render(message, channel, language, values(message, language, name), PREVIEW)
        everything = seen.subject + seen.text + (seen.html or "") + seen.footer
        for left_over in ("{{ ", " }}", "{% if", "{% endif", "None", "undefined"):
            assert left_over not in everything
        if name:
            assert name in seen.text
        else:
            assert "जी" not in seen.text.replace("जीवन", "").split("\n")[0]
            assert "Hello ," not in seen.text
            assert "  " not in seen.text
        if seen.html:
            assert "<script>" not in seen.html
            if name:
                assert html.escape(name, quote=True).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in seen.html


def test_a_customers_braces_stay_braces() -> None:
    seen = render("router_setup", "email", "en", values("router_setup", name="{{7*7}}"), PREVIEW)
    assert "Hello {{7*7}}, your AirFiber router" in seen.text
    assert seen.html is not None
    assert "Hello {{7*7}}, your" in seen.html


@pytest.mark.parametrize(("message", "channel", "language"), EVERY)
def test_preview_and_send_differ_in_the_slots_only(message: str, channel: str, language: str) -> None:
    given = values(message, language)
    preview, sent = (render(message, channel, language, given, slots) for slots in (PREVIEW, SEND))

    def without_slots(seen: Rendered, slots: Slots) -> Rendered:
        addresses = [slots.unsubscribe_url, slots.settings_url]
        addresses += [slots.links.get(k) or SITE + path for k, path in message_files(message).meta.links.items()]

        def blank(text: str) -> str:
            for address in addresses:
                text = text.replace(address, "◌")
            return text

        return replace(
            seen,
            text=seen.text if channel == "sms" else blank(seen.text),
            html=blank(seen.html or ""),
            headers={k: blank(v) for k, v in seen.headers.items()},
            buttons=tuple(replace(b, url=b.url and "◌") for b in seen.buttons),
        )

    assert without_slots(preview, PREVIEW) == without_slots(sent, SEND)
    if channel == "email":
        assert preview != sent


def test_the_same_input_gives_the_same_bytes() -> None:
    first = render("bill_explained", "email", "hi", values("bill_explained", "hi"), PREVIEW)
    again = render("bill_explained", "email", "hi", dict(reversed(values("bill_explained", "hi").items())), PREVIEW)
    assert first == again
    assert first.renderer_version == RENDERER_VERSION


def test_the_renderers_output_is_the_one_its_version_stands_for() -> None:
    """If this fails, other bytes come out of the same words: raise RENDERER_VERSION, so that old approvals lapse."""
    import hashlib

    from mjml import mjml2html

    from serving.templating import filled

    source = (
        '<mjml lang="hi"><mj-head><mj-title>{{ a }}</mj-title></mj-head><mj-body><mj-section><mj-column>'
        '<mj-text>{% if a %}{{ a }}{% endif %}</mj-text><mj-button href="{{ b }}">नमस्ते</mj-button>'
        "</mj-column></mj-section></mj-body></mjml>"
    )
    page = filled(mjml2html(source, fonts={}, disable_comments=True), {"a": "<&'\">", "b": SITE}, "x", html=True)
    digest = hashlib.sha256(page.encode()).hexdigest()
    assert RENDERER_VERSION == "1"
    assert digest == "7265a5c0384e0c4e5cbeb64ce7d829b38ece722f51c275856d9be807c16ddf23"


# ── values ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "bad", [None, "", "   ", "None", "nan", "NaN", "NaT", "null", "<NA>", float("nan"), 766, b"766"]
)
def test_a_hole_in_the_values_is_refused_by_name(bad: Any) -> None:
    given: dict[str, Any] = {**values("bill_explained"), "amount": bad}
    with pytest.raises(WordsError, match=r"bill_explained: amount ") as caught:
        render("bill_explained", "sms", "en", given, PREVIEW)
    assert caught.value.facts["variable"] == "amount"


def test_a_missing_variable_is_refused_by_name() -> None:
    given = values("bill_explained")
    del given["more"]
    with pytest.raises(WordsError, match=r"bill_explained: more has no value"):
        render("bill_explained", "email", "hi", given, PREVIEW)


def test_an_undeclared_variable_is_refused_by_name() -> None:
    with pytest.raises(WordsError, match=r"router_setup has no variable 'churn_probability'"):
        render("router_setup", "sms", "en", {**values("router_setup"), "churn_probability": "0.84"}, PREVIEW)


@pytest.mark.parametrize(
    "value",
    [
        "a\nBcc: x",
        "a\rb",
        "a\r\nb",
        "a\x00b",
        "a\x0bb",
        "a\x0cb",
        "a\x1cb",
        "a\x1db",
        "a\x1eb",
        "a\x85b",
        "a\u2028b",
        "a\u2029b",
        "a\u202eb",
        "a\u202db",
        "a\u2066b",
        "a\u2069b",
        "a\u200fb",
        "a\u200bb",
        "a\ufeffb",
        "a\x7fb",
        "a\x1b[31mb",
        "a\ud800b",
        "a\U000e0041b",
        "=?utf-8?q?a=0D=0ABcc:_evil@x.test?=",
        "=?UTF-8?B?DQpCY2M6?= x",
        "https://evil.test",
        "http://evil.test",
        "//evil.test/ ://",
        "www.evil.test",
        "win at evil.com",
        "bit.ly/x",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "mailto:a",
        "tel:112",
        "x" * 301,
    ],
)
def test_a_value_that_acts_is_refused(value: str) -> None:
    for message, name in (("outage_update", "area"), ("router_setup", "name"), ("router_setup", "product")):
        with pytest.raises(WordsError, match=rf"{message}: {name} "):
            render(message, "email", "en", {**values(message), name: value}, PREVIEW)


def test_devanagari_joiners_are_not_taken_for_tricks() -> None:
    assert "क्‍ष" in render("router_setup", "sms", "hi", values("router_setup", "hi", "क्‍षितिज"), PREVIEW).text


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/u/1",
        "http://saral.invalid/u/1",
        "https://saral.invalid.evil.test/",
        "https://saral.invalid@evil.test/",
        "https://evil.test#https://saral.invalid",
        "//saral.invalid/u",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://saral.invalid/",
        "https://sàral.invalid/",
        "https://saral.invalid:444/",
        'https://saral.invalid/"onmouseover="x',
        "https://saral.invalid/ x",
        "https://saral.invalid/\nx",
        "https://saral.invalid\\@evil.test/",
        "https:///u",
        "",
        "http://127.0.0.1:9999/u/1",
        "https://[::1",
        "https://saral.invalid:x/",
        "HTTP://EVIL.TEST",
        "https://user:pw@saral.invalid/",
        "https://saral.invalid/<x>",
    ],
)
def test_an_address_that_is_not_ours_is_refused(url: str) -> None:
    for slots in (
        replace(SEND, unsubscribe_url=url),
        replace(SEND, settings_url=url),
        replace(SEND, links={"button": url or "x"}),
    ):
        with pytest.raises(WordsError, match=r"address|not ours"):
            render("router_setup", "email", "en", values("router_setup"), slots)


def test_plain_http_is_for_this_very_machine_only() -> None:
    with pytest.raises(WordsError, match="is not https"):
        render("router_setup", "email", "en", values("router_setup"), replace(SEND, base_url="http://pehle.test"))
    assert render("router_setup", "email", "en", values("router_setup"), SEND).html


# ── versions, hashes, prices ──────────────────────────────────────────────────────────────────────────────


def test_the_version_covers_the_messages_files_and_the_frame(tmp_path: Path) -> None:
    import shutil

    from serving.message_files import ROOT, MessageFiles

    def version_after(file: str, text: str) -> str:
        root = tmp_path / file.replace("/", "_")
        shutil.copytree(ROOT, root)
        with (root / file).open("a", encoding="utf-8") as handle:
            handle.write(text)
        return MessageFiles(root / "router_setup").version

    same = message_version("router_setup")
    assert version_after("bill_explained/sms.en.txt", "x") == same
    assert version_after("router_setup/sms.en.txt", "x") != same
    assert version_after("_frame/foot.hi.txt", "x") != same


def test_an_approval_binds_every_part() -> None:
    bound: dict[str, Any] = {
        "address_hash": "a" * 64,
        "message_version": "m",
        "renderer_version": "1",
        "language": "hi",
        "channel": "sms",
        "variables": {"name": "रमेश", "amount": "₹766"},
    }
    first = approval_hash(**bound)
    assert first == approval_hash(**{**bound, "variables": {"amount": "₹766", "name": "रमेश"}})
    others = {key: approval_hash(**{**bound, key: "other"}) for key in bound if key != "variables"}
    others["variables"] = approval_hash(**{**bound, "variables": {"name": "रमेश", "amount": "₹767"}})
    assert len({first, *others.values()}) == 7


@pytest.mark.parametrize(
    ("text", "units", "parts", "alphabet"),
    [
        ("a" * 160, 160, 1, "GSM-7"),
        ("a" * 161, 161, 2, "GSM-7"),
        ("a" * 306, 306, 2, "GSM-7"),
        ("a" * 307, 307, 3, "GSM-7"),
        ("[" * 80, 160, 1, "GSM-7"),
        ("[" * 153, 306, 3, "GSM-7"),  # 76 pairs fit in 153: a pair is not cut in two
        ("न" * 70, 70, 1, "UCS-2"),
        ("न" * 71, 71, 2, "UCS-2"),
        ("न" * 135, 135, 3, "UCS-2"),
        ("Rs 5 ₹", 6, 1, "UCS-2"),
        ("😀" * 35, 70, 1, "UCS-2"),
        ("😀" * 36, 72, 2, "UCS-2"),
        ("", 0, 1, "GSM-7"),
    ],
)
def test_sms_are_counted_as_networks_do(text: str, units: int, parts: int, alphabet: str) -> None:
    counted = sms_parts(text)
    assert (counted.units, counted.parts, counted.alphabet) == (units, parts, alphabet)


def test_an_english_sms_avoids_the_sign_that_doubles_its_price() -> None:
    seen = render("bill_explained", "sms", "en", values("bill_explained"), PREVIEW)
    assert "Rs 766" in seen.text
    assert seen.sms is not None
    assert (seen.sms.alphabet, seen.parts) == ("GSM-7", 1)


def test_a_name_is_optional_and_a_channel_must_exist() -> None:
    assert render("router_setup", "whatsapp", "hi", values("router_setup", "hi", ""), PREVIEW).text.startswith(
        "नमस्ते, सरल की ओर से।"
    )
    with pytest.raises(WordsError, match="no words for 'push'"):
        render("router_setup", "push", "en", values("router_setup"), PREVIEW)
    with pytest.raises(WordsError, match="no words in 'ta'"):
        render("router_setup", "sms", "ta", values("router_setup"), PREVIEW)
    with pytest.raises(WordsError, match="no message called 'gone'"):
        render("gone", "sms", "en", {}, PREVIEW)


def test_a_thousand_e_mails_a_second() -> None:
    given = values("bill_explained", "hi")
    render("bill_explained", "email", "hi", given, SEND)
    begun = time.process_time()
    for _ in range(300):
        render("bill_explained", "email", "hi", given, SEND)
    assert 300 / (time.process_time() - begun) > 1000


def test_only_a_sent_mail_says_that_it_was_opened() -> None:
    """A preview must not count as an open; apart from the point, both are the same bytes."""
    variables = fill("router_setup", "en", sample_facts("router_setup"))
    preview = preview_slots("https://saral.invalid")
    shown = render("router_setup", "email", "en", variables, preview).html
    sent = render(
        "router_setup", "email", "en", variables, replace(preview, open_url="https://saral.invalid/o/a&b")
    ).html
    assert shown is not None
    assert sent is not None
    point = '<img src="https://saral.invalid/o/a&amp;b" width="1" height="1" alt="" style="display:block;border:0">'
    assert point not in shown
    assert sent.replace(point, "") == shown


def test_the_open_address_may_not_lead_elsewhere() -> None:
    variables = fill("router_setup", "en", sample_facts("router_setup"))
    slots = replace(preview_slots("https://saral.invalid"), open_url="https://evil.invalid/o/x")
    with pytest.raises(WordsError, match="open_url"):
        render("router_setup", "email", "en", variables, slots)
