"""How is a figure said? Building blocks of the reasons, in English and in spoken Hindi.

A phrase is the pair (English, Hindi). Figures stay plain digits and money is marked with ¤ here: grouping and the
currency's sign depend on the company and are put in at the end, by `features.reasons`.
"""

from __future__ import annotations

import re

from features.signal import Row, Saying
from features.things import Thing

LESS_THAN_A_DAY = (
    (" 0 days ago", "0 दिन पहले", " in the last 24 hours", "पिछले 24 घंटों में"),
    (" for 0 days", "0 दिन से", " for less than a day", "एक दिन से कम समय से"),
    ("", "जुड़े 0 दिन हुए", "", "जुड़े एक दिन भी नहीं हुआ"),
)
_ONE = re.compile(r"(?<![\d.])1 (day|time|page|minute|item|open|click|hour)s\b")


def whole(value: float) -> str:
    """How is a count written? Whole figures without a fraction, others with one digit."""
    return str(round(value)) if abs(value - round(value)) < 0.05 or abs(value) >= 10 else f"{value:.1f}"


def money(value: float) -> str:
    """How is an amount written? In whole units, the minus before the sign of the currency."""
    return f"{'−' if round(value) < 0 else ''}¤{abs(round(value))}"


def an(word: str) -> str:
    """Which article has this English word?"""
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def elapsed(days: float) -> str:
    """How many full days have passed? A hair's breadth below a day is that day: ratios are multiplied back here."""
    return str(int(days + 1e-6))


def counted(count: float, thing: Thing) -> tuple[str, str]:
    """How are so many things named?

    >>> counted(3, ORDER)
    ('3 orders', '3 ऑर्डर')
    """
    number = whole(count)
    if number == "1":
        return f"1 {thing.one}", f"1 {thing.hi_one}"
    return f"{number} {thing.many}", f"{number} {thing.hi_many}"


def none_of(thing: Thing) -> str:
    """How is "none of it" said in Hindi?"""
    return thing.hi_none or f"कोई {thing.hi_one} नहीं"


def share(value: float) -> str:
    """How is a share written, in per cent? A little is not none, and nearly all is not all."""
    if 0 < value < 0.005:
        return "<1"
    return ">99" if 0.995 < value < 1 else str(round(value * 100))


def days_in_words(days: float) -> str:
    """How are so many days named in English?"""
    return "1 day" if whole(days) == "1" else f"{whole(days)} days"


def in_window(thing: Thing, days: int) -> Saying:
    """Says how often something happened in the last days."""

    def say(value: float, row: Row) -> tuple[str, str]:
        if round(value) == 0:
            return f"No {thing.many} in {days} days", f"{days} दिन में {none_of(thing)}"
        en, hi = counted(value, thing)
        return f"{en} in {days} days", f"{days} दिन में {hi}"

    return say


def ever(thing: Thing) -> Saying:
    """Says how often something happened so far."""

    def say(value: float, row: Row) -> tuple[str, str]:
        if round(value) == 0:
            return f"No {thing.many} so far", f"अब तक {none_of(thing)}"
        en, hi = counted(value, thing)
        return f"{en} so far", f"अब तक {hi}"

    return say


def active_days(days: int) -> Saying:
    """Says on how many of the last days the customer was active."""

    def say(value: float, row: Row) -> tuple[str, str]:
        if round(value) == 0:
            return f"Not active in the last {days} days", f"पिछले {days} दिनों में एक बार भी नहीं आए"
        return f"Active on {whole(value)} of the last {days} days", f"पिछले {days} में से {whole(value)} दिन आए"

    return say


def since(thing: Thing, usual: str = "") -> Saying:
    """Says how long something has not happened, and how often it usually does (from the signal named by `usual`)."""

    def say(value: float, row: Row) -> tuple[str, str]:
        days, normal = elapsed(value), row.get(usual) if usual else None
        if days == "0":
            return f"Last {thing.one} within 24 hours", f"पिछले 24 घंटों में {thing.hi_one}"
        if days != "1" and normal:
            en = "every day" if whole(normal) == "1" else f"every {whole(normal)}"
            hi = "रोज़" if whole(normal) == "1" else f"हर {whole(normal)} दिन में"
            return (
                f"No {thing.one} for {days} days; usually {en}",
                f"{days} दिन से कोई {thing.hi_one} नहीं; आम तौर पर {hi}",
            )
        ago = "1 day" if days == "1" else f"{days} days"
        return f"Last {thing.one} {ago} ago", f"{thing.hi_last} {thing.hi_one} {days} दिन पहले"

    return say


def silent_for(thing: Thing, median: str) -> Saying:
    """Says the silence in days; the value is how many times the median gap (a signal of the row) it is."""

    def say(value: float, row: Row) -> tuple[str, str] | None:
        usual = row.get(median)
        return None if usual is None else since(thing, median)(value * usual, row)

    return say


def overdue(thing: Thing, silence: str, median: str) -> Saying:
    """Says the silence in days; the value only tells whether it is long."""

    def say(value: float, row: Row) -> tuple[str, str] | None:
        gaps = row.get(silence)
        return None if gaps is None else silent_for(thing, median)(gaps, row)

    return say


def beyond_longest(thing: Thing, longest: str) -> Saying:
    """Says the silence beside the longest gap; the value is how many times that gap (a signal of the row) it is."""

    def say(value: float, row: Row) -> tuple[str, str] | None:
        most = row.get(longest)
        return None if most is None else silent_beside_longest(thing, longest)(value * most, row)

    return say


