"""What happened, as far as anyone may know it at a given instant? The append-only log of all events.

Parquet files in one folder per month below `<data>/events`, named by a manifest (`records.manifest`), read by DuckDB in
memory. An event is seen at T only if it occurred before T *and* was received before T.

Note for SQL on these connections: fetch times through Arrow (`.to_arrow_table()`) or as `epoch_us(…)`;
`.fetchall()` of a timestamptz needs the package pytz, which we do not carry.
"""

# ruff: noqa: S608  the SQL is made of our own column names and file names; values are parameters
from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from weakref import finalize

import pyarrow as pa

from records.canonical import COLUMNS, EVENT_SCHEMA, PASSIVE_EVENTS, conform, empty_relation_sql, row_text_sql
from records.manifest import Manifest, Part, keep_fact, only_appender, read_facts, read_manifest, swap_manifest
from records.parts import delete_retired, files_sql, forget_leftovers, small_parts, write_parts
from records.scratch import held_folder

if TYPE_CHECKING:
    import duckdb
    from ibis.expr.types import Table as IbisTable

__all__ = ["EVENT_SCHEMA", "PASSIVE_EVENTS", "Appended", "EventLog", "LogSummary"]

MEMORY_LIMIT_BYTES = 3 << 30  # per connection, and at most half of the machine's; DuckDB spills beyond it
SPILL_LIMIT = "40GB"
THREADS = 2
_LIST = ", ".join(COLUMNS)


@dataclass(frozen=True, kw_only=True)
class Appended:
    """What became of the events handed in."""

    accepted: int
    duplicates: int  # their event_id was in the log already, or twice in what was handed in


@dataclass(frozen=True, kw_only=True)
class LogSummary:
    """The log in four figures."""

    count: int  # events
    customers: int
    first: datetime | None  # occurred_at of the earliest and the latest event; None: the log is empty
    last: datetime | None


