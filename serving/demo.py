"""How does a newcomer get a company to look at? Saral is simulated, learned from, and planned for, in minutes.

Each stage is the one a real company goes through: events in, model trained, customers scored, list planned. Only the
source of the events differs. In a simulated home time can be moved on: what was approved goes out, and the customers
react to it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from records.browsing import sent_between
from records.database import get_state, set_state
from records.errors import HomeError
from records.people import Customer, record_consents, save_customers
from serving import jobs
from serving.home import SIMULATED, Home, clock, create_home, move_clock, open_home

if TYPE_CHECKING:
    import pyarrow as pa

    from records.simulation import Saral

Stage = Callable[[str], AbstractContextManager[Callable[[str], None]]]
DAY = timedelta(days=1)
MADE = "simulation_made"  # home_state: with what the demo was made; absent until its history is complete
SETTINGS = """\
# Saral, a simulated company. Everything here is invented; nothing can leave this machine.
[company]
name = "Saral"
name_hi = "सरल"
timezone = "Asia/Kolkata"
currency = "INR"
website = "https://saral.invalid"
support_email = "help@saral.invalid"
postal_address = "Saral (simulated company), 12 MG Road, Indore 452001, India"

[churn]
definition = "event"
event = "subscription_cancelled"
returned_by = ["subscription_started"]
activity = []
horizon_days = 90
active_within_days = 180
bands = { high = 0.2, medium = 0.08 }  # about 8 in 100 leave within 90 days

[sending]
from_address = "namaste@saral.invalid"
"""


def build(path: Path, *, customers: int, until: datetime | None, seed: int, wall: datetime, stage: Stage) -> Home:
    """A home with a simulated company, its model, its scores and a list that waits; an existing one is opened as it is.

    Raises
    ------
    HomeError
        The home holds real events, or a demo made with other numbers.
    """
    home = create_home(path, SIMULATED)
    day = until or midnight(wall)
    made = {"customers": customers, "seed": seed}
    found = get_state(home.engine, MADE)
    if found is not None:
        if {key: found[key] for key in made} != made or (until is not None and found["until"] != day.isoformat()):
            msg = f"There is a demo in {home.path} already, made with other numbers: {_in_words(found)}."
            raise HomeError(msg, remedy="Name another folder with --home DIR, or remove this one.")
        with stage("found") as done:
            done(f"the demo that is there already: {_in_words(found)}; let time pass with --advance DAYS")
        return home
    home = _begun_anew(home)
    with stage("simulate") as done:
        saral = _simulate(home, customers, day, seed, done)
    set_state(home.engine, "clock_offset_seconds", (day - midnight(wall)).total_seconds())
    with stage("people") as done:
        done(_people(home, saral, day))
    now = day + (wall - midnight(wall))
    for name, step in _learn_and_plan(home, day, now):
        with stage(name) as done:
            done(step(done))
    saral.save(_state_file(home))
    set_state(home.engine, MADE, {**made, "until": day.isoformat()})
    return home


def advance_days(path: Path, days: int, wall: datetime, stage: Stage) -> Home:
    """Let `days` pass in the demo at `path`: messages go out, customers react, and a new list is planned.

    Raises
    ------
    HomeError
        There is no demo.
    """
    home = open_home(path)
    now = clock(home, lambda: wall)()
    with stage("advance") as done:
        done(move_on(home, now + days * DAY, wall))
    return home


def move_on(home: Home, to: datetime, wall: datetime) -> str:
    """Move a simulated home's clock to `to`, doing on the way what would have been done: send, live, read, score, plan.

    Returns one line for people.
    """
    now = clock(home, lambda: wall)()
    day, lived, sent = midnight(now), [], []
    for moment in _hours(now, to):
        move_clock(home, moment, wall)
        if midnight(moment) > day:  # the day is over: the customers have lived it, and it can be read
            day = midnight(moment)
            lived.append(jobs.import_new(home, moment))
        sent.append(jobs.send(home, moment, "demo"))
    if not lived:
        return sent[-1]
    jobs.read_texts(home, to)
    as_of = jobs.known_until(home.log, to)
    return f"{len(lived)} days passed; {_score(home, as_of, to)}; {jobs.plan(home, as_of, to)}"


def simulate_until(home: Home, now: datetime) -> int:
    """Let the simulated customers live every day that is over by `now`, in reaction to what was sent; events added."""
    from records.simulation import Contact, Saral

    file = _state_file(home)
    if not file.exists():
        return 0
    saral, added = Saral.load(file), 0
    while saral.today + DAY <= now:
        day = saral.today
        with home.engine.connect() as connection:
            rows = sent_between(connection, day, day + DAY)
        sent = [
            Contact(
                outreach_id=row.outreach_id,
                customer_id=row.customer_id,
                play="delivery_sorry" if row.play == "delivery_coupon" else row.play,
                channel=row.channel,
                language=row.language,
                sent_at=row.sent_at,
                coupon=row.play == "delivery_coupon",
            )
            for row in rows
            if row.sent_at is not None
        ]
        events = saral.step(day, sent)
        added += home.log.append(events).accepted
        _hear(home, events)
        # Saved day by day: a crash repeats at most one day, whose events the log then knows as duplicates.
        saral.save(file)
    return added


def midnight(moment: datetime) -> datetime:
    """The UTC midnight before `moment`."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _hours(now: datetime, to: datetime) -> Iterator[datetime]:
    """Every full hour after `now` until `to`, then `to` itself: when a sender would have looked."""
    moment = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    while moment < to:
        yield moment
        moment += timedelta(hours=1)
    yield to


