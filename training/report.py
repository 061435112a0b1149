"""What do the scores look like? Three small pictures for each run: ROC, calibration, lift."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from training.evaluation import Floats, auroc, lift

INK, ACCENT, FAINT = "#1c1c1c", "#0b6e4f", "#b8b8b8"


def draw(folder: Path, y: Floats, p: Floats, baseline: Floats, title: str) -> list[Path]:
    """Writes roc.png, calibration.png and lift.png of the judging slice; `baseline` is recency alone."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {"roc": roc, "calibration": calibration, "lift": lift_curve}
    written = []
    for name, picture in pictures.items():
        figure, axes = canvas(title)
        picture(axes, y, p, baseline)
        path = folder / f"{name}.png"
        # Without the software tag the same scores give the same bytes.
        figure.savefig(path, dpi=110, metadata={"Software": None})
        written.append(path)
    return written


def canvas(title: str) -> tuple[Any, Any]:
    """One square picture, drawn without a screen and without matplotlib's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=9, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def roc(axes: Any, y: Floats, p: Floats, baseline: Floats) -> None:
    for scores, colour, name in ((baseline, FAINT, "recency alone"), (p, ACCENT, "winner")):
        order = np.argsort(-scores, kind="stable")
        hits = y[order]
        found = np.r_[0, np.cumsum(hits)] / max(hits.sum(), 1)
        false = np.r_[0, np.cumsum(1 - hits)] / max((1 - hits).sum(), 1)
        axes.plot(false, found, color=colour, label=f"{name}: AUROC {auroc(y, scores):.3f}")
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, linestyle=":")
    axes.set_xlabel("share of those who stayed")
    axes.set_ylabel("share of those who left")
    axes.legend(frameon=False, fontsize=8)


def calibration(axes: Any, y: Floats, p: Floats, baseline: Floats) -> None:
    order = np.argsort(p, kind="stable")
    parts = [part for part in np.array_split(order, 10) if len(part)]
    said = [float(p[part].mean()) for part in parts]
    came = [float(y[part].mean()) for part in parts]
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, linestyle=":")
    axes.plot(said, came, color=ACCENT, marker="o", markersize=4)
    axes.set_xlabel("predicted, mean of each tenth")
    axes.set_ylabel("left, share of each tenth")


def lift_curve(axes: Any, y: Floats, p: Floats, baseline: Floats) -> None:
    shares = np.linspace(0.02, 1, 50)
    for scores, colour, name in ((baseline, FAINT, "recency alone"), (p, ACCENT, "winner")):
        axes.plot(shares, [lift(y, scores, share) for share in shares], color=colour, label=name)
    axes.axhline(1, color=FAINT, linewidth=0.8, linestyle=":")
    axes.set_xlabel("share of customers, riskiest first")
    axes.set_ylabel("times the average")
    axes.legend(frameon=False, fontsize=8)