class EventLog:
    """The event log of one home. Making one reads and writes nothing."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.folder = data / "events"

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────
    def append(self, events: pa.Table) -> Appended:
        """Add events that are not there yet, durably and all at once.

        Rows without an event_id get the hash of their content and their ordinal among identical rows of this table.
        """
        if not events.num_rows:
            return Appended(accepted=0, duplicates=0)
        table = conform(events)
        self.data.mkdir(parents=True, exist_ok=True)
        with self.connection() as con:
            con.register("incoming_rows", table)
            source = "incoming_rows"
            if table.column("event_id").null_count:
                source = "identified_rows"
                con.execute(f"create temp table identified_rows as {identified_sql('incoming_rows')}")
            return self.append_relation(con, source)

    def append_relation(self, con: duckdb.DuckDBPyConnection, source: str, *, dry_run: bool = False) -> Appended:
        """Add the rows of a relation of `con` that has the canonical columns; a dry run only counts."""
        con.execute(f"create or replace temp view incoming as select {_LIST} from {source}")
        if dry_run:
            _, fresh, total = self._fresh(con, read_manifest(self.folder))
            return Appended(accepted=fresh, duplicates=total - fresh)
        with only_appender(self.folder):
            manifest = read_manifest(self.folder)
            forget_leftovers(self.folder, manifest)
            relation, fresh, total = self._fresh(con, manifest)
            if fresh:
                months = _months(con, relation)
                merged = small_parts(manifest, months)
                if merged:
                    old = files_sql(self.folder, merged)
                    relation = f"(select * from {relation} union all select {_LIST} from {old})"
                added = write_parts(self.folder, con, relation, manifest.generation + 1)
                following = manifest.following(added, {part.path for part in merged})
                swap_manifest(self.folder, following)
                delete_retired(self.folder, manifest, following)
            return Appended(accepted=fresh, duplicates=total - fresh)

    def _fresh(self, con: duckdb.DuckDBPyConnection, manifest: Manifest) -> tuple[str, int, int]:
        """The relation of rows not in the log yet, each id once; how many they are, and how many were handed in."""
        total, distinct = _row(con, "select count(*), count(distinct event_id) from incoming")
        relation = "incoming"
        if distinct < total:
            # Of two rows with one id the earliest known stays: the choice depends on no order of the input.
            relation = (
                f"(select {_LIST} from incoming qualify row_number() over (partition by event_id "
                f"order by received_at, occurred_at, {row_text_sql()}) = 1)"
            )
        if not manifest.parts or not total:
            return relation, distinct, total
        files = files_sql(self.folder, manifest.parts)
        con.execute(
            f"create or replace temp table known as select event_id from {files} "
            "where event_id in (select event_id from incoming)"
        )
        (known,) = _row(con, "select count(*) from known")
        if known:
            relation = f"(select {_LIST} from {relation} anti join known using (event_id))"
        return relation, distinct - known, total

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────
    def connection(self, threads: int | None = None) -> duckdb.DuckDBPyConnection:
        """A DuckDB in memory, in UTC, with limits on memory and spill, and the view `events` over the log as it is."""
        import duckdb

        try:
            spill, release = held_folder(self.data)
        except OSError:  # no home yet, or one that may only be read: whatever must spill fails, and says so
            spill, release = self.data / f"spill-{uuid4().hex}", _nothing
        con = duckdb.connect(
            config={
                "memory_limit": f"{min(MEMORY_LIMIT_BYTES, _machine_bytes() // 2) >> 20}MiB",
                "threads": threads or THREADS,
                "temp_directory": str(spill),  # two connections may not share one
                "preserve_insertion_order": False,
            }
        )
        finalize(con, release)
        con.execute(f"set max_temp_directory_size = '{SPILL_LIMIT}'")  # in `config` it is shown and not obeyed
        con.execute("set TimeZone = 'UTC'")
        con.execute("set enable_progress_bar = false")  # it would be printed among the answers of `python -c` programs
        con.execute(f"create view events as select * from {self.relation_sql()}")
        return con

    def relation_sql(self, until: datetime | None = None) -> str:
        """SQL of the events known before `until` (all of them if None), for use behind `from` on connections in UTC."""
        return self._relation_sql(read_manifest(self.folder), until)

    def pieces(self, until: datetime, rows: int) -> list[tuple[str, int]]:
        """The same events in relations of about so many rows each, and how many rows their files have."""
        found: list[tuple[str, int]] = []
        together: list[Part] = []
        for part in _needed(read_manifest(self.folder), until):
            if together and sum(one.rows for one in together) + part.rows > rows:
                found += self._piece(together, until, rows)
                together = []
            together.append(part)
        return found + (self._piece(together, until, rows) if together else [])

    def _piece(self, parts: list[Part], until: datetime, rows: int) -> list[tuple[str, int]]:
        """These parts as one relation, or, if one part alone is too large, as several."""
        count = sum(part.rows for part in parts)
        source, pieces = self._relation_sql(Manifest(parts=tuple(parts)), until), -(-count // rows)
        if pieces == 1:
            return [(source, count)]
        split = (f"(select * from {source} where hash(event_id) % {pieces} = {one})" for one in range(pieces))
        return [(one, count // pieces) for one in split]

    def _relation_sql(self, manifest: Manifest, until: datetime | None) -> str:
        parts = _needed(manifest, until)
        if not parts:
            return empty_relation_sql()
        files = files_sql(self.folder, parts)
        if until is None:
            return f"(select {_LIST} from {files})"
        instant = f"make_timestamptz({(_aware(until) - _EPOCH) // timedelta(microseconds=1)})"
        return f"(select {_LIST} from {files} where occurred_at < {instant} and received_at < {instant})"

    def files(self, until: datetime) -> list[Path]:
        """The Parquet files with every event known before `until`, and others: for an engine that filters by itself."""
        return [self.folder / part.path for part in _needed(read_manifest(self.folder), until)]

    def read(self, until: datetime | None = None, con: duckdb.DuckDBPyConnection | None = None) -> IbisTable:
        """The events known before `until` as an Ibis table, on `con` or on a connection of its own."""
        import ibis

        con = con or self.connection()
        backend = ibis.duckdb.from_connection(con)
        name = f"events_{uuid4().hex}"
        con.execute(f"create temp view {name} as select * from {self.relation_sql(until)}")
        return backend.table(name)

    def for_customer(self, customer_id: str, until: datetime | None = None) -> pa.Table:
        """One customer's events, newest last."""
        with self.connection() as con:
            found: pa.Table = con.sql(
                f"select {_LIST} from {self.relation_sql(until)} where customer_id = ? order by occurred_at, event_id",
                params=[customer_id],
            ).to_arrow_table()
            return found

    # ── facts ────────────────────────────────────────────────────────────────────────────────────────────
    def summary(self) -> LogSummary:
        """How many events and customers, from when until when? Counted once per content of the log."""
        manifest = read_manifest(self.folder)
        if not manifest.parts:
            return LogSummary(count=0, customers=0, first=None, last=None)
        customers = read_facts(self.folder, manifest).get("customers")
        if customers is None:
            with self.connection() as con:
                (customers,) = _row(
                    con, f"select count(distinct customer_id) from {self._relation_sql(manifest, None)}"
                )
            keep_fact(self.folder, manifest, "customers", customers)
        return LogSummary(
            count=manifest.rows,
            customers=customers,
            first=min(part.first for part in manifest.parts),
            last=max(part.last for part in manifest.parts),
        )

    def data_sha256(self, until: datetime | None = None) -> str:
        """Which events exactly are these? Equal for two logs with the same events, whenever and however they came.

        The SHA-256 of the rows' own SHA-256, in the order of event_id, over the canonical columns.
        """
        manifest = read_manifest(self.folder)
        fact = "data_sha256" if until is None else f"data_sha256 until {_aware(until).isoformat()}"
        known = read_facts(self.folder, manifest).get(fact)
        if known is not None:
            return str(known)
        total = sha256()
        with self.connection() as con:
            rows = con.sql(
                f"select digest from (select event_id, unhex(sha256({row_text_sql()})) as digest "
                f"from {self._relation_sql(manifest, until)}) order by event_id"
            ).to_arrow_reader(100_000)
            for batch in rows:
                digests = batch.column(0).cast(pa.binary(32))  # one after the other in a single buffer
                start = digests.offset * 32
                total.update(digests.buffers()[1][start : start + len(digests) * 32])
        keep_fact(self.folder, manifest, fact, total.hexdigest())
        return total.hexdigest()


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _nothing() -> None:
    """There is no folder to give back."""