def silent_beside_longest(thing: Thing, longest: str) -> Saying:
    """Says the silence, which is the value, beside the longest gap, which is a signal of the row."""

    def say(value: float, row: Row) -> tuple[str, str] | None:
        most, days = row.get(longest), elapsed(value)
        if most is None:
            return None
        if days in ("0", "1"):
            return since(thing)(value, row)
        return (
            f"No {thing.one} for {days} days; longest gap {whole(most)}",
            f"{days} दिन से कोई {thing.hi_one} नहीं; सबसे लंबा अंतर {whole(most)}",
        )

    return say


def beside(said: Saying, name: str) -> Saying:
    """Says what another signal of the row would say: that sentence has this value in it."""

    def say(value: float, row: Row) -> tuple[str, str] | None:
        other = row.get(name)
        return None if other is None else said(other, row)

    return say


def count_compared(thing: Thing, days: int, now: str) -> Saying:
    """Says this period's count (a signal of the row) beside the one before it; the value is their difference."""

    def say(value: float, row: Row) -> tuple[str, str] | None:
        count = row.get(now)
        if count is None:
            return None
        if round(count) == round(count - value) == 0:
            return in_window(thing, 2 * days)(0.0, row)
        return (
            f"{counted(count, thing)[0]} in {days} days, {whole(count - value)} in {days} before",
            f"{days} दिन में {counted(count, thing)[1]}, उससे पहले {whole(count - value)}",
        )

    return say


def days_compared(days: int, now: str) -> Saying:
    """Says this period's active days (a signal of the row) beside those before it; the value is their difference."""

    def say(value: float, row: Row) -> tuple[str, str] | None:
        count = row.get(now)
        if count is None:
            return None
        if round(count) == round(count - value) == 0:
            return active_days(2 * days)(0.0, row)
        return (
            f"Active {days_in_words(count)} of {days}, {whole(count - value)} of the {days} before",
            f"पिछले {days} में से {whole(count)} दिन आए, उससे पहले {whole(count - value)} दिन",
        )

    return say


def plain(en: str, hi: str, none: tuple[str, str] | None = None) -> Saying:
    """Says a fact with `{n}` (whole or one digit), `{d}` (full days), `{p}` (per cent) or `{m}` (money) put in.

    `none` is what a value of zero says, if that is not the same sentence with a zero.
    """

    def say(value: float, row: Row) -> tuple[str, str]:
        if none is not None and whole(value) == "0":
            return none
        figures = {"n": whole(value), "d": elapsed(value), "p": share(value), "m": money(value)}
        en_said, hi_said = en.format(**figures), hi.format(**figures)
        if "{d}" in en and figures["d"] == "0":
            for zero_en, zero_hi, said_en, said_hi in LESS_THAN_A_DAY:
                en_said, hi_said = en_said.replace(zero_en, said_en), hi_said.replace(zero_hi, said_hi)
        return _ONE.sub(r"1 \1", en_said).replace("every 1 day", "every day"), hi_said.replace("हर 1 दिन में", "रोज़")

    return say


def net_spent(when_en: str, when_hi: str) -> Saying:
    """Says how much was spent less what was refunded; more refunded than spent is said so."""

    def say(value: float, row: Row) -> tuple[str, str]:
        if round(value) < 0:
            return (
                f"{money(-value)} more refunded than spent {when_en}",
                f"{when_hi} ख़र्च से {money(-value)} ज़्यादा रिफ़ंड",
            )
        return f"Spent {money(value)} {when_en}", f"{when_hi} {money(value)} ख़र्च किए"

    return say


def bill_change() -> Saying:
    """Says by how much the last bill differs from the one before it; "this month" only if it is that fresh."""

    def say(value: float, row: Row) -> tuple[str, str]:
        share, age = row.get("bill_increase_share"), row.get("days_since_last_bill")
        if round(value) == 0:
            return "Last bill same as before", "पिछला बिल पहले जितना"
        fresh = age is not None and age <= 31
        by = money(abs(value)) + (f" ({abs(round(share * 100))}%)" if share is not None else "")
        moved, hi_moved = ("up", "बढ़ा") if value > 0 else ("down", "घटा")
        if fresh:
            return f"Bill {moved} {by} this month", f"इस महीने बिल {by} {hi_moved}"
        return f"Last bill {moved} {by}", f"पिछला बिल {by} {hi_moved}"

    return say


def price_change() -> Saying:
    """Says by how much the plan's price differs from the first plan's."""

    def say(value: float, row: Row) -> tuple[str, str]:
        if round(value) == 0:
            return "Plan price as at the start", "प्लान का दाम शुरू जितना"
        return (
            f"Plan {money(abs(value))} {'dearer' if value > 0 else 'cheaper'} than at the start",
            f"प्लान शुरू से {money(abs(value))} {'महंगा' if value > 0 else 'सस्ता'}",
        )

    return say


def tickets_open() -> Saying:
    """Says how many tickets are open."""

    def say(value: float, row: Row) -> tuple[str, str]:
        if round(value) == 0:
            return "No open ticket", "कोई टिकट खुला नहीं"
        if round(value) == 1:
            return "1 open ticket", "1 टिकट खुला है"
        return f"{whole(value)} open tickets", f"{whole(value)} टिकट खुले हैं"

    return say
