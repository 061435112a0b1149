"""The 80 signals from featuretools: aggregations over an entity set at cutoff times, one training window at a time.

It runs in a virtual environment of its own (it needs an older pandas) and on a sample of the customers: those whose id
ends in `SAMPLE`. What it has no primitive for, gaps and decays, is one primitive of ours. Its definitions are put
together by the last step of the pandas peer.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import featuretools as ft
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from featuretools.primitives import AggregationPrimitive, Max, Min, NumUnique, Sum
from pandas_groupby import CHANNELS, EDGES, PASSIVE, STREAMS, WINDOWS, final
from woodwork.column_schema import ColumnSchema
from woodwork.logical_types import Categorical, Datetime, Double

SAMPLE = "0"
DAY_US = 86_400_000_000
FACTS = ("days", "age", "gaps", "gap", "gap2", "longest", "median", "d30", "d90", "d180")


class Rhythm(AggregationPrimitive):  # type: ignore[misc]
    """Number, sum, gaps and decayed sums of the different days among these values."""

    name = "rhythm"
    input_types = (ColumnSchema(semantic_tags={"numeric"}),)
    return_type = ColumnSchema(logical_type=Double, semantic_tags={"numeric"})
    uses_calc_time = True
    number_output_features = len(FACTS)

    def get_function(self) -> Any:
        def rhythm(values: pd.Series[Any], time: pd.Timestamp) -> list[float]:
            days = np.unique(values.dropna())
            gaps, ages = np.diff(days), time.value // 1000 // DAY_US - days
            middle, longest = (float(np.median(gaps)), float(gaps.max())) if len(gaps) else (np.nan, np.nan)
            decayed = [float(np.exp2(-ages / half_life).sum()) for half_life in (30, 90, 180)]
            squares = float((gaps * gaps).sum())
            return [len(days), float(days.sum()), len(gaps), float(gaps.sum()), squares, longest, middle, *decayed]

        return rhythm


def signals(files: Sequence[str], cutoffs_us: Sequence[int]) -> pa.Table:
    """The table of 80 signals, customer_id and cutoff, for the sample."""
    warnings.filterwarnings("ignore")
    customers, entities = entity_set(files)
    cutoffs = pd.to_datetime(cutoffs_us, unit="us")
    times = pd.DataFrame([(who, at) for at in cutoffs for who in customers], columns=["customer_id", "time"])
    found = []
    for edge in (None, *EDGES):
        window = None if edge is None else f"{edge} days"
        found.append(
            ft.calculate_feature_matrix(
                ever(entities) if edge is None else within(entities, edge),
                entities,
                times,
                training_window=window,
                include_cutoff_time=False,
                cutoff_time_in_index=True,
            ).drop(columns="known_us" if edge else [], errors="ignore")
        )
    facts = pd.concat(found, axis=1)
    made = []
    for at in cutoffs:
        one = facts.xs(at, level="time").reset_index()
        one = one[one.known_us.notna()]
        one = one.assign(**{name: one[name].fillna(0) for name in one if name.endswith(("_ever", *map(str, EDGES)))})
        made.append(
            final(
                one.astype({n: "string" if n == "customer_id" else float for n in one}),
                at.value // 1000 // DAY_US,
                ONES,
            )
        )
    return pa.Table.from_pandas(pd.concat(made, ignore_index=True), preserve_index=False)


ONES = np.ones(3)


def entity_set(files: Sequence[str]) -> tuple[list[str], Any]:
    """The events of the sample, with a column of days for each clock and a flag for each count."""
    table = pq.read_table(list(files), columns=["customer_id", "occurred_at", "name", "channel", "amount"])
    table = table.filter(pc.ends_with(table["customer_id"], SAMPLE))
    log = pd.DataFrame({name: table[name].to_pandas() for name in ("customer_id", "name", "channel")})
    us = table["occurred_at"].cast(pa.int64()).to_numpy()
    active = ~log.name.isin(PASSIVE)
    log["at"] = pd.to_datetime(us, unit="us")
    flags = {"act": active, **{channel: active & (log.channel == channel) for channel in CHANNELS}}
    flags |= {key: log.name == name for key, name in STREAMS.items()}
    flags |= {"pag": log.name == "page_viewed", "pay": log.name == "payment_completed"}
    flags["ses_app"] = flags["ses"] & (log.channel == "app")
    log["us"] = us.astype(float)
    for key, flag in flags.items():
        log[key] = flag.astype(float)
        log[f"{key}_us"] = np.where(flag, us, np.nan)
    log["spent"] = np.where(flags["ord"], table["amount"].cast(pa.float64()).to_numpy(), 0.0)
    for clock in ("act", "ord"):
        log[f"{clock}_day"] = np.where(flags[clock], us // DAY_US, np.nan)
    log["act_date"] = pd.Series(us // DAY_US).where(active).astype("string")
    log["number"] = np.arange(len(log))
    entities = ft.EntitySet("log")
    entities.add_dataframe(
        dataframe_name="events",
        dataframe=log.drop(columns=["name", "channel"]),
        index="number",
        time_index="at",
        logical_types={"customer_id": Categorical, "act_date": Categorical, "at": Datetime},
    )
    entities.normalize_dataframe(
        base_dataframe_name="events", new_dataframe_name="customers", index="customer_id", make_time_index=False
    )
    return sorted(log.customer_id.unique()), entities


def of(entities: Any, column: str, primitive: Any, name: str | Sequence[str]) -> Any:
    """One aggregation of a column of events over their customer."""
    feature = ft.Feature(entities["events"].ww[column], parent_dataframe_name="customers", primitive=primitive)
    return feature.rename(name) if isinstance(name, str) else feature


def ever(entities: Any) -> list[Any]:
    """What is asked of all events before the cutoff."""
    made = [of(entities, "us", Min, "known_us")]
    made += [of(entities, f"{key}_us", Max, f"{key}_last") for key in ("act", *STREAMS)]
    made += [of(entities, f"{key}_us", Min, f"{key}_first") for key in ("act", "ord")]
    made += [of(entities, name, Sum, f"{name}_ever") for name in ("ord", "spent")]
    for clock in ("act", "ord"):
        feature = of(entities, f"{clock}_day", Rhythm, FACTS)
        ends = {"longest": "longest", "median": "median"}
        feature.set_feature_names([f"{clock}_{ends.get(fact, fact + '_ever')}" for fact in FACTS])
        made.append(feature)
    return made


def within(entities: Any, edge: int) -> list[Any]:
    """What is asked of one window."""
    made = [of(entities, "act_date", NumUnique, f"act_days_{edge}")]
    for name, windows in WINDOWS.items():
        if edge in windows and name != "act_days":
            made.append(of(entities, name, Sum, f"{name}_{edge}"))
    return made
