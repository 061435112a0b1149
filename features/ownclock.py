"""The own clock: is this customer late by their own rhythm, whatever the others' is?"""

from __future__ import annotations

from typing import Any

from features.cutoffs import LOG_PARTS
from features.phrases import Thing, plain, since
from features.signal import Columns, Row, Saying, Signal, days_between, ratio


def own_clock(*, prefix: str, clock: str, measure: str, family: str, thing: Thing, needs: tuple[str, ...]) -> tuple[Signal, ...]:
    """Which signals hold a customer against their own rhythm of active days (`clock` and `measure` name the facts read)?"""

    def fact(t: Columns, name: str) -> Any:
        return getattr(t, f"{clock}_{name}")

    def silence(t: Columns) -> Any:
        return days_between(t.cutoff_us, getattr(t, f"{measure}_last"))

    def mean_gap(t: Columns) -> Any:
        return ratio(fact(t, "gap_sum"), fact(t, "gaps"))

    def variance(total: Any, squares: Any, count: Any, parts: float = 1.0) -> Any:
        n = count.cast("float64").nullif(0.0)
        mean = total.cast("float64") / parts / n
        return (squares.cast("float64") / parts / parts / n - mean * mean).clip(0.0, None)

    def asked(name: str, question: str, unit: str, value: Any, say: Saying | None = None) -> Signal:
        return Signal(
            name=name.format(p=prefix), question=question.format(t=thing.one, many=thing.many), unit=unit, family=family,
            no_data=f"null: fewer than two days with a {thing.one}", needs=needs, group=f"{prefix}_rhythm", value=value, say=say,
        )

    return (
        asked("median_days_between_{p}s", "How many days usually lie between two days with a {t}?", "days",
              lambda t: fact(t, "gap_median"), plain(f"Usually a {thing.one} every {{n}} days", f"आम तौर पर हर {{n}} दिन में {thing.hi_one}")),
        asked("mean_days_between_{p}s", "How many days lie between two days with a {t}, on average?", "days", mean_gap,
              plain(f"On average a {thing.one} every {{n}} days", f"औसतन हर {{n}} दिन में {thing.hi_one}")),
        asked("sd_days_between_{p}s", "How much do the gaps between {many} vary?", "days",
              lambda t: variance(fact(t, "gap_sum"), fact(t, "gap_squares"), fact(t, "gaps")).sqrt()),
        asked("cv_days_between_{p}s", "How irregular are the gaps between {many}, against their mean?", "ratio",
              lambda t: variance(fact(t, "gap_sum"), fact(t, "gap_squares"), fact(t, "gaps")).sqrt() / mean_gap(t)),
        asked("sd_log_days_between_{p}s", "By what factor do the gaps between {many} vary (standard deviation of logs)?", "log days",
              lambda t: variance(fact(t, "gap_logs"), fact(t, "gap_log_squares"), fact(t, "gaps"), float(LOG_PARTS)).sqrt()),
        asked("longest_days_between_{p}s", "What was their longest gap between {many}?", "days", lambda t: fact(t, "gap_longest"),
              plain(f"Longest gap between {thing.many}: {{n}} days", f"दो {thing.hi_many} के बीच सबसे लंबा अंतर: {{n}} दिन")),
        asked("silence_to_median_gap_{p}", "How many usual gaps long is the present silence?", "ratio",
              lambda t: silence(t) / fact(t, "gap_median").cast("float64"), _silence(thing, prefix)),
        asked("silence_to_longest_gap_{p}", "How long is the present silence against the longest gap so far?", "ratio",
              lambda t: silence(t) / fact(t, "gap_longest").cast("float64"), _beyond_longest(thing, prefix)),
        asked("silence_beyond_mean_gap_{p}", "By how many standard deviations is the present silence longer than the mean gap?", "ratio",
              lambda t: (silence(t) - mean_gap(t))
              / (variance(fact(t, "gap_sum"), fact(t, "gap_squares"), fact(t, "gaps")).sqrt() + 1.0)),
        asked("overdue_{p}", "Is the present silence longer than twice the usual gap?", "yes (1) or no (0)",
              lambda t: (silence(t) > 2.0 * fact(t, "gap_median").cast("float64")).cast("int64"), _overdue(thing, prefix)),
        asked("silence_to_tenure_{p}", "What share of the time since the first {t} is the present silence?", "share",
              lambda t: silence(t) / days_between(t.cutoff_us, getattr(t, f"{measure}_first")).nullif(0.0)),
    )


def _silence(thing: Thing, prefix: str) -> Saying:
    def say(value: float, row: Row) -> tuple[str, str] | None:
        median = row.get(f"median_days_between_{prefix}s")
        if median is None:
            return None
        return since(thing, f"median_days_between_{prefix}s")(value * median, row)

    return say


def _beyond_longest(thing: Thing, prefix: str) -> Saying:
    def say(value: float, row: Row) -> tuple[str, str] | None:
        longest = row.get(f"longest_days_between_{prefix}s")
        if longest is None:
            return None
        days = int(value * longest + 1e-9)
        return (
            f"No {thing.one} for {days} days; longest gap {round(longest)}",
            f"{days} दिन से कोई {thing.hi_one} नहीं; सबसे लंबा अंतर {round(longest)} दिन",
        )

    return say


def _overdue(thing: Thing, prefix: str) -> Saying:
    def say(value: float, row: Row) -> tuple[str, str] | None:
        silence = row.get(f"silence_to_median_gap_{prefix}")
        return None if silence is None else _silence(thing, prefix)(silence, row)

    return say
