"""How is every definition of leaving trained, judged and scored? One after the other; one is a list of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from records.errors import ModelError, NotEnoughData, PehleError
from records.treatments import treatments
from serving.home import Home
from serving.model_versions import together
from serving.playbook import load_playbook
from serving.scoring import Reasons, ScoringRun
from serving.scoring import score as score_population

if TYPE_CHECKING:
    import pyarrow as pa

    from training.storing import TrainResult

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What came of training all definitions, and which of them could not be trained, and why."""

    results: Sequence[TrainResult]
    failed: Sequence[str]  # "prepaid: …"

    def to_json(self) -> dict[str, Any]:
        """The value `pehle train --json` prints: that of the default definition, and all of them below it."""
        every = [result.to_json() for result in self.results]
        return {**every[-1], "definitions": every, "failed": list(self.failed)}


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One scoring of everybody eligible, each with the model of their population."""

    runs: Sequence[ScoringRun]
    failed: Sequence[str]

    @property
    def table(self) -> pa.Table:
        """All rows, sorted by customer."""
        import pyarrow as pa

        return pa.concat_tables([run.table for run in self.runs]).sort_by("customer_id")

    @property
    def customers(self) -> int:
        return sum(run.customers for run in self.runs)

    @property
    def versions(self) -> str:
        """The models, for people: "3", or "prepaid-2, 3"."""
        return together([run.run for run in self.runs])

    def count_by_band(self) -> dict[str, int]:
        """People per band, the highest first."""
        counts = [run.count_by_band() for run in self.runs]
        return {band: sum(one[band] for one in counts) for band in counts[0]}

    def to_json(self) -> dict[str, Any]:
        """The value `pehle score --json` prints."""
        return {
            "as_of": self.runs[0].run.as_of.isoformat(),
            "customers": self.customers,
            "bands": self.count_by_band(),
            "model_version": self.versions,
            "definitions": [
                {"model_version": run.run.model_version, "customers": run.customers, "bands": run.count_by_band()}
                for run in self.runs
            ],
            "failed": list(self.failed),
        }


def train_each(
    home: Home, as_of: datetime, now: datetime, progress: Progress, tune_minutes: float = 0, by: str = "operator"
) -> Trained:
    """Train every definition on its own people. One that cannot be trained does not stop the others.

    `by`: who asked for it.

    Raises
    ------
    NotEnoughData
        No definition could be trained; says why the first could not.
    """
    from training.definitions import definitions
    from training.train import train

    settings, planned = home.settings, treatments(home.engine, as_of)
    results, failures = [], []
    found = definitions(settings.churn)
    for name, churn in found.items():
        say = progress if len(found) == 1 else (lambda line, name=name: progress(f"{name}: {line}"))
        try:
            results.append(
                train(
                    home.log,
                    as_of,
                    churn,
                    settings.issues,
                    settings.training,
                    home.mlruns,
                    now,
                    say,
                    timezone=settings.company.timezone,
                    definition=name,
                    treatments=planned,
                    tune_minutes=tune_minutes,
                    answered=load_playbook().topics,
                    engine=settings.engine.url,
                    by=by,
                )
            )
        except NotEnoughData as error:
            failures.append((name, error))
    return Trained(results=results, failed=told(failures, any_left=bool(results)))


def backtest_each(home: Home, first: datetime, last: datetime, progress: Progress) -> list[dict[str, Any]]:
    """The walk through time of every definition: its rows, each with the name of the definition."""
    from training.backtest import backtest
    from training.definitions import definitions

    settings, rows, failures = home.settings, [], []
    for name, churn in definitions(settings.churn).items():
        try:
            steps = backtest(
                home.log,
                first,
                last,
                churn,
                settings.issues,
                settings.training,
                progress,
                timezone=settings.company.timezone,
                treatments=lambda until: treatments(home.engine, until),
                engine=settings.engine.url,
            )
            rows += [{"definition": name, **step} for step in steps]
        except NotEnoughData as error:
            failures.append((name, error))
    for line in told(failures, any_left=bool(rows)):
        progress(line)
    return rows


def score_each(home: Home, as_of: datetime, now: datetime, model: str = "champion", reasons: Reasons = "top") -> Scored:
    """Score everybody eligible with the model of their population: the one in use, the latest, or a version.

    A version belongs to one definition; then only its people are scored.

    Raises
    ------
    ModelError, NotEnoughData
        No definition has such a model, or nobody is eligible.
    """
    from training.definitions import definitions
    from training.registry import Registry

    registry = Registry(home.mlruns)
    runs, failures = [], []
    for name in definitions(home.settings.churn):
        try:
            version, _ = registry.resolve(model, name)
            chosen = registry.load(version)
            if chosen.settings.get("definition", name) == name:
                runs.append(
                    score_population(
                        home.log, home.engine, chosen, version, home.settings, as_of, now, reasons, definition=name
                    )
                )
        except (ModelError, NotEnoughData) as error:
            failures.append((name, error))
    failed = told(failures, any_left=bool(runs))
    if not runs:
        msg = f"model {model} is of a definition that [churn] does not have."
        raise ModelError(msg, remedy="Choose another: pehle models")
    return Scored(runs=runs, failed=failed)


def told(failures: Sequence[tuple[str, PehleError]], *, any_left: bool) -> list[str]:
    """The definitions for which it did not work, in words; the last error itself if it worked for none.

    The last is that of `[churn]`, whose words fit a home with one definition.
    """
    if failures and not any_left:
        raise failures[-1][1]
    return [f"{name}: {error}" for name, error in failures]
