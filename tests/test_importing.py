"""Files from outside: every row is accepted, a duplicate, or rejected with its line and the reason."""

from __future__ import annotations

import fcntl
import gzip
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from records.errors import InputError
from records.events import EventLog
from records.importing import ImportReport, import_events
from records.mapping import Mapping, load_mapping, shipped_mappings
from records.reading import MAX_CELL, MAX_LINES_OF_A_ROW
from records.scratch import LOCK

HEADER = "event_id,customer_id,occurred_at,name"
GOOD = "e{},C-1,2026-05-01T10:00:00Z,page_viewed"


@pytest.fixture
def log(tmp_path: Path) -> EventLog:
    return EventLog(tmp_path / "data")


@pytest.fixture
def take(log: EventLog, tmp_path: Path, now: datetime) -> Callable[..., ImportReport]:
    """Write this content to a file of this name and import it."""

    def run(content: str | bytes, name: str = "events.csv", mapping: Any = None, dry_run: bool = False) -> ImportReport:
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        parsed = Mapping.model_validate(mapping) if isinstance(mapping, dict) else mapping
        return import_events(log, [file], parsed, now, log.data / "quarantine", dry_run)

    return run


def rows(log: EventLog) -> list[dict[str, Any]]:
    with log.connection() as con:
        found = con.sql("select * from events order by event_id").to_arrow_table().to_pylist()
    return [dict(row) for row in found]


def counts(report: ImportReport) -> tuple[int, int, int]:
    return report.accepted, report.duplicates, report.rejected


# ── real files ────────────────────────────────────────────────────────────────────────────────────────────
def test_cdnow_is_read_whole_and_only_once(log: EventLog, shared_data: Path, now: datetime) -> None:
    files, mapping = [shared_data / "cdnow" / "CDNOW_master.txt"], load_mapping("cdnow")
    assert counts(import_events(log, files, mapping, now, log.data / "quarantine")) == (69_659, 0, 0)
    digest = log.data_sha256()
    assert counts(import_events(log, files, mapping, now, log.data / "quarantine")) == (0, 69_659, 0)
    assert log.data_sha256() == digest
    assert log.summary().customers == 23_570
    # The judge reads the raw file: the very same purchases, the 255 identical ones among them.
    raw = Counter(tuple(line.split()) for line in files[0].read_text().splitlines()[1:])
    found = Counter(
        (
            row["customer_id"],
            row["occurred_at"].strftime("%Y%m%d"),
            str(json.loads(row["properties"])["quantity"]),
            f"{row['amount']:.2f}",
        )
        for row in rows(log)
    )
    assert found == raw
    assert sum(count - 1 for count in raw.values()) == 255
    assert {(row["name"], row["currency"]) for row in rows(log)} == {("order_completed", "USD")}


def test_thirty_daily_page_logs_are_read(log: EventLog, shared_data: Path, now: datetime) -> None:
    files, mapping = sorted((shared_data / "sparkify_daily").glob("*.json")), load_mapping("sparkify")
    report = import_events(log, files, mapping, now, log.data / "quarantine")
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    signed_in = [line for line in lines if line["userId"]]
    assert counts(report) == (len(signed_in), 0, len(lines) - len(signed_in)) == (7_770, 0, 286)
    assert {reject.reason for reject in report.rejects} == {"nobody was signed in"}
    assert sum(len(file.read_text().splitlines()) for file in report.quarantined) == 286
    names = Counter(row["name"] for row in rows(log))
    assert names["next_song"] == sum(line["page"] == "NextSong" for line in signed_in)
    assert names["save_settings"] == sum(line["page"] == "Save Settings" for line in signed_in)
    assert sorted(row["occurred_at"] for row in rows(log)) == sorted(
        datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=line["ts"]) for line in signed_in
    )
    assert counts(import_events(log, files, mapping, now, log.data / "quarantine")) == (0, 7_770, 286)


