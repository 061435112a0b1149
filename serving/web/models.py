"""Can the forecasts be relied on? The models in use, how they did, what has changed, and every training's report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from serving.imported_status import ImportedState, imported_states
from serving.model_status import Judgement, ModelState, model_states, without_model
from serving.web.access import Signed
from serving.web.language import Language
from serving.web.site import Site, render, site_of
from training.maturity import Matured

router = APIRouter()
KEPT = timedelta(minutes=1)  # asking MLflow takes a moment; the answer changes once a night
SHOWN_CHANGES = 8
JOB = "job:"  # begins the name of whoever is no person
# The report is a document of its own: it may style itself and nothing else.
REPORT_HEADERS = {
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing the model looks at, then and now, as it is written."""

    question: str  # empty: the score itself
    much: bool
    then: str
    now: str
    missing: str


@dataclass(frozen=True, kw_only=True)
class Version:
    """One trained version in the table."""

    version: str
    kind: str
    alias: str | None
    state: str  # champion, previous, was, never
    at: datetime
    until: datetime | None
    auroc: float | None


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The model of one definition as the screen shows it."""

    state: ModelState
    by: str  # a person; empty if training itself put it in use
    did: Sequence[Markup]
    rows: Sequence[Judgement]
    notes: Sequence[Markup]
    changed: Markup
    changes: Sequence[Change]
    versions: Sequence[Version]


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """Scores of a table of the company's own as the screen shows them."""

    state: ImportedState
    did: Sequence[Markup]
    rows: Sequence[Judgement]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What the screen is made of, in no language yet."""

    models: Sequence[tuple[ModelState, Sequence[Version]]]
    untrained: Sequence[str]  # definitions without any model
    imported: Sequence[ImportedState]


@router.get("/models")
def models_page(request: Request, reviewer: Signed) -> Response:
    """Every definition's model in use, and all versions; and how scores made elsewhere did."""
    site, language = site_of(request), site_of(request).language(request)
    now = site.now()
    kept = _kept(site, now)
    return render(
        request,
        "models.html",
        language=language,
        now=now,
        shown=[_shown(state, rows, language, now) for state, rows in kept.models],
        several=len(kept.models) + len(kept.untrained) > 1,
        untrained=kept.untrained if kept.models else (),
        elsewhere=[_elsewhere(state, language, now) for state in kept.imported],
    )


@router.get("/models/{version}/report")
def report(request: Request, version: str, reviewer: Signed) -> Response:
    """The report of a training run, as it was written then."""
    from training.registry import Registry

    site = site_of(request)
    if version not in {row.version for _, rows in _kept(site, site.now()).models for row in rows}:
        raise HTTPException(404)
    found = Registry(site.home.mlruns).report(version)
    if found is None:
        said = site.language(request)("models.no_report")
        return render(request, "error.html", kind="missing", detail=str(said), code=version, status=404)
    return HTMLResponse(found, headers=REPORT_HEADERS)


def _kept(site: Site, now: datetime) -> Kept:
    """The states of all models and their versions, newest first, asked for at most once a minute."""
    from training.registry import Registry

    held: tuple[datetime, Kept] | None = site.memory.get("models")
    if held is not None and timedelta(0) <= now - held[0] < KEPT:
        return held[1]
    registry = Registry(site.home.mlruns)
    found = Kept(
        models=[
            (state, [_version(row) for row in reversed(registry.versions(state.definition))])
            for state in model_states(site.home, now)
        ],
        untrained=without_model(site.home),
        imported=imported_states(site.home),
    )
    site.memory["models"] = (now, found)
    return found


def _version(row: Mapping[str, Any]) -> Version:
    alias = row["alias"]
    return Version(
        version=row["version"],
        kind=str(row["kind"] or "").replace("_", " "),
        alias=alias,
        state=alias or ("was" if row["promoted"] else "never"),
        at=datetime.fromisoformat(row["created_at"]),
        until=datetime.fromisoformat(row["as_of"]) if row["as_of"] else None,
        auroc=row["metrics"].get("auroc"),
    )


def _shown(state: ModelState, versions: Sequence[Version], language: Language, now: datetime) -> Shown:
    by = state.by or ""
    changed, changes = _changes(state, language)
    return Shown(
        state=state,
        by="" if by.startswith(JOB) else by,
        did=_did(state, language, now),
        rows=state.matured,
        notes=_notes(state, language),
        changed=changed,
        changes=changes,
        versions=versions,
    )


