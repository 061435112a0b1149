"""When does a company's own text reader learn, from which texts, and how well does it read later ones?

A model is fitted at the start of a month (UTC) once there are enough labelled texts, again once there is twice as
much to learn from, and after half a year in any case. When, and from what, depends on earlier texts alone; so one log
gives one series of models, and a later training only adds to it.
"""

# ruff: noqa: S608  the SQL is made of our own names and numbers
from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.cutoffs import microseconds
from features.readings import SCORED
from training.evaluation import Estimate, Floats, auroc, interval, mean_ranks
from training.text_fitting import FEWEST_TEXTS, LabelledTexts, TextFit, fit_text_model
from training.text_reader import PREFIX, TextReader, texts_sql

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from records.events import EventLog

GROWTH, OLDEST = 2, timedelta(days=180)
# The newest labelled texts that a model learns from, and that all are judged by.
MOST_LEARNT, MOST_JUDGED = 10_000, 5_000
# Ratings are spread over -1 to 1 between these shares of them: one typing error must not stretch the scale.
LOW, HIGH = 0.01, 0.99
# So many fits of this process are remembered, by what they learnt from.
MOST_FITTED = 16
_FITTED: dict[str, TextFit] = {}
LABELLED = "(topic <> '' or isfinite(rating))"
Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class ReaderFit:
    """A fitted reader, or none, how well it reads texts that came later, and what to say."""

    reader: TextReader | None = None
    figures: Mapping[str, Estimate] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def learn_to_read(log: EventLog, as_of: datetime, seed: int, progress: Progress = lambda line: None) -> ReaderFit:
    """The reader of what customers write, from everything known before `as_of` and nothing else."""
    with log.connection() as con:
        con.execute(f"create temp view texts as select * from {texts_sql(log, as_of)}")
        con.execute(f"create temp view labelled as select * from texts where {LABELLED}")
        counted = con.execute("select count(*), count(nullif(topic, '')), count(rating) from texts").fetchall()[0]
        counts = dict(zip(("texts", "with_topic", "with_rating"), map(int, counted), strict=True))
        if why := nothing_to_read(con, log, as_of, counts["texts"]):
            return ReaderFit(counts=counts, notes=(why,))
        models, notes = [], [f"texts stay unread: fewer than {FEWEST_TEXTS} with a topic or rating by {as_of:%B %Y}"]
        for until in moments(labelled_by_month(con), as_of):
            learnt = labelled_texts(con, until)
            fit = fitted_once(learnt, until, seed)
            models += [fit.model] if fit.model else []
            notes = fit.notes
            progress(f"texts: {len(learnt.texts):,} labelled ones known before {until:%Y-%m-%d}")
        if not models:
            return ReaderFit(counts=counts, notes=tuple(notes))
        reader = TextReader(models=tuple(models))
        figures = judged(reader, later_texts(con, models[0].until))
    return ReaderFit(reader=reader, figures=figures, counts=counts, notes=(*notes, *told(figures)))


def fitted_once(learnt: LabelledTexts, until: datetime, seed: int) -> TextFit:
    """The text model of these texts. Several definitions and a walk through time ask for the same ones."""
    parts = (until, seed, *learnt.texts, *learnt.writers, *learnt.topics, *learnt.ratings)
    key = hashlib.sha256(repr(parts).encode()).hexdigest()
    if key not in _FITTED:
        while len(_FITTED) >= MOST_FITTED:
            _FITTED.pop(next(iter(_FITTED)))
        _FITTED[key] = fit_text_model(learnt, until, seed)
    return _FITTED[key]


def nothing_to_read(con: duckdb.DuckDBPyConnection, log: EventLog, as_of: datetime, texts: int) -> str:
    """Why is there nothing to learn? Empty: there is something."""
    if not texts:
        return "text signals stay empty: the log has no texts"
    theirs = f"name = '{SCORED}' and not starts_with(event_id, '{PREFIX}')"
    (others,) = con.execute(f"select count(*) from {log.relation_sql(as_of)} where {theirs}").fetchall()[0]
    return f"texts are read elsewhere: the log has {others:,} {SCORED} events of its own" if others else ""


def labelled_by_month(con: duckdb.DuckDBPyConnection) -> dict[datetime, tuple[int, int]]:
    """How many texts with a topic, and with a rating, became known in each month, by the start of the next one."""
    rows = con.execute(
        "select epoch_us(date_trunc('month', make_timestamptz(known_us)) + interval 1 month), "
        "count(nullif(topic, '')), count(rating) from labelled group by 1 order by 1"
    ).fetchall()
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return {epoch + timedelta(microseconds=us): (int(topics), int(ratings)) for us, topics, ratings in rows}


def moments(months: Mapping[datetime, tuple[int, int]], as_of: datetime) -> list[datetime]:
    """When are models fitted? Month starts up to `as_of`.

    `months`: texts with a topic, and with a rating, that became known in the month before each.
    """
    found: list[datetime] = []
    known, learnt = np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int64)
    for start in (start for start in months if start <= as_of):
        known = np.minimum(known + months[start], MOST_LEARNT)  # beyond that a model only gets newer, not wiser
        enough = known >= FEWEST_TEXTS
        grown = enough & (known >= GROWTH * np.where(learnt >= FEWEST_TEXTS, learnt, 0))
        if grown.any() or (found and start - found[-1] >= OLDEST):
            found.append(start)
            learnt = known
    return found


