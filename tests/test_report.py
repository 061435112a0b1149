"""The report of a training run: one file that needs nothing else, escapes what comes from data, and explains itself."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from training.anchors import anchor
from training.candidates import ORDER, RECENCY, Rows, Settings, joined
from training.curves import calibration_groups, gain, lift_curve, roc
from training.evaluation import MEASURES, Estimate
from training.importance import Importance
from training.labels import TrainingOptions
from training.report import Content, points, render, write_report
from training.report_plots import said
from training.report_topics import Topic, Topics, rankings
from training.slices import slice_table
from training.time_slices import Slices
from training.walk import MOST_ROWS, Step, thinned, walk

NOW = datetime(2026, 11, 24, 4, 42, tzinfo=UTC)
EVIL = "<script>alert('x')</script>"
SETTINGS = {
    "as_of": "2026-11-24T00:00:00+00:00",
    "churn": {"definition": "event", "event": "subscription_cancelled", "horizon_days": 90, "where": {"plan": EVIL}},
    "issues": {"event": "support_ticket_opened", "horizon_days": 30},
    "training": {"seed": 2026},
    "versions": {"lightgbm": "4.7.0"},
    "data_sha256": "d" * 64,
    "signals_sha256": "e" * 64,
    "slices": {
        "fit": ["2025-09-30T00:00:00+00:00"],
        "stop": [],
        "calibrate": [],
        "judge": ["2026-08-26T00:00:00+00:00"],
        "finished": ["2025-09-30T00:00:00+00:00", "2026-08-26T00:00:00+00:00"],
    },
}


def rows_of(count: int = 600, seed: int = 1) -> Rows:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(count, 3))
    y = (rng.random(count) < 1 / (1 + np.exp(2 - 1.5 * X[:, 0]))).astype(np.float64)
    return Rows(X=X, y=y, recency=np.abs(X[:, 1]) * 10, customers=np.arange(count))


def a_step(number: int, gain: tuple[float, float, float] = (0.01, 0.02, 0.03)) -> Step:
    low, value, high = gain
    return Step(
        cutoff=NOW - timedelta(days=30 * (9 - number)),
        customers=600,
        left_share=0.1 + number / 100,
        log_loss={"logistic": 0.3, RECENCY: 0.33},
        auroc={"logistic": 0.7, RECENCY: 0.5},
        gain=Estimate(value=value, low=low, high=high, rows=600),
        predicted_share=0.12,
    )


def content() -> Content:
    rows = rows_of()
    p = 1 / (1 + np.exp(2 - 1.5 * rows.X[:, 0]))
    scores = {RECENCY: np.full(len(rows), rows.y.mean()), "logistic": p}
    figures = {
        name: {key: Estimate(value=one(rows.y, p), low=np.nan, high=np.nan, rows=600) for key, one in MEASURES.items()}
        for name, p in scores.items()
    }
    plans = [EVIL if number % 2 else "basic" for number in range(len(rows))]
    return Content(
        definition="default",
        made_at=NOW,
        settings=SETTINGS,
        provenance={"git_commit": "abc"},
        counts=[("Customers", "600")],
        notes=("the log is short",),
        winner="logistic",
        promoted=False,
        why=f"nothing beats {EVIL}",
        rows=rows,
        scores=scores,
        figures=figures,
        steps=[a_step(number) for number in range(7)],
        importance=[Importance(signal=EVIL, question="", family="own", gain=None, push=0.2)],
        slices=slice_table(rows, p, {"plan": plans}),
        topics=Topics(
            customers=40,
            rankings=rankings({"model_map_3": 0.4, "logistic_map_3": 0.4, "markov_map_3": 0.3}),
            topics=[
                Topic(name=EVIL, share=0.4, auroc=0.6, answered=False),
                Topic(name="बिल", share=0.2, auroc=0.7, answered=True),
            ],
            macro_auroc=Estimate(value=0.65, low=0.61, high=0.69, rows=40),
        ),
        sha256="f" * 64,
    )


@pytest.fixture(scope="module")
def html() -> str:
    return render(content())


def test_names_from_data_are_words_and_never_code(html: str) -> None:
    assert "<script" not in html.lower()
    assert html.count("&lt;script&gt;") >= 4  # a plan, a topic, a signal, a setting


def test_a_name_of_any_length_takes_one_line() -> None:
    found, long = content(), "y" * 10_000
    topics = Topics(
        customers=40,
        rankings=(),
        topics=[Topic(name=long, share=0.4, auroc=0.6, answered=False)],
        macro_auroc=None,
    )
    plans = [long] * len(found.rows)
    table = slice_table(found.rows, found.scores["logistic"], {"plan": plans})
    assert "y" * 100 not in render(replace(found, topics=topics, slices=table))


def test_the_file_needs_nothing_else(html: str) -> None:
    assert re.findall(r"""(?:https?:)?//[\w.-]+|@import|url\(|\bsrc=|<link(?! rel="icon" href="data:,")""", html) == []
    assert ".plot" in html
    assert "--neel:" in html


