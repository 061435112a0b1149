"""What did a training run learn, how good is it, and may one rely on it? One HTML file that needs nothing else.

Style, words and drawings are in the file; no script, no address. It holds sums over many customers, never one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from training.anchors import TOPIC_ANCHORS, anchor, figure, percent
from training.candidates import Rows
from training.drawing import bar
from training.evaluation import MAIN, Estimate, Floats
from training.importance import Importance
from training.report_plots import backtest_plots, calibration_plot, month_plot, ranking_plots, said
from training.report_topics import Topics
from training.report_words import data_rows, headline, summary, walked
from training.slices import SliceRow, brief, gaps
from training.stability import Stability
from training.walk import Step

REPORT_FILE = "report.html"
STYLES = ("tokens.css", "page.css", "report.css")
SMALL_SLICES = 4  # of an attribute, shown though they are too small to say anything
CONTENTS = (
    ("figures", "All candidates"),
    ("ranking", "Ranking"),
    ("calibration", "Calibration"),
    ("backtest", "Backtest"),
    ("signals", "Signals"),
    ("slices", "Slices"),
    ("topics", "Topics"),
    ("text", "Text"),
    ("data", "Data and settings"),
)


@dataclass(frozen=True, kw_only=True)
class Content:
    """Everything a report tells."""

    definition: str
    made_at: datetime
    settings: Mapping[str, Any]  # of the model: what made it
    provenance: Mapping[str, str]  # git commit, lock
    counts: Sequence[tuple[str, str]]  # of what it was learnt from, and what was left out
    notes: tuple[str, ...]
    winner: str
    promoted: bool
    why: str
    rows: Rows  # the judging slice
    scores: Mapping[str, Floats]
    figures: Mapping[str, Mapping[str, Estimate]]  # candidate → measure → figure with interval
    steps: Sequence[Step]
    importance: Sequence[Importance]
    slices: Sequence[SliceRow]
    topics: Topics | None = None
    stability: Stability = field(default_factory=Stability)
    text: Sequence[tuple[str, str]] = ()
    sha256: str = ""  # of the model, once it is stored


def write_report(folder: Path, content: Content) -> Path:
    """Writes `report.html` into the folder; the same content gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / REPORT_FILE
    path.write_text(render(content), encoding="utf-8")
    return path


def render(content: Content) -> str:
    """The report as HTML. Names that come from data (topics, plans, regions) are values and escaped."""
    environment = Environment(
        loader=PackageLoader("templates", "pages"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "figure": figure,
        "percent": percent,
        "said": said,
        "day": day,
        "points": points,
        "first_upper": first_upper,
        "brief": brief,
    }
    environment.filters["grouped"] = lambda number: f"{number:,}"
    pages = files("templates") / "pages"
    css = "\n".join((pages / name).read_text(encoding="utf-8") for name in STYLES)
    return environment.get_template("report.html").render(
        css=Markup(css),  # noqa: S704  our own files
        run=content,
        bar=bar,
        until=day(datetime.fromisoformat(content.settings["as_of"])),
        made=day(content.made_at),
        headline=headline(content),
        contents=CONTENTS if content.text else [one for one in CONTENTS if one[0] != "text"],
        data=data_rows(content),
        **figures_of(content),
        **topics_of(content.topics),
    )


def figures_of(content: Content) -> dict[str, Any]:
    """Tables and plots of the judged scores, the walk and the slices."""
    y, base = content.rows.y, float(content.rows.y.mean())
    calibration, groups = calibration_plot(y, content.scores[content.winner])
    names = [*MAIN, *(name for name in content.figures[content.winner] if name not in MAIN)]
    attributes = dict.fromkeys(row.attribute for row in content.slices)
    gap = {one.attribute: one for one in gaps(content.slices)}
    return {
        "sentences": summary(content, base),
        "measures": [(name, anchor(name, base)) for name in names],
        "candidates": list(content.figures),
        "rankings": ranking_plots(y, content.scores, content.winner),
        "calibration": calibration,
        "groups": groups,
        "months": month_plot(content.steps),
        "backtest": backtest_plots(content.steps, content.winner),
        "walkers": list(content.steps[0].log_loss) if content.steps else [],
        "walked": walked(content),
        "slices": [(one, *slices_of(content.slices, one), gap.get(one)) for one in attributes],
    }


def slices_of(slices: Sequence[SliceRow], attribute: str) -> tuple[list[SliceRow], str]:
    """The slices of an attribute worth a row: all that say something, a few that do not; the others in one line."""
    rows = [row for row in slices if row.attribute == attribute]
    rest = [row for row in rows if row.too_small][SMALL_SLICES:]
    words = f"and {len(rest)} more of at most {max(row.rows for row in rest):,} customers" if rest else ""
    return [row for row in rows if row not in rest], words


def topics_of(topics: Topics | None) -> dict[str, Any]:
    """The words around the tables of topics."""
    named = topics.topics if topics else ()
    covered = any(one.answered is not None for one in named)
    missing = [brief(one.name) for one in named if one.answered is False]
    coverage = f"No message helps with: {', '.join(missing)}." if missing else "A message helps with each of them."
    return {"topic_anchors": TOPIC_ANCHORS, "covered": covered, "coverage": coverage if covered else ""}


def day(at: datetime) -> str:
    """24 Nov 2026"""
    return f"{at:%-d %b %Y}"


def first_upper(text: str) -> str:
    """The text with a capital first letter, the rest as it is."""
    return text[:1].upper() + text[1:]


def points(share: float) -> str:
    """A difference of shares in percentage points, with its side.

    >>> points(0.021), points(-0.004), points(0.0)
    ('+2.1', '−0.4', '0.0')
    """
    return f"{100 * share:+.1f}".replace("-", "\N{MINUS SIGN}") if round(100 * share, 1) else "0.0"
