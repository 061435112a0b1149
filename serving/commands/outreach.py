"""The marketer's commands: `plan`, `review`, `send`, `results`, `words`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

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
if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine

    from records.paging import Filter

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
    from serving.left_out import REASONS
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
        rows = [
            [row["play"], "chosen" if row["chosen"] else "fits" if row["fits"] else "", row["why"]] for row in found
        ]
        show_table([["play", "", "why"], *rows])
        return
    result = plan_outreach(place.engine, place.log, place.settings, load_playbook(), cutoff, now)
    if as_json:
        show_json(
            {
                "list_id": result.list_id,
                "planned": result.planned,
                "held_out": result.held_out,
                "left_out": dict(result.left_out),
                "fine": result.fine,
                "cost_minor": result.cost_minor,
                "unanswered_topics": dict(result.coverage.unanswered) if result.coverage else None,
            }
        )
        return
    show(
        f"{result.list_id}: {result.planned} wait for review; {result.held_out} in the comparison group, not contacted."
    )
    for code, count in sorted(result.left_out.items(), key=lambda item: -item[1]):
        show(f"  {count} left out: {REASONS[code].en}")
    show(f"  {result.fine} scored and fine: no play fits them")
    if result.coverage and result.coverage.unanswered:
        topics = ", ".join(f"{topic} {share:.0%}" for topic, share in result.coverage.unanswered.items())
        show(f"  {result.coverage.share:.0%} of what people will ask about no message answers: {topics}")
    if result.mend:
        tell(f"To reach the largest group of those left out: {result.mend}")


@review.command("list")
def review_list(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """The lists, newest first, and how many wait on each.

    Example: pehle review list
    """
    from records.browsing import counts, lists

    with opened(home).engine.connect() as connection:
        rows = [(one, counts(connection, one.list_id)) for one in lists(connection)]
    if as_json:
        show_json([{"list_id": one.list_id, "planned_at": one.planned_at, **asdict(count)} for one, count in rows])
        return
    if not rows:
        show("No list yet. Make one: pehle plan")
        return
    table = [
        [one.list_id, f"{one.planned_at:%Y-%m-%d %H:%M}", str(count.waiting), str(count.approved), str(count.all)]
        for one, count in rows
    ]
    show_table([["list", "planned (UTC)", "waiting", "approved", "all"], *table])


@review.command("approve")
def review_approve(
    ids: Ids = None, list_id: ListOption = None, by: Reviewer = "operator", home: HomeOption = None
) -> None:
    """Approve single messages, or all that wait on a list: exactly these words to these people.

    Example: pehle review approve --list L-0001 --by "Meera Iyer"
    """
    from serving.review import approve

    place = opened(home)
    chosen, expected = _chosen(place.engine, ids, list_id)
    done = approve(place.engine, chosen, by, clock_of(place)(), expected=expected)
    when = f", the first at {done.first_send_at:%Y-%m-%d %H:%M} UTC" if done.first_send_at else ""
    show(f"{done.count} approved{when}. They go out while `pehle work` runs, or by `pehle send`.")


@review.command("decline")
def review_decline(
    ids: Ids = None, list_id: ListOption = None, by: Reviewer = "operator", home: HomeOption = None
) -> None:
    """Decline single messages, or all that wait on a list.

    Example: pehle review decline O-17 --by "Meera Iyer"
    """
    from serving.review import decline

    place = opened(home)
    chosen, expected = _chosen(place.engine, ids, list_id)
    show(f"{decline(place.engine, chosen, by, clock_of(place)(), expected=expected).count} declined.")


def _chosen(engine: Engine, ids: list[str] | None, list_id: str | None) -> tuple[Sequence[str] | Filter, int]:
    """The rows meant and how many they are: a decision says the number again."""
    from records.browsing import counts
    from records.paging import Filter

    if bool(ids) == bool(list_id):
        msg = "Name messages, or a list with --list: one of the two."
        raise typer.BadParameter(msg)
    if ids:
        return ids, len(ids)
    with engine.connect() as connection:
        return Filter(list_id=list_id or ""), counts(connection, list_id or "").waiting


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
    found = measure(place.engine, place.log, load_playbook(), place.settings, clock_of(place)())
    if as_json:
        show_json([asdict(row) for row in found])
        return
    if not found:
        show("Nothing was measured yet: no list has been sent and no outcome window has passed.")
    for row in found:
        groups = f"{row.n_treated} contacted, {row.n_holdout} compared"
        show(f"{row.title['en']}: {row.sentence['en']} ({groups})")


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
