"""Is this home alive, and does everything run on time? For monitors: one word, no names, no customer data."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError

from serving.web.site import site_of

router = APIRouter()


@router.get("/healthz")
def health(request: Request) -> Response:
    """200 "ok"; 503 "late" with the jobs that are late, or "database" if it does not answer."""
    # Loads APScheduler: only where the state of the jobs is asked for.
    from serving.schedule import status

    site = site_of(request)
    try:
        jobs = status(site.home.engine, site.home.settings.company.zone, site.now())
    except SQLAlchemyError:
        return JSONResponse({"status": "database", "late": []}, 503)
    late = [job.name for job in jobs if job.late]
    return JSONResponse({"status": "late" if late else "ok", "late": late}, 503 if late else 200)
