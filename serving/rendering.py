"""What exactly will this person read?

`render` is pure: the same message version, renderer version, language, channel and variables give the same bytes.
Only the slots differ between a preview and a send: the stop, settings, click and open addresses here, and the date in
`serving.mime`. Values are data: checked strings, escaped in HTML, never template source.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import escape

from records.errors import WordsError
from serving.message_files import ROOT, MessageFiles, message_files
from serving.safe_values import check_url, check_value, origin
from serving.sms_parts import SmsParts, sms_parts
from serving.templating import filled

# Raise it whenever the same words and values give other bytes than before: approvals of the old bytes then lapse.
RENDERER_VERSION = "1"
# Variables every message may use without declaring them. `name` may be empty: the words then greet without it.
STANDARD = ("name", "company", "website", "support_email", "postal_address")
OPTIONAL_STANDARD = ("name",)
ADDRESSES = ("button_url", "yes_url", "no_url", "unsubscribe_url", "settings_url")


@dataclass(frozen=True, kw_only=True)
class Slots:
    """What may differ from send to send: addresses with this outreach's token in them."""

    unsubscribe_url: str
    settings_url: str
    base_url: str  # where these addresses are served; besides the company's website nothing else may be linked
    links: Mapping[str, str] = field(
        default_factory=dict
    )  # tracked address per link of meta.toml; else the page itself
    open_url: str = ""  # an e-mail asks for it when it is shown; empty in previews, which nobody received


@dataclass(frozen=True, kw_only=True)
class RenderedButton:
    """A button below a WhatsApp message. Without an address it sends its label as the person's answer."""

    label: str
    url: str | None


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """One message to one person on one channel, ready for a preview or a channel."""

    message: str
    channel: str
    language: str
    subject: str  # e-mail only, else empty
    preheader: str  # e-mail only
    text: str  # the e-mail's plain text, the WhatsApp body, the SMS
    html: str | None  # e-mail only
    buttons: tuple[RenderedButton, ...]  # WhatsApp only
    footer: str  # WhatsApp only: how to stop
    headers: Mapping[str, str]  # e-mail only, beyond the usual ones
    sms: SmsParts | None  # SMS only: its length and parts
    message_version: str
    renderer_version: str

    @property
    def parts(self) -> int:
        """How many parts are billed; 1 except for a long SMS."""
        return self.sms.parts if self.sms else 1


def message_version(name: str, root: Path = ROOT) -> str:
    """SHA-256 over the message's files and the frame's."""
    return message_files(name, root).version


