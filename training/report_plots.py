"""Which plots does a report show, with which axes and which words for those who do not see them?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from training.anchors import figure, percent
from training.candidates import RECENCY
from training.curves import Group, Points, calibration_groups, gain, lift_curve, roc, round_ticks
from training.drawing import Axis, Line, legend, plot
from training.evaluation import Floats, auroc, lift
from training.walk import Step


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A drawing, its title, the sentence that says how to read it, and the names of its lines."""

    title: str
    read: str
    drawing: Markup
    legend: Markup | None = None


SHARES = Axis(label="", low=0, high=1, ticks=[(share, percent(share)) for share in (0, 0.25, 0.5, 0.75, 1)])
DIAGONAL = ((0.0, 0.0), (1.0, 1.0))


def axis(label: str, low: float, high: float, words: Callable[[float], str], *, most: float = np.inf) -> Axis:
    """An axis with round values that holds everything from low to high, and ends at `most`."""
    ticks = [value for value in round_ticks(low, min(high, most)) if value <= most]
    return Axis(label=label, low=ticks[0], high=ticks[-1], ticks=[(value, words(value)) for value in ticks])


def as_percent(value: float) -> str:
    """10% or 2.5%"""
    return percent(value, 0 if round(100 * value, 6) == round(100 * value) else 1)


def shares(label: str) -> Axis:
    """An axis from 0 to 100 %."""
    return Axis(label=label, low=0, high=1, ticks=SHARES.ticks)


def ranking_plots(y: Floats, scores: Mapping[str, Floats], winner: str) -> list[Plot]:
    """ROC, gain and lift of the winner, with recency alone and the other candidates beside it."""
    p = scores[winner]
    rocs = _lines(y, scores, winner, roc)
    gains = _lines(y, scores, winner, gain)
    lifts = _lines(y, scores, winner, lift_curve)
    asked, reached = np.array(gain(y, p)).T
    found = float(np.interp(0.2, asked, reached))
    top = max(value for line in lifts for _, value in line.points)
    said = f"AUROC {figure(auroc(y, p))}; recency alone {figure(auroc(y, scores[RECENCY]))}."
    return [
        Plot(
            title="ROC: does it tell leavers from stayers?",
            read=f"{said} The nearer the line comes to the upper left corner the better; on the diagonal it is chance.",
            drawing=plot(
                rocs, shares("stayers called wrongly"), shares("leavers found"), f"ROC. {said}", reference=DIAGONAL
            ),
            legend=legend(rocs),
        ),
        Plot(
            title="Gain: how many leavers does a list of the riskiest reach?",
            read=f"Asking the riskiest 20% reaches {percent(found)} of those who leave; by chance it would be 20%.",
            drawing=plot(
                gains,
                shares("customers asked, the riskiest first"),
                shares("leavers among them"),
                f"Gain: the riskiest 20% hold {percent(found)} of the leavers.",
                reference=DIAGONAL,
            ),
            legend=legend(gains),
        ),
        Plot(
            title="Lift: how much riskier are the riskiest?",
            read=f"Of the riskiest 10%, {figure(lift(y, p), 1)} times as many leave as on average. Chance is 1.",
            drawing=plot(
                lifts,
                shares("customers asked, the riskiest first"),
                axis("times the average", 0, top, lambda value: f"{value:g}"),
                f"Lift: {figure(lift(y, p), 1)} times the average among the riskiest 10%.",
                reference=((0.0, 1.0), (1.0, 1.0)),
            ),
            legend=legend(lifts),
        ),
    ]


def _lines(
    y: Floats, scores: Mapping[str, Floats], winner: str, curve: Callable[[Floats, Floats], Points]
) -> list[Line]:
    """The winner and recency alone: others lie so close that nobody could tell them apart."""
    names = [winner] + ([RECENCY] if winner != RECENCY else [])
    return [Line(name=said(name), points=curve(y, scores[name]), style=style_of(name, winner)) for name in names]


def style_of(name: str, winner: str) -> str:
    return "winner" if name == winner else "floor" if name == RECENCY else "other"


def said(name: str) -> str:
    """What a candidate is called in words."""
    words = {
        RECENCY: "recency alone",
        "lightgbm": "LightGBM",
        "tuned": "LightGBM, tuned",
        "pareto_nbd": "Pareto/NBD",
        "average": "average of two",
    }
    return words.get(name, name.replace("_", " "))


