"""The marketer's commands: `plan`, `review`, `send`, `results`, `words`."""

from __future__ import annotations

from typing import Annotated

import typer

from serving.commands.shared_options import (
    AsOfOption,
    HomeOption,
    JsonOption,
    as_of_or_default,
    clock_of,
    opened,
    show,
    show_json,
    show_table,
    tell,
)

review = typer.Typer(help="Approve or decline what waits.", no_args_is_help=True, rich_markup_mode=None)
words = typer.Typer(help="Messages and playbook.", no_args_is_help=True, rich_markup_mode=None)

Reviewer = Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides; it is recorded.")]
ListOption = Annotated[str | None, typer.Option("--list", metavar="L", help="Everything that waits on this list.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="OUTREACH_ID…", help="Single messages, e.g. O-17.")]


def plan(
    as_of: AsOfOption = None,
    explain: Annotated[
        str | None, typer.Option(metavar="ID", help="Say for one customer what each play says; plan nothing.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an outreach list from the newest scores and the playbook; nothing is sent.

    Example: pehle plan
    """
    from serving.planning import REASONS
    from serving.planning import explain as explain_customer
    from serving.planning import plan as plan_outreach
    from serving.playbook import load_playbook

    place = opened(home)
    cutoff = as_of_or_default(place, as_of)
    now = clock_of(place)()
    if explain is not None:
        found = explain_customer(place.engine, place.log, place.settings, load_playbook(), explain, cutoff, now)
        if as_json:
            show_json(found)
            return
        show_table([["play", "fits", "why"], *([row["play"], row["fits"], row["why"]] for row in found)])
        return
    result = plan_outreach(place.engine, place.log, place.settings, load_playbook(), cutoff, now)
    if as_json:
        show_json(
            {
                "list_id": result.list_id,
                "planned": result.planned,
                "held_out": result.held_out,
                "left_out": dict(result.left_out),
            }
        )
        return
    show(
        f"{result.list_id}: {result.planned} wait for review; {result.held_out} in the comparison group, not contacted."
    )
    for code, count in sorted(result.left_out.items(), key=lambda item: -item[1]):
        show(f"  {count} left out: {REASONS[code].en}")
    largest = max(result.left_out, key=lambda code: result.left_out[code], default=None)
    if largest is not None and REASONS[largest].mend:
        tell(f"To change the largest of these: {REASONS[largest].mend}")


@review.command("list")
def review_list(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """The lists, newest first, and how many wait on each.

    Example: pehle review list
    """
    from records.outreach import lists

    rows = lists(opened(home).engine)
    if as_json:
        show_json(rows)
        return
    table = [[str(r["list_id"]), str(r["planned_at"])[:16], str(r["waiting"]), str(r["total"])] for r in rows]
    show_table([["list", "planned", "waiting", "all"], *table] if table else [["No list yet. Make one: pehle plan"]])


@review.command("approve")
def review_approve(
    ids: Ids = None, list_id: ListOption = None, by: Reviewer = "operator", home: HomeOption = None
) -> None:
    """Approve single messages, or all that wait on a list: exactly these words to these people.

    Example: pehle review approve --list L-0001 --by "Meera Iyer"
    """
    from serving.review import approve

    place = opened(home)
    chosen = _chosen(place.engine, ids, list_id)
    count = approve(place.engine, chosen, by, clock_of(place)(), expected=len(chosen))
    show(f"{count} approved. They go out at their times while `pehle work` or `pehle send` runs.")


@review.command("decline")
def review_decline(
    ids: Ids = None, list_id: ListOption = None, by: Reviewer = "operator", home: HomeOption = None
) -> None:
    """Decline single messages, or all that wait on a list.

    Example: pehle review decline O-17 --by "Meera Iyer"
    """
    from serving.review import decline

    place = opened(home)
    chosen = _chosen(place.engine, ids, list_id)
    count = decline(place.engine, chosen, by, clock_of(place)(), expected=len(chosen))
    show(f"{count} declined.")


def _chosen(engine: object, ids: list[str] | None, list_id: str | None) -> list[str]:
    from sqlalchemy import Engine

    from records.outreach import waiting_ids

    if bool(ids) == bool(list_id):
        msg = "Name messages, or a list with --list, not both and not neither."
        raise typer.BadParameter(msg)
    if ids:
        return ids
    if not isinstance(engine, Engine) or list_id is None:
        raise TypeError
    return waiting_ids(engine, list_id)


def send(home: HomeOption = None) -> None:
    """One pass of the sender: what is approved, due and still true goes out, once.

    Example: pehle send
    """
    from serving.jobs import send as send_once
    from serving.schedule import owner_name

    place = opened(home)
    show(send_once(place, clock_of(place)(), owner_name()))


def results(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """What each message achieved against people who were not contacted, with intervals.

    Example: pehle results
    """
    from serving.playbook import load_playbook
    from serving.results import results as measure

    place = opened(home)
    found = measure(place.engine, place.log, load_playbook(), clock_of(place)())
    if as_json:
        show_json([row.as_json() for row in found])
        return
    if not found:
        show("Nothing was measured yet: no list has been sent and no outcome window has passed.")
    for row in found:
        show(f"{row.title_en}: {row.sentence_en}")


@words.command("check")
def words_check() -> None:
    """Check every message and the playbook against the rules a program can check.

    Example: pehle words check
    """
    from serving.words import check_words

    findings = check_words()
    for finding in findings:
        show(f"{finding.file}: {finding.text} {finding.remedy}")
    if findings:
        raise typer.Exit(1)
    show("All messages and the playbook keep the rules.")
