"""Which models are in use, since when, how do they do, and does anything ask for a new one?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from records.model_checks import ModelCheck, checks, first_as_of
from serving.home import Home
from training.labels import ChurnOptions
from training.monitoring import Trigger, triggers

if TYPE_CHECKING:
    from training.maturity import Matured

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
    first_known: datetime | None  # when the first scoring can be judged; None: some are, or none was made
    triggers: Sequence[Trigger]

    def to_json(self) -> dict[str, Any]:
        """What `pehle status --json` says of it."""
        drift = self.drift.figures if self.drift else None
        newest = next((one for one in self.matured if one.figures), None)
        return {
            "definition": self.definition,
            "version": self.version,
            "since": _iso(self.since),
            "by": self.by,
            "trained_at": _iso(self.trained_at),
            "drift": {key: drift[key] for key in ("customers", "signals", "much", "some")} if drift else None,
            "matured": {"as_of": _iso(newest.as_of), "model_version": newest.version, **newest.figures.to_json()}
            if newest and newest.figures
            else None,
            "first_known": _iso(self.first_known),
            "retrain": [{"reason": one.code, **one.values} for one in self.triggers],
        }


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
    matured = [_judgement(check) for check in checks(connection, "matured", name, SHOWN_MATURED)]
    drift = checks(connection, "drift", name, 1)
    known = None
    if not matured:
        first = first_as_of(connection)
        known = first + churn.span if first else None
    version = champion["version"] if champion else None
    current = drift[0] if drift and drift[0].model_version == version else None
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
        first_known=known,
        triggers=_triggers(matured, current, metrics, trained_at, version, now) if trained_at else (),
    )


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


def _judgement(check: ModelCheck) -> Judgement:
    from training.maturity import matured_from

    figures = matured_from(dict(check.figures)) if check.figures else None
    return Judgement(as_of=check.as_of, version=check.model_version, figures=figures)


def _churn(home: Home, name: str) -> ChurnOptions:
    """What leaving means to a definition now; that of the default one where it is no longer in the settings."""
    from training.definitions import definitions

    found = definitions(home.settings.churn)
    return found.get(name, found["default"])


def wants_training(state: ModelState, now: datetime, rest: timedelta) -> bool:
    """Does anything ask for a new model, and was the newest one made longer than `rest` ago?"""
    return bool(state.triggers) and (state.newest_at is None or now - state.newest_at > rest)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
