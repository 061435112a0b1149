"""What do the charts look like? SVG from the server, positions in percent so that words never shrink with the width.

Solid is fact, hollow is not yet. Colours are tokens of the stylesheet, never values: the same SVG serves both themes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from markupsafe import Markup

from training.svg import element

__all__ = ["element"]

AXIS_STEP = 10  # per 100 people, between two lines of the results axis


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"


def risk_bar(probability: float, band: str, medium: float, high: float) -> Markup:
    """The track below a risk: filled to the value, an ink needle at its end, ticks at the thresholds."""
    width = 104.0
    x = max(2.0, min(width, probability * width))
    return element(
        "svg",
        element("rect", width=width, height=8, fill="var(--well)"),
        element("rect", width=x, height=8, fill=f"var(--{band})"),
        element("path", d=f"M{medium * width:.1f} 8v3M{high * width:.1f} 8v3", stroke="var(--ink3)", fill="none"),
        element("rect", x=x - 2, width=2, height=8, fill="var(--ink)"),
        class_="riskbar",
        viewBox=f"0 0 {width:.0f} 11",
        aria_hidden="true",
    )


def reason_mark(share: float, raises: bool, rank: int) -> Markup:
    """The mark before a reason: wider for a stronger push, hollow if it lowers the risk."""
    width = (9, 6, 4)[min(rank, 2)] if share <= 0 else 9 if share >= 0.34 else 6 if share >= 0.18 else 4
    style = {"fill": "var(--ink2)"} if raises else {"fill": "none", "stroke": "var(--ink2)"}
    inset = 0.0 if raises else 0.5
    rect = element("rect", x=inset, y=inset, width=width - 2 * inset, height=9 - 2 * inset, **style)
    return element("svg", rect, viewBox="0 0 9 9", aria_hidden="true")


def bar(share: float, *, solid: bool = True, colour: str = "ink2", height: int = 8) -> Markup:
    """A bar as long as its share of the widest; hollow for what is not yet or lowers the risk."""
    width = _percent(max(0.004, min(1.0, share)))
    rect = (
        element("rect", width=width, height=height, fill=f"var(--{colour})")
        if solid
        else element(
            "rect", x=0.5, y=0.5, width=width, height=height - 1, fill="var(--sheet)", stroke=f"var(--{colour})"
        )
    )
    return element("svg", rect, width="100%", height=height, aria_hidden="true")


# ── the day, hour by hour ─────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, kw_only=True)
class Hour:
    """One hour of the day: how many went out, how many are approved, how many wait."""

    hour: int
    sent: int = 0
    approved: int = 0
    waiting: int = 0


@dataclass(frozen=True, kw_only=True)
class DayWords:
    """The words in and around the chart of a day."""

    label: str  # the chart in one sentence, for those who do not see it
    now: str
    decide_by: str
    quiet_until: str
    quiet_from: str


def day_chart(
    hours: Sequence[Hour],
    words: DayWords,
    *,
    now: float,
    decide_by: float | None,
    quiet_from: float,
    quiet_until: float,
) -> Markup:
    """The hours of a day as bars: filled for what went out, hollow for what is approved, dashed for what waits.

    `now`, `decide_by` and the quiet hours are hours with a fraction: 18.5 is half past six.
    """
    first, last = hours[0].hour, hours[-1].hour + 1
    span = last - first

    def x(hour: float) -> str:
        return _percent(min(1.0, max(0.0, (hour - first) / span)))

    floor, top = 128, 40
    most = max(1, *(hour.sent + hour.approved + hour.waiting for hour in hours))
    drawn: list[Markup] = [_hatch()]
    for start, end, said in ((first, quiet_until, words.quiet_until), (quiet_from, last, words.quiet_from)):
        if end > start:
            width = _percent((end - start) / span)
            drawn.append(element("rect", x=x(start), y=26, width=width, height=floor - 26, fill="url(#quiet)"))
            beside_now = _clear_of(now, start, end)
            if beside_now is not None:
                drawn.append(element("text", said, x=x(beside_now), dx=10, y=44, class_="caption minor"))
    for hour in hours:
        drawn.extend(_hour(hour, x(hour.hour), 1 / span, (floor - top) / most, floor))
        minor = "caption minor" if hour.hour % 3 else "caption"
        drawn.append(element("text", f"{hour.hour:02d}:00", x=x(hour.hour), y=floor + 20, class_=minor))
    drawn.append(element("line", x1=0, x2="100%", y1=floor, y2=floor, stroke="var(--edge)"))
    if decide_by is not None and not first <= decide_by <= last:
        decide_by = None
    now_before, decide_before = _sides(now, decide_by, first, last)
    if decide_by is not None:
        line = _upright(x(decide_by), words.decide_by, "var(--neel)", "strong blue", floor, before=decide_before)
        drawn.extend(line)
    drawn.extend(_upright(x(now), words.now, "var(--ink)", "strong", floor, before=now_before, dot=True))
    return element("svg", *drawn, width="100%", height=152, role="img", aria_label=words.label)


def _sides(now: float, decide_by: float | None, first: float, last: float) -> tuple[bool, bool]:
    """Do the words of now, and those of the deadline, stand before their lines? Where they cover each other least."""
    span = last - first
    usual = now - first > span * 0.7, decide_by is not None and decide_by - first > span / 2
    if decide_by is None:
        return usual

    def covered(sides: tuple[bool, bool]) -> float:
        """Hours, on a phone, in which words lie over words or beyond an end."""
        spans = [
            (at - room, at) if before else (at, at + room)
            for at, room, before in zip((now, decide_by), (3.1, 4.8), sides, strict=True)
        ]
        both = min(end for _, end in spans) - max(start for start, _ in spans)
        return max(0.0, both) + sum(max(0.0, first - start) + max(0.0, end - last) for start, end in spans)

    return min((usual, *product((False, True), (False, True))), key=covered)


def _clear_of(now: float, start: float, end: float) -> float | None:
    """Where in the quiet hours their words stand clear of the line of now; None where neither side has room."""
    room = 1.5  # hours, as wide as the words
    if not start - 0.1 < now < start + room:
        return start
    return now if end - now >= room else None


def _hatch() -> Markup:
    line = element("path", d="M0 8L8 0M-1 1L1 -1M7 9L9 7", stroke="var(--line)")
    return element("defs", element("pattern", line, id="quiet", width=8, height=8, patternUnits="userSpaceOnUse"))


def _hour(hour: Hour, x: str, share: float, unit: float, floor: int) -> list[Markup]:
    """The stacked bar of one hour and its number."""
    width = _percent(share * 0.86)
    drawn: list[Markup] = []
    y = float(floor)
    parts = (
        (hour.sent, {"fill": "var(--ink2)"}),
        (hour.approved, {"fill": "var(--sheet)", "stroke": "var(--neel)", "stroke_width": 1.5}),
        (
            hour.waiting,
            {"fill": "var(--sheet)", "stroke": "var(--neel)", "stroke_width": 1.5, "stroke_dasharray": "4 3"},
        ),
    )
    for number, style in parts:
        if number:
            height = max(4.0, number * unit)
            y -= height
            drawn.append(element("rect", x=x, y=y, width=width, height=height, transform="translate(3 0)", **style))
    total = hour.sent + hour.approved + hour.waiting
    if total:
        kind = "strong" if hour.sent == total else "blue"
        figure = element("text", str(total), x=_percent(share * 0.43), y=y - 6, text_anchor="middle", class_=kind)
        drawn.append(element("svg", figure, x=x, overflow="visible"))
    return drawn


def _upright(x: str, said: str, colour: str, kind: str, floor: int, *, before: bool, dot: bool = False) -> list[Markup]:
    drawn = [element("line", x1=x, x2=x, y1=8, y2=floor, stroke=colour, stroke_width=2)]
    if dot:
        drawn.append(element("circle", cx=x, cy=8, r=4, fill=colour))
    drawn.append(
        element("text", said, x=x, dx=-8 if before else 8, y=13, class_=kind, text_anchor="end" if before else "start")
    )
    return drawn


# ── effects ───────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, kw_only=True)
class Effect:
    """Good outcomes more or fewer per 100 people, with where the true figure lies at 95 % confidence."""

    estimate: float
    low: float
    high: float
    verdict: str  # helped, hurt, unclear, not_enough
    said: tuple[str, str, str]  # low, estimate, high as written


@dataclass(frozen=True, kw_only=True)
class Axis:
    """The shared axis of several effects, in good outcomes per 100 people."""

    low: float
    high: float

    def x(self, value: float) -> str:
        return _percent((min(self.high, max(self.low, value)) - self.low) / (self.high - self.low))

    @property
    def ticks(self) -> list[int]:
        step = AXIS_STEP * max(1, round((self.high - self.low) / (5 * AXIS_STEP)))
        first = int(self.low // step + 1) * step
        return [tick for tick in range(first, int(self.high) + 1, step) if tick < self.high]


def shared_axis(effects: Sequence[Effect]) -> Axis:
    """An axis that holds every interval, with room for the figures at its ends and always the line of no difference."""
    low = min([-AXIS_STEP, *(effect.low for effect in effects)])
    high = max([2 * AXIS_STEP, *(effect.high for effect in effects)])
    room = (high - low) * 0.08
    return Axis(low=max(-104.0, low - room), high=min(104.0, high + room))


_COLOURS = {"helped": "var(--ok)", "hurt": "var(--bad)"}


def effect_row(effect: Effect | None, axis: Axis, label: str) -> Markup:
    """Dot and whisker on the shared axis; hollow and dashed while there is not enough data."""
    drawn = [
        element("line", x1=axis.x(t), x2=axis.x(t), y1=0, y2="100%", stroke="var(--edge)" if t == 0 else "var(--line)")
        for t in sorted({0, *axis.ticks})
    ]
    if effect is not None:
        colour = _COLOURS.get(effect.verdict, "var(--ink2)")
        drawn.extend(_whisker(effect, axis, colour, 40))
    return element("svg", *drawn, width="100%", height=68, role="img", aria_label=label)


def _whisker(effect: Effect, axis: Axis, colour: str, y: int) -> list[Markup]:
    unsure = effect.verdict == "not_enough"
    low, dot, high = axis.x(effect.low), axis.x(effect.estimate), axis.x(effect.high)
    dashes = "4 3" if unsure else None
    drawn = [element("line", x1=low, x2=high, y1=y, y2=y, stroke=colour, stroke_width=2, stroke_dasharray=dashes)]
    drawn += [element("line", x1=end, x2=end, y1=y - 6, y2=y + 6, stroke=colour, stroke_width=2) for end in (low, high)]
    drawn.append(
        element("circle", cx=dot, cy=y, r=6, fill="var(--paper)" if unsure else colour, stroke=colour, stroke_width=2)
    )
    narrow = (effect.high - effect.low) < (axis.high - axis.low) * 0.14
    for where, said, kind, anchor in (
        (low, effect.said[0], "", "end" if narrow else "middle"),
        (dot, effect.said[1], "strong", "middle"),
        (high, effect.said[2], "", "start" if narrow else "middle"),
    ):
        drawn.append(element("text", said, x=where, y=y - 14, text_anchor=anchor, class_=kind))
    return drawn


def axis_head(axis: Axis, words: dict[int, str]) -> Markup:
    """The figures above the shared axis; `words` gives what to write at which tick."""
    ticks = [tick for tick in sorted({0, *axis.ticks}) if tick in words]
    drawn = [
        # where there is little room every second figure goes, counted from the line of no difference
        element(
            "text",
            words[tick],
            x=axis.x(tick),
            y=12,
            text_anchor="middle",
            class_="caption minor" if (place - ticks.index(0)) % 2 else "caption",
        )
        for place, tick in enumerate(ticks)
    ]
    return element("svg", *drawn, width="100%", height=16, aria_hidden="true")


def single_effect(effect: Effect, no_difference: str, label: str) -> Markup:
    """One effect by itself, as Today shows it."""
    axis = shared_axis([effect])
    drawn = [
        element("line", x1=0, x2="100%", y1=30, y2=30, stroke="var(--line)"),
        element("line", x1=axis.x(0), x2=axis.x(0), y1=14, y2=46, stroke="var(--edge)"),
        element("text", no_difference, x=axis.x(0), y=60, text_anchor="middle", class_="caption"),
        *_whisker(effect, axis, _COLOURS.get(effect.verdict, "var(--ink2)"), 30),
    ]
    return element("svg", *drawn, width="100%", height=66, role="img", aria_label=label)