def calibration_plot(y: Floats, p: Floats) -> tuple[Plot, list[Group]]:
    """Predicted against came, in ten groups of equal size."""
    groups = calibration_groups(y, p)
    top = max(max(group.high, group.predicted) for group in groups)
    line = Line(
        name="what came, with its 95% interval",
        points=[(group.predicted, group.left) for group in groups],
        style="winner",
        dots=True,
        intervals=[(group.predicted, group.low, group.high) for group in groups],
    )
    axes = [axis(label, 0, top, as_percent, most=1) for label in ("predicted risk", "share that left")]
    wide = max(abs(group.predicted - group.left) for group in groups)
    read = (
        "Each dot is a tenth of the customers. On the diagonal, “30%” means 30 in a hundred. "
        f"The widest gap is {percent(wide, 1)}."
    )
    drawing = plot(
        [line],
        axes[0],
        axes[1],
        f"Calibration in ten groups; widest gap {percent(wide, 1)}.",
        reference=((0, 0), (axes[0].high, axes[0].high)),
    )
    return Plot(title="Calibration: does 30% mean 30 in a hundred?", read=read, drawing=drawing), groups


def time_axis(steps: Sequence[Step]) -> Axis:
    """The cutoffs, the first and last of them and some between with their day."""
    last = len(steps) - 1
    every = max(1, -(-len(steps) // 4))
    shown = sorted({*range(0, len(steps), every), last} - ({last - 1} if every > 1 and last % every == 1 else set()))
    ticks = [(float(place), f"{steps[place].cutoff:%-d %b %y}") for place in shown]
    return Axis(label="cutoff", low=-0.35, high=last + 0.35, ticks=ticks)


def month_plot(steps: Sequence[Step]) -> Plot | None:
    """Calibration in the large: foreseen and came, cutoff by cutoff."""
    if not steps:
        return None
    top = max(max(step.left_share, step.predicted_share) for step in steps)
    lines = [
        Line(name="left", points=[(float(n), s.left_share) for n, s in enumerate(steps)], style="winner", dots=True),
        Line(name="foreseen", points=[(float(n), s.predicted_share) for n, s in enumerate(steps)], style="floor"),
    ]
    wide = max(steps, key=lambda step: abs(step.left_share - step.predicted_share))
    gap = abs(wide.left_share - wide.predicted_share)
    read = (
        "Where the lines part, the level of leaving moved and the model could not know yet. "
        f"The widest gap is {percent(gap, 1)}, at the cutoff of {wide.cutoff:%-d %b %Y}."
    )
    drawing = plot(
        lines,
        time_axis(steps),
        axis("share that leaves", 0, top, as_percent, most=1),
        f"Share that left and share foreseen at {len(steps)} cutoffs; widest gap {percent(gap, 1)}.",
    )
    return Plot(
        title="Level by month: are there as many as foreseen?", read=read, drawing=drawing, legend=legend(lines)
    )


def backtest_plots(steps: Sequence[Step], winner: str) -> list[Plot]:
    """Log loss and AUROC of every candidate at every cutoff, each fitted on what was finished by then."""
    if not steps:
        return []
    better = sum(step.gain.low > 0 for step in steps)
    worse = sum(step.gain.high < 0 for step in steps)
    name = said(winner)
    clear = f"{name[:1].upper()}{name[1:]} is clearly better than recency alone at {better} of {len(steps)} cutoffs"
    clear += f", clearly worse at {worse}." if worse else "."
    texts = (
        ("log_loss", "Log loss over time", f"{clear} Lower is better."),
        ("auroc", "AUROC over time", "Higher is better; 0.5 is chance."),
    )
    return [_over_time(steps, winner, measure, title, read) for measure, title, read in texts]


def _over_time(steps: Sequence[Step], winner: str, measure: str, title: str, read: str) -> Plot:
    names = list(getattr(steps[0], measure))
    lines = [
        Line(
            name=said(name),
            points=[(float(n), getattr(step, measure)[name]) for n, step in enumerate(steps)],
            style=style_of(name, winner),
            dots=name == winner,
        )
        for name in names
    ]
    values = [value for line in lines for _, value in line.points if value == value]
    upright = axis(title.split(" over")[0], min(values), max(values), lambda value: f"{value:.4g}")
    return Plot(
        title=title, read=read, drawing=plot(lines, time_axis(steps), upright, f"{title}: {read}"), legend=legend(lines)
    )