def test_the_same_run_gives_the_same_bytes(html: str, tmp_path: Path) -> None:
    assert write_report(tmp_path / "new", content()).read_text(encoding="utf-8") == html


def test_it_says_who_won_whether_it_is_in_use_and_why(html: str) -> None:
    assert "Logistic won and was not put in use" in html
    assert "Not put in use: nothing beats" in html
    assert "The log is short." in html
    promoted = replace(content(), promoted=True, why="it is better")
    assert "Logistic won and was put in use" in render(promoted)
    assert "Put in use: it is better." in render(promoted)


@pytest.mark.parametrize("name", sorted(MEASURES))
def test_every_measure_says_what_useless_good_and_perfect_are(name: str, html: str) -> None:
    found = anchor(name, 0.2)
    assert all((found.question, found.useless, found.good, found.perfect))
    assert found.name in html


def test_settings_are_told_as_they_are_written_and_what_follows_from_others_in_words() -> None:
    def told(unless: list[dict[str, str]]) -> str:
        return render(replace(content(), settings=SETTINGS | {"churn": {**SETTINGS["churn"], "unless": unless}}))

    assert "unless =" not in told([])
    assert "Nobody of an earlier definition" not in told([])
    assert "<dt>Nobody of an earlier definition</dt><dd>{ plan = &#34;gold&#34; }</dd>" in told([{"plan": "gold"}])


def test_every_candidate_has_a_name_for_people() -> None:
    assert [said(name) for name in ORDER] == [
        "recency alone", "logistic", "Pareto/NBD", "LightGBM", "LightGBM, tuned", "average of two"
    ]  # fmt: skip


def test_foreseen_and_came_stand_side_by_side_month_by_month(html: str) -> None:
    assert "Share that left and share foreseen at 7 cutoffs; widest gap 4.0%." in html


def test_topics_no_message_helps_with_are_named(html: str) -> None:
    assert "No message helps with: &lt;script&gt;" in html
    assert "none yet" in html


def test_a_log_without_topics_walk_or_slices_says_so() -> None:
    bare = render(replace(content(), topics=None, steps=[], slices=[]))
    assert "No topics are known in this log" in bare
    assert "no finished cutoff has an earlier finished one to learn from" in bare
    assert "there are no slices to compare" in bare


def test_of_slices_too_small_to_say_anything_a_few_are_shown_and_the_others_counted() -> None:
    rows = rows_of()
    regions = ["large" if number < 400 else f"village {number % 9}" for number in range(len(rows))]
    shown = render(replace(content(), slices=slice_table(rows, rows.y * 0.5 + 0.2, {"region": regions})))
    assert shown.count("village") == 4
    assert "and 5 more of at most 22 customers" in shown


def test_a_short_walk_is_said_to_be_one() -> None:
    assert "No other finished cutoff has an earlier one" in render(replace(content(), steps=[a_step(0), a_step(1)]))
    assert "No other finished cutoff has an earlier one" not in render(content())


