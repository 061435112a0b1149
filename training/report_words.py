"""What does a report say before its tables? Plain sentences, and the settings that made the run as rows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from training.anchors import entropy, figure, percent
from training.candidates import RECENCY
from training.report_plots import said
from training.walk import MOST_ROWS

if TYPE_CHECKING:
    from training.report import Content

# What stands in the table of data and settings, and what it is called there.
MINUS = re.compile(r"(?<![\w.])-(?=\d)")
FULL_WALK = 6  # cutoffs; a shorter walk is said to be one
HASHES = (
    ("data_sha256", "Events, content hash"),
    ("signals_sha256", "Signals, hash of names and what they know of the log"),
    ("labels_sha256", "Labels, hash of what leaving means"),
)


def headline(content: Content) -> str:
    """The run in one sentence."""
    name = said(content.winner)
    name = name[:1].upper() + name[1:]
    if content.promoted:
        return f"{name} won and was put in use"
    return f"{name} won and was not put in use"


def summary(content: Content, base: float) -> list[str]:
    """What was learnt from, who won and by how much, whether it was promoted and why."""
    settings, best = content.settings, content.figures[content.winner]
    slices: Mapping[str, Sequence[str]] = settings["slices"]
    judged = _day(slices["judge"][0])
    loss, ranks, floor = best["log_loss"], best["auroc"], content.figures[RECENCY]["log_loss"]
    sentences = [
        f"It predicts {leaving(settings['churn'])}. Learnt from {len(slices['finished'])} cutoffs between "
        f"{_day(slices['finished'][0])} and {_day(slices['finished'][-1])}, with data until {_day(settings['as_of'])}.",
        f"The candidates were judged on {figure(loss.rows, 0)} customers at the cutoff of {judged}, of whom "
        f"{percent(base, 1)} left; none of them knew anything of what followed.",
    ]
    if content.winner == RECENCY:
        sentences.append("Nothing beats the time since the last activity alone: the other signals add nothing here.")
    else:
        sentences.append(
            f"{said(content.winner)[:1].upper() + said(content.winner)[1:]} has log loss {_with(loss, 4)}; recency "
            f"alone has {figure(floor.value, 4)}, and the same risk for everybody {figure(entropy(base), 4)}. Of a "
            f"leaver and a stayer it puts the leaver first {_hundred(ranks.value)} times in a hundred."
        )
    why = MINUS.sub("\N{MINUS SIGN}", content.why.replace(content.winner, said(content.winner)))
    sentences.append(f"{'Put in use' if content.promoted else 'Not put in use'}: {why}.".replace("..", "."))
    return sentences


def leaving(churn: Mapping[str, Any]) -> str:
    """What leaving means in this run."""
    days = f"in the {churn['horizon_days']} days after the cutoff"
    if churn.get("gap_days"):
        days = f"in {churn['horizon_days']} days that begin {churn['gap_days']} days after the cutoff"
    if churn["definition"] == "event":
        return f"who leaves ({churn['event']}) {days}"
    if churn["definition"] == "inactivity":
        return f"who shows no activity {days}"
    return f"who leaves by the company's own labels {days}"


def _with(estimate: Any, digits: int) -> str:
    known = estimate.low == estimate.low
    span = f" [{figure(estimate.low, digits)} to {figure(estimate.high, digits)}]" if known else ""
    return f"{figure(estimate.value, digits)}{span}"


def _hundred(share: float) -> str:
    return "–" if share != share else f"{round(100 * share)}"


def _day(text: str) -> str:
    return f"{datetime.fromisoformat(text):%-d %b %Y}"


def walked(content: Content) -> str:
    """How long the walk was, and what it could not be."""
    steps = content.steps
    short = (
        " No other finished cutoff has an earlier one to learn from and enough who left and stayed."
        if len(steps) < FULL_WALK
        else ""
    )
    least = max((step.customers for step in steps), default=0)
    thin = f" Fits and judging use at most {MOST_ROWS:,} rows each." if least > MOST_ROWS * 0.9 else ""
    return f"{len(steps)} cutoffs.{short}{thin}"


def data_rows(content: Content) -> list[tuple[str, str]]:
    """Hashes, versions and settings: what one needs to make the same model again."""
    settings = content.settings
    rows = [(name, str(settings[key])) for key, name in HASHES if key in settings]
    rows.append(("Model, SHA-256", content.sha256))
    rows += [(key.replace("_", " ").capitalize(), value) for key, value in sorted(content.provenance.items())]
    rows += [(name, ", ".join(_day(one) for one in settings["slices"][key]) or "–") for key, name in SLICES]
    rows += [(f"[{key}]", spelled(settings[key])) for key in ("churn", "issues", "training") if key in settings]
    if earlier := settings["churn"].get("unless"):
        rows.append(("Nobody of an earlier definition", " · ".join(map(toml, earlier))))
    if settings.get("chosen"):
        rows.append(("Chosen on earlier cutoffs", chosen_words(settings["chosen"])))
    rows.append(("Versions", ", ".join(f"{name} {version}" for name, version in sorted(settings["versions"].items()))))
    return rows


SLICES = (
    ("fit", "Cutoffs to fit"),
    ("stop", "Cutoffs to stop the trees"),
    ("calibrate", "Cutoffs to calibrate"),
    ("judge", "Cutoff that judges"),
)


def spelled(options: Mapping[str, Any]) -> str:
    """A section of the settings as TOML would have it, on one line; `unless` is none of them but follows from others.

    >>> spelled({"horizon_days": 90, "bands": {"high": 0.6, "medium": 0.3}, "unless": []})
    'horizon_days = 90 · bands = { high = 0.6, medium = 0.3 }'
    """
    return " · ".join(f"{key} = {toml(value)}" for key, value in options.items() if key != "unless")


def toml(value: Any) -> str:
    """A value as TOML has it."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {toml(one)}' for key, one in value.items())} }}" if value else "{}"
    return json.dumps(value, ensure_ascii=False)


def chosen_words(chosen: Mapping[str, Any]) -> str:
    """What was chosen on earlier cutoffs, on one line; "" for a model that does not say.

    >>> chosen = {"strength": 0.2, "half_life_days": 90.0, "rounds": 87, "rounds_at": 5000.2, "tuned": {},
    ...           "tuned_rounds": 150, "pair": ["logistic", "lightgbm"]}
    >>> chosen_words(chosen)
    'ridge × 0.2, a cutoff 90 days older counts half, 87 trees on 5,000 rows, mean of logistic and lightgbm'
    >>> chosen_words(chosen | {"paired": True}).split(", ")[2]
    'signals also count in pairs'
    """
    if not chosen:
        return ""
    half, rows = chosen["half_life_days"], chosen["rounds_at"]
    said = [
        f"ridge × {chosen['strength']:g}",
        f"a cutoff {half:g} days older counts half" if half else "old cutoffs count like new ones",
        *(["signals also count in pairs"] if chosen.get("paired") else []),
        f"{chosen['rounds']} trees" + (f" on {rows:,.0f} rows" if rows else ""),
        f"mean of {' and '.join(chosen['pair'])}",
    ]
    if chosen["tuned"]:
        tuned = ", ".join(f"{name} {value:g}" for name, value in chosen["tuned"].items())
        said.append(f"tuned: {chosen['tuned_rounds']} trees, {tuned}")
    return ", ".join(said)
