"""The 80 signals in hand-written DuckDB SQL: daily roll-up → segments of age → sums → pivot, by chunks of customers.

The files are read once into narrow whole numbers; a chunk of customers is small enough for its sums to stay in memory.
A segment is a run of days between two moments at which some window of some cutoff begins or ends: days are summed into
segments once for all cutoffs, and only segments, a tenth as many, meet each cutoff.
"""

# ruff: noqa: S608  the SQL is made of names of our own

from __future__ import annotations

import tempfile
from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa

DAY_US = 86_400_000_000
EDGES = (7, 14, 21, 28, 30, 60, 90, 180, 365)
EVENTS_PER_CHUNK = 4_000_000
NAMES = (
    "session_started",
    "page_viewed",
    "order_completed",
    "payment_completed",
    "support_ticket_opened",
    "song_played",
    "payment_failed",
    "message_opened",
)  # fmt: skip  the last two are no activity
CHANNELS = ("web", "app", "phone", "email")
COUNTED = {
    "act": "name < 6",
    **{channel: f"name < 6 and channel = {number}" for number, channel in enumerate(CHANNELS)},
    "ses": "name = 0",
    "ses_app": "name = 0 and channel = 1",
    "pag": "name = 1",
    "ord": "name = 2",
    "pay": "name = 3",
    "fal": "name = 6",
    "tic": "name = 4",
    "son": "name = 5",
}
MOMENTS = ("act", "ses", "ord", "fal", "tic", "son")
FIRST = ("act", "ord")
CLOCKS = {"act": (30, 90, 180), "ord": (30, 90)}
WINDOWS: dict[str, tuple[int, ...]] = {
    "act_days": EDGES,
    "act": (30, 90),
    **dict.fromkeys(("web", "app", "phone", "email", "ses_app", "pag"), (90,)),
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


def signals(files: Sequence[str], cutoffs_us: Sequence[int]) -> pa.Table:
    """The table of 80 signals, customer_id and cutoff."""
    with tempfile.TemporaryDirectory() as spill:
        con = duckdb.connect(config={
            "memory_limit": "3GB", "threads": 2, "temp_directory": spill, "max_temp_directory_size": "20GB",
            "preserve_insertion_order": False,
        })  # fmt: skip
        chunks = stage_events(con, files)
        stage_segments(con, [us // DAY_US for us in cutoffs_us])
        made = []
        for chunk in range(chunks):
            con.execute(segments(chunk))
            for clock, halves in CLOCKS.items():
                con.execute(gaps(clock, chunk))
                con.execute(days(clock, halves))
                con.execute(middle(clock))
            con.execute(facts())
            made.append(con.sql(final()).to_arrow_table())
        return pa.concat_tables(made)


def stage_events(con: duckdb.DuckDBPyConnection, files: Sequence[str]) -> int:
    """Make tables `people` and `events`; how many chunks are they?"""
    log = "read_parquet([" + ", ".join("'" + file.replace("'", "''") + "'" for file in files) + "])"
    con.execute(
        f"""create temp table people as select (row_number() over ())::int code, customer_id, known_us, n
        from (select customer_id, min(epoch_us(occurred_at)) known_us, count(*) n from {log} group by 1)"""
    )
    [(events,)] = con.execute("select sum(n) from people").fetchall()
    chunks = max(1, -(-int(events) // EVENTS_PER_CHUNK))
    con.execute("create type names as enum ('" + "', '".join(NAMES) + "')")
    con.execute("create type channels as enum ('" + "', '".join(CHANNELS) + "')")
    con.execute(
        f"""create temp table events as select (code % {chunks})::utinyint as chunk, code,
        epoch_us(occurred_at) us, (epoch_us(occurred_at) // {DAY_US})::smallint as day,
        enum_code(name::names) as name, enum_code(channel::channels) as channel, (amount * 10000)::int as amount
        from {log} join people using (customer_id)"""
    )
    return chunks


def stage_segments(con: duckdb.DuckDBPyConnection, cutoffs: Sequence[int]) -> None:
    """Make tables `day_segments` (day → segment, weights) and `cutoff_segments` (cutoff, segment → windows)."""
    edges = sorted({cutoff - edge for cutoff in cutoffs for edge in (0, *EDGES)})
    numbers = np.arange(edges[0] - 3650, edges[-1])
    weights = {f"w{h}": np.exp2((numbers - edges[-1]) / h) for h in (30, 90, 180)}
    day_segments = pa.table({
        "day": numbers.astype(np.int16), **weights,
        "segment": np.searchsorted(edges, numbers, side="right").astype(np.int16),
        "next_cutoff": np.append(cutoffs, 0)[np.searchsorted(cutoffs, numbers, side="right")].astype(np.int32),
    })  # fmt: skip
    rows = [
        {"cutoff": cutoff, "segment": number}
        | {f"s{h}": float(np.exp2((edges[-1] - cutoff) / h)) for h in (30, 90, 180)}
        | {f"in_{edge}": float(cutoff - edge < edges[number]) for edge in EDGES}
        for cutoff in cutoffs
        for number in range(edges.index(cutoff) + 1)
    ]
    kinds = [pa.field("cutoff", pa.int32()), pa.field("segment", pa.int16())]
    kinds += [pa.field(f"s{h}", pa.float64()) for h in (30, 90, 180)]
    kinds += [pa.field(f"in_{edge}", pa.float64()) for edge in EDGES]
    cutoff_segments = pa.Table.from_pylist(rows, schema=pa.schema(kinds))
    for name, table in (("day_segments", day_segments), ("cutoff_segments", cutoff_segments)):
        con.register("handed_in", table)
        con.execute(f"create temp table {name} as select * from handed_in")
    con.execute("create temp table cutoffs as select distinct cutoff from cutoff_segments")


def segments(chunk: int) -> str:
    """What the events of each segment add up to."""
    counts = ", ".join(f"sum(({of})::int)::double as {name}" for name, of in COUNTED.items())
    moments = ", ".join(f"max(case when {COUNTED[name]} then us end) as {name}_last" for name in MOMENTS)
    first = ", ".join(f"min(case when {COUNTED[name]} then us end) as {name}_first" for name in FIRST)
    return f"""create or replace temp table segments as
        select code, segment, {counts}, sum(case when name = 2 then amount else 0 end)::double as spent,
            {moments}, {first}
        from events join day_segments using (day) where chunk = {chunk} group by code, segment"""


def gaps(clock: str, chunk: int) -> str:
    """The days of a clock, each with the days since the one before."""
    return f"""create or replace temp table {clock}_gaps as
        select code, day, (day - lag(day) over (partition by code order by day))::int as gap
        from (select distinct code, day from events where chunk = {chunk} and {COUNTED[clock]})"""


def days(clock: str, halves: Sequence[int]) -> str:
    """What the days of each segment add up to."""
    weights = ", ".join(f"sum(w{h}) as {clock}_d{h}" for h in halves)
    return f"""create or replace temp table {clock}_segments as
        select code, segment, count(*)::double as {clock}_days, sum(day)::double as {clock}_age, {weights},
            sum(gap)::double as {clock}_gap, sum(gap * gap)::double as {clock}_gap2, count(gap)::double as {clock}_gaps,
            max(gap) as {clock}_longest
        from {clock}_gaps join day_segments using (day) group by code, segment"""


def middle(clock: str) -> str:
    """The median gap at each cutoff: how often each customer had each gap, then running sums over few rows."""
    return f"""create or replace temp table {clock}_middle as
        with counted as (
            select code, gap, next_cutoff, count(*) as n from {clock}_gaps join day_segments using (day)
            where gap is not null group by all
        ), seen as (
            select code, cutoff, gap, sum(n)::int as n from counted join cutoffs on next_cutoff <= cutoff group by all
        ), running as (
            select code, cutoff, gap, sum(n) over (partition by code, cutoff order by gap) as upto,
                sum(n) over (partition by code, cutoff) as total from seen
        )
        select code, cutoff, (min(gap) filter (upto >= (total + 1) // 2) + min(gap) filter (upto >= total // 2 + 1)) / 2
            as {clock}_median from running group by code, cutoff"""


def facts() -> str:
    """Segments, seen from each cutoff, side by side."""
    columns = [f"sum({name} * in_{edge}) as {name}_{edge}" for name, edges in WINDOWS.items() for edge in edges]
    columns += [f"sum({name}) as {name}_ever" for name in EVER]
    columns += [f"max({name}_last) as {name}_last" for name in MOMENTS]
    columns += [f"min({name}_first) as {name}_first" for name in FIRST]
    columns += ["max(act_longest) as act_longest", *(f"any_value(s{h}) as s{h}" for h in (30, 90, 180))]
    return f"""create or replace temp table facts as
        select code, cutoff, {", ".join(columns)} from segments left join act_segments using (code, segment)
            left join ord_segments using (code, segment) join cutoff_segments using (segment)
        group by code, cutoff"""


def ratio(above: str, below: str) -> str:
    return f"({above})::double / nullif(({below})::double, 0)"


def since(moment: str) -> str:
    return f"(cutoff_us - {moment}) / {float(DAY_US)}"


def final() -> str:
    """The signals of this chunk."""
    silence, order_silence = since("act_last"), since("ord_last")
    mean = ratio("act_gap_ever", "act_gaps_ever")
    sd = "sqrt((act_gaps_ever * act_gap2_ever - act_gap_ever * act_gap_ever)::double / (act_gaps_ever ^ 2))"
    sd = f"case when act_gaps_ever > 0 then {sd} end"
    named: dict[str, str] = {
        "days_since_last_activity": silence,
        "days_known": since("known_us"),
        "mean_age_of_active_days": ratio("cutoff * act_days_ever - act_age_ever", "act_days_ever"),
        **{f"active_days_{edge}d": f"act_days_{edge}" for edge in (7, 14, 30, 60, 90, 180, 365)},
        "active_days_ever": "act_days_ever",
        **{f"active_days_decayed_{h}d": f"coalesce(act_d{h}_ever * s{h}, 0)" for h in (30, 90, 180)},
        "active_days_per_30d_of_tenure": f"30 * act_days_90 / least(greatest({since('known_us')}, 1), 90)",
        "activities_30d": "act_30",
        "activities_90d": "act_90",
        "activities_per_active_day_90d": ratio("act_90", "act_days_90"),
        **{f"active_days_change_{e}d": f"2 * act_days_{e} - act_days_{2 * e}" for e in (7, 14, 30, 90)},
        "activity_30_to_90": ratio("act_d30_ever * s30", "act_d90_ever * s90"),
        "activity_30_to_180": ratio("act_d30_ever * s30", "act_d180_ever * s180"),
        "weekly_slope_of_active_days": "(3 * act_days_7 + (act_days_14 - act_days_7) - (act_days_21 - act_days_14) "
        "- 3 * (act_days_28 - act_days_21)) / 10.0",
        "median_days_between_activity": "act_median",
        "mean_days_between_activity": mean,
        "sd_days_between_activity": sd,
        "cv_days_between_activity": f"{sd} / ({mean})",
        "longest_days_between_activity": "act_longest",
        "silence_to_median_gap_activity": f"{silence} / act_median",
        "silence_to_longest_gap_activity": f"{silence} / act_longest",
        "silence_beyond_mean_gap_activity": f"({silence} - {mean}) / ({sd} + 1)",
        "overdue_activity": f"({silence} / act_median > 2)::int",
        "silence_to_tenure_activity": ratio(silence, since("act_first")),
        **{f"channel_{c}_share_90d": ratio(f"{c}_90", "act_90") for c in ("web", "app", "phone", "email")},
        **{f"sessions_{edge}d": f"ses_{edge}" for edge in (7, 30, 90)},
        "sessions_change_30d": "2 * ses_30 - ses_60",
        "days_since_last_session": since("ses_last"),
        "app_share_90d": ratio("ses_app_90", "ses_90"),
        "pages_per_session_90d": ratio("pag_90", "ses_90"),
        "days_since_last_order": order_silence,
        "days_since_first_order": since("ord_first"),
        "mean_age_of_order_days": ratio("cutoff * ord_days_ever - ord_age_ever", "ord_days_ever"),
        "last_order_to_first_order": ratio("ord_last - ord_first", "cutoff_us - ord_first"),
        **{f"orders_{edge}d": f"ord_{edge}" for edge in (30, 90, 180, 365)},
        "orders_ever": "ord_ever",
        "order_days_ever": "ord_days_ever",
        **{f"order_days_decayed_{h}d": f"coalesce(ord_d{h}_ever * s{h}, 0)" for h in (30, 90)},
        **{f"spent_{edge}d": f"spent_{edge} / 10000" for edge in (30, 90, 365)},
        "spent_ever": "spent_ever / 10000",
        "mean_order_value": ratio("spent_ever / 10000", "ord_ever"),
        "order_value_90d_to_ever": ratio(ratio("spent_90", "ord_90"), ratio("spent_ever", "ord_ever")),
        "orders_change_30d": "2 * ord_30 - ord_60",
        "orders_change_90d": "2 * ord_90 - ord_180",
        "median_days_between_orders": "ord_median",
        "mean_days_between_orders": ratio("ord_gap_ever", "ord_gaps_ever"),
        "silence_to_median_gap_order": f"{order_silence} / ord_median",
        "payment_failures_30d": "fal_30",
        "payment_failures_90d": "fal_90",
        "days_since_payment_failure": since("fal_last"),
        "payment_failure_share_180d": ratio("fal_180", "fal_180 + pay_180"),
        **{f"tickets_{edge}d": f"tic_{edge}" for edge in (30, 90, 365)},
        "tickets_change_30d": "2 * tic_30 - tic_60",
        "days_since_last_ticket": since("tic_last"),
        "event_song_played_30d": "son_30",
        "event_song_played_days_since_last": since("son_last"),
    }
    sums = [f"{name}_{edge}" for name, edges in WINDOWS.items() for edge in edges] + [f"{name}_ever" for name in EVER]
    zero = ", ".join(f"coalesce({name}, 0) as {name}" for name in sums if "_d" not in name or "days" in name)
    columns = ", ".join(f"({sql})::double as {name}" for name, sql in named.items())
    return f"""select customer_id, cutoff_us as cutoff, {columns} from (
        select * replace ({zero}), cutoff * {DAY_US} as cutoff_us
        from people join facts using (code) left join act_middle using (code, cutoff)
            left join ord_middle using (code, cutoff))"""
