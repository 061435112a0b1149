"""What is a drawn company? Events as they come, what leaving means there, and everybody's true chance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from records.events import EventLog
from training.labels import ChurnOptions

START = datetime(2024, 1, 1, tzinfo=UTC)
KNOWN, AHEAD = 760, 91  # days of history, and of what followed


@dataclass(kw_only=True)
class Events:
    """Events as they are drawn, one list for each column."""

    columns: dict[str, list[Any]] = field(default_factory=lambda: {"who": [], "day": [], "name": [], "properties": []})

    def add(self, who: int, day: float, name: str, **properties: Any) -> None:
        for column, value in zip(self.columns.values(), (who, day, name, json.dumps(properties)), strict=True):
            column.append(value)

    def log(self, folder: Path) -> EventLog:
        """All of them as an event log."""
        day = np.asarray(self.columns["day"])
        at = np.datetime64(START.replace(tzinfo=None), "us") + (day * 86_400_000_000).astype("timedelta64[us]")
        log = EventLog(folder)
        log.append(
            pa.table(
                {
                    "event_id": [f"E{number}" for number in range(len(day))],
                    "customer_id": [f"C{who}" for who in self.columns["who"]],
                    "occurred_at": pa.array(at).cast(pa.timestamp("us", "UTC")),
                    "name": self.columns["name"],
                    "properties": self.columns["properties"],
                }
            )
        )
        return log


@dataclass(frozen=True, kw_only=True)
class Company:
    """A drawn company: its events, what leaving means there, and each customer's true chance on the last known day."""

    name: str
    events: Events
    churn: ChurnOptions
    truth: Mapping[str, float]
    known: int = KNOWN  # days


def moment(day: float) -> str:
    return (START + timedelta(days=day)).isoformat()
