"""What is a customer's own rhythm? Facts about the gaps between their days, as each cutoff knew them."""

from __future__ import annotations

from typing import Any

CLOCKS = {"active": "events", "order": "orders"}
"""Clock → the measure whose days it counts."""

GAP_FACTS = ("gaps", "gap_sum", "gap_squares", "gap_logs", "gap_log_squares", "gap_longest", "gap_median")


def days_with_gaps(days: Any, ages: Any, measure: str, oldest: int) -> Any:
    """One row per customer and day: the days since the day before it, if all of the customer's days came punctually.

    Of such a customer a gap never changes and serves every later cutoff. For the others it depends on what each cutoff
    knew; they are marked `late` and their gaps come from `late_gaps`.
    """
    import ibis

    chosen = days.filter(days[measure] > 0)
    one = chosen.group_by("code", "day").agg(known_day=chosen.known_day.min())
    earlier = one.day.lag().over(ibis.window(group_by="code", order_by="day"))
    late = (one.known_day > one.day).max().over(ibis.window(group_by="code"))
    return with_logs(one.mutate(gap=one.day - earlier, late=late), ages, oldest)


def late_gaps(one: Any, cutoffs: Any, ages: Any, oldest: int) -> Any:
    """One row per customer with late days, cutoff and day the cutoff can see: the gap as it was known then."""
    import ibis

    late = one.filter(one.late)
    late = late.join(cutoffs, late.known_day < cutoffs.cutoff_day).select("code", "cutoff_day", "day")
    earlier = late.day.lag().over(ibis.window(group_by=["code", "cutoff_day"], order_by="day"))
    return with_logs(late.mutate(gap=late.day - earlier), ages, oldest).select("code", "cutoff_day", "gap", "log_parts")


def with_logs(gaps: Any, ages: Any, oldest: int) -> Any:
    """The same gaps with their logarithm as a whole number."""
    import ibis

    gaps = gaps.mutate(age=ibis.least(gaps.gap, oldest))
    return gaps.left_join(ages.select("age", "log_parts"), "age").drop("age", "age_right")


def rhythm(one: Any, cutoffs: Any, ages: Any, clock: str, oldest: int) -> Any:
    """One row per customer and cutoff: number, sum, squares, logs, longest and median of the gaps."""
    import ibis

    steady = one.filter(~one.late & one.gap.notnull())
    steady = steady.join(cutoffs, steady.day < cutoffs.cutoff_day).select("code", "cutoff_day", "gap", "log_parts")
    known = ibis.union(steady, late_gaps(one, cutoffs, ages, oldest), distinct=False)
    known = known.filter(known.gap.notnull())
    gap = known.gap.cast("int64")
    return known.group_by("code", "cutoff_day").agg(
        **{
            f"{clock}_gaps": known.count(),
            f"{clock}_gap_sum": gap.sum().cast("int64"),
            f"{clock}_gap_squares": (gap * gap).sum().cast("int64"),
            f"{clock}_gap_logs": known.log_parts.sum().cast("int64"),
            f"{clock}_gap_log_squares": (known.log_parts * known.log_parts).sum().cast("int64"),
            f"{clock}_gap_longest": known.gap.max(),
            f"{clock}_gap_median": known.gap.median(),
        }
    )
