"""The 80 signals in Polars, lazily: events → segments of age and days of each clock → sums → pivot by cutoff.

Segments as in `duckdb_sql`: runs of days between the moments at which windows begin or end, summed once for all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa

DAY_US = 86_400_000_000
EDGES = (7, 14, 21, 28, 30, 60, 90, 180, 365)
CHANNELS = ("web", "app", "phone", "email")
NAMES = ("session_started", "page_viewed", "order_completed", "payment_completed", "payment_failed",
         "support_ticket_opened", "song_played", "message_opened")  # fmt: skip
Frame = pl.LazyFrame


def named(name: str) -> pl.Expr:
    return pl.col("name") == NAMES.index(name)


ACTIVE = ~named("message_opened") & ~named("payment_failed")
COUNTED: dict[str, pl.Expr] = {
    "act": ACTIVE,
    **{channel: ACTIVE & (pl.col("channel") == index) for index, channel in enumerate(CHANNELS)},
    "ses": named("session_started"),
    "ses_app": named("session_started") & (pl.col("channel") == CHANNELS.index("app")),
    "pag": named("page_viewed"),
    "ord": named("order_completed"),
    "pay": named("payment_completed"),
    "fal": named("payment_failed"),
    "tic": named("support_ticket_opened"),
    "son": named("song_played"),
}
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
MOMENTS, FIRST = ("act", "ses", "ord", "fal", "tic", "son"), ("act", "ord")


def signals(files: Sequence[str], cutoffs_us: Sequence[int]) -> pa.Table:
    """The table of 80 signals, customer_id and cutoff."""
    day_segments, cutoff_segments = segments_of([us // DAY_US for us in cutoffs_us])
    people, log = events(files)
    parts = [totals(log, day_segments)]
    middles = []
    for clock, halves in (("act", (30, 90, 180)), ("ord", (30, 90))):
        gaps = gaps_of(log, clock).collect().lazy()
        parts.append(days(gaps, clock, halves, day_segments))
        middles.append(middle(gaps, clock, [us // DAY_US for us in cutoffs_us]))
    base = parts[0]
    for part in parts[1:]:
        base = base.join(part, on=["code", "segment"], how="left")
    base = facts(base.collect().lazy(), cutoff_segments)
    for part in middles:
        base = base.join(part, on=["code", "cutoff"], how="left")
    made: pa.Table = final(base.join(people, on="code")).collect().to_arrow()
    return made


def segments_of(cutoffs: Sequence[int]) -> tuple[pl.DataFrame, list[tuple[int, int, dict[int, float], dict[int, int]]]]:
    """Day → segment and weights; and for each cutoff its last segment, its scales and where its windows begin."""
    edges = sorted({cutoff - edge for cutoff in cutoffs for edge in (0, *EDGES)})
    numbers = np.arange(edges[0] - 3650, edges[-1])
    frame = pl.DataFrame({
        "day": numbers.astype(np.int16),
        "segment": np.searchsorted(edges, numbers, side="right").astype(np.int16),
        **{f"w{h}": np.exp2((numbers - edges[-1]) / h) for h in (30, 90, 180)},
    })  # fmt: skip
    seen = []
    for cutoff in cutoffs:
        scales = {h: float(np.exp2((edges[-1] - cutoff) / h)) for h in (30, 90, 180)}
        begins = {edge: edges.index(cutoff - edge) for edge in EDGES}  # segments after this one lie in the window
        seen.append((cutoff, edges.index(cutoff), scales, begins))
    return frame, seen


def events(files: Sequence[str]) -> tuple[Frame, Frame]:
    """Everyone with a number, and the events in narrow whole numbers."""
    us = pl.col("occurred_at").dt.timestamp("us")
    log = (
        pl.scan_parquet(list(files))
        .select(
            "customer_id",
            us.alias("us"),
            (us // DAY_US).cast(pl.Int16).alias("day"),
            pl.col("name").cast(pl.Enum(NAMES)).to_physical().cast(pl.UInt8),
            pl.col("channel").cast(pl.Enum(CHANNELS)).to_physical().cast(pl.UInt8),
            pl.col("amount").cast(pl.Float64),
        )
        .collect()
    )
    people = log.group_by("customer_id").agg(pl.col("us").min().alias("known_us")).with_row_index("code")
    numbered = log.join(people.select("customer_id", "code"), on="customer_id").drop("customer_id")
    return people.lazy(), numbered.lazy()


def totals(log: Frame, day_segments: pl.DataFrame) -> Frame:
    """What the events of each segment add up to."""
    flags = [of.cast(pl.UInt32).alias(name) for name, of in COUNTED.items()]
    spent = pl.when(named("order_completed")).then("amount").otherwise(0.0).alias("spent")
    moments = [pl.when(COUNTED[name]).then("us").alias(f"{name}_us") for name in MOMENTS]
    marked = log.join(day_segments.lazy().select("day", "segment"), on="day")
    return (
        marked.select("code", "segment", *flags, spent, *moments)
        .group_by("code", "segment")
        .agg(
            *(pl.col(name).sum() for name in (*COUNTED, "spent")),
            *(pl.col(f"{name}_us").max().alias(f"{name}_last") for name in MOMENTS),
            *(pl.col(f"{name}_us").min().alias(f"{name}_first") for name in FIRST),
        )
    )


def gaps_of(log: Frame, clock: str) -> Frame:
    """The days of a clock, each with the days since the one before."""
    one = log.filter(COUNTED[clock]).select("code", "day").unique().sort("code", "day")
    before = pl.when(pl.col("code") == pl.col("code").shift(1)).then(pl.col("day").shift(1))
    return one.with_columns((pl.col("day") - before).cast(pl.Int32).alias("gap"))


def days(gaps: Frame, clock: str, halves: Sequence[int], day_segments: pl.DataFrame) -> Frame:
    """What the days of each segment add up to."""
    return (
        gaps.join(day_segments.lazy(), on="day")
        .group_by("code", "segment")
        .agg(
            pl.len().alias(f"{clock}_days"),
            pl.col("day").cast(pl.Int64).sum().alias(f"{clock}_age"),
            *(pl.col(f"w{h}").sum().alias(f"{clock}_d{h}") for h in halves),
            pl.col("gap").sum().alias(f"{clock}_gap"),
            (pl.col("gap") * pl.col("gap")).sum().alias(f"{clock}_gap2"),
            pl.col("gap").count().alias(f"{clock}_gaps"),
            pl.col("gap").max().alias(f"{clock}_longest"),
        )
    )


def middle(gaps: Frame, clock: str, cutoffs: Sequence[int]) -> Frame:
    """The median gap at each cutoff."""
    kept = gaps.drop_nulls("gap")
    return pl.concat(
        kept.filter(pl.col("day") < cutoff)
        .group_by("code")
        .agg(pl.col("gap").median().alias(f"{clock}_median"))
        .with_columns(pl.lit(cutoff, pl.Int32).alias("cutoff"))
        for cutoff in cutoffs
    )


def facts(segments: Frame, seen: list[tuple[int, int, dict[int, float], dict[int, int]]]) -> Frame:
    """Segments, seen from each cutoff, side by side."""
    made = []
    for cutoff, last, scales, begins in seen:
        inside = {
            edge: (pl.col("segment") > begin).cast(pl.Float64).alias(f"in_{edge}") for edge, begin in begins.items()
        }
        columns = [
            (pl.col(name) * pl.col(f"in_{edge}")).sum().alias(f"{name}_{edge}")
            for name, edges in WINDOWS.items()
            for edge in edges
        ]
        columns += [pl.col(name).sum().alias(f"{name}_ever") for name in EVER]
        columns += [pl.col(f"{name}_last").max() for name in MOMENTS]
        columns += [pl.col(f"{name}_first").min() for name in FIRST]
        made.append(
            segments.filter(pl.col("segment") <= last)
            .with_columns(*inside.values())
            .group_by("code")
            .agg(*columns, pl.col("act_longest").max())
            .with_columns(
                pl.lit(cutoff, pl.Int32).alias("cutoff"),
                *(pl.lit(scale).alias(f"s{half_life}") for half_life, scale in scales.items()),
            )
        )
    return pl.concat(made)


def ratio(above: pl.Expr, below: pl.Expr) -> pl.Expr:
    return pl.when(below != 0).then(above / below)


def since(moment: str) -> pl.Expr:
    return (pl.col("cutoff").cast(pl.Int64) * DAY_US - pl.col(moment)) / DAY_US


def final(base: Frame) -> Frame:
    """The signals."""
    c = pl.col
    silence, late = since("act_last"), since("ord_last")
    n = c("act_gaps_ever").cast(pl.Float64)
    mean = ratio(c("act_gap_ever"), n)
    spread = ratio(n * c("act_gap2_ever") - c("act_gap_ever").cast(pl.Float64).pow(2), n * n).sqrt()
    decays = {h: c(f"act_d{h}_ever") * c(f"s{h}") for h in (30, 90, 180)}
    cutoff = c("cutoff").cast(pl.Int64)
    found: dict[str, pl.Expr] = {
        "days_since_last_activity": silence,
        "days_known": since("known_us"),
        "mean_age_of_active_days": ratio(cutoff * c("act_days_ever") - c("act_age_ever"), c("act_days_ever")),
        **{f"active_days_{edge}d": c(f"act_days_{edge}") for edge in (7, 14, 30, 60, 90, 180, 365)},
        "active_days_ever": c("act_days_ever"),
        **{f"active_days_decayed_{h}d": decay for h, decay in decays.items()},
        "active_days_per_30d_of_tenure": 30 * c("act_days_90") / since("known_us").clip(1, 90),
        "activities_30d": c("act_30"),
        "activities_90d": c("act_90"),
        "activities_per_active_day_90d": ratio(c("act_90"), c("act_days_90")),
        **{f"active_days_change_{e}d": 2 * c(f"act_days_{e}") - c(f"act_days_{2 * e}") for e in (7, 14, 30, 90)},
        "activity_30_to_90": ratio(decays[30], decays[90]),
        "activity_30_to_180": ratio(decays[30], decays[180]),
        "weekly_slope_of_active_days": (
            3 * c("act_days_7")
            + (c("act_days_14") - c("act_days_7"))
            - (c("act_days_21") - c("act_days_14"))
            - 3 * (c("act_days_28") - c("act_days_21"))
        )
        / 10,
        "median_days_between_activity": c("act_median"),
        "mean_days_between_activity": mean,
        "sd_days_between_activity": spread,
        "cv_days_between_activity": spread / mean,
        "longest_days_between_activity": c("act_longest"),
        "silence_to_median_gap_activity": silence / c("act_median"),
        "silence_to_longest_gap_activity": silence / c("act_longest"),
        "silence_beyond_mean_gap_activity": (silence - mean) / (spread + 1),
        "overdue_activity": silence / c("act_median") > 2,
        "silence_to_tenure_activity": ratio(silence, since("act_first")),
        **{f"channel_{name}_share_90d": ratio(c(f"{name}_90"), c("act_90")) for name in CHANNELS},
        **{f"sessions_{edge}d": c(f"ses_{edge}") for edge in (7, 30, 90)},
        "sessions_change_30d": 2 * c("ses_30") - c("ses_60"),
        "days_since_last_session": since("ses_last"),
        "app_share_90d": ratio(c("ses_app_90"), c("ses_90")),
        "pages_per_session_90d": ratio(c("pag_90"), c("ses_90")),
        "days_since_last_order": late,
        "days_since_first_order": since("ord_first"),
        "mean_age_of_order_days": ratio(cutoff * c("ord_days_ever") - c("ord_age_ever"), c("ord_days_ever")),
        "last_order_to_first_order": ratio(c("ord_last") - c("ord_first"), cutoff * DAY_US - c("ord_first")),
        **{f"orders_{edge}d": c(f"ord_{edge}") for edge in (30, 90, 180, 365)},
        "orders_ever": c("ord_ever"),
        "order_days_ever": c("ord_days_ever"),
        **{f"order_days_decayed_{h}d": c(f"ord_d{h}_ever") * c(f"s{h}") for h in (30, 90)},
        **{f"spent_{edge}d": c(f"spent_{edge}") for edge in (30, 90, 365)},
        "spent_ever": c("spent_ever"),
        "mean_order_value": ratio(c("spent_ever"), c("ord_ever")),
        "order_value_90d_to_ever": ratio(ratio(c("spent_90"), c("ord_90")), ratio(c("spent_ever"), c("ord_ever"))),
        "orders_change_30d": 2 * c("ord_30") - c("ord_60"),
        "orders_change_90d": 2 * c("ord_90") - c("ord_180"),
        "median_days_between_orders": c("ord_median"),
        "mean_days_between_orders": ratio(c("ord_gap_ever"), c("ord_gaps_ever")),
        "silence_to_median_gap_order": late / c("ord_median"),
        "payment_failures_30d": c("fal_30"),
        "payment_failures_90d": c("fal_90"),
        "days_since_payment_failure": since("fal_last"),
        "payment_failure_share_180d": ratio(c("fal_180"), c("fal_180") + c("pay_180")),
        **{f"tickets_{edge}d": c(f"tic_{edge}") for edge in (30, 90, 365)},
        "tickets_change_30d": 2 * c("tic_30") - c("tic_60"),
        "days_since_last_ticket": since("tic_last"),
        "event_song_played_30d": c("son_30"),
        "event_song_played_days_since_last": since("son_last"),
    }
    columns = [value.cast(pl.Float64).alias(name) for name, value in found.items()]
    return base.select("customer_id", (cutoff * DAY_US).alias("cutoff"), *columns)
