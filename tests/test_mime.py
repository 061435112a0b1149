"""The bytes of an e-mail: exactly the headers and the one recipient that were meant, whatever the values try."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest

from records.errors import WordsError
from serving.message_files import message_names
from serving.mime import EXPECTED, to_mime
from serving.rendering import Rendered, preview_slots, render
from serving.variables import fill, sample_facts

WHEN = datetime(2026, 11, 19, 12, 30, tzinfo=UTC)
INJECTED = "Hello =?utf-8?q?a=0D=0ABcc:_evil@x.test?="
LINE_ENDS = ["\r\n", "\n", "\r", "\x00", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
HEADER_PAYLOADS = [
    INJECTED,
    "=?utf-8?q?=0D=0ABcc:_evil@x.test?=",
    "=?UTF-8?B?DQpCY2M6IGV2aWxAeC50ZXN0?=",
    "=?iso-8859-1?q?=0A?= x",
    "=?utf-8?Q?=0d=0a=0d=0abody?=",
    "=?us-ascii?b?Cg==?=",
    "x =?utf-8*en?q?=0A?=",
    *(f"a{end}Bcc: evil@x.test" for end in LINE_ENDS),
    *(f"a{end} folded" for end in LINE_ENDS),
    *(f"{end}" for end in LINE_ENDS),
    "a\u202eb",
    "a\u2066b",
    "a\x1b[0m",
    "a\ud800",
    "\u200b",
    "a\ufeff",
]
ADDRESS_PAYLOADS = [
    "",
    "plain",
    "a@b",
    "a b@c.test",
    "a@b.test,evil@x.test",
    "a@b.test; evil@x.test",
    "<a@b.test>",
    "a@b.test\nBcc: x@y.test",
    "a@b.test\r\nRCPT TO:<evil@x.test>",
    '"a b"@c.test',
    "a@[127.0.0.1]",
    "a@b.test>",
    "a@b.test evil@x.test",
    "ä@b.test",
    "a@bä.test",
    "a@b..test",
    "a..b@c.test",
    "=?utf-8?q?evil?=@b.test",
    "a@b.test\x00",
    "a@b.test\u2028",
    "@b.test",
    "a@",
    "x" * 65 + "@b.test",
    "a(comment)@b.test",
    "group:a@b.test;",
]


def rendered(language: str = "hi") -> Rendered:
    values = fill("router_setup", language, sample_facts("router_setup"))
    return render("router_setup", "email", language, values, preview_slots("https://saral.invalid"))


def mime(seen: Rendered | None = None, **changed: Any) -> bytes:
    given: dict[str, Any] = {
        "from_name": "Saral",
        "from_address": "namaste@saral.invalid",
        "to_name": "रमेश चौहान",
        "to_address": "ramesh@example.invalid",
        "reply_to": "help@saral.invalid",
        "outreach_id": "O-90217",
        "date": WHEN,
    }
    return to_mime(seen or rendered(), **{**given, **changed})


def read(content: bytes) -> EmailMessage:
    return message_from_bytes(content, policy=policy.default)


@pytest.mark.parametrize("language", ["en", "hi"])
def test_the_bytes_say_what_was_rendered(language: str) -> None:
    seen = rendered(language)
    mail = read(mime(seen))
    assert Counter(key.lower() for key in mail) == Counter(EXPECTED)
    assert mail["Subject"] == seen.subject
    assert [a.addr_spec for a in mail["To"].addresses] == ["ramesh@example.invalid"]
    assert mail["To"].addresses[0].display_name == "रमेश चौहान"
    assert mail["Message-ID"] == "<O-90217@saral.invalid>"
    assert mail["List-Unsubscribe"] == "<https://saral.invalid/stop/preview>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    text, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert page is not None
    assert text.get_content().replace("\r\n", "\n") == seen.text
    assert page.get_content().replace("\r\n", "\n").rstrip("\n") == (seen.html or "").rstrip("\n")


@pytest.mark.parametrize(
    "subject",
    [
        "अगले ऑर्डर पर ₹100 कम, हमारी ओर से",  # EmailMessage folds here and loses the blank before कम
        "आपके लिए ₹100 का कूपन, 24 दिसंबर तक",
        "Your ₹100 coupon for a next order that is a little longer than one line of a header may be, सरल की ओर से",
        "word " * 40 + "end",
        "क" * 200,
    ],
)
def test_a_subject_arrives_to_the_letter(subject: str) -> None:
    assert read(mime(replace(rendered(), subject=subject)))["Subject"] == subject


@pytest.mark.parametrize("language", ["en", "hi"])
@pytest.mark.parametrize("message", message_names())
def test_every_message_becomes_an_e_mail(message: str, language: str) -> None:
    values = fill(message, language, sample_facts(message))
    seen = render(message, "email", language, values, preview_slots("https://saral.invalid"))
    assert read(mime(seen))["Subject"] == seen.subject


def test_the_same_arguments_give_the_same_bytes_and_no_bare_line_break() -> None:
    content = mime()
    assert content == mime()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", content)
    assert max(len(line) for line in content.split(b"\r\n")) <= 998
    elsewhere = mime(date=WHEN.astimezone(timezone(timedelta(hours=5, minutes=30))))
    assert elsewhere == content


def test_an_encoded_line_break_does_not_get_as_far_as_the_e_mail_package() -> None:
    """Python before 3.12.5 writes it as a header of its own (CVE-2024-6923)."""
    with pytest.raises(WordsError, match="subject is not fit"):
        mime(replace(rendered(), subject=INJECTED))
    assert b"evil" not in mime(to_name=INJECTED)


@pytest.mark.parametrize("payload", HEADER_PAYLOADS)
def test_no_value_becomes_a_header(payload: str) -> None:
    for changed in ({"from_name": payload}, {"seen": replace(rendered(), subject=payload)}):
        with pytest.raises(WordsError, match="not fit for a header"):
            mime(**changed)
    mail = read(mime(to_name=payload))
    assert Counter(key.lower() for key in mail) == Counter(EXPECTED)
    assert [a.addr_spec for a in mail["To"].addresses] == ["ramesh@example.invalid"]
    bad = {**rendered().headers, "List-Unsubscribe": f"<https://saral.invalid/{payload}>"}
    with pytest.raises(WordsError, match="not fit for a header"):
        mime(replace(rendered(), headers=bad))


@pytest.mark.parametrize("address", ADDRESS_PAYLOADS)
def test_an_address_that_is_not_one_plain_address_is_refused(address: str) -> None:
    for slot in ("to_address", "from_address", "reply_to"):
        changed: dict[str, Any] = {slot: address}
        with pytest.raises(WordsError, match=rf"{slot} is not fit"):
            mime(**changed)


@pytest.mark.parametrize(
    "name",
    [
        "Ramesh, Chauhan",
        "Ramesh; evil",
        "O'Brien",
        "José Núñez",
        "रमेश " * 12,
        "A. B. C. D'Souza-Ḷaḷ",
        "(comment)",
        "Ltd: x;",
    ],
)
def test_odd_but_honest_names_stay_one_recipient(name: str) -> None:
    mail = read(mime(to_name=name))
    assert [a.addr_spec for a in mail["To"].addresses] == ["ramesh@example.invalid"]
    assert Counter(key.lower() for key in mail) == Counter(EXPECTED)


def test_a_long_stop_address_stays_in_one_piece() -> None:
    """The e-mail package would write it as encoded words, and one click would no longer stop anything."""
    url = "https://saral.invalid/u/" + "A1b2-_x.C3" * 30
    seen = replace(rendered(), headers={**rendered().headers, "List-Unsubscribe": f"<{url}>"})
    assert f"List-Unsubscribe: <{url}>\r\n".encode() in mime(seen)


def test_a_header_that_was_not_meant_stops_the_e_mail() -> None:
    seen = replace(rendered(), headers={**rendered().headers, "Bcc": "evil@x.test"})
    with pytest.raises(WordsError, match="headers that were not meant"):
        mime(seen)
    with pytest.raises(WordsError, match="headers that were not meant"):
        mime(replace(rendered(), headers={}))


@pytest.mark.parametrize("outreach_id", ["", "O 1", "O-1>", "O-1\r\nBcc: x", "é", "-", "x" * 65])
def test_an_id_that_is_none_is_refused(outreach_id: str) -> None:
    with pytest.raises(WordsError, match="outreach_id is not fit"):
        mime(outreach_id=outreach_id)


def test_lines_of_a_dot_arrive_as_one_message() -> None:
    content = mime(replace(rendered("en"), text="Hello\n.\nMAIL FROM:<evil@x.test>\n.\n", html="<p>\n.\n</p>"))
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", content)
    body = read(content).get_body(("plain",))
    assert body is not None
    assert body.get_content().splitlines() == ["Hello", ".", "MAIL FROM:<evil@x.test>", "."]


def test_only_an_e_mail_and_an_aware_date_become_bytes() -> None:
    values = fill("router_setup", "hi", sample_facts("router_setup"))
    with pytest.raises(WordsError, match="is rendered for sms"):
        mime(render("router_setup", "sms", "hi", values, preview_slots("https://saral.invalid")))
    with pytest.raises(WordsError, match="no zone"):
        mime(date=WHEN.replace(tzinfo=None))
