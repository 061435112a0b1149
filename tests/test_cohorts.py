"""Courses whose students start together: what counts is how somebody does beside them, and the signals say so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from features import begun, cohorts, life_table, standing
from features.begun import Beginnings, begun_facts
from records.canonical import EVENT_SCHEMA
from records.events import EventLog
from training.calibration import sigmoid
from training.evaluation import auroc, log_loss
from training.examples import Examples, build_examples
from training.labels import ChurnOptions, TrainingOptions
from training.linear import fit_linear

FIRST = datetime(2025, 1, 6, tzinfo=UTC)
COURSES = ChurnOptions(definition="event", event="withdrawn", activity=[], horizon_days=21, active_within_days=45)


def course_log(folder: Path, students: int = 110) -> EventLog:
    """Three courses, two terms each. How often one comes depends on the course more than on the student; who leaves
    depends on the student alone: those who come less than the others of their course."""
    rng = np.random.default_rng(8)
    rows: list[tuple[str, float, str, str]] = []
    for term, start in enumerate((0, 120)):
        for course, pace in (("maths", 2.0), ("music", -0.4), ("law", -2.2)):
            product = f"{course} {term + 1}"
            for student in range(students):
                who = f"{product} {student:03}"
                rows.append((who, start + rng.uniform(0, 5), "enrolled", product))
                effort = np.repeat(rng.normal(0, 0.8, 1) + rng.normal(0, 0.9, 4), 28)[:110]  # changes every four weeks
                gone = np.flatnonzero(rng.random(110) < 0.004 * np.exp(-1.6 * effort))
                leaves = gone[0] if len(gone) else 110
                days = np.flatnonzero(rng.random(110) < 1 / (1 + np.exp(-pace - 1.4 * effort)))
                rows += [(who, start + 5.3 + day, "page_viewed", product) for day in days if day < leaves]
                if leaves < 110:
                    rows.append((who, start + 5.5 + leaves, "withdrawn", product))
    times = pa.array([FIRST + timedelta(days=row[1]) for row in rows], EVENT_SCHEMA.field("occurred_at").type)
    columns = {"customer_id": [row[0] for row in rows], "occurred_at": times, "received_at": times}
    columns |= {"name": [row[2] for row in rows], "product": [row[3] for row in rows]}
    log = EventLog(folder)
    log.append(pa.table({name: pa.array(values) for name, values in columns.items()}))
    return log


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    log = course_log(tmp_path_factory.mktemp("courses"))
    training = TrainingOptions(stride_days=14)
    return build_examples(log, FIRST + timedelta(days=190), COURSES, training=training)


def test_a_rank_among_peers_tells_more_than_a_count(examples: Examples) -> None:
    rows = examples.rows(examples.slices.finished, unseen=None)
    rank, days = (rows.X[:, examples.signal_names.index(f"active_days_30d{end}")] for end in ("_rank_of_peers", ""))
    assert auroc(rows.y, -rank) > auroc(rows.y, -days) + 0.1


def test_a_model_is_better_with_peers(examples: Examples) -> None:
    of_peers = np.array(["peers" in name for name in examples.signal_names])
    slices = examples.slices
    fit, judge = examples.rows(slices.fit), examples.rows([*slices.stop, *slices.calibrate, *slices.judge])
    losses = [
        log_loss(judge.y, sigmoid(fit_linear(fit.X[:, kept], fit.y).log_odds(judge.X[:, kept])))
        for kept in (np.ones(len(of_peers), dtype=bool), ~of_peers)
    ]
    assert losses[0] < losses[1] - 0.01


def test_counts_of_parts_are_those_of_the_whole() -> None:
    rng, leaving = np.random.default_rng(3), cohorts.Norms(30, 60, by_event=False)
    many, now = 400, 20_000 * cohorts.DAY_US
    facts = {
        "cutoff_day": np.full(many, 20_000),
        "cutoff_us": np.full(many, now),
        "known_us": now - rng.integers(1, 90 * cohorts.DAY_US, many),
        "product_now": pa.array(rng.choice(["a", "ब", None], many)),
        "life_last": now - rng.integers(1, 90 * cohorts.DAY_US, many),
        "active_days_30": rng.integers(0, 9, many),
        "spent_90": rng.choice([0.0, -1.5, 1e9], many),
    }
    whole = cohorts.counts_of(facts, leaving)
    parts = [
        cohorts.counts_of({name: values[a:b] for name, values in facts.items()}, leaving)
        for a, b in ((250, many), (0, 7), (7, 250))
    ]
    assert cohorts.added(parts).equals(whole)
    one, other = (cohorts.Cohorts(counts, leaving).facts(facts) for counts in (whole, cohorts.added(parts)))
    assert all(one[name].tobytes() == other[name].tobytes() for name in cohorts.MAKES)
    assert np.nanmean(one["cohort_active_days_30_rank"][np.isfinite(one["cohort_left_share"])]) == pytest.approx(
        0.5, abs=0.1
    )


def test_of_two_products_the_one_begun_last_counts() -> None:
    rows = pa.table(
        {
            "code": pa.array([0, 0, 0, 1], pa.int32()),
            "product": ["old", "new", "old", "x"],
            "us": [10, 20, 30, 5],
            "day": pa.array([1, 2, 3, 1], pa.int32()),
            "known_day": pa.array([1, 2, 3, 9], pa.int32()),
        }
    )
    at = (np.array([0, 1]), np.array([5, 5]))
    named = begun_facts(rows.append_column("starts", pa.array([True, True, False, True])), *at)
    assert named["product_now"].to_pylist() == ["old", None]  # its renewal came after the other's beginning
    assert (named["begun_us"][0].as_py(), named["lifecycle_us"][0].as_py()) == (10, 30)
    used = begun_facts(rows.append_column("starts", pa.nulls(4, pa.bool_())), *at)
    assert (used["product_now"][0].as_py(), used["begun_us"][0].as_py()) == ("new", 20)
    assert used["products_begun"].to_pylist() == [2, None]
    assert Beginnings().events == begun.BEGUN_BY


def test_a_life_table_is_drawn_to_everybodys_where_few_lived() -> None:
    group, larger = np.array([1, 1, 2]), np.array([0, 0, 0])
    table = life_table.LifeTable(group, larger, np.array([28, 10, 100]), np.array([0, 1, 0]), np.array([900, 100, 1]))
    ages, days = np.array([0, 0, 0]), 28
    many, few, unknown = table.leaving(np.array([1, 2, 3]), np.array([0, 0, 0]), ages, days)
    assert many == pytest.approx(1 - np.exp(-28 * 100 / (900 * 28 + 100 * 10)), rel=0.05)
    assert few == pytest.approx(many, rel=0.1)
    assert unknown == pytest.approx(many, rel=0.05)


def test_where_a_value_stands() -> None:
    found = standing.Histogram.of(np.array([5, 5, 7, 5]), np.array([2.0, 1.0, 1.0, 2.0]), np.array([1, 4, 2, 3]))
    group = np.array([5, 5, 7, 6])
    assert found.total(group).tolist() == [8, 8, 2, 0]
    np.testing.assert_array_equal(found.below(group, np.array([1.0, 1.5, 9.0, 0.0])), [0.25, 0.5, 1.0, np.nan])
    np.testing.assert_array_equal(found.mean(group), [1.5, 1.5, 1.0, np.nan])
    np.testing.assert_array_equal(found.median(group), [1.0, 1.0, 1.0, np.nan])
