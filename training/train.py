"""Which model should be in use? Examples at many cutoffs, all candidates, the judging slice, the registry, the gate.

The candidates are fitted, stopped and calibrated on earlier slices of time; the best log loss on the newest finished
horizon wins. The winner's kind is then fitted once more on everything finished (same settings, same rounds), since
the newest horizon has most to say about the next: its figures are those of the judged fit.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.attributes import attributes_at
from training.evaluation import WITH_INTERVAL, Estimate, estimate
from training.examples import Examples, build_examples, first_event
from training.gates import gate
from training.issue_fitting import CONTACT_CUTOFFS, IssueResult, fit_contact, fit_topic
from training.judging import Judged, final_scorer, fit_and_judge, predicted
from training.labels import ChurnOptions, IssueOptions, TrainingOptions
from training.model import Model
from training.populations import DEFAULT
from training.provenance import provenance, settings_of
from training.reference import recent_events, reference_of
from training.report_content import content_of
from training.slices import slice_table
from training.tuning import tune

if TYPE_CHECKING:
    import pyarrow as pa

    from records.events import EventLog
    from training.registry import Registry
    from training.report import Content

Progress = Callable[[str], None]
# What MLflow lists as parameters of a run.
PARAMETERS = ("as_of", "definition", "churn", "issues", "training", "tuned", "versions", "slices")


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


def fit_issues(
    log: EventLog, as_of: datetime, issues: IssueOptions, training: TrainingOptions, examples: Examples
) -> IssueResult:
    """The issue model: who contacts us, and about what."""
    first = first_event(log, as_of)
    result = fit_topic(log, as_of, first, issues, training)
    finished = examples.contact_cutoffs
    newest = finished[-1] if finished else None
    earlier = [cutoff for cutoff in finished if newest and cutoff + issues.horizon <= newest][-CONTACT_CUTOFFS:]
    if not result.model.topics or newest is None or not earlier:
        return result
    fit, judged = examples.contact_rows(earlier), examples.contact_rows([newest])
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
    definition: str = DEFAULT,
    treatments: pa.Table | None = None,
    tune_minutes: float = 0,
    answered: Collection[str] | None = None,
) -> TrainResult:
    """Learns from everything known before `as_of`, stores the run, and puts the winner in use if it earns it.

    Parameters
    ----------
    timezone
        The company's: it defines hours and weekdays.
    definition
        The name `churn` has in the settings; its models, the one in use and the way back are its own.
    treatments
        Who was planned for a measured play, and when (`records.treatments`): their labels are set right.
    tune_minutes
        For how long to look for better LightGBM parameters; 0: not at all.
    answered
        The topics some message helps with, for the report's coverage; None: not known.
    """
    from training.registry import Registry

    say = progress or (lambda line: None)
    examples = build_examples(log, as_of, churn, issues, training, say, timezone=timezone, treatments=treatments)
    tuned = tune(examples, training, tune_minutes, training.seed, say) if tune_minutes else None
    judged = fit_and_judge(examples, training, tuned)
    say("log loss: " + ", ".join(f"{name} {loss:.4f}" for name, loss in judged.losses.items()))
    result = fit_issues(log, as_of, issues, training, examples)
    say(f"topics: {len(result.model.topics)}" + topics_line(result))
    final = final_scorer(examples, judged, training)
    model = Model(
        signal_names=examples.signal_names,
        fitted=examples.fitted,
        churn=final,
        issues=result.model,
        reference=reference_of(judged.rows.X, final.predict, recent_events(log, as_of)),
        settings=settings_of(
            log, as_of, issues, training, examples, definition=definition, treatments=treatments, tuned=tuned
        ),
    )
    registry = Registry(mlruns)
    unseen = unseen_figures(examples, judged)
    say("report: walking through the finished cutoffs once more")
    content = judged_content(log, model, registry, examples, judged, result, training, now, unseen, answered)
    return store(registry, model, content, result, examples, unseen, say)


def judged_content(
    log: EventLog,
    model: Model,
    registry: Registry,
    examples: Examples,
    judged: Judged,
    result: IssueResult,
    training: TrainingOptions,
    now: datetime,
    unseen: Mapping[str, Estimate],
    answered: Collection[str] | None,
) -> Content:
    """What the gate says of the model, and all that the report tells of it."""
    definition = str(model.settings["definition"])
    attributes = judged_attributes(log, examples, judged)
    promote, why = gate(judged, registry.champion_or_none(definition), model, attributes)
    return content_of(
        model,
        judged,
        examples,
        result,
        training,
        promoted=promote,
        why=why,
        now=now,
        definition=definition,
        provenance=provenance(training),
        slices=slice_table(judged.rows, judged.scores[judged.winner], attributes),
        answered=answered,
        notes=unseen_notes(unseen),
    )


def unseen_figures(examples: Examples, judged: Judged) -> dict[str, Estimate]:
    """The winner on the judging slice, on customers it was never fitted on; empty where none were kept out."""
    rows = examples.rows(examples.slices.judge, unseen=True)
    if not len(rows):
        return {}
    p = predicted(judged.scorers[judged.winner], rows)
    return {name: estimate(name, rows.y, p, rows.customers) for name in WITH_INTERVAL}


def unseen_notes(unseen: Mapping[str, Estimate]) -> tuple[str, ...]:
    """The same in one line for people."""
    said = [f"{name} {one.value:.3f} [{one.low:.3f}, {one.high:.3f}]" for name, one in unseen.items()]
    rows = next((one.rows for one in unseen.values()), 0)
    return (f"on {rows:,} customers never seen in fitting: {', '.join(said)}",) if said else ()


def judged_attributes(log: EventLog, examples: Examples, judged: Judged) -> dict[str, list[str | None]]:
    """Plan, channel, language, region and tenure of each judged row."""
    found = attributes_at(log, examples.slices.judge[0], examples.customer_ids)
    return {name: [values[code] for code in judged.rows.customers] for name, values in found.items()}


def topics_line(result: IssueResult) -> str:
    found = result.metrics.get("model_map_3")
    if found is None:
        return ""
    return f", MAP@3 {found:.3f} (most popular {result.metrics['most_popular_map_3']:.3f})"


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
    tags = {**named, "winner": content.winner, "kind": model.churn.kind, "as_of": settings["as_of"]}
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
) -> TrainResult:
    """Writes run, report, model and version; moves the alias last."""
    winner, why = content.winner, content.why
    metrics = {name: {key: one.value for key, one in found.items()} for name, found in content.figures.items()}
    estimates = {name: content.figures[winner][name] for name in WITH_INTERVAL}
    listed = run_metrics(metrics, winner, estimates, issues.metrics) | {"judged_customers": len(content.rows)}
    listed |= {f"unseen_{name}": one.value for name, one in unseen.items()}
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
        examples=examples.count,
        estimates=estimates,
        issues=issues.metrics,
        definition=content.definition,
        unseen=unseen,
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
