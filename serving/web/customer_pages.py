"""What does a customer see who follows a link of a message? Stop, settings, a click led on, an opening noted.

These pages need no sign-in: the token in the link is the key, and names one outreach and nothing about a person. GET
changes nothing (mail scanners follow links); POST stops at once, also without a cookie (RFC 8058, one click).
"""

from __future__ import annotations

import base64
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection

from records.outreach import Outreach, find_outreach
from serving import feedback
from serving.message_files import message_files
from serving.safe_values import origin
from serving.tokens import Purpose, link_secret, read_token
from serving.web.language import LANGUAGES
from serving.web.site import Site, render, site_of
from serving.web.wording import channel_words

router = APIRouter()
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
# Fetched by a program, not read by a person: scanners, previews and proxies that fetch every picture.
MACHINES = ("bot", "crawler", "spider", "preview", "proxy", "scanner", "safelinks", "python-", "curl/", "wget/")


def _outreach(site: Site, token: str, purpose: Purpose) -> Outreach | None:
    """The outreach a link of this purpose belongs to."""
    outreach_id = read_token(link_secret(site.home.engine), token, purpose)
    if outreach_id is None:
        return None
    with site.home.engine.connect() as connection:
        return _find(connection, outreach_id)


def _find(connection: Connection, outreach_id: str) -> Outreach | None:
    return find_outreach(connection, outreach_id)


def _page(
    request: Request, row: Outreach | None, kind: str, *, token: str = "", status: int = 200, **more: str
) -> Response:
    """A page in the customer's language; in the company's where the link names nobody."""
    site = site_of(request)
    company = site.home.settings.company
    code = row.language if row is not None and row.language in LANGUAGES else company.language
    language = site.speak(code)
    brand = company.name_hi if code == "hi" and company.name_hi else company.name
    answer = render(
        request,
        "customer.html",
        status=status,
        language=language,
        kind=kind,
        token=token,
        brand=brand,
        email=company.support_email,
        channel=channel_words(row.channel, language) if row is not None else "",
        more=more,
    )
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


@router.get("/u/{token}")
def ask_to_stop(request: Request, token: str) -> Response:
    """Ask once, since scanners follow links; the button stops."""
    row = _outreach(site_of(request), token, "unsubscribe")
    if row is None:
        return _page(request, None, "unknown", status=404)
    return _page(request, row, _kind("ask", row), token=token)


@router.post("/u/{token}")
def stop(request: Request, token: str) -> Response:
    """Stop at once. Mail programs post here themselves (List-Unsubscribe-Post), without cookie or form of ours."""
    site = site_of(request)
    row = _outreach(site, token, "unsubscribe")
    if row is None or feedback.unsubscribe(site.home.engine, token, site.now()) is None:
        return _page(request, None, "unknown", status=404)
    return _page(request, row, _kind("thanks", row))


def _kind(page: str, row: Outreach) -> str:
    """Whoever stops a service message also gets no more of those on that channel, and is told so."""
    return f"{page}_service" if row.purpose == "service" else page


@router.get("/m/{token}")
def message_settings(request: Request, token: str) -> Response:
    """The settings link in the foot of an e-mail: what can be stopped, and how."""
    row = _outreach(site_of(request), token, "settings")
    if row is None:
        return _page(request, None, "unknown", status=404)
    return _page(request, row, "settings", token=token)


@router.post("/m/{token}")
def stop_everything(request: Request, token: str) -> Response:
    """Stop the offers, on every channel."""
    site = site_of(request)
    row = _outreach(site, token, "settings")
    if row is None:
        return _page(request, None, "unknown", status=404)
    feedback.stop(site.home.engine, row.customer_id, site.now(), "settings page")
    return _page(request, row, "thanks")


@router.get("/c/{token}/{link}")
def click(request: Request, token: str, link: str) -> Response:
    """Count the click and lead on, only ever to the company's own site over https."""
    site = site_of(request)
    row = _outreach(site, token, "click")
    target = _target(site, row, link) if row is not None else None
    if row is None or target is None:
        return _page(request, row, "unknown", status=404)
    feedback.record_click(site.home.engine, token, link, site.now(), machine=_machine(request))
    if site.simulated:
        return _page(request, row, "leads", address=target)
    return RedirectResponse(target, 303, headers={"Referrer-Policy": "no-referrer"})


def _target(site: Site, row: Outreach, link: str) -> str | None:
    """The page this link of the message means; None unless it is https on the company's own host."""
    path = {str(name): where for name, where in message_files(row.message).meta.links.items()}.get(link)
    if path is None:
        return None
    website = site.home.settings.company.website.rstrip("/")
    target = website + path
    same = urlsplit(target).scheme == "https" and origin(target) == origin(website)
    return target if same else None


@router.get("/o/{token}")
def opened(request: Request, token: str) -> Response:
    """A picture of one dot; asking for it says that the mail was opened, by a person or by a program."""
    site = site_of(request)
    if _outreach(site, token, "open") is not None and request.method == "GET":
        feedback.record_open(site.home.engine, token, site.now(), machine=_machine(request))
    return Response(PIXEL, media_type="image/gif", headers={"Cross-Origin-Resource-Policy": "cross-origin"})


def _machine(request: Request) -> bool:
    """Did a program ask, rather than a person?"""
    agent = request.headers.get("user-agent", "").lower()
    early = request.headers.get("sec-purpose") or request.headers.get("purpose") or ""
    return request.method != "GET" or not agent or "prefetch" in early or any(word in agent for word in MACHINES)
