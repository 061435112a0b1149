"""Whatever happens, or becomes known, at or after T: what was fitted and every signal at T stay the same to the byte.

The log has events of all families, unknown ones with properties, and tables of the company's own; the other logs have
the same past and other futures: nothing, events that would change every choice of words and slots, late ones about the
past, other own rows and a new own table.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest
from features_logs import CUTOFF, HOSTILE, MORE_NAMES, PEOPLE, PROPERTIES, START, frame_bytes, log_of, numbered

from features.build import build_signals
from features.fitted import Fitted, fit
from records.events import EventLog
from records.own_tables import import_own
from training.candidates import Settings
from training.examples import build_examples
from training.labels import ChurnOptions, IssueOptions, TrainingOptions
from training.provenance import settings_of

DAY = timedelta(days=1)
CHURN = ChurnOptions(activity=(), horizon_days=10, active_within_days=40)
WHO = [*PEOPLE, *(f"c{number}" for number in range(90))]
LATER = CUTOFF + 30 * DAY


def drawn(
    draw: random.Random, when: Iterator[tuple[datetime, timedelta]], names: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Events at these moments, each so late."""
    rows = []
    for at, late in when:
        name = draw.choice(names)
        unknown = {"n": draw.randrange(9), "a.b": draw.choice(["x", "y", True]), "of": draw.choice([1.5, "z", None])}
        carried = draw.choice([*PROPERTIES.get(name, [unknown] * 12), *HOSTILE[:1]])
        rows.append(
            {
                "customer_id": draw.choice(WHO),
                "occurred_at": at,
                "received_at": at + late,
                "name": name,
                "channel": draw.choice(["web", "app", "phone", None]),
                # Whoever asks for help asks about the router: it gives more trouble than others.
                "product": "router"
                if name == "support_ticket_opened"
                else draw.choice(["router", "phone", "सिम", None]),
                "topic": draw.choice(["network", "billing", None]),
                "amount": draw.choice([None, 1, 250, -3]),
                "rating": draw.choice([None, 1.0, 4.5]),
                "properties": json.dumps(carried),
            }
        )
    return rows


def past(draw: random.Random) -> list[dict[str, Any]]:
    """What T knows."""
    span = (CUTOFF - START) // timedelta(microseconds=1) + 100 * 86_400_000_000
    moments = [CUTOFF - timedelta(microseconds=draw.randrange(1, span)) for _ in range(3000)]
    late = (timedelta(0), timedelta(0), timedelta(hours=7), 9 * DAY)
    rows = drawn(
        draw, ((at, min(draw.choice(late), CUTOFF - at - timedelta(microseconds=1))) for at in moments), MORE_NAMES
    )
    gone = [{**row, "customer_id": f"gone {place}"} for place, row in enumerate(rows[:40])]
    for row in gone:
        row["occurred_at"] = row["received_at"] = CUTOFF - draw.randrange(100, 150) * DAY
    return numbered([*rows, *gone])


def future(draw: random.Random) -> list[dict[str, Any]]:
    """What T does not know: events on the dot and after it, and more of the past than there was, received too late."""
    names = (*MORE_NAMES, *(f"new {number}" for number in range(20)))
    after = (
        (CUTOFF + draw.choice([timedelta(0), timedelta(microseconds=1), 5 * DAY, 29 * DAY]), timedelta(0))
        for _ in range(2000)
    )
    late = (
        (at, CUTOFF - at + draw.choice([timedelta(0), DAY]))
        for at in (CUTOFF - draw.random() * 90 * DAY for _ in range(4000))
    )
    rows = drawn(draw, iter([*after, *late]), names)
    for row in rows:
        row["channel"], row["topic"], row["product"] = draw.choice("abc"), draw.choice("def"), draw.choice("ghi")
    rows += [{**row, "customer_id": f"new {number % 7}"} for number, row in enumerate(rows[:500])]
    return numbered(rows, "f")


def own(data: Path, name: str, rows: list[tuple[str, datetime, float]]) -> None:
    file = data / f"{name}.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([("customer_id", "cutoff", "visits"), *((w, at.isoformat(), v) for w, at, v in rows)])
    import_own(data, "signals", name, [file], LATER)
    file.unlink()


def homes(folder: Path, seed: int) -> tuple[EventLog, EventLog]:
    """A log that ends at T, and the same with a future."""
    rows, more = past(random.Random(seed)), future(random.Random(seed + 1))
    ended, going_on = log_of(folder / "ended", rows), log_of(folder / "going on", [*more, *rows], files=3)
    known = [(who, CUTOFF - age * DAY, age) for place, who in enumerate(WHO[:60]) for age in (0, 9 + place)]
    own(ended.data, "crm", known)
    own(going_on.data, "crm", known + [(who, CUTOFF + timedelta(microseconds=1), 1e6) for who in WHO])
    own(going_on.data, "aaa", [(who, CUTOFF + DAY, 7) for who in WHO])
    return ended, going_on


def fitted_at(log: EventLog) -> Fitted:
    return fit(log, CUTOFF, timezone="Europe/Berlin", activity=())


@pytest.mark.parametrize("seed", [1, 20])
def test_no_future_changes_what_is_fitted_or_any_signal(tmp_path: Path, seed: int) -> None:
    ended, going_on = homes(tmp_path, seed)
    fitted = fitted_at(ended)
    assert len(fitted.words.events) >= 2
    assert fitted.numbers
    assert any(one.words for one in fitted.texts)
    assert fitted.own
    assert fitted.peers
    assert fitted.purchases
    assert fitted_at(going_on).to_json() == fitted.to_json()
    alone = build_signals(ended, [CUTOFF], fitted=fitted)
    silent = [name for name in alone.column_names if alone.column(name).null_count == alone.num_rows]
    assert silent == []  # else the log says nothing of them, and neither does this test
    expected = frame_bytes(alone)
    assert frame_bytes(build_signals(going_on, [CUTOFF], fitted=fitted)) == expected
    assert frame_bytes(build_signals(going_on, [CUTOFF], fitted=fitted, rollup=True)) == expected
    among = build_signals(going_on, [CUTOFF - 30 * DAY, CUTOFF, LATER], fitted=fitted)
    assert frame_bytes(among.filter(pc.equal(among.column("cutoff"), CUTOFF))) == expected
    assert frame_bytes(among.filter(pc.equal(among.column("cutoff"), LATER))) != expected


def test_no_future_changes_what_is_learnt_from(tmp_path: Path) -> None:
    ended, going_on = homes(tmp_path, 3)
    options = (CHURN, IssueOptions(horizon_days=10), TrainingOptions(stride_days=10))
    one, other = (build_examples(log, CUTOFF, *options) for log in (ended, going_on))
    assert one.count > 200
    assert one.fitted.to_json() == other.fitted.to_json()
    assert one.labels.equals(other.labels)
    recorded = [
        settings_of(log, CUTOFF, *options[1:], rows, Settings()) for log, rows in ((ended, one), (going_on, other))
    ]
    assert recorded[0] == recorded[1]
    assert set(recorded[0]["own_sha256"]) == {"crm"}
    assert (one.X.tobytes(), one.y.tobytes(), one.asked.tobytes()) == (
        other.X.tobytes(),
        other.y.tobytes(),
        other.asked.tobytes(),
    )
