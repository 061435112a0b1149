"""On a million rows the fast signals of a sample of customers equal the slow ones, and no byte depends on threads."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from features_logs import frame_bytes
from reference import slow_signals
from test_features_reference import FITTED, agree
from test_features_soak import CUTOFF, rows

from features.build import build_signals
from records.events import EventLog

ROWS, SAMPLE = 1_000_000, 40


@pytest.mark.soak
def test_a_sample_of_a_million_rows_equals_the_slow_reference(tmp_path: Path) -> None:
    table, fitted = rows(3, 0, ROWS), FITTED[-1]
    cutoffs = [CUTOFF - timedelta(days=60), CUTOFF]
    one, other = EventLog(tmp_path / "one"), EventLog(tmp_path / "other")
    one.append(table)
    for part in np.array_split(np.random.default_rng(4).permutation(ROWS), 3):
        other.append(table.take(pa.array(part)))
    fast = build_signals(one, cutoffs, fitted=fitted, threads=1)
    assert frame_bytes(fast) == frame_bytes(build_signals(other, cutoffs, fitted=fitted, threads=2))

    people = pc.unique(fast["customer_id"]).to_pylist()
    busy = pc.value_counts(table["customer_id"]).to_pylist()
    busiest = sorted(busy, key=lambda count: -int(count["counts"]))[:3]
    sample = {*people[:: len(people) // SAMPLE], *(count["values"] for count in busiest)}
    log = table.to_pandas(types_mapper={pa.string(): None}.get)
    wrong = []
    for cutoff in cutoffs:
        of = fast.filter(
            pc.and_(pc.is_in(fast["customer_id"], pa.array(sorted(sample))), pc.equal(fast["cutoff"], cutoff))
        )
        slow = slow_signals(log, cutoff, fitted, sample)
        assert of["customer_id"].to_pylist() == sorted(slow)
        wrong += [line for row in of.to_pylist() for line in agree(row, slow[row["customer_id"]], row["customer_id"])]
    assert wrong == []
