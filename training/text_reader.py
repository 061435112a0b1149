"""What does each text of the log say, read by a model that learnt from earlier texts alone?

A reader is a row of text models, each fitted on what was known at its own moment. A text is read by the newest model
that is not younger than the text. So nothing later than a text ever decides how it is read, past and new texts are
read alike, and a model trained next week reads last month's texts as this week's did.
"""

# ruff: noqa: S608  the SQL is made of our own names, times and hashes
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.cutoffs import microseconds
from features.facts import KNOWN_US, passive_sql
from features.readings import SCORED, Readings
from training.evaluation import Floats
from training.text_features import LONGEST_WORD, MOST_WORDS
from training.text_model import TextModel

if TYPE_CHECKING:
    import pyarrow as pa

    from records.events import EventLog

# A reading has the id of its text behind this: written twice, it is there once.
PREFIX = "reading-"
# Less sure than this, a text has no topic.
SURE = 0.5
READ_AT_ONCE = 5_000


@dataclass(frozen=True, kw_only=True)
class TextReader:
    """Text models, the oldest first; at least one."""

    models: tuple[TextModel, ...]

    def places(self, known_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which model reads a text that became known then? -1: none was there yet."""
        untils = np.array([microseconds(model.until) for model in self.models], dtype=np.int64)
        return np.searchsorted(untils, known_us, side="right") - 1

    def read(self, texts: Sequence[str], known_us: NDArray[np.int64]) -> tuple[list[str | None], Floats, Floats]:
        """The likeliest topic of each text, how likely it is, and the sentiment; None and NaN where nothing is read."""
        topics: list[str | None] = [None] * len(texts)
        sure, sentiment = np.full(len(texts), np.nan), np.full(len(texts), np.nan)
        places = self.places(known_us)
        for place, model in enumerate(self.models):
            mine = np.flatnonzero(places == place)
            for first in range(0, len(mine), READ_AT_ONCE):
                rows = mine[first : first + READ_AT_ONCE]
                found = model.score([texts[row] for row in rows])
                if found.topic is not None and found.probability is not None:
                    sure[rows] = found.probability
                    for row, topic in zip(rows, found.topic, strict=True):
                        topics[row] = model.topics[topic]
                if found.sentiment is not None:
                    sentiment[rows] = found.sentiment
        return topics, sure, sentiment

    def readings(self, log: EventLog, until: datetime, customers: Sequence[str] | None = None) -> Readings:
        """Readings of every text known before `until` (by these customers), known when the text was.

        What the nightly job wrote is taken from the log if one of these very models wrote it: it only saves time.
        """
        import pyarrow as pa

        begin = microseconds(self.models[0].until)
        with log.connection() as con:
            texts = f"(select * from {texts_sql(log, until)} where known_us >= {begin})"
            (first,) = con.execute(f"select min(known_us) from {texts}").fetchall()[0]
            chosen = ""
            if customers is not None:
                con.register("chosen", pa.table({"customer_id": pa.array(sorted(set(customers)), pa.string())}))
                chosen = "semi join chosen using (customer_id)"
            rows = con.sql(
                f"select texts.event_id, customer_id, occurred_at, received_at, known_us, wrote.topic, "
                f"wrote.properties, case when wrote.properties is null then text end as text "
                f"from (select *, {self._model_sql()} as model from {texts} {chosen}) as texts "
                f"left join {written_sql(log, until)} as wrote on wrote.model = texts.model "
                f"and wrote.event_id = '{PREFIX}' || texts.event_id order by texts.event_id"
            ).to_arrow_table()
        return Readings(events=self._events(rows), first_us=first)

    def unwritten(self, log: EventLog, now: datetime) -> pa.Table:
        """Readings of the texts known before `now` that have none in the log, as events that become known now."""
        import pyarrow as pa
        import pyarrow.compute as pc

        found = self.readings(log, now).events
        with log.connection() as con:
            ids = con.sql(f"select event_id from {written_sql(log, None)}").to_arrow_table().column("event_id")
        fresh = found.filter(pc.invert(pc.is_in(found.column("event_id"), value_set=ids.combine_chunks())))
        place = fresh.column_names.index("received_at")
        received = pa.array([now] * fresh.num_rows, pa.timestamp("us", "UTC"))
        return fresh.set_column(place, fresh.schema.field(place), received)

    def _model_sql(self) -> str:
        """SQL: the key of the model that reads a text, by when it became known."""
        newest_first = reversed([(microseconds(model.until), model.key) for model in self.models])
        cases = " ".join(f"when known_us >= {until} then '{key}'" for until, key in newest_first)
        return f"case {cases} end"

    def _events(self, rows: pa.Table) -> pa.Table:
        """The readings as events. Rows with `properties` were read before; the others are read now."""
        known_us = rows.column("known_us").to_numpy()
        topics = rows.column("topic").to_pylist()
        properties = [one or "" for one in rows.column("properties").to_pylist()]
        new = np.flatnonzero([not one for one in properties])
        texts = [str(text) for text in rows.column("text").take(new).to_pylist()]
        found, sure, sentiment = self.read(texts, known_us[new])
        places = self.places(known_us[new])
        for number, row in enumerate(new):
            topics[row] = found[number] if sure[number] >= SURE else None
            said: dict[str, Any] = {"model": self.models[places[number]].key}
            if not np.isnan(sentiment[number]):
                # A thousandth is what signals see.
                said |= {"sentiment": round(float(sentiment[number]), 3)}
            properties[row] = json.dumps(said)
        return readings_table(rows, topics, properties)

    def to_json(self, files: dict[str, bytes]) -> list[dict[str, Any]]:
        """The reader as plain values; arrays go to `files`."""
        return [model.to_json(f"text_{number}", files) for number, model in enumerate(self.models)]

    @classmethod
    def from_json(cls, stored: Sequence[Mapping[str, Any]], files: Mapping[str, bytes]) -> TextReader:
        """The reader again. Raises ModelError where its parts do not fit each other."""
        models = [TextModel.from_json(one, f"text_{number}", files) for number, one in enumerate(stored)]
        return cls(models=tuple(models))


def texts_sql(log: EventLog, until: datetime) -> str:
    """SQL of what customers wrote, known before `until`: the events, when they became known, and as much as is read.

    What is done to a customer is not written by them, but for answers to our messages.
    """
    return (
        f"(select event_id, customer_id, occurred_at, received_at, {KNOWN_US} as known_us, topic, rating, "
        f"left(text, {MOST_WORDS * LONGEST_WORD}) as text from {log.relation_sql(until)} "
        f"where trim(text) <> '' and (name = 'message_replied' or not ({passive_sql()})))"
    )


def written_sql(log: EventLog, until: datetime | None) -> str:
    """SQL of the readings in the log: event_id, topic, properties, and the key of the model that made each."""
    return (
        f"(select event_id, topic, properties, properties->>'$.model' as model from {log.relation_sql(until)} "
        f"where name = '{SCORED}' and starts_with(event_id, '{PREFIX}'))"
    )


def readings_table(rows: pa.Table, topics: Sequence[str | None], properties: Sequence[str]) -> pa.Table:
    """Readings of these texts, in the columns of events."""
    import pyarrow as pa

    from records.canonical import conform

    columns: dict[str, Any] = {name: rows.column(name) for name in ("customer_id", "occurred_at", "received_at")}
    columns["event_id"] = pa.array([f"{PREFIX}{one}" for one in rows.column("event_id").to_pylist()], pa.string())
    columns["name"] = pa.array([SCORED] * rows.num_rows, pa.string())
    columns["topic"] = pa.array(topics, pa.string())
    columns["properties"] = pa.array(properties, pa.string())
    return conform(pa.table(columns)).combine_chunks()
