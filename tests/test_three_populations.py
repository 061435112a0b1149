"""Three definitions of leaving in one home, from training to the screens: each place asks a person's own one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from three_populations import AS_OF, EVENING, MORNING, company, events, kind_of, pehle
from web_client import Clock, client_of, sign_in

from records.browsing import latest_list
from records.scores import find_scores, latest_run, runs_together
from records.tables import outreach
from serving.candidates import gather
from serving.home import Home, open_home
from serving.playbook import load_playbook
from serving.results import results
from serving.standing import load_standing
from serving.triggers import people_sql
from training.registry import Registry

CLOCK = "serving.commands.shared_options.wall_clock"
MODELS = {"prepaid": "prepaid-1", "fiber": "fiber-1", "shop": "1"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained, in use, scored and planned, by the command line; the list waits."""
    home = company(tmp_path_factory.mktemp("trio") / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CLOCK, lambda: MORNING)
        trained = json.loads(pehle(home.path, "train", "--json"))
        assert [one["definition"] for one in trained["definitions"]] == ["prepaid", "fiber", "default"]
        for version in MODELS.values():
            pehle(home.path, "models", "promote", version, "--by", "Meera Iyer")
        pehle(home.path, "score")
        pehle(home.path, "plan")
    home.engine.dispose()
    return home.path


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Iterator[Home]:
    found = open_home(Path(shutil.copytree(made, tmp_path / "home")))
    yield found
    found.engine.dispose()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock(MORNING)
    monkeypatch.setattr(CLOCK, found)
    return found


def planned(home: Home) -> list[tuple[str, str, str]]:
    """(outreach, customer, arm) of everybody on the list for a better plan."""
    c = outreach.c
    with home.engine.connect() as connection:
        rows = connection.execute(select(c.outreach_id, c.customer_id, c.arm).where(c.play == "better_plan"))
        return [(row[0], row[1], row[2]) for row in rows]


def test_the_plan_counts_and_names_everybody_scored(home: Home) -> None:
    with home.engine.connect() as connection:
        run = latest_run(connection)
        assert run is not None
        runs = runs_together(connection, run.run_id)
        scored = find_scores(connection, run.run_id)
        the_list = latest_list(connection)
    assert [one.model_version for one in runs] == ["fiber-1", "prepaid-1", "1"]
    assert sum(one.customers for one in runs) == len(scored)
    assert the_list is not None
    assert the_list.model_version == "fiber-1, prepaid-1, 1"
    assert {kind_of(who) for _, who, _ in planned(home)} == {"prepaid", "fiber"}
    for who, score in scored.items():
        assert score.model_version == MODELS[kind_of(who)]
    # A shopper at 85 % is of medium risk, a fibre customer at 11 % of high risk.
    highs = {kind: [s for w, s in scored.items() if kind_of(w) == kind and s.band == "high"] for kind in MODELS}
    assert min(s.churn_probability for s in highs["fiber"]) < 0.5 <= min(s.churn_probability for s in highs["prepaid"])


def test_who_is_fine_is_counted_over_all_definitions(home: Home, clock: Clock) -> None:
    said = json.loads(pehle(home.path, "plan", "--json"))
    with home.engine.connect() as connection:
        run = latest_run(connection)
        assert run is not None
        scored = len(find_scores(connection, run.run_id))
    assert said["fine"] + said["planned"] + said["held_out"] + sum(said["left_out"].values()) == scored


def test_only_who_leaves_by_cancelling_has_left(home: Home) -> None:
    """The same event of a prepaid customer, who leaves by falling silent, is none of their definition."""
    moment = AS_OF + timedelta(hours=1)
    with home.engine.connect() as connection:
        run = latest_run(connection)
        assert run is not None
        scored = find_scores(connection, run.run_id)
    some = {kind: next(who for who in sorted(scored) if kind_of(who) == kind) for kind in MODELS}
    home.log.append(
        events([{"customer_id": who, "name": "subscription_cancelled", "occurred_at": AS_OF} for who in some.values()])
    )
    with home.log.connection() as con:
        people_sql(con, "asked", list(some.values()))
        found = load_standing(
            con,
            home.log.relation_sql(until=moment),
            "asked",
            as_of=moment,
            churn=home.settings.churn,
            escalated=load_playbook().nothing.escalated,
        )
    assert {kind: found[who].left_at for kind, who in some.items()} == {"prepaid": None, "fiber": AS_OF, "shop": None}


