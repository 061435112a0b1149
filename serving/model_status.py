"""Which models are in use, since when, how do they do, and does anything ask for a new one?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from records.model_checks import ModelCheck, checks, runs_by_version
from serving.home import Home
from serving.model_versions import definition_in, table_in
from training.definitions import definitions
from training.labels import ChurnOptions
from training.monitoring import Trigger, triggers
from training.populations import DEFAULT

if TYPE_CHECKING:
    from training.maturity import Matured

# What `pehle status --json` says of drift.
DRIFT = ("customers", "signals", "much", "some", "changes")
SHOWN_MATURED = 24  # the newest scorings that were judged by what happened


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """One scoring that was judged by what happened."""

    as_of: datetime
    version: str
    figures: Matured | None  # None: too few left or stayed


@dataclass(frozen=True, kw_only=True)
class ModelState:
    """The model in use of one definition, and what is known of it."""

    definition: str
    version: str | None  # None: no model of this definition is in use
    kind: str | None
    since: datetime | None
    by: str | None
    why: str | None
    trained_at: datetime | None
    data_until: datetime | None
    metrics: dict[str, float]
    newest: str  # the newest trained version
    newest_at: datetime | None
    versions: int
    horizon_days: int
    drift: ModelCheck | None  # of the newest scoring with this version
    matured: Sequence[Judgement]  # newest first, of all versions of the definition
    first_known: datetime | None  # when the first scoring can be judged; None: some are, none was made, or own labels
    declared: bool  # is it still in the settings?
    own_labels: bool  # who left, the company's own labels say: nothing is known before they come
    triggers: Sequence[Trigger]

    def to_json(self) -> dict[str, Any]:
        """What `pehle status --json` says of it."""
        drift = self.drift.figures if self.drift else None
        return {
            "definition": self.definition,
            "declared": self.declared,
            "version": self.version,
            "since": _iso(self.since),
            "by": self.by,
            "trained_at": _iso(self.trained_at),
            "drift": {key: drift[key] for key in DRIFT} if drift else None,
            "matured": newest_json(self.matured),
            "first_known": _iso(self.first_known),
            "retrain": [{"reason": one.code, **one.values} for one in self.triggers],
        }


def newest_json(matured: Sequence[Judgement]) -> dict[str, Any] | None:
    """The newest figures there are, as plain values."""
    for one in matured:
        if one.figures:
            return {"as_of": _iso(one.as_of), "model_version": one.version, **one.figures.to_json()}
    return None


def model_states(home: Home, now: datetime) -> list[ModelState]:
    """One state per definition that has models, the default one first."""
    from training.registry import Registry

    registry = Registry(home.mlruns)
    with home.engine.connect() as connection:
        return [_state(home, connection, registry.versions(name), name, now) for name in registry.definitions()]


def _state(
    home: Home, connection: Connection, versions: Sequence[dict[str, Any]], name: str, now: datetime
) -> ModelState:
    champion = next((row for row in versions if row["alias"] == "champion"), None)
    churn = _churn(home, name)
    matured = [judgement(check) for check in checks(connection, "matured", name, SHOWN_MATURED)]
    version = champion["version"] if champion else None
    # Another version may have scored since, to be looked at; it says nothing of this one.
    drift = checks(connection, "drift", name, 1, version=version) if version else []
    current = drift[0] if drift else None
    metrics = champion["metrics"] if champion else {}
    trained_at = _moment(champion["created_at"]) if champion else None
    return ModelState(
        definition=name,
        version=version,
        kind=champion["kind"] if champion else None,
        since=_moment(champion["promoted_at"]) if champion else None,
        by=champion["promoted_by"] if champion else None,
        why=champion["promoted_why"] if champion else None,
        trained_at=trained_at,
        data_until=_moment(champion["as_of"]) if champion else None,
        metrics=metrics,
        newest=versions[-1]["version"],
        newest_at=_moment(versions[-1]["created_at"]),
        versions=len(versions),
        horizon_days=churn.horizon_days,
        drift=current,
        matured=matured,
        first_known=None if matured or churn.definition == "imported" else _first_known(connection, name, churn),
        declared=name in definitions(home.settings.churn),
        own_labels=churn.definition == "imported",
        triggers=_triggers(matured, current, metrics, trained_at, version, now) if trained_at else (),
    )


def _first_known(connection: Connection, definition: str, churn: ChurnOptions) -> datetime | None:
    """When is it known who left of those scored first by a model of this definition?"""
    first = [
        runs[0].as_of
        for version, runs in runs_by_version(connection).items()
        if table_in(version) is None and definition_in(version) == definition
    ]
    return min(first) + churn.span if first else None


def _triggers(
    matured: Sequence[Judgement],
    drift: ModelCheck | None,
    metrics: dict[str, float],
    trained_at: datetime,
    version: str | None,
    now: datetime,
) -> list[Trigger]:
    figures = (drift.figures if drift else None) or {}
    own = next((one.figures for one in matured if one.version == version and one.figures), None)
    return triggers(
        matured=own,
        judged_high=metrics.get("log_loss_high"),
        events_gone=figures.get("events_gone", ()),
        events_new=figures.get("events_new", ()),
        trained_at=trained_at,
        now=now,
    )


def judgement(check: ModelCheck) -> Judgement:
    """What was found, as it was stored."""
    from training.maturity import matured_from

    figures = matured_from(dict(check.figures)) if check.figures else None
    return Judgement(as_of=check.as_of, version=check.model_version, figures=figures)


def _churn(home: Home, name: str) -> ChurnOptions:
    """What leaving means to a definition now; that of the default one where it is no longer in the settings."""
    found = definitions(home.settings.churn)
    return found.get(name, found[DEFAULT])


def without_model(home: Home) -> list[str]:
    """The definitions in the settings for which nothing was ever trained."""
    from training.registry import Registry

    trained = Registry(home.mlruns).definitions()
    return [name for name in definitions(home.settings.churn) if name not in trained]


def in_use(states: Sequence[ModelState]) -> str | None:
    """The versions that say who is likely to leave: "3", or "prepaid-2, 3"; None where there is none.

    The default definition comes last, as in `pehle score`.
    """
    found = sorted(
        (one.definition == DEFAULT, one.version) for one in states if one.version is not None and one.declared
    )
    return ", ".join(version for _, version in found) or None


def wants_training(state: ModelState, now: datetime, rest: timedelta) -> bool:
    """Does anything ask for a new model, and was the newest one made longer than `rest` ago?"""
    return state.declared and bool(state.triggers) and (state.newest_at is None or now - state.newest_at > rest)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
