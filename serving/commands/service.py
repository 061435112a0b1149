"""The operator's commands: `serve`, `work`, `up`, `status`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serving.commands.shared_options import (
    HomeOption,
    JsonOption,
    clock_of,
    opened,
    show,
    show_json,
    show_table,
    tell,
    wall_clock,
)

if TYPE_CHECKING:
    from serving.home import Home

PortOption = Annotated[int | None, typer.Option(metavar="P", help="Port; a taken one moves on to the next.")]
ReviewerOption = Annotated[str, typer.Option("--as", metavar="NAME", help="Who signs in with the printed link.")]


def serve(port: PortOption = None, reviewer: ReviewerOption = "Meera Iyer", home: HomeOption = None) -> None:
    """The review web app. Prints a sign-in link that works once.

    Example: pehle serve --port 8800
    """
    place = opened(home)
    run_web(place, port, reviewer)


def work(
    home: HomeOption = None,
    beside: Annotated[
        bool, typer.Option("--beside", hidden=True, help="End with the process that began this one.")
    ] = False,
) -> None:
    """Scheduler and sender: import, score, plan and retrain by night, send when messages are due. Ends with Ctrl-C.

    Example: pehle work
    """
    from functools import partial
    from time import sleep

    from records.leadership import leadership
    from serving.jobs import work as jobs_of
    from serving.schedule import JOBS, TICK_SECONDS, owner_name, run_forever, tick

    place = opened(home)
    _log_to_stderr()
    owner, parent = owner_name(), os.getppid() if beside else None
    told = False
    while not _left_alone(parent):
        with leadership(place.engine, place.data) as leads:
            if leads:
                tell(f"Working in {place.path}; Ctrl-C ends it.")
                each = partial(
                    tick, place.engine, place.settings.company.zone, jobs_of(place, owner), clock_of(place), owner
                )
                rare = [job for job in JOBS if not job.frequent]
                often = [job for job in JOBS if job.frequent]
                run_forever(
                    [partial(each, rare, wall_clock), partial(each, often, wall_clock)],
                    until=partial(_left_alone, parent),
                )
                return
        if not told:
            tell("Another process works in this home; waiting to take over.")
            told = True
        sleep(TICK_SECONDS)


def _left_alone(parent: int | None) -> bool:
    """Has the web app this worker belongs to died without ending it?"""
    return parent is not None and os.getppid() != parent


def up(port: PortOption = None, reviewer: ReviewerOption = "Meera Iyer", home: HomeOption = None) -> None:
    """Both at once: the web app here, scheduler and sender in a process beside it.

    Example: pehle up
    """
    place = opened(home)
    run_up(place, port, reviewer)


def run_up(place: Home, port: int | None, reviewer: str) -> None:
    """Serve, with a worker process that ends when this one does."""
    import signal

    socket, place = _listening(place, port)
    command = [sys.executable, "-m", "serving.cli", "work", "--beside", "--home", str(place.path)]
    worker = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - our own command, no shell
    # When the web app is told to end, uvicorn closes it and then raises the signal again: unhandled, that would end
    # this process before it could end the worker.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        _run_app(place, socket, reviewer)
    finally:
        worker.terminate()
        worker.wait(timeout=30)


def run_web(place: Home, port: int | None, reviewer: str) -> None:
    """Listen, print where, and serve until stopped."""
    socket, place = _listening(place, port)
    _run_app(place, socket, reviewer)


def _listening(place: Home, port: int | None) -> tuple[socket.socket, Home]:
    """The socket, and the home whose messages link to this very app where nothing else is set."""
    from serving.home import Home
    from serving.settings import SendingOptions
    from serving.web.listening import listen

    web = place.settings.web
    found, bound = listen(web.host, web.port if port is None else port)
    if place.settings.sending.base_url == SendingOptions().base_url:
        os.environ["PEHLE_SENDING__BASE_URL"] = f"http://{web.host}:{bound}"  # the worker process inherits it
        place = Home(place.path)
    return found, place


def _run_app(place: Home, listening: socket.socket, reviewer: str) -> None:
    import uvicorn

    from records.reviewers import create_signin_link
    from serving.web.app import create_app

    host, port = listening.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    token = create_signin_link(place.engine, reviewer, wall_clock())
    tell("")
    tell(f"  Open  {address}/signin/{token}")
    tell("  The link signs you in once. Ctrl-C stops the server.")
    app = create_app(place, wall_clock)
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
    uvicorn.Server(config).run(sockets=[listening])


def _log_to_stderr() -> None:
    import logging

    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(message)s")


def status(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """What ran, what is late, what waits.

    Example: pehle status --json
    """
    from serving.jobs import status as job_status

    place = opened(home)
    found = job_status(place, clock_of(place)())
    if as_json:
        show_json(found)
        return
    events = found["events"]
    if not isinstance(events, dict) or not isinstance(found["jobs"], list) or not isinstance(found["outreach"], dict):
        raise TypeError
    span = f", {events['first']} to {events['last']}" if events["count"] else "; import some with `pehle import events`"
    whose = f"{found['customers']} customer{'' if found['customers'] == 1 else 's'}"
    show(f"{events['count']} event{'' if events['count'] == 1 else 's'} from {whose}{span}")
    if events["count"] and events["stale"]:
        limit = place.settings.planning.max_staleness_days
        show(f"the newest event is older than {limit} days: nothing is planned or sent; `pehle import events` goes on")
    show(f"model in use: {found['champion'] or 'none; make one with `pehle train`'}")
    last = str(events["last"] or "")
    for line in [*_model_lines(found["models"], last), *_imported_lines(found["imported"], last)]:
        show(line)
    for name in found["without_model"] if found["models"] and isinstance(found["without_model"], list) else []:
        show(f"definition {name}: no model yet; make one with `pehle train`")
    waiting = ", ".join(f"{count} {state}" for state, count in found["outreach"].items()) or "none planned"
    show(f"outreach: {waiting}")
    rows = [
        [job["name"], str(job["last_run"] or "never")[:16], str(job["next_run"])[:16], _job_note(job)]
        for job in found["jobs"]
    ]
    show_table([["job", "last run", "next run (UTC)", ""], *rows])


def _job_note(job: Mapping[str, Any]) -> str:
    """What is wrong with the job: its last run failed, and why, or it is late."""
    if job["last_state"] == "failed":
        return f"FAILED: {job['detail'] or 'see the log of pehle work'}"
    return "LATE" if job["late"] else ""


def _model_lines(states: object, last: str) -> list[str]:
    """How each model in use does: one line for what happened since, one for each reason to train again."""
    lines = []
    for state in states if isinstance(states, list) else []:
        name = f"model {state['version'] or 'none'}"
        name += f" of {state['definition']}" if state["definition"] != "default" else ""
        if not state["declared"]:
            lines.append(f"{name}: [churn.{state['definition']}] is no longer in pehle.toml, nobody is scored with it")
            continue
        lines += _came_out(name, state, last)
        if state["drift"]:
            drift = state["drift"]
            lines.append(
                f"{name}: {drift['much']} of {drift['signals']} signals changed much, {drift['some']} some, "
                f"beyond what it has learnt from{_named(drift)}"
            )
        lines += [f"{name}: train again, {RETRAIN[one['reason']]}: pehle train" for one in state["retrain"]]
    return lines


def _named(drift: Mapping[str, Any]) -> str:
    """Which signals changed most; nothing where none did."""
    names = [str(change["signal"]) for change in drift["changes"][:SHOWN_CHANGES]]
    more = drift["much"] + drift["some"] - len(names)
    return (": " + ", ".join(names) + (f" and {more} more" if more else "")) if names else ""


def _imported_lines(states: object, last: str) -> list[str]:
    """How the scores made elsewhere did."""
    lines = []
    for state in states if isinstance(states, list) else []:
        name = f"scores made elsewhere, {state['version']}"
        lines.append(f"{name}: {state['customers']} customers as of {state['as_of'][:10]}")
        lines += _came_out(name, state, last)
    return lines


def _came_out(name: str, state: Mapping[str, Any], last: str) -> list[str]:
    """What the scorings whose horizon is over say; before there are any, when there will be. `last`: the last event."""
    if state["matured"]:
        loss, level = state["matured"]["log_loss"], state["matured"]["intercept"]
        return [
            f"{name}: log loss {loss['value']:.4f} [{loss['low']:.4f}, {loss['high']:.4f}] on "
            f"{state['matured']['customers']} customers scored {state['matured']['as_of'][:10]}; calibration "
            f"intercept {level['value']:+.2f} [{level['low']:+.2f}, {level['high']:+.2f}]"
        ]
    if state["first_known"] and state["first_known"] <= last:
        return [f"{name}: its first scores can be judged; `pehle work` does so at night"]
    if state["first_known"]:
        return [f"{name}: not enough data yet; its first scores can be judged on {state['first_known'][:10]}"]
    return [f"{name}: not enough data yet to judge its scores"]


SHOWN_CHANGES = 5
RETRAIN = {
    "loss": "its scores came out worse than when it was judged",
    "useless": "its scores came out no better than the same risk for everybody",
    "level": "clearly more or fewer left than it foresaw",
    "schema": "events it knows no longer come, or new ones do",
    "calendar": "it is old",
}


def signin(reviewer: ReviewerOption = "Meera Iyer", home: HomeOption = None) -> None:
    """A new sign-in link for a running web app; it works once, within an hour.

    Example: pehle signin --as "Meera Iyer"
    """
    from records.reviewers import create_signin_link

    place = opened(home)
    token = create_signin_link(place.engine, reviewer, wall_clock())
    show(f"{place.settings.sending.base_url.rstrip('/')}/signin/{token}")
