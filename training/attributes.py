"""Which group does each judged customer belong to? Plan, channel, language, region, tenure, as known at a cutoff.

Read from the log as it was known before the cutoff: the last value counts. The customers' table is no source, since
its rows may have changed since.
"""

# ruff: noqa: S608  the SQL is made of our own names; values and names are quoted by their makers
from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from features.cutoffs import DAY_US, microseconds
from training.populations import value_sql

if TYPE_CHECKING:
    from records.events import EventLog

# What each group may be called in the events' properties; the first that is known counts.
NAMES = {
    "plan": ("plan",),
    "channel": ("channel",),
    "language": ("language", "lang", "locale"),
    "region": ("region", "state", "city", "area", "location", "country"),
}
# Days since the first event: how long somebody has been known.
TENURES = ((30, "under 30 days"), (90, "30 to 90 days"), (365, "90 days to a year"), (730, "one to two years"))
LONGEST = "two years or more"


def attributes_at(log: EventLog, cutoff: datetime, customers: Sequence[str]) -> dict[str, list[str | None]]:
    """For each attribute one value per customer, in their order; None where nothing was known before the cutoff."""
    import pyarrow as pa

    columns = ", ".join(newest(group, names) for group, names in NAMES.items())
    wanted = pa.table({"customer_id": pa.array(customers, pa.string()), "place": pa.array(range(len(customers)))})
    with log.connection() as connection:
        connection.register("wanted", wanted)
        rows = connection.execute(
            f"""
            select {", ".join(NAMES)}, ({microseconds(cutoff)} - first) // {DAY_US} as days
            from wanted left join (
                select customer_id, {columns}, min(epoch_us(occurred_at)) as first
                from {log.relation_sql(cutoff)} where customer_id in (select customer_id from wanted)
                group by customer_id
            ) using (customer_id)
            order by place"""
        ).fetchall()
    found: dict[str, list[str | None]] = {group: [row[place] for row in rows] for place, group in enumerate(NAMES)}
    return found | {"tenure": [tenure(row[-1]) for row in rows]}


def newest(group: str, names: Sequence[str]) -> str:
    """SQL of the last value of a group; of two at the same moment the one with the greater event_id counts."""
    said = f"coalesce({', '.join(value_sql(name) for name in names)})"
    return f"max_by({said}, (occurred_at, event_id)) filter ({said} is not null) as {group}"


def tenure(days: int | None) -> str | None:
    """How long somebody has been known, in words."""
    if days is None:
        return None
    return next((words for border, words in TENURES if days < border), LONGEST)