def _begun_anew(home: Home) -> Home:
    """An empty simulated home: whatever an unfinished demo left is dropped, since all of it can be made again."""
    home.engine.dispose()
    for folder in (home.data, home.mlruns / "artifacts", home.outbox):
        shutil.rmtree(folder, ignore_errors=True)
    (home.mlruns / "mlflow.db").unlink(missing_ok=True)
    home.settings_file.write_text(SETTINGS, encoding="utf-8")  # before the new home reads it
    fresh = create_home(home.path, SIMULATED)
    fresh.simulation.mkdir(parents=True, exist_ok=True)
    return fresh


def _simulate(home: Home, customers: int, until: datetime, seed: int, done: Callable[[str], None]) -> Saral:
    from records.simulation import Saral

    saral = Saral(customers=customers, until=until, seed=seed)
    events = sum(home.log.append(table).accepted for table in saral.history())
    done(f"{events:,} events from {customers:,} customers, {saral.start:%d %b %Y} to {until:%d %b %Y}")
    return saral


def _people(home: Home, saral: Saral, day: datetime) -> str:
    """Names, addresses and consents, and the two quarters of campaigns that are over."""
    from serving.finished import store_finished
    from serving.playbook import load_playbook

    known = {row[0] for row in home.log.connection().execute("select distinct customer_id from events").fetchall()}
    people: Iterable[Customer] = (
        Customer(
            customer_id=one.customer_id,
            name=one.name,
            email=one.email or None,
            phone=one.phone or None,
            language=one.language,
            city=one.city,
            timezone=one.timezone,
            attributes=one.attributes,
        )
        for one in saral.people()
        if one.customer_id in known
    )
    saved = save_customers(home.engine, people, known_at=day)
    record_consents(home.engine, (row for row in saral.consents() if row["customer_id"] in known))
    past = store_finished(home.engine, saral.past_campaigns(), load_playbook(), home.settings, day)
    return f"{saved:,} names and consents; {past:,} messages of two finished quarters"


def _learn_and_plan(
    home: Home, as_of: datetime, now: datetime
) -> Iterator[tuple[str, Callable[[Callable[[str], None]], str]]]:
    yield "train", lambda done: jobs.train(home, as_of, now)
    yield "texts", lambda done: jobs.read_texts(home, now)
    yield "score", lambda done: _score(home, as_of, now)
    yield "plan", lambda done: jobs.plan(home, as_of, now)


def _score(home: Home, as_of: datetime, now: datetime) -> str:
    """Scores of the model in use. Too few customers may teach a model that no gate lets pass; the demo then shows the
    newest one and says so, where a real home would refuse.
    """
    from training.registry import Registry

    if Registry(home.mlruns).champion_version() is not None:
        return jobs.score(home, as_of, now)
    return jobs.score(home, as_of, now, "latest") + "; no model passed the gate, more customers would help"


def _hear(home: Home, events: pa.Table) -> None:
    """Who said stop in the simulation has said it to us: their consent ends when they said so."""
    from serving.feedback import receive_simulated_stop

    for event in events.select(["name", "customer_id", "channel", "occurred_at"]).to_pylist():
        if event["name"] == "message_unsubscribed":
            receive_simulated_stop(home.engine, event["customer_id"], event["channel"], event["occurred_at"])


def _state_file(home: Home) -> Path:
    return home.simulation / "saral.npz"


def _in_words(made: dict[str, object]) -> str:
    return f"{made['customers']} customers until {str(made['until'])[:10]}, seed {made['seed']}"
