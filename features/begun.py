"""Which product has each customer, and since when? A plan, a course, a season's pass: what they began last.

Some events say so (`begun_by` of the settings: `subscription_started`, `enrolled`, …). A log without such events says
it by use: the first event that names a product begins it.
"""

# ruff: noqa: S608  the SQL is made of our own column names

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.sorted_rows import EARLIEST, Whole, arrow_array, order_of, places, starts_of
from features.vocabulary import BEGUN_BY, RENEWED
from records.events import EventLog

ROWS = "rows_begun"
"""What the table of a plan is called that these facts are made of."""

FACTS = ("product_now", "begun_us", "lifecycle_us", "products_begun")
"""The product begun last, since when, the last event of its kind, and how many products so far."""

MOST_NAMES = 12
MOST_PRODUCTS_EACH = 4
FEWEST_CUSTOMERS = 30
"""Use begins a product only where customers have at most four on average and most have one that thirty others have:
elsewhere products are goods in a shop and not what a customer is a customer of."""


@dataclass(frozen=True)
class Beginnings:
    """How a log says which product a customer has."""

    events: tuple[str, ...] = BEGUN_BY
    by_use: bool = False  # the first event of each product begins it; else each of these events begins or renews it


def fit_beginnings(log: EventLog, until: datetime, begun_by: Sequence[str] = BEGUN_BY) -> Beginnings:
    """How did the log say it before `until`?"""
    named = "product is not null and product <> ''"
    with log.connection() as con:
        con.execute(f"create temp view past as select customer_id, name, product from {log.relation_sql(until)}")
        rows = con.execute(f"select name from past where {named} group by name order by count(*) desc, name").fetchall()
        names = [str(name) for (name,) in rows]
        if not names or any(name in begun_by for name in names):
            return Beginnings(tuple(begun_by))
        row = con.execute(
            f"""with pairs as (select distinct customer_id, product from past where {named}),
            products as (select count(*) as n from pairs group by product)
            select (select count(*) from pairs), (select count(distinct customer_id) from pairs),
                (select coalesce(sum(n), 0) from products where n >= {FEWEST_CUSTOMERS})"""
        ).fetchone()
        pairs, customers, shared = row or (0, 0, 0)
    if pairs > MOST_PRODUCTS_EACH * customers or 2 * shared < pairs:
        return Beginnings(tuple(begun_by))
    return Beginnings(tuple(names[:MOST_NAMES]), by_use=True)


def begun_rows(events: Any, how: Beginnings) -> Any:
    """One row per event that begins (`starts`) or renews a product; by use, one per customer and product.

    By use `starts` is null and the moment is when the product was first known: of the rows of two halves of a log the
    first is that of the whole.
    """
    import ibis

    named = events.filter(events.name.isin(how.events) & events["product"].notnull() & (events["product"] != ""))
    if not how.by_use:
        return named.select("code", "product", "us", "day", "known_day", starts=~named.name.isin(RENEWED))
    rows = named.group_by("code", "product").agg(
        us=named.known_us.min(), day=named.known_day.min(), known_day=named.known_day.min()
    )
    return rows.mutate(starts=ibis.null("boolean"))


def begun_facts(rows: pa.Table | None, code: Whole, cutoff_day: Whole) -> dict[str, pa.Array[Any]]:
    """`FACTS` of each customer and cutoff, null for whom nothing is known by then.

    A product begins with its last event that is no renewal or, if all are, with its first.
    """
    if rows is None or not rows.num_rows or not len(code):
        kinds: list[Any] = [pa.string(), pa.int64(), pa.int64(), pa.int64()]
        return {name: pa.nulls(len(code), kind) for name, kind in zip(FACTS, kinds, strict=True)}
    rows = _firsts(rows) if rows.column("starts").null_count else rows
    words = pc.unique(rows.column("product")).sort()
    word = pc.index_in(rows.column("product"), value_set=words).to_numpy().astype(np.int64)
    who, us, known = (places(rows.column(name)) for name in ("code", "us", "known_day"))
    starts: Any = rows.column("starts").to_numpy().astype(bool)  # null is no
    order = order_of(who, us, word)
    if order is not None:
        who, us, known, word, starts = (one[order] for one in (who, us, known, word, starts))
    people = 1 + max(int(who.max()), int(code.max()))
    made = {name: np.full(len(code), EARLIEST) for name in FACTS}
    for cutoff in np.unique(cutoff_day):
        seen, asked = np.flatnonzero(known < cutoff), cutoff_day == cutoff
        for name, values in _at(who[seen], us[seen], word[seen], starts[seen], people).items():
            made[name][asked] = values[code[asked]]
    none = made["product_now"] == EARLIEST
    product: Any = words.take(cast("Any", pa.array(np.where(none, 0, made["product_now"]), mask=none)))
    return {"product_now": product} | {name: arrow_array(made[name], EARLIEST) for name in FACTS[1:]}


def _firsts(rows: pa.Table) -> pa.Table:
    """The first row of each customer and product."""
    rows = rows.sort_by([("code", "ascending"), ("product", "ascending"), ("us", "ascending")])
    word = pc.rank(rows.column("product"), tiebreaker="dense").to_numpy()
    return rows.take(starts_of(places(rows.column("code")), word.astype(np.int64)))


def _at(who: Whole, us: Whole, word: Whole, starts: Any, people: int) -> dict[str, Whole]:
    """The facts of everybody from the rows known at one cutoff, sorted by customer, moment and product."""
    made = {name: np.full(people, EARLIEST) for name in FACTS}
    first = starts_of(who)
    last = np.append(first[1:], len(who))[: len(first)] - 1
    made["product_now"][who[last]], made["lifecycle_us"][who[last]] = word[last], us[last]
    same = np.flatnonzero(word == made["product_now"][who])
    since = same[starts_of(who[same])]
    made["begun_us"][who[since]] = us[since]
    again = same[starts[same]]  # in order of time: the last one stays
    made["begun_us"][who[again]] = us[again]
    kinds = np.unique(who * (1 + word.max(initial=0)) + word) // (1 + word.max(initial=0))
    made["products_begun"][who[first]] = np.bincount(kinds, minlength=people)[who[first]]
    return made
