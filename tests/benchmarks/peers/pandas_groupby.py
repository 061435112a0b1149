"""The 80 signals in vectorised pandas: events → segments of age and days of each clock → sums → one frame per cutoff.

Segments as in `duckdb_sql`: runs of days between the moments at which windows begin or end, summed once for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

DAY_US = 86_400_000_000
EDGES = (7, 14, 21, 28, 30, 60, 90, 180, 365)
CHANNELS = ("web", "app", "phone", "email")
WINDOWS: dict[str, tuple[int, ...]] = {
    "act_days": EDGES,
    "act": (30, 90),
    **dict.fromkeys((*CHANNELS, "ses_app", "pag"), (90,)),
    "ses": (7, 30, 60, 90),
    "ord": (30, 60, 90, 180, 365),
    "spent": (30, 90, 365),
    "pay": (180,),
    "fal": (30, 90, 180),
    "tic": (30, 60, 90, 365),
    "son": (30,),
}
EVER = ("act_days", "act_age", "act_d30", "act_d90", "act_d180", "ord", "ord_days", "ord_age", "ord_d30", "ord_d90",
        "spent", "act_gap", "act_gap2", "act_gaps", "ord_gap", "ord_gaps")  # fmt: skip
STREAMS = {"ses": "session_started", "ord": "order_completed", "fal": "payment_failed",
           "tic": "support_ticket_opened", "son": "song_played"}  # fmt: skip
PASSIVE = ("message_opened", "payment_failed")
SEGMENTS = 1 << 8


def signals(files: Sequence[str], cutoffs_us: Sequence[int]) -> pa.Table:
    """The table of 80 signals, customer_id and cutoff."""
    cutoffs = [us // DAY_US for us in cutoffs_us]
    edges = sorted({cutoff - edge for cutoff in cutoffs for edge in (0, *EDGES)})
    people, log = events(files)
    log["cell"] = log.code * SEGMENTS + segment_of(edges, log.day)
    active = log[~log.name.isin(PASSIVE)]
    parts = [sums(log, active)]
    clocks = {}
    for clock, rows, halves in (
        ("act", active, (30, 90, 180)),
        ("ord", active[active.name == "order_completed"], (30, 90)),
    ):
        clocks[clock] = gaps(rows)
        parts.append(days(clocks[clock], clock, halves, edges))
    base = pd.concat(parts, axis=1).reset_index(names="cell")
    base["code"], base["segment"] = base.cell // SEGMENTS, base.cell % SEGMENTS
    made = []
    for cutoff in cutoffs:
        facts = at_cutoff(base, cutoff, edges)
        for clock, rows in clocks.items():
            seen = rows[(rows.day < cutoff) & rows.gap.notna()]
            facts[f"{clock}_median"] = seen.groupby("code").gap.median()
        facts = facts.join(people)
        made.append(final(facts, cutoff, 2.0 ** ((edges[-1] - cutoff) / np.array([30, 90, 180]))))
    return pa.Table.from_pandas(pd.concat(made, ignore_index=True), preserve_index=False)


def events(files: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Everyone with a number, and the events in narrow columns."""
    wanted = ["customer_id", "occurred_at", "name", "channel", "amount"]
    words = ["customer_id", "name", "channel"]
    table = pq.read_table(list(files), columns=wanted, read_dictionary=words, partitioning=None).unify_dictionaries()
    log = pd.DataFrame({
        "us": table.column("occurred_at").to_numpy().view(np.int64),
        "name": table.column("name").to_pandas(),
        "channel": table.column("channel").to_pandas(),
        "amount": table.column("amount").cast(pa.float64()).to_numpy(),
    })  # fmt: skip
    who = table.column("customer_id").to_pandas()
    log["code"] = who.cat.codes.astype(np.int64)
    log["day"] = log.us // DAY_US
    people = pd.DataFrame({"customer_id": who.cat.categories, "known_us": log.groupby("code").us.min()})
    return people, log


def segment_of(edges: Sequence[int], day: pd.Series[Any]) -> np.ndarray[Any, Any]:
    first = int(day.min())
    table = np.searchsorted(edges, np.arange(first, int(day.max()) + 1), side="right")
    made: np.ndarray[Any, Any] = table[day.to_numpy() - first]
    return made


