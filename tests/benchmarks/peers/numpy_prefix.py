"""The 80 signals in numpy: one sort of packed integers, then sums by segment between cutoffs and prefix sums over them.

A segment is a run of days between two of the moments at which some window of some cutoff begins or ends: one pass of
`bincount` serves all windows of all cutoffs, and a window is the difference of two columns of its running sum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

DAY_US = 86_400_000_000
CODES = {
    "session_started": 0, "page_viewed": 1, "order_completed": 2, "payment_completed": 3, "support_ticket_opened": 4,
    "song_played": 5, "payment_failed": 6, "message_opened": 7,
}  # fmt: skip
PASSIVE = 6  # and above: done to the customer, no activity of theirs
CHANNELS = {"web": 0, "app": 1, "phone": 2, "email": 3}
Numbers = NDArray[np.float64]
Whole = NDArray[np.int64]


class Days:
    """Rows of (customer, day), sorted, of which sums within windows before every cutoff are asked."""

    def __init__(self, code: Whole, day: Whole, customers: int, cutoffs: Whole) -> None:
        self.code, self.day, self.customers, self.cutoffs = code, day, customers, cutoffs

    def sums(self, windows: Sequence[int | None], weights: Numbers | None = None) -> list[Numbers]:
        """Per window (None: ever): customers × cutoffs."""
        edges = np.unique(np.concatenate([self.cutoffs, *(self.cutoffs - w for w in windows if w)]))
        segment = np.searchsorted(edges, np.arange(edges[-1] + 2), side="right")
        width = len(edges) + 1
        cell = self.code * width + segment[np.minimum(self.day, edges[-1] + 1)]
        made = np.bincount(cell, weights, minlength=self.customers * width).reshape(self.customers, width)
        running = np.cumsum(made, axis=1, dtype=np.float64)
        upto = running[:, np.searchsorted(edges, self.cutoffs)]
        return [upto - running[:, np.searchsorted(edges, self.cutoffs - w)] if w else upto for w in windows]

    def greatest(self, values: Numbers | Whole, starts_at: float) -> Numbers:
        """The greatest value before every cutoff: customers × cutoffs."""
        width = len(self.cutoffs) + 1
        found = np.full((self.customers, width), starts_at)
        if len(self.code):
            cell = (
                self.code * width
                + np.searchsorted(self.cutoffs, np.arange(self.cutoffs[-1] + 2), side="right")[
                    np.minimum(self.day, self.cutoffs[-1] + 1)
                ]
            )
            starts = np.concatenate([[0], np.flatnonzero(np.diff(cell)) + 1])
            found.reshape(-1)[cell[starts]] = np.maximum.reduceat(values, starts)
        return np.maximum.accumulate(found, axis=1)[:, :-1]

    def distinct(self) -> Days:
        """Each day of a customer once."""
        kept = np.ones(len(self.code), dtype=bool)
        kept[1:] = (np.diff(self.code) != 0) | (np.diff(self.day) != 0)
        return Days(self.code[kept], self.day[kept], self.customers, self.cutoffs)


def signals(files: Sequence[str], cutoffs_us: Sequence[int]) -> pa.Table:
    """The table of 80 signals, customer_id and cutoff."""
    log = Log(files, cutoffs_us)
    found = log.activity() | log.visits() | log.orders() | log.trouble()
    known = log.since(log.first_us)
    chosen = np.flatnonzero((known > 0).reshape(-1))
    columns = {
        "customer_id": pa.array(log.ids).take(pa.array(chosen // len(cutoffs_us))),
        "cutoff": pa.array(np.tile(np.asarray(cutoffs_us), log.customers)[chosen]),
    }
    for name, values in found.items():
        columns[name] = pa.array(values.reshape(-1)[chosen], from_pandas=True)
    return pa.table(columns)


class Log:
    """The events, sorted by customer and day."""

    def __init__(self, files: Sequence[str], cutoffs_us: Sequence[int]) -> None:
        wanted = ["customer_id", "occurred_at", "name", "channel", "amount"]
        words = ["customer_id", "name", "channel"]
        table = pq.read_table(
            list(files), columns=wanted, read_dictionary=words, partitioning=None
        ).unify_dictionaries()
        us = table.column("occurred_at").to_numpy().view(np.int64)
        self.ids, code = coded(table.column("customer_id"))
        self.customers = len(self.ids)
        name, channel = (mapped(table.column(c), m) for c, m in (("name", CODES), ("channel", CHANNELS)))
        origin = us.min() // DAY_US - 400  # a window may begin before the log
        day = us // DAY_US - origin
        packed = (code << 44) | (day << 32) | (name << 29) | (channel << 27)
        del code, day
        packed |= np.arange(len(us))
        packed.sort()
        order = packed & ((1 << 27) - 1)
        self.us = us[order]
        self.amount = table.column("amount").cast(pa.float64()).to_numpy()
        self.order = order
        self.name, self.channel = (packed >> 29) & 7, (packed >> 27) & 3
        self.day, self.code = (packed >> 32) & 4095, packed >> 44
        self.cutoffs = np.asarray(cutoffs_us) // DAY_US - origin
        self.cutoffs_us = np.asarray(cutoffs_us, dtype=np.float64)
        starts = np.searchsorted(self.code, np.arange(self.customers))
        self.first_us = np.minimum.reduceat(self.us, starts).astype(np.float64)[:, None]

    def chosen(self, mask: NDArray[np.bool_]) -> tuple[Days, Whole]:
        """The events of this mask, and their moments."""
        at = np.flatnonzero(mask)
        return Days(self.code[at], self.day[at], self.customers, self.cutoffs), self.us[at]

    def since(self, moment: Numbers) -> Numbers:
        """Days from a moment to every cutoff; NaN where it lies not before it."""
        days = (self.cutoffs_us - moment) / DAY_US
        return np.where((days > 0) & np.isfinite(days), days, np.nan)

    def silence(self, rows: Days, us: Whole) -> Numbers:
        return self.since(rows.greatest(us, -np.inf))

    def first(self, rows: Days, us: Whole) -> Numbers:
        """The first moment of these events: customers × 1; infinite where there is none."""
        found = np.full((self.customers, 1), np.inf)
        starts = np.concatenate([[0], np.flatnonzero(np.diff(rows.code)) + 1])
        found[rows.code[starts], 0] = np.minimum.reduceat(us, starts)
        return found

    def activity(self) -> dict[str, Numbers]:
        rows, us = self.chosen(self.name < PASSIVE)
        days, silence, known = rows.distinct(), self.silence(rows, us), self.since(self.first_us)
        w7, w14, w21, w28, w30, w60, w90, w180, w365, ever = days.sums((7, 14, 21, 28, 30, 60, 90, 180, 365, None))
        made30, made90 = rows.sums((30, 90))
        d30, d90, d180 = (decayed(days, half_life) for half_life in (30, 90, 180))
        found = {f"active_days_{n}d": w for n, w in ((7, w7), (14, w14), (30, w30), (60, w60), (90, w90))}
        found |= {"active_days_180d": w180, "active_days_365d": w365, "active_days_ever": ever}
        found |= {f"active_days_decayed_{n}d": w for n, w in ((30, d30), (90, d90), (180, d180))}
        changes = ((7, w7, w14), (14, w14, w28), (30, w30, w60), (90, w90, w180))
        found |= {f"active_days_change_{n}d": 2 * short - long for n, short, long in changes}
        found |= {
            "days_since_last_activity": silence,
            "days_known": known,
            "mean_age_of_active_days": mean_age(days, ever),
            "active_days_per_30d_of_tenure": 30 * w90 / np.clip(known, 1, 90),
            "activities_30d": made30,
            "activities_90d": made90,
            "activities_per_active_day_90d": ratio(made90, w90),
            "activity_30_to_90": ratio(d30, d90),
            "activity_30_to_180": ratio(d30, d180),
            "weekly_slope_of_active_days": (3 * w7 + (w14 - w7) - (w21 - w14) - 3 * (w28 - w21)) / 10,
            "silence_to_tenure_activity": ratio(silence, self.since(self.first(rows, us))),
        }
        found |= own_clock(days, silence, "activity", "activity")
        for channel, number in CHANNELS.items():
            of = (self.name < PASSIVE) & (self.channel == number)
            [share] = self.chosen(of)[0].sums((90,))
            found[f"channel_{channel}_share_90d"] = ratio(share, made90)
        return found

    def visits(self) -> dict[str, Numbers]:
        is_session = self.name == CODES["session_started"]
        rows, us = self.chosen(is_session)
        w7, w30, w60, w90 = rows.sums((7, 30, 60, 90))
        [app] = self.chosen(is_session & (self.channel == CHANNELS["app"]))[0].sums((90,))
        [pages] = self.chosen(self.name == CODES["page_viewed"])[0].sums((90,))
        return {
            "sessions_7d": w7,
            "sessions_30d": w30,
            "sessions_90d": w90,
            "sessions_change_30d": 2 * w30 - w60,
            "days_since_last_session": self.silence(rows, us),
            "app_share_90d": ratio(app, w90),
            "pages_per_session_90d": ratio(pages, w90),
        }

    def orders(self) -> dict[str, Numbers]:
        is_order = self.name == CODES["order_completed"]
        rows, us = self.chosen(is_order)
        amount = self.amount[self.order[is_order]]
        days, silence, first = rows.distinct(), self.silence(rows, us), self.first(rows, us)
        w30, w60, w90, w180, w365, ever = rows.sums((30, 60, 90, 180, 365, None))
        [order_days] = days.sums((None,))
        s30, s90, s365, spent = rows.sums((30, 90, 365, None), amount)
        tenure = self.since(first)
        clock = own_clock(days, silence, "order", "orders")
        wanted = ("median_days_between_orders", "mean_days_between_orders", "silence_to_median_gap_order")
        return {name: clock[name] for name in wanted} | {
            "days_since_last_order": silence,
            "days_since_first_order": tenure,
            "mean_age_of_order_days": mean_age(days, order_days),
            "last_order_to_first_order": ratio(tenure - silence, tenure),
            "orders_30d": w30,
            "orders_90d": w90,
            "orders_180d": w180,
            "orders_365d": w365,
            "orders_ever": ever,
            "order_days_ever": order_days,
            "order_days_decayed_30d": decayed(days, 30),
            "order_days_decayed_90d": decayed(days, 90),
            "spent_30d": s30,
            "spent_90d": s90,
            "spent_365d": s365,
            "spent_ever": spent,
            "mean_order_value": ratio(spent, ever),
            "order_value_90d_to_ever": ratio(ratio(s90, w90), ratio(spent, ever)),
            "orders_change_30d": 2 * w30 - w60,
            "orders_change_90d": 2 * w90 - w180,
        }

    def trouble(self) -> dict[str, Numbers]:
        rows, us = self.chosen(self.name == CODES["payment_failed"])
        f30, f90, f180 = rows.sums((30, 90, 180))
        [paid] = self.chosen(self.name == CODES["payment_completed"])[0].sums((180,))
        tickets, tickets_us = self.chosen(self.name == CODES["support_ticket_opened"])
        t30, t60, t90, t365 = tickets.sums((30, 60, 90, 365))
        songs, songs_us = self.chosen(self.name == CODES["song_played"])
        [played] = songs.sums((30,))
        return {
            "payment_failures_30d": f30,
            "payment_failures_90d": f90,
            "days_since_payment_failure": self.silence(rows, us),
            "payment_failure_share_180d": ratio(f180, f180 + paid),
            "tickets_30d": t30,
            "tickets_90d": t90,
            "tickets_365d": t365,
            "tickets_change_30d": 2 * t30 - t60,
            "days_since_last_ticket": self.silence(tickets, tickets_us),
            "event_song_played_30d": played,
            "event_song_played_days_since_last": self.silence(songs, songs_us),
        }


def coded(words: pa.ChunkedArray) -> tuple[pa.Array, Whole]:
    """The different words, and which each row has."""
    first = words.chunk(0).dictionary
    codes = np.concatenate([chunk.indices.to_numpy() for chunk in words.chunks])
    return first, codes.astype(np.int64)


def mapped(words: pa.ChunkedArray, numbers: dict[str, int]) -> Whole:
    """Each row's word by our number for it."""
    dictionary, codes = coded(words)
    return np.array([numbers[word] for word in dictionary.to_pylist()], dtype=np.int64)[codes]


