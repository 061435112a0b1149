"""What did our messages achieve, with interval and number of people, or what is still missing for an answer?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response
from markupsafe import Markup

from serving.results import MonthResult, PlayResult, results, summarize
from serving.web import charts
from serving.web.access import Signed
from serving.web.language import Language
from serving.web.site import Site, render, site_of

router = APIRouter()
KEPT = timedelta(minutes=5)  # counting goes over all events; answers change once a day
# The verdicts of serving.effects and how a chart draws them.
KINDS = {
    "helped": "helped",
    "made it worse": "hurt",
    "no clear difference": "unclear",
    "not enough data yet": "not_enough",
}
FIRST_CLAUSE = re.compile(r"^([^:.।]+[:.।])\s*(.*)$", re.S)
QUARTER = re.compile(r"^(\d{4})-q([1-4])$")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One result as a screen shows it."""

    play: str
    title: str
    judged_by: str
    kind: str
    verdict: str  # the first words, in bold
    sentence: str
    chart: Markup | None
    result: PlayResult


@router.get("/results")
def results_page(request: Request, reviewer: Signed) -> Response:
    """All messages on one axis; those without a comparison group apart from them."""
    site, language = site_of(request), site_of(request).language(request)
    now = site.now()
    wanted = request.query_params.get("period", "")
    everything = _kept(site, now)
    quarters = _quarters(everything, language)
    period = _period(wanted, language) if wanted in dict(quarters) else None
    found = _kept(site, now, period) if period else everything
    measured = [one for one in found if one.verdict != "tracked"]
    axis = charts.shared_axis([effect for one in measured if (effect := _effect(one, language)) is not None])
    order = {verdict: place for place, verdict in enumerate(KINDS)}
    measured.sort(key=lambda one: (order[one.verdict], -one.n_treated))
    rows = [_shown(one, axis, site, language) for one in measured]
    summary = summarize(found, site.playbook)
    by_month = max(
        (one for one in everything if len(one.months) > 1 and one.diff is not None),
        key=lambda one: one.n_treated,
        default=None,
    )
    return render(
        request,
        "results.html",
        language=language,
        now=now,
        rows=rows,
        axis_head=charts.axis_head(axis, _axis_words(axis, language)),
        tracked=[(one, judged_by(one, site, language)) for one in found if one.verdict == "tracked"],
        summary=summary,
        summary_sentence=summary.sentence[language.code],
        quarters=quarters,
        period=wanted if period else "",
        months=by_month,
        month_chart=month_chart(by_month, language, now) if by_month else None,
    )


def _kept(site: Site, now: datetime, period: tuple[datetime, datetime] | None = None) -> list[PlayResult]:
    """The results, counted at most every few minutes."""
    held: tuple[datetime, list[PlayResult]] | None = site.memory.get(("results", period))
    if held is not None and timedelta(0) <= now - held[0] < KEPT:
        return held[1]
    found = results(site.home.engine, site.home.log, site.playbook, site.home.settings, now, period)
    site.memory["results", period] = (now, found)
    return found


def best_result(site: Site, language: Language, now: datetime) -> Shown | None:
    """The result Today shows: what helped (or harmed) most people, else the one nearest to an answer."""
    measured = [one for one in _kept(site, now) if one.verdict != "tracked" and one.diff is not None]
    if not measured:
        return None
    order = list(KINDS)
    best = min(measured, key=lambda one: (order.index(one.verdict), -one.n_treated))
    shown = _shown(best, charts.shared_axis([]), site, language)
    effect = _effect(best, language)
    if effect is None:
        return shown
    label = f"{shown.title}: {shown.sentence}"
    chart = charts.single_effect(effect, str(language("results.no_difference")), label)
    return Shown(**{**shown.__dict__, "chart": chart})


def _effect(one: PlayResult, language: Language) -> charts.Effect | None:
    if one.diff is None or one.low is None or one.high is None or one.mismatch:
        return None
    figures = (100 * one.low, 100 * one.diff, 100 * one.high)
    low, estimate, high = (language.signed(figure) for figure in figures)
    return charts.Effect(
        low=figures[0], estimate=figures[1], high=figures[2], verdict=KINDS[one.verdict], said=(low, estimate, high)
    )


def _shown(one: PlayResult, axis: charts.Axis, site: Site, language: Language) -> Shown:
    kind = KINDS[one.verdict]
    sentence = one.sentence[language.code]
    verdict = str(language(f"results.verdict_{kind}"))
    if kind in ("unclear", "not_enough") and not one.mismatch and (found := FIRST_CLAUSE.match(sentence)):
        verdict, sentence = found[1], found[2][:1].upper() + found[2][1:]
    label = f"{one.title[language.code]}: {one.sentence[language.code]}"
    return Shown(
        play=one.play,
        title=one.title[language.code],
        judged_by=str(judged_by(one, site, language)),
        kind=kind,
        verdict="" if one.mismatch else verdict,
        sentence=sentence,
        chart=charts.effect_row(_effect(one, language), axis, label),
        result=one,
    )


