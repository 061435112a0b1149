"""What does every screen need? The home, the time, the reader's language, who is signed in, and the templates."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from importlib.resources import files
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from records.reviewers import Reviewer
from serving.home import Home, clock
from serving.playbook import Playbook, load_playbook
from serving.web import charts
from serving.web.language import LANGUAGES, Language, first_name, in_script, with_commands

STYLES = ("tokens.css", "page.css", "list.css", "screens.css")
SCRIPT = "pehle.js"
THEMES = ("auto", "light", "dark")
SESSION_COOKIE = "pehle_session"


@dataclass(frozen=True)
class Site:
    """The app's own things, one per process."""

    home: Home
    wall: Callable[[], datetime]
    base_url: str
    memory: dict[Any, Any] = field(default_factory=dict)  # what is costly to count, kept for a few minutes

    @cached_property
    def simulated(self) -> bool:
        return self.home.simulated

    @cached_property
    def now(self) -> Callable[[], datetime]:
        """The time in the home; sessions and links use `wall`, which nobody can move."""
        return clock(self.home, self.wall)

    @cached_property
    def playbook(self) -> Playbook:
        return load_playbook()

    @cached_property
    def templates(self) -> Environment:
        found = Environment(
            loader=PackageLoader("templates", "pages"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        found.filters["script"] = in_script
        found.filters["commands"] = with_commands
        found.filters["first_name"] = first_name
        found.globals["charts"] = charts
        found.globals["asset"] = asset
        return found

    def language(self, request: Request) -> Language:
        """As the reader chose, else the company's."""
        company = self.home.settings.company
        chosen = request.cookies.get("language", company.language)
        return self.speak(chosen if chosen in LANGUAGES else "en")

    def speak(self, code: str) -> Language:
        company = self.home.settings.company
        return Language(code=code, zone=company.zone, currency=company.currency)

    def title(self, play: str, language: Language) -> str:
        """What a play is called on the screens; its bare name if the playbook no longer has it."""
        for known in self.playbook.plays:
            if known.name == play:
                return known.title[language.code]
        return play.replace("_", " ").capitalize()


def site_of(request: Request) -> Site:
    found: Site = request.app.state.site
    return found


def reviewer_of(request: Request) -> Reviewer | None:
    """Who is signed in; set by `access.require_reviewer`."""
    return getattr(request.state, "reviewer", None)


def form_token(session: str) -> str:
    """What every form of this session carries; it cannot be made without the cookie."""
    return hmac.new(session.encode(), b"pehle form", hashlib.sha256).hexdigest()


def asset(name: str) -> str:
    """The address of a stylesheet or script, changed whenever its content is."""
    return f"/static/{name}?v={hashlib.sha256(asset_bytes(name)).hexdigest()[:12]}"


def asset_bytes(name: str) -> bytes:
    return (files("templates") / "pages" / name).read_bytes()


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A whole page: the frame of the app around `template`, in the reader's language and theme."""
    site = site_of(request)
    language = values.pop("language", None) or site.language(request)
    session = request.cookies.get(SESSION_COOKIE, "")
    theme = request.cookies.get("theme", "auto")
    frame = {
        "t": language,
        "site": site,
        "company": site.home.settings.company,
        "now": values.pop("now", None) or site.now(),
        "request_values": request.query_params,
        "reviewer": reviewer_of(request),
        "form_token": form_token(session) if session else "",
        "theme": theme if theme in THEMES else "auto",
        "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        "path": request.url.path,
        "styles": [asset(name) for name in STYLES],
        "keys": request.cookies.get("keys", "on") != "off",
        "waiting": getattr(request.state, "waiting", 0),
        "title": lambda play: site.title(play, language),
    }
    return HTMLResponse(site.templates.get_template(template).render(**frame, **values), status_code=status)


def part(request: Request, template: str, **values: Any) -> Markup:
    """A piece of a page, without the frame of the app."""
    site = site_of(request)
    return Markup(site.templates.get_template(template).render(site=site, **values))  # noqa: S704  autoescaped