def _did(state: ModelState, language: Language, now: datetime) -> list[Markup]:
    """How the newest scores that can be judged came out; before there are any, how it did when it was chosen."""
    if any(one.figures for one in state.matured):
        return _since(state, language, now)
    said = []
    auroc, people = state.metrics.get("auroc"), state.metrics.get("judged_customers")
    if auroc is not None and people is not None:
        low, high = (state.metrics.get(f"auroc_{end}", auroc) for end in ("low", "high"))
        figures = {"n": auroc, "low": low, "high": high}
        hundreds = {name: language.number(100 * value) for name, value in figures.items()}
        said.append(language("models.did_before", people=language.number(people), **hundreds))
    return said + _since(state, language, now)


def _since(state: ModelState | ImportedState, language: Language, now: datetime) -> list[Markup]:
    """What came of the scores, or when that can be known."""
    newest = next((one for one in state.matured if one.figures), None)
    if newest is not None and newest.figures is not None:
        return _came_out(newest.as_of, newest.figures, language, now)
    if state.matured:
        return [language("models.did_thin")]
    if state.own_labels:
        return [language("models.did_labels")]
    if state.first_known is not None and state.first_known <= now:
        return [language("models.did_ready")]
    if state.first_known is not None:
        day = language.day(state.first_known, now)
        return [language("models.did_waits", day=day, n=state.horizon_days)]
    return [language("models.did_none")]


def _elsewhere(state: ImportedState, language: Language, now: datetime) -> Elsewhere:
    return Elsewhere(state=state, did=_since(state, language, now), rows=state.matured)


def _came_out(as_of: datetime, figures: Matured, language: Language, now: datetime) -> list[Markup]:
    def number(value: float, digits: int = 0) -> str:
        return language.number(value, digits)

    shift = figures.intercept
    side = "right" if shift.low <= 0 <= shift.high else "more" if shift.value > 0 else "fewer"
    level = language(
        "models.did_level",
        people=number(figures.customers),
        day=language.day(as_of, now),
        left=number(figures.left),
        foreseen=number(figures.predicted_share * figures.customers),
    )
    rank, lift = figures.auroc, figures.lift_10
    said = [
        level + " " + language(f"models.did_level_{side}"),
        language(
            "models.did_rank", n=number(100 * rank.value), low=number(100 * rank.low), high=number(100 * rank.high)
        ),
        language("models.did_lift", n=number(lift.value, 1), low=number(lift.low, 1), high=number(lift.high, 1)),
    ]
    if figures.contacted:
        said.append(language.count("models.did_contacted", figures.contacted))
    return said


def _notes(state: ModelState, language: Language) -> list[Markup]:
    """One note per reason to train again."""
    found = []
    for one in state.triggers:
        if one.code == "schema":
            parts = ("gone", "new")
            found += [
                language(f"models.trigger_schema_{key}", names=one.values[key]) for key in parts if one.values[key]
            ]
        elif one.code == "level":
            shares = {key: f"{100 * float(value):.1f}%" for key, value in one.values.items()}
            found.append(language("models.trigger_level", **shares))
        else:
            found.append(language(f"models.trigger_{one.code}", **one.values))
    return found


def _changes(state: ModelState, language: Language) -> tuple[Markup, list[Change]]:
    """What the newest scoring found changed, in a sentence and as rows."""
    figures = state.drift.figures if state.drift else None
    if not figures:
        return language("models.changed_unknown"), []
    rows = [figures["score"]] if figures["score"]["level"] != "none" else []
    rows += figures["changes"][:SHOWN_CHANGES]
    if not rows:
        return language("models.changed_none"), []
    counted = language.count(
        "models.changed_many",
        figures["much"],
        all=language.number(figures["signals"]),
        some=language.number(figures["some"]),
    )
    return counted + " " + language("models.changed_harmless"), [_change(row, language) for row in rows]


def _change(row: Mapping[str, Any], language: Language) -> Change:
    score = row["signal"] == "score"

    def value(key: str) -> str:
        found = row[key]
        if found is None:
            return "–"
        return f"{100 * found:.1f}%" if score else language.number(found, 0 if abs(found) >= 100 else 2)

    then, now = (language.percent(row[key]) for key in ("missing_then", "missing_now"))
    return Change(
        question="" if score else questions().get(row["signal"], row["signal"].replace("_", " ")),
        much=row["level"] == "much",
        then=value("median_then"),
        now=value("median_now"),
        missing=now if then == now else f"{then} → {now}",
    )


@lru_cache
def questions() -> dict[str, str]:
    """The question each signal of the catalog answers."""
    from features.catalog import catalog

    return {signal.name: signal.question for signal in catalog()}
