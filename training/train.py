"""Which model should be in use? Examples at many cutoffs, all candidates, the judging slice, the registry, the gate.

The candidates are fitted, stopped and calibrated on earlier slices of time; the best log loss on the newest finished
horizon wins. The winner's kind is then fitted once more on everything finished (same settings, same rounds), since
the newest horizon has most to say about the next: its figures are those of the judged fit.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.candidates import joined, refit
from training.evaluation import WITH_INTERVAL, Estimate
from training.examples import Examples, Slices, build_examples, first_event
from training.issues import CONTACT_CUTOFFS, IssueModel, IssueResult, fit_contact, fit_topic
from training.judging import fit_and_judge, gate
from training.labels import ChurnOptions, IssueOptions, TrainingOptions
from training.model import Model, canonical
from training.reference import recent_events, reference_of
from training.report_content import content_of

if TYPE_CHECKING:
    from records.events import EventLog
    from training.registry import Registry
    from training.report import Content

# Packages whose version can change a fitted number.
VERSIONED = ("duckdb", "ibis-framework", "lightgbm", "numpy", "pyarrow", "scikit-learn", "scipy")
Progress = Callable[[str], None]


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
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The value `pehle train --json` prints."""
        return {
            "candidates": [{"name": one.name, "metrics": finite(one.metrics)} for one in self.candidates],
            "winner": self.winner,
            "promoted": self.promoted,
            "why": self.why,
            "version": self.version,
            "model_sha256": self.model_sha256,
            "data_sha256": self.data_sha256,
            "examples": self.examples,
            "intervals": {name: [one.low, one.value, one.high] for name, one in self.estimates.items()},
            "issues": finite(self.issues),
            "notes": list(self.notes),
        }


def finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """NaN is no JSON: it becomes null."""
    return {name: value if value == value else None for name, value in values.items()}


def fit_issues(
    log: EventLog, as_of: datetime, issues: IssueOptions, training: TrainingOptions, examples: Examples
) -> IssueResult:
    """The issue model: who contacts us, and about what."""
    first = first_event(log, as_of)
    topics, scorer, metrics, notes = fit_topic(log, as_of, first, issues, training)
    result = IssueResult(model=IssueModel(options=issues, topics=topics, topic=scorer), metrics=metrics, notes=notes)
    newest = max(examples.contacts, default=None)
    earlier = [cutoff for cutoff in examples.contacts if newest and cutoff + issues.horizon <= newest]
    earlier = sorted(earlier)[-CONTACT_CUTOFFS:]
    if not topics or newest is None or not earlier:
        return result
    fit, judged = joined([examples.contacts[cutoff] for cutoff in earlier]), examples.contacts[newest]
    contact, rate, figures = fit_contact(fit, judged)
    result.model = replace(result.model, contact=contact, contact_rate=rate)
    result.metrics |= figures
    return result


def train(
    log: EventLog,
    as_of: datetime,
    churn: ChurnOptions,
    issues: IssueOptions,
    training: TrainingOptions,
    mlruns: Path,
    now: datetime,
    progress: Progress | None = None,
    *,
    timezone: str = "UTC",
) -> TrainResult:
    """Learns from everything known before `as_of`, stores the run, and puts the winner in use if it earns it.

    `timezone` is the company's: it defines hours and weekdays.
    """
    from training.registry import Registry

    say = progress or (lambda line: None)
    examples = build_examples(log, as_of, churn, issues, training, say, timezone=timezone)
    judged = fit_and_judge(examples, training)
    say("log loss: " + ", ".join(f"{name} {loss:.4f}" for name, loss in judged.losses.items()))
    result = fit_issues(log, as_of, issues, training, examples)
    say(f"topics: {len(result.model.topics)}" + topics_line(result))
    finished = examples.rows(examples.slices.finished)
    final = refit(
        judged.best_stored,
        finished,
        seed=training.seed,
        threads=training.threads,
        rounds=judged.rounds,
    )
    final = replace(final, calibration=judged.scorers[judged.best_stored].calibration)
    model = Model(
        signal_names=examples.signal_names,
        fitted=examples.fitted,
        churn=final,
        issues=result.model,
        reference=reference_of(finished.X, final.predict, recent_events(log, as_of)),
        settings=settings_of(log, as_of, churn, issues, training, examples),
    )
    registry = Registry(mlruns)
    promote, why = gate(judged, registry.champion_or_none(), model)
    say("report: walking through the finished cutoffs once more")
    content = content_of(model, judged, examples, result, training, promoted=promote, why=why, now=now)
    return store(registry, model, content, result, examples, say)


