"""The company's own tables: what is taken, what is put aside and why, and what a second import does."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from records.errors import InputError
from records.own_tables import OwnReport, described, import_own, own_sha256, own_table, own_tables, remove_own

NOW = datetime(2026, 6, 1, tzinfo=UTC)
HEAD = "customer_id,cutoff,visits,happy"


def written(folder: Path, *lines: str, name: str = "crm.csv") -> Path:
    file = folder / name
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def counts(report: OwnReport) -> tuple[int, int, int, int]:
    return report.accepted, report.replaced, report.duplicates, report.rejected


def rows_of(data: Path, kind: str = "signals", name: str = "crm") -> list[tuple[object, ...]]:
    table = pq.read_table(own_table(data, kind, name))  # type: ignore[arg-type]
    return [tuple(row.values()) for row in table.to_pylist()]


def take(data: Path, *files: Path, kind: str = "signals", dry_run: bool = False) -> OwnReport:
    return import_own(data, kind, "crm", files, NOW, dry_run=dry_run)  # type: ignore[arg-type]


def test_a_day_is_its_midnight_a_time_has_its_zone_and_no_cell_is_no_data(tmp_path: Path) -> None:
    file = written(tmp_path, HEAD, "bo,2026-05-02,3,true", "अजय,2026-05-01T05:30:00+05:30,-1.5,", "bo,2026-05-01,,no")
    assert counts(take(tmp_path, file)) == (3, 0, 0, 0)
    first, second = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 2, tzinfo=UTC)
    assert rows_of(tmp_path) == [
        ("bo", first, None, 0.0),
        ("bo", second, 3.0, 1.0),
        ("अजय", first, -1.5, None),
    ]


def test_the_same_rows_again_are_duplicates_and_a_changed_one_replaces(tmp_path: Path) -> None:
    take(tmp_path, written(tmp_path, HEAD, "bo,2026-05-01,3,1", "cy,2026-05-01,4,1"))
    before = own_sha256(tmp_path, "signals", "crm")
    assert counts(take(tmp_path, tmp_path / "crm.csv")) == (0, 0, 2, 0)
    assert own_sha256(tmp_path, "signals", "crm") == before
    # Columns in another order are the same columns.
    file = written(
        tmp_path, "happy,cutoff,customer_id,visits", "1,2026-05-01,bo,9", "1,2026-05-01,cy,4", "0,2026-05-03,di,"
    )
    assert counts(take(tmp_path, file)) == (1, 1, 1, 0)
    assert [row[2] for row in rows_of(tmp_path)] == [9.0, 4.0, None]
    assert own_sha256(tmp_path, "signals", "crm") != before


def test_of_rows_for_one_moment_the_last_of_the_files_counts_and_none_is_lost_count_of(tmp_path: Path) -> None:
    one = written(tmp_path, HEAD, "bo,2026-05-01,1,1", "bo,2026-05-01,2,1", "bo,2026-05-01,3,1", name="one.csv")
    two = written(tmp_path, HEAD, "bo,2026-05-01,3,1", "cy,2026-05-01,1,1", name="two.csv")
    assert counts(take(tmp_path, one, two)) == (2, 2, 1, 0)
    assert rows_of(tmp_path)[0][2] == 3.0


def test_two_homes_with_the_same_rows_have_the_same_hash_whatever_the_way(tmp_path: Path) -> None:
    rows = [f"C{number},2026-05-0{number % 5 + 1},{number},1" for number in range(50)]
    take(tmp_path / "a", written(tmp_path, HEAD, *rows))
    for part in (rows[30:], rows[:30][::-1]):
        take(tmp_path / "b", written(tmp_path, HEAD, *part, name=f"{len(part)}.csv"))
    assert own_sha256(tmp_path / "a", "signals", "crm") == own_sha256(tmp_path / "b", "signals", "crm")


@pytest.mark.parametrize(
    ("kind", "head", "row", "reason", "value"),
    [
        ("signals", HEAD, ",2026-05-01,1,1", "customer_id is missing", None),
        ("signals", HEAD, "bo,,1,1", "cutoff is missing", None),
        ("signals", HEAD, "bo,May,1,1", "cutoff is neither a day nor a time with its zone", "May"),
        ("signals", HEAD, "bo,2026-05-01T10:00,1,1", "cutoff has a time but no zone", "2026-05-01T10:00"),
        ("signals", HEAD, "bo,2026-06-04,1,1", "cutoff lies in the future", "2026-06-04"),
        ("signals", HEAD, "bo,9999-12-31,1,1", "cutoff lies in the future", "9999-12-31"),
        ("signals", HEAD, "bo,0001-01-01,1,1", "cutoff is before 1990", "0001-01-01"),
        ("signals", HEAD, "bo,0001-01-01T00:00+05:30,1,1", "cutoff is neither", "0001-01-01T00:00+05:30"),
        ("signals", HEAD, "bo,2026-05-01,many,1", "visits is not a number", "many"),
        ("signals", HEAD, "bo,2026-05-01,1_0,1", "visits is not a number", "1_0"),
        ("signals", HEAD, "bo,2026-05-01,nan,1", "visits is not a finite number", "nan"),
        ("signals", HEAD, "bo,2026-05-01,1", "3 columns where 4 are expected", None),
        ("labels", "customer_id,cutoff,left", "bo,2026-05-01,2", "left is not true or false", "2"),
        ("labels", "customer_id,cutoff,left", "bo,2026-05-01,", "left is not true or false", ""),
        (
            "scores",
            "customer_id,cutoff,churn_probability",
            "bo,2026-05-01,40",
            "churn_probability is not between",
            "40",
        ),
    ],
)
def test_a_row_that_cannot_be_used_is_put_aside_with_its_line_value_and_reason(
    tmp_path: Path, kind: str, head: str, row: str, reason: str, value: str | None
) -> None:
    good = "cy,2026-05-01" + ",1" * (head.count(",") - 1)
    report = take(tmp_path, written(tmp_path, head, good, row), kind=kind)
    assert counts(report) == (1, 0, 0, 1)
    (reject,) = report.rejects
    assert (reject.line, reject.value) == (3, value)
    assert reject.reason.startswith(reason)
    (kept,) = (tmp_path / "quarantine").glob("*.jsonl")
    assert json.loads(kept.read_text())["row"] == row


@pytest.mark.parametrize(
    ("kind", "head", "message"),
    [
        (
            "signals",
            "who,cutoff,visits",
            r"has no column 'customer_id'.*Rename the column that holds it to customer_id",
        ),
        ("signals", "customer_id,visits", r"has no column 'cutoff'"),
        ("signals", "customer_id,cutoff", r"has no column beside customer_id and cutoff"),
        ("signals", "customer_id,cutoff,a,A", r"has two columns of one name"),
        ("signals", "customer_id,cutoff,$a", r"named '\$a', which cannot name a signal"),
        ("labels", "customer_id,cutoff,churned", r"has no column 'left'"),
        ("labels", "customer_id,cutoff,left,plan", r"has columns beside customer_id, cutoff, left"),
        ("scores", "customer_id,cutoff,score", r"has no column 'churn_probability'"),
    ],
)
def test_a_file_with_other_columns_is_refused_and_changes_nothing(
    tmp_path: Path, kind: str, head: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        take(tmp_path, written(tmp_path, head, "bo,2026-05-01,1"), kind=kind)
    assert own_tables(tmp_path, kind) == {}  # type: ignore[arg-type]


def test_a_table_keeps_the_columns_of_its_first_file(tmp_path: Path) -> None:
    take(tmp_path, written(tmp_path, HEAD, "bo,2026-05-01,1,1"))
    with pytest.raises(
        InputError, match=r"has the columns visits, the table 'crm' has visits, happy\. .*another --name"
    ):
        take(tmp_path, written(tmp_path, "customer_id,cutoff,visits", "bo,2026-05-01,1"))
    with pytest.raises(InputError, match="'My table' cannot be the name of a table"):
        import_own(tmp_path, "signals", "My table", [], NOW)


def test_a_dry_run_counts_and_writes_nothing(tmp_path: Path) -> None:
    file = written(tmp_path, HEAD, "bo,2026-05-01,1,1", "cy,no,1,1")
    data = tmp_path / "data"
    assert counts(take(data, file, dry_run=True)) == (1, 0, 0, 1)
    assert not data.exists()


def test_parquet_and_json_lines_are_read_like_csv(tmp_path: Path) -> None:
    take(tmp_path / "csv", written(tmp_path, HEAD, "bo,2026-05-01,1,1", "cy,2026-05-02,,0"))
    lines = [
        '{"customer_id": "bo", "cutoff": "2026-05-01", "visits": 1, "happy": true}',
        '{"customer_id": "cy", "cutoff": "2026-05-02T00:00:00Z", "happy": false}',
        '{"customer_id": "di", "cutoff": "2026-05-02", "sad": false}',
    ]
    report = take(tmp_path / "json", written(tmp_path, *lines, name="crm.jsonl"))
    assert counts(report) == (2, 0, 0, 1)
    assert report.rejects[0].reason == "the row has a column the table does not have"
    table = pa.table(
        {
            "customer_id": ["bo", "cy"],
            "cutoff": pa.array([datetime(2026, 5, day, tzinfo=UTC) for day in (1, 2)], pa.timestamp("ns", "UTC")),
            "visits": pa.array([1, None], pa.int32()),
            "happy": [True, False],
        }
    )
    pq.write_table(table, tmp_path / "crm.parquet")
    assert counts(take(tmp_path / "parquet", tmp_path / "crm.parquet")) == (2, 0, 0, 0)
    assert rows_of(tmp_path / "csv") == rows_of(tmp_path / "json") == rows_of(tmp_path / "parquet")


def test_many_rows_come_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("records.own_tables.ROWS_AT_ONCE", 7)
    rows = [f"C{number:03d},2026-05-01,{number},1" for number in range(100)]
    read: list[int] = []
    file = written(tmp_path, HEAD, *rows, "C000,2026-05-01,5,1")
    report = import_own(tmp_path, "signals", "crm", [file], NOW, progress=lambda _, number: read.append(number))
    assert counts(report) == (100, 1, 0, 0)
    assert read[-1] == 101
    assert [row[2] for row in rows_of(tmp_path)] == [5.0, *map(float, range(1, 100))]


def test_a_replaced_row_leaves_the_other_moments_of_the_person(tmp_path: Path) -> None:
    take(tmp_path, written(tmp_path, HEAD, "bo,2026-05-01,1,1", "bo,2026-05-02,2,1"))
    assert counts(take(tmp_path, written(tmp_path, HEAD, "bo,2026-05-02,9,1"))) == (0, 1, 0, 0)
    assert [row[2] for row in rows_of(tmp_path)] == [1.0, 9.0]


def test_what_there_is_is_told_and_a_table_can_be_taken_away(tmp_path: Path) -> None:
    take(tmp_path, written(tmp_path, HEAD, "bo,2026-05-01,1,1", "bo,2026-05-02,2,1"))
    left = written(tmp_path, "customer_id,cutoff,left", "bo,2026-05-01,1", name="left.csv")
    take(tmp_path, left, kind="labels")
    signals, labels = described(tmp_path)
    assert signals == {
        "kind": "signals",
        "table": "crm",
        "rows": 2,
        "first": "2026-05-01T00:00:00+00:00",
        "last": "2026-05-02T00:00:00+00:00",
        "columns": ["visits", "happy"],
    }
    assert (labels["kind"], labels["rows"]) == ("labels", 1)
    assert remove_own(tmp_path, "signals", "crm") == 2
    assert [one["kind"] for one in described(tmp_path)] == ["labels"]
    with pytest.raises(InputError, match="no table of signals called 'crm'; there are none"):
        remove_own(tmp_path, "signals", "crm")
    # What is imported again is new, also with other columns.
    assert counts(take(tmp_path, written(tmp_path, "customer_id,cutoff,visits", "bo,2026-05-01,1"))) == (1, 0, 0, 0)


@pytest.mark.parametrize("name", ["मुलाक़ातें", "__proto__", "naïve visits.2", "Ω-7"])
def test_columns_may_be_named_in_any_script(tmp_path: Path, name: str) -> None:
    assert counts(take(tmp_path, written(tmp_path, f"customer_id,cutoff,{name}", "bo,2026-05-01,1"))) == (1, 0, 0, 0)
    assert described(tmp_path)[0]["columns"] == [name]


@pytest.mark.parametrize("name", ['"a""b"', "=1+1", "a`b", "a;drop", "", "a\u202eb", "x" * 64, "\u093e"])
def test_other_names_of_columns_are_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"cannot name a signal.*Use letters, digits, blanks"):
        take(tmp_path, written(tmp_path, f"customer_id,cutoff,visits,{name}", "bo,2026-05-01,1,1"))
    assert own_tables(tmp_path, "signals") == {}


def test_a_mark_of_byte_order_line_ends_of_windows_and_packing_do_not_matter(tmp_path: Path) -> None:
    text = "\ufeffcustomer_id,cutoff,visits,happy\r\nbo,2026-05-01,1,1\r\n".encode()
    (tmp_path / "crm.csv").write_bytes(text)
    (tmp_path / "crm.csv.gz").write_bytes(gzip.compress(text))
    assert counts(take(tmp_path, tmp_path / "crm.csv")) == (1, 0, 0, 0)
    assert counts(take(tmp_path, tmp_path / "crm.csv.gz")) == (0, 0, 1, 0)


def test_a_formula_is_no_number_and_a_customer_is_whoever_an_event_says(tmp_path: Path) -> None:
    report = take(
        tmp_path, written(tmp_path, HEAD, "=1+1,2026-05-01,1,1", "bo,2026-05-01,=1+1,1", " bo ,2026-05-02,2,1")
    )
    assert counts(report) == (2, 0, 0, 1)
    assert (report.rejects[0].reason, report.rejects[0].value) == ("visits is not a number", "=1+1")
    assert [row[0] for row in rows_of(tmp_path)] == ["=1+1", "bo"]