def sums(log: pd.DataFrame, active: pd.DataFrame) -> pd.DataFrame:
    """What the events of each segment add up to: counts of few kinds, by one grouping each."""
    by_cell = active.groupby("cell")
    found = {"act": by_cell.size(), "act_last": by_cell.us.max(), "act_first": by_cell.us.min()}
    for channel in CHANNELS:
        found[channel] = active[active.channel == channel].groupby("cell").size()
    for key, name in STREAMS.items():
        stream = log[log.name == name].groupby("cell")
        found[key], found[f"{key}_last"] = stream.size(), stream.us.max()
    found["pag"] = active[active.name == "page_viewed"].groupby("cell").size()
    found["pay"] = active[active.name == "payment_completed"].groupby("cell").size()
    found["ses_app"] = active[(active.name == "session_started") & (active.channel == "app")].groupby("cell").size()
    orders = active[active.name == "order_completed"].groupby("cell")
    found["spent"], found["ord_first"] = orders.amount.sum(), orders.us.min()
    # A customer of whom only a passive event is known has a row too.
    return pd.DataFrame(found, index=pd.Index(np.unique(log.cell)))


def gaps(rows: pd.DataFrame) -> pd.DataFrame:
    """The days of a clock, each with the days since the one before."""
    key = np.unique((rows.code * (1 << 16) + rows.day).to_numpy())
    one = pd.DataFrame({"code": key >> 16, "day": key & 0xFFFF})
    one["gap"] = one.day.diff().where(one.code.diff() == 0)
    return one


def days(one: pd.DataFrame, clock: str, halves: Sequence[int], edges: Sequence[int]) -> pd.DataFrame:
    """What the days of each segment add up to."""
    columns = {f"{clock}_days": 1, f"{clock}_age": one.day, f"{clock}_gap": one.gap, f"{clock}_gap2": one.gap**2}
    columns |= {f"{clock}_gaps": one.gap.notna().astype(np.int64)}
    columns |= {f"{clock}_d{h}": np.exp2((one.day - edges[-1]) / h) for h in halves}
    by_cell = pd.DataFrame(columns).groupby(one.code * SEGMENTS + segment_of(edges, one.day))
    made = by_cell.sum()
    made[f"{clock}_longest"] = one.gap.groupby(one.code * SEGMENTS + segment_of(edges, one.day)).max()
    return made


def at_cutoff(base: pd.DataFrame, cutoff: int, edges: Sequence[int]) -> pd.DataFrame:
    """Segments, seen from one cutoff, side by side."""
    seen = base[base.segment <= edges.index(cutoff)]
    made = seen.groupby("code")[list(EVER)].sum().add_suffix("_ever")
    for edge in EDGES:
        names = [name for name, windows in WINDOWS.items() if edge in windows]
        inside = seen[seen.segment > edges.index(cutoff - edge)].groupby("code")[names].sum()
        made = made.join(inside.add_suffix(f"_{edge}"))
    made = made.fillna(0.0)
    last = [name for name in seen.columns if name.endswith("_last")]
    made = made.join(seen.groupby("code")[[*last, "act_longest"]].max())
    return made.join(seen.groupby("code")[["act_first", "ord_first"]].min())


def ratio(above: Any, below: Any) -> Any:
    return above / below.where(below != 0)


