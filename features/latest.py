"""What was the last value, and the first, that a cutoff knew? For bills, plans, ratings and the like."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from features.rollup import Fact
from features.sorted_rows import Decimals, Facts, Places, Rows, Whole, as_known, order_of, places

NO_ROW = -1
PLACE = "place of the row"


def value_places(rows: pa.Table, facts: Sequence[Fact], people: int, cutoffs: Whole) -> Facts:
    """Per fact, cutoffs × customers: the place in `rows` of the last (`_latest`) or first (`_earliest`) value known.

    `rows` has the columns of `rollup.value_rows`, `code` running from 0 to people-1. Events of one instant come in the
    order of their ids.
    """
    code, us, day, known = (places(rows.column(name)) for name in ("code", "us", "day", "known_day"))
    order = order_of(code, us)
    order = np.arange(len(code)) if order is None else order
    order = _ties_by_id(order, code, us, rows.column("event_id"))
    held = {
        fact.measure.name: np.asarray(rows.column(fact.measure.name).is_valid())[order].astype(np.int64)
        for fact in facts
    }
    ordered = Rows(people, code[order], day[order], known[order], {**held, PLACE: order})
    return as_known(ordered, cutoffs, partial(_places, facts=facts))


def _ties_by_id(order: Whole, code: Whole, us: Whole, ids: pa.ChunkedArray[Any]) -> Whole:
    same = (code[order][1:] == code[order][:-1]) & (us[order][1:] == us[order][:-1])
    if not same.any():
        return order
    tied = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
    run = np.cumsum(np.insert(~same, 0, True))[tied]
    names = [str(one).encode() for one in ids.take(order[tied]).to_pylist()]
    sorted_ties = sorted(range(len(tied)), key=lambda one: (run[one], names[one]))
    order = order.copy()
    order[tied] = order[tied][sorted_ties]
    return order


def _places(rows: Rows, cutoffs: Whole, facts: Sequence[Fact]) -> Facts:
    at = Places(rows, cutoffs)
    columns = {name: column for name, column in rows.columns.items() if not isinstance(column, Decimals)}
    made: Facts = {}
    for fact in facts:
        held = columns[fact.measure.name]
        upto = np.zeros(len(held) + 1, np.int64)
        np.cumsum(held, out=upto[1:])
        first, last = upto[at.start], upto[at.before(cutoffs)]
        where = np.append(columns[PLACE][held > 0], NO_ROW)
        place = last - 1 if fact.part == "latest" else np.broadcast_to(first, last.shape)
        made[fact.name] = np.where(last > first, where[np.where(last > first, place, 0)], NO_ROW).T.copy()
    return made
