"""What happened is jotted down as arrays during the day and becomes a canonical event table at the end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow

from records.canonical import EVENT_SCHEMA, TIME
from records.simulation.company import DAY_US, PRODUCT_NAMES, TOPICS
from records.simulation.draws import Array
from records.simulation.properties import PROPERTIES

pa: Any = pyarrow  # its stubs refuse arrays of places from numpy
CHANNELS = ("web", "app", "email", "sms", "whatsapp", "push", "phone", "chat", "social")
WEB, APP, EMAIL, SMS, WHATSAPP, PUSH, PHONE, CHAT, SOCIAL = range(9)
NAMES = (
    "subscription_started", "incident_declared", "incident_resolved", "product_restocked", "message_sent",
    "message_delivered", "message_opened", "message_clicked", "message_replied", "message_unsubscribed", "bill_issued",
    "session_started", "page_viewed", "wishlist_added", "order_completed", "order_delivered", "item_missing",
    "payment_completed", "payment_failed", "plan_changed", "support_ticket_opened", "support_ticket_solved",
    "rating_given", "social_mention", "subscription_cancelled",
)  # fmt: skip
_NO_AMOUNT = np.iinfo(np.int64).min
# Events that reach the books some hours later than they happened, and what share of them.
_LATE = {"social_mention": 0.5, "order_delivered": 0.06, "rating_given": 0.05, "page_viewed": 0.01}


class Notebook:
    """Collects the events of one block of customers. `ids` are their customer ids, `index` their places."""

    def __init__(self, index: Array, ids: Any) -> None:
        self._index = index
        self._ids = ids
        self._notes: dict[str, list[dict[str, Any]]] = {}

    def write(self, name: str, who: Array, at: Array, **columns: Any) -> None:
        """Note `name` for the customers `who` (places in the block) at `at` (microseconds since 1970)."""
        if len(who):
            self._notes.setdefault(name, []).append({"who": who, "at": at, **columns})

    def table(self) -> pyarrow.Table:
        """Everything noted since the last call, ordered by time, as canonical events."""
        parts = [_Part(name, self._notes[name]) for name in NAMES if name in self._notes]
        self._notes = {}
        if not parts:
            empty: pyarrow.Table = EVENT_SCHEMA.empty_table()
            return empty
        who = np.concatenate([p.who for p in parts])
        at = np.concatenate([p.at for p in parts])
        kind = np.concatenate([np.full(len(p.who), NAMES.index(p.name), dtype=np.int8) for p in parts])
        index = self._index[who]
        order = np.lexsort((kind, at, index))  # stable: within a customer by time, then as the day went
        ids = _event_ids(index[order], at[order] // DAY_US)
        by_time = np.argsort(at[order], kind="stable")
        order = order[by_time]
        take = pa.array(order)
        amounts = np.concatenate([p.numbers("amount", _NO_AMOUNT) for p in parts])[order]
        none = amounts == _NO_AMOUNT
        table = pa.table(
            {
                "event_id": ids.take(pa.array(by_time)),
                "customer_id": self._ids.take(pa.array(who[order])),
                "occurred_at": _times(at[order]),
                "received_at": _times(np.concatenate([p.received() for p in parts])[order]),
                "name": _words(NAMES, kind[order]),
                "channel": _words(CHANNELS, np.concatenate([p.numbers("channel", -1) for p in parts])[order]),
                "product": _words(PRODUCT_NAMES, np.concatenate([p.numbers("product", -1) for p in parts])[order]),
                "topic": _words(TOPICS, np.concatenate([p.numbers("topic", -1) for p in parts])[order]),
                "amount": _money(np.where(none, 0, amounts), none),
                "currency": _words(("INR",), np.where(none, -1, 0)),
                "text": pa.concat_arrays([p.text() for p in parts]).take(take),
                "rating": _ratings(np.concatenate([p.numbers("rating", 0) for p in parts])[order]),
                "properties": pa.concat_arrays([p.properties() for p in parts]).take(take),
            }
        )
        events: pyarrow.Table = table.cast(EVENT_SCHEMA)
        return events


class _Part:
    """All notes of one name."""

    def __init__(self, name: str, notes: list[dict[str, Any]]) -> None:
        self.name = name
        self.columns: dict[str, Any] = {}
        for column in notes[0]:
            pieces = [note[column] for note in notes]
            if isinstance(pieces[0], list):
                self.columns[column] = [x for piece in pieces for x in piece]
            else:
                self.columns[column] = np.concatenate(pieces)
        self.who: Array = self.columns["who"]
        self.at: Array = self.columns["at"].astype(np.int64)

    def numbers(self, column: str, missing: int) -> Array:
        if column in self.columns:
            return np.asarray(self.columns[column], dtype=np.int64)
        return np.full(len(self.who), missing, dtype=np.int64)

    def text(self) -> Any:
        return pa.array(self.columns.get("text") or [None] * len(self.who), pa.string())

    def properties(self) -> Any:
        return PROPERTIES[self.name](self.columns)

    def received(self) -> Array:
        """When the company learned of it. A fixed scatter of the times decides who is late, never past midnight."""
        share = _LATE.get(self.name)
        if share is None:
            return self.at
        scatter = (self.at // 1_000_000 * 2_654_435_761 % 4_294_967_296) / 4_294_967_296
        late = self.at + (scatter / share * 5 * 3_600_000_000).astype(np.int64)
        return np.where((scatter < share) & (late // DAY_US == self.at // DAY_US), late, self.at)


def _event_ids(index: Array, day: Array) -> Any:
    """Ids like S-0001234-20478-03: place, day, and the how-manyeth of that day. Rows come grouped by customer."""
    n = len(index)
    fresh = np.ones(n, dtype=bool)
    fresh[1:] = (index[1:] != index[:-1]) | (day[1:] != day[:-1])
    places = np.arange(n)
    nth = places - np.maximum.accumulate(np.where(fresh, places, 0))
    letters = np.full((n, 18), ord("-"), dtype=np.uint8)
    letters[:, 0] = ord("S")
    for values, first, width in ((index, 2, 7), (day, 10, 5), (nth, 16, 2)):
        for k in range(width):
            letters[:, first + k] = ord("0") + values // 10 ** (width - 1 - k) % 10
    offsets = np.arange(n + 1, dtype=np.int32) * 18
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(letters.tobytes()))


def _words(words: tuple[str, ...], codes: Array) -> Any:
    """Codes to words; −1 is null."""
    return pa.array(words, pa.string()).take(pa.array(codes, mask=codes < 0))


def _times(at: Array) -> Any:
    return pa.array(at, pa.int64()).cast(TIME)


def _money(paise: Array, none: Array) -> Any:
    """Paise to decimal128(18, 4), by writing its 16 bytes: an integer of ten-thousandths, low word first."""
    words = np.empty((len(paise), 2), dtype=np.int64)
    words[:, 0] = paise * 100
    words[:, 1] = np.where(paise < 0, -1, 0)
    valid = np.packbits(~none, bitorder="little")
    return pa.Array.from_buffers(
        pa.decimal128(18, 4), len(paise), [pa.py_buffer(valid.tobytes()), pa.py_buffer(words.tobytes())]
    )


def _ratings(stars: Array) -> Any:
    return pa.array(stars.astype(np.float64), mask=stars == 0)