def topics_line(result: IssueResult) -> str:
    found = result.metrics.get("model_map_3")
    if found is None:
        return ""
    return f", MAP@3 {found:.3f} (most popular {result.metrics['most_popular_map_3']:.3f})"


def settings_of(
    log: EventLog,
    as_of: datetime,
    churn: ChurnOptions,
    issues: IssueOptions,
    training: TrainingOptions,
    examples: Examples,
) -> dict[str, Any]:
    """What made this model, as plain values: a run with the same gives the same bytes."""
    return {
        "as_of": as_of.isoformat(),
        "churn": churn.model_dump(mode="json"),
        "issues": issues.model_dump(mode="json"),
        "training": training.model_dump(mode="json", exclude={"threads"}),  # they change no number
        "data_sha256": log.data_sha256(as_of),
        "signals_sha256": hashlib.sha256(canonical(list(examples.signal_names))).hexdigest(),
        "versions": versions(),
        "labels_until": moment(examples.slices.finished[-1] + churn.horizon),
        "slices": slices_json(examples.slices),
    }


def versions() -> dict[str, str]:
    """The installed versions that can change a fitted number."""
    from importlib.metadata import version

    return {name: version(name) for name in VERSIONED}


def moment(at: datetime) -> str:
    return at.isoformat()


def slices_json(slices: Slices) -> dict[str, list[str]]:
    return {
        name: [moment(cutoff) for cutoff in getattr(slices, name)]
        for name in ("fit", "stop", "calibrate", "judge", "finished")
    }


def keep_run(
    registry: Registry, model: Model, metrics: Mapping[str, float], content: Content, definition: str = "default"
) -> tuple[str, str]:
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
            params=flat({key: settings[key] for key in ("as_of", "churn", "issues", "training", "versions", "slices")}),
            metrics=metrics,
            tags={**named, "signals_sha256": settings["signals_sha256"]},
            artifacts=[write_report(folder / "report", replace(content, sha256=sha256))],
            model=folder / "model",
        )
    tags = {**named, "winner": content.winner, "kind": model.churn.kind, "as_of": settings["as_of"]}
    return registry.register(run_id, sha256=sha256, at=now, tags=tags, definition=definition), sha256


def store(
    registry: Registry, model: Model, content: Content, issues: IssueResult, examples: Examples, say: Progress
) -> TrainResult:
    """Writes run, report, model and version; moves the alias last."""
    winner, why = content.winner, content.why
    metrics = {name: {key: one.value for key, one in found.items()} for name, found in content.figures.items()}
    estimates = {name: content.figures[winner][name] for name in WITH_INTERVAL}
    listed = run_metrics(metrics, winner, estimates, issues.metrics)
    version, sha256 = keep_run(registry, model, listed, content)
    if content.promoted:
        registry.promote(version, why, at=content.made_at, by="job:retrain")
    say(f"version {version}: {'in use' if content.promoted else 'not put in use'}; {why}")
    return TrainResult(
        candidates=tuple(Candidate(name=name, metrics=found) for name, found in metrics.items()),
        winner=winner,
        promoted=content.promoted,
        why=why,
        version=version,
        model_sha256=sha256,
        data_sha256=model.settings["data_sha256"],
        examples=sum(len(part) for part in examples.by_cutoff.values()),
        estimates=estimates,
        issues=issues.metrics,
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
