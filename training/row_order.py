"""In which order do the rows of the examples lie, and where is a slice of time? Found once, before any signal is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation import Floats
from training.labels import IssueOptions, issue_labels
from training.lots import lot

if TYPE_CHECKING:
    import pyarrow as pa

    from records.events import EventLog

Codes = NDArray[np.int64]
# Rows lie by block, then cutoff, then customer.
SEEN, UNSEEN, LATER = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class Order:
    """Whose row, at which moment, lies where."""

    customer_ids: tuple[str, ...]  # sorted; a customer's place is its code
    moments: tuple[datetime, ...]  # ascending
    customers: Codes  # code of each row
    cutoffs: Codes  # place of each row's moment in `moments`
    source: Codes  # the row of the label table it was made of; -1: it has no label
    recency: Floats  # days since the last activity; NaN where there is no label
    spans: Mapping[tuple[int, int], slice]  # (block, place of the moment) → rows

    def __len__(self) -> int:
        return len(self.customers)

    def places(self, cutoffs: Sequence[datetime], unseen: bool | None) -> slice | Codes:
        """Where the rows of these cutoffs lie: a slice if they follow each other, else their numbers."""
        blocks = {False: (SEEN,), True: (UNSEEN,), None: (SEEN, UNSEEN, LATER)}[unseen]
        wanted = sorted(self.moments.index(cutoff) for cutoff in cutoffs)
        spans = [span for block in blocks for at in wanted if (span := self.spans.get((block, at)))]
        if not spans:
            return slice(0, 0)
        if all(one.stop == other.start for one, other in pairwise(spans)):
            return slice(spans[0].start, spans[-1].stop)
        return np.concatenate([np.arange(span.start, span.stop) for span in spans])

    def labels(self, table: pa.Table, name: str) -> Floats:
        """A column of the label table for each row, NaN where a row has no label."""
        values = table.column(name).to_numpy().astype(np.float64)
        found = np.full(len(self), np.nan)
        found[self.source >= 0] = values[self.source[self.source >= 0]]
        return found

    def asked(self, log: EventLog, issues: IssueOptions, as_of: datetime) -> Floats:
        """1 where the customer contacted us within the issue horizon, NaN where that is not over by `as_of`."""
        import pyarrow as pa
        import pyarrow.compute as pc

        found = np.full(len(self), np.nan)
        everybody = pa.array(self.customer_ids, pa.string())
        for place, moment in enumerate(self.moments):
            if moment + issues.horizon <= as_of:
                who = pc.unique(issue_labels(log, [moment], issues, as_of).column("customer_id"))
                asked = pc.is_in(everybody, value_set=who).to_numpy(zero_copy_only=False)
                rows = self.cutoffs == place
                found[rows] = asked[self.customers[rows]]
        return found


def order_rows(
    labels: pa.Table,
    copies: Codes,
    customers: Sequence[str],
    later: tuple[datetime, Sequence[str]] | None,
    unseen: float,
    seed: int,
) -> Order:
    """The order of the rows of a label table.

    Parameters
    ----------
    copies
        How often each row counts; 0: not at all.
    customers
        Whom to learn from, sorted.
    later
        A moment without labels and whom it is about.
    unseen
        Share of customers kept out of fitting.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    everybody = pa.array(customers, pa.string())
    instants: list[Any] = labels.column("cutoff").unique().to_pylist()
    moments = sorted({*instants, *([later[0]] if later else [])})
    at = pc.index_in(labels.column("cutoff"), value_set=pa.array(moments, labels.column("cutoff").type))
    place: Any = pc.index_in(labels.column("customer_id"), value_set=everybody)
    code: Any = pc.fill_null(place, -1).to_numpy().astype(np.int64)
    kept = np.repeat(np.arange(len(code)), np.where(code >= 0, copies, 0))
    held_out = np.array([lot("unseen", seed, customer) < unseen for customer in customers], dtype=bool)
    who, when, block = code[kept], at.to_numpy().astype(np.int64)[kept], held_out[code[kept]].astype(np.int64)
    if later:
        found = (
            pc.index_in(pa.array(later[1], pa.string()), value_set=everybody).drop_null().to_numpy().astype(np.int64)
        )
        who, kept = np.concatenate([who, found]), np.concatenate([kept, np.full(len(found), -1)])
        when = np.concatenate([when, np.full(len(found), moments.index(later[0]))])
        block = np.concatenate([block, np.full(len(found), LATER)])
    order = np.lexsort((who, when, block))
    recency = np.append(labels.column("recency_days").to_numpy().astype(np.float64), np.nan)
    return Order(
        customer_ids=tuple(customers),
        moments=tuple(moments),
        customers=who[order],
        cutoffs=when[order],
        source=kept[order],
        recency=recency[kept[order]],
        spans=spans_of(block[order], when[order]),
    )


def spans_of(block: Codes, when: Codes) -> dict[tuple[int, int], slice]:
    """Where each pair of block and moment begins and ends, in rows that lie by both."""
    changes = np.flatnonzero(np.diff(block) | np.diff(when)) + 1
    borders = [0, *changes.tolist(), len(block)]
    return {(int(block[a]), int(when[a])): slice(a, b) for a, b in pairwise(borders) if a < b}
