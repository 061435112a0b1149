"""The level of the year before: taken where a business has seasons, not elsewhere, and never from the future."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from records.events import EventLog
from training.calibration import Calibration
from training.evaluation import log_loss
from training.judging import Judged, map_gains
from training.labels import ChurnOptions, TrainingOptions
from training.notebook import build_examples, fit_candidates, outcomes, predict
from training.season import YEAR, at_share, comes_truer, shares_of
from training.time_slices import Slices
from training.walk import Rehearsal

START = datetime(2023, 1, 2, tzinfo=UTC)
CHURN = ChurnOptions(horizon_days=60, active_within_days=120)
QUICK = TrainingOptions(max_rounds=30)
DAYS, KNOWN = 780, 720


def shop(folder: Path, *, seasons: float, until: int = DAYS, seed: int = 3) -> EventLog:
    """Orders of 500 customers; in autumn e^(2·seasons) times as many as in spring, and none after somebody is gone."""
    rng, rows = np.random.default_rng(seed), []
    season = np.exp(seasons * np.cos(2 * np.pi * (np.arange(DAYS) - 300) / 365.25))
    for who in range(500):
        first, pace = int(rng.integers(0, 200)), rng.gamma(2, 1 / 60)
        gone = first + rng.exponential(900)
        days = [day for day in range(first, DAYS) if day == first or (day < gone and rng.random() < pace * season[day])]
        rows += [(f"C{who}", day + rng.random()) for day in days]
    rows = [row for row in rows if row[1] < until]
    log = EventLog(folder)
    log.append(
        pa.table(
            {
                "event_id": [f"{who}-{day}" for who, day in rows],
                "customer_id": [who for who, _ in rows],
                "occurred_at": pa.array([START + timedelta(days=day) for _, day in rows], pa.timestamp("us", "UTC")),
                "name": ["order_completed"] * len(rows),
                "properties": ["{}"] * len(rows),
            }
        )
    )
    return log


@pytest.fixture(scope="module")
def seasonal(tmp_path_factory: pytest.TempPathFactory) -> EventLog:
    return shop(tmp_path_factory.mktemp("seasonal"), seasons=1.1)


def judged_at(log: EventLog, day: int) -> tuple[Judged, float, float]:
    """The candidates, which share they foresee to leave, and which share left."""
    as_of = START + timedelta(days=day)
    examples = build_examples(log, as_of, CHURN, training=QUICK)
    judged = fit_candidates(examples, QUICK)
    scores = predict(log, examples, judged, as_of, QUICK)
    y = outcomes(log, examples, as_of, scores.column("customer_id"))
    p = scores.column("churn_probability").to_numpy()
    return judged, float(p[~np.isnan(y)].mean()), float(np.nanmean(y))


def test_where_a_business_has_seasons_the_level_is_that_of_the_year_before(seasonal: EventLog) -> None:
    judged, foreseen, came = judged_at(seasonal, KNOWN)
    assert judged.shares[START + timedelta(days=KNOWN)] == pytest.approx(came, abs=0.08)
    assert foreseen == pytest.approx(judged.shares[START + timedelta(days=KNOWN)], abs=1e-6)
    # The judged figures are those of the same level, a horizon earlier.
    here = judged.shares[judged.rehearsals[-1].cutoff]
    assert {round(float(p.mean()), 6) for p in judged.scores.values()} == {round(here, 6)}
    assert {scorer.calibration.kind for scorer in judged.scorers.values()} == {"none"}


def test_where_nothing_turns_with_the_year_the_level_is_that_of_the_fit(tmp_path: Path) -> None:
    judged, _, _ = judged_at(shop(tmp_path, seasons=0.0), KNOWN)
    assert not judged.shares
    assert {scorer.calibration.level for scorer in judged.scorers.values()} == {0.0}


def test_no_outcome_after_today_changes_the_level(seasonal: EventLog, tmp_path: Path) -> None:
    as_of = START + timedelta(days=KNOWN)
    known = build_examples(shop(tmp_path, seasons=1.1, until=KNOWN), as_of, CHURN, training=QUICK)
    with_future = build_examples(seasonal, as_of, CHURN, training=QUICK)
    assert known.year_before is not None
    assert known.year_before.equals(with_future.year_before)
    assert max(shares_of(known.year_before)) == as_of


def test_a_log_of_a_year_knows_no_year_before(seasonal: EventLog) -> None:
    examples = build_examples(seasonal, START + timedelta(days=400), CHURN, training=QUICK)
    assert examples.year_before is None
    assert shares_of(None) == {}


def test_a_shorter_horizon_has_its_own_year_before(seasonal: EventLog) -> None:
    examples = build_examples(seasonal, START + timedelta(days=KNOWN), CHURN, training=QUICK)
    whole, shorter = shares_of(examples.year_before), shares_of(examples.within(30).year_before)
    assert whole.keys() == shorter.keys()
    assert all(shorter[moment] > whole[moment] for moment in whole)


def test_moments_with_hardly_a_leaver_have_no_share() -> None:
    at = [START] * 40 + [START + timedelta(days=30)] * 40
    labels = pa.table(
        {"cutoff": pa.array(at, pa.timestamp("us", "UTC")), "left_us": [True] * 19 + [False] * 21 + [True, False] * 20}
    )
    assert shares_of(labels) == {START + timedelta(days=30) + YEAR: 0.5}


def rehearsed(levels: list[float], foreseen: float) -> tuple[list[Rehearsal], Slices]:
    """A month between cutoffs; everybody is foreseen alike, and the share that left changes."""
    rehearsals = [
        Rehearsal(
            cutoff=START + timedelta(days=30 * number),
            y=(np.arange(400) < 400 * level).astype(float),
            customers=np.arange(400),
            scores={"average": np.full(400, foreseen)},
        )
        for number, level in enumerate(levels)
    ]
    moments = tuple(one.cutoff for one in rehearsals)
    return rehearsals, Slices(
        fit=(), stop=(), calibrate=(), judge=moments[-1:], finished=moments, horizon=timedelta(days=30)
    )


def test_the_year_before_must_come_truer_at_earlier_cutoffs_and_not_fail_at_the_newest() -> None:
    levels = [0.6, 0.5, 0.3, 0.2, 0.2, 0.3]
    rehearsals, slices = rehearsed(levels, 0.4)
    moments = slices.finished
    today = {moments[-1] + slices.horizon: 0.4}
    right = dict(zip(moments, levels, strict=True)) | today
    assert comes_truer(rehearsals, right, slices, "average")
    assert not comes_truer(rehearsals, {moment: right[moment] for moment in moments}, slices, "average")
    assert not comes_truer(rehearsals, dict.fromkeys(moments, 0.4) | today, slices, "average")
    assert not comes_truer(rehearsals, right | {moments[-1]: 0.9}, slices, "average")
    assert not comes_truer(rehearsals, right | {moments[0]: 0.2, moments[1]: 0.8}, slices, "average")
    assert not comes_truer(rehearsals, {moment: right[moment] for moment in moments[-3:]} | today, slices, "average")
    assert not comes_truer(rehearsals, {moment: right[moment] for moment in moments[:-1]} | today, slices, "average")


def test_a_map_whose_like_harmed_before_is_not_used() -> None:
    trend, _ = rehearsed([0.5, 0.45, 0.4, 0.35, 0.3], 0.6)
    swing, _ = rehearsed([0.6, 0.3, 0.6, 0.3, 0.6], 0.45)
    assert min(map_gains(trend, "average", timedelta(days=30))) > 0
    assert max(map_gains(swing, "average", timedelta(days=30))) < 0


def test_the_level_keeps_the_order_and_is_stored() -> None:
    p = np.linspace(0.01, 0.99, 50)
    moved = at_share(p, 0.2)
    assert moved.mean() == pytest.approx(0.2)
    assert (np.diff(moved) > 0).all()
    level = Calibration(kind="shift", coefficients=(1.0, 1.0, 0.5), level=-0.7)
    assert Calibration.from_json(level.to_json()) == level
    assert (level.apply(p) < Calibration(kind="shift", coefficients=(1.0, 1.0, 0.5)).apply(p)).all()
    y = (np.arange(50) >= 40).astype(float)
    assert log_loss(y, moved) < log_loss(y, p)