# ── a file with the canonical columns ─────────────────────────────────────────────────────────────────────
def test_canonical_columns_need_no_mapping(log: EventLog, take: Callable[..., ImportReport]) -> None:
    text = (
        "\ufeffoccurred_at,received_at,customer_id,name,amount,currency,rating,text,properties,event_id\r\n"
        '2026-05-01T10:00:00+05:30,2026-05-02,"C-20 4817",order_completed,19.99,inr,4.5,"a, ""b""\r\nc",'
        '"{""n"":1}",e1\r\n'
        "\r\n"
        "2026-05-01 10:00:00.123456,,C-2,page_viewed,,,,,,e2\r\n"
    )
    assert counts(take(text)) == (2, 0, 0)
    first, second = rows(log)
    assert first["occurred_at"] == datetime(2026, 5, 1, 4, 30, tzinfo=UTC)
    assert first["received_at"] == datetime(2026, 5, 2, tzinfo=UTC)
    assert (first["amount"], first["currency"], first["rating"]) == (Decimal("19.99"), "INR", 4.5)
    assert (first["text"], first["properties"]) == ('a, "b"\r\nc', '{"n":1}')
    assert second["received_at"] == second["occurred_at"] == datetime(2026, 5, 1, 10, 0, 0, 123456, tzinfo=UTC)
    assert second["text"] is None


def test_the_same_events_in_three_formats_are_the_same(log: EventLog, tmp_path: Path, now: datetime) -> None:
    amount = Decimal("12345678901234.5678")
    told = {"customer_id": "C-1", "name": "order_completed", "occurred_at": "2026-05-01T10:00:00Z", "topic": "bill"}
    (tmp_path / "a.csv").write_text(f"{','.join(told)},amount\n{','.join(told.values())},{amount}\n")
    written = json.dumps({**told, "amount": 0}).replace('"amount": 0', f'"amount": {amount}')
    (tmp_path / "b.jsonl").write_text(written + "\n")
    typed = {**told, "occurred_at": datetime(2026, 5, 1, 10, tzinfo=UTC), "amount": amount}
    pq.write_table(pa.Table.from_pylist([typed]), tmp_path / "c.parquet")
    files = [tmp_path / "a.csv", tmp_path / "b.jsonl", tmp_path / "c.parquet"]
    assert counts(import_events(log, files, None, now, log.data / "quarantine")) == (1, 2, 0)
    assert rows(log)[0]["amount"] == amount


def test_loose_json_is_written_properly(log: EventLog, take: Callable[..., ImportReport]) -> None:
    take('customer_id,occurred_at,name,properties\nC-1,2026-05-01,page_viewed,"{ ""a"":1, }"\n')
    assert rows(log)[0]["properties"] == '{"a":1}'


def test_objects_in_parquet_become_json(log: EventLog, tmp_path: Path, now: datetime) -> None:
    told = {"customer_id": "C-1", "name": "page_viewed", "occurred_at": datetime(2026, 5, 1, tzinfo=UTC)}
    pq.write_table(pa.Table.from_pylist([{**told, "properties": {"page": "help", "n": 1}}]), tmp_path / "a.parquet")
    assert counts(import_events(log, [tmp_path / "a.parquet"], None, now, log.data / "quarantine")) == (1, 0, 0)
    assert json.loads(rows(log)[0]["properties"]) == {"page": "help", "n": 1}


