"""Which code makes rows and signals? What is kept of a log is used again by the very same code only."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = (*HERE.glob("*.py"), *HERE.with_name("records").glob("*.py"))
LIBRARIES = ("duckdb", "ibis-framework", "numpy", "pyarrow", "sqlglot")


@cache
def made_by() -> str:
    """A short name of the source of `features` and `records` and of the libraries they compute with.

    All of it, so that nobody has to remember to raise a number when a line of it makes other numbers: what a changed
    comment costs is one roll-up made anew.
    """
    made = sha256()
    for path in sorted(SOURCES, key=lambda path: (path.parent.name, path.name)):
        made.update(path.name.encode() + sha256(path.read_bytes()).digest())
    for name in LIBRARIES:
        made.update(f"{name} {version(name)}\n".encode())
    return made.hexdigest()[:16]