def test_months_that_do_harm_are_counted_too() -> None:
    steps = [a_step(0), a_step(1, (-0.03, -0.02, -0.01)), a_step(2, (-0.01, 0.01, 0.03))]
    assert "clearly better than recency alone at 1 of 3 cutoffs, clearly worse at 1." in render(
        replace(content(), steps=steps)
    )


def test_a_floor_that_wins_is_no_reason_to_boast() -> None:
    shown = render(replace(content(), winner=RECENCY))
    assert "Recency alone won and was not put in use" in shown
    assert "the other signals add nothing here" in shown


# ── curves ────────────────────────────────────────────────────────────────────────────────────────────────
def test_curves_of_perfect_and_of_constant_scores() -> None:
    y = np.array([1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    assert (0.0, 1.0) in roc(y, y)
    assert (0.25, 1.0) in gain(y, y)
    assert max(value for _, value in lift_curve(y, y)) == pytest.approx(4.0)
    constant = np.full(8, 0.5)
    assert roc(y, constant) == ((0.0, 0.0), (1.0, 1.0))
    assert [value for _, value in lift_curve(y, constant)] == pytest.approx([1.0] * 100)


def test_calibration_groups_count_everybody_once() -> None:
    rows = rows_of(605)
    groups = calibration_groups(rows.y, rows.X[:, 0] / 10 + 0.5)
    assert sum(group.customers for group in groups) == 605
    assert all(group.low <= group.left <= group.high for group in groups)
    assert [group.predicted for group in groups] == sorted(group.predicted for group in groups)


def test_calibration_groups_that_cut_a_tie_share_its_leavers() -> None:
    groups = calibration_groups(np.repeat([1.0, 0.0], [60, 140]), np.full(200, 0.3))
    assert [round(group.left, 9) for group in groups] == [0.3] * 10


def test_points_have_a_side_and_a_real_minus() -> None:
    assert [points(share) for share in (0.0213, -0.004, 0.0001)] == ["+2.1", "−0.4", "0.0"]


# ── the walk ──────────────────────────────────────────────────────────────────────────────────────────────
CUTOFFS = tuple(NOW - timedelta(days=30 * back) for back in range(5, 0, -1))


SLICES = Slices(
    fit=CUTOFFS[:1], stop=(), calibrate=(), judge=CUTOFFS[-1:], finished=CUTOFFS, horizon=timedelta(days=60)
)


def walked(*, altered_from: int = 99) -> list[Step]:
    """Five cutoffs with a horizon of 60 days; from one on, all labels are turned round."""
    parts = {}
    for number, cutoff in enumerate(CUTOFFS):
        rows = rows_of(500, seed=number)
        parts[cutoff] = replace(rows, y=1 - rows.y) if number >= altered_from else rows
    training = TrainingOptions(max_rounds=20)
    found = walk(SLICES, lambda cutoffs: joined([parts[cutoff] for cutoff in cutoffs]), training, Settings(rounds=20))
    return [one.step("logistic") for one in found]


def test_each_step_of_the_walk_knows_only_what_was_finished_by_then() -> None:
    steps = walked()
    assert [step.cutoff for step in steps] == list(CUTOFFS[2:])
    # What comes at the fourth cutoff and later is known to nobody before the fifth.
    again = walked(altered_from=3)
    assert again[0] == steps[0]
    assert again[1].predicted_share == steps[1].predicted_share
    assert again[1].left_share != steps[1].left_share
    assert steps[2].log_loss["logistic"] < steps[2].log_loss[RECENCY]
    assert {*steps[0].log_loss} >= {RECENCY, "logistic", "lightgbm", "average"}


def test_a_large_walk_keeps_the_same_customers_at_every_cutoff() -> None:
    many = rows_of(MOST_ROWS * 3)
    kept = thinned(many)
    assert MOST_ROWS * 0.9 < len(kept) < MOST_ROWS * 1.1
    turned = Rows(X=many.X[::-1], y=many.y[::-1], recency=many.recency[::-1], customers=many.customers[::-1])
    assert set(thinned(turned).customers) == set(kept.customers)
    assert thinned(rows_of(100)).customers.tolist() == list(range(100))
