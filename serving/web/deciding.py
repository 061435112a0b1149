"""Approve, decline, take back: one row or a whole selection, with the number said again before anything happens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection
from starlette.datastructures import FormData, QueryParams

from records.browsing import counts, find_list
from records.errors import StateError
from records.outreach import find_outreach
from records.paging import Filter, matching_ids, neighbours, page
from records.review_queries import chosen, looked_at
from serving.review import approve, decline, undo
from serving.web.access import Form, Signed
from serving.web.one_list import FIELDS, address_of, chosen_filter, chosen_order
from serving.web.site import Site, render, site_of
from serving.web.wording import channel_words

router = APIRouter()
TYPE_ABOVE = 1_000  # more people than this: the number has to be typed
VERBS: dict[str, Callable[..., Any]] = {"approve": approve, "decline": decline}
SCOPES = ("all", "page", "none")


@dataclass(frozen=True)
class Picked:
    """What a person ticked: everyone a filter holds but a few, or just these."""

    scope: str
    ids: tuple[str, ...]  # ticked on the page
    unticked: tuple[str, ...]  # on the page and not ticked

    @classmethod
    def read(cls, values: QueryParams | FormData) -> Picked:
        """From the list's form, which names what it showed, or from the confirmation's."""
        scope = str(values.get("scope", "page"))
        ids = tuple(str(one) for one in values.getlist("id"))
        shown = [str(one) for one in values.getlist("shown")]
        unticked = [*(one for one in shown if one not in set(ids)), *map(str, values.getlist("without"))]
        return cls(scope if scope in SCOPES else "page", ids, tuple(dict.fromkeys(unticked)))

    def resolve(self, connection: Connection, wanted: Filter) -> list[str]:
        """The outreach ids meant, as the list is now."""
        if self.scope != "all":
            return list(self.ids)
        without = set(self.unticked)
        return [one for one in matching_ids(connection, wanted) if one not in without]


@router.get("/lists/{list_id}/confirm")
def confirm(request: Request, list_id: str, reviewer: Signed) -> Response:
    """Say what would happen, and to how many people, before it does."""
    return _question(request, list_id, request.query_params, reviewer.name, changed_from=None)


def _question(
    request: Request,
    list_id: str,
    values: QueryParams | FormData,
    name: str,
    changed_from: int | None,
    typo: bool = False,
) -> Response:
    site = site_of(request)
    language = site.language(request)
    verb = str(values.get("do", ""))
    if verb not in VERBS:
        raise HTTPException(404)
    picked, wanted = Picked.read(values), chosen_filter(list_id, values)
    with site.home.engine.connect() as connection:
        the_list = find_list(connection, list_id)
        if the_list is None:
            raise HTTPException(404)
        found = chosen(connection, picked.resolve(connection, wanted))
        opened = looked_at(connection, name, list_id)
        comparison = counts(connection, list_id).comparison
    unopened = [(play, number) for play, number in found.by_play.items() if play not in opened]
    return render(
        request,
        "confirm.html",
        status=409 if changed_from is not None else 422 if typo else 200,
        the_list=the_list,
        verb=verb,
        found=found,
        address=address_of(list_id, values),
        picked=picked,
        wanted=wanted,
        changed_from=changed_from,
        typo=typo,
        comparison=comparison,
        opened=len(found.by_play) - len(unopened),
        unopened=unopened,
        examples=_examples(site, wanted, unopened),
        type_it=found.count > TYPE_ABOVE,
        channels=[(channel_words(channel, language), number) for channel, number in found.by_channel.items()],
        language=language,
        now=site.now(),
    )


def _examples(site: Site, wanted: Filter, unopened: list[tuple[str, int]]) -> dict[str, str]:
    """For each message nobody looked at, one of its outreach to look at now."""
    with site.home.engine.connect() as connection:
        found = {}
        for play, _ in unopened:
            first = page(connection, Filter(list_id=wanted.list_id, play=play), size=1).rows
            if first:
                found[play] = first[0].outreach.outreach_id
    return found


@router.post("/lists/{list_id}/decide")
def decide(request: Request, list_id: str, reviewer: Signed, form: Form) -> Response:
    """Do it, if the number is still the one that was confirmed."""
    site = site_of(request)
    verb, one = _single(form)
    if one is not None:
        return _decide_one(request, list_id, verb, one, reviewer.name, form)
    verb = str(form.get("do", ""))
    if verb not in VERBS:
        raise HTTPException(404)
    expected = _number(form.get("expected"))
    if expected > TYPE_ABOVE and _number(form.get("typed")) != expected:
        return _question(request, list_id, form, reviewer.name, changed_from=None, typo=True)
    picked, wanted = Picked.read(form), chosen_filter(list_id, form)
    with site.home.engine.connect() as connection:
        ids = picked.resolve(connection, wanted)
    try:
        VERBS[verb](site.home.engine, ids, reviewer=reviewer.name, now=site.now(), expected=expected)
    except StateError:
        return _question(request, list_id, form, reviewer.name, changed_from=expected)
    address = address_of(list_id, form)
    if picked.scope == "all" and not picked.unticked:
        return RedirectResponse(address.with_(**dict.fromkeys(FIELDS)), 303)  # the filter holds nobody any more
    return RedirectResponse(address.with_(tab=None), 303)


def _single(form: FormData) -> tuple[str, str | None]:
    """The row whose own button was pressed, if it was one."""
    for verb in VERBS:
        value = form.get(f"{verb}_one")
        if value:
            return verb, str(value)
    return "", None


def _decide_one(request: Request, list_id: str, verb: str, one: str, name: str, form: FormData) -> Response:
    site = site_of(request)
    done = [*(str(found) for found in form.getlist("done")), one]
    with suppress(StateError):  # somebody was first; the row itself says who and when
        VERBS[verb](site.home.engine, [one], reviewer=name, now=site.now(), expected=1)
    address = address_of(list_id, form)
    kept = [(key, value) for key, value in address.fields.items() if value]
    kept += [(key, str(form[key])) for key in ("after", "before", "pick") if form.get(key)]
    query = urlencode([*kept, *(("done", found) for found in dict.fromkeys(done))])
    return RedirectResponse(f"/lists/{list_id}?{query}#{one}", 303)


def _number(value: object) -> int:
    digits = "".join(character for character in str(value or "") if character.isdecimal())
    return int(digits[:12]) if digits else -1


@router.post("/lists/{list_id}/undo")
def take_back(request: Request, list_id: str, reviewer: Signed, form: Form) -> Response:
    """Take back a decision that has not begun to go out: one row, or everything decided at one moment."""
    site = site_of(request)
    if form.get("one"):
        undo(site.home.engine, [str(form["one"])], reviewer=reviewer.name, now=site.now())
        return RedirectResponse(f"{address_of(list_id, form).with_()}#{form['one']}", 303)
    try:
        at = datetime.fromisoformat(str(form.get("at", "")))
    except ValueError as error:
        raise HTTPException(404) from error
    wanted = Filter(list_id=list_id, tab="declined" if form.get("was") == "declined" else "approved")
    undo(site.home.engine, wanted, reviewer=reviewer.name, now=site.now(), decided_at=at)
    return RedirectResponse(f"/lists/{list_id}", 303)


@router.post("/outreach/{outreach_id}/decide")
def decide_and_next(request: Request, outreach_id: str, reviewer: Signed, form: Form) -> Response:
    """Approve or decline the one that is open, and go on to the next that waits."""
    site = site_of(request)
    verb = str(form.get("do", ""))
    if verb not in VERBS:
        raise HTTPException(404)
    with site.home.engine.connect() as connection:
        row = find_outreach(connection, outreach_id)
        if row is None:
            raise HTTPException(404)
        wanted, order = chosen_filter(row.list_id, form), chosen_order(form)
        _, following = neighbours(connection, wanted, outreach_id, order)
    VERBS[verb](site.home.engine, [outreach_id], reviewer=reviewer.name, now=site.now(), expected=1)
    address = address_of(row.list_id, form)
    if following is None:
        return RedirectResponse(address.with_(), 303)
    query = urlencode(address.fields)
    return RedirectResponse(f"/outreach/{following}" + (f"?{query}" if query else ""), 303)
