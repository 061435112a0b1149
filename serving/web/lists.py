"""Which lists are there, and when is the next one planned?"""

from __future__ import annotations

from datetime import datetime, timedelta

from fastapi import APIRouter, Request, Response

from records.browsing import counts, lists
from serving.web.access import Signed
from serving.web.site import Site, render, site_of

router = APIRouter()
UNDO_MARGIN = timedelta(minutes=1)  # an undo in the minute of the sending could lose against the sender


def next_planning(site: Site, now: datetime) -> datetime:
    """When the next list is planned."""
    # Loads APScheduler: only where the state of the jobs is asked for.
    from serving.schedule import status

    jobs = status(site.home.engine, site.home.settings.company.zone, now)
    return next((job.next_run for job in jobs if job.name == "plan"), now)


@router.get("/lists")
def all_lists(request: Request, reviewer: Signed) -> Response:
    """Every list, the newest first."""
    site = site_of(request)
    now = site.now()
    with site.home.engine.connect() as connection:
        rows = [(found, counts(connection, found.list_id)) for found in lists(connection)]
    return render(request, "lists.html", now=now, rows=rows, next_plan=next_planning(site, now))
