"""The own clock: is this customer late by their own rhythm, whatever the others' is?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from features.cutoffs import LOG_PARTS
from features.phrases import an, beside, beyond_longest, overdue, silent_beside_longest, silent_for, since
from features.signal import Columns, Signal, days_between, ratio
from features.things import Thing


def own_clock(
    *, prefix: str, clock: str, measure: str, family: str, thing: Thing, needs: tuple[str, ...] = ()
) -> tuple[Signal, ...]:
    """Which signals hold a customer against their own rhythm of days with a `thing`?

    `clock` names the facts about gaps and `measure` those about the first and last moment.
    """
    plural = "activity" if prefix == "activity" else f"{prefix}s"
    signal = partial(
        Signal,
        family=family,
        needs=needs,
        group=f"{prefix}_recency",
        no_data=f"null: fewer than two days with {an(thing.one)}",
    )
    facts = _Clock(clock, measure)
    return (*_gaps(signal, facts, thing, plural), *_silence(signal, facts, thing, prefix, plural))


@dataclass(frozen=True)
class _Clock:
    """The facts of one clock, and what follows from them."""

    clock: str
    measure: str

    def gap(self, t: Columns, name: str) -> Any:
        return getattr(t, f"{self.clock}_{name}")

    def silence(self, t: Columns) -> Any:
        return days_between(t.cutoff_us, getattr(t, f"{self.measure}_last"))

    def tenure(self, t: Columns) -> Any:
        return days_between(t.cutoff_us, getattr(t, f"{self.measure}_first")).nullif(0.0)

    def mean(self, t: Columns) -> Any:
        return ratio(self.gap(t, "gap_sum"), self.gap(t, "gaps"))

    def deviation(self, t: Columns, total: str = "gap_sum", squares: str = "gap_squares", parts: float = 1.0) -> Any:
        # n·Σx² - (Σx)² in whole numbers of 38 digits: nothing cancels before the one division.
        n = self.gap(t, "gaps").cast("decimal(38, 0)")
        spread = n * self.gap(t, squares) - self.gap(t, total).cast("decimal(38, 0)") * self.gap(t, total)
        return ratio(spread, n * n).sqrt() / parts

    def to_median(self, t: Columns) -> Any:
        return self.silence(t) / self.gap(t, "gap_median").cast("float64")


def _gaps(signal: Callable[..., Signal], facts: _Clock, thing: Thing, plural: str) -> list[Signal]:
    one, many, recency = thing.one, thing.many, f"days_since_last_{thing.one}"
    return [
        signal(
            name=f"median_days_between_{plural}",
            question=f"How many days usually lie between two days with {an(one)}?",
            unit="days",
            value=lambda t: facts.gap(t, "gap_median"),
            say=beside(since(thing, f"median_days_between_{plural}"), recency),
        ),
        signal(
            name=f"mean_days_between_{plural}",
            question=f"How many days on average lie between two days with {an(one)}?",
            unit="days",
            value=facts.mean,
        ),
        signal(
            name=f"sd_days_between_{plural}",
            question=f"By how many days do the gaps between {many} vary?",
            unit="days",
            value=facts.deviation,
        ),
        signal(
            name=f"cv_days_between_{plural}",
            question=f"How irregular are the gaps between {many}, for their mean?",
            unit="ratio",
            value=lambda t: facts.deviation(t) / facts.mean(t),
        ),
        signal(
            name=f"sd_log_days_between_{plural}",
            question=f"By what factor do the gaps between {many} vary?",
            unit="log days",
            value=lambda t: facts.deviation(t, "gap_logs", "gap_log_squares", float(LOG_PARTS)),
        ),
        signal(
            name=f"longest_days_between_{plural}",
            question=f"What was the longest gap between {many}?",
            unit="days",
            value=lambda t: facts.gap(t, "gap_longest"),
            say=beside(silent_beside_longest(thing, f"longest_days_between_{plural}"), recency),
        ),
    ]


def _silence(signal: Callable[..., Signal], facts: _Clock, thing: Thing, prefix: str, plural: str) -> list[Signal]:
    median = f"median_days_between_{plural}"
    return [
        signal(
            name=f"silence_to_median_gap_{prefix}",
            question="How many usual gaps long is the present silence?",
            unit="ratio",
            value=facts.to_median,
            say=silent_for(thing, median),
        ),
        signal(
            name=f"silence_to_longest_gap_{prefix}",
            question="How long is the present silence against the longest gap so far?",
            unit="ratio",
            value=lambda t: facts.silence(t) / facts.gap(t, "gap_longest").cast("float64"),
            say=beyond_longest(thing, f"longest_days_between_{plural}"),
        ),
        signal(
            name=f"silence_beyond_mean_gap_{prefix}",
            question="By how many standard deviations (and a day) is the silence longer than the mean gap?",
            unit="ratio",
            value=lambda t: (facts.silence(t) - facts.mean(t)) / (facts.deviation(t) + 1.0),
        ),
        signal(
            name=f"overdue_{prefix}",
            question="Is the present silence longer than twice the usual gap?",
            unit="yes 1, no 0",
            value=lambda t: (facts.to_median(t) > 2.0).cast("int64"),
            say=overdue(thing, f"silence_to_median_gap_{prefix}", median),
        ),
        signal(
            name=f"overdue_percentile_{prefix}",
            question=f"What share of their own gaps between days with {an(thing.one)} was shorter than the silence?",
            unit="share",
            value=lambda t: ratio(facts.gap(t, "gap_shorter"), facts.gap(t, "gaps")),
        ),
        signal(
            name=f"silence_to_tenure_{prefix}",
            question=f"What share of the time since the first {thing.one} is silence?",
            unit="share",
            no_data=f"null: no {thing.one} yet",
            value=lambda t: facts.silence(t) / facts.tenure(t),
        ),
    ]