def ratio(above: Numbers, below: Numbers) -> Numbers:
    with np.errstate(divide="ignore", invalid="ignore"):
        return above / np.where(below == 0, np.nan, below)


def decayed(days: Days, half_life: int) -> Numbers:
    """Days, each counting half for every half-life of its age; the cutoff's own factor is taken out of the sum."""
    origin = days.cutoffs[-1]
    [total] = days.sums((None,), np.exp2((days.day - origin) / half_life))
    return total * np.exp2((origin - days.cutoffs) / half_life)


def mean_age(days: Days, count: Numbers) -> Numbers:
    [total] = days.sums((None,), days.day.astype(np.float64))
    return ratio(days.cutoffs * count - total, count)


def own_clock(days: Days, silence: Numbers, one: str, plural: str) -> dict[str, Numbers]:
    """Gaps between days, and the silence against them."""
    gap = np.diff(days.day)
    follows = np.flatnonzero(np.diff(days.code) == 0)
    later = Days(days.code[follows + 1], days.day[follows + 1], days.customers, days.cutoffs)
    gap = gap[follows]
    [count], [total] = later.sums((None,)), later.sums((None,), gap.astype(np.float64))
    [squares] = later.sums((None,), (gap * gap).astype(np.float64))
    longest = later.greatest(gap, -np.inf)
    longest = np.where(np.isfinite(longest), longest, np.nan)
    median, mean = medians(later, gap, count), ratio(total, count)
    spread = np.sqrt(ratio(count * squares - total * total, count * count))
    with np.errstate(invalid="ignore"):
        overdue = np.where(np.isnan(median), np.nan, (silence / median > 2).astype(np.float64))
    return {
        f"median_days_between_{plural}": median,
        f"mean_days_between_{plural}": mean,
        f"sd_days_between_{plural}": spread,
        f"cv_days_between_{plural}": spread / mean,
        f"longest_days_between_{plural}": longest,
        f"silence_to_median_gap_{one}": silence / median,
        f"silence_to_longest_gap_{one}": silence / longest,
        f"silence_beyond_mean_gap_{one}": (silence - mean) / (spread + 1),
        f"overdue_{one}": overdue,
    }


def medians(rows: Days, gap: Whole, count: Numbers) -> Numbers:
    """The median gap before every cutoff: sorted once by customer and gap, of which each cutoff takes its part."""
    packed = (rows.code << 24) | (gap << 12) | rows.day
    packed.sort()
    found = np.full((rows.customers, len(rows.cutoffs)), np.nan)
    for index, cutoff in enumerate(rows.cutoffs):
        seen = (packed[(packed & 4095) < cutoff] >> 12) & 4095
        n = count[:, index].astype(np.int64)
        some = np.flatnonzero(n)
        start = (np.cumsum(n) - n)[some]
        found[some, index] = (seen[start + (n[some] - 1) // 2] + seen[start + n[some] // 2]) / 2
    return found
