"""Why did this person get this message, and does it come out the same again, to the bit?"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from sqlalchemy import select, update
from typer.testing import CliRunner

from records.errors import InputError
from records.outreach import BEFORE, Outreach
from records.tables import customers, outreach, scores
from serving.cli import app
from serving.home import Home, open_home
from serving.recomputing import Explanation, explain
from training.registry import Registry


@pytest.fixture
def home(demo_home: Path) -> Home:
    return open_home(demo_home)


def scored_row(home: Home) -> Outreach:
    """One outreach that was planned from a score with reasons."""
    query = (
        select(outreach)
        .join(scores, scores.c.score_id == outreach.c.score_id)
        .where(
            outreach.c.list_id
            == select(outreach.c.list_id).order_by(outreach.c.list_id.desc()).limit(1).scalar_subquery()
        )
        .order_by(outreach.c.churn_probability.desc(), outreach.c.outreach_id)
    )
    with home.engine.connect() as connection:
        rows = [Outreach(**row._mapping) for row in connection.execute(select(outreach).where(
            outreach.c.outreach_id.in_(select(query.subquery().c.outreach_id))
        ).order_by(outreach.c.churn_probability.desc(), outreach.c.outreach_id))]  # fmt: skip
    return next(row for row in rows if row.reasons)


def differing(found: Explanation) -> list[str]:
    return [part.part for part in found.parts if part.same is False]


def test_a_score_comes_out_the_same_to_the_bit(home: Home) -> None:
    row = scored_row(home)
    found = explain(home, row.outreach_id)
    assert differing(found) == []
    assert found.verdict == "same"
    assert found.recomputed == found.churn_probability == row.churn_probability
    assert {part.part for part in found.parts} == {
        "model", "data", "signals", "score", "reasons", "topics", "words", "rules"
    }  # fmt: skip
    assert found.reasons == tuple(reason["en"] for reason in row.reasons)
    json.dumps(found.to_json())


def test_everybody_on_the_list_comes_out_the_same(home: Home) -> None:
    with home.engine.connect() as connection:
        newest = connection.execute(select(outreach.c.list_id).order_by(outreach.c.list_id.desc()).limit(1)).scalar()
        ids = connection.execute(
            select(outreach.c.outreach_id).where(outreach.c.list_id == newest, outreach.c.score_id.is_not(None))
        ).scalars()
        some = sorted(ids)[:12]
    assert some
    assert {explain(home, one).verdict for one in some} == {"same"}


def event(who: str, at: datetime, received: datetime) -> pa.Table:
    moment = pa.timestamp("us", "UTC")
    return pa.table(
        {
            "customer_id": [who],
            "name": ["support_ticket_opened"],
            "topic": ["billing"],
            "occurred_at": pa.array([at], moment),
            "received_at": pa.array([received], moment),
        }
    )


def test_a_log_that_has_grown_and_events_that_came_late_change_nothing(home: Home) -> None:
    row = scored_row(home)
    before = explain(home, row.outreach_id)
    assert before.as_of is not None
    after = before.as_of + timedelta(days=2)
    home.log.append(event(row.customer_id, after, after))
    home.log.append(event(row.customer_id, before.as_of - timedelta(days=3), after))
    assert explain(home, row.outreach_id) == before


def test_an_event_put_in_with_an_earlier_date_is_found_out(home: Home) -> None:
    row = scored_row(home)
    as_of = explain(home, row.outreach_id).as_of
    assert as_of is not None
    earlier = as_of - timedelta(days=3)
    home.log.append(event(row.customer_id, earlier, earlier))
    found = explain(home, row.outreach_id)
    assert found.verdict == "differs"
    assert {"data", "signals"} <= set(differing(found))  # the score only where the model looks at it


def test_another_model_in_use_does_not_matter(home: Home) -> None:
    row = scored_row(home)
    registry, now = Registry(home.mlruns), datetime(2026, 11, 24, tzinfo=UTC)
    first = registry.version("1")
    tags = {key: first.tags[key] for key in ("winner", "as_of", "why")}
    second = registry.register(first.run_id, sha256=first.tags["model_sha256"], at=now, tags=tags)
    registry.promote("1", at=now, by="tests")
    registry.promote(second, at=now, by="tests")
    registry.rollback(at=now, by="tests")
    assert explain(home, row.outreach_id).verdict == "same"


def test_an_altered_model_is_named(home: Home) -> None:
    row = scored_row(home)
    for file in (home.mlruns / "artifacts").rglob("model.json"):
        file.write_text(file.read_text().replace('"seed":2026', '"seed":2027'))
    found = explain(home, row.outreach_id)
    assert differing(found) == ["model"]
    assert "altered" in found.parts[0].said


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda found: {"churn_probability": found.churn_probability + 1e-12}, "score"),
        (lambda found: {"reasons": found.reasons[:-1]}, "reasons"),
        (lambda found: {"signals_sha256": "0" * 16}, "signals"),
        (lambda found: {"topics": found.topics[::-1]}, "topics"),
    ],
)
def test_whatever_was_altered_in_the_store_is_named(home: Home, change: Callable[..., object], part: str) -> None:
    row = scored_row(home)
    with home.engine.begin() as connection:
        stored = connection.execute(select(scores).where(scores.c.score_id == row.score_id)).one()
        connection.execute(update(scores).where(scores.c.score_id == row.score_id).values(change(stored)))
    assert differing(explain(home, row.outreach_id)) == [part]


def test_altered_words_are_named(home: Home) -> None:
    row = scored_row(home)
    variables = {**row.variables, next(iter(row.variables)): "something else"}
    with home.engine.begin() as connection:
        connection.execute(
            update(outreach).where(outreach.c.outreach_id == row.outreach_id).values(variables=variables)
        )
    assert differing(explain(home, row.outreach_id)) == ["words"]


def test_of_an_erased_person_nothing_is_recomputed_or_shown(home: Home) -> None:
    row = scored_row(home)
    with home.engine.begin() as connection:
        mine = customers.c.customer_id == row.customer_id
        connection.execute(update(customers).where(mine).values(erased_at=datetime(2026, 11, 20, tzinfo=UTC)))
    found = explain(home, row.outreach_id)
    assert found.verdict == "erased"
    assert row.customer_id not in json.dumps(found.to_json())
    said = CliRunner().invoke(app, ["--home", str(home.path), "explain", row.outreach_id]).stdout
    assert "Erased" in said
    assert row.customer_id not in said


def test_what_was_set_off_by_an_event_has_no_score(home: Home) -> None:
    row = replace(scored_row(home), score_id=None)
    with home.engine.begin() as connection:
        connection.execute(update(outreach).where(outreach.c.outreach_id == row.outreach_id).values(score_id=None))
    assert explain(home, row.outreach_id).verdict == "not scored"


def test_of_a_message_from_before_pehle_nothing_is_said_to_differ(home: Home) -> None:
    with home.engine.connect() as connection:
        past = connection.execute(select(outreach).where(outreach.c.trigger_key.startswith(BEFORE)).limit(1)).one()
    found = explain(home, past.outreach_id)
    assert (found.verdict, differing(found)) == ("not scored", [])
    assert "before Pehle kept the words" in next(part.said for part in found.parts if part.part == "words")
    assert BEFORE not in str(found.parts)


def test_the_command_says_it_in_words_and_in_json(home: Home) -> None:
    row = scored_row(home)
    said = CliRunner().invoke(app, ["--home", str(home.path), "explain", row.outreach_id]).stdout
    assert "Recomputed: the same to the bit." in said
    assert row.reasons[0]["en"] in said
    found = json.loads(CliRunner().invoke(app, ["--home", str(home.path), "explain", row.outreach_id, "--json"]).stdout)
    assert (found["verdict"], found["recomputed"]) == ("same", row.churn_probability)


def test_an_unknown_id_is_refused(home: Home) -> None:
    with pytest.raises(InputError, match=r"no outreach 'O-0'"):
        explain(home, "O-0")