@pytest.mark.parametrize(
    ("row", "reason", "value"),
    [
        ("e9,,2026-05-01,page_viewed,,,,", "customer_id is missing", None),
        ("e9,C-1,,page_viewed,,,,", "occurred_at is missing", None),
        ("e9,C-1,2026-05-01,,,,,", "name is missing", None),
        ("e9,C-1,yesterday,page_viewed,,,,", "occurred_at cannot be read as a time", "yesterday"),
        ("e9,C-1,2026-02-30,page_viewed,,,,", "occurred_at cannot be read as a time", "2026-02-30"),
        ("e9,C-1,1970-01-01,page_viewed,,,,", "occurred_at is before 1990", "1970-01-01"),
        ("e9,C-1,2999-01-01,page_viewed,,,,", "occurred_at lies in the future", "2999-01-01"),
        ("e9,C-1,infinity,page_viewed,,,,", "occurred_at cannot be read as a time", "infinity"),
        ("e9,C-1,2026-05-01,page_viewed,,,,soon", "received_at cannot be read as a time", "soon"),
        ("e9,C-1,2026-05-01,Page Viewed,,,,", "name is not snake_case", "Page Viewed"),
        ('e9,C-1,2026-05-01,page_viewed,"1,5",,,', "amount is not a number of our size", "1,5"),
        ("e9,C-1,2026-05-01,page_viewed,1e20,,,", "amount is not a number of our size", "1e20"),
        ("e9,C-1,2026-05-01,page_viewed,,nan,,", "rating is not a number", "nan"),
        ("e9,C-1,2026-05-01,page_viewed,,,[1],", "properties is not a JSON object", "[1]"),
        ("e9,C-1,2026-05-01,page_viewed,,,{x,", "properties is not a JSON object", "{x"),
        ('e9,C-1,2026-05-01,page_viewed,,,"{""a"":NaN}",', "properties is not a JSON object", '{"a":NaN}'),
        ("e9,C-1,2026-05-01,page_viewed", "4 columns where 8 are expected", None),
        ("e9,C-1,2026-05-01,page_viewed,,,,,", "9 columns where 8 are expected", None),
        ('e9,"C"1,2026-05-01,page_viewed,,,,', "not valid CSV: ',' expected after '\"'", None),
        ("e9,C-\x001,2026-05-01,page_viewed,,,,", "the line holds a NUL byte", None),
        (b"e9,C-\xff,2026-05-01,page_viewed,,,,", "the line is not UTF-8 (byte 0xff)", None),
    ],
)
def test_a_bad_row_is_put_aside_with_its_line(
    log: EventLog, take: Callable[..., ImportReport], row: str | bytes, reason: str, value: str | None
) -> None:
    bad = row if isinstance(row, bytes) else row.encode()
    good = [(GOOD.format(number) + ",,,,").encode() for number in (1, 2)]
    content = b"\n".join([f"{HEADER},amount,rating,properties,received_at".encode(), good[0], bad, good[1]])
    report = take(content)
    assert counts(report) == (2, 0, 1)
    (reject,) = report.rejects
    assert (reject.line, reject.reason, reject.value) == (3, reason, value)
    kept = [json.loads(line) for file in report.quarantined for line in file.read_text().splitlines()]
    assert [(item["line"], item["reason"]) for item in kept] == [(3, reason)]
    assert kept[0]["row"] == bad.decode(errors="backslashreplace")
    assert kept[0]["file"].endswith("events.csv")
    assert {row["event_id"] for row in rows(log)} == {"e1", "e2"}


def test_a_row_without_an_id_is_not_the_next_ones(log: EventLog, take: Callable[..., ImportReport]) -> None:
    same = ",C-1,2026-05-01,page_viewed\n"
    assert counts(take(f"{HEADER}\n{same}{same}own,C-1,2026-05-01,page_viewed\n")) == (3, 0, 0)
    assert counts(take(f"{HEADER}\n{same}{same}{same}")) == (1, 2, 0)


def test_a_quote_that_never_closes_costs_one_row(take: Callable[..., ImportReport]) -> None:
    good = "\n".join(GOOD.format(number) for number in range(3 * MAX_LINES_OF_A_ROW))
    report = take(f'{HEADER}\ne-bad,"C-1,2026-05-01,page_viewed\n{good}\n')
    assert counts(report) == (3 * MAX_LINES_OF_A_ROW, 0, 1)
    assert (report.rejects[0].line, report.rejects[0].value) == (2, None)
    end = take(f'{HEADER}\n{GOOD.format("x")}\ne-bad,"C-1,2026-05-01,page_viewed\n{GOOD.format("y")}', "end.csv")
    assert counts(end) == (2, 0, 1)


