"""What goes into a report? Gathered from a training run: figures with intervals, the walk, signals, slices, counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import numpy as np

from training.anchors import percent
from training.evaluation import MEASURES, Estimate, estimate
from training.examples import Examples
from training.importance import importance
from training.issue_fitting import IssueResult
from training.judging import Judged
from training.model import Model
from training.report import Content
from training.report_topics import Topics, interval_of, rankings, topics_of
from training.slices import SliceRow
from training.stability import Stability
from training.text_learning import ReaderFit


def content_of(
    model: Model,
    judged: Judged,
    examples: Examples,
    issues: IssueResult,
    *,
    promoted: bool,
    why: str,
    now: datetime,
    definition: str = "default",
    provenance: Mapping[str, str] | None = None,
    slices: Sequence[SliceRow] = (),
    answered: Collection[str] | None = None,
    stability: Stability | None = None,
    notes: Sequence[str] = (),
) -> Content:
    """Everything the report of this run tells.

    `answered`: the topics some message helps with; None where nobody has said.
    """
    return Content(
        definition=definition,
        made_at=now,
        settings=model.settings,
        provenance=provenance or {},
        counts=counts(examples, judged),
        notes=(*examples.notes, *notes, *issues.notes),
        winner=judged.winner,
        promoted=promoted,
        why=why,
        rows=judged.rows,
        scores=judged.scores,
        figures=figures(judged),
        steps=[one.step(judged.winner) for one in judged.rehearsals],
        importance=importance(model, judged.rows),
        slices=slices,
        topics=topics(issues, answered),
        stability=stability or Stability(),
        text=text_rows(examples.text),
    )


def figures(judged: Judged) -> dict[str, dict[str, Estimate]]:
    """Every measure of every candidate on the judging slice, with its interval by customer."""
    rows = judged.rows
    return {
        name: {key: estimate(key, rows.y, p, rows.customers) for key in MEASURES} for name, p in judged.scores.items()
    }


def counts(examples: Examples, judged: Judged) -> list[tuple[str, str]]:
    """How much it was learnt from."""
    rows = examples.rows(examples.slices.finished, unseen=None)
    shown = [
        ("Customers", f"{len(np.unique(rows.customers)):,}"),
        ("Cutoffs", f"{len(examples.slices.finished):,}"),
        ("Examples (customers × cutoffs)", f"{len(rows):,}"),
        ("Share of examples that left", percent(float(rows.y.mean()), 1)),
        ("Signals", f"{len(examples.signal_names):,}"),
        ("Customers that judge", f"{len(judged.rows):,}"),
    ]
    if examples.sampled < 1:
        shown.append(("Customers kept by the sample", percent(examples.sampled, 1)))
    return shown


def topics(issues: IssueResult, answered: Collection[str] | None) -> Topics | None:
    """What the report shows of the issue model; None for a log without topics."""
    metrics = issues.metrics
    if not issues.model.topics or "model_map_3" not in metrics:
        return None
    return Topics(
        customers=int(metrics.get("judged_customers", 0)),
        rankings=rankings(metrics),
        topics=topics_of(issues.by_topic, answered),
        macro_auroc=interval_of(metrics, "model", "macro_auroc"),
    )


def text_rows(text: ReaderFit) -> list[tuple[str, str]]:
    """What the report shows of the text models; empty where no text is read."""
    if text.reader is None:
        return []
    counts, newest = text.counts, text.reader.models[-1]
    labelled = f"{counts['with_topic']:,} with a topic, {counts['with_rating']:,} with a rating"
    found = [
        ("Texts", f"{counts['texts']:,}: {labelled}"),
        ("Models", f"{len(text.reader.models)}, each for the texts after it; the newest of {newest.until:%-d %b %Y}"),
    ]
    names = {
        "topic_accuracy": "Topic of later texts right",
        "topic_most_popular": "Always the most frequent topic",
        "sentiment_rank_correlation": "Sentiment: rank correlation with later ratings (useless 0, perfect 1)",
        "sentiment_auroc": "Sentiment: tells later ratings in the lower half (useless .5, perfect 1)",
    }
    for name, one in text.figures.items():
        found.append((names[name], f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}] on {one.rows:,} texts"))
    return found
