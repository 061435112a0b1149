"""Was the home moved since its models were stored? MLflow's database keeps absolute places, by table and column."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def move_places(mlruns: Path, experiment: str) -> None:
    """After a home was moved, lets MLflow's database name the new place: new runs and MLflow's own pages follow.

    MLflow offers no way to change an experiment's place, so this one statement per column goes to its database.
    """
    database = mlruns / "mlflow.db"
    if not database.is_file():
        return
    here = (mlruns / "artifacts").as_uri()
    with closing(sqlite3.connect(database)) as connection, connection:
        try:
            row = connection.execute(
                "select artifact_location from experiments where name = ?", (experiment,)
            ).fetchone()
        except sqlite3.OperationalError:
            return  # the database is not MLflow's yet
        if row is None or row[0] == here:
            return
        for table, column in PLACES:
            connection.execute(
                f"update {table} set {column} = ? || substr({column}, ?) "  # noqa: S608  names from the list above
                f"where {column} = ? or substr({column}, 1, ?) = ?",
                (here, len(row[0]) + 1, row[0], len(row[0]) + 1, row[0] + "/"),
            )
