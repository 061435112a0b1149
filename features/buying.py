"""Buying: what does the Pareto/NBD model of all customers' order days make of how this one buys?"""

from __future__ import annotations

from functools import partial

import numpy as np

from features.btyd import ParetoNBD
from features.cutoffs import DAY_US
from features.derived import Arrays, Derived
from features.signal import Measure, Signal, column

ORDERED = ("order_completed",)

MEASURES: tuple[Measure, ...] = ()

FACTS = ("buyer_alive", "buyer_expected", "buyer_none")
HISTORY = ("cutoff_us", "order_days_all", "orders_first", "orders_last")

_signal = partial(
    Signal,
    family="btyd",
    needs=ORDERED,
    group="order_level",
    no_data="null: no order yet, or too few orders of all customers to fit the model",
)


def signals() -> tuple[Signal, ...]:
    """Which signals come from the model? A guess is no reason: none of them speaks."""
    about = "by the Pareto/NBD model of all customers' order days"
    return (
        _signal(
            name="btyd_p_alive",
            question=f"How likely is it that they are still a buyer, {about}?",
            unit="probability",
            value=column("buyer_alive"),
        ),
        _signal(
            name="btyd_expected_orders",
            question=f"On how many days of the horizon do we expect an order, {about}?",
            unit="days",
            value=column("buyer_expected"),
        ),
        _signal(
            name="btyd_no_order_probability",
            question=f"How likely is it that they order nothing in the horizon, {about}?",
            unit="probability",
            value=column("buyer_none"),
        ),
    )


def derived(model: ParetoNBD | None, horizon_days: int) -> Derived:
    """How are these facts made? Days are steps of 24 hours back from the cutoff, the model's unit of time is a day."""

    def make(facts: Arrays) -> Arrays:
        if model is None:
            return {name: np.full(len(facts["cutoff_us"]), np.nan) for name in FACTS}
        first = facts["orders_first"]
        x, t_x = facts["order_days_all"] - 1.0, (facts["orders_last"] - first) / DAY_US
        history = x, np.where(x > 0, t_x, 0.0), (facts["cutoff_us"] - first) / DAY_US
        found = model.p_alive(*history), model.expected(horizon_days, *history), model.p_none(horizon_days, *history)
        return dict(zip(FACTS, found, strict=True))

    return Derived(name="buying", reads=HISTORY, makes=FACTS, make=make)
