"""Past labels: would this customer have counted as left before, one horizon ago, two, three, four?

The label of training with the horizon shifted into the past, as far as it is known at the cutoff: at T-kH somebody was
a customer with an activity in the `active_within_days` before, and had left if none followed within the horizon (or if
the leaving event did). Gap and grace of a definition are left out.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from features.fitted import Fitted
from features.phrases import plain
from features.signal import Columns, Measure, Signal, ratio

HORIZONS = 4


def measures(fitted: Fitted) -> tuple[Measure, ...]:
    """What is counted: signs of life, and the leaving event if that defines it."""
    life = Measure(name="life", events=fitted.activity)
    return (life, Measure(name="leaving", events=(fitted.leaving,))) if fitted.leaving else (life,)


def signals(fitted: Fitted) -> tuple[Signal, ...]:
    """Which signals are labels of the past?"""
    signal = partial(Signal, family="past labels", group="left_before")
    return (
        signal(
            name="left_last_horizon",
            question="Would they, one horizon ago, have been a customer about to leave?",
            unit="yes 1, no 0",
            no_data="null: they were no active customer then",
            value=lambda t: _if(_alive(t, fitted, 1), _left(t, fitted, 1)),
        ),
        signal(
            name="times_left_4_horizons",
            question="At how many of the cutoffs one to four horizons ago were they a customer about to leave?",
            unit="times",
            no_data="0",
            value=lambda t: _times(t, fitted),
            say=lambda value, row: (
                plain("Fell silent or left {n} times before", "पहले {n} बार चुप हुए या छोड़ा")(value, row)
                if value >= 1
                else None
            ),
        ),
        signal(
            name="left_share_4_horizons",
            question="At what share of these cutoffs at which they were an active customer were they about to leave?",
            unit="share",
            no_data="null: they were no active customer at any",
            value=lambda t: ratio(_times(t, fitted), _eligible(t, fitted)),
        ),
    )


def _between(t: Columns, measure: str, since: int, until: int) -> Any:
    """The count of days aged more than `until`, at most `since`."""
    whole = getattr(t, f"{measure}_{since}")
    return whole - getattr(t, f"{measure}_{until}") if until else whole


def _alive(t: Columns, fitted: Fitted, back: int) -> Any:
    start = back * fitted.horizon_days
    return _between(t, "life", start + fitted.active_within_days, start) > 0


def _left(t: Columns, fitted: Fitted, back: int) -> Any:
    start = back * fitted.horizon_days
    if fitted.leaving:
        return _between(t, "leaving", start, start - fitted.horizon_days) > 0
    return _between(t, "life", start, start - fitted.horizon_days) == 0


def _if(condition: Any, value: Any) -> Any:
    import ibis

    return ibis.ifelse(condition, value.cast("int64"), ibis.null("int64"))


def _times(t: Columns, fitted: Fitted) -> Any:
    backs = range(1, HORIZONS + 1)
    return sum((_alive(t, fitted, back) & _left(t, fitted, back)).cast("int64") for back in backs)


def _eligible(t: Columns, fitted: Fitted) -> Any:
    return sum(_alive(t, fitted, back).cast("int64") for back in range(1, HORIZONS + 1))
