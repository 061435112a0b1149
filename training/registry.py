"""Which model versions exist, and which is in use? The only file that knows MLflow.

Tracking and registry live in `mlruns/mlflow.db`, artifacts in `mlruns/artifacts`. A version is a folder of text and
JSON (`training.model`), never MLflow's own pickled flavours. A home can be moved: what the database stores absolutely
is put right when it is opened elsewhere. `MLFLOW_TRACKING_URI`, if set, names another server.

Each definition of churn has models of its own: "pehle" is the default one's, `pehle-<name>` those of `[churn.<name>]`,
each with its own model in use. A version's id is "14" for the default and "prepaid-14" for a named definition.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from records.errors import ModelError
from records.manifest import one_at_a_time
from training.model import Model
from training.moved_store import move_places
from training.populations import DEFAULT
from training.store_words import in_words

NAME = "pehle"
EXPERIMENT = "pehle"
CHAMPION, PREVIOUS, LATEST = "champion", "previous", "latest"
MODEL_FOLDER = "model"
REPLACED = "replaced"  # tag: the number of the version it took over from
REPORT_FILE = "report.html"


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
            if not self.exists:
                self._make()
            if not self.elsewhere and os.access(self.mlruns, os.W_OK):  # whoever may only read needs no places
                move_places(self.mlruns, EXPERIMENT)
            self._client = quiet_client(self.uri)
        return self._client

    def _make(self) -> None:
        """A new store, put in its place when it is whole.

        MLflow makes its tables one after the other: killed in between it never gets on, and two processes at once
        make them twice.
        """
        with one_at_a_time(self.mlruns / ".making.lock"):
            if self.exists:
                return
            fresh = self.mlruns / ".mlflow.db.new"
            for left in self.mlruns.glob(f"{fresh.name}*"):
                left.unlink()
            client = quiet_client(f"sqlite:///{fresh}")
            client.search_experiments(max_results=1)  # they are made when it is first asked
            client.search_registered_models(max_results=1)
            fresh.replace(self.mlruns / "mlflow.db")

    @contextmanager
    def deciding(self) -> Iterator[Registry]:
        """While one training compares its model with that in use and stores it, any other waits.

        Else two that end together would both be compared with the model before, and the later one take its place.
        """
        with one_at_a_time(self.mlruns / ".deciding.lock"):
            yield self

    def experiment_id(self) -> str:
        """The one experiment all runs belong to; made on first use."""
        found = self.client.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            return str(found.experiment_id)
        place = None if self.elsewhere else (self.mlruns / "artifacts").as_uri()
        return str(self.client.create_experiment(EXPERIMENT, artifact_location=place))

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────
    @in_words
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

    @in_words
    def register(
        self, run_id: str, *, sha256: str, at: datetime, tags: Mapping[str, str], definition: str = DEFAULT
    ) -> str:
        """A new version that points at a run's model folder; its id."""
        name = registered_name(definition)
        if not any(model.name == name for model in self.client.search_registered_models(f"name = '{name}'")):
            self.client.create_registered_model(name)
        run = self.client.get_run(run_id)
        source = f"{run.info.artifact_uri}/{MODEL_FOLDER}"
        every = {**tags, "model_sha256": sha256, "created_at": at.astimezone(UTC).isoformat()}
        version = self.client.create_model_version(name, source=source, run_id=run_id, tags=every)
        return version_id(version)

    @in_words
    def promote(self, version: str | int, why: str = "by hand", *, at: datetime, by: str) -> None:
        """Makes a version the one in use for its definition; the one it replaces stays one `rollback` away.

        The alias moves last: until then nothing has changed.
        """
        chosen = self.version(str(version))
        before = self.alias(CHAMPION, definition_of(str(chosen.name)))
        if before is not None and str(before.version) != str(chosen.version):
            self.client.set_model_version_tag(chosen.name, chosen.version, REPLACED, str(before.version))
        self._put_in_use(chosen, before, why, at, by)

    def _put_in_use(self, chosen: Any, before: Any | None, why: str, at: datetime, by: str) -> None:
        name, number = str(chosen.name), str(chosen.version)
        if before is not None and str(before.version) != number:
            self.client.set_registered_model_alias(name, PREVIOUS, str(before.version))
        told = {"promoted_at": at.astimezone(UTC).isoformat(), "promoted_by": by, "promoted_why": why}
        for key, value in told.items():
            self.client.set_model_version_tag(name, number, key, value)
        self.client.set_registered_model_alias(name, CHAMPION, number)

    @in_words
    def rollback(self, definition: str = DEFAULT, *, at: datetime, by: str) -> str:
        """Back to the model that the one in use replaced; its id. Twice goes back twice, never forward again."""
        now, before = self.version(CHAMPION, definition), self.replaced(definition)
        if before is None:
            msg = f"model {version_id(now)} replaced none: there is no earlier model in use to go back to."
            raise ModelError(msg, remedy="Choose a version: pehle models, then pehle models promote VERSION")
        self.load(version_id(before))  # one whose files are gone must not come into use
        self._put_in_use(before, now, "rolled back to", at, by)
        return version_id(before)

    def replaced(self, definition: str = DEFAULT) -> Any | None:
        """The version that the one in use replaced when it was put in use; None for the first."""
        now = self.champion_version(definition)
        number = now.tags.get(REPLACED) if now is not None else None
        return next((one for one in self.found(definition) if str(one.version) == number), None)

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────
    def definitions(self) -> list[str]:
        """The definitions that have models, the default one first."""
        if not self.exists:
            return []
        names = [str(model.name) for model in self.client.search_registered_models(max_results=100)]
        found = [definition_of(name) for name in names if name == NAME or name.startswith(f"{NAME}-")]
        return sorted(found, key=lambda one: (one != DEFAULT, one))

    def found(self, definition: str = DEFAULT) -> list[Any]:
        """All versions of a definition as MLflow has them, oldest first."""
        if not self.exists:
            return []
        versions = self.client.search_model_versions(f"name = '{registered_name(definition)}'", max_results=1000)
        return sorted(versions, key=lambda version: int(version.version))

    @in_words
    def versions(self, definition: str | None = None) -> list[dict[str, Any]]:
        """All versions for people and scripts, oldest first: version, definition, alias, created_at, hashes, metrics.

        `promoted` says whether it was ever put in use; when, by whom and why stand in `promoted_at`, `_by`, `_why`.
        """
        chosen = self.definitions() if definition is None else [definition]
        return [row for one in chosen for row in self.rows_of(one)]

    def rows_of(self, definition: str) -> list[dict[str, Any]]:
        """The rows of `versions` for one definition."""
        found = self.found(definition)
        if not found:
            return []
        named = self.client.get_registered_model(registered_name(definition)).aliases
        aliases = {str(number): alias for alias, number in named.items() if alias != CHAMPION}
        aliases |= {str(named[CHAMPION]): CHAMPION} if CHAMPION in named else {}
        return [
            {
                "version": version_id(version),
                "definition": definition,
                "alias": aliases.get(str(version.version)),
                "created_at": version.tags.get("created_at"),
                "kind": version.tags.get("winner"),
                "as_of": version.tags.get("as_of"),
                "promoted": "promoted_at" in version.tags,
                **{key: version.tags.get(key) for key in ("promoted_at", "promoted_by", "promoted_why", "why")},
                "model_sha256": version.tags.get("model_sha256"),
                "data_sha256": version.tags.get("data_sha256"),
                "chosen": json.loads(version.tags.get("chosen", "{}")),
                "metrics": dict(self.client.get_run(version.run_id).data.metrics),
            }
            for version in found
        ]

    def alias(self, name: str, definition: str = DEFAULT) -> Any | None:
        """The version an alias stands for, or None."""
        if not self.exists:
            return None
        from mlflow.exceptions import MlflowException

        try:
            return self.client.get_model_version_by_alias(registered_name(definition), name)
        except MlflowException:
            return None

    def champion_version(self, definition: str = DEFAULT) -> Any | None:
        return self.alias(CHAMPION, definition)

    @in_words
    def version(self, which: str, definition: str = DEFAULT) -> Any:
        """A version by its id, or the "champion" or "latest" of a definition; ModelError with what to do if none."""
        wanted = which.removeprefix("v") if which[:2].removeprefix("v").isdigit() else which
        if which not in (CHAMPION, LATEST) and "-" in which:
            definition, _, wanted = which.rpartition("-")
        found = self.found(definition)
        if not found:
            what = "" if definition == DEFAULT else f" of the definition {definition!r}"
            raise ModelError(f"there is no trained model here{what}.", remedy="Train one: pehle train")
        if which == LATEST:
            return found[-1]
        if which == CHAMPION:
            champion = self.champion_version(definition)
            if champion is None:
                msg = "no model is in use: none has passed the gate."
                raise ModelError(msg, remedy="Score with the newest trained one: --model latest")
            return champion
        for version in found:
            if str(version.version) == wanted:
                return version
        msg = f"there is no model version {which!r}; there are {', '.join(version_id(one) for one in found)}."
        raise ModelError(msg, remedy="List them: pehle models")

    def resolve(self, which: str, definition: str = DEFAULT) -> tuple[str, str]:
        """The id and the recorded SHA-256 of a version named "champion", "latest" or by id."""
        version = self.version(which, definition)
        return version_id(version), str(version.tags.get("model_sha256", ""))

    def load(self, which: str = CHAMPION, definition: str = DEFAULT) -> Model:
        """The model of a version, its bytes checked against the recorded hash."""
        version = self.version(which, definition)
        return Model.load(self.folder(version), version.tags.get("model_sha256", ""))

    def champion_or_none(self, definition: str = DEFAULT) -> Model | None:
        """The model in use, or None where there is none or its files are no longer what was recorded."""
        try:
            return self.champion(definition)
        except ModelError:
            return None

    def champion(self, definition: str = DEFAULT) -> Model | None:
        """The model in use, or None where none has passed the gate."""
        return self.load(CHAMPION, definition) if self.champion_version(definition) is not None else None

    def report(self, which: str) -> bytes | None:
        """The report of a version's training run; None where the run has none."""
        from mlflow.exceptions import MlflowException

        version = self.version(which)
        try:
            return self.artifact(version, REPORT_FILE).read_bytes()
        except (MlflowException, OSError):  # a run of before there were reports, or a server that does not answer
            return None

    def folder(self, version: Any) -> Path:
        """Where the version's model is."""
        return self.artifact(version, MODEL_FOLDER)

    def artifact(self, version: Any, name: str) -> Path:
        """Where a file or folder of the version's run is: below this mlruns, or fetched from the server."""
        if not self.elsewhere:
            return self.mlruns / "artifacts" / str(version.run_id) / "artifacts" / name
        from mlflow.artifacts import download_artifacts

        return Path(download_artifacts(run_id=version.run_id, artifact_path=name, tracking_uri=self.uri))


def registered_name(definition: str) -> str:
    """What MLflow calls the models of a definition."""
    return NAME if definition == DEFAULT else f"{NAME}-{definition}"


def definition_of(name: str) -> str:
    """Which definition do the models of this registered name belong to?"""
    return DEFAULT if name == NAME else name.removeprefix(f"{NAME}-")


def version_id(version: Any) -> str:
    """How a version is called everywhere: "14", or "prepaid-14"."""
    definition = definition_of(str(version.name))
    return str(version.version) if definition == DEFAULT else f"{definition}-{version.version}"
