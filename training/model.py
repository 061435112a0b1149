"""What is stored, and what may be loaded? A folder of LightGBM text and JSON, named by the hash of its contents.

    model.json      signals in order, what they are fitted on, churn scorer, issue scorer, reference, settings
    *.txt           trees, as LightGBM writes them
    text_*          the text models: lists of features as JSON, arrays of numbers
    manifest.json   SHA-256 of each file; the model's own hash is that of this list

No pickle: nothing here can run. A folder whose hash is not the recorded one, or made for other signals, is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from records.errors import ModelError
from training.evaluation import Floats
from training.issues import IssueModel, TopicChances
from training.reference import Reference
from training.scorers import Scorer, scorer_from_json, scorer_to_json
from training.text_reader import TextReader

if TYPE_CHECKING:
    import pyarrow as pa

    from features.fitted import Fitted
    from features.readings import Readings
    from records.events import EventLog

FORMAT = 2
MODEL_FILE, MANIFEST_FILE = "model.json", "manifest.json"
KEYS = ("customer_id", "cutoff")


def canonical(value: Any) -> bytes:
    """JSON with one spelling: sorted keys, no blanks, UTF-8. NaN is refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def matrix(table: pa.Table, names: Sequence[str]) -> NDArray[Any]:
    """The signals as numbers, one row per customer, NaN where there is no data. Refuses other signals."""
    found = [name for name in table.column_names if name not in KEYS]
    if found != list(names):
        missing = [name for name in names if name not in found]
        extra = [name for name in found if name not in names]
        what = f"missing {missing[:3]}, unknown {extra[:3]}" if missing or extra else "the same ones in another order"
        msg = f"the model was made for {len(names)} signals and got {len(found)}: {what}."
        raise ModelError(msg, remedy="Build signals with the model's `fitted`, or train again: pehle train")
    X = np.empty((table.num_rows, len(names)), dtype=np.float32)
    for column, name in enumerate(names):
        # A null becomes NaN; float32, as the models were fitted on (training.signal_matrix).
        X[:, column] = table.column(name).to_numpy()
    return X


def row_hashes(table: pa.Table, names: Sequence[str]) -> list[str]:
    """The SHA-256 of each row's signals, shortened: two rows with the same one are the same to the bit."""
    X = np.where(np.isnan(values := matrix(table, names)), np.nan, values)  # one spelling of "no data"
    return [hashlib.sha256(np.ascontiguousarray(row).tobytes()).hexdigest()[:16] for row in X]


