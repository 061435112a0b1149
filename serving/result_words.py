"""How is a result said, in words of 100, in English and in Hindi?"""

from __future__ import annotations

from collections.abc import Mapping

from serving.effects import Effect, Group, Verdict
from serving.plays import Outcome

_NUMBERS = {
    "en": ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"],
    "hi": ["कोई नहीं", "एक", "दो", "तीन", "चार", "पाँच", "छह", "सात", "आठ", "नौ", "दस"],
}
_MORE, _FEWER = {"en": "more", "hi": "ज़्यादा"}, {"en": "fewer", "hi": "कम"}


def sentence(
    outcome: Outcome,
    verdict: Verdict,
    answer: Effect | None,
    treated: Group,
    weeks: int | None,
    *,
    mismatch: bool = False,
) -> dict[str, str]:
    """One result as a sentence, with its interval or with what is missing."""
    if mismatch:
        return {
            "en": "The groups did not come out in the sizes that were drawn; nothing can be said until we know why.",
            "hi": "दोनों समूह उतने बड़े नहीं निकले जितने चुने गए थे; वजह जाने बिना कुछ नहीं कह सकते।",
        }
    if answer is None:
        share = round(100 * treated.share)
        return {
            "en": f"{share}% of {treated.people}. No comparison group, so we cannot say the message caused it.",
            "hi": f"{treated.people} में से {share}%। तुलना वाला समूह नहीं, इसलिए वजह मैसेज था, यह नहीं कह सकते।",
        }
    if verdict == "not enough data yet":
        return _not_enough(answer, weeks)
    # The words speak of the event ("asked about the bill"); for plays where its absence is good the sign turns.
    sign = -1 if outcome.kind == "no_event" else 1
    low, high = sorted((sign * answer.low, sign * answer.high))
    if verdict == "no clear difference":
        return _no_difference(low, high, outcome)
    change = sign * answer.diff
    way = _MORE if change > 0 else _FEWER
    number = abs(_per_100(change)) or f"{abs(100 * change):.1f}"
    near, far = (_per_100(side) for side in sorted((abs(low), abs(high))))
    return {
        "en": f"Of every 100 people we wrote to, about {number} {way['en']} {outcome.words.en} "
        f"({near or 'under 1'} to {far or 1}).",
        "hi": f"जिन 100 लोगों को मैसेज गया, उनमें लगभग {number} {way['hi']} {outcome.words.hi} "
        f"({f'{near} से {far}' if near else f'1 से भी कम से लेकर {far or 1} तक'})।",
    }


def _no_difference(low: float, high: float, outcome: Outcome) -> dict[str, str]:
    """The interval in words; each side is named once, and a nought takes the side of the other end."""
    fewest, most = _per_100(low), _per_100(high)
    if fewest == most == 0:
        between = {"en": f"as many {outcome.words.en} as without it, give or take under 1", "hi": "लगभग उतने ही"}
    elif fewest >= 0 or most <= 0:
        near, far = sorted((abs(fewest), abs(most)))
        way = _MORE if most > 0 else _FEWER
        between = {
            "en": f"between {near} and {far} {way['en']} {outcome.words.en}",
            "hi": f"{near} से {far} {way['hi']}",
        }
    else:
        between = {
            "en": f"between {-fewest} {_FEWER['en']} and {most} {_MORE['en']} {outcome.words.en}",
            "hi": f"{-fewest} {_FEWER['hi']} से {most} {_MORE['hi']}",
        }
    # The chart counts good outcomes; where the words count the bad ones, say which side is the good one.
    good = (
        {"en": "; fewer is better", "hi": " (कम होना अच्छा है)"} if outcome.kind == "no_event" else {"en": "", "hi": ""}
    )
    return {
        "en": f"No clear difference: of every 100 people we wrote to, {between['en']}{good['en']}.",
        "hi": f"कोई साफ़ फ़र्क़ नहीं: जिन 100 लोगों को मैसेज गया, उनमें {between['hi']} {outcome.words.hi}{good['hi']}।",
    }


def _not_enough(answer: Effect, weeks: int | None) -> dict[str, str]:
    more = answer.more_people
    en = f"Not enough data yet. About {more} more people"
    hi = f"अभी डेटा कम है। लगभग {more} लोग और"
    if weeks is not None:
        en += f", or {weeks} {'week' if weeks == 1 else 'weeks'}"
        hi += f", यानी {weeks} हफ़्ते"
    return {"en": en + ".", "hi": hi + "।"}


def _per_100(share: float) -> int:
    return round(100 * share)


def summary_sentence(
    verdicts: Mapping[str, int], *, stayed: int | None, stayed_low: int | None, stayed_high: int | None
) -> dict[str, str]:
    """All results in one sentence; the screens put the period before it."""
    parts: dict[str, list[str]] = {"en": [], "hi": []}
    for verdict, one, many, hindi in (
        ("helped", "helped", "helped", "से फ़ायदा हुआ"),
        ("made it worse", "made it worse", "made it worse", "से नुक़सान हुआ"),
        ("no clear difference", "made no clear difference", "made no clear difference", "से कोई साफ़ फ़र्क़ नहीं"),
        ("not enough data yet", "needs more people", "need more people", "के लिए अभी डेटा कम है"),
    ):
        number = verdicts.get(verdict, 0)
        if number:
            noun = "" if parts["en"] else (" message" if number == 1 else " messages")
            parts["en"].append(f"{_number(number, 'en')}{noun} {one if number == 1 else many}")
            parts["hi"].append(f"{_number(number, 'hi')} मैसेज {hindi}")
    if not parts["en"]:
        return {"en": "Nothing has been measured yet.", "hi": "अभी कुछ नापा नहीं गया।"}
    en, hi = ", ".join(parts["en"]) + ".", ", ".join(parts["hi"]) + "।"
    en = en[0].upper() + en[1:]
    if stayed is not None:
        en += f" About {stayed} customers stayed who would have left (between {stayed_low} and {stayed_high})."
        hi += f" लगभग {stayed} ग्राहक रुके जो चले जाते ({stayed_low} से {stayed_high})।"
    return {"en": en, "hi": hi}


def _number(number: int, language: str) -> str:
    words = _NUMBERS[language]
    return words[number] if number < len(words) else str(number)
