"""Which model should be in use? Examples at many cutoffs, all candidates, the judging slice, the registry, the gate.

The candidates are fitted, stopped and calibrated on earlier slices of time; the newest finished horizon judges
(`training.judging`). The winner's kind is then fitted once more on everything finished (same settings, same rounds),
since the newest horizon has most to say about the next: its figures are those of the judged fit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from training.anchors import anchor
from training.attributes import attributes_at
from training.candidates import joined, predicted
from training.choosing import thin
from training.evaluation import MAIN, Estimate, estimate
from training.examples import Examples, build_examples, first_event
from training.gates import gate
from training.issue_fitting import CONTACT_CUTOFFS, IssueResult, fit_contact, fit_topic
from training.judging import Judged, fit_and_judge
from training.labels import ChurnOptions, IssueOptions, TrainingOptions
from training.model import Model
from training.opponent import in_use, opponent_of
from training.populations import DEFAULT
from training.provenance import provenance, settings_of
from training.reference import recent_events, reference_of
from training.report_content import content_of
from training.season import season_notes
from training.slices import slice_table
from training.stability import stability_of
from training.storing import TrainResult, store
from training.today import scorer_today
from training.tuning import tune

if TYPE_CHECKING:
    import pyarrow as pa

    from records.events import EventLog
    from training.registry import Registry
    from training.report import Content

Progress = Callable[[str], None]
CONTACT_ROWS = 120_000  # that the contact model is fitted on


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
    # Cutoff by cutoff, thinned: all at once would be the matrix a second time.
    fit = joined([thin(examples.contact_rows([cutoff]), CONTACT_ROWS // len(earlier)) for cutoff in earlier])
    contact, rate, figures = fit_contact(fit, examples.contact_rows([newest]))
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
    engine: str = "",
    by: str = "operator",
) -> TrainResult:
    """Learns from everything known before `as_of`, stores the run, and puts the winner in use if it earns it.

    Parameters
    ----------
    timezone, definition
        The company's, which defines hours and weekdays; the name of `churn` in the settings: its models are its own.
    treatments
        Who was planned for a measured play, and when (`records.treatments`): their labels are set right.
    tune_minutes
        For how long to look for better LightGBM parameters; 0: not at all.
    answered, engine, by
        The topics some message helps with (None: not known); the Spark that makes signals; who asked, to be recorded.
    """
    from training.registry import Registry

    say = progress or (lambda line: None)
    examples = build_examples(
        log, as_of, churn, issues, training, say, timezone=timezone, treatments=treatments, engine=engine
    )
    tuned = tune(examples, training, tune_minutes, training.seed, say) if tune_minutes else None
    say("fitting all candidates, for today and as they would have been at earlier cutoffs")
    judged = fit_and_judge(examples, training, tuned)
    say("log loss: " + ", ".join(f"{name} {loss:.4f}" for name, loss in judged.losses.items()))
    result = fit_issues(log, as_of, issues, training, examples)
    say(topics_line(result))
    final = scorer_today(log, examples, judged, training, as_of)
    model = Model(
        signal_names=examples.signal_names,
        fitted=examples.fitted,
        text=examples.text.reader,
        churn=final,
        issues=result.model,
        reference=reference_of(judged.rows.X, final.predict, recent_events(log, as_of), examples.older()),
        settings=settings_of(
            log, as_of, issues, training, examples, judged.settings, definition=definition, treatments=treatments
        ),
    )
    unseen = unseen_figures(examples, judged)
    with Registry(mlruns).deciding() as registry:
        content = judged_content(log, model, registry, examples, judged, result, training, now, unseen, answered)
        return store(registry, model, content, result, examples, unseen, say, by)


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
    used = registry.champion_or_none(definition)
    champion = in_use(log, examples, judged, used, training.threads) if used else None
    until = datetime.fromisoformat(str(model.settings["labels_until"]))
    promote, why = gate(
        judged, model, champion, lambda one: opponent_of(one, examples, judged, training, until), attributes
    )
    stability = stability_of(
        judged.rows,
        judged.scorers[judged.best_stored],
        model.churn.predict(judged.rows.X),
        champion.scores if champion else None,
    )
    return content_of(
        model,
        judged,
        examples,
        result,
        promoted=promote,
        why=why,
        now=now,
        definition=definition,
        provenance=provenance(training),
        slices=slice_table(judged.rows, judged.scores[judged.winner], attributes),
        answered=answered,
        stability=stability,
        notes=(*season_notes(judged.shares), *unseen_notes(unseen), *stability.said()),
    )


def unseen_figures(examples: Examples, judged: Judged) -> dict[str, Estimate]:
    """The winner on the judging slice, on customers it was never fitted on; empty where none were kept out."""
    rows = examples.rows(examples.slices.judge, unseen=True)
    if not len(rows):
        return {}
    p = predicted(judged.scorers[judged.winner], rows)
    return {name: estimate(name, rows.y, p, rows.customers) for name in MAIN}


def unseen_notes(unseen: Mapping[str, Estimate]) -> tuple[str, ...]:
    """The same in one line for people."""
    said = [f"{anchor(name, 0.0).name} {one.value:.3f} [{one.low:.3f}, {one.high:.3f}]" for name, one in unseen.items()]
    rows = next((one.rows for one in unseen.values()), 0)
    return (f"on {rows:,} customers never seen in fitting: {'; '.join(said)}",) if said else ()


def judged_attributes(log: EventLog, examples: Examples, judged: Judged) -> dict[str, list[str | None]]:
    """Plan, channel, language, region and tenure of each judged row."""
    found = attributes_at(log, examples.slices.judge[0], examples.customer_ids)
    return {name: [values[code] for code in judged.rows.customers] for name, values in found.items()}


def topics_line(result: IssueResult) -> str:
    """How many topics are ranked, and how well; or that there are none."""
    if not result.model.topics:
        return f"topics: none, no {result.model.options.event} of this log names one"
    found = result.metrics.get("model_map_3")
    well = f", MAP@3 {found:.3f} (most popular {result.metrics['most_popular_map_3']:.3f})" if found is not None else ""
    return f"topics: {len(result.model.topics)}{well}"
