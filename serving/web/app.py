"""Which screens are there, and what guards all of them?"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from sqlalchemy.exc import SQLAlchemyError

from records.errors import PehleError
from serving.home import Home
from serving.web import (
    access,
    customer_pages,
    deciding,
    health,
    lists,
    models,
    one_list,
    one_outreach,
    outbox,
    previews,
    results,
    today,
)
from serving.web.site import SCRIPT, STYLES, Site, asset_bytes, render

log = logging.getLogger(__name__)
SAFE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
KINDS = {"css": "text/css", "js": "text/javascript"}


def create_app(home: Home, wall: Callable[[], datetime], base_url: str = "") -> FastAPI:
    """The review web app of one home.

    Parameters
    ----------
    home
        Opened and migrated.
    wall
        The wall clock; the home's own time (a simulated home may be ahead) is derived from it.
    base_url
        Where this app is reached from outside; default: `[sending] base_url`.
    """
    app = FastAPI(title="Pehle", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.site = Site(home, wall, base_url or home.settings.sending.base_url)
    for screen in (
        access, today, lists, one_list, deciding, one_outreach, previews, outbox, results, models, customer_pages,
        health,
    ):  # fmt: skip
        app.include_router(screen.router)
    app.get("/static/{name}")(static)
    app.middleware("http")(guard)
    app.exception_handler(HTTPException)(said_no)
    app.exception_handler(404)(said_no)
    app.exception_handler(RequestValidationError)(not_understood)
    app.exception_handler(PehleError)(refused)
    app.exception_handler(SQLAlchemyError)(database_failed)
    app.exception_handler(Exception)(broke)
    return app


async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Put the security headers on every answer; a page may set stricter or frame-friendly ones itself."""
    answer = await call_next(request)
    for name, value in SAFE_HEADERS.items():
        answer.headers.setdefault(name, value)
    return answer


def static(name: str) -> Response:
    """Our stylesheets and the one script; their address changes with their content."""
    if name not in (*STYLES, SCRIPT):
        raise HTTPException(404)
    kind = KINDS[name.rsplit(".", 1)[-1]]
    return Response(
        asset_bytes(name), media_type=kind, headers={"Cache-Control": "public, max-age=31536000, immutable"}
    )


async def said_no(request: Request, error: Exception) -> Response:
    """A redirect, or a page that says what is not possible and the way on."""
    status = getattr(error, "status_code", 500)
    headers = getattr(error, "headers", None) or {}
    if "Location" in headers:
        return PlainTextResponse("", status, headers=dict(headers))
    kind = "form" if status == 403 else "missing" if status == 404 else "other"
    return render(request, "error.html", kind=kind, detail="", code=str(status), status=status)


async def not_understood(request: Request, error: Exception) -> Response:
    """An address or form that does not make sense."""
    return render(request, "error.html", kind="other", detail="", code="422", status=422)


async def refused(request: Request, error: Exception) -> Response:
    """Something a person can mend: its own words, which name the remedy."""
    return render(request, "error.html", kind="refused", detail=str(error), code=type(error).__name__, status=409)


async def broke(request: Request, error: Exception) -> Response:
    """Something we did not foresee. The server's own log has the trace; the page has only a way on."""
    answer = render(request, "error.html", kind="broken", detail="", code=type(error).__name__, status=500)
    for name, value in SAFE_HEADERS.items():  # this answer passes outside the guard
        answer.headers.setdefault(name, value)
    return answer


async def database_failed(request: Request, error: Exception) -> Response:
    """The database did not answer: nothing was changed. The log has the kind of error and a code, no customer data."""
    code = secrets.token_hex(4)
    log.error("database error %s on %s: %s", code, request.method, type(error).__name__)
    return render(request, "error.html", kind="database", detail="", code=code, status=503)