def _machine_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def identified_sql(relation: str) -> str:
    """SQL of these rows with an event_id for those that had none: hash of the content and ordinal among equals."""
    others = tuple(name for name in COLUMNS if name != "event_id")
    hashed = f"left(sha256({row_text_sql(others)}), 32)"
    return (
        f"select {_LIST} from {relation} where event_id is not null union all "
        f"select digest || '-' || row_number() over (partition by digest) as event_id, {', '.join(others)} "
        f"from (select *, {hashed} as digest from {relation} where event_id is null)"
    )


def _needed(manifest: Manifest, until: datetime | None) -> list[Part]:
    """The parts that may hold an event known before `until`."""
    if until is None:
        return list(manifest.parts)
    until = _aware(until)
    return [part for part in manifest.parts if max(part.first, part.first_received) < until]


def _aware(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        msg = f"naive time {instant!r}: give it a zone, UTC by preference"
        raise ValueError(msg)
    return instant.astimezone(UTC)


def _row(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    row = con.execute(sql).fetchone()
    assert row is not None  # noqa: S101  aggregates always give one row
    return row


def _months(con: duckdb.DuckDBPyConnection, relation: str) -> set[str]:
    rows = con.execute(f"select distinct strftime(occurred_at, '%Y-%m') from {relation}").fetchall()
    return {f"month={month}" for (month,) in rows}
