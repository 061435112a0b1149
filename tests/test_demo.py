"""The demo: from nothing to a list, refused where real customers are, and a month that passes."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from records.browsing import counts, latest_list
from records.errors import HomeError
from records.importing import import_events
from records.paging import Filter, matching_ids
from serving.commands.shared_options import stage
from serving.demo import MADE, advance_days, build, move_on
from serving.home import REAL, clock, create_home, open_home
from serving.review import approve


def test_the_demo_ends_with_a_list_that_waits_and_results_to_show(demo_home: Path, now: datetime) -> None:
    from serving.playbook import load_playbook
    from serving.results import results

    home = open_home(demo_home)
    with home.engine.connect() as connection:
        newest = latest_list(connection)
        assert newest is not None
        assert counts(connection, newest.list_id).waiting > 0
    found = results(home.engine, home.log, load_playbook(), home.settings, now)
    assert {row.play for row in found} >= {"router_setup", "bill_explained", "better_plan", "payment_help"}
    assert any(row.n_holdout for row in found)


def test_addresses_of_the_simulated_reach_nobody(demo_home: Path) -> None:
    from records.people import find_customers

    people = find_customers(open_home(demo_home).engine, None).values()
    assert people
    assert all(one.email is None or one.email.endswith(".invalid") for one in people)


def test_a_home_with_real_events_is_refused_and_left_as_it_is(tmp_path: Path, now: datetime) -> None:
    home = create_home(tmp_path / "shop", REAL)
    file = tmp_path / "events.jsonl"
    file.write_text(
        json.dumps({"customer_id": "Bo", "occurred_at": now.isoformat(), "name": "order_completed"}), encoding="utf-8"
    )
    import_events(home.log, [file], None, now, home.data / "quarantine")
    with pytest.raises(HomeError, match="holds a real company"):
        build(home.path, customers=50, until=None, seed=1, wall=now, stage=stage)
    assert home.log.summary().count == 1


def test_a_demo_made_with_other_numbers_is_not_overwritten(demo_home: Path, now: datetime) -> None:
    with pytest.raises(HomeError, match="made with other numbers: 400 customers"):
        build(demo_home, customers=50, until=None, seed=7, wall=now, stage=stage)


def test_the_same_demo_is_opened_again_not_made_again(demo_home: Path, now: datetime) -> None:
    before = open_home(demo_home).log.data_sha256()
    home = build(demo_home, customers=400, until=None, seed=7, wall=now + timedelta(days=2), stage=stage)
    assert home.log.data_sha256() == before


def test_an_unfinished_demo_is_made_anew_and_keeps_files_that_are_not_its_own(tmp_path: Path, now: datetime) -> None:
    from records.database import get_state
    from serving.home import SIMULATED

    home = create_home(tmp_path / "demo", SIMULATED)
    (home.mlruns / ".gitignore").write_text("*\n", encoding="utf-8")
    (home.data / "events").mkdir(exist_ok=True)
    (home.data / "half").write_text("written", encoding="utf-8")
    home.engine.dispose()
    midnight = now.replace(hour=0, minute=0)
    made = build(home.path, customers=300, until=midnight, seed=3, wall=now, stage=stage)
    assert get_state(made.engine, MADE) == {"customers": 300, "seed": 3, "until": midnight.isoformat()}
    assert not (home.data / "half").exists()
    assert (home.mlruns / ".gitignore").exists()


def test_what_was_approved_goes_out_when_the_evening_comes_and_customers_react(demo_home: Path, now: datetime) -> None:
    home = open_home(demo_home)
    with home.engine.connect() as connection:
        newest = latest_list(connection)
        assert newest is not None
        ids = matching_ids(connection, Filter(list_id=newest.list_id))
    approve(home.engine, ids, "Meera Iyer", now, expected=len(ids))
    home_time = clock(home, lambda: now)
    assert home_time() == now
    line = move_on(home, now + timedelta(days=2), now)
    assert home_time() == now + timedelta(days=2)
    assert line.startswith("2 days passed")
    sent = list(home.outbox.rglob("O-*"))
    assert 0 < len(sent) <= len(ids)
    heard = home.log.connection().execute(
        "select count(*) from events where name = 'message_delivered' and properties like '%\"O-%'"
    )
    found = heard.fetchone()
    assert found is not None
    assert found[0] > 0


def test_a_month_passes(demo_home: Path, now: datetime) -> None:
    home = advance_days(demo_home, 30, now, stage)
    with home.engine.connect() as connection:
        newest = latest_list(connection)
    assert newest is not None
    assert newest.planned_at == now + timedelta(days=30)
    last = home.log.summary().last
    assert last is not None
    assert last > now + timedelta(days=29)


def test_time_never_goes_back(demo_home: Path, now: datetime) -> None:
    home = open_home(demo_home)
    with pytest.raises(HomeError, match="lies before the home's present time"):
        move_on(home, now - timedelta(hours=1), now)


def test_commands_name_the_home_they_miss(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "serving.cli", "--home", str(tmp_path), "train"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "There is no Pehle home in" in done.stderr
    assert "--home" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
