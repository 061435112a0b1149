"""What does each job do, step by step? Only sequence: read, call a function that decides, write.

Every job takes `now` and returns one line for people. The schedule, the commands and the demo all call these.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import records.outreach
from records.errors import NotEnoughData
from records.events import EventLog
from records.inbox import move_inbox
from serving.home import Home
from serving.playbook import load_playbook
from serving.watching import watch

Progress = Callable[[str], None]
SUNDAY = 6
REST = timedelta(days=3)  # between two trainings that something asked for: a new model needs scores to be judged by


def quiet(_: str) -> None:
    """A progress that nobody watches."""


def default_as_of(log: EventLog) -> datetime:
    """UTC midnight after the last event: everything known is before it.

    Raises
    ------
    NotEnoughData
        The log is empty.
    """
    last = log.summary().last
    if last is None:
        msg = "The event log is empty."
        raise NotEnoughData(msg, remedy="Import events first: `pehle import events FILE`.", found=0, needed=1)
    return last.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def known_until(log: EventLog, now: datetime) -> datetime:
    """Where the data of a scheduled job end: at the end of the log, and never after `now`.

    Today's own messages are in the log by then, and its end would be tonight.
    """
    return min(default_as_of(log), now)


def import_new(home: Home, now: datetime) -> str:
    """Live events from the inbox and files from the incoming folder; in a simulated home, the days gone by."""
    moved = move_inbox(home.engine, home.log)
    if home.simulated:
        from serving.demo import simulate_until

        lived = simulate_until(home, now)
        return f"{moved} live events, {lived} from the simulation"
    files = _incoming(home)
    accepted = rejected = 0
    for file in files:
        report = _import_file(home, file, now)
        accepted, rejected = accepted + report[0], rejected + report[1]
    return f"{moved} live events, {accepted} from {len(files)} files, {rejected} quarantined"


def _incoming(home: Home) -> Sequence[Path]:
    folder = home.path / home.settings.imports.folder
    return sorted(file for file in folder.glob("*") if file.is_file()) if folder.is_dir() else []


def _import_file(home: Home, file: Path, now: datetime) -> tuple[int, int]:
    """Import one dropped file and put it aside: done ones under done/, unreadable ones stay and are reported."""
    from records.importing import import_events
    from records.mapping import load_mapping

    name = home.settings.imports.mapping
    mapping = load_mapping(name) if name else None
    report = import_events(home.log, [file], mapping, now=now, quarantine=home.data / "quarantine")
    done = file.parent / "done"
    done.mkdir(exist_ok=True)
    shutil.move(file, done / f"{now:%Y%m%dT%H%M%S}-{file.name}")
    return report.accepted, report.rejected


def train(home: Home, as_of: datetime, now: datetime, progress: Progress = quiet) -> str:
    """Candidates, judged; the winner promoted if it passes the gate."""
    from serving.each_definition import train_each

    found = train_each(home, as_of, now, progress, by="job:retrain")
    return "; ".join([*(f"{one.winner} won; {one.why}" for one in found.results), *found.failed])


def retrain(home: Home, slot: datetime, now: datetime) -> str:
    """Train on Sundays, and on another night if the model in use is found to be wrong or its log has changed."""
    from serving.model_status import model_states, wants_training

    if slot.astimezone(home.settings.company.zone).weekday() != SUNDAY:
        asking = [state for state in model_states(home, now) if wants_training(state, now, REST)]
        if not asking:
            return "not due: nothing asks for it before Sunday"
    return train(home, known_until(home.log, now), now)


def read_texts(home: Home, now: datetime) -> str:
    """What customers wrote, read by the text model in use: one `text_scored` event for each text that has none yet."""
    from training.definitions import definitions
    from training.registry import Registry

    registry = Registry(home.mlruns)
    for name in reversed(definitions(home.settings.churn)):
        model = registry.champion_or_none(name)
        if model and model.text:
            read = home.log.append(model.text.unwritten(home.log, now)).accepted
            return f"{read} texts read"
    return "nothing to do: no model in use reads texts"


def score(home: Home, as_of: datetime, now: datetime, model: str = "champion") -> str:
    """Every eligible customer scored with the model in use, or with another one that is named."""
    from serving.each_definition import score_each

    found = score_each(home, as_of, now, model)
    told = f"{found.customers} customers scored with model {found.versions}, data until {as_of:%Y-%m-%d %H:%M} UTC"
    return "; ".join([told, *found.failed])


def plan(home: Home, as_of: datetime, now: datetime) -> str:
    """One outreach list for review."""
    from serving.planning import plan as plan_outreach

    result = plan_outreach(home.engine, home.log, home.settings, load_playbook(), as_of, now)
    left_out = sum(result.left_out.values())
    counted = f"{result.planned} wait for review, {result.held_out} in the comparison group, {left_out} left out"
    return f"{result.list_id}: {counted}"


def send(home: Home, now: datetime, owner: str) -> str:
    """One pass of the sender: what is due, approved and still true goes out; what is past its time expires."""
    from serving.channels import open_channels
    from serving.review import expire
    from serving.sending import send_due

    expired = expire(home.engine, now)
    channels = open_channels(home.settings.sending, home.outbox, simulated=home.simulated)
    report = send_due(home.engine, home.log, home.settings, channels, now, owner)
    return f"{report.sent} sent, {report.refused} refused, {report.unknown} unclear, {expired} expired"


def work(home: Home, owner: str) -> Mapping[str, Callable[[datetime, datetime], str]]:
    """The jobs by the names the schedule knows; each takes (slot, now)."""
    return {
        "import": lambda slot, now: import_new(home, now),
        "retrain": lambda slot, now: retrain(home, slot, now),
        "texts": lambda slot, now: read_texts(home, now),
        "score": lambda slot, now: score(home, known_until(home.log, now), now),
        "plan": lambda slot, now: plan(home, known_until(home.log, now), now),
        "watch": lambda slot, now: watch(home, known_until(home.log, now), now),
        "send": lambda slot, now: send(home, now, owner),
    }


def status(home: Home, now: datetime) -> dict[str, object]:
    """What ran, what is late, what waits; the value of `pehle status --json`."""
    from serving.imported_status import imported_states
    from serving.model_status import in_use, model_states, without_model
    from serving.planning import is_stale
    from serving.schedule import status as jobs_status

    summary, states = home.log.summary(), model_states(home, now)
    stale = is_stale(summary.last, home.settings, now)
    jobs = jobs_status(home.engine, home.settings.company.zone, now)
    return {
        "events": {"count": summary.count, "first": _iso(summary.first), "last": _iso(summary.last), "stale": stale},
        "customers": summary.customers,
        "jobs": [
            {
                "name": job.name,
                "last_run": _iso(job.last_run),
                "last_state": job.last_state,
                "detail": job.detail,
                "next_run": _iso(job.next_run),
                "late": job.late,
            }
            for job in jobs
        ],
        "outreach": records.outreach.count_by_state(home.engine),
        "champion": in_use(states),
        "models": [state.to_json() for state in states],
        "without_model": without_model(home),
        "imported": [state.to_json() for state in imported_states(home)],
        "simulated": home.simulated,
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None
