"""Who is about to leave, why, and what will they ask about? Everybody eligible, scored with one model at one instant.

The same log, model and instant give the same rows, ids included: a score's id is a hash of customer, instant and model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Engine

from records.errors import InputError, NotEnoughData
from records.events import EventLog
from records.scores import Run, Score, save_run
from serving.playbook import load_playbook
from serving.settings import Settings
from serving.triggers import find, people_sql

if TYPE_CHECKING:
    import pyarrow as pa

    from training.evaluation import Floats
    from training.labels import ChurnOptions
    from training.model import Model

Reasons = Literal["top", "all", "none"]
BANDS = ("high", "medium", "low")
TOPICS = 3  # columns of the table
KEPT_TOPICS = 8  # in the database, for screens and triggers


@dataclass(frozen=True, kw_only=True)
class ScoringRun:
    """One scoring. `table` has the columns of `pehle score`, one row per eligible customer, sorted by customer."""

    run: Run
    table: pa.Table

    @property
    def customers(self) -> int:
        return self.run.customers

    def count_by_band(self) -> dict[str, int]:
        """People per band, the highest first."""
        found = self.table.column("band").to_pylist()
        return {band: found.count(band) for band in BANDS}


def score(
    log: EventLog,
    engine: Engine,
    model: Model,
    version: str,
    settings: Settings,
    as_of: datetime,
    now: datetime,
    reasons: Reasons = "top",
    *,
    definition: str = "default",
) -> ScoringRun:
    """Score everybody who was an active customer at `as_of` and falls under the definition, and keep the scores.

    Parameters
    ----------
    reasons
        For whom to say why: "top" those at medium or high risk and those a play may be about; "all"; "none".
        Saying why costs about ten times what scoring costs.

    Raises
    ------
    NotEnoughData
        Nobody is eligible at that instant.
    """
    import numpy as np

    from serving.coverage import keep_expected
    from serving.watching import keep_drift
    from training.definitions import definitions
    from training.model import row_hashes

    churn = definitions(settings.churn)[definition]
    who = active_customers(log, as_of, churn)
    signals, scores = signals_and_scores(settings.engine.url, log, model, as_of, who, rollup=True)
    probabilities = [float(one) for one in scores]
    customers = [str(one) for one in signals.column("customer_id").to_pylist()]
    bands = [churn.bands.of(one) for one in probabilities]
    said = _reasons(log, model, signals, customers, bands, settings, as_of, reasons)
    topics = topics_of(model, signals, log)
    run = Run(
        run_id=run_id_of(version, model.sha256, as_of),
        as_of=as_of,
        model_version=version,
        scored_at=now,
        customers=len(customers),
    )

    hashes = row_hashes(signals, model.signal_names)
    save_run(engine, run, _rows(run, customers, probabilities, bands, said, topics, hashes))
    keep_drift(engine, log, model, run, signals, np.asarray(probabilities))
    keep_expected(engine, run, topics)
    return ScoringRun(run=run, table=_table(customers, as_of, probabilities, bands, said, topics, version))


def signals_and_scores(
    url: str, log: EventLog, model: Model, as_of: datetime, customers: Sequence[str], *, rollup: bool
) -> tuple[pa.Table, Floats]:
    """The signals of these customers and their probabilities of leaving, made here or by the Spark at `url`.

    With `rollup` what is made here is kept for the next night.
    """
    if url:
        from training.spark_scoring import scored_on_spark

        return scored_on_spark(url, log, model, as_of, customers)
    signals = model.signals(log, as_of, customers, rollup=rollup)
    return signals, model.predict(signals)


def active_customers(log: EventLog, as_of: datetime, churn: ChurnOptions) -> list[str]:
    """Who can be scored, sorted. Raises NotEnoughData if that is nobody."""
    from training.labels import eligible

    who = eligible(log, [as_of], churn)[as_of]
    if not who:
        raise NotEnoughData(
            f"Nobody is an active customer at {as_of:%Y-%m-%d %H:%M} UTC.",
            remedy="Check --as-of, and `active_within_days` and `activity` under [churn].",
            found=0,
            needed=1,
        )
    return who


def _rows(
    run: Run,
    customers: Sequence[str],
    probabilities: Sequence[float],
    bands: Sequence[str],
    said: Mapping[int, list[dict[str, Any]]],
    topics: Sequence[list[dict[str, Any]]],
    hashes: Sequence[str],
) -> Iterator[Score]:
    for number, customer_id in enumerate(customers):
        yield Score(
            score_id=_hash(run.run_id, customer_id),
            run_id=run.run_id,
            customer_id=customer_id,
            as_of=run.as_of,
            churn_probability=probabilities[number],
            band=bands[number],
            reasons=said.get(number, []),
            topics=topics[number],
            model_version=run.model_version,
            signals_sha256=hashes[number],
        )


def _reasons(
    log: EventLog,
    model: Model,
    signals: pa.Table,
    customers: list[str],
    bands: list[str],
    settings: Settings,
    as_of: datetime,
    which: Reasons,
) -> dict[int, list[dict[str, Any]]]:
    """Row number → reasons, for those asked about."""
    if which == "none":
        return {}
    wanted = list(range(len(customers)))
    if which == "top":
        triggered = _triggered(log, as_of, customers)
        wanted = [row for row in wanted if bands[row] != "low" or customers[row] in triggered]
    if not wanted:
        return {}
    part = signals.take(wanted)
    return dict(zip(wanted, reasons_of(model, part, settings.company.currency), strict=True))


def reasons_of(model: Model, signals: pa.Table, currency: str) -> list[list[dict[str, Any]]]:
    """Why each of these customers has the score they have, strongest first."""
    from features.reasons import top_reasons

    pushes = model.contributions(signals)
    columns = [signals.column(name).to_pylist() for name in model.signal_names]
    return [
        top_reasons(
            model.signal_names,
            [column[row] for column in columns],
            [float(push) for push in pushes[row]],
            currency=currency,
        )
        for row in range(signals.num_rows)
    ]


def _triggered(log: EventLog, as_of: datetime, customers: list[str]) -> set[str]:
    """Whom the events set off a play for; whether the play then fits is planning's to say."""
    found: set[str] = set()
    with log.connection() as con:
        people = people_sql(con, "scored", customers)
        relation = log.relation_sql(until=as_of)
        for play in load_playbook().plays:
            for way, trigger in enumerate(play.trigger):
                if not trigger.nightly:
                    fits = find(con, relation, trigger, way, as_of=as_of, people=people)
                    found |= {fit.customer_id for fit in fits}
    return found