def test_a_cell_or_line_without_end_costs_one_row(take: Callable[..., ImportReport]) -> None:
    long, endless = "x" * (MAX_CELL + 1), "y" * 5_000_000
    content = f"{HEADER}\n{GOOD.format(1)}\ne,{long},2026-05-01,page_viewed\n{endless}\n{GOOD.format(2)}\n"
    report = take(content)
    assert counts(report) == (2, 0, 2)
    assert [reject.line for reject in sorted(report.rejects, key=lambda reject: reject.line)] == [3, 4]
    assert max(len(file.read_bytes()) for file in report.quarantined) < 1_000_000
    told = {"customer_id": "C-1", "occurred_at": "2026-05-01", "name": "page_viewed", "text": long}
    assert take(json.dumps(told), "long.jsonl").rejects[0].reason == f"a cell is longer than {MAX_CELL} characters"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not valid JSON"),
        ("[1]", "not a JSON object"),
        ('{"customer_id": "\\ud800"}', "half a character"),
        ('{"customer_id": "\\u0000"}', "NUL character"),
        ('{"customer_id": NaN}', "NaN is not a number"),
        ('{"customer_id": "a", "colour": 1}', "no event has a column 'colour'"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_a_bad_line_of_json_is_put_aside(take: Callable[..., ImportReport], line: str, reason: str) -> None:
    good = '{"customer_id": 7, "occurred_at": "2026-05-01T00:00:00Z", "name": "page_viewed", "properties": {"a": 1.50}}'
    report = take(f"{good}\n{line}\n\n", "events.jsonl")
    assert counts(report) == (1, 0, 1)
    assert report.rejects[0].line == 2
    assert reason in report.rejects[0].reason


# ── mappings ──────────────────────────────────────────────────────────────────────────────────────────────
def test_a_mapping_names_converts_renames_and_skips(log: EventLog, take: Callable[..., ImportReport]) -> None:
    mapping = {
        "separator": ";",
        "timezone": "Asia/Kolkata",
        "columns": {
            "customer_id": "who",
            "occurred_at": {"column": "when", "format": "%d.%m.%Y %H:%M"},
            "received_at": {"column": "loaded", "format": "epoch_s"},
            "name": {"column": "what", "rename": {"KAUF": "order_completed"}, "otherwise": "page_viewed"},
            "amount": {"column": "paise", "multiply": "0.01"},
        },
        "constants": {"currency": "INR"},
        "properties": {
            "coupon": "code",
            "items": {"column": "n", "type": "number"},
            "first": {"column": "new", "type": "boolean"},
            "until": {"column": "end", "type": "time", "format": "%Y%m%d"},
        },
        "skip": [{"column": "code", "equals": ["TEST", "STAFF"], "reason": "a test order"}],
    }
    text = (
        "who;when;loaded;what;paise;code;n;new;end\n"
        "C-1;01.05.2026 05:30;1777680000;KAUF;1999;it's;2;yes;20260601\n"
        "C-2;01.05.2026 05:30;1777680000;other;;;many;;soon\n"
        "C-3;01.05.2026 05:30;1777680000;KAUF;1;STAFF;;;\n"
    )
    report = take(text, mapping=mapping)
    assert counts(report) == (2, 0, 1)
    assert (report.rejects[0].reason, report.rejects[0].value) == ("a test order", "STAFF")
    first, second = sorted(rows(log), key=lambda row: row["customer_id"])
    assert first["occurred_at"] == datetime(2026, 5, 1, tzinfo=UTC)
    assert first["received_at"] == datetime(2026, 5, 2, tzinfo=UTC)
    assert (first["name"], first["amount"], first["currency"]) == ("order_completed", Decimal("19.99"), "INR")
    ends = "2026-05-31T18:30:00.000000Z"  # a midnight in Kolkata
    assert json.loads(first["properties"]) == {"coupon": "it's", "items": 2, "first": True, "until": ends}
    assert (second["name"], second["amount"], json.loads(second["properties"])) == (
        "page_viewed",
        None,
        {"items": "many", "until": "soon"},
    )


def test_json_keeps_its_types_and_depth(log: EventLog, take: Callable[..., ImportReport]) -> None:
    mapping = {
        "columns": {
            "customer_id": "user.id",
            "occurred_at": {"column": "ts", "format": "epoch_ms"},
            "name": {"column": "page", "style": "snake_case"},
        },
        "properties": {"length": "length", "tags": "tags", "artist": "artist", "none": "none"},
    }
    told = '{"user": {"id": 12}, "ts": 1541105830796.0, "page": "Add to Playlist", '
    told += '"length": 246.3, "tags": ["a"], "artist": "x\\"y"}'
    assert counts(take(told, "x.jsonl", mapping)) == (1, 0, 0)
    (row,) = rows(log)
    assert (row["customer_id"], row["name"]) == ("12", "add_to_playlist")
    assert row["occurred_at"] == datetime(2018, 11, 1, 20, 57, 10, 796000, tzinfo=UTC)
    assert json.loads(row["properties"]) == {"artist": 'x"y', "length": 246.3, "tags": ["a"]}


def test_columns_of_fixed_width_and_without_names(log: EventLog, take: Callable[..., ImportReport]) -> None:
    columns = {"customer_id": "a", "occurred_at": {"column": "b", "format": "%Y%m%d"}}
    shape = {"columns": columns, "constants": {"name": "order_completed"}, "header": ["a", "b"]}
    fixed = {**shape, "format": "fixed", "widths": [6, 8], "skip_lines": 1}
    assert counts(take("made on Monday\nC 1   20260501\nC 2   20260502x\n", "x.dat", fixed)) == (1, 0, 1)
    assert rows(log)[0]["customer_id"] == "C 1"
    assert counts(take("C-3\t20260501\nC-4\t20260501\n", "x.tsv", shape)) == (2, 0, 0)


def test_zones_in_the_text_win_over_the_mappings(log: EventLog, take: Callable[..., ImportReport]) -> None:
    mapping = {"timezone": "Asia/Kolkata", "columns": {name: name for name in ("customer_id", "occurred_at", "name")}}
    for text in (
        "2026-05-01 05:30",
        "2026-05-01T00:00:00Z",
        "2026-05-01T02:00:00+02:00",
        "2026-05-01 02:00:00 Europe/Berlin",
    ):
        take(f"customer_id,occurred_at,name\n{text[-5:]},{text},page_viewed\n", mapping=mapping)
    assert [row["occurred_at"] for row in rows(log)] == [datetime(2026, 5, 1, tzinfo=UTC)] * 4


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[columns", "not TOML"),
        ("[columns]\ncustomer_id = 'a'\nname = 'b'", "occurred_at comes from nowhere"),
        ("[columns]\ncolour = 'a'", "no column 'colour'"),
        ("seperator = ';'", "seperator"),
        ("timezone = 'Mars/Base'", "no time zone is called 'Mars/Base'"),
        ("format = 'fixed'\n[columns]\ncustomer_id='a'\nname='b'\noccurred_at='c'", "needs widths"),
    ],
)
def test_a_mapping_that_cannot_be_used_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=named) as refusal:
        load_mapping(file)
    assert "mine.toml" in str(refusal.value)


