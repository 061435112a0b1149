"""Tables of the company's own by the command line; scores made elsewhere become scorings, judged like ours."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from three_populations import AS_OF, MORNING, company, events, kind_of, lives, pehle
from typer.testing import CliRunner
from web_client import Clock, client_of, sign_in

from records.own_tables import own_tables
from records.scores import count_by_band, find_scores, latest_run, runs_together
from records.tables import outreach
from serving.cli import app
from serving.home import Home, open_home
from serving.watching import watch

HEAD = "customer_id,cutoff,churn_probability"


def run(home: Path, *words: str) -> str:
    done = CliRunner().invoke(app, ["--home", str(home), "import", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def written(folder: Path, *lines: str) -> str:
    file = folder / "given.csv"
    file.write_text("\n".join(lines) + "\n")
    return str(file)


def test_imported_scores_are_what_the_next_plan_goes_by(tmp_path: Path) -> None:
    rows = [HEAD, "bo,2026-06-01,0.9", "cy,2026-06-01,0.1", "bo,2026-05-01,0.4", "di,2026-06-01,1.5"]
    said = json.loads(run(tmp_path / "home", "scores", written(tmp_path, *rows), "--name", "partner", "--json"))
    assert said == {
        "accepted": 3,
        "replaced": 0,
        "duplicates": 0,
        "rejected": 1,
        "table": "partner",
        "scorings": 2,
    }
    home = open_home(tmp_path / "home")
    with home.engine.connect() as connection:
        newest = latest_run(connection)
        assert newest is not None
        assert (newest.as_of, newest.model_version) == (datetime(2026, 6, 1, tzinfo=UTC), "imported-partner")
        found = find_scores(connection, newest.run_id)
        assert {who: (one.churn_probability, one.band) for who, one in found.items()} == {
            "bo": (0.9, "high"),
            "cy": (0.1, "low"),
        }
        assert [(one.reasons, one.topics) for one in found.values()] == [([], []), ([], [])]
    # The same file again makes no scoring; another score makes a new one of its moment alone.
    again = json.loads(run(tmp_path / "home", "scores", written(tmp_path, *rows), "--name", "partner", "--json"))
    assert (again["duplicates"], again["scorings"]) == (3, 0)
    changed = json.loads(
        run(tmp_path / "home", "scores", written(tmp_path, HEAD, "cy,2026-06-01,0.7"), "--name", "partner", "--json")
    )
    assert (changed["replaced"], changed["scorings"]) == (1, 1)
    with home.engine.connect() as connection:
        newest = latest_run(connection)
        assert newest is not None
        assert count_by_band(connection, newest.run_id) == {"high": 2}
    home.engine.dispose()


@pytest.mark.parametrize(("kind", "column"), [("signals", "visits"), ("labels", "left")])
def test_a_bad_row_is_told_with_file_line_reason_and_value_and_a_dry_run_makes_no_home(
    tmp_path: Path, kind: str, column: str
) -> None:
    file = written(tmp_path, f"customer_id,cutoff,{column}", "bo,2026-06-01,1", "cy,June,1")
    dry = run(tmp_path / "dry", kind, file, "--dry-run")
    assert dry.startswith("1 would be accepted, 0 would be replaced, 0 duplicates, 1 would be put aside.")
    assert not (tmp_path / "dry").exists()
    told = run(tmp_path / "home", kind, file)
    assert told.startswith("1 accepted, 0 replaced, 0 duplicates, 1 put aside.")
    assert "given.csv:3: cutoff is neither a day nor a time with its zone ('June')" in told
    assert list(own_tables(tmp_path / "home" / "data", kind)) == [kind]  # type: ignore[arg-type]


# ── from the file to the screens ──────────────────────────────────────────────────────────────────────────
CLOCK = "serving.commands.shared_options.wall_clock"
PEOPLE = 720
VERSIONS = {"fiber": "imported-partner-fiber", "prepaid": "imported-partner-prepaid", "shop": "imported-partner"}


def partner(folder: Path, risk: float = 0.3) -> str:
    """What a partner says of everybody as of day 300: the longer silent, the likelier to leave."""
    last: dict[str, datetime] = {}
    for row in lives(PEOPLE, 300):
        who, at = str(row["customer_id"]), row["occurred_at"]
        last[who] = max(last.get(who, at), at)  # type: ignore[type-var, assignment]
    day = AS_OF.date()
    rows = [f"{who},{day},{min(0.95, risk * (AS_OF - at).days / 20):.3f}" for who, at in sorted(last.items())]
    return written(folder, HEAD, *rows)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock(MORNING)
    monkeypatch.setattr(CLOCK, found)
    return found


@pytest.fixture
def trio(tmp_path: Path) -> Home:
    return company(tmp_path / "trio", PEOPLE)


def test_scores_made_elsewhere_are_planned_reviewed_explained_and_judged(
    trio: Home, clock: Clock, tmp_path: Path
) -> None:
    """With three definitions each person's band is that of their own; no model of ours is needed."""
    file = partner(tmp_path)
    pehle(trio.path, "import", "scores", file, "--name", "partner")
    with trio.engine.connect() as connection:
        run_ = latest_run(connection)
        assert run_ is not None
        runs = runs_together(connection, run_.run_id)
        scored = find_scores(connection, run_.run_id)
    assert sorted(run.model_version for run in runs) == sorted(VERSIONS.values())
    assert {score.model_version == VERSIONS[kind_of(who)] for who, score in scored.items()} == {True}
    bands = {(kind_of(who), score.band) for who, score in scored.items() if 0.1 <= score.churn_probability < 0.2}
    assert bands == {("fiber", "high"), ("prepaid", "low"), ("shop", "low")}
    pehle(trio.path, "plan")
    client = sign_in(client_of(trio, clock), trio, clock)
    assert "Scores made elsewhere (partner)" in client.get("/").text
    # No reasons and no topics come with such scores: only what the events set off is planned.
    failed = [
        {
            "customer_id": "P 000",
            "name": "payment_failed",
            "occurred_at": AS_OF,
            "amount": 299,
            "properties": json.dumps({"bill_id": "B-1", "due_at": "2025-11-20T00:00:00+00:00", "reason": "card"}),
        }
    ]
    trio.log.append(events(failed))
    pehle(trio.path, "plan", "--as-of", MORNING.isoformat())
    with trio.engine.connect() as connection:
        rows = connection.execute(select(outreach.c.outreach_id, outreach.c.play, outreach.c.customer_id)).all()
    ((one, play, who),) = rows
    assert (play, who) == ("payment_help", "P 000")
    page = client.get(f"/outreach/{one}").text
    assert "within 30 days" in page
    said = json.loads(pehle(trio.path, "explain", one, "--json"))
    assert (said["verdict"], said["model_version"]) == ("made elsewhere", "imported-partner-prepaid")
    assert "The score was made elsewhere and imported" in pehle(trio.path, "explain", one)
    trio.engine.dispose()


