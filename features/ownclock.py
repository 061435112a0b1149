"""The own clock: is this customer late by their own rhythm, whatever the others' is?"""

from __future__ import annotations

from functools import partial
from typing import Any

from features.cutoffs import LOG_PARTS
from features.phrases import Thing, an, beyond_longest, overdue, plain, silent_for
from features.signal import Columns, Signal, days_between, ratio


def own_clock(
    *, prefix: str, clock: str, measure: str, family: str, thing: Thing, needs: tuple[str, ...] = ()
) -> tuple[Signal, ...]:
    """Which signals hold a customer against their own rhythm of days with a `thing`?

    `clock` names the facts about gaps and `measure` those about the first and last moment.
    """
    plural = "activity" if prefix == "activity" else f"{prefix}s"
    one, many, median = thing.one, thing.many, f"median_days_between_{plural}"
    signal = partial(
        Signal, family=family, needs=needs, group=f"{prefix}_rhythm", no_data=f"null: fewer than two days with a {one}"
    )

    def gap(t: Columns, name: str) -> Any:
        return getattr(t, f"{clock}_{name}")

    def silence(t: Columns) -> Any:
        return days_between(t.cutoff_us, getattr(t, f"{measure}_last"))

    def mean(t: Columns) -> Any:
        return ratio(gap(t, "gap_sum"), gap(t, "gaps"))

    def deviation(t: Columns, total: str = "gap_sum", squares: str = "gap_squares", parts: float = 1.0) -> Any:
        # n·Σx² − (Σx)² in whole numbers of unlimited size: nothing cancels before the one division.
        n = gap(t, "gaps").cast("decimal(38, 0)")
        spread = n * gap(t, squares) - gap(t, total).cast("decimal(38, 0)") * gap(t, total)
        return ratio(spread, n * n).sqrt() / parts

    return (
        signal(
            name=median, question=f"How many days usually lie between two days with a {one}?", unit="days",
            value=lambda t: gap(t, "gap_median"),
            say=plain(f"Usually {an(one)} every {{n}} days", f"आम तौर पर हर {{n}} दिन में {thing.hi_one}"),
        ),
        signal(
            name=f"mean_days_between_{plural}", question=f"How many days on average between two days with a {one}?",
            unit="days", value=mean, say=plain(f"On average {an(one)} every {{n}} days", f"औसतन हर {{n}} दिन में {thing.hi_one}"),
        ),
        signal(
            name=f"sd_days_between_{plural}", question=f"By how many days do the gaps between {many} vary?",
            unit="days", value=deviation,
        ),
        signal(
            name=f"cv_days_between_{plural}", question=f"How irregular are the gaps between {many}, for their mean?",
            unit="ratio", value=lambda t: deviation(t) / mean(t),
        ),
        signal(
            name=f"sd_log_days_between_{plural}", question=f"By what factor do the gaps between {many} vary?",
            unit="log days", value=lambda t: deviation(t, "gap_logs", "gap_log_squares", float(LOG_PARTS)),
        ),
        signal(
            name=f"longest_days_between_{plural}", question=f"What was the longest gap between {many}?", unit="days",
            value=lambda t: gap(t, "gap_longest"),
            say=plain(f"Longest gap between {many}: {{n}} days", f"{thing.hi_one} में सबसे लंबा अंतर {{n}} दिन"),
        ),
        signal(
            name=f"silence_to_median_gap_{prefix}", question="How many usual gaps long is the present silence?",
            unit="ratio", value=lambda t: silence(t) / gap(t, "gap_median").cast("float64"), say=silent_for(thing, median),
        ),
        signal(
            name=f"silence_to_longest_gap_{prefix}", question="How long is the silence against the longest gap so far?",
            unit="ratio", value=lambda t: silence(t) / gap(t, "gap_longest").cast("float64"),
            say=beyond_longest(thing, f"longest_days_between_{plural}"),
        ),
        signal(
            name=f"silence_beyond_mean_gap_{prefix}",
            question="By how many standard deviations (and a day) is the silence longer than the mean gap?",
            unit="ratio", value=lambda t: (silence(t) - mean(t)) / (deviation(t) + 1.0),
        ),
        signal(
            name=f"overdue_{prefix}", question="Is the present silence longer than twice the usual gap?",
            unit="yes 1, no 0", value=lambda t: (silence(t) > 2.0 * gap(t, "gap_median").cast("float64")).cast("int64"),
            say=overdue(thing, f"silence_to_median_gap_{prefix}", median),
        ),
        signal(
            name=f"silence_to_tenure_{prefix}", question=f"What share of the time since the first {one} is silence?",
            unit="share", no_data=f"null: no {one} yet",
            value=lambda t: silence(t) / days_between(t.cutoff_us, getattr(t, f"{measure}_first")).nullif(0.0),
        ),
    )
