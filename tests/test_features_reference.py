"""The fast signals equal slow ones, worked out event by event in plain Python and pandas, on random logs."""

from __future__ import annotations

import math
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from features_logs import CUTOFF, events, log_of, logs, numbered
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference import slow_signals
from reference_seen import Values

from features.btyd import ParetoNBD
from features.build import build_signals
from features.catalog import catalog
from features.fitted import Fitted
from features.vocabulary import Vocabulary

WORDS = Vocabulary(
    events=("song played", "ओटीपी 'मांगा'; --"), topics=("network",), channels=("app", "web"), products=("router",)
)
MODEL = ParetoNBD(r=0.553, alpha=74.0, s=0.606, beta=81.7)
ZONES = ("UTC", "Asia/Kolkata", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
FITTED = [Fitted(words=WORDS, timezone=zone, purchases=MODEL, peers=(9.0, 6.5, 4.0)) for zone in ZONES]
FITTED += [Fitted(words=WORDS, horizon_days=14, active_within_days=30, activity=(), leaving="plan_changed")]
ODD = CUTOFF - timedelta(days=20, hours=7, microseconds=3)
MANY = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


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


@settings(MANY, max_examples=8)
@given(st.lists(events(), min_size=40, max_size=80), st.sampled_from(FITTED))
def test_they_equal_where_every_family_has_events(rows: list[dict[str, Any]], fitted: Fitted) -> None:
    assert differing(numbered(rows), CUTOFF, fitted) == []


@pytest.mark.parametrize("fitted", [Fitted(), FITTED[0]])
def test_every_signal_has_a_slow_reference(fitted: Fitted) -> None:
    at = CUTOFF - timedelta(days=1)
    rows = [{"customer_id": "a", "occurred_at": at, "received_at": at, "name": "page_viewed", "properties": "{}"}]
    empty = dict.fromkeys(("channel", "product", "topic", "amount", "rating"))
    [slow] = slow_signals(pd.DataFrame(numbered([{**empty, **row} for row in rows])), CUTOFF, fitted).values()
    assert set(slow) == {signal.name for signal in catalog(fitted)}
