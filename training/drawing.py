"""How do the plots of a report look? SVG positioned in percent, so that words keep their size at any width.

Lines lie in an inner picture that is stretched, dots and words in the outer one. Colours are tokens of the stylesheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from training.svg import element

INNER = 1000  # the inner picture is so many units wide and high


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a plot. `style`: winner, floor or other."""

    name: str
    points: Sequence[tuple[float, float]]
    style: str = "other"
    dots: bool = False
    intervals: Sequence[tuple[float, float, float]] = ()  # x, low, high


@dataclass(frozen=True, kw_only=True)
class Axis:
    """What one side of a plot shows, from where to where, and which values are written at it."""

    label: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]

    def share(self, value: float) -> float:
        """Where between the ends a value lies, 0 to 1; what lies outside is drawn at the edge."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


STROKES = {
    "winner": {"stroke": "var(--ink)", "stroke_width": 2.5},
    "floor": {"stroke": "var(--ink2)", "stroke_width": 1.5, "stroke_dasharray": "2 4"},
    "other": {"stroke": "var(--edge)", "stroke_width": 1.25},
}
# Further lines are told apart by their dashes.
DASHES = (None, "8 3", "10 3 2 3", "5 5", "14 4", "3 2")


def plot(
    lines: Sequence[Line], x: Axis, y: Axis, label: str, *, reference: Sequence[tuple[float, float]] = ()
) -> Markup:
    """Lines over an area with its axes, and the words for those who do not see it.

    `reference` is a thin line to read the others by: the diagonal of a ROC curve, the base rate of a lift curve.
    """
    drawn = [_level(y.share(value), said) for value, said in y.ticks]
    drawn += [
        element("text", said, x=_percent(x.share(value)), y="100%", dy=20, text_anchor=_anchor(x.share(value)))
        for value, said in x.ticks
    ]
    inner = [_path(reference, x, y, {"stroke": "var(--edge)", "stroke_width": 1})] if reference else []
    inner += [_path(line.points, x, y, stroke_of(line, place)) for place, line in _ordered(lines)]
    drawn.append(
        element("svg", *inner, width="100%", height="100%", viewBox=f"0 0 {INNER} {INNER}", preserveAspectRatio="none")
    )
    for _, line in _ordered(lines):
        drawn += _dots(line, x, y)
    area = element("svg", *drawn, class_="area", role="img", aria_label=label)
    return Markup('<div class="plot"><span class="yname">{}</span>{}<span class="xname">{}</span></div>').format(
        y.label, area, x.label
    )


def stroke_of(line: Line, place: int) -> dict[str, object]:
    """How a line is drawn; further ones are told apart by their dashes."""
    stroke: dict[str, object] = dict(STROKES[line.style])
    if line.style == "other":
        stroke["stroke_dasharray"] = DASHES[place % len(DASHES)]
    return stroke


def legend(lines: Sequence[Line]) -> Markup:
    """The names of the lines, each beside a piece of it."""
    pieces = Markup("").join(
        Markup("<span>{}{}</span>").format(
            element(
                "svg",
                element("line", x1=0, x2=28, y1=6, y2=6, **stroke_of(line, place)),
                width=28,
                height=12,
                aria_hidden="true",
            ),
            line.name,
        )
        for place, line in enumerate(lines)
    )
    return Markup('<p class="legend">{}</p>').format(pieces)


def bar(share: float, *, lowers: bool = False) -> Markup:
    """A bar as long as its share of the widest; hollow for what lowers."""
    width = f"{100 * max(0.004, min(1.0, share)):.2f}%"
    look = {"fill": "none", "stroke": "var(--ink2)"} if lowers else {"fill": "var(--ink2)"}
    return element("svg", element("rect", width=width, height=8, **look), width="100%", height=8, aria_hidden="true")


def whisker(low: float, value: float, high: float, axis: Axis, *, hollow: bool = False) -> Markup:
    """A value and its interval on an axis that a whole table shares; hollow where there is too little to say."""
    y, look = 8, {"stroke": "var(--ink2)", "stroke_width": 2}
    ends = [_percent(axis.share(one)) for one in (low, value, high)]
    zero = _percent(axis.share(0.0))
    drawn = [
        element("line", x1=zero, x2=zero, y1=0, y2=16, stroke="var(--edge)"),
        element("line", x1=ends[0], x2=ends[2], y1=y, y2=y, stroke_dasharray="4 3" if hollow else None, **look),
        element("circle", cx=ends[1], cy=y, r=4, fill="var(--paper)" if hollow else "var(--ink2)", **look),
    ]
    return element("svg", *drawn, width="100%", height=16, aria_hidden="true")


def _ordered(lines: Sequence[Line]) -> list[tuple[int, Line]]:
    """The winner is drawn last, above the others."""
    return sorted(enumerate(lines), key=lambda one: ("other", "floor", "winner").index(one[1].style))


def _path(points: Sequence[tuple[float, float]], x: Axis, y: Axis, look: dict[str, object]) -> Markup:
    steps = "L".join(f"{INNER * x.share(a):.1f} {INNER * (1 - y.share(b)):.1f}" for a, b in points)
    return (
        element("path", d=f"M{steps}", fill="none", vector_effect="non-scaling-stroke", **look) if steps else Markup()
    )


def _dots(line: Line, x: Axis, y: Axis) -> list[Markup]:
    colour = "var(--ink)" if line.style == "winner" else "var(--edge)"
    drawn = []
    for at, low, high in line.intervals:
        place = _percent(x.share(at))
        heights = {"y1": _percent(1 - y.share(high)), "y2": _percent(1 - y.share(low))}
        drawn.append(element("line", x1=place, x2=place, stroke=colour, stroke_width=1.5, **heights))
    if line.dots:
        drawn += [
            element("circle", cx=_percent(x.share(a)), cy=_percent(1 - y.share(b)), r=3.5, fill=colour)
            for a, b in line.points
        ]
    return drawn


def _level(share: float, said: str) -> Markup:
    at = _percent(1 - share)
    line = element("line", x1=0, x2="100%", y1=at, y2=at, stroke="var(--line)")
    return line + element("text", said, x=0, y=at, dx=-8, dy=4, text_anchor="end")


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"


def _anchor(share: float) -> str:
    return "start" if share < 0.02 else "end" if share > 0.98 else "middle"