def test_how_they_did_is_shown_when_it_is_known(trio: Home, clock: Clock, tmp_path: Path) -> None:
    pehle(trio.path, "import", "scores", partner(tmp_path), "--name", "partner")
    client = sign_in(client_of(trio, clock), trio, clock)
    page = client.get("/models").text
    assert "Scores made elsewhere" in page
    assert "Whether it was right shows from" in page
    words = pehle(trio.path, "status")
    assert "scores made elsewhere, imported-partner: " in words
    assert "not enough data yet; its first scores can be judged on 2025-11-27" in words
    trio.log.append(events([row for row in lives(PEOPLE, 400) if row["occurred_at"] >= AS_OF]))  # type: ignore[operator]
    later = AS_OF + timedelta(days=35)
    assert "imported-partner-prepaid: its first scores can be judged" in pehle(trio.path, "status")
    clock.now = later
    page = sign_in(client_of(trio, clock), trio, clock).get("/models").text
    assert page.count("By now it can be told whether it was right") == 2  # fibre has ten days more
    assert watch(trio, later, later) == "2 scorings judged by what happened, 1 not over yet"
    assert watch(trio, AS_OF + timedelta(days=45), later).startswith("1 scorings judged")
    clock.now = AS_OF + timedelta(days=46)
    found = {one["version"]: one for one in json.loads(pehle(trio.path, "status", "--json"))["imported"]}
    assert sorted(found) == sorted(VERSIONS.values())
    for kind in ("prepaid", "shop"):
        matured = found[VERSIONS[kind]]["matured"]
        assert 20 <= matured["left"] < 80
        assert matured["auroc"]["low"] < matured["auroc"]["value"] < matured["auroc"]["high"]
    # Eighteen with fibre cancelled: too few to say anything, and so nothing is said.
    assert found[VERSIONS["fiber"]]["matured"] is None
    assert "imported-partner-fiber: not enough data yet to judge its scores" in pehle(trio.path, "status")
    page = sign_in(client_of(trio, clock), trio, clock).get("/models").text
    assert page.count("Table partner") == 3
    assert "Too few left or stayed to say anything yet." in page
    assert "tossing a coin gives 50" in page
    trio.engine.dispose()


def test_a_changed_row_keeps_the_scores_of_the_others_in_the_plan(trio: Home, clock: Clock, tmp_path: Path) -> None:
    pehle(trio.path, "import", "scores", partner(tmp_path), "--name", "partner")
    with trio.engine.connect() as connection:
        run_ = latest_run(connection)
        assert run_ is not None
        before = len(find_scores(connection, run_.run_id))
    clock.now = MORNING + timedelta(hours=1)
    pehle(trio.path, "import", "scores", written(tmp_path, HEAD, f"P 000,{AS_OF.date()},0.77"), "--name", "partner")
    with trio.engine.connect() as connection:
        run_ = latest_run(connection)
        assert run_ is not None
        after = find_scores(connection, run_.run_id)
    assert len(after) == before
    assert after["P 000"].churn_probability == 0.77
    trio.engine.dispose()
