"""What files make up a message, and what do they hash to?

`templates/messages/<name>/` holds meta.toml and, per language, subject.<lang>.txt, email.<lang>.mjml,
email.<lang>.txt, whatsapp.<lang>.toml and sms.<lang>.txt. `_frame/` holds what all e-mails share (style, brand line,
foot); a line `<mj-include path="foot.hi.mjml" />` stands for a file of it. The version of a message covers both.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from records.errors import WordsError
from serving.plays import LANGUAGES, ChannelName, InBoth, Name, Purpose

ROOT = Path(__file__).resolve().parent.parent / "templates" / "messages"
FRAME = "_frame"
INCLUDE = re.compile(r'<mj-include path="([a-z]+(?:\.[a-z]+)?\.mjml)" */>')
T = TypeVar("T", bound=BaseModel)
Kind = Literal["text", "money", "number", "date", "month", "time", "product", "choice", "plan", "line", "code"]
SitePath = Annotated[str, Field(pattern=r"^/[a-z0-9/_-]*$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Variable(_Part):
    """One value the words use: what kind, and from which fact it comes."""

    type: Kind
    source: str = Field(alias="from", pattern=r"^[a-z_]+\.[a-z_]+$")
    minus: str | None = None  # money and number: another fact to take off
    days: int = 0  # date: so many days later
    months: int = 0  # month: so many months later
    index: int = Field(default=0, ge=0, le=9)  # line: which of the lines
    table: str | None = None  # choice: table of templates/messages/_frame/vocabulary.toml
    # plan: what about it; line: which half of it
    show: Literal["name", "cheaper", "price", "cheaper_price", "saving", "label", "amount"] = "name"
    optional: bool = False  # may be empty; the words must read well without it


class Meta(_Part):
    """meta.toml: everything about a message that is not its words on one channel."""

    name: Name
    purpose: Purpose
    sells: bool = False  # may speak of offers, coupons and prices of other plans
    channels: tuple[ChannelName, ...] = Field(min_length=1)
    preheader: InBoth
    why: InBoth  # why this person gets it; in the foot of the e-mail
    needs_one_of: tuple[tuple[Name, ...], ...] = ()  # of these groups of optional variables one must be complete
    links: dict[Literal["button", "yes", "no"], SitePath]
    variables: dict[Name, Variable]
    sample: dict[str, Any]  # facts from which previews and checks are filled


class Button(_Part):
    """A button below a WhatsApp message: it opens a link, or answers for the person."""

    label: str = Field(min_length=1, max_length=25)
    link: Literal["button", "yes", "no"] | None = None


class WhatsApp(_Part):
    """whatsapp.<lang>.toml"""

    body: str = Field(min_length=20, max_length=1024)
    footer: str = Field(max_length=60)
    buttons: tuple[Button, ...] = Field(alias="button", min_length=1, max_length=3)


class MessageFiles:
    """All files of one message, read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
        frame = folder.parent / FRAME
        self.frame = {path.name: path.read_bytes() for path in sorted(frame.iterdir()) if path.is_file()}
        self.meta = self._typed("meta.toml", Meta)
        self.version = self._version()
        if self.meta.name != folder.name:
            raise WordsError(
                f"{folder / 'meta.toml'}: name is {self.meta.name!r}, its folder is called {folder.name!r}.",
                remedy="Make them equal.", file=str(folder / "meta.toml"), rule="files",
            )  # fmt: skip

    def text(self, name: str) -> str:
        """One file's text without the last line break. Raises WordsError if it is missing."""
        content = self.files.get(name)
        if content is None:
            raise WordsError(
                f"{self.folder / name} is missing.", remedy="Every message has every channel in every language.",
                file=str(self.folder / name), rule="files",
            )  # fmt: skip
        return content.decode("utf-8").rstrip("\n")

    def mjml(self, language: str) -> str:
        """The e-mail's MJML with the frame put in."""
        name = f"email.{language}.mjml"

        def framed(found: re.Match[str]) -> str:
            part = self.frame.get(found[1])
            if part is None:
                raise WordsError(
                    f"{self.folder / name} includes {found[1]!r}, which {FRAME} has not.",
                    remedy=f"It has: {', '.join(self.frame)}.", file=str(self.folder / name), rule="files",
                )  # fmt: skip
            return part.decode("utf-8")

        return INCLUDE.sub(framed, self.text(name))

    def email_text(self, language: str) -> str:
        """The e-mail's text alternative with the frame's foot below it."""
        foot = self.frame[f"foot.{language}.txt"].decode("utf-8").rstrip("\n")
        return self.text(f"email.{language}.txt") + "\n\n" + foot + "\n"

    def whatsapp(self, language: str) -> WhatsApp:
        """The WhatsApp template of one language."""
        return self._typed(f"whatsapp.{language}.toml", WhatsApp)

    def _typed(self, name: str, model: type[T]) -> T:
        file = self.folder / name
        try:
            return model.model_validate(tomllib.loads(self.text(name)))
        except tomllib.TOMLDecodeError as error:
            raise WordsError(f"{file} is not valid TOML: {error}.", remedy="Mend that line.", file=str(file)) from error
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise WordsError(
                f"{file}: key {key}: {first['msg']} (found {str(first['input'])[:80]!r}).",
                remedy="Correct it; serving/message_files.py explains the keys.", file=str(file), rule="files", key=key,
            ) from error  # fmt: skip

    def _version(self) -> str:
        """SHA-256 over names and contents, each with its length, of the message's files and the frame's."""
        digest = hashlib.sha256()
        for group in (self.files, self.frame):
            digest.update(f"{len(group)}:".encode())
            for name, content in sorted(group.items()):
                digest.update(f"{name}:{len(content)}:".encode() + content)
        return digest.hexdigest()


@cache
def message_files(name: str, root: Path = ROOT) -> MessageFiles:
    """The files of one message. Raises WordsError naming the messages there are."""
    if name not in message_names(root):
        raise WordsError(
            f"There is no message called {name!r}.",
            remedy=f"There are: {', '.join(message_names(root))}.",
            rule="files",
        )
    return MessageFiles(root / name)


@cache
def message_names(root: Path = ROOT) -> tuple[str, ...]:
    """Names of all messages, in order."""
    return tuple(sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith(("_", "."))))


def expected_files(meta: Meta) -> list[str]:
    """Which files must a message with these channels have?"""
    kinds = {
        "email": ("subject.{}.txt", "email.{}.mjml", "email.{}.txt"),
        "whatsapp": ("whatsapp.{}.toml",),
        "sms": ("sms.{}.txt",),
    }
    return [kind.format(language) for channel in meta.channels for kind in kinds[channel] for language in LANGUAGES]