@dataclass(frozen=True, kw_only=True)
class Model:
    """A fitted model: who leaves, and what each customer will need help with."""

    signal_names: tuple[str, ...]
    fitted: Fitted  # what the signals were fitted on
    text: TextReader | None = None  # reads what customers write; None: what the log says of texts is all there is
    churn: Scorer
    issues: IssueModel
    reference: Reference = field(default_factory=Reference)  # what it learnt from, to compare with later
    settings: Mapping[str, Any] = field(default_factory=dict)  # churn, issues, training; as_of; hashes; versions
    sha256: str = ""  # of the stored folder; empty until saved

    def signals(
        self,
        log: EventLog,
        cutoff: datetime,
        customers: Sequence[str] | None = None,
        *,
        rollup: bool = False,
        threads: int = 2,
    ) -> pa.Table:
        """The signals of these customers (or everybody) at `cutoff`, as this model is asked: its tables, its reader.

        `rollup`, `threads`: as `build_signals` takes them.
        """
        from features.build import build_signals

        read = self.readings(log, cutoff, customers)
        return build_signals(
            log, [cutoff], fitted=self.fitted, customers=customers, readings=read, rollup=rollup, threads=threads
        )

    def readings(self, log: EventLog, cutoff: datetime, customers: Sequence[str] | None = None) -> Readings | None:
        """What these customers' texts say, known before `cutoff`; None: the model has no reader."""
        return self.text.readings(log, cutoff, customers) if self.text else None

    def predict(self, table: pa.Table) -> Floats:
        """The probability of leaving within the horizon, one per row of `table` (from `signals`)."""
        return self.churn.predict(matrix(table, self.signal_names))

    def contributions(self, table: pa.Table) -> Floats:
        """What each signal adds to the log-odds of leaving: rows × signals, in the order of `signal_names`."""
        return self.churn.terms(matrix(table, self.signal_names))

    def topics(self, table: pa.Table, log: EventLog) -> tuple[tuple[str, ...], Floats]:
        """Topic names, and for each row the probability of a contact about each within the issue horizon.

        The customers' own contacts are read from the log before each row's cutoff; nothing later is.
        """
        found = self.topic_chances(table, log)
        return found.names, found.chances

    def topic_chances(self, table: pa.Table, log: EventLog) -> TopicChances:
        """The same, with the chance of any contact, that of each topic given one, and whether it is a sure one."""
        return self.issues.predict(table, matrix(table, self.signal_names), log)

    def save(self, folder: Path) -> str:
        """Writes the model and returns its SHA-256. The same model gives the same bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        files: dict[str, bytes] = {}
        stored = {
            "format": FORMAT,
            "signal_names": list(self.signal_names),
            "fitted": json.loads(self.fitted.to_json()),
            "churn": scorer_to_json("churn", self.churn, files),
            "issues": self.issues.to_json(files),
            "reference": self.reference.to_json(),
            "settings": dict(self.settings),
            "text": self.text.to_json(files) if self.text else None,
        }
        files[MODEL_FILE] = canonical(stored)
        hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
        files[MANIFEST_FILE] = canonical(hashes)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return hashlib.sha256(files[MANIFEST_FILE]).hexdigest()

    @classmethod
    def load(cls, folder: Path, expected_sha256: str) -> Model:
        """Reads a stored model, if its contents have the hash that was recorded when it was made."""
        from features.fitted import Fitted

        files = read_checked(folder, expected_sha256)
        stored = json.loads(files[MODEL_FILE])
        if stored.get("format") != FORMAT:
            msg = f"the model in {folder.name} has format {stored.get('format')!r}, expected {FORMAT}."
            raise ModelError(msg, remedy="Train again: pehle train")
        names = tuple(stored["signal_names"])
        return cls(
            signal_names=names,
            fitted=Fitted.from_json(json.dumps(stored["fitted"])),
            churn=scorer_from_json(stored["churn"], files, len(names)),
            issues=IssueModel.from_json(stored["issues"], files, len(names)),
            reference=Reference.from_json(stored["reference"]),
            settings=stored["settings"],
            text=TextReader.from_json(stored["text"], files) if stored.get("text") else None,
            sha256=expected_sha256,
        )


def read_checked(folder: Path, expected_sha256: str) -> dict[str, bytes]:
    """The files of a model folder, each with the hash its manifest names and the manifest with the recorded one."""
    remedy = "Use another version (pehle models) or train again: pehle train"
    try:
        manifest = (folder / MANIFEST_FILE).read_bytes()
        found = hashlib.sha256(manifest).hexdigest()
        if found != expected_sha256:
            what = f"has SHA-256 {found[:12]}…, recorded was {expected_sha256[:12]}…"
            msg = f"the model in {folder} {what}: it was altered."
            raise ModelError(msg, remedy=remedy, found=found, expected=expected_sha256)
        files = {}
        for name, digest in json.loads(manifest).items():
            files[name] = (folder / name).read_bytes()
            if hashlib.sha256(files[name]).hexdigest() != digest:
                msg = f"{name} of the model in {folder} was altered after it was stored."
                raise ModelError(msg, remedy=remedy, file=name)
    except OSError as error:
        msg = f"the model in {folder} is not there or cannot be read: {error.strerror}."
        raise ModelError(msg, remedy=remedy) from error
    return files
