"""Each scoring looked at twice: for drift at once, for its truth when its horizon is over; and what status says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, update
from test_train import CHURN, NOW, QUICK, START, shop
from typer.testing import CliRunner

from records.model_checks import checks, save_check
from records.scores import find_scores, latest_run
from records.tables import model_checks, scores, scoring_runs
from serving import jobs
from serving.cli import app
from serving.home import REAL, Home, create_home, open_home
from serving.jobs import REST, retrain
from serving.model_status import model_states, wants_training
from serving.model_versions import definition_in
from serving.watching import watch
from training.labels import IssueOptions
from training.maturity import matured_from
from training.monitoring import Trigger
from training.registry import Registry
from training.train import train

SCORED = START + timedelta(days=240)
OVER = SCORED + CHURN.horizon
SETTINGS = """
[churn]
horizon_days = 30
active_within_days = 60
[training]
max_rounds = 60
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop whose model was made and used 60 days before its log ends."""
    path = tmp_path_factory.mktemp("watched") / "home"
    path.mkdir()
    (path / "pehle.toml").write_text(SETTINGS, encoding="utf-8")
    home = create_home(path, REAL)
    shop(home.data, 300)
    train(home.log, SCORED, home.settings.churn, IssueOptions(), QUICK, home.mlruns, SCORED)
    Registry(home.mlruns).promote("1", at=SCORED, by="Meera Iyer")
    jobs.score(home, SCORED, SCORED)
    home.engine.dispose()
    return path


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Iterator[Home]:
    found = open_home(Path(shutil.copytree(made, tmp_path / "home")))
    yield found
    found.engine.dispose()


def test_a_scoring_is_compared_with_what_the_model_learnt_from(home: Home) -> None:
    with home.engine.connect() as connection:
        (found,) = checks(connection, "drift")
    assert (found.model_version, found.definition, found.as_of) == ("1", "default", SCORED)
    assert found.figures is not None
    assert found.figures["signals"] == len(Registry(home.mlruns).load("1").signal_names)
    assert found.figures["score"]["level"] in ("none", "some", "much")


def test_nothing_is_judged_before_its_horizon_is_over(home: Home) -> None:
    assert watch(home, OVER - timedelta(seconds=1), NOW).startswith("0 scorings judged")
    (state,) = model_states(home, NOW)
    assert state.first_known == OVER
    assert not state.matured


def test_a_scoring_is_judged_once_by_what_happened(home: Home) -> None:
    assert watch(home, OVER, NOW).startswith("1 scorings judged")
    assert watch(home, OVER, NOW).startswith("0 scorings judged")
    with home.engine.connect() as connection:
        (check,) = checks(connection, "matured")
        run = latest_run(connection)
        assert run is not None
        said = find_scores(connection, run.run_id)
    assert check.figures is not None
    found = matured_from(dict(check.figures))
    assert found.customers == len(said)
    assert found.predicted_share == pytest.approx(sum(one.churn_probability for one in said.values()) / len(said))
    assert found.auroc.value > 0.6
    assert found.contacted == found.gone == 0


def test_no_customer_is_named_in_what_is_kept(home: Home) -> None:
    watch(home, OVER, NOW)
    with home.engine.connect() as connection:
        kept = json.dumps(
            [dict(one.figures or {}) for kind in ("drift", "matured") for one in checks(connection, kind)]
        )
        run = latest_run(connection)
        assert run is not None
        people = find_scores(connection, run.run_id)
    assert not [who for who in people if who in kept]


def test_scores_that_were_all_wrong_ask_for_a_new_model(home: Home) -> None:
    """Turned round, the sure ones are wrong: status names it, and the nightly job trains before Sunday."""
    with home.engine.begin() as connection:
        connection.execute(update(scores).values(churn_probability=1 - scores.c.churn_probability))
    watch(home, OVER, NOW)
    (state,) = model_states(home, OVER)
    assert [one.code for one in state.triggers][:2] == ["loss", "useless"]
    assert wants_training(state, OVER, REST)
    assert not wants_training(state, SCORED + timedelta(days=1), REST)
    said = CliRunner().invoke(app, ["--home", str(home.path), "status"]).stdout
    assert "train again, its scores came out worse than when it was judged" in said


def test_status_says_how_each_model_does_and_keeps_its_old_keys(home: Home) -> None:
    watch(home, OVER, NOW)
    found = json.loads(CliRunner().invoke(app, ["--home", str(home.path), "status", "--json"]).stdout)
    assert {"events", "customers", "jobs", "outreach", "champion", "simulated"} <= set(found)
    (model,) = found["models"]
    assert (model["definition"], model["version"], model["by"]) == ("default", "1", "Meera Iyer")
    assert model["since"] == SCORED.isoformat().replace("+00:00", "Z")
    assert model["matured"]["customers"] > 50
    assert model["drift"]["signals"] > 100
    assert "calendar" in [one["reason"] for one in model["retrain"]]
    said = CliRunner().invoke(app, ["--home", str(home.path), "status"]).stdout
    assert "model 1: log loss" in said
    assert "signals changed much" in said


def test_status_names_what_changed_most_for_the_model_in_use_whoever_scored_last(home: Home) -> None:
    with home.engine.connect() as connection:
        (found,) = checks(connection, "drift")
    assert found.figures is not None
    moved = [{**found.figures["score"], "signal": f"signal_{number}", "level": "much"} for number in range(7)]
    figures = {**found.figures, "much": 8, "some": 0, "changes": moved}
    save_check(home.engine, replace(found, figures=figures))
    later = {"run_id": "another", "model_version": "2", "as_of": found.as_of + timedelta(days=1)}
    with home.engine.begin() as connection:
        run = connection.execute(select(scoring_runs)).mappings().one()
        connection.execute(insert(scoring_runs).values({**run, **later}))
    save_check(home.engine, replace(found, **later))
    said = CliRunner().invoke(app, ["--home", str(home.path), "status"]).stdout
    named = "signal_0, signal_1, signal_2, signal_3, signal_4 and 3 more"
    assert f"8 of {figures['signals']} signals changed much, 0 some, beyond what it has learnt from: {named}" in said


def test_scores_whose_horizon_is_over_are_not_said_to_wait_for_it(home: Home) -> None:
    said = CliRunner().invoke(app, ["--home", str(home.path), "status"]).stdout
    assert "model 1: its first scores can be judged; `pehle work` does so at night" in said


def test_a_night_without_a_reason_does_not_train(home: Home) -> None:
    monday, sunday = datetime(2025, 9, 1, 3, tzinfo=UTC), datetime(2025, 9, 7, 3, tzinfo=UTC)
    now = SCORED + timedelta(days=5)
    assert retrain(home, monday, now).startswith("not due")
    assert len(Registry(home.mlruns).found()) == 1
    assert " won; " in retrain(home, sunday, now)
    assert len(Registry(home.mlruns).found()) == 2


def test_who_asked_for_a_training_is_recorded(made: Path, tmp_path: Path) -> None:
    for name, how, by in (("night", "job", "job:retrain"), ("hand", "command", "Asha")):
        home = open_home(Path(shutil.copytree(made, tmp_path / name)))
        shutil.rmtree(home.mlruns)
        if how == "job":
            jobs.train(home, SCORED, NOW)
        else:
            at = SCORED.isoformat()
            done = CliRunner().invoke(app, ["--home", str(home.path), "train", "--as-of", at, "--by", by])
            assert done.exit_code == 0, done.output
        (row,) = Registry(home.mlruns).versions()
        assert (row["alias"], row["promoted_by"]) == ("champion", by)
        home.engine.dispose()


def test_a_model_whose_files_are_gone_is_not_judged_and_stops_nobody_else(home: Home) -> None:
    shutil.rmtree(home.mlruns / "artifacts")
    assert watch(home, OVER, NOW).startswith("0 scorings judged")


def test_a_home_without_models_has_no_states(tmp_path: Path) -> None:
    home = create_home(tmp_path / "new", REAL)
    assert model_states(home, NOW) == []
    assert watch_empty(home)
    home.engine.dispose()


def watch_empty(home: Home) -> bool:
    return watch(home, NOW, NOW) == "0 scorings judged by what happened, 0 not over yet"


def test_a_second_look_replaces_the_first(home: Home) -> None:
    watch(home, OVER, NOW)
    with home.engine.begin() as connection:
        connection.execute(delete(model_checks).where(model_checks.c.kind == "matured"))
    watch(home, OVER, NOW + timedelta(days=1))
    with home.engine.connect() as connection:
        (check,) = checks(connection, "matured")
    assert check.checked_at == NOW + timedelta(days=1)


def test_versions_tell_whose_they_are() -> None:
    assert [definition_in(one) for one in ("14", "prepaid-3", "imported-crm", "imported_x-2")] == [
        "default",
        "prepaid",
        "default",
        "imported_x",
    ]


def test_reasons_of_the_calendar_alone_wait_for_their_night(home: Home) -> None:
    (state,) = model_states(home, SCORED + timedelta(days=60))
    assert [one.code for one in state.triggers] == ["calendar"]
    fresh = replace(
        state, newest_at=SCORED + timedelta(days=59), triggers=[Trigger(code="calendar", values={"days": 60})]
    )
    assert not wants_training(fresh, SCORED + timedelta(days=60), REST)
