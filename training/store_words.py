"""What did the store of models refuse? One line, instead of MLflow's page of SQL."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from records.errors import ModelError

P = ParamSpec("P")
R = TypeVar("R")
# Told by name: whoever only asks whether there are models must not wait for these libraries.
REFUSING = ("mlflow", "sqlalchemy", "alembic", "sqlite3")
LONGEST = 200


def in_words(method: Callable[P, R]) -> Callable[P, R]:
    """The same, with errors of MLflow and its database as a ModelError that says what the database said."""

    @wraps(method)
    def spoken(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except Exception as error:
            if type(error).__module__.partition(".")[0] not in REFUSING:
                raise
            found = re.search(r"\(sqlite3\.\w+\) (.*)", str(error))
            said = (found[1] if found else str(error).partition("\n")[0])[:LONGEST].rstrip(".")
            msg = f"the store of models: {said}."
            raise ModelError(msg, remedy="Check the disk, and the rights to the folder mlruns.") from error

    return spoken
