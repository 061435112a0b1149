"""How do scores made elsewhere come into the plan? As scorings like ours, marked as imported, without reasons."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from records.own_rows import SCORES
from records.own_tables import own_table
from records.scores import Run, Score, find_run, save_run
from serving.home import Home
from serving.watching import IMPORTED

if TYPE_CHECKING:
    import pyarrow as pa

    from training.labels import Bands


def publish_scores(home: Home, name: str, now: datetime) -> list[Run]:
    """One scoring for each cutoff of the table that is new or has changed, oldest first.

    The newest cutoff is what the next plan goes by, like any scoring of the same moment that is made later.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as parquet

    table = parquet.read_table(own_table(home.data, SCORES, name))
    made = []
    cutoffs: list[Any] = table.column("cutoff").unique().to_pylist()
    for cutoff in sorted(cutoffs):
        rows = table.filter(pc.equal(table.column("cutoff"), cutoff))
        run = Run(
            run_id=_run_id(name, rows),
            as_of=cutoff,
            model_version=f"{IMPORTED}-{name}",
            scored_at=now,
            customers=rows.num_rows,
        )
        with home.engine.connect() as connection:
            known = find_run(connection, run.run_id)
        if known is None or known.customers != run.customers:
            save_run(home.engine, run, _scores(run, rows, home.settings.churn.bands))
            made.append(run)
    return made


def _scores(run: Run, rows: pa.Table, bands: Bands) -> Iterator[Score]:
    columns = (rows.column(name).to_pylist() for name in ("customer_id", "churn_probability"))
    for customer_id, probability in zip(*columns, strict=True):
        yield Score(
            score_id=sha256(f"{run.run_id}\n{customer_id}".encode()).hexdigest(),
            run_id=run.run_id,
            customer_id=customer_id,
            as_of=run.as_of,
            churn_probability=probability,
            band=bands.of(probability),
            model_version=run.model_version,
        )


def _run_id(name: str, rows: pa.Table) -> str:
    """The same rows of the same table are the same scoring; other rows are another one."""
    total = sha256(name.encode())
    for row in rows.to_pylist():
        total.update(f"\n{row['customer_id']}\t{row['cutoff'].isoformat()}\t{row['churn_probability']!r}".encode())
    return total.hexdigest()[:32]
