"""How do scores made elsewhere come into the plan? As scorings like ours, marked as imported, without reasons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from records.own_rows import SCORES
from records.own_tables import own_table
from records.scores import Run, Score, find_run, save_run
from serving.home import Home
from serving.model_versions import imported_version
from training.definitions import belonging, definitions
from training.populations import DEFAULT

if TYPE_CHECKING:
    from training.labels import Bands


def publish_scores(home: Home, name: str, now: datetime) -> list[Run]:
    """One scoring for each cutoff of the table that is new or has changed, oldest first; one run for each definition.

    The newest cutoff is what the next plan goes by, like any scoring of the same moment that is made later.
    """
    import pyarrow.parquet as parquet

    every: dict[datetime, list[dict[str, Any]]] = defaultdict(list)
    for row in parquet.read_table(own_table(home.data, SCORES, name)).to_pylist():
        every[row["cutoff"]].append(row)
    made = []
    for cutoff in sorted(every):
        found = _by_definition(home, cutoff, every[cutoff])
        runs = {
            definition: Run(
                run_id=_run_id(name, definition, rows),
                as_of=cutoff,
                model_version=imported_version(name, definition),
                scored_at=now,
                customers=len(rows),
            )
            for definition, rows in found.items()
        }
        if all(_known(home, run) for run in runs.values()):
            continue
        # All of them, or those that did not change would no longer be of the same scoring.
        for definition, run in runs.items():
            bands = definitions(home.settings.churn)[definition].bands
            save_run(home.engine, run, _scores(run, found[definition], bands))
        made += list(runs.values())
    return made


def _by_definition(
    home: Home, cutoff: datetime, rows: Sequence[Mapping[str, Any]]
) -> dict[str, list[Mapping[str, Any]]]:
    """The rows of each definition that has any, by what was known of the customers at the cutoff."""
    whose: dict[str, str] = {}
    if len(definitions(home.settings.churn)) > 1:
        with home.log.connection() as con:
            found = con.execute(belonging(home.settings.churn, home.log.relation_sql(cutoff)))
            whose = dict(found.fetchall())
    parted: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        parted[whose.get(row["customer_id"], DEFAULT)].append(row)
    return dict(sorted(parted.items()))


def _known(home: Home, run: Run) -> bool:
    with home.engine.connect() as connection:
        found = find_run(connection, run.run_id)
    return found is not None and found.customers == run.customers


def _scores(run: Run, rows: Sequence[Mapping[str, Any]], bands: Bands) -> Iterator[Score]:
    for row in rows:
        yield Score(
            score_id=sha256(f"{run.run_id}\n{row['customer_id']}".encode()).hexdigest(),
            run_id=run.run_id,
            customer_id=row["customer_id"],
            as_of=run.as_of,
            churn_probability=row["churn_probability"],
            band=bands.of(row["churn_probability"]),
            model_version=run.model_version,
        )


def _run_id(name: str, definition: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """The same rows of the same table are the same scoring; other rows are another one."""
    total = sha256(f"{name}\n{definition}".encode())
    for row in rows:
        total.update(f"\n{row['customer_id']}\t{row['cutoff'].isoformat()}\t{row['churn_probability']!r}".encode())
    return total.hexdigest()[:32]