def test_every_shipped_mapping_loads_by_name() -> None:
    assert {"cdnow", "sparkify"} <= set(shipped_mappings())
    for name in shipped_mappings():
        load_mapping(name)
    with pytest.raises(InputError, match="There is no mapping 'nowhere'"):
        load_mapping("nowhere")


def test_an_unknown_time_format_is_refused(take: Callable[..., ImportReport]) -> None:
    columns = {"customer_id": "a", "name": "a", "occurred_at": {"column": "a", "format": "unix"}}
    with pytest.raises(InputError, match="time format 'unix'"):
        take("a\nx\n", mapping={"columns": columns})


# ── files that cannot be used at all ──────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("a.csv", b"customer_id,when,name\nx,y,z\n", "no column 'occurred_at'"),
        ("a.csv", b"customer_id,occurred_at,name,colour\n", "a column 'colour'"),
        ("a.csv", b"customer_id,occurred_at,name,name\n", "two columns 'name'"),
        ("a.csv", b"", "is empty"),
        ("a.csv", "customer_id".encode("utf-16"), "is UTF-16"),
        ("a.csv", b"\x1f\x8b\x08\x00", "cannot be unpacked"),
        ("a.csv.gz", gzip.compress(gzip.compress(b"customer_id\n")), "is packed twice"),
        (
            "a.csv.gz",
            gzip.compress(b"customer_id,occurred_at,name\n" + b"x,2026-01-01,y\n" * 99)[:-12],
            "cannot be unpacked",
        ),
        ("a.csv", b"\x89PNG\r\n\x1a\n\x00\x00\x00", "no column 'customer_id'"),
        ("a.xlsx", b"PK", "cannot be read"),
        ("a.parquet", b"PAR1 no", "cannot be read as Parquet"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_name(
    log: EventLog, take: Callable[..., ImportReport], name: str, content: bytes, named: str
) -> None:
    with pytest.raises(InputError, match=named) as refusal:
        take(content, name)
    assert name in str(refusal.value)
    assert log.summary().count == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv.gz", b"\xef\xbb\xbfcustomer_id,occurred_at,name\r\nbo,2026-01-01,order_completed\r\n"),
        ("a.TSV.gz", b"customer_id\toccurred_at\tname\nbo\t2026-01-01\torder_completed\n"),
        ("a.jsonl.gz", b'{"customer_id": "bo", "occurred_at": "2026-01-01", "name": "order_completed"}\n'),
        ("packed.csv", b"customer_id,occurred_at,name\nbo,2026-01-01,order_completed\n"),
    ],
)
def test_a_packed_file_is_unpacked_as_it_is_read(take: Callable[..., ImportReport], name: str, content: bytes) -> None:
    assert counts(take(gzip.compress(content), name)) == (1, 0, 0)


