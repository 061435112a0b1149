"""How is a figure said? Building blocks of the reasons, in English and in spoken Hindi.

A phrase is the pair (English, Hindi). Figures stay plain digits and money is marked with ¤ here: grouping and the
currency's sign depend on the company and are put in at the end, by `features.reasons`.
"""

from __future__ import annotations

from dataclasses import dataclass

from features.signal import Row, Saying


@dataclass(frozen=True)
class Thing:
    """Something that can be counted."""

    one: str
    many: str
    hi_one: str
    hi_many: str


ORDER = Thing("order", "orders", "ऑर्डर", "ऑर्डर")
TICKET = Thing("support ticket", "support tickets", "सपोर्ट टिकट", "सपोर्ट टिकट")
VISIT = Thing("visit", "visits", "विज़िट", "विज़िट")


def whole(value: float) -> str:
    """How is a count written? Whole figures without a fraction, others with one digit."""
    return str(round(value)) if abs(value - round(value)) < 0.05 or abs(value) >= 10 else f"{value:.1f}"


def elapsed(days: float) -> str:
    """How many full days have passed?"""
    return str(int(days))


def counted(count: float, thing: Thing) -> tuple[str, str]:
    """How are so many things named?

    >>> counted(3, ORDER)
    ('3 orders', '3 ऑर्डर')
    """
    number = whole(count)
    if number == "1":
        return f"1 {thing.one}", f"1 {thing.hi_one}"
    return f"{number} {thing.many}", f"{number} {thing.hi_many}"


def in_window(thing: Thing, days: int) -> Saying:
    """Says how often something happened in the last days."""

    def say(value: float, row: Row) -> tuple[str, str]:
        if round(value) == 0:
            return f"No {thing.many} in {days} days", f"{days} दिन में कोई {thing.hi_one} नहीं"
        en, hi = counted(value, thing)
        return f"{en} in {days} days", f"{days} दिन में {hi}"

    return say


def ever(thing: Thing) -> Saying:
    """Says how often something happened so far."""

    def say(value: float, row: Row) -> tuple[str, str]:
        if round(value) == 0:
            return f"No {thing.many} so far", f"अब तक कोई {thing.hi_one} नहीं"
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
            return f"{thing.one.capitalize()} in the last 24 hours", f"पिछले 24 घंटों में {thing.hi_one}"
        unit = "day" if days == "1" else "days"
        if value >= 2 and normal and round(normal) >= 1:
            every = "day" if round(normal) == 1 else f"{round(normal)} days"
            hi_every = "रोज़" if round(normal) == 1 else f"हर {round(normal)} दिन में"
            return (
                f"No {thing.one} for {days} {unit}; usually every {every.removesuffix(' days')}",
                f"{days} दिन से कोई {thing.hi_one} नहीं; आम तौर पर {hi_every}",
            )
        return f"Last {thing.one} {days} {unit} ago", f"पिछला {thing.hi_one} {days} दिन पहले"

    return say


def compared(thing: Thing, days: int, now: float, before: float) -> tuple[str, str]:
    """How is this period's count held against the one before it?"""
    return (
        f"{counted(now, thing)[0]} in {days} days, {whole(before)} in the {days} before",
        f"{days} दिन में {counted(now, thing)[1]}, उससे पहले {whole(before)}",
    )


def plain(en: str, hi: str) -> Saying:
    """Says a fact with `{n}` (the value, whole or one digit), `{d}` (full days) or `{p}` (per cent) put in."""

    def say(value: float, row: Row) -> tuple[str, str]:
        figures = {"n": whole(value), "d": elapsed(value), "p": str(round(value * 100))}
        return en.format(**figures), hi.format(**figures)

    return say
