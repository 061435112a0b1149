"""How likely is each customer to leave, asked on many machines at once? The stored model, applied by Spark's workers.

The model travels as what it is on disk, a folder of text and JSON, and every worker checks its hash before reading it.
Rows come as Arrow tables (`mapInArrow`), which is what `Model.predict` takes; by way of pandas (`mapInPandas`) nulls
would become NaN and back for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from records.events import EventLog
from training.evaluation import Floats
from training.model import KEYS, Model

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SCORE = "churn_probability"


def with_scores(signals: DataFrame, model: Model) -> DataFrame:
    """The same rows, and the probability of leaving within the horizon as one more column, `churn_probability`.

    `signals` has customer_id, cutoff and the model's signals, as Spark built them. A worker that gets other files than
    those of this model raises ModelError.
    """
    from pyspark.sql.types import DoubleType, StructField, StructType

    with TemporaryDirectory(prefix="pehle-model-") as scratch:
        sha256 = replace(model, text=None).save(Path(scratch))  # texts are read before
        shipped = {path.name: path.read_bytes() for path in sorted(Path(scratch).iterdir())}
    sent = signals.sparkSession.sparkContext.broadcast(shipped)
    schema = StructType([*signals.schema.fields, StructField(SCORE, DoubleType())])
    return signals.mapInArrow(_scored(sent, sha256, model.signal_names), schema)


def scored_on_spark(
    url: str, log: EventLog, model: Model, as_of: datetime, customers: Sequence[str]
) -> tuple[pa.Table, Floats]:
    """Signals and scores of these customers at `as_of`, both made by the Spark at `url`; the rows in one order.

    Raises
    ------
    SettingError
        There is no Spark to be had there.
    """
    from features.spark import session
    from features.spark_signals import in_order, signals_on_spark

    spark, names = session(url), model.signal_names
    readings = model.readings(log, as_of, customers)
    with signals_on_spark(
        spark, log, [as_of], fitted=model.fitted, customers=customers, signals=names, readings=readings
    ) as signals:
        found = in_order(with_scores(signals, model))
    return found.drop_columns([SCORE]), found.column(SCORE).to_numpy()


def _scored(sent: Any, sha256: str, names: tuple[str, ...]) -> Callable[[Any], Iterator[pa.RecordBatch]]:
    """What a worker does with its batches of rows."""

    def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            table = pa.Table.from_batches([batch])
            scores = received(sent.value, sha256).predict(table.select([*KEYS, *names]))
            yield from table.append_column(SCORE, pa.array(scores, pa.float64())).to_batches()

    return score


_MODELS: dict[str, Model] = {}
"""By hash, in a worker's memory: a worker lives through many tasks."""


def received(shipped: Mapping[str, bytes], sha256: str) -> Model:
    """The model in these files, once per worker, if they have this hash.

    Raises
    ------
    ModelError
        A file is missing or was altered on its way.
    """
    if sha256 not in _MODELS:
        with TemporaryDirectory(prefix="pehle-model-") as scratch:
            for name, content in shipped.items():
                (Path(scratch) / name).write_bytes(content)
            _MODELS[sha256] = Model.load(Path(scratch), sha256)
    return _MODELS[sha256]