def test_a_missing_file_is_refused_by_name(log: EventLog, tmp_path: Path, now: datetime) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv cannot be read"):
        import_events(log, [tmp_path / "nowhere.csv"], None, now, tmp_path)


def test_a_dry_run_counts_and_writes_nothing(log: EventLog, tmp_path: Path, take: Callable[..., ImportReport]) -> None:
    content = f"{HEADER}\n{GOOD.format(1)}\n{GOOD.format(1)}\nbad\n"
    assert counts(take(content, dry_run=True)) == (1, 1, 1)
    assert not log.data.exists()
    assert counts(take(content)) == (1, 1, 1)
    before = sorted(str(file) for file in tmp_path.rglob("*"))
    assert counts(take(content, dry_run=True)) == (0, 2, 1)
    assert sorted(str(file) for file in tmp_path.rglob("*")) == before


def test_an_import_leaves_no_scratch_and_tells_its_progress(log: EventLog, tmp_path: Path, now: datetime) -> None:
    file = tmp_path / "many.csv"
    file.write_text("\n".join([HEADER, *(GOOD.format(number) for number in range(60_000))]))
    seen: list[int] = []
    import_events(log, [file], None, now, log.data / "quarantine", progress=lambda path, read: seen.append(read))
    assert seen == [50_000, 60_000]
    assert sorted(item.name for item in log.data.iterdir()) == ["events"]
    assert log.summary().count == 60_000


# ── hostile files ─────────────────────────────────────────────────────────────────────────────────────────
def test_a_row_that_would_hurt_later_readers_is_put_aside(take: Callable[..., ImportReport]) -> None:
    deep = '{"a":' + "[" * 200 + "]" * 200 + "}"
    wide = '{"a":[' + ",".join(["[1]"] * 200) + "]}"
    rows = [
        {"customer_id": "C-1", "properties": deep},
        {"customer_id": "C-" + "1" * 500},
        {"customer_id": "C-1", "properties": wide},
        {"customer_id": "C-1", "text": r"the characters \u0000 spelled out"},
    ]
    moment = {"occurred_at": "2026-05-01T10:00:00Z", "name": "page_viewed"}
    report = take("\n".join(json.dumps({**row, **moment}) for row in rows), "deep.jsonl")
    assert counts(report) == (2, 0, 2)
    assert [(reject.line, reject.reason) for reject in report.rejects] == [
        (1, "properties nest deeper than 100 levels"),
        (2, "customer_id is longer than 500 characters"),
    ]
    nul = take(f"{HEADER},properties\n" + GOOD.format(1) + ',"{""a"":""\\u0000""}"\n')
    assert [reject.reason for reject in nul.rejects] == ["it holds a NUL character"]


@pytest.mark.parametrize("written", ["+99:99", "-15:59:59", "+05:30:00", " -5", "+05:75"])
def test_an_offset_only_half_understood_is_no_time(take: Callable[..., ImportReport], written: str) -> None:
    report = take(f"{HEADER}\ne1,C-1,2026-05-01T10:00:00{written},page_viewed\n")
    assert [reject.reason for reject in report.rejects] == ["occurred_at cannot be read as a time"]


