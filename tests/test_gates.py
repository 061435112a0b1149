"""May a model be put in use? Cases made by hand, where it is known who ought to win."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from training.calibration import log_odds, sigmoid
from training.candidates import Rows, Settings
from training.evaluation import Floats, log_loss, paired_difference
from training.gates import against, knows_more, same_leaving, worse_calibration
from training.judging import Judged
from training.labels import Bands, ChurnOptions
from training.opponent import Opponent
from training.slices import SliceRow, gaps, slice_table, worse_slices
from training.walk import Rehearsal

COUNT = 4_000


def world(seed: int = 1) -> tuple[Floats, Floats, Floats]:
    """Who left, the true chance, and recency, which knows a little of it."""
    rng = np.random.default_rng(seed)
    known, hidden = rng.normal(0, 0.4, COUNT), rng.normal(0, 1.0, COUNT)
    p = sigmoid(-1.5 + known + hidden)
    return (rng.random(COUNT) < p).astype(float), p, sigmoid(-1.35 + known)


def judged(y: Floats, **scores: Floats) -> Judged:
    rows = Rows(X=np.zeros((len(y), 1)), y=y, recency=np.zeros(len(y)), customers=np.arange(len(y)))
    losses = {name: log_loss(y, p) for name, p in scores.items()}
    return Judged(rows=rows, scores=scores, scorers={}, losses=losses, settings=Settings(), raw=scores)


def opponent(scores: Floats, *, newer: bool = True) -> Opponent:
    return Opponent(what="the model in use", scores=scores, newer=newer)


Y, TRUE, RECENCY_SAYS = world()
NOISE = np.random.default_rng(9).normal(0, 1, COUNT)


def test_a_model_that_knows_more_than_recency_says_how_much() -> None:
    knows, why = knows_more(judged(Y, recency=RECENCY_SAYS, logistic=TRUE), "logistic")
    assert knows
    assert why.startswith("logistic beats recency alone by 0.")


def test_other_bands_or_a_setting_younger_than_the_model_are_no_other_question() -> None:
    """Or whoever shifts the bands puts a worse model in use: nothing would be compared."""
    asked = ChurnOptions().model_dump(mode="json")
    renamed = ChurnOptions(bands=Bands(high=0.7), begun_by=["enrolled"]).model_dump(mode="json")
    older = {name: value for name, value in asked.items() if name != "grace_days"}
    assert same_leaving(asked, renamed)
    assert same_leaving(older, asked)
    assert not same_leaving(asked, ChurnOptions(horizon_days=30).model_dump(mode="json"))
    assert not same_leaving({**asked, "of_a_later_version": 1}, asked)


def test_a_better_base_rate_alone_is_no_knowledge() -> None:
    """Recency's floor comes from another time; the model only knows today's share of leavers."""
    stale = sigmoid(log_odds(RECENCY_SAYS) + 0.8)
    blind = np.full(COUNT, Y.mean()) + 1e-4 * NOISE
    case = judged(Y, recency=stale, logistic=blind)
    assert case.losses["logistic"] < case.losses["recency"]  # as they stand
    assert case.winner == "recency"  # with the level set right
    knows, why = knows_more(case, "logistic")
    assert not knows
    assert "does not clearly rank better than chance" in why


def test_to_beat_a_recency_that_misleads_is_no_knowledge() -> None:
    """Those who came last leave first, and the model draws lots."""
    misleading, lots = sigmoid(-1.35 - log_odds(RECENCY_SAYS)), sigmoid(-1.5 + 0.05 * NOISE)
    knows, why = knows_more(judged(Y, recency=misleading, logistic=lots), "logistic")
    assert not knows
    assert "does not clearly rank better than chance: AUROC 0." in why
    assert knows_more(judged(Y, recency=misleading, logistic=TRUE), "logistic")[0]


def rehearsal(seed: int) -> Rehearsal:
    """An earlier cutoff at which the logistic knew the true chance of each of the same customers."""
    y, true, recency = world(seed)
    scores = {"recency": recency, "logistic": true, "lightgbm": sigmoid(log_odds(true) + 0.5 * NOISE)}
    return Rehearsal(cutoff=datetime(2026, 1, seed, tzinfo=UTC), y=y, customers=np.arange(COUNT), scores=scores)


def thin(**scores: Floats) -> Judged:
    """A newest horizon of sixty customers: too few to tell anything."""
    few = np.arange(60)
    return judged(Y[few], **{name: p[few] for name, p in scores.items()})


def test_earlier_horizons_vouch_where_the_newest_is_silent_and_not_where_it_contradicts() -> None:
    silent = thin(recency=RECENCY_SAYS, logistic=sigmoid(log_odds(RECENCY_SAYS) + 0.2 * NOISE))
    assert not knows_more(silent, "logistic")[0]
    knows, why = knows_more(replace(silent, rehearsals=[rehearsal(2), rehearsal(3)]), "logistic")
    assert knows
    assert "over 2 cutoffs together" in why
    wrong = judged(Y, recency=RECENCY_SAYS, logistic=sigmoid(-log_odds(TRUE)))
    assert not knows_more(replace(wrong, rehearsals=[rehearsal(2)]), "logistic")[0]
    unknowing = replace(rehearsal(2), scores={"recency": RECENCY_SAYS, "logistic": np.full(COUNT, 0.2) + 1e-4 * NOISE})
    assert not knows_more(replace(silent, rehearsals=[unknowing]), "logistic")[0]


def test_a_clearly_better_model_replaces_and_a_clearly_worse_one_does_not() -> None:
    better = judged(Y, recency=RECENCY_SAYS, logistic=TRUE)
    promoted, why = against(better, opponent(RECENCY_SAYS, newer=False), {})
    assert promoted
    assert ": better by 0." in why
    worse = judged(Y, recency=np.full(COUNT, 0.5), logistic=RECENCY_SAYS)
    promoted, why = against(worse, opponent(TRUE), {})
    assert not promoted
    assert "worse beyond chance" in why


def test_a_tie_is_taken_only_if_something_newer_was_learnt() -> None:
    case = judged(Y, recency=RECENCY_SAYS, logistic=TRUE)
    nearly = sigmoid(log_odds(TRUE) + 0.001 * NOISE)
    assert against(case, opponent(nearly, newer=True), {})[0]
    promoted, why = against(case, opponent(TRUE, newer=False), {})
    assert not promoted
    assert "nothing newer was learnt" in why


def test_a_model_that_pays_with_one_group_is_refused() -> None:
    """Better for nine in ten, and blind for the tenth."""
    group = np.arange(COUNT) % 10 == 0
    case = judged(Y, recency=RECENCY_SAYS, logistic=np.where(group, 0.5, TRUE))
    plans = {"plan": ["fiber" if one else "mobile" for one in group]}
    rival = opponent(RECENCY_SAYS)
    assert against(case, rival, {})[0]
    promoted, why = against(case, rival, plans)
    assert not promoted
    assert "worse for plan fiber" in why


def test_a_model_that_is_blind_for_a_few_is_refused_by_the_order_it_gives_them() -> None:
    """Four hundred customers: too few for their log loss to prove it, enough to see that nobody is told apart."""
    found = []
    for seed in range(8):
        y, p, _ = world(seed)
        group = np.arange(COUNT) % 10 == 0
        old = sigmoid(log_odds(p) + 0.5 * NOISE)
        plans = {"plan": ["fiber" if one else "mobile" for one in group]}
        found.append(" ".join(worse_slices(rows_of(y), np.where(group, y[group].mean(), p), old, plans)))
    assert all("plan fiber (AUROC worse by 0." in one for one in found)
    assert not any("mobile" in one for one in found)


def test_a_slice_may_be_worse_by_less_than_a_tie_however_many_prove_it() -> None:
    rng = np.random.default_rng(5)
    p = sigmoid(rng.normal(-1.5, 1, 300_000))
    y = (rng.random(len(p)) < p).astype(float)
    everybody = {"plan": ["mobile"] * len(p)}
    nearly, off = (sigmoid(log_odds(p) + size * rng.normal(0, 1, len(p))) for size in (0.1, 0.3))
    assert paired_difference(y, nearly, p, np.arange(len(p))).high < 0  # worse beyond chance
    assert not worse_slices(rows_of(y), nearly, p, everybody)
    assert worse_slices(rows_of(y), off, p, everybody)


def test_worse_calibration_is_refused_beyond_chance_only() -> None:
    crooked = sigmoid(2.2 * log_odds(TRUE) + 1.2)
    assert worse_calibration(judged(Y, logistic=crooked), crooked, TRUE)
    assert not worse_calibration(judged(Y, logistic=TRUE), TRUE, crooked)
    assert not worse_calibration(judged(Y, logistic=crooked), crooked, crooked)


# ── slices ───────────────────────────────────────────────────────────────────────────────────────────────────
def rows_of(y: Floats) -> Rows:
    return Rows(X=np.zeros((len(y), 1)), y=y, recency=np.zeros(len(y)), customers=np.arange(len(y)))


def test_a_plan_called_like_the_rest_hides_nobody() -> None:
    plans = ["all others" if number < COUNT // 2 else f"plan {number % 40}" for number in range(COUNT)]
    table = slice_table(rows_of(Y), TRUE, {"plan": plans})
    assert sum(row.rows for row in table) == COUNT


def test_a_verdict_names_a_slice_of_any_name_in_one_short_line() -> None:
    """It is stored as a tag, which holds so many characters and else stops the training."""
    blind = np.full(COUNT, Y.mean())
    (lost,) = worse_slices(rows_of(Y), blind, TRUE, {"plan": ["a\nb " + "x" * 100_000] * COUNT})[:1]
    assert lost.startswith("plan a b xxx")
    assert len(lost) < 200


def test_slices_hold_everybody_once_and_the_rare_share_one() -> None:
    towns = [f"town {number % 40}" if number % 3 else None for number in range(COUNT)]
    table = slice_table(rows_of(Y), TRUE, {"region": towns, "plan": [None] * COUNT})
    assert {row.attribute for row in table} == {"region"}
    assert sum(row.rows for row in table) == COUNT
    assert {"all others", "not known"} <= {row.value for row in table}
    whole = next(row for row in table if row.value == "not known")
    assert whole.log_loss_low < whole.log_loss < whole.log_loss_high
    assert not whole.too_small
    assert next(row for row in table if row.value.startswith("town")).too_small


def test_a_gap_is_between_the_best_and_the_worst_large_slice() -> None:
    half = np.arange(COUNT) < COUNT // 2
    shifted = np.where(half, TRUE, sigmoid(log_odds(TRUE) + 1.0))
    table = slice_table(rows_of(Y), shifted, {"channel": ["app" if one else "web" for one in half]})
    (gap,) = gaps(table)
    miscalibrated = {row.value: row.miscalibration for row in table}
    assert gap.slices == 2
    assert gap.miscalibration == pytest.approx(miscalibrated["web"] - miscalibrated["app"])
    assert gap.miscalibration > 0.1
    tiny = [replace(row, too_small=True) for row in table]
    assert gaps(tiny) == ()
    assert all(isinstance(row, SliceRow) for row in table)


def test_many_slices_of_an_equal_model_seldom_lose_by_chance() -> None:
    rng = np.random.default_rng(3)
    lost = 0
    for seed in range(10):
        y, p, _ = world(seed)
        one, other = (sigmoid(log_odds(p) + 0.2 * rng.normal(0, 1, COUNT)) for _ in range(2))
        groups = {"region": [f"r{code}" for code in rng.integers(0, 10, COUNT)]}
        lost += bool(worse_slices(rows_of(y), one, other, groups))
    assert lost <= 2


def test_values_must_fit_the_rows() -> None:
    with pytest.raises(ValueError, match="has 1 values for 4000 rows"):
        slice_table(rows_of(Y), TRUE, {"plan": ["a"]})
