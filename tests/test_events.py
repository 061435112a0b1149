"""The event log: what is appended once is read exactly, by anyone who may know it."""

# ruff: noqa: S608  the SQL comes from the log itself
from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from records.canonical import COLUMNS
from records.errors import InputError
from records.events import EVENT_SCHEMA, Appended, EventLog
from records.manifest import read_manifest
from records.parts import SMALL_PARTS
from records.scratch import LOCK

MAY = datetime(2026, 5, 3, 10, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def event(event_id: str | None, occurred_at: datetime = MAY, **more: Any) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "customer_id": "C-20 4817",
        "occurred_at": occurred_at,
        "name": "page_viewed",
        **more,
    }


def table(*events: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(
        [{name: row.get(name) for name in COLUMNS} for row in events],
        pa.schema([field.with_nullable(True) for field in EVENT_SCHEMA]),
    )


def ids(log: EventLog, until: datetime | None = None) -> set[str]:
    with log.connection() as con:
        return {name for (name,) in con.execute(f"select event_id from {log.relation_sql(until)}").fetchall()}


def test_an_empty_log_answers_and_writes_nothing(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "data")
    assert log.summary().count == 0
    assert log.read().count().execute() == 0
    assert log.for_customer("x").schema.names == list(COLUMNS)
    assert log.append(table()) == Appended(accepted=0, duplicates=0)
    log.data_sha256()
    assert list(tmp_path.iterdir()) == []


def test_what_is_read_is_what_was_appended(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    full = event(
        "a'1",
        received_at=MAY + timedelta(hours=1),
        channel="app",
        product="phone_x9",
        topic="billing",
        amount=Decimal("-12345678901234.5678"),
        currency="INR",
        text='नमस्ते, "बिल" ज़्यादा है\nclosing line',
        rating=4.5,
        properties='{"a":1}',
    )
    log.append(table(full, event("b", MAY + MICROSECOND)))
    found = log.for_customer("C-20 4817")
    assert found.schema.types == EVENT_SCHEMA.types
    first, second = found.to_pylist()
    assert first == full
    assert second["received_at"] == second["occurred_at"] == MAY + MICROSECOND
    assert second["amount"] is None


def test_an_event_is_taken_once(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    assert log.append(table(event("a"), event("b"), event("a"))) == Appended(accepted=2, duplicates=1)
    june = event("a", datetime(2026, 6, 3, tzinfo=UTC))  # the same id in another month is still the same event
    assert log.append(table(june, event("c"))) == Appended(accepted=1, duplicates=1)
    assert ids(log) == {"a", "b", "c"}
    assert log.summary().last == MAY


def test_equal_rows_without_an_id_are_all_kept_and_known_again(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    rows = table(event(None), event(None), event(None, text="another"))
    assert log.append(rows) == Appended(accepted=3, duplicates=0)
    assert log.append(rows) == Appended(accepted=0, duplicates=3)
    assert log.append(table(event(None), event(None), event(None))) == Appended(accepted=1, duplicates=2)


@pytest.mark.parametrize(
    ("occurred", "received", "seen"),
    [
        (-MICROSECOND, -MICROSECOND, True),
        (-MICROSECOND, timedelta(0), False),
        (timedelta(0), -MICROSECOND, False),
        (timedelta(0), timedelta(0), False),
        (timedelta(days=-40), MICROSECOND, False),
    ],
)
def test_an_event_is_seen_only_after_it_happened_and_became_known(
    tmp_path: Path, occurred: timedelta, received: timedelta, seen: bool
) -> None:
    log = EventLog(tmp_path)
    # Known early, late in being known, late: their file is always read, whatever its bounds.
    others = [event("early", MAY - timedelta(days=1)), event("told late", MAY - timedelta(days=1), received_at=MAY)]
    log.append(table(*others, event("e", MAY + occurred, received_at=MAY + received)))
    expected = {"early", "e"} if seen else {"early"}
    assert ids(log, MAY) == expected
    assert log.read(MAY).count().execute() == len(expected)
    assert set(log.for_customer("C-20 4817", MAY).column("event_id").to_pylist()) == expected
    assert ids(log) == {"early", "told late", "e"}


def test_a_time_without_a_zone_is_refused(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.append(table(event("e")))
    naive = datetime(2026, 5, 3)  # noqa: DTZ001  naive is the point
    with pytest.raises(ValueError, match="naive time"):
        log.relation_sql(naive)
    with pytest.raises(InputError, match="without a zone"):
        log.append(pa.table({"event_id": ["n"], "customer_id": ["c"], "name": ["x"], "occurred_at": [naive]}))


@pytest.mark.parametrize("missing", ["customer_id", "occurred_at", "name"])
def test_an_event_without_a_needed_value_is_refused(tmp_path: Path, missing: str) -> None:
    with pytest.raises(InputError, match=missing):
        EventLog(tmp_path).append(table({**event("e"), missing: None}))


def test_an_unknown_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no column 'colour'"):
        EventLog(tmp_path).append(table(event("e")).append_column("colour", pa.array(["red"])))


def test_summary_counts_customers_and_follows_the_log(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.append(table(event("a"), event("b", MAY + timedelta(days=60), customer_id="other")))
    summary = log.summary()
    assert (summary.count, summary.customers) == (2, 2)
    assert (summary.first, summary.last) == (MAY, MAY + timedelta(days=60))
    log.append(table(event("c", customer_id="third")))
    assert log.summary().customers == 3


events_in_any_order = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.integers(0, 120),
        st.integers(0, 3),
        st.one_of(st.none(), st.decimals(-(10**12), 10**12, places=4)),
        st.one_of(st.none(), st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)),
    ),
    max_size=30,
    unique_by=lambda item: item[0],
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=events_in_any_order, data=st.data())
def test_the_hash_of_the_data_depends_on_the_events_alone(made: list[Any], data: st.DataObject) -> None:
    """Two homes, another order, other batches, every event twice: the same hash; one changed text: another."""
    rows = [
        event(
            f"e{number}",
            MAY + timedelta(days=day),
            received_at=MAY + timedelta(days=day + late),
            amount=amount,
            text=words,
        )
        for number, day, late, amount, words in made
    ]
    shuffled = data.draw(st.permutations(rows + rows))
    cut = data.draw(st.integers(0, len(shuffled)))
    until = MAY + timedelta(days=60)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        first, second = EventLog(Path(one)), EventLog(Path(other))
        first.append(table(*rows))
        halves = [second.append(table(*shuffled[:cut])), second.append(table(*shuffled[cut:]))]
        assert sum(half.accepted for half in halves) == len(rows)
        assert first.data_sha256() == second.data_sha256()
        assert first.data_sha256(until) == second.data_sha256(until)
        if rows:
            second.append(table(event("one more")))
            assert first.data_sha256() != second.data_sha256()


def test_a_changed_value_changes_the_hash(tmp_path: Path) -> None:
    plain = event("e", channel="ab", product="c")
    changes: list[dict[str, Any]] = [
        {},
        {"channel": "a", "product": "bc"},
        {"channel": None},
        {"channel": "-"},
        {"channel": "2:ab"},
        {"amount": Decimal("1")},
        {"rating": 1.0},
        {"received_at": MAY + MICROSECOND},
    ]
    variants = [plain | change for change in changes]
    hashes = set()
    for number, row in enumerate(variants):
        log = EventLog(tmp_path / str(number))
        log.append(table(row))
        hashes.add(log.data_sha256())
    assert len(hashes) == len(variants)


def test_two_appenders_lose_nothing_of_each_other(tmp_path: Path) -> None:
    log = EventLog(tmp_path)

    def add(worker: int) -> None:
        for number in range(5):
            log.append(table(event(f"{worker}-{number}"), event(f"shared-{number}")))

    workers = [threading.Thread(target=add, args=(worker,)) for worker in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert ids(log) == {f"{w}-{n}" for w in range(4) for n in range(5)} | {f"shared-{n}" for n in range(5)}
    assert log.summary().count == 25


def test_small_parts_are_merged_and_readers_of_the_old_ones_go_on(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    for number in range(SMALL_PARTS):
        log.append(table(event(f"e{number}")))
    before = log.relation_sql()
    digest = log.data_sha256()
    assert log.append(table(event("last"))).accepted == 1
    assert len(read_manifest(log.folder).parts) == 1
    with log.connection() as con:
        assert con.execute(f"select count(*) from {before}").fetchone() == (SMALL_PARTS,)
    assert len(ids(log)) == log.summary().count == SMALL_PARTS + 1
    assert log.data_sha256() != digest


KILLED = """
import os, signal, sys
from pathlib import Path
import pyarrow as pa
from records import events, manifest, parts
fatal = sys.argv[2]
def die(*arguments): os.kill(os.getpid(), signal.SIGKILL)
if fatal == "before moving": parts.sync_file = die
if fatal == "before the swap": events.swap_manifest = die
if fatal == "inside the swap": manifest.sync_file = None; Path.replace_was = Path.replace
if fatal == "inside the swap":
    def replace(self, target):
        if self.name.startswith(".manifest"): die()
        return self.replace_was(target)
    Path.replace = replace
log = events.EventLog(Path(sys.argv[1]))
rows = pa.ipc.open_stream(sys.stdin.buffer).read_all()
log.append(rows)
"""


@pytest.mark.parametrize("fatal", ["before moving", "before the swap", "inside the swap"])
def test_a_killed_append_leaves_the_log_as_it_was_and_is_done_again(tmp_path: Path, fatal: str) -> None:
    log = EventLog(tmp_path)
    log.append(table(event("a")))
    digest = log.data_sha256()
    sink = pa.BufferOutputStream()
    rows = table(event("b"), event("c", MAY + timedelta(days=40)))
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    command = [sys.executable, "-c", KILLED, str(tmp_path), fatal]
    done = subprocess.run(command, input=sink.getvalue().to_pybytes(), check=False, env={**os.environ})
    assert done.returncode == -signal.SIGKILL
    assert ids(log) == {"a"}
    assert EventLog(tmp_path).data_sha256() == digest
    assert log.append(rows) == Appended(accepted=2, duplicates=0)
    assert ids(log) == {"a", "b", "c"}
    named = {part.path for part in read_manifest(log.folder).parts}
    assert {str(file.relative_to(log.folder)) for file in log.folder.glob("month=*/*")} == named


def test_a_home_may_have_any_name(tmp_path: Path) -> None:
    home = tmp_path / "it's [my] *home? {1}"
    log = EventLog(home)
    assert log.append(table(event("a"))) == Appended(accepted=1, duplicates=0)
    assert log.append(table(event("a"), event("b"))) == Appended(accepted=1, duplicates=1)
    assert ids(EventLog(home)) == {"a", "b"}


def test_merged_parts_are_kept_for_a_while_and_then_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("records.manifest.RETIREMENT", 2)
    log = EventLog(tmp_path)
    sizes = []
    for number in range(SMALL_PARTS + 3):
        log.append(table(event(f"e{number}")))
        sizes.append(len(list(log.folder.glob("month=*/*.parquet"))))
    # The 17th append merges sixteen parts into its own; two appends later their files go.
    assert sizes[-4:] == [SMALL_PARTS, SMALL_PARTS + 1, SMALL_PARTS + 2, 3]
    assert log.summary().count == len(ids(log)) == SMALL_PARTS + 3


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.append(table(event("a")))
    (log.folder / "manifest.json").write_text("{")
    with pytest.raises(InputError, match=r"manifest.*damaged"):
        log.summary()


def test_the_connection_is_bounded_and_in_utc(tmp_path: Path) -> None:
    with EventLog(tmp_path).connection(threads=1) as con:
        names = "'memory_limit', 'max_temp_directory_size', 'threads', 'TimeZone'"
        found = dict(con.execute(f"select name, value from duckdb_settings() where name in ({names})").fetchall())
    assert found["threads"] == "1"
    assert found["TimeZone"] == "UTC"
    assert float(found["memory_limit"].split()[0]) <= 3.0 or found["memory_limit"].endswith("MiB")
    assert found["max_temp_directory_size"].endswith("GiB")


def test_temporary_files_grow_no_further_than_they_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("records.events.SPILL_LIMIT", "10MB")
    with EventLog(tmp_path).connection(threads=1) as con:
        con.execute("set memory_limit = '30MB'")
        with pytest.raises(duckdb.OutOfMemoryException, match="max_temp_directory_size"):
            con.execute("create temp table much as select sha256(range::varchar) as text from range(900_000)")


def test_what_does_not_fit_into_memory_is_spilled_beside_the_log_and_removed(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.append(table(event("a")))
    with log.connection(threads=1) as con:
        con.execute("set memory_limit = '30MB'")
        con.execute("create temp table much as select sha256(range::varchar) as text from range(600_000) order by text")
        assert [path for path in tmp_path.glob("spill-*/*") if path.name != LOCK]
    del con
    assert [item.name for item in tmp_path.iterdir()] == ["events"]