def test_whoever_cancels_after_the_approval_is_not_written_to(home: Home, clock: Clock) -> None:
    treated = {who: one for one, who, arm in planned(home) if arm == "treated"}
    gone = {kind: next(who for who in sorted(treated) if kind_of(who) == kind) for kind in ("prepaid", "fiber")}
    pehle(home.path, "review", "approve", *treated.values(), "--by", "Meera Iyer")
    clock.now = EVENING
    home.log.append(
        events(
            [
                {"customer_id": who, "name": "subscription_cancelled", "occurred_at": MORNING + timedelta(hours=2)}
                for who in gone.values()
            ]
        )
    )
    pehle(home.path, "send")
    with home.engine.connect() as connection:
        states = dict(connection.execute(select(outreach.c.customer_id, outreach.c.state)).tuples().all())
        reasons = dict(connection.execute(select(outreach.c.customer_id, outreach.c.reason)).tuples().all())
    assert (states[gone["fiber"]], reasons[gone["fiber"]]) == ("cancelled", "have left")
    assert states[gone["prepaid"]] == "sent"


def sent_and_over(home: Home, clock: Clock) -> datetime:
    """The list goes out; then 61 days pass in which every second person goes on and every second one is gone."""
    waiting = [one for one, _, arm in planned(home) if arm == "treated"]
    pehle(home.path, "review", "approve", *waiting, "--by", "Meera Iyer")
    clock.now = EVENING
    pehle(home.path, "send")
    later = []
    for number, (_, who, _) in enumerate(planned(home)):
        day = EVENING + timedelta(days=5)
        if kind_of(who) == "prepaid":
            name = "recharge_made" if number % 2 else "session_started"
        else:
            name = "session_started" if number % 2 else "subscription_cancelled"
        later.append({"customer_id": who, "name": name, "occurred_at": day})
    clock.now = EVENING + timedelta(days=62)
    later.append({"customer_id": "S 002", "name": "session_started", "occurred_at": clock.now - timedelta(minutes=1)})
    home.log.append(events(later))
    return clock.now


def test_results_ask_each_person_by_their_own_definition(home: Home, clock: Clock) -> None:
    """Recharging is staying for prepaid customers, not cancelling for those with fibre."""
    now = sent_and_over(home, clock)
    stayed = {who for number, (_, who, _) in enumerate(planned(home)) if number % 2}
    treated = [who for _, who, arm in planned(home) if arm == "treated"]
    (found,) = [
        row for row in results(home.engine, home.log, load_playbook(), home.settings, now) if row.play == "better_plan"
    ]
    assert found.n_treated == len(treated)
    assert {kind_of(who) for who in stayed} == {"prepaid", "fiber"}
    assert found.good_treated == len(stayed & set(treated))
    told = json.loads(pehle(home.path, "results", "--json"))
    assert next(row for row in told if row["play"] == "better_plan")["good_treated"] == found.good_treated


def test_who_changed_the_plan_afterwards_is_judged_by_the_one_of_then(home: Home, clock: Clock) -> None:
    now = sent_and_over(home, clock)
    before = results(home.engine, home.log, load_playbook(), home.settings, now)
    home.log.append(
        events(
            [
                {
                    "customer_id": who,
                    "name": "plan_changed",
                    "product": "fiber_999" if kind_of(who) == "prepaid" else "mobile_299",
                    "occurred_at": EVENING + timedelta(days=9),
                }
                for _, who, _ in planned(home)
            ]
        )
    )
    assert results(home.engine, home.log, load_playbook(), home.settings, now) == before


def test_status_names_every_model_in_use_and_whoever_has_none(home: Home, clock: Clock) -> None:
    said = json.loads(pehle(home.path, "status", "--json"))
    assert said["champion"] == "fiber-1, prepaid-1, 1"
    assert [one["definition"] for one in said["models"]] == ["default", "fiber", "prepaid"]
    assert said["without_model"] == []
    rows = json.loads(pehle(home.path, "models", "--json"))
    keys = {"version", "alias", "created_at", "model_sha256", "data_sha256", "metrics"}
    assert [keys <= set(row) for row in rows] == [True] * 3
    assert {row["version"]: row["alias"] for row in rows} == dict.fromkeys(MODELS.values(), "champion")
    spans = {one["definition"]: one["first_known"][:10] for one in said["models"]}
    assert spans == {
        "default": str((AS_OF + timedelta(days=30)).date()),
        "prepaid": str((AS_OF + timedelta(days=30)).date()),
        "fiber": str((AS_OF + timedelta(days=45)).date()),
    }
    words = pehle(home.path, "status")
    assert "model in use: fiber-1, prepaid-1, 1" in words
    text = (home.path / "pehle.toml").read_text()
    (home.path / "pehle.toml").write_text(text.replace("[churn.fiber]", "[churn.fibre]"))
    said = json.loads(pehle(home.path, "status", "--json"))
    assert said["champion"] == "prepaid-1, 1"
    assert said["without_model"] == ["fibre"]
    words = pehle(home.path, "status")
    assert "model fiber-1 of fiber: [churn.fiber] is no longer in pehle.toml, nobody is scored with it" in words
    assert "definition fibre: no model yet" in words