def labelled_texts(con: duckdb.DuckDBPyConnection, until: datetime) -> LabelledTexts:
    """The newest labelled texts known before `until`, in the order of their events' ids."""
    rows = con.sql(
        f"select * from (select * from labelled where known_us < {microseconds(until)} "
        f"order by known_us desc, event_id limit {MOST_LEARNT}) order by event_id"
    ).to_arrow_table()
    return LabelledTexts(
        texts=rows.column("text").to_pylist(),
        writers=rows.column("customer_id").to_pylist(),
        topics=[topic or None for topic in rows.column("topic").to_pylist()],
        ratings=spread(rows),
    )


def spread(rows: pa.Table) -> Floats:
    """The ratings from -1 to 1; NaN where there is none."""
    ratings = np.array(rows.column("rating").to_numpy(), dtype=np.float64)
    known = np.sort(ratings[np.isfinite(ratings)])
    if not len(known):
        return np.full(len(ratings), np.nan)
    low, high = known[int(LOW * (len(known) - 1))], known[int(np.ceil(HIGH * (len(known) - 1)))]
    if high == low:
        return np.where(np.isfinite(ratings), 0.0, np.nan)
    return np.where(np.isfinite(ratings), np.clip(2 * (ratings - low) / (high - low) - 1, -1, 1), np.nan)


def later_texts(con: duckdb.DuckDBPyConnection, first: datetime) -> pa.Table:
    """The newest labelled texts that became known when there was a model to read them."""
    found: pa.Table = con.sql(
        f"select * from (select * from labelled where known_us >= {microseconds(first)} "
        f"order by known_us desc, event_id limit {MOST_JUDGED}) order by event_id"
    ).to_arrow_table()
    return found


def judged(reader: TextReader, rows: pa.Table) -> dict[str, Estimate]:
    """How well are texts read by a model that is older than they are? Intervals by resampling writers."""
    topics, _, sentiment = reader.read(
        list(map(str, rows.column("text").to_pylist())), rows.column("known_us").to_numpy()
    )
    named, ratings = [topic or None for topic in rows.column("topic").to_pylist()], spread(rows)
    writers = np.unique(np.array(rows.column("customer_id").to_pylist(), dtype=str), return_inverse=True)[1]
    told = np.flatnonzero([a is not None and b is not None for a, b in zip(topics, named, strict=True)])
    found = dict(topic_figures([topics[row] for row in told], [named[row] for row in told], writers[told]))
    rated = np.flatnonzero(np.isfinite(ratings) & np.isfinite(sentiment))
    found |= dict(sentiment_figures(sentiment[rated], ratings[rated], writers[rated]))
    return {name: one for name, one in found.items() if np.isfinite(one.value)}


def topic_figures(
    read: Sequence[str | None], named: Sequence[str | None], writers: NDArray[np.int64]
) -> Iterator[tuple[str, Estimate]]:
    """Accuracy, and that of always naming the topic that came up most among these very texts."""
    if not read:
        return
    truth = np.array(named, dtype=str)
    words, counts = np.unique(truth, return_counts=True)
    right, popular = np.array(read, dtype=str) == truth, truth == words[counts.argmax()]
    yield "topic_accuracy", interval(lambda rows: float(right[rows].mean()), writers)
    yield "topic_most_popular", interval(lambda rows: float(popular[rows].mean()), writers)


def sentiment_figures(sentiment: Floats, ratings: Floats, writers: NDArray[np.int64]) -> Iterator[tuple[str, Estimate]]:
    """Does sentiment rank texts as their ratings do, and those rated in the lower half below the others?"""
    if len(sentiment) < 2:
        return
    low = (ratings < 0).astype(np.float64)

    def rank_correlation(rows: NDArray[np.int64]) -> float:
        a, b = mean_ranks(sentiment[rows]), mean_ranks(ratings[rows])
        return float(np.corrcoef(a, b)[0, 1]) if a.std() and b.std() else float("nan")

    yield "sentiment_rank_correlation", interval(rank_correlation, writers)
    yield "sentiment_auroc", interval(lambda rows: auroc(low[rows], -sentiment[rows]), writers)


def told(figures: Mapping[str, Estimate]) -> list[str]:
    """The figures in lines for people."""
    names = {
        "topic_accuracy": "topic right",
        "topic_most_popular": "always the most frequent topic",
        "sentiment_rank_correlation": "sentiment's rank correlation with ratings",
        "sentiment_auroc": "sentiment's AUROC for ratings in the lower half",
    }
    return [
        f"of {one.rows:,} later texts, {names[name]}: {one.value:.3f} [{one.low:.3f}, {one.high:.3f}]"
        for name, one in figures.items()
    ]