def approval_hash(
    *,
    address_hash: str,
    message_version: str,
    renderer_version: str,
    language: str,
    channel: str,
    variables: Mapping[str, str],
) -> str:
    """What does an approval bind? SHA-256 of the canonical JSON of everything the bytes depend on."""
    bound = {
        "address_hash": address_hash,
        "channel": channel,
        "language": language,
        "message_version": message_version,
        "renderer_version": renderer_version,
        "variables": dict(variables),
    }
    canonical = json.dumps(bound, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()


def preview_slots(website: str) -> Slots:
    """Addresses for a preview: pages that look like the real ones and lead nowhere personal."""
    return Slots(
        unsubscribe_url=f"{website}/stop/preview", settings_url=f"{website}/messages/preview", base_url=website
    )


def render(
    message: str, channel: str, language: str, variables: Mapping[str, Any], slots: Slots, *, root: Path = ROOT
) -> Rendered:
    """Put the values into the words.

    Raises WordsError naming the variable that is missing, empty or not fit for a message, the address that leads
    elsewhere, or the file that is broken.
    """
    files = message_files(message, root)
    if channel not in files.meta.channels:
        raise WordsError(
            f"{message} has no words for {channel!r}.",
            remedy=f"It has: {', '.join(files.meta.channels)}.",
            rule="files",
        )
    if language not in ("en", "hi"):
        raise WordsError(f"There are no words in {language!r}.", remedy="Use en or hi.", rule="files")
    values = _checked(files, variables)
    addresses = _addresses(files, values["website"], slots)
    if channel == "email":
        return _email(files, language, values | addresses)
    if channel == "whatsapp":
        return _whatsapp(files, language, values, addresses)
    return _sms(files, language, values)


def _checked(files: MessageFiles, variables: Mapping[str, Any]) -> dict[str, str]:
    """Every declared variable, checked; the words see nothing else."""
    declared = files.meta.variables
    unknown = sorted(set(variables) - set(declared) - set(STANDARD))
    if unknown:
        raise WordsError(
            f"{files.meta.name} has no variable {unknown[0]!r}.", remedy="Declare it in meta.toml or leave it out.",
            rule="variables", variable=unknown[0],
        )  # fmt: skip
    values: dict[str, str] = {}
    for name in (*STANDARD, *declared):
        optional = name in OPTIONAL_STANDARD or (name in declared and declared[name].optional)
        values[name] = check_value(name, variables.get(name), optional=optional, message=files.meta.name)
    origin(values["website"])
    values["link"] = values["website"].rstrip("/") + files.meta.links["button"]
    return values


def _addresses(files: MessageFiles, website: str, slots: Slots) -> dict[str, str]:
    allowed = {origin(website), origin(slots.base_url)}
    found = {"unsubscribe_url": slots.unsubscribe_url, "settings_url": slots.settings_url}
    for name, path in files.meta.links.items():
        found[f"{name}_url"] = slots.links.get(name) or website.rstrip("/") + path
    if slots.open_url:
        found["open_url"] = slots.open_url
    return {name: check_url(name, url, allowed) for name, url in found.items()}


@cache
def _html_source(root: Path, name: str, version: str, language: str) -> str:
    """The e-mail's HTML, compiled from MJML once, with the variables still in it."""
    # Heavy enough to load only when an e-mail is rendered; knows no fonts of third parties.
    from mjml import mjml2html

    source = message_files(name, root).mjml(language)
    try:
        html: str = mjml2html(source, fonts={}, disable_comments=True)
    except Exception as error:
        file = f"{name}/email.{language}.mjml"
        raise WordsError(f"{file}: {error}.", remedy="Mend the MJML.", file=file, rule="mjml") from error
    return html


def _email(files: MessageFiles, language: str, values: dict[str, str]) -> Rendered:
    folder, meta = files.meta.name, files.meta
    subject = filled(files.text(f"subject.{language}.txt"), values, f"{folder}/subject.{language}.txt")
    extra = {
        "subject": subject,
        "preheader": filled(meta.preheader[language], values, f"{folder}/meta.toml preheader"),
        "why": filled(meta.why[language], values, f"{folder}/meta.toml why"),
    }
    html = _html_source(files.folder.parent, folder, files.version, language)
    values = values | extra
    return _rendered(
        files,
        "email",
        language,
        subject=subject,
        preheader=extra["preheader"],
        text=_tidy(filled(files.email_text(language), values, f"{folder}/email.{language}.txt")),
        html=_seen(filled(html, values, f"{folder}/email.{language}.mjml", html=True), values.get("open_url", "")),
        headers={
            "List-Unsubscribe": f"<{values['unsubscribe_url']}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    )


def _seen(html: str, open_url: str) -> str:
    """The e-mail with the picture of one point that says it was shown."""
    if not open_url:
        return html
    point = f'<img src="{escape(open_url)}" width="1" height="1" alt="" style="display:block;border:0">'
    return html.replace("</body>", f"{point}</body>", 1)


def _whatsapp(files: MessageFiles, language: str, values: dict[str, str], addresses: dict[str, str]) -> Rendered:
    words = files.whatsapp(language)
    where = f"{files.meta.name}/whatsapp.{language}.toml"
    buttons = tuple(
        RenderedButton(label=button.label, url=addresses[f"{button.link}_url"] if button.link else None)
        for button in words.buttons
    )
    return _rendered(
        files,
        "whatsapp",
        language,
        text=_tidy(filled(words.body.strip(), values, where)),
        footer=filled(words.footer, values, where),
        buttons=buttons,
    )


def _sms(files: MessageFiles, language: str, values: dict[str, str]) -> Rendered:
    text = filled(files.text(f"sms.{language}.txt"), values, f"{files.meta.name}/sms.{language}.txt")
    if language == "en":
        # ₹ is not in the SMS alphabet: one of them would make the text cost twice as much.
        text = text.replace("₹", "Rs ")
    text = " ".join(text.split())
    return _rendered(files, "sms", language, text=text, sms=sms_parts(text))


def _tidy(text: str) -> str:
    """No blank lines in a row and none of the gaps an optional line leaves."""
    lines = [line.rstrip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def _rendered(files: MessageFiles, channel: str, language: str, **found: Any) -> Rendered:
    empty: dict[str, Any] = {
        "subject": "", "preheader": "", "html": None, "buttons": (), "footer": "", "headers": {}, "sms": None,
    }  # fmt: skip
    return Rendered(
        message=files.meta.name,
        channel=channel,
        language=language,
        message_version=files.version,
        renderer_version=RENDERER_VERSION,
        **(empty | found),
    )
