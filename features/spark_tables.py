"""How do our Ibis expressions and SQL texts run on Spark? By the same text as on DuckDB, translated.

The differences that matter are named here: `translated` and `in_doubles`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pyarrow as pa

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


ROWS_AT_ONCE = 50_000
"""Of rows that Spark has stored, so many are in this process at a time."""


class Tables:
    """The tables of one build in a Spark session, by short names; `close` forgets them."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark
        self._prefix = f"pehle_{uuid4().hex}_"
        self._kept: list[DataFrame] = []
        self._names: list[str] = []

    def name(self, table: str) -> str:
        """What is this table called in the session? Builds at the same time do not meet."""
        return self._prefix + table

    def put(self, table: str, frame: DataFrame, *, keep: bool = False) -> None:
        """Give these rows a name. `keep`: they are read more than once, and stay in memory or on disk meanwhile."""
        if keep:
            frame = frame.persist()
            self._kept.append(frame)
        frame.createOrReplaceTempView(self.name(table))
        self._names.append(self.name(table))

    def frame(self, table: str) -> DataFrame:
        """The table as Spark has it."""
        return self.spark.table(self.name(table))

    def at(self, table: str) -> Any:
        """The table as an Ibis expression takes it."""
        import ibis
        from ibis.backends.pyspark.datatypes import PySparkType

        fields = self.frame(table).schema.fields
        return ibis.table({field.name: PySparkType.to_ibis(field.dataType) for field in fields}, name=self.name(table))

    def run(self, expression: Any) -> DataFrame:
        """The rows of an Ibis expression over such tables."""
        return self.spark.sql(compiled(expression))

    def query(self, text: str) -> DataFrame:
        """The rows of a query written for DuckDB; its tables are called as `name` says."""
        return self.spark.sql(translated(text))

    def close(self) -> None:
        """Forget every table."""
        for name in self._names:
            self.spark.catalog.dropTempView(name)
        for frame in self._kept:
            frame.unpersist()


def stored_rows(frame: DataFrame, folder: Path, by: Sequence[str] = ()) -> Iterator[pa.Table]:
    """These rows, sorted by these columns, in tables of some rows: Spark writes them to `folder`, we read them there.

    To sort, Spark looks at a sample of the rows first, so they are kept meanwhile.
    """
    import pyarrow.parquet as parquet

    kept = frame.persist() if by else frame
    try:
        (kept.orderBy(*by) if by else kept).write.parquet(f"file://{folder.resolve()}")
    finally:
        if by:
            kept.unpersist()
    for file in sorted(folder.glob("part-*.parquet")):  # numbered in their order
        for batch in parquet.ParquetFile(file).iter_batches(ROWS_AT_ONCE):
            yield pa.Table.from_batches([batch]).replace_schema_metadata()


def compiled(expression: Any) -> str:
    """Which Spark SQL says this?"""
    import ibis
    from ibis.backends.sql.compilers.pyspark import compiler

    assert ibis.pyspark  # noqa: S101  Ibis sets the compiler's options when the name is first looked up
    return str(in_doubles(compiler.to_sqlglot(expression)).sql(dialect="spark"))


def translated(text: str) -> str:
    """The same query in Spark's words. sqlglot knows them but for one: `epoch_us` is `unix_micros`."""
    import sqlglot

    tree = sqlglot.parse_one(text, read="duckdb")
    for call in tree.find_all(sqlglot.exp.Anonymous):
        if call.name.lower() == "epoch_us":
            call.set("this", "unix_micros")
    return str(in_doubles(tree).sql(dialect="spark"))


def in_doubles(tree: Any) -> Any:
    """The same with every `0.5` a double: to Spark it is a decimal, and quotients of decimals are cut to six digits."""
    from sqlglot import exp

    def double(node: Any) -> Any:
        if isinstance(node, exp.Literal) and not node.is_string and not str(node.this).isdigit():
            return exp.cast(exp.Literal.string(node.this), "double")
        return node

    return tree.transform(double)
