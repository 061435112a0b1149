"""What is kept of a training run? Its run in MLflow with figures, report and model, and what the caller is told."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.evaluation import Estimate
from training.examples import Examples
from training.issue_fitting import IssueResult
from training.model import Model
from training.populations import DEFAULT

if TYPE_CHECKING:
    from training.registry import Registry
    from training.report import Content

Progress = Callable[[str], None]
# What MLflow lists as parameters of a run.
PARAMETERS = ("as_of", "definition", "churn", "issues", "training", "chosen", "versions", "slices")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One contestant and its figures on the judging slice."""

    name: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """What a training run found and decided."""

    candidates: tuple[Candidate, ...]
    winner: str
    promoted: bool
    why: str
    version: str
    model_sha256: str
    data_sha256: str
    examples: int
    estimates: Mapping[str, Estimate]  # the winner's figures with 95 % intervals
    issues: Mapping[str, float]  # MAP@3, recall@3 of the issue model and its baselines
    definition: str = DEFAULT
    unseen: Mapping[str, Estimate] = field(default_factory=dict)  # the same figures on customers never fitted on
    text: Mapping[str, Estimate] = field(default_factory=dict)  # how well texts are read, judged on later ones
    chosen: Mapping[str, Any] = field(default_factory=dict)  # settings chosen on earlier cutoffs
    stability: Mapping[str, float] = field(default_factory=dict)  # how much of the riskiest tenth stays the same
    provenance: Mapping[str, str] = field(default_factory=dict)  # git commit, lock, seed
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The value `pehle train --json` prints."""
        return {
            "definition": self.definition,
            "candidates": [{"name": one.name, "metrics": finite(one.metrics)} for one in self.candidates],
            "winner": self.winner,
            "promoted": self.promoted,
            "why": self.why,
            "version": self.version,
            "model_sha256": self.model_sha256,
            "data_sha256": self.data_sha256,
            "examples": self.examples,
            "intervals": intervals(self.estimates),
            "unseen": intervals(self.unseen),
            "text": intervals(self.text),
            "chosen": dict(self.chosen),
            "stability": dict(self.stability),
            "provenance": dict(self.provenance),
            "issues": finite(self.issues),
            "notes": list(self.notes),
        }


def intervals(estimates: Mapping[str, Estimate]) -> dict[str, list[float]]:
    """Each figure as [low, value, high]."""
    return {name: [one.low, one.value, one.high] for name, one in estimates.items()}


def finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """NaN is no JSON: it becomes null."""
    return {name: value if value == value else None for name, value in values.items()}


def keep_run(registry: Registry, model: Model, metrics: Mapping[str, float], content: Content) -> tuple[str, str]:
    """One MLflow run with figures, report and the model folder, registered; its version and the model's hash."""
    from training.report import write_report

    settings, now, why = model.settings, content.made_at, content.why
    named = {"data_sha256": settings["data_sha256"], "why": why}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        sha256 = model.save(folder / "model")
        run_id = registry.log_run(
            name=f"as of {settings['as_of'][:10]}",
            at=now,
            params=flat({key: settings[key] for key in PARAMETERS}),
            metrics=metrics,
            tags={**named, **hashes(settings), **content.provenance},
            artifacts=[write_report(folder / "report", replace(content, sha256=sha256))],
            model=folder / "model",
        )
    tags = {
        **named,
        "winner": content.winner,
        "kind": model.churn.kind,
        "as_of": settings["as_of"],
        "chosen": json.dumps(settings["chosen"]),
    }
    return registry.register(run_id, sha256=sha256, at=now, tags=tags, definition=content.definition), sha256


def hashes(settings: Mapping[str, Any]) -> dict[str, str]:
    """The hashes of what went in, by name."""
    return {name: str(value) for name, value in flat(settings).items() if "sha256" in name and value != "None"}


def store(
    registry: Registry,
    model: Model,
    content: Content,
    issues: IssueResult,
    examples: Examples,
    unseen: Mapping[str, Estimate],
    say: Progress,
    by: str,
) -> TrainResult:
    """Writes run, report, model and version; moves the alias last. `by`: who asked for the training."""
    winner, why = content.winner, content.why
    metrics = {name: {key: one.value for key, one in found.items()} for name, found in content.figures.items()}
    estimates = content.figures[winner]
    listed = run_metrics(metrics, winner, estimates, issues.metrics) | {"judged_customers": len(content.rows)}
    listed |= {f"unseen_{name}": one.value for name, one in unseen.items()} | dict(content.stability.figures())
    listed |= {f"text_{name}": one.value for name, one in examples.text.figures.items()}
    version, sha256 = keep_run(registry, model, listed, content)
    if content.promoted:
        registry.promote(version, why, at=content.made_at, by=by)
    say(f"version {version}: {'in use' if content.promoted else 'not put in use'}; {why}")
    return TrainResult(
        candidates=tuple(Candidate(name=name, metrics=found) for name, found in metrics.items()),
        winner=winner,
        promoted=content.promoted,
        why=why,
        version=version,
        model_sha256=sha256,
        data_sha256=model.settings["data_sha256"],
        examples=examples.count,
        estimates=estimates,
        issues=issues.metrics,
        definition=content.definition,
        unseen=unseen,
        text=examples.text.figures,
        chosen=model.settings["chosen"],
        stability=content.stability.figures(),
        provenance=content.provenance,
        notes=content.notes,
    )


def run_metrics(
    metrics: Mapping[str, Mapping[str, float]],
    winner: str,
    estimates: Mapping[str, Estimate],
    issues: Mapping[str, float],
) -> dict[str, float]:
    """What MLflow lists: the winner's figures bare, everybody's with their name, intervals and issues beside."""
    found = dict(metrics[winner])
    found |= {f"{name}_{key}": value for name, one in metrics.items() for key, value in one.items()}
    found |= {f"{name}_low": one.low for name, one in estimates.items()}
    found |= {f"{name}_high": one.high for name, one in estimates.items()}
    return found | {f"issues_{name}": value for name, value in issues.items()}


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as dotted names, for MLflow's parameters."""
    found: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        elif isinstance(value, Sequence) and not isinstance(value, str):
            found[prefix + name] = ", ".join(map(str, value))
        else:
            found[prefix + name] = str(value)
    return found
