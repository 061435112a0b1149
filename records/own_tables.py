"""What does the company itself know about its customers at given moments? Tables of its own, beside the event log.

    signals   numbers that models may learn from, whatever the columns are called
    labels    who left, by the company's own rule: one column `left`
    scores    how likely each was to leave, computed elsewhere: one column `churn_probability`

Each row is about one `customer_id` at one `cutoff`; a signal table's row is seen by every later cutoff. A table is one
Parquet file below `data/own/<kind>/`, sorted by customer and cutoff, swapped as a whole: a killed import changes none.
"""

# ruff: noqa: S608  the SQL is made of our own names; column names and paths are quoted
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from records.canonical import TIME
from records.chunks import open_rows
from records.errors import InputError
from records.events import EventLog
from records.manifest import only_appender, sync_file, sync_folder
from records.own_rows import LABELS, NAME, SCORES, SIGNALS, Kind, own_row, value_names
from records.parts import quoted
from records.quarantine import Progress, Quarantine
from records.reading import Reject, Row

if TYPE_CHECKING:
    import duckdb

ROWS_AT_ONCE = 50_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Rejecting = Callable[[Reject], None]


@dataclass(frozen=True, kw_only=True)
class OwnReport:
    """accepted + replaced + duplicates + rejected are all the rows of the files."""

    accepted: int = 0
    replaced: int = 0  # another row of the same person and moment stood there
    duplicates: int = 0  # the very same row stood there
    rejected: int = 0
    rejects: list[Reject] = field(default_factory=list)  # the first ones; all of them are in quarantine

    @property
    def changed(self) -> bool:
        """Is the table another one now?"""
        return bool(self.accepted or self.replaced)


def own_tables(data: Path, kind: Kind) -> dict[str, Path]:
    """The company's tables of this kind by name, in order of their names."""
    return {file.stem: file for file in sorted((data / "own" / kind).glob("*.parquet"))}


def own_table(data: Path, kind: Kind, name: str) -> Path:
    """One table's file. Raises InputError, naming the command that makes it, if there is none."""
    found = own_tables(data, kind)
    if name not in found:
        msg = f"there is no table of {kind} called {name!r}; there are {', '.join(found) or 'none'}."
        raise InputError(msg, remedy=f"Import it: pehle import {kind} FILE --name {name}", value=name)
    return found[name]


def described(data: Path) -> list[dict[str, Any]]:
    """Every table of the company's own: kind, name, rows, first and last cutoff, columns."""
    found = []
    kinds: tuple[Kind, ...] = (SIGNALS, LABELS, SCORES)
    with EventLog(data).connection() as con:
        for kind in kinds:
            for name, file in own_tables(data, kind).items():
                source = f"read_parquet({quoted(file)})"
                of_rows = f"select count(*), min(epoch_us(cutoff)), max(epoch_us(cutoff)) from {source}"
                [(rows, *moments)] = con.execute(of_rows).fetchall()
                first, last = ((EPOCH + timedelta(microseconds=one)).isoformat() for one in moments)
                columns = list(_names_of(con, file))
                found.append(
                    {"kind": kind, "table": name, "rows": rows, "first": first, "last": last, "columns": columns}
                )
    return found


def remove_own(data: Path, kind: Kind, name: str) -> int:
    """Remove a table; how many rows it had. Raises InputError if there is none."""
    file = own_table(data, kind, name)
    with only_appender(file.parent), EventLog(data).connection() as con:
        [(rows,)] = con.execute(f"select count(*) from read_parquet({quoted(file)})").fetchall()
        file.unlink()
        sync_folder(file.parent)
    return int(rows)


def own_sha256(data: Path, kind: Kind, name: str, until: datetime | None = None) -> str:
    """Which rows exactly, of cutoffs before `until`? Equal for two homes with the same rows, however they came.

    The SHA-256 of the column names and of each row's own SHA-256, in the order of customer and cutoff.
    """
    table = own_table(data, kind, name)
    total = sha256()
    with EventLog(data).connection() as con:
        source = f"read_parquet({quoted(table)})"
        names = con.sql(f"select * from {source} limit 0").columns
        total.update(repr(names).encode())
        row = " || ',' || ".join(f"coalesce(cast({_column(name)} as varchar), '-')" for name in names[2:])
        digest = f"sha256(strlen(customer_id) || ':' || customer_id || epoch_us(cutoff) || ':' || {row})"
        before = f"where cutoff < make_timestamptz({microseconds_of(until)})" if until else ""
        for (one,) in con.execute(f"select {digest} from {source} {before} order by customer_id, cutoff").fetchall():
            total.update(one.encode())
    return total.hexdigest()


