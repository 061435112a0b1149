"""Where does this company's Pehle live, and what time is it there?

A home is a folder: `pehle.toml`, `data/`, `mlruns/`, `outbox/`. Only `demo` and `import` create one. A home can be
moved. A simulated home has a clock of its own (the wall clock plus an offset), so that a newcomer can let the
evening come; a real home's clock is the wall clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from records.database import connect, get_state, migrate, set_state
from records.errors import HomeError
from records.events import EventLog
from serving.settings import Settings, load_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

REAL, SIMULATED = "real", "simulated"


@dataclass(frozen=True)
class Home:
    """An opened home: its paths, settings, database and event log."""

    path: Path

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def mlruns(self) -> Path:
        return self.path / "mlruns"

    @property
    def outbox(self) -> Path:
        return self.path / "outbox"

    @property
    def settings_file(self) -> Path:
        return self.path / "pehle.toml"

    @property
    def simulation(self) -> Path:
        return self.data / "simulation"

    @cached_property
    def settings(self) -> Settings:
        return load_settings(self.settings_file)

    @cached_property
    def engine(self) -> Engine:
        url = self.settings.store.address() or f"sqlite:///{self.data / 'pehle.db'}"
        return connect(url)

    @cached_property
    def log(self) -> EventLog:
        return EventLog(self.data)

    @property
    def simulated(self) -> bool:
        return get_state(self.engine, "kind") == SIMULATED

    def exists(self) -> bool:
        return (self.data / "home").exists()


def open_home(path: Path) -> Home:
    """The home at `path`, its database brought up to this version.

    Raises
    ------
    HomeError
        There is none; names `--home` and the commands that create one.
    """
    home = Home(path.resolve())
    if not home.exists():
        msg = f"There is no Pehle home in {home.path}."
        remedy = "Name one with --home DIR, or make one with `pehle demo` or `pehle import events FILE`."
        raise HomeError(msg, remedy=remedy)
    migrate(home.engine)
    return home


def create_home(path: Path, kind: str) -> Home:
    """The home at `path`, created if need be.

    Raises
    ------
    HomeError
        It exists and is of the other kind: real and simulated customers never mix.
    """
    home = Home(path.resolve())
    for folder in (home.data, home.mlruns, home.outbox):
        folder.mkdir(parents=True, exist_ok=True)
    migrate(home.engine)
    found = get_state(home.engine, "kind")
    if found is None:
        set_state(home.engine, "kind", kind)
        (home.data / "home").write_text("This folder is a Pehle home; see README.\n", encoding="utf-8")
    elif found != kind:
        msg = f"The home in {home.path} holds a {found} company; this command needs a {kind} one."
        raise HomeError(msg, remedy="Name another folder with --home DIR.", found=found, needed=kind)
    return home


def clock(home: Home, wall: Callable[[], datetime]) -> Callable[[], datetime]:
    """A function that tells the time in this home: `wall`, moved by the offset of a simulated one."""

    def now() -> datetime:
        return wall() + offset(home)

    return now


def offset(home: Home) -> timedelta:
    """How far the home's clock is ahead of the wall clock; zero in a real home."""
    seconds = get_state(home.engine, "clock_offset_seconds") if home.simulated else None
    return timedelta(seconds=float(seconds or 0))


def move_clock(home: Home, to: datetime, wall: datetime) -> None:
    """Set a simulated home's clock to `to`. It only moves forward, since what happened cannot be undone.

    Raises
    ------
    HomeError
        The home is real, or `to` lies before its present time.
    """
    if not home.simulated:
        msg = f"The home in {home.path} is real; its clock cannot be moved."
        raise HomeError(msg, remedy="Only a simulated company can skip ahead.")
    if to < wall + offset(home):
        msg = f"{to:%Y-%m-%d %H:%M} UTC lies before the home's present time."
        raise HomeError(msg, remedy="Choose a later time.")
    set_state(home.engine, "clock_offset_seconds", (to - wall).total_seconds())