def parquet(tmp_path: Path, **columns: Any) -> Path:
    good: dict[str, Any] = {"customer_id": ["a", "b"], "name": ["x", "x"], "occurred_at": ["2026-05-01", "2026-05-02"]}
    file = tmp_path / "events.parquet"
    pq.write_table(pa.table({**good, **columns}), file)
    return file


@pytest.mark.parametrize(
    ("columns", "taken"),
    [
        ({"occurred_at": pa.array([2**62, 1_767_225_600_000_000], pa.timestamp("us"))}, (1, 0, 1)),
        ({"occurred_at": pa.array([20_454, 2**31 - 1], pa.date32())}, (1, 0, 1)),
        ({"customer_id": ["a\0b", "b"]}, (1, 0, 1)),
        ({"amount": pa.array([1, None], pa.decimal256(60, 2))}, (2, 0, 0)),
        ({"rating": pa.array([1, 2], pa.float32()).cast(pa.float16())}, (2, 0, 0)),
    ],
)
def test_values_of_parquet_no_text_file_could_hold(
    log: EventLog, tmp_path: Path, now: datetime, columns: dict[str, Any], taken: tuple[int, int, int]
) -> None:
    report = import_events(log, [parquet(tmp_path, **columns)], None, now, log.data / "quarantine")
    assert counts(report) == taken


def test_damage_inside_a_parquet_file_is_refused_by_name(log: EventLog, tmp_path: Path, now: datetime) -> None:
    file = parquet(tmp_path)
    content = bytearray(file.read_bytes())
    content[4:40] = b"\xff" * 36  # the first page; the footer stays whole
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"events\.parquet cannot be read as Parquet"):
        import_events(log, [file], None, now, log.data / "quarantine")
    assert log.summary().count == 0


@pytest.mark.parametrize(
    "mapping",
    [
        {"columns": {"amount": {"column": "a", "multiply": "1e400"}}},
        {"columns": {"amount": {"column": "a", "multiply": "0.0000001"}}},
        {"constants": {"channel": "a\0b"}},
        {"skip": [{"column": "a", "equals": "1", "reason": ""}]},
        {"format": "fixed", "widths": [-1], "header": ["a"]},
    ],
)
def test_a_mapping_with_values_that_cannot_work_is_refused(mapping: dict[str, Any]) -> None:
    columns = {"customer_id": "a", "occurred_at": "a", "name": "a", **mapping.pop("columns", {})}
    with pytest.raises(ValueError, match=r"multiply|NUL|reason|widths"):
        Mapping.model_validate({"columns": columns, **mapping})


@pytest.mark.parametrize("wrong", [{"timezone": "localtime"}, {"format": "%Q"}])
def test_what_only_the_database_knows_to_be_wrong_is_refused(
    take: Callable[..., ImportReport], wrong: dict[str, str]
) -> None:
    moment = {"column": "occurred_at", "format": wrong.get("format", "iso")}
    mapping = {"columns": {"customer_id": "customer_id", "name": "name", "occurred_at": moment}}
    with pytest.raises(InputError, match=r"events\.csv cannot be translated"):
        take(
            f"{HEADER}\ne1,C-1,2026-05-01,page_viewed\n", mapping={**mapping, "timezone": wrong.get("timezone", "UTC")}
        )


def test_a_property_may_have_any_name(log: EventLog, take: Callable[..., ImportReport]) -> None:
    columns = {name: name for name in HEADER.split(",")}
    take(f"{HEADER}\n{GOOD.format(1)}\n", mapping={"columns": columns, "properties": {'a\n"b"': "name"}})
    assert json.loads(rows(log)[0]["properties"]) == {'a\n"b"': "page_viewed"}


def test_what_a_killed_import_left_behind_is_removed(log: EventLog, take: Callable[..., ImportReport]) -> None:
    """The scratch folder holds customers' rows; one that is in use now stays."""
    for name in ("spill-killed", "spill-busy"):
        (log.data / name).mkdir(parents=True)
        (log.data / name / "rows.parquet").write_text("a customer's row", encoding="utf-8")
        (log.data / name / LOCK).touch()
    with (log.data / "spill-busy" / LOCK).open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        take(f"{HEADER}\n{GOOD.format(1)}\n")
        assert sorted(one.name for one in log.data.glob("*-*")) == ["spill-busy"]