def topics_of(model: Model, signals: pa.Table, log: EventLog) -> list[list[dict[str, Any]]]:
    """Per row the likeliest topics, the likeliest first; equal ones in the model's order.

    Each with the probability of a contact about it, the same given any contact, and whether it is sure enough to act.
    """
    import numpy as np

    found = model.topic_chances(signals, log)
    order = np.argsort(-found.given, axis=1, kind="stable")[:, :KEPT_TOPICS]
    return [
        [
            {
                "topic": found.names[place],
                "probability": float(found.contact[row] * found.given[row, place]),
                "given_contact": float(found.given[row, place]),
                "sure": bool(found.sure[row, place]),
            }
            for place in order[row]
        ]
        for row in range(signals.num_rows)
    ]


def _table(
    customers: list[str],
    as_of: datetime,
    probabilities: list[float],
    bands: list[str],
    said: dict[int, list[dict[str, Any]]],
    topics: list[list[dict[str, Any]]],
    version: str,
) -> pa.Table:
    import pyarrow as pa

    count = len(customers)
    columns: dict[str, Any] = {
        "customer_id": pa.array(customers, pa.string()),
        "as_of": pa.array([as_of] * count, pa.timestamp("us", "UTC")),
        "churn_probability": pa.array(probabilities, pa.float64()),
        "band": pa.array(bands, pa.string()),
        "reasons": pa.array(
            [" | ".join(reason["en"] for reason in said.get(row, [])) for row in range(count)], pa.string()
        ),
    }
    for place in range(TOPICS):
        ranked = [row[place] if place < len(row) else {} for row in topics]
        columns[f"topic_{place + 1}"] = pa.array([one.get("topic") for one in ranked], pa.string())
        chances = [one.get("probability") for one in ranked]
        columns[f"topic_{place + 1}_probability"] = pa.array(chances, pa.float64())
    columns["model_version"] = pa.array([version] * count, pa.string())
    return pa.table(columns)


def write_scores(table: pa.Table, out: Path) -> None:
    """Write the table as CSV or Parquet, by the ending. Raises InputError for another one."""
    ending = out.suffix.lower()
    if ending == ".csv":
        from pyarrow import csv

        csv.write_csv(table, out)
    elif ending == ".parquet":
        from pyarrow import parquet

        parquet.write_table(table, out)
    else:
        raise InputError(
            f"{out.name} ends in {ending or 'nothing'!r}.",
            remedy="Use a name ending in .csv or .parquet.",
            file=str(out),
        )


def run_id_of(version: str, sha256: str, as_of: datetime) -> str:
    """The id of a scoring: the same model at the same instant is the same scoring."""
    return _hash(version, sha256, as_of.isoformat())[:32]


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
