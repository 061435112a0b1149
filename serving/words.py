"""Do the messages and the playbook keep the rules?

`check_words` reads every message as files, as a template and rendered from its sample, on every channel in both
languages. It finds what a program can find; `pehle words check` prints the findings and the tests hold the shipped
words to none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from records.errors import WordsError
from serving.message_files import ROOT, MessageFiles, expected_files, message_files, message_names
from serving.playbook import load_playbook
from serving.plays import LANGUAGES, Play
from serving.rendering import ADDRESSES, STANDARD, Rendered, preview_slots, render
from serving.templating import names_used
from serving.variables import fill, sample_facts
from serving.word_rules import RULES, asks_for_secrets, plain_words, wrong_language

LONG_NAME = "Venkatasubramanian Lakshminarayanan"
SUBJECT_LIMIT = 60
SMS_PARTS_LIMIT = 3
STOP_WORDS = {"en": "STOP", "hi": "बंद"}
MADE_BY_RENDERER = ("subject", "preheader", "why", "link")
HREF = re.compile(r"""(?:href|src|background|action)\s*=\s*["']?([^"'>\s]*(?:\s*\w+\s*\}\})?)""")
MJ_TAG = re.compile(r"<(/?)(mj[a-z-]*)[^>]*?(/?)>")
OWN_LINK = re.compile(r"\{\{ (?:" + "|".join(ADDRESSES) + r") \}\}")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One breach: where, of which rule, the words in question, what to do."""

    file: str
    rule: str
    text: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}: {self.rule}: {self.text}. {self.remedy}"


def check_words(root: Path = ROOT, playbook: Path | None = None) -> list[Finding]:
    """Every breach of the rules in all messages and the playbook; empty when all is well."""
    found: list[Finding] = []
    for name in message_names(root):
        try:
            files = message_files(name, root)
            found += [*_files(files), *_templates(files), *_said(files), *_mark_up(files)]
            found += _as_read(files, root)
        except WordsError as error:
            found.append(_broken(f"{name}/", error))
    try:
        for play in load_playbook(playbook).plays:
            found += _play(play, root)
    except WordsError as error:
        found.append(_broken("playbook.toml", error))
    return list(dict.fromkeys(found))


def _broken(file: str, error: WordsError) -> Finding:
    rule = str(error.facts.get("rule", "files"))
    return Finding(file=str(error.facts.get("file", file)), rule=rule, text=error.message, remedy=error.remedy)


def _files(files: MessageFiles) -> Iterator[Finding]:
    expected = {"meta.toml", *expected_files(files.meta)}
    for name in sorted(expected - set(files.files)):
        yield Finding(file=f"{files.meta.name}/{name}", rule="files", text="is missing", remedy="Write it.")
    for name in sorted(set(files.files) - expected):
        yield Finding(file=f"{files.meta.name}/{name}", rule="files", text="belongs to nothing", remedy="Remove it.")
    if files.meta.sells and files.meta.purpose != "promotional":
        yield Finding(
            file=f"{files.meta.name}/meta.toml", rule="selling", text="sells, but its purpose is service",
            remedy="Make it promotional, which needs another consent.",
        )  # fmt: skip


def _sources(files: MessageFiles) -> Iterator[tuple[str, str, str]]:
    """File, language and text of everything a person may read."""
    for name in expected_files(files.meta):
        if name not in files.files:
            continue
        language = name.split(".")[1]
        if name.endswith(".toml"):
            words = files.whatsapp(language)
            yield name, language, "\n".join([words.body, words.footer, *(b.label for b in words.buttons)])
        elif name.endswith(".mjml"):
            yield name, language, files.mjml(language)
        elif name.startswith("email."):
            yield name, language, files.email_text(language)
        else:
            yield name, language, files.text(name)
    for language in LANGUAGES:
        yield "meta.toml", language, f"{files.meta.preheader[language]}\n{files.meta.why[language]}"


def _templates(files: MessageFiles) -> Iterator[Finding]:
    """Is every variable declared, and every declared one used?"""
    known = {*files.meta.variables, *STANDARD, *ADDRESSES, *MADE_BY_RENDERER}
    used: set[str] = set()
    for name, _, source in _sources(files):
        file = f"{files.meta.name}/{name}"
        try:
            names = names_used(source, file)
        except WordsError as error:
            yield _broken(file, error)
            continue
        used |= names
        for unknown in sorted(names - known):
            yield Finding(
                file=file, rule="variables", text=f"uses {unknown}, which is not declared",
                remedy="Declare it in meta.toml with type and fact.",
            )  # fmt: skip
    for unused in sorted(set(files.meta.variables) - used):
        yield Finding(
            file=f"{files.meta.name}/meta.toml", rule="variables", text=f"{unused} is used nowhere", remedy="Remove it."
        )


def _said(files: MessageFiles) -> Iterator[Finding]:
    """Do the words say something they must not, or in the wrong language?"""
    for name, language, source in _sources(files):
        file, text = f"{files.meta.name}/{name}", plain_words(source)
        for rule in RULES:
            if rule.language not in ("", language) or (rule.unless_sells and files.meta.sells):
                continue
            hit = rule.found(text)
            if hit:
                yield Finding(file=file, rule=rule.name, text=f"says {hit!r}", remedy=rule.remedy)
        secret = asks_for_secrets(text)
        if secret:
            yield Finding(
                file=file, rule="secrets", text=f"says {secret!r}",
                remedy="Only the sentence that we never ask for OTP, PIN or KYC may name them.",
            )  # fmt: skip
        other = wrong_language(text, language)
        if other:
            yield Finding(
                file=file, rule="language", text=f"has {other!r} in {language}", remedy="Write it in that language."
            )


def _unmatched(source: str) -> str | None:
    """The first MJML tag that does not close what is open; the compiler itself lets it pass and loses text."""
    open_tags: list[str] = []
    for closing, tag, alone in MJ_TAG.findall(source):
        if closing and (not open_tags or open_tags.pop() != tag):
            return f"</{tag}>"
        if not closing and not alone:
            open_tags.append(tag)
    return f"<{open_tags[-1]}>" if open_tags else None


def _mark_up(files: MessageFiles) -> Iterator[Finding]:
    """Is the e-mail whole, does every link lead to the company, and is nothing loaded from elsewhere?"""
    for name, _, source in _sources(files):
        file = f"{files.meta.name}/{name}"
        unmatched = _unmatched(source) if name.endswith(".mjml") else None
        if unmatched:
            yield Finding(file=file, rule="mjml", text=f"{unmatched} has no partner", remedy="Close each tag once.")
        for target in HREF.findall(source) if name.endswith(".mjml") else ():
            if not OWN_LINK.fullmatch(target):
                yield Finding(
                    file=file, rule="links", text=f"leads to {target!r}",
                    remedy="Use the addresses the renderer gives: {{ button_url }}, {{ settings_url }}, …",
                )  # fmt: skip
        literal = re.search(r"https?://\S+|www\.\S+|javascript:\S*|<img|<script|@import|url\(", source, re.IGNORECASE)
        if literal:
            yield Finding(
                file=file,
                rule="links",
                text=f"has {literal[0]!r}",
                remedy="Addresses come from variables only.",
            )


def _as_read(files: MessageFiles, root: Path) -> Iterator[Finding]:
    """Render from the sample, with a long name: lengths, first lines, the way to stop."""
    facts = {**sample_facts(files.meta.name, root=root), "customer.name": LONG_NAME}
    for language in LANGUAGES:
        values = fill(files.meta.name, language, facts, root=root)
        slots = preview_slots(values["website"])
        for channel in files.meta.channels:
            file = f"{files.meta.name}/{channel}.{language}"
            try:
                seen = render(files.meta.name, channel, language, values, slots, root=root)
            except WordsError as error:
                yield _broken(file, error)
                continue
            check = {"email": _email, "whatsapp": _whatsapp, "sms": _sms}[channel]
            for rule, text, remedy in [*_first_lines(seen, values), *check(files, seen, values)]:
                yield Finding(file=file, rule=rule, text=text, remedy=remedy)


Breach = tuple[str, str, str]


def _first_lines(seen: Rendered, values: dict[str, str]) -> Iterator[Breach]:
    lines = [line for line in seen.text.split("\n") if line.strip()][:2]
    for what in ("company", "name"):
        if values[what] not in "\n".join(lines):
            yield "first lines", f"{what} is not in the first two lines", "Brand, name and the point come first."


def _email(files: MessageFiles, seen: Rendered, values: dict[str, str]) -> Iterator[Breach]:
    slots = preview_slots(values["website"])
    button = values["website"] + files.meta.links["button"]
    body = files.mjml(seen.language).partition("<mj-body")[2]
    for kind, text in (("text", seen.text), ("html", seen.html or "")):
        for what, needed in (("stop link", slots.unsubscribe_url), ("settings link", slots.settings_url)):
            if needed not in text:
                yield "stop", f"the {kind} has no {what}", "Include the foot of _frame."
        if values["postal_address"] not in text:
            yield "address", f"the {kind} has no postal address", "Include the foot of _frame."
    if body.count("<mj-button") != 1:
        yield "button", f"has {body.count('<mj-button')} buttons", "One button, above everything else."
    head = body.partition("<mj-button")[0]
    if "href=" in head or not {"company", "name"} <= names_used(head, files.meta.name):
        yield "button", "the button does not come right after brand, name and point", "Move it up."
    if button not in "\n".join([line for line in seen.text.split("\n") if line.strip()][:2]):
        yield "button", "the text has no button in its first two lines", "Put it into the second line."
    if len(seen.subject) > SUBJECT_LIMIT or "\n" in seen.subject:
        yield "length", f"the subject has {len(seen.subject)} characters", f"At most {SUBJECT_LIMIT}, in one line."
    if len(seen.preheader) > 110 or seen.preheader in (seen.subject, ""):
        yield "length", "the preheader is empty, the subject again, or too long", "Up to 110 new characters."


def _whatsapp(files: MessageFiles, seen: Rendered, values: dict[str, str]) -> Iterator[Breach]:
    if STOP_WORDS[seen.language] not in seen.footer:
        yield "stop", "the foot does not say how to stop", f"Name the word {STOP_WORDS[seen.language]}."
    if len(seen.text) > 1024 or len(seen.footer) > 60:
        yield "length", f"{len(seen.text)} and {len(seen.footer)} characters", "At most 1,024, and 60 in the foot."
    if sum(button.url is not None for button in seen.buttons) > 1:
        yield "button", "more than one button leads away", "One link; the others are answers."


def _sms(files: MessageFiles, seen: Rendered, values: dict[str, str]) -> Iterator[Breach]:
    if STOP_WORDS[seen.language] not in seen.text:
        yield "stop", "does not say how to stop", f"Name the word {STOP_WORDS[seen.language]}."
    if seen.parts > SMS_PARTS_LIMIT:
        yield "length", f"takes {seen.parts} parts", f"At most {SMS_PARTS_LIMIT}, also with a long name."
    if not seen.text.startswith(values["company"]):
        yield "first lines", "does not begin with the company", "Begin with {{ company }}."


def _play(play: Play, root: Path) -> Iterator[Finding]:
    """Do play and message fit together?"""
    where = f"playbook.toml play {play.name}"
    meta = message_files(play.message, root).meta
    if meta.purpose != play.purpose:
        yield Finding(
            file=where,
            rule="playbook",
            text=f"is {play.purpose}, its message {meta.purpose}",
            remedy="Make them equal.",
        )
    for channel in sorted(set(play.channels) - set(meta.channels)):
        yield Finding(file=where, rule="playbook", text=f"has no words for {channel}", remedy="Write them.")
    if meta.sells and play.even_with_open_ticket:
        yield Finding(
            file=where, rule="selling", text="sells while a complaint is open", remedy="Remove even_with_open_ticket."
        )
