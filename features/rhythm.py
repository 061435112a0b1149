"""What is a customer's own rhythm? Facts about the gaps between their days, as each cutoff knew them."""

from __future__ import annotations

from typing import Any

CLOCKS = {"active": "events", "order": "orders"}
"""Clock → the measure whose days it counts."""


def gaps_by_cutoff(days: Any, cutoffs: Any, measure: str) -> Any:
    """One row per customer, cutoff and day that it can see: days since the day before it (null for the first).

    Of customers whose days were all known at once, a gap never changes: it is computed once and handed to every later
    cutoff. For the others it depends on what each cutoff knew, and is computed for each.
    """
    import ibis

    one = days.filter(days[measure] > 0).group_by("code", "day").agg(known_day=days.known_day.min(where=days[measure] > 0))
    late = (one.known_day > one.day).max().over(ibis.window(group_by="code"))
    one = one.mutate(late=late)
    steady = one.filter(~one.late)
    earlier = steady.day.lag().over(ibis.window(group_by="code", order_by="day"))
    steady = steady.mutate(gap=steady.day - earlier)
    steady = steady.join(cutoffs, steady.day < cutoffs.cutoff_day).select("code", "cutoff_day", "gap")
    changing = one.filter(one.late)
    changing = changing.join(cutoffs, changing.known_day < cutoffs.cutoff_day)
    before = changing.day.lag().over(ibis.window(group_by=["code", "cutoff_day"], order_by="day"))
    changing = changing.mutate(gap=changing.day - before).select("code", "cutoff_day", "gap")
    return ibis.union(steady, changing, distinct=False)


def rhythm(gaps: Any, ages: Any, clock: str, oldest: int) -> Any:
    """One row per customer and cutoff: number, sum, squares, logs, longest and median of the gaps."""
    import ibis

    known = gaps.filter(gaps.gap.notnull())
    known = known.mutate(age=ibis.least(known.gap, oldest)).join(ages.select("age", "log_parts"), "age")
    return known.group_by("code", "cutoff_day").agg(**{
        f"{clock}_gaps": known.count(),
        f"{clock}_gap_sum": known.gap.cast("int64").sum().cast("int64"),
        f"{clock}_gap_squares": (known.gap.cast("int64") * known.gap).sum().cast("int64"),
        f"{clock}_gap_logs": known.log_parts.sum().cast("int64"),
        f"{clock}_gap_log_squares": (known.log_parts * known.log_parts).sum().cast("int64"),
        f"{clock}_gap_longest": known.gap.max(),
        f"{clock}_gap_median": known.gap.median(),
    })
