"""Is the model still right? Each scoring looked at twice: for drift at once, for its truth when its horizon is over.

Scores made elsewhere are judged like ours, by the definition their people fell under. All that is kept are sums.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import Engine

from records.errors import InputError, ModelError
from records.events import EventLog
from records.model_checks import foreseen, runs_to_judge, save_check
from records.scores import Run
from records.treatments import treatments
from serving.home import Home
from serving.model_versions import check_of, churn_of, table_in

if TYPE_CHECKING:
    import pyarrow as pa

    from training.evaluation import Floats
    from training.labels import ChurnOptions
    from training.maturity import Matured
    from training.model import Model
    from training.registry import Registry


def keep_drift(engine: Engine, log: EventLog, model: Model, run: Run, signals: pa.Table, scores: Floats) -> None:
    """Compare those just scored with those the model learnt from, and write it down."""
    from training.drift import drift_of
    from training.reference import recent_events

    events = recent_events(log, run.as_of) if model.reference.score else {}
    found = drift_of(model.reference, model.signal_names, signals, scores, events)
    save_check(engine, check_of(run, "drift", found.to_json() if found else None, run.scored_at))


def watch(home: Home, until: datetime, now: datetime) -> str:
    """Judge every scoring whose horizon is over by `until` and that nobody has judged; one line for people."""
    from training.registry import Registry

    registry, known = Registry(home.mlruns), {}
    with home.engine.connect() as connection:
        waiting = runs_to_judge(connection, until)
    judged = 0
    for run in waiting:
        if run.model_version not in known:
            known[run.model_version] = _churn_of(home, registry, run.model_version)
        churn = known[run.model_version]
        if churn is None or not _known(home, run, churn, until):
            continue
        found = look_back(home, run, churn, until)
        save_check(home.engine, check_of(run, "matured", found.to_json() if found else None, now))
        judged += 1
    return f"{judged} scorings judged by what happened, {len(waiting) - judged} not over yet"


def _churn_of(home: Home, registry: Registry, version: str) -> ChurnOptions | None:
    """What leaving meant to a model; None where the model can no longer be read."""
    from training.labels import Definition

    if table_in(version):
        return churn_of(version, home.settings.churn)
    try:
        return Definition(**registry.load(version).settings["churn"])
    except ModelError:
        return None


def _known(home: Home, run: Run, churn: ChurnOptions, until: datetime) -> bool:
    """Is it known who left? The company's own labels may come late, and only for some days."""
    from training.labels import imported_cutoffs

    if run.as_of + churn.span > until:
        return False
    try:
        return churn.definition != "imported" or run.as_of in imported_cutoffs(home.log, churn)
    except InputError:  # its table is no longer there
        return False


def look_back(home: Home, run: Run, churn: ChurnOptions, until: datetime) -> Matured | None:
    """One scoring against what happened; None where too few left or stayed to say anything.

    Whom a measured message may have kept is left out; people of its comparison group stand in for them.
    """
    from training.labels import churn_labels
    from training.maturity import judge
    from training.untreated import untreated

    labels = churn_labels(home.log, [run.as_of], churn, until)
    with home.engine.connect() as connection:
        said = foreseen(connection, run.run_id)
    counted = untreated(labels, treatments(home.engine, until), churn, home.settings.training.seed)
    customers = [str(one) for one in labels.column("customer_id").to_pylist()]
    known = np.array([customer in said for customer in customers], dtype=bool)
    rows = np.repeat(np.flatnonzero(known), counted.copies[known])
    left = labels.column("left_us").to_numpy().astype(np.float64)
    p = np.array([said.get(customer, np.nan) for customer in customers], dtype=np.float64)
    contacted = int((counted.copies[known] == 0).sum())
    return judge(left[rows], p[rows], rows, contacted=contacted, gone=len(said) - int(known.sum()))
