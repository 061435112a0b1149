"""How does a screen say this, in English or in Hindi? The words of the screens, numbers, money, days and times.

The words stand in `templates/pages/words.<language>.toml`; they are ours, so they may carry <b>, while every value
put into them is escaped. Digits are Latin in both languages and grouped as the company's country does.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.numbers import format_decimal, get_currency_precision, get_currency_symbol
from markupsafe import Markup, escape

LANGUAGES = ("en", "hi")
LOCALES = {"en": "en_IN", "hi": "hi_IN"}
MONTHS = {"en": "en", "hi": "hi_IN"}  # en_IN shortens to four letters: "Sept"
DEVANAGARI = re.compile(r"[\u0900-\u097F]+(?:[\s\u0900-\u097F,.!?;:–\-]*[\u0900-\u097F]+)*")


@lru_cache
def catalog(language: str) -> dict[str, str]:
    """Every sentence of the screens in one language: "section.key" → words."""
    text = (files("templates") / "pages" / f"words.{language}.toml").read_text(encoding="utf-8")
    return {
        f"{section}.{key}": sentence
        for section, sentences in tomllib.loads(text).items()
        for key, sentence in sentences.items()
    }


@dataclass(frozen=True, kw_only=True)
class Language:
    """One reader's language, the company's zone and its currency."""

    code: str
    zone: ZoneInfo
    currency: str

    @property
    def locale(self) -> str:
        return LOCALES[self.code]

    def __call__(self, key: str, /, **values: object) -> Markup:
        """The sentence of `key`, its values put in and escaped."""
        return Markup(catalog(self.code)[key]).format(**values)  # noqa: S704  our own words; format() escapes values

    def count(self, key: str, number: int, /, **values: object) -> Markup:
        """The sentence of `key` for a number of things: `key`_one or `key`_many, with `{n}` already grouped."""
        form = "one" if number == 1 else "many"
        return self(f"{key}_{form}", n=self.number(number), **values)

    def either(self, key: str, otherwise: str) -> Markup:
        """The sentence of `key` if there is one, else the bare words given (a topic or play of the company's own)."""
        found = catalog(self.code).get(key)
        return Markup(found) if found is not None else escape(otherwise)  # noqa: S704  our own words

    def number(self, value: float, digits: int = 0) -> str:
        """18,42,055"""
        return str(format_decimal(round(value, digits), locale=self.locale))

    def signed(self, value: float) -> str:
        """+8, −1, +0.3: a real minus sign, as wide as the plus; a tenth only where the whole would be nought."""
        rounded = round(value) or round(value, 1)
        return f"+{rounded}" if rounded > 0 else f"\N{MINUS SIGN}{-rounded}" if rounded < 0 else "0"

    def percent(self, share: float) -> str:
        """73%"""
        return f"{round(share * 100)}%"

    def money(self, minor: int, currency: str | None = None) -> str:
        """₹18,400 or ₹121.30: the paise only where there are some."""
        currency = currency or self.currency
        precision = get_currency_precision(currency)
        whole = minor % 10**precision == 0
        pattern = "#,##,##0" if whole else "#,##,##0." + "0" * precision
        if currency != "INR":
            pattern = pattern.replace("##,##", "##")
        figure = format_decimal(minor / 10**precision, format=pattern, locale=self.locale)
        return f"{get_currency_symbol(currency, locale='en_IN')}{figure}"

    def local(self, at: datetime) -> datetime:
        """The same moment on the company's wall clock."""
        return at.astimezone(self.zone)

    def time(self, at: datetime) -> str:
        """18:40"""
        return f"{self.local(at):%H:%M}"

    def day(self, at: datetime, now: datetime | None = None) -> str:
        """Thu 19 Nov; with the year only if it is not this one."""
        return self._date(at, now, "EEE d MMM")

    def long_day(self, at: datetime, now: datetime | None = None) -> str:
        """Thursday 19 November"""
        return self._date(at, now, "EEEE d MMMM")

    def short_day(self, at: datetime) -> str:
        """19 Nov"""
        return self._date(at, None, "d MMM")

    def month(self, at: datetime) -> str:
        """Nov"""
        return str(format_datetime(self.local(at), "LLL", locale=MONTHS[self.code]))

    def when(self, at: datetime, now: datetime) -> str:
        """18:40 if it is today, else "Thu 19 Nov 18:40"."""
        same_day = self.local(at).date() == self.local(now).date()
        return self.time(at) if same_day else f"{self.day(at, now)} {self.time(at)}"

    def part_of_day(self, at: datetime) -> Markup:
        """morning, afternoon or evening"""
        hour = self.local(at).hour
        return self("days.morning" if hour < 12 else "days.afternoon" if hour < 17 else "days.evening")

    def _date(self, at: datetime, now: datetime | None, pattern: str) -> str:
        local = self.local(at)
        if now is not None and local.year != self.local(now).year:
            pattern += " y"
        return str(format_datetime(local, pattern, locale=MONTHS[self.code]))


def in_script(text: object) -> Markup:
    """The text with every Devanagari run marked lang="hi", so that it gets its own line height and voice."""
    plain = str(text if text is not None else "")
    parts: list[Markup] = []
    end = 0
    for found in DEVANAGARI.finditer(plain):
        parts.append(escape(plain[end : found.start()]))
        parts.append(Markup('<span lang="hi">{}</span>').format(found.group()))
        end = found.end()
    parts.append(escape(plain[end:]))
    return Markup("").join(parts)


def with_commands(text: str) -> Markup:
    """Words for whoever runs Pehle, with what stands between backticks shown as a command."""
    parts = text.split("`")
    shown = (
        Markup('<span class="code">{}</span>').format(one) if place % 2 else escape(one)
        for place, one in enumerate(parts)
    )
    return Markup("").join(shown)


def first_name(name: str | None) -> str:
    """The name to use in a heading; the whole name when it is a single word."""
    return (name or "").split(" ")[0]