def final(f: pd.DataFrame, cutoff: int, scales: np.ndarray[Any, Any]) -> pd.DataFrame:
    """The signals at one cutoff."""
    cutoff_us = cutoff * DAY_US

    def since(moment: str) -> Any:
        return (cutoff_us - f[moment]) / DAY_US

    silence, late, known = since("act_last"), since("ord_last"), since("known_us")
    n = f.act_gaps_ever
    mean = ratio(f.act_gap_ever, n)
    spread = np.sqrt(ratio(n * f.act_gap2_ever - f.act_gap_ever**2, n * n))
    d30, d90, d180 = (f[f"act_d{h}_ever"] * scale for h, scale in zip((30, 90, 180), scales, strict=True))
    found = {
        "customer_id": f.customer_id,
        "cutoff": cutoff_us,
        "days_since_last_activity": silence,
        "days_known": known,
        "mean_age_of_active_days": ratio(cutoff * f.act_days_ever - f.act_age_ever, f.act_days_ever),
        **{f"active_days_{edge}d": f[f"act_days_{edge}"] for edge in (7, 14, 30, 60, 90, 180, 365)},
        "active_days_ever": f.act_days_ever,
        **{f"active_days_decayed_{h}d": decay for h, decay in ((30, d30), (90, d90), (180, d180))},
        "active_days_per_30d_of_tenure": 30 * f.act_days_90 / known.clip(1, 90),
        "activities_30d": f.act_30,
        "activities_90d": f.act_90,
        "activities_per_active_day_90d": ratio(f.act_90, f.act_days_90),
        **{f"active_days_change_{e}d": 2 * f[f"act_days_{e}"] - f[f"act_days_{2 * e}"] for e in (7, 14, 30, 90)},
        "activity_30_to_90": ratio(d30, d90),
        "activity_30_to_180": ratio(d30, d180),
        "weekly_slope_of_active_days": (
            3 * f.act_days_7
            + (f.act_days_14 - f.act_days_7)
            - (f.act_days_21 - f.act_days_14)
            - 3 * (f.act_days_28 - f.act_days_21)
        )
        / 10,
        "median_days_between_activity": f.act_median,
        "mean_days_between_activity": mean,
        "sd_days_between_activity": spread,
        "cv_days_between_activity": spread / mean,
        "longest_days_between_activity": f.act_longest,
        "silence_to_median_gap_activity": silence / f.act_median,
        "silence_to_longest_gap_activity": silence / f.act_longest,
        "silence_beyond_mean_gap_activity": (silence - mean) / (spread + 1),
        "overdue_activity": (silence / f.act_median > 2).astype(float).where(f.act_median.notna()),
        "silence_to_tenure_activity": ratio(silence, since("act_first")),
        **{f"channel_{name}_share_90d": ratio(f[f"{name}_90"], f.act_90) for name in CHANNELS},
        **{f"sessions_{edge}d": f[f"ses_{edge}"] for edge in (7, 30, 90)},
        "sessions_change_30d": 2 * f.ses_30 - f.ses_60,
        "days_since_last_session": since("ses_last"),
        "app_share_90d": ratio(f.ses_app_90, f.ses_90),
        "pages_per_session_90d": ratio(f.pag_90, f.ses_90),
        "days_since_last_order": late,
        "days_since_first_order": since("ord_first"),
        "mean_age_of_order_days": ratio(cutoff * f.ord_days_ever - f.ord_age_ever, f.ord_days_ever),
        "last_order_to_first_order": ratio(f.ord_last - f.ord_first, cutoff_us - f.ord_first),
        **{f"orders_{edge}d": f[f"ord_{edge}"] for edge in (30, 90, 180, 365)},
        "orders_ever": f.ord_ever,
        "order_days_ever": f.ord_days_ever,
        "order_days_decayed_30d": f.ord_d30_ever * scales[0],
        "order_days_decayed_90d": f.ord_d90_ever * scales[1],
        **{f"spent_{edge}d": f[f"spent_{edge}"] for edge in (30, 90, 365)},
        "spent_ever": f.spent_ever,
        "mean_order_value": ratio(f.spent_ever, f.ord_ever),
        "order_value_90d_to_ever": ratio(ratio(f.spent_90, f.ord_90), ratio(f.spent_ever, f.ord_ever)),
        "orders_change_30d": 2 * f.ord_30 - f.ord_60,
        "orders_change_90d": 2 * f.ord_90 - f.ord_180,
        "median_days_between_orders": f.ord_median,
        "mean_days_between_orders": ratio(f.ord_gap_ever, f.ord_gaps_ever),
        "silence_to_median_gap_order": late / f.ord_median,
        "payment_failures_30d": f.fal_30,
        "payment_failures_90d": f.fal_90,
        "days_since_payment_failure": since("fal_last"),
        "payment_failure_share_180d": ratio(f.fal_180, f.fal_180 + f.pay_180),
        **{f"tickets_{edge}d": f[f"tic_{edge}"] for edge in (30, 90, 365)},
        "tickets_change_30d": 2 * f.tic_30 - f.tic_60,
        "days_since_last_ticket": since("tic_last"),
        "event_song_played_30d": f.son_30,
        "event_song_played_days_since_last": since("son_last"),
    }
    return pd.DataFrame(found)
