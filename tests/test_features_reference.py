"""The fast signals equal slow ones, worked out event by event in plain Python and pandas, on random logs."""

from __future__ import annotations

import csv
import json
import math
import tempfile
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from features_logs import CUTOFF, PEOPLE, TIMES, events, log_of, logs, numbered
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference import slow_signals
from reference_seen import Values

from features import cohorts
from features.begun import Beginnings
from features.btyd import ParetoNBD
from features.build import build_signals
from features.catalog import catalog
from features.fitted import Fitted, fit
from features.own import OwnColumn
from features.properties import Property
from features.vocabulary import Vocabulary
from records.own_tables import import_own

WORDS = Vocabulary(
    events=("song played", "ओटीपी 'मांगा'; --"),
    topics=("network",),
    channels=("app", "web"),
    products=("router",),
    plans=("router",),
)
MODEL = ParetoNBD(r=0.553, alpha=74.0, s=0.606, beta=81.7)
ZONES = ("UTC", "Asia/Kolkata", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
FITTED = [Fitted(words=WORDS, timezone=zone, purchases=MODEL, peers=(9.0, 6.5, 4.0)) for zone in ZONES]
FITTED += [Fitted(words=WORDS, horizon_days=14, active_within_days=30, activity=(), leaving="plan_changed")]
USED = Beginnings(("page_viewed", "order_completed", "session_started", "plan_changed"), by_use=True)
FITTED += [Fitted(words=WORDS, horizon_days=30, activity=(), leaving="song played", begun=USED)]
ODD = CUTOFF - timedelta(days=20, hours=7, microseconds=3)
MANY = settings(max_examples=15 * TIMES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True)
def few_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs of four people have peers too."""
    monkeypatch.setattr(cohorts, "FEWEST_PEERS", 2)


def near(name: str) -> float:
    """How near is near? Logarithms of gaps and counts, and trends of sales, are kept as whole millionths."""
    return 1e-5 if name.startswith(("sd_log", "product_entropy", "product_sales_trend")) else 1e-9


def agree(fast: dict[str, Any], slow: Values, where: str) -> list[str]:
    """Which signals differ?"""
    wrong = []
    for name, value in slow.items():
        got = fast[name]
        if (value is None) != (got is None) or (
            value is not None and not math.isclose(got, value, rel_tol=near(name), abs_tol=near(name))
        ):
            wrong.append(f"{name} {where}: fast {got}, slow {value}")
    return wrong


def differing(rows: list[dict[str, Any]], cutoff: datetime, fitted: Fitted) -> list[str]:
    """Where fast and slow signals of this log differ."""
    with tempfile.TemporaryDirectory() as folder:
        table = build_signals(log_of(Path(folder), rows), [cutoff], fitted=fitted)
    slow = slow_signals(pd.DataFrame(rows), cutoff, fitted)
    assert table.column("customer_id").to_pylist() == sorted(slow)
    return [line for fast in table.to_pylist() for line in agree(fast, slow[fast["customer_id"]], fast["customer_id"])]


@MANY
@given(logs(), st.sampled_from([CUTOFF, ODD]), st.sampled_from(FITTED))
def test_the_fast_signals_equal_the_slow_ones(rows: list[dict[str, Any]], cutoff: datetime, fitted: Fitted) -> None:
    assert differing(rows, cutoff, fitted) == []


@settings(MANY, max_examples=5 * TIMES)
@given(st.lists(events(), min_size=40, max_size=80), st.sampled_from(FITTED))
def test_they_equal_where_every_family_has_events(rows: list[dict[str, Any]], fitted: Fitted) -> None:
    assert differing(numbered(rows), CUTOFF, fitted) == []


# ── what unknown events carry, and the company's own tables ──────────────────────────────────────────────────

SONG, OTP = WORDS.events
KEYS = ("sec", "a.b", "क'\"/~$[0]", " ", "")
CARRIED: tuple[Any, ...] = (
    *(0, 7, "7", -12.5, 0.00005, "99999999.99995", 100000000.00001, 1e308, "1e-3", "1_0", " 3 ", "3 4", "1e99"),
    *(True, False, None, "", "NaN", "nan", "inf", "true", "१२", "\u00a07", {"b": [1, "x"]}, [], {}),
    *("ग्राहक", "'; drop table facts; --", '"', "x" * 201, "x" * 200 + "y", "long " * 5000),
)
UNKNOWN = Fitted(
    words=WORDS,
    numbers=(
        *(Property(SONG, key) for key in ("", *KEYS[:3])),
        *(Property(OTP, key) for key in ("", KEYS[3])),
    ),
    texts=(
        Property(SONG, KEYS[1], ("7", "true", "")),
        Property(SONG, KEYS[2], ("ग्राहक", "'; drop table facts; --")),
        Property(OTP, KEYS[0], ('"',)),
        Property(OTP, KEYS[3]),
    ),
    own=(
        *(OwnColumn("crm", name) for name in ("Visits", "प्यार .-")),
        *(OwnColumn("bank", name) for name in ("visits", "never_there")),
        OwnColumn("gone", "visits"),
    ),
)
OF_ADDED = ("generic", "properties", "own")
ADDED = [one.name for one in catalog(UNKNOWN) if one.family in OF_ADDED]


@st.composite
def carried(draw: st.DrawFn) -> str:
    """The JSON that an unknown event carries; a key may be written twice."""
    pairs = draw(st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(CARRIED)), max_size=6))
    written = (f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in pairs)
    return draw(st.sampled_from(["{" + ", ".join(written) + "}"] * 9 + ["[7]"]))


@st.composite
def unknown_logs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Events that no family knows, with whatever they may carry."""
    rows = draw(st.lists(events((SONG, OTP, "page_viewed", "plan_changed")), min_size=1, max_size=40))
    return numbered([{**row, "properties": draw(carried())} for row in rows])


own_rows = st.lists(
    st.tuples(
        st.sampled_from([*PEOPLE, "nobody"]),
        st.sampled_from(
            [CUTOFF + timedelta(microseconds=step) for step in (-1, 0, 1)] + [ODD, CUTOFF - timedelta(days=400)]
        ),
        *(st.sampled_from(["", "1", "-2.5", "true", "1e308", "0.1"]),) * 2,
    ),
    max_size=12,
)


def imported(data: Path, table: str, header: tuple[str, ...], files: list[list[tuple[Any, ...]]]) -> pd.DataFrame:
    """The company's table as `pehle import signals` makes it of these files; and what it ought to hold."""
    held: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for number, rows in enumerate(files):
        file = data / f"{table}-{number}.csv"
        with file.open("w", encoding="utf-8", newline="") as out:
            csv.writer(out).writerows([header, *((who, at.isoformat(), *values) for who, at, *values in rows)])
        import_own(data, "signals", table, [file], CUTOFF)
        held |= {(who, at): tuple(values) for who, at, *values in rows}
    meaning = {"": None, "true": 1.0}
    numbers = [
        [float(v) if (v := meaning.get(value, value)) is not None else None for value in row] for row in held.values()
    ]
    frame = pd.DataFrame([[*key, *row] for key, row in zip(held, numbers, strict=True)], columns=list(header))
    return frame.astype(dict.fromkeys(header[2:], float))


@settings(MANY, max_examples=10 * TIMES)
@given(unknown_logs(), st.sampled_from([CUTOFF, ODD]), st.lists(own_rows, min_size=2, max_size=2), own_rows)
def test_numbers_words_and_own_tables_equal_slow_ones(
    rows: list[dict[str, Any]], cutoff: datetime, crm: list[Any], bank: list[Any]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = log_of(Path(folder), rows)
        own = {
            "crm": imported(log.data, "crm", ("customer_id", "cutoff", "Visits", "प्यार .-"), crm),
            "bank": imported(log.data, "bank", ("customer_id", "cutoff", "visits", "other"), [bank]),
        }
        built = build_signals(log, [cutoff], fitted=UNKNOWN, signals=ADDED).to_pylist()
    slow = slow_signals(pd.DataFrame(rows), cutoff, UNKNOWN, own=own, families=OF_ADDED)
    assert [row["customer_id"] for row in built] == sorted(slow)
    assert [line for fast in built for line in agree(fast, slow[fast["customer_id"]], fast["customer_id"])] == []


# ── nothing without a reference ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fitted", [Fitted(), FITTED[0], UNKNOWN])
def test_every_signal_has_a_slow_reference(fitted: Fitted) -> None:
    at = CUTOFF - timedelta(days=1)
    rows = [{"customer_id": "a", "occurred_at": at, "received_at": at, "name": "page_viewed", "properties": "{}"}]
    empty = dict.fromkeys(("channel", "product", "topic", "amount", "rating"))
    [slow] = slow_signals(pd.DataFrame(numbered([{**empty, **row} for row in rows])), CUTOFF, fitted).values()
    names = {signal.name for signal in catalog(fitted)}
    assert set(slow) == names, f"without a reference, or without a signal: {sorted(set(slow) ^ names)}"


def test_also_where_a_log_and_its_tables_choose_them(tmp_path: Path) -> None:
    """Fitted as `pehle features list` fits it, not by hand."""
    rows = numbered(
        [
            {
                "customer_id": f"c{n % 30}",
                "occurred_at": CUTOFF - timedelta(days=n % 90, minutes=n),
                "received_at": CUTOFF - timedelta(days=n % 90, minutes=n),
                "name": (SONG, OTP, "plan_changed", "support_ticket_opened")[n % 4],
                "channel": "app",
                "topic": "network" if n % 4 == 3 else None,
                "product": "router" if n % 4 > 1 else None,
                "amount": Decimal(n % 11),
                "rating": None,
                "properties": json.dumps({KEYS[n % 3]: n % 13, "क'": f"w{n % 4}", "on": n % 8 < 4}),
            }
            for n in range(600)
        ]
    )
    log = log_of(tmp_path, rows)
    at = CUTOFF - timedelta(days=3)
    own = {"crm": imported(log.data, "crm", ("customer_id", "cutoff", "visits"), [[("c1", at, "4"), ("c2", at, "")]])}
    fitted = fit(log, CUTOFF, timezone="Asia/Kolkata")
    assert fitted.numbers
    assert fitted.own
    assert any(one.words for one in fitted.texts)
    built = build_signals(log, [CUTOFF], fitted=fitted).to_pylist()
    slow = slow_signals(pd.DataFrame(rows), CUTOFF, fitted, own=own)
    names = {signal.name for signal in catalog(fitted)}
    assert {frozenset(row) for row in slow.values()} == {frozenset(names)}
    assert [line for fast in built for line in agree(fast, slow[fast["customer_id"]], fast["customer_id"])] == []