def judged_by(one: PlayResult, site: Site, language: Language) -> Markup:
    """What is counted as good, and for how long unless the words say so already."""
    what = one.judged_by[language.code]
    absent = site.playbook.play(one.play).outcome.kind == "no_event"
    key = "results.counted_not" if absent else "results.counted"
    return language(key if str(one.window_days) in what else f"{key}_days", what=what, n=one.window_days)


def _axis_words(axis: charts.Axis, language: Language) -> dict[int, str]:
    words = {0: str(language("results.no_difference"))}
    for tick in axis.ticks:
        if tick:
            words[tick] = str(language("results.more" if tick > 0 else "results.fewer", n=abs(tick)))
    return words


def _quarters(found: Sequence[PlayResult], language: Language) -> list[tuple[str, str]]:
    """The quarters in which messages went out, newest first, with their names."""
    months = sorted({month.month for one in found for month in one.months}, reverse=True)
    names: dict[str, str] = {}
    for month in months:
        year, number = (int(part) for part in month.split("-"))
        key = f"{year}-q{(number - 1) // 3 + 1}"
        if key not in names and (period := _period(key, language)):
            last = period[1] - timedelta(days=1)
            names[key] = f"{language.month(period[0])} – {language.month(last)} {year}"
    return list(names.items())


def _period(wanted: str, language: Language) -> tuple[datetime, datetime] | None:
    found = QUARTER.match(wanted)
    if found is None:
        return None
    year, first = int(found[1]), 3 * int(found[2]) - 2
    start = datetime(year, first, 1, tzinfo=language.zone)
    end = datetime(year + first // 10, (first + 2) % 12 + 1, 1, tzinfo=language.zone)
    return start, end


def month_chart(one: PlayResult, language: Language, now: datetime) -> Markup:
    """The same play month by month: dot and interval where known, a dashed ring and the day where not yet."""
    months = [month for month in one.months if month.effect is not None or month.known_on is not None][-9:]
    known = [month for month in months if month.effect is not None]
    high = max([20.0, *(100 * m.effect.high for m in known if m.effect)]) + 4
    low = min([-10.0, *(100 * m.effect.low for m in known if m.effect)]) - 4
    top, floor = 24, 170

    def y(value: float) -> float:
        return top + (high - value) / (high - low) * (floor - top)

    left, width = 0.14, 0.84 / max(1, len(months))
    drawn: list[Any] = []
    step = next((step for step in (10, 20, 50) if y(0) - y(step) >= 18), 100)
    for value, words in ((step, language("results.more", n=step)), (0, language("results.none_line"))):
        stroke = "var(--edge)" if value == 0 else "var(--line)"
        drawn.append(charts.element("line", x1="13%", x2="100%", y1=y(value), y2=y(value), stroke=stroke))
        drawn.append(charts.element("text", str(words), x=0, y=y(value) + 4, class_="caption"))
    boundary = next((place for place, month in enumerate(months) if month.effect is None), None)
    for place, month in enumerate(months):
        x = f"{100 * (left + width * (place + 0.5)):.2f}%"
        drawn.extend(_month(month, x, y, language, now, floor))
    if boundary is not None:
        at = f"{100 * (left + width * boundary):.2f}%"
        drawn.append(charts.element("line", x1=at, x2=at, y1=8, y2=floor + 6, stroke="var(--ink)", stroke_width=2))
        drawn.append(charts.element("text", str(language("results.known")), x=at, dx=6, y=16, class_="strong"))
    label = str(language("results.by_month", play=one.title[language.code]))
    return charts.element("svg", *drawn, width="100%", height=200, role="img", aria_label=label)


def _month(month: MonthResult, x: str, y: Any, language: Language, now: datetime, floor: int) -> list[Markup]:
    year, number = (int(part) for part in month.month.split("-"))
    name = language.month(datetime(year, number, 15, tzinfo=language.zone))
    drawn = [charts.element("text", name, x=x, y=floor + 24, text_anchor="middle")]
    if month.effect is not None:
        e = month.effect
        ink = {"stroke": "var(--ink2)", "stroke_width": 2}
        drawn.append(charts.element("line", x1=x, x2=x, y1=y(100 * e.low), y2=y(100 * e.high), **ink))
        drawn.append(charts.element("circle", cx=x, cy=y(100 * e.diff), r=5, fill="var(--ink2)"))
    elif month.known_on is not None:
        ring = {"stroke": "var(--neel)", "stroke_width": 1.5, "stroke_dasharray": "3 2", "fill": "none"}
        drawn.append(charts.element("circle", cx=x, cy=40, r=5, **ring))
        day = language.short_day(month.known_on)
        drawn.append(charts.element("text", day, x=x, y=60, text_anchor="middle", class_="blue"))
    return drawn