def test_each_screen_shows_the_thresholds_and_days_of_the_persons_own_definition(home: Home, clock: Clock) -> None:
    client = sign_in(client_of(home, clock), home, clock)
    today = client.get("/").text
    assert "Version fiber-1, prepaid-1, 1" in today
    with home.engine.connect() as connection:
        the_list = latest_list(connection)
    assert the_list is not None
    page = client.get(f"/lists/{the_list.list_id}?q=F+").text
    assert 'fine third">within 45 days' in page
    assert 'fine third">within 30 days' not in page
    assert "M5.2 8v3M10.4 8v3" in page  # ticks of the track at 5 % and 10 % of 104
    page = client.get(f"/lists/{the_list.list_id}?q=P+").text
    assert 'fine third">within 30 days' in page
    assert "M20.8 8v3M52.0 8v3" in page
    for kind, days, tick in (("fiber", 45, "M5.2 8v3M10.4 8v3"), ("prepaid", 30, "M20.8 8v3M52.0 8v3")):
        one = next(one for one, who, arm in planned(home) if kind_of(who) == kind and arm == "treated")
        page = client.get(f"/outreach/{one}").text
        assert f"within {days} days" in page
        assert tick in page
    models = client.get("/models").text
    assert [name in models for name in ("For: default", "For: fiber", "For: prepaid")] == [True] * 3
    for version in MODELS.values():
        assert f"/models/{version}/report" in models


def test_one_persons_plays_are_explained_by_their_own_band(home: Home, clock: Clock) -> None:
    gathered = gather(home.engine, home.log, home.settings, load_playbook(), as_of=AS_OF, now=MORNING)
    assert gathered.run is not None
    with home.engine.connect() as connection:
        scored = find_scores(connection, gathered.run.run_id)
    low = next(who for who in sorted(scored) if kind_of(who) == "prepaid" and scored[who].band == "low")
    said = json.loads(pehle(home.path, "plan", "--explain", low, "--json"))
    assert next(row for row in said if row["play"] == "better_plan")["why"] == "the risk is low, not high"


# ── one message behind it all, recomputed ─────────────────────────────────────────────────────────────────
def explained(home: Path, one: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(pehle(home, "explain", one, "--json"))
    return found


def test_a_score_is_made_again_to_the_bit_after_training_rolling_back_and_moving(home: Home, clock: Clock) -> None:
    some = {kind: next(one for one, who, arm in planned(home) if kind_of(who) == kind) for kind in ("prepaid", "fiber")}
    registry = Registry(home.mlruns)
    for definition in ("prepaid", "fiber"):
        again = pehle(home.path, "models", "rollback", "--definition", definition, code=1)
        assert "no earlier model" in again
    there = "there are no models of 'shop'; there are some of default, fiber, prepaid"
    assert there in pehle(home.path, "models", "rollback", "--definition", "shop", code=1)
    clock.now = MORNING + timedelta(days=1)
    pehle(home.path, "train", "--as-of", (AS_OF - timedelta(days=20)).isoformat())
    for definition in ("prepaid", "fiber"):
        pehle(home.path, "models", "promote", f"{definition}-2")
        told = pehle(home.path, "models", "rollback", "--definition", definition)
        others = ", ".join(one for one in ("default", "fiber", "prepaid") if one != definition)
        assert told == f"Model {definition}-1 is in use again. Nothing changed for {others}.\n"
        again = pehle(home.path, "models", "rollback", "--definition", definition, code=1)
        assert f"model {definition}-1 replaced none: there is no earlier model in use" in again
        assert registry.resolve("champion", definition)[0] == f"{definition}-1"
    home.engine.dispose()
    moved = Path(shutil.move(home.path, home.path.with_name("elsewhere")))
    for kind, one in some.items():
        found = explained(moved, one)
        assert (found["verdict"], found["model_version"]) == ("same", MODELS[kind]), found
        assert found["recomputed"] == found["churn_probability"]