def microseconds_of(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def import_own(
    data: Path,
    kind: Kind,
    name: str,
    files: Sequence[Path],
    now: datetime,
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> OwnReport:
    """Read these files into the table `name`. Columns: customer_id, cutoff (a day is its midnight in UTC), then values.

    The same row again is a duplicate; another row for the same person and moment replaces the one before. All columns
    are those of the table's first file. Rows that cannot be used are put aside with file, line, value and reason.

    Raises
    ------
    InputError
        A file cannot be read at all, has other columns than the table, or the name is no name; nothing is changed.
    """
    if not NAME.fullmatch(name):
        msg = f"{name!r} cannot be the name of a table."
        raise InputError(msg, remedy="Use small letters, digits and _, beginning with a letter.", value=name)
    folder = data / "own" / kind
    aside = None if dry_run else data / "quarantine"
    report = OwnReport()
    with EventLog(data).connection() as con:
        names: tuple[str, ...] = ()
        for file in files:
            with Quarantine(file, aside, now) as put_aside:
                names = _stage(con, kind, folder / f"{name}.parquet", file, names, now, put_aside.add, progress)
                found = put_aside.report(0, 0)
                report = OwnReport(rejected=report.rejected + found.rejected, rejects=report.rejects + found.rejects)
        if dry_run:
            return _counted(con, folder / f"{name}.parquet", names, report)
        with only_appender(folder):
            report = _counted(con, folder / f"{name}.parquet", names, report)
            if report.changed:
                _swap(con, folder / f"{name}.parquet")
        return report


def _stage(
    con: duckdb.DuckDBPyConnection,
    kind: Kind,
    table: Path,
    file: Path,
    before: tuple[str, ...],
    now: datetime,
    reject: Rejecting,
    progress: Progress | None,
) -> tuple[str, ...]:
    """Put the good rows of one file into the temp table `incoming`; the names of the value columns."""
    header, rows = open_rows(file, reject)
    first = next(rows, None)
    if header is None:  # JSON Lines: each row names its own columns, the first one those of the file
        header = list(first[2]) if first is not None else []
    names = value_names(kind, file, header)
    known = before or _names_of(con, table)
    if known and set(names) != set(known):
        other = sorted(set(names) ^ set(known))[0]
        msg = f"{file} has the columns {', '.join(names)}, the table {table.stem!r} has {', '.join(known)}."
        raise InputError(msg, remedy="Rename them, or use another --name.", file=str(file), line=1, value=other)
    names = known or names
    if not before:
        values = "".join(f", {_column(name)} double" for name in names)
        con.execute(f'create temp table incoming ("#" bigint, customer_id varchar, cutoff timestamptz{values})')
    read = 0
    for batch in _batches(first, rows):
        _insert(con, _good_rows(kind, file, batch, names, now, reject), names)
        read += len(batch)
        if progress is not None:
            progress(file, read)
    return names


def _batches(first: Row | None, rows: Iterator[Row]) -> Iterator[list[Row]]:
    batch = [] if first is None else [first]
    for row in rows:
        batch.append(row)
        if len(batch) >= ROWS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _good_rows(
    kind: Kind, file: Path, batch: Sequence[Row], names: Sequence[str], now: datetime, reject: Rejecting
) -> list[tuple[Any, ...]]:
    good = []
    for line, raw, row in batch:
        try:
            good.append(own_row(kind, row, names, now))
        except ValueError as error:
            reason, value = error.args if len(error.args) == 2 else (str(error), None)
            reject(Reject(str(file), line, reason, None if value is None else str(value)[:200], raw))
    return good


def _column(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _insert(con: duckdb.DuckDBPyConnection, rows: Sequence[tuple[Any, ...]], names: Sequence[str]) -> None:
    if not rows:
        return
    columns = list(zip(*rows, strict=True))
    (before,) = con.execute("select count(*) from incoming").fetchall()[0]
    places = pa.array(range(before, before + len(rows)), pa.int64())
    arrays: list[Any] = [places, pa.array(columns[0], pa.string()), pa.array(columns[1], TIME)]
    arrays += [pa.array(column, pa.float64()) for column in columns[2:]]
    con.register("batch", pa.table(arrays, names=["#", "customer_id", "cutoff", *names]))
    con.execute("insert into incoming select * from batch")
    con.unregister("batch")


def _names_of(con: duckdb.DuckDBPyConnection, table: Path) -> tuple[str, ...]:
    """The value columns of a table that is there already."""
    if not table.exists():
        return ()
    return tuple(con.sql(f"select * from read_parquet({quoted(table)}) limit 0").columns[2:])


def _counted(con: duckdb.DuckDBPyConnection, table: Path, names: Sequence[str], so_far: OwnReport) -> OwnReport:
    """Make table `merged`, old and new rows, and say what became of each new one."""
    values = "".join(f", {_column(name)}" for name in names)
    con.execute(
        f"create or replace temp table fresh as select customer_id, cutoff{values} from incoming "
        'qualify row_number() over (partition by customer_id, cutoff order by "#" desc) = 1'
    )
    old = f"(select * from read_parquet({quoted(table)}))" if table.exists() else "(select * from fresh where false)"
    same = " and ".join(f"o.{_column(name)} is not distinct from n.{_column(name)}" for name in names) or "true"
    keyed = "o.customer_id = n.customer_id and o.cutoff = n.cutoff"
    con.execute(
        f"create or replace temp table merged as select * from fresh union all "
        f"select o.* from {old} o anti join fresh n on {keyed}"
    )
    there = "o.customer_id is not null"
    counts = f"""
        select count(*) filter (where not {there}), count(*) filter (where {there} and {same}), count(*)
        from fresh n left join {old} o on {keyed}"""
    accepted, duplicates, keys = con.execute(counts).fetchall()[0]
    # Rows that a later row of the same files overrides: another value is a replacement, the same one a duplicate.
    again = f"select count(*) - {keys}, count(*) filter (where {same}) - {keys} from incoming o join fresh n on {keyed}"
    repeated, equal = con.execute(again).fetchall()[0]
    return OwnReport(
        accepted=accepted,
        replaced=keys - accepted - duplicates + repeated - equal,
        duplicates=duplicates + equal,
        rejected=so_far.rejected,
        rejects=so_far.rejects,
    )


def _swap(con: duckdb.DuckDBPyConnection, table: Path) -> None:
    """Write `merged` durably beside the table, then let it take the table's place."""
    fresh = table.with_suffix(".new")
    con.execute(f"copy (select * from merged order by customer_id, cutoff) to {quoted(fresh)} (format parquet)")
    sync_file(fresh)
    fresh.replace(table)
    sync_folder(table.parent)
