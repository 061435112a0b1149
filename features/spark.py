"""Which Spark does the work of building signals? The session, and the settings that equal results need.

`[engine] url` names it: `spark://host:7077` for a cluster, `local[2]` for two threads here. Spark is an extra
(`pip install .[spark]`) and needs Java. Each worker needs this package too: it reads events and scores there.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from records.errors import SettingError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EVERYWHERE = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",  # an overflow is an error, as it is for DuckDB, and not a null
    "spark.sql.execution.arrow.maxRecordsPerBatch": "100000",
    "spark.log.structuredLogging.enabled": "false",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}
"""What equal results need, and batches that are large enough to be worth a query each."""

HERE = {
    "spark.driver.memory": "3g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "2",
}
"""For `local[…]`: nothing listens beyond this machine, and memory is bounded. A cluster has its own settings."""


def session(url: str) -> SparkSession:
    """The Spark at this address; one per process. What else it needs stands in Spark's own `spark-defaults.conf`.

    Raises
    ------
    SettingError
        pyspark is not installed, Java is missing, or this process uses another Spark already.
    """
    try:
        from pyspark.errors import PySparkRuntimeError
        from pyspark.sql import SparkSession
    except ImportError as error:
        msg = f"The setting engine.url is {url!r}, and Spark is not installed."
        raise SettingError(msg, remedy="Install it: pip install 'pehle[spark]'", key="engine.url") from error
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # of its workers; else some python3 of the path
    builder = SparkSession.builder.master(url).appName("pehle")
    for key, value in (EVERYWHERE | (HERE if url.startswith("local") else {})).items():
        builder = builder.config(key, value)
    try:
        spark = builder.getOrCreate()
    except PySparkRuntimeError as error:
        msg = f"Spark does not start: {error}."
        remedy = "It needs Java 17 or newer; JAVA_HOME may point at one."
        raise SettingError(msg, remedy=remedy, key="engine.url") from error
    if spark.sparkContext.master != url:
        msg = f"This process uses the Spark at {spark.sparkContext.master} and cannot change to {url}."
        raise SettingError(msg, remedy="Start another one for it.", key="engine.url")
    return spark
