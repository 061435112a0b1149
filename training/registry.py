"""Which model versions exist, and which is in use? The only file that knows MLflow.

Tracking and registry live in `mlruns/mlflow.db`, artifacts in `mlruns/artifacts`. A version is a folder of text and
JSON (`training.model`), never MLflow's own pickled flavours. A home can be moved: what the database stores absolutely
is put right when it is opened elsewhere. `MLFLOW_TRACKING_URI`, if set, names another server.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from records.errors import ModelError
from training.model import Model

NAME = "pehle"
EXPERIMENT = "pehle"
CHAMPION, PREVIOUS = "champion", "previous"
MODEL_FOLDER = "model"
# Where MLflow keeps absolute places, by table and column.
PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def quiet_client(uri: str) -> Any:
    """MLflow's client, offline and silent: no telemetry, no progress of database migrations on the terminal."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    import logging

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


class Registry:
    """The runs and model versions of one home. Opening one that has no models reads and writes nothing."""

    def __init__(self, mlruns: Path) -> None:
        self.mlruns = mlruns.absolute()
        self.elsewhere = os.environ.get("MLFLOW_TRACKING_URI", "")
        self.uri = self.elsewhere or f"sqlite:///{self.mlruns / 'mlflow.db'}"
        self._client: Any = None

    # ── opening ──────────────────────────────────────────────────────────────────────────────────────────
    @property
    def exists(self) -> bool:
        """Is there a store at all? Asking creates none."""
        return bool(self.elsewhere) or (self.mlruns / "mlflow.db").is_file()

    @property
    def client(self) -> Any:
        if self._client is None:
            if not self.elsewhere:
                self.mlruns.mkdir(parents=True, exist_ok=True)
                move_places(self.mlruns)
            self._client = quiet_client(self.uri)
        return self._client

    def experiment_id(self) -> str:
        """The one experiment all runs belong to; made on first use."""
        found = self.client.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            return str(found.experiment_id)
        place = None if self.elsewhere else (self.mlruns / "artifacts").as_uri()
        return str(self.client.create_experiment(EXPERIMENT, artifact_location=place))

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────
    def log_run(
        self,
        *,
        name: str,
        at: datetime,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        artifacts: Sequence[Path],
        model: Path,
    ) -> str:
        """Stores one training run with its pictures and model folder; the run's id."""
        from mlflow.entities import Metric, Param, RunTag

        moment = int(at.timestamp() * 1000)
        run = self.client.create_run(self.experiment_id(), start_time=moment, run_name=name)
        run_id = str(run.info.run_id)
        finite = {key: float(value) for key, value in metrics.items() if value == value}
        self.client.log_batch(
            run_id,
            metrics=[Metric(key, value, moment, 0) for key, value in finite.items()],
            params=[Param(key, str(value)[:6000]) for key, value in params.items()],
            tags=[RunTag(key, value) for key, value in tags.items()],
        )
        for path in artifacts:
            self.client.log_artifact(run_id, str(path))
        self.client.log_artifacts(run_id, str(model), MODEL_FOLDER)
        self.client.set_terminated(run_id, "FINISHED", end_time=moment)
        return run_id

    def register(self, run_id: str, *, sha256: str, at: datetime, tags: Mapping[str, str]) -> str:
        """A new version that points at a run's model folder; its number."""
        if not any(model.name == NAME for model in self.client.search_registered_models(f"name = '{NAME}'")):
            self.client.create_registered_model(NAME)
        run = self.client.get_run(run_id)
        source = f"{run.info.artifact_uri}/{MODEL_FOLDER}"
        every = {**tags, "model_sha256": sha256, "created_at": at.astimezone(UTC).isoformat()}
        version = self.client.create_model_version(NAME, source=source, run_id=run_id, tags=every)
        return str(version.version)

    def promote(self, version: str | int, why: str = "promoted by hand") -> None:
        """Makes a version the model in use; the one before it stays one `rollback` away. The alias moves last."""
        chosen = self.version(str(version))
        before = self.champion_version()
        if before is not None and str(before.version) != str(chosen.version):
            self.client.set_registered_model_alias(NAME, PREVIOUS, str(before.version))
        self.client.set_model_version_tag(NAME, str(chosen.version), "promoted", why)
        self.client.set_registered_model_alias(NAME, CHAMPION, str(chosen.version))

    def rollback(self) -> str:
        """Back to the model that was in use before; its version."""
        before = self.alias(PREVIOUS)
        if before is None:
            msg = "there is no earlier model in use to go back to."
            raise ModelError(msg, remedy="Choose a version: pehle models, then pehle models promote VERSION")
        self.promote(before.version, "rolled back to")
        return str(before.version)

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────
    def found(self) -> list[Any]:
        """All versions as MLflow has them, oldest first."""
        if not self.exists:
            return []
        versions = self.client.search_model_versions(f"name = '{NAME}'", max_results=1000)
        return sorted(versions, key=lambda version: int(version.version))

    def versions(self) -> list[dict[str, Any]]:
        """All versions for people and scripts: version, alias, created_at, model_sha256, data_sha256, metrics, …"""
        found = self.found()
        aliases: dict[str, str] = {}
        if found:
            aliases = {str(v): alias for alias, v in self.client.get_registered_model(NAME).aliases.items()}
            champion = self.alias(CHAMPION)
            if champion is not None:
                aliases[str(champion.version)] = CHAMPION
        return [
            {
                "version": str(version.version),
                "alias": aliases.get(str(version.version)),
                "created_at": version.tags.get("created_at"),
                "kind": version.tags.get("winner"),
                "as_of": version.tags.get("as_of"),
                "promoted": version.tags.get("promoted"),
                "why": version.tags.get("why"),
                "model_sha256": version.tags.get("model_sha256"),
                "data_sha256": version.tags.get("data_sha256"),
                "metrics": dict(self.client.get_run(version.run_id).data.metrics),
            }
            for version in found
        ]

    def alias(self, name: str) -> Any | None:
        """The version an alias stands for, or None."""
        if not self.exists:
            return None
        from mlflow.exceptions import MlflowException

        try:
            return self.client.get_model_version_by_alias(NAME, name)
        except MlflowException:
            return None

    def champion_version(self) -> Any | None:
        return self.alias(CHAMPION)

    def version(self, which: str) -> Any:
        """A version by number, "champion" or "latest"; ModelError with what to do where there is none."""
        found = self.found()
        if not found:
            raise ModelError("there is no trained model here.", remedy="Train one: pehle train")
        if which == "latest":
            return found[-1]
        if which == CHAMPION:
            champion = self.champion_version()
            if champion is None:
                msg = "no model is in use: none has passed the gate."
                raise ModelError(msg, remedy="Score with the newest trained one: --model latest")
            return champion
        for version in found:
            if str(version.version) == str(which).removeprefix("v"):
                return version
        msg = f"there is no model version {which!r}; there are {', '.join(str(v.version) for v in found)}."
        raise ModelError(msg, remedy="List them: pehle models")

    def resolve(self, which: str) -> tuple[str, str]:
        """The number and the recorded SHA-256 of a version named "champion", "latest" or by number."""
        version = self.version(which)
        return str(version.version), str(version.tags.get("model_sha256", ""))

    def load(self, which: str = CHAMPION) -> Model:
        """The model of a version, its bytes checked against the recorded hash."""
        version = self.version(which)
        return Model.load(self.folder(version), version.tags.get("model_sha256", ""))

    def champion_or_none(self) -> Model | None:
        """The model in use, or None where there is none or its files are no longer what was recorded."""
        try:
            return self.champion()
        except ModelError:
            return None

    def champion(self) -> Model | None:
        """The model in use, or None where none has passed the gate."""
        return self.load(CHAMPION) if self.champion_version() is not None else None

    def folder(self, version: Any) -> Path:
        """Where the version's files are: below this mlruns, or fetched from the server."""
        if not self.elsewhere:
            return self.mlruns / "artifacts" / str(version.run_id) / "artifacts" / MODEL_FOLDER
        from mlflow.artifacts import download_artifacts

        return Path(download_artifacts(run_id=version.run_id, artifact_path=MODEL_FOLDER, tracking_uri=self.uri))


def move_places(mlruns: Path) -> None:
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
                "select artifact_location from experiments where name = ?", (EXPERIMENT,)
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
