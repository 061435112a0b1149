"""What made this model? All that went in, as plain values: with the same, a second run gives the same bytes.

What can change a number stands in the model itself (`settings_of`). Which code and machine it was stands beside it in
the run (`provenance`): another commit may well give the same model.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from importlib.metadata import distributions, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from records.own_rows import LABELS, SIGNALS
from records.own_tables import own_sha256
from training.candidates import Settings
from training.examples import Examples
from training.labels import IssueOptions, TrainingOptions
from training.model import canonical
from training.time_slices import Slices

if TYPE_CHECKING:
    import pyarrow as pa

    from records.events import EventLog

# Packages whose version can change a fitted number.
VERSIONED = ("duckdb", "ibis-framework", "lightgbm", "numpy", "pyarrow", "scikit-learn", "scipy")
HERE = Path(__file__).resolve().parent
GIT_SECONDS = 10


def settings_of(
    log: EventLog,
    as_of: datetime,
    issues: IssueOptions,
    training: TrainingOptions,
    examples: Examples,
    chosen: Settings,
    *,
    definition: str = "default",
    treatments: pa.Table | None = None,
) -> dict[str, Any]:
    """Data, labels, signals and settings of a model; their hashes where they are many.

    `chosen`: what was chosen on earlier cutoffs.
    """
    churn, fitted = examples.churn, examples.fitted
    return {
        "as_of": as_of.isoformat(),
        "definition": definition,
        "churn": churn.model_dump(mode="json"),
        "issues": issues.model_dump(mode="json"),
        "training": training.model_dump(mode="json", exclude={"threads"}),  # they change no number
        "chosen": spelled(chosen.to_json()),
        "data_sha256": log.data_sha256(as_of),
        # Only tables that are signals: one that says nothing before the cutoffs must not change a model.
        "own_sha256": {
            name: own_sha256(log.data, SIGNALS, name, as_of) for name in sorted({one.table for one in fitted.own})
        },
        "labels_sha256": hashed(
            churn.model_dump(mode="json"),
            own_sha256(log.data, LABELS, churn.labels, as_of) if churn.definition == "imported" else None,
        ),
        "signals_sha256": hashed(list(examples.signal_names), fitted.to_json()),
        "treatments_sha256": hashed(treatments.to_pydict()) if treatments is not None else None,
        "versions": {name: version(name) for name in VERSIONED},
        "labels_until": (examples.slices.finished[-1] + churn.span).isoformat(),
        "slices": slices_json(examples.slices),
    }


def hashed(*values: Any) -> str:
    """The SHA-256 of plain values; times are spelled in ISO 8601."""
    return sha256(canonical(spelled(list(values)))).hexdigest()


def spelled(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: spelled(one) for key, one in value.items()}
    return [spelled(one) for one in value] if isinstance(value, list | tuple) else value


def slices_json(slices: Slices) -> dict[str, list[str]]:
    return {
        name: [cutoff.isoformat() for cutoff in getattr(slices, name)]
        for name in ("fit", "stop", "calibrate", "judge", "finished")
    }


def provenance(training: TrainingOptions) -> dict[str, str]:
    """Which code and which packages: git_commit, git_dirty, lock_sha256, signals_code_sha256, seed.

    The commit is "" where the code is not run from a checkout. `lock_sha256` is that of the names and versions of all
    packages that are installed, which is what ran; a lock file only says what should have.
    """
    commit = git("rev-parse", "HEAD")
    # What is not committed may be only beside the packages: another file in the folder changes no model.
    dirty = git("status", "--porcelain", "--untracked-files=no") if commit else ""
    installed = sorted({f"{one.metadata['Name']}=={one.version}".lower() for one in distributions()})
    code = sorted((HERE.parent / "features").glob("*.py"))
    return {
        "git_commit": commit,
        "git_dirty": str(bool(dirty)).lower() if commit else "",
        "lock_sha256": hashed(installed),
        "signals_code_sha256": sha256(b"\0".join(file.read_bytes() for file in code)).hexdigest(),
        "seed": str(training.seed),
    }


def git(*words: str) -> str:
    """What git says about the folder of this code; "" where it is no checkout or there is no git."""
    try:
        done = subprocess.run(  # noqa: S603  fixed words, no shell
            ["git", "-C", str(HERE), *words],  # noqa: S607  whichever git the person uses
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
