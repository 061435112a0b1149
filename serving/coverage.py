"""About what do we expect people to ask that no message answers? Counted when everybody is scored."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any

from sqlalchemy import Connection, Engine

from records.model_checks import checks_of_runs, save_check
from records.scores import Run
from serving.model_versions import check_of


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How much of what people will ask about is answered by a message."""

    expected: float  # questions about known topics, over all who were scored
    unanswered: Mapping[str, float]  # topic no message helps with → its share of them, the largest first

    @property
    def share(self) -> float:
        """What part of the expected questions no message answers."""
        return fsum(self.unanswered.values())


def keep_expected(engine: Engine, run: Run, topics: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    """Write down how many people are expected to ask about each topic: the sum of their chances."""
    chances: dict[str, list[float]] = {}
    for ranked in topics:
        for one in ranked:
            chances.setdefault(str(one["topic"]), []).append(float(one["probability"]))
    figures = {topic: fsum(chances[topic]) for topic in sorted(chances)}
    save_check(engine, check_of(run, "topics", figures, run.scored_at))


def coverage_of(connection: Connection, runs: Collection[Run], answered: Collection[str]) -> Coverage | None:
    """The coverage of one scoring; None where no model of it foresees topics."""
    expected: dict[str, float] = {}
    for check in checks_of_runs(connection, "topics", [run.run_id for run in runs]):
        for topic, people in (check.figures or {}).items():
            expected[topic] = expected.get(topic, 0.0) + float(people)
    total = fsum(expected.values())
    if not total:
        return None
    missing = {topic: people / total for topic, people in expected.items() if topic not in answered}
    ordered = sorted(missing, key=lambda topic: (-missing[topic], topic))
    return Coverage(expected=total, unanswered={topic: missing[topic] for topic in ordered})
