"""What a contestant needs of our own package; a peer in its own virtual environment imports none of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import ibis
import ibis.backends.duckdb  # Ibis imports its backend when first asked for one
from bench_log import CHANNELS

from features.fitted import Fitted
from features.vocabulary import Vocabulary
from records.events import EventLog

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ibis.duckdb.connect()


def fitted_words() -> Fitted:
    """The words of the log, which the peers know by heart."""
    return Fitted(words=Vocabulary(events=("song_played",), channels=CHANNELS))


def log_and_cutoffs(specification: dict[str, Any]) -> tuple[EventLog, list[datetime]]:
    """The log and the cutoffs of a specification."""
    cutoffs = [EPOCH + timedelta(microseconds=us) for us in specification["cutoffs_us"]]
    return EventLog(Path(specification["log"])), cutoffs
