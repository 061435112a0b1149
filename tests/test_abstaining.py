"""A likely topic is enough to be ranked, not to be written to; and what nobody can be written to about is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import small_company
from small_company import AS_OF, MORNING, RUN, SmallCompany, customer_id, event, table
from sqlalchemy import select

from records.scores import Score, save_run
from records.tables import outreach, passed_over
from serving.candidates import Speaks, speaks_for
from serving.coverage import Coverage, coverage_of, keep_expected
from serving.left_out import REASONS
from serving.planning import explain
from serving.playbook import load_playbook

UNSURE = {"sure": False, "given_contact": 0.2}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_company.prepare(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def small(prepared: Path, tmp_path: Path) -> Iterator[SmallCompany]:
    made = small_company.copy_of(prepared, tmp_path)
    yield made
    made.engine.dispose()


def scored(small: SmallCompany, **changed: dict[str, Any]) -> None:
    """The night's scores again; of those named, the topics (`topic`) or reasons (`signal`) are other ones."""
    scores = []
    for who in small_company.NAMES:
        score, more = small_company.score(who), changed.get(who, {})
        if "topic" in more:
            score = replace(score, topics=[{"topic": score.topics[0]["topic"], "probability": 0.5, **more["topic"]}])
        if "signal" in more:
            score = replace(score, reasons=[{**score.reasons[0], "signal": more["signal"]}])
        scores.append(score)
    save_run(small.engine, RUN, scores)


def planned(small: SmallCompany) -> dict[str, str]:
    with small.engine.connect() as connection:
        rows = connection.execute(select(outreach.c.customer_id, outreach.c.play)).all()
    return {row[0]: row[1] for row in rows}


def passed(small: SmallCompany, who: str) -> tuple[str, str, str] | None:
    c = passed_over.c
    with small.engine.connect() as connection:
        found = connection.execute(
            select(c.play, c.reason, c.detail).where(c.customer_id == customer_id(who))
        ).one_or_none()
    return (found[0], found[1], found[2]) if found else None


def why(small: SmallCompany, who: str) -> dict[str, str]:
    rows = explain(small.engine, small.log, small.settings, load_playbook(), customer_id(who), AS_OF, MORNING)
    return {row["play"]: row["why"] for row in rows}


def test_nobody_is_written_to_about_a_topic_the_model_is_not_sure_of(small: SmallCompany) -> None:
    scored(small, chitra={"topic": UNSURE}, hari={"topic": UNSURE})
    result = small.plan()
    assert result.left_out["not_sure"] == 2
    assert customer_id("chitra") not in planned(small)
    assert passed(small, "chitra") == ("bill_explained", "not_sure", "billing")
    assert passed(small, "hari") == ("better_plan", "not_sure", "plan_price")
    assert set(planned(small).values()) == {"router_setup", "payment_help", "really_fixed"}


def test_who_was_passed_over_for_that_is_told_why(small: SmallCompany) -> None:
    scored(small, chitra={"topic": UNSURE})
    assert why(small, "chitra")["bill_explained"] == f"{REASONS['not_sure'].en} (billing)"
    scored(small)
    assert why(small, "chitra")["bill_explained"].startswith("whatsapp, en, ")


def test_a_score_from_before_anybody_asked_is_not_sure(small: SmallCompany) -> None:
    old = replace(small_company.score("chitra"), topics=[{"topic": "billing", "probability": 0.9}])
    save_run(small.engine, RUN, [old, *(small_company.score(who) for who in small_company.NAMES if who != "chitra")])
    assert small.plan().left_out["not_sure"] == 1


def test_a_reason_that_speaks_for_it_needs_no_topic(small: SmallCompany) -> None:
    scored(small, hari={"topic": UNSURE, "signal": "plan_price_change"})
    small.plan()
    assert planned(small)[customer_id("hari")] == "better_plan"


def test_whom_another_message_fits_gets_that_one(small: SmallCompany) -> None:
    scored(small, chitra={"topic": UNSURE})
    failed = {"bill_id": "B-9", "reason": "card_expired", "due_at": "2026-11-28T00:00:00+00:00"}
    small.log.append(table([event("chitra", "payment_failed", 5, failed, amount=Decimal(499), currency="INR")]))
    result = small.plan()
    assert "not_sure" not in result.left_out
    assert planned(small)[customer_id("chitra")] == "payment_help"


def test_only_the_first_topics_of_the_play_may_speak_for_it() -> None:
    """Sure of the third, unsure of the first: the play asks for one of the first two."""
    (trigger,) = load_playbook().play("bill_explained").trigger
    topics = [
        {"topic": "network", "probability": 0.5, "sure": True},
        {"topic": "billing", "probability": 0.3, "sure": False},
        {"topic": "delivery", "probability": 0.2, "sure": True},
    ]
    score: Score = replace(small_company.score("chitra"), topics=topics)
    assert speaks_for(trigger, score) == Speaks("billing")
    assert speaks_for(trigger, replace(score, topics=[topics[0], {**topics[1], "sure": True}])) == Speaks()
    assert speaks_for(trigger, replace(score, topics=[topics[0], topics[2], topics[1]])) is None


# ── what no message answers ───────────────────────────────────────────────────────────────────────────────
def test_what_no_message_answers_is_counted_over_everybody_scored(small: SmallCompany) -> None:
    topics = [
        [{"topic": "billing", "probability": 0.3}, {"topic": "app_login", "probability": 0.1}],
        [{"topic": "returns", "probability": 0.05}, {"topic": "network", "probability": 0.05}],
    ]
    keep_expected(small.engine, RUN, topics)
    result = small.plan()
    assert result.coverage is not None
    assert result.coverage.expected == pytest.approx(0.5)
    assert result.coverage.unanswered == pytest.approx({"app_login": 0.2, "returns": 0.1})
    assert list(result.coverage.unanswered) == ["app_login", "returns"]
    assert result.coverage.share == pytest.approx(0.3)


def test_where_no_model_foresees_topics_nothing_is_claimed(small: SmallCompany) -> None:
    with small.engine.connect() as connection:
        assert coverage_of(connection, [RUN], ()) is None
    keep_expected(small.engine, RUN, [[], []])
    assert small.plan().coverage is None


def test_where_every_topic_is_answered_nothing_is_missing() -> None:
    assert Coverage(expected=3.0, unanswered={}).share == 0
