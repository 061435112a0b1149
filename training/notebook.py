"""How does one work with models in a notebook? From a file to examples, candidates and a table of figures.

    log = read_log("purchases.csv", "data")
    examples = build_examples(log, as_of)                  # nothing at or after `as_of` is read
    judged = fit_candidates(examples)                      # judged on the newest finished horizon
    evaluate(judged.rows.y, judged.scores, judged.rows.customers).to_pandas()

The steps are those of `pehle train`, with its defaults; no model is stored. The log is kept in the folder named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from records.errors import InputError
from records.events import EventLog
from records.importing import import_events
from records.mapping import load_mapping
from training.evaluation import MEASURES, Floats, estimate
from training.examples import Examples, build_examples
from training.judging import Judged, fit_and_judge
from training.labels import TrainingOptions, churn_labels
from training.model import matrix
from training.today import scorer_today, signals_today

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["build_examples", "evaluate", "fit_candidates", "outcomes", "predict", "read_log"]


def read_log(file: str | Path, folder: str | Path, mapping: str | None = None) -> EventLog:
    """The events of a CSV, JSON Lines or Parquet file, in a log that is kept in `folder`.

    `mapping` is a mapping file or the name of a shipped one; without it the columns bear the names of the event log.
    Read again, the same file adds nothing. Rows that cannot be used are put aside below `folder/quarantine`.
    """
    log, path = EventLog(Path(folder)), Path(file)
    if not path.exists():
        raise InputError(
            f"There is no file {path}.", remedy="Check the name, and the folder you are in.", file=str(path)
        )
    written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    import_events(log, [path], load_mapping(mapping) if mapping else None, written, Path(folder) / "quarantine")
    return log


def fit_candidates(
    examples: Examples, training: TrainingOptions | None = None, tuned: Mapping[str, Any] | None = None
) -> Judged:
    """Every candidate fitted on the past of `examples` and judged on their newest finished horizon.

    `.scores` has their probabilities for `.rows`, `.winner` the name of the best, `.losses` their log loss.

    Examples
    --------
    Customers order every four days or every nine, until one day they stop.

    >>> from tempfile import TemporaryDirectory
    >>> from training.labels import ChurnOptions
    >>> start, lines = datetime(2026, 1, 1, tzinfo=UTC), ["customer_id,name,occurred_at"]
    >>> for number in range(400):
    ...     pace = 4 + 5 * (number % 2)
    ...     days = range(number % pace, min(60 + number, 240), pace)
    ...     lines += [f"C{number},order_completed,{start + timedelta(days=day):%Y-%m-%d}" for day in days]
    >>> churn = ChurnOptions(activity=["order_completed"], horizon_days=30, active_within_days=60)
    >>> as_of = start + timedelta(days=240)
    >>> with TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "orders.csv").write_text("\\n".join(lines))
    ...     log = read_log(Path(folder) / "orders.csv", Path(folder) / "data")
    ...     examples = build_examples(log, as_of, churn)
    ...     judged = fit_candidates(examples, TrainingOptions(max_rounds=20))
    ...     scores = predict(log, examples, judged, as_of)
    >>> examples.X.shape[1] == len(examples.signal_names)
    True
    >>> sorted(judged.losses), len(judged.scores[judged.winner]) == len(judged.rows)
    (['average', 'lightgbm', 'logistic', 'pareto_nbd', 'recency'], True)
    >>> judged.losses[judged.winner] < judged.losses["recency"]
    True
    >>> scores.column_names
    ['customer_id', 'churn_probability']
    """
    return fit_and_judge(examples, training or TrainingOptions(), tuned)


def predict(
    log: EventLog, examples: Examples, judged: Judged, as_of: datetime, training: TrainingOptions | None = None
) -> pa.Table:
    """customer_id and churn_probability of everybody eligible at `as_of`, by the winner refitted on all examples."""
    import pyarrow as pa

    scorer = scorer_today(log, examples, judged, training or TrainingOptions(), as_of)
    signals = signals_today(log, examples, as_of)
    found = scorer.predict(matrix(signals, examples.signal_names))
    return signals.select(["customer_id"]).append_column("churn_probability", pa.array(found))


def outcomes(
    log: EventLog, examples: Examples, as_of: datetime, customers: Sequence[Any] | pa.ChunkedArray[Any]
) -> Floats:
    """What became of these customers after `as_of`: 1 left, 0 stayed, NaN for whoever is no example at that time.

    Raises
    ------
    NotEnoughData
        Their horizon is not over in the log.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    last = log.summary().last or as_of
    # A log that ends on the last day of the horizon holds all of it.
    until = last.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    labels = churn_labels(log, [as_of], examples.churn, until)
    wanted = customers if isinstance(customers, pa.ChunkedArray) else pa.array(customers, pa.string())
    place = pc.index_in(wanted, value_set=labels.column("customer_id").combine_chunks())
    left = labels.column("left_us").take(place).cast(pa.float64())
    return np.asarray(left.to_numpy(), dtype=np.float64)


def evaluate(y: Any, scores: Mapping[str, Any], customers: Any = None) -> pa.Table:
    """Every measure of every set of scores: candidate, measure, value, low, high (95 %, by customer), rows.

    Parameters
    ----------
    y
        1: left, 0: stayed; rows with NaN are left out.
    scores
        Probabilities of the same rows, by name.
    customers
        Whose row it is: rows of one customer stand or fall together in an interval. Default: each another's.

    Examples
    --------
    >>> y = [0, 0, 0, 1, 0, 1, 1, 1]
    >>> table = evaluate(y, {"good": [.1, .2, .3, .4, .5, .6, .7, .8], "useless": [.5] * 8})
    >>> [(row["candidate"], row["value"]) for row in table.to_pylist() if row["measure"] == "auroc"]
    [('good', 0.9375), ('useless', 0.5)]
    >>> table.column_names
    ['candidate', 'measure', 'value', 'low', 'high', 'rows']
    """
    import pyarrow as pa

    truth = np.asarray(y, dtype=np.float64)
    known = ~np.isnan(truth)
    _, codes = np.unique(np.arange(len(truth)) if customers is None else np.asarray(customers), return_inverse=True)
    rows = []
    for candidate, given in scores.items():
        p = np.asarray(given, dtype=np.float64)
        for measure in MEASURES:
            found = estimate(measure, truth[known], p[known], codes[known])
            rows.append((candidate, measure, found.value, found.low, found.high, found.rows))
    columns = zip(("candidate", "measure", "value", "low", "high", "rows"), zip(*rows, strict=True), strict=True)
    return pa.table({name: pa.array(values) for name, values in columns})
