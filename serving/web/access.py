"""Who may come in, and may this form change anything? One-time links, sessions, and refusal of foreign forms.

A form from another site is refused twice over: by where the browser says it comes from (Sec-Fetch-Site, else Origin),
and by a token that only pages of this session carry. Times here are the wall clock's: a simulated home may skip
ahead, its sessions may not.
"""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from records.review_queries import waiting_count
from records.reviewers import Reviewer, end_session, find_session, link_owner, use_link
from serving.web.language import LANGUAGES
from serving.web.site import SESSION_COOKIE, THEMES, form_token, render, site_of

router = APIRouter()
YEAR = 365 * 24 * 3600


def safe_path(wanted: str | None) -> str:
    """A path of this app to go back to; anything that could lead elsewhere becomes Today."""
    if not wanted or not wanted.startswith("/") or wanted.startswith(("//", "/\\")):
        return "/"
    parts = urlsplit(wanted)
    return "/" if parts.scheme or parts.netloc or "\\" in wanted else wanted


def require_reviewer(request: Request) -> Reviewer:
    """Who is signed in, or the way to the sign-in page."""
    site = site_of(request)
    token = request.cookies.get(SESSION_COOKIE, "")
    idle = timedelta(minutes=site.home.settings.web.idle_minutes)
    found = find_session(site.home.engine, token, site.wall(), idle) if token else None
    if found is None:
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        target = f"/signin?next={quote(back)}" if request.method == "GET" and back != "/" else "/signin"
        raise HTTPException(303, headers={"Location": target})
    request.state.reviewer = found
    with site.home.engine.connect() as connection:
        request.state.waiting = waiting_count(connection)
    return found


async def read_form(request: Request) -> FormData:
    """The fields of a form of ours.

    Raises 403 if the browser says that another site sent it, or if it lacks this session's token.
    """
    refuse_foreign(request)
    form = await request.form(max_fields=2_000)
    expected = form_token(request.cookies.get(SESSION_COOKIE, ""))
    if not hmac.compare_digest(str(form.get("form_token", "")).encode(errors="replace"), expected.encode()):
        raise HTTPException(403, "form")
    return form


def refuse_foreign(request: Request) -> None:
    """Raise 403 unless the request comes from a page of this app. A client that says nothing is refused as well."""
    sent_from = request.headers.get("sec-fetch-site")
    if sent_from is not None:
        if sent_from not in ("same-origin", "none"):
            raise HTTPException(403, "form")
        return
    origin = request.headers.get("origin")
    if origin is None or urlsplit(origin).netloc != request.headers.get("host", ""):
        raise HTTPException(403, "form")


Signed = Annotated[Reviewer, Depends(require_reviewer)]
Form = Annotated[FormData, Depends(read_form)]


@router.get("/signin")
def signin_page(request: Request) -> Response:
    """How to get a link; nothing to type, since there are no passwords."""
    return render(request, "signin.html", owner=None, token="", failed=False)


@router.get("/signin/{token}")
def signin_link(request: Request, token: str) -> Response:
    """Show whom this link signs in. Only the button uses it up: mail scanners open links too."""
    site = site_of(request)
    with site.home.engine.connect() as connection:
        owner = link_owner(connection, token, site.wall())
    return render(request, "signin.html", owner=owner, token=token, failed=owner is None, status=200 if owner else 410)


@router.post("/signin/{token}")
def signin(request: Request, token: str) -> Response:
    """Trade the link for a session; works once."""
    refuse_foreign(request)
    site = site_of(request)
    life = timedelta(hours=site.home.settings.web.session_hours)
    session = use_link(site.home.engine, token, site.wall(), life)
    if session is None:
        return render(request, "signin.html", owner=None, token="", failed=True, status=410)
    answer = RedirectResponse("/", 303)
    answer.set_cookie(
        SESSION_COOKIE,
        session,
        max_age=int(life.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/signout")
def signout(request: Request, form: Form) -> Response:
    """End the session here and on the server."""
    site = site_of(request)
    end_session(site.home.engine, request.cookies.get(SESSION_COOKIE, ""), site.wall())
    answer = RedirectResponse("/signin", 303)
    answer.delete_cookie(SESSION_COOKIE)
    return answer


@router.post("/preferences")
async def preferences(request: Request) -> Response:
    """Remember language, theme or keys in this browser. Harmless, so it needs no session, only our own page."""
    refuse_foreign(request)
    form = await request.form(max_fields=10)
    answer = RedirectResponse(safe_path(str(form.get("back", "/"))), 303)
    for name, allowed in (("language", LANGUAGES), ("theme", THEMES), ("keys", ("on", "off"))):
        value = str(form.get(name, ""))
        if value in allowed:
            answer.set_cookie(name, value, max_age=YEAR, samesite="lax", httponly=True)
    return answer
