"""Who may go out: what does a person approve, decline, take back, and what happens to what nobody decides?

An approval binds exactly the words that were shown: each row's approval hash is recomputed from its frozen variables
and today's templates first, and a row whose words changed since is refused. Whoever acts on a selection says how
many people it holds; if that number changed meanwhile nothing happens and the new number is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Engine

from records import audit
from records.database import BATCH_ROWS, batches
from records.errors import StateError, WordsError
from records.ledger import past_use, rows_by_id, undecided_in_time
from records.outreach import State, move_many
from records.paging import Filter, Tab, matching_ids
from serving.binding import why_words_differ

Chosen = Sequence[str] | Filter  # outreach ids, or a filter of one list


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What a decision did. `first_send_at`: when the first of them goes out, and so until when it can be undone."""

    count: int
    cost_minor: int
    first_send_at: datetime | None
    last_send_at: datetime | None


def approve(engine: Engine, chosen: Chosen, reviewer: str, now: datetime, *, expected: int) -> Decided:
    """Approve these rows, as `reviewer`, if they are still exactly `expected` many and their words are unchanged.

    Raises
    ------
    StateError
        The number changed, or somebody decided one of them first. Facts: expected, found.
    WordsError
        The words of a row are no longer those it was planned with.
    """
    expire(engine, now)
    ids = _choose(engine, chosen, "waiting", expected, "Approve")
    for batch in batches(ids):
        with engine.connect() as connection:
            rows = rows_by_id(connection, batch)
        changed = [(row.outreach_id, why) for row in rows if (why := why_words_differ(row))]
        if changed:
            raise WordsError(
                f"{changed[0][0]}: {changed[0][1]}; nothing was approved in this step ({len(changed)} of {len(rows)}).",
                remedy="Plan again, so that the list shows the words as they are now.",
                ids=[one for one, _ in changed],
            )
    values = {"approved_by": reviewer, "approved_at": now}
    return _decide(engine, ids, State.PLANNED, State.APPROVED, reviewer=reviewer, now=now, reason=None, values=values)


def decline(
    engine: Engine, chosen: Chosen, reviewer: str, now: datetime, *, expected: int, reason: str | None = None
) -> Decided:
    """Decline these rows, as `reviewer`, if they are still exactly `expected` many."""
    ids = _choose(engine, chosen, "waiting", expected, "Decline")
    return _decide(engine, ids, State.PLANNED, State.DECLINED, reviewer=reviewer, now=now, reason=reason, values={})


def undo(
    engine: Engine, chosen: Chosen, reviewer: str, now: datetime, *, decided_at: datetime | None = None
) -> Decided:
    """Take back approvals or refusals that have not begun to go out; with `decided_at` only those of that moment.

    Rows a sender holds already, or whose time has come, stay as they are; the count says how many were taken back.
    """
    tab: Tab = chosen.tab if isinstance(chosen, Filter) and chosen.tab == "declined" else "approved"
    with engine.connect() as connection:
        ids = list(chosen) if not isinstance(chosen, Filter) else matching_ids(connection, replace(chosen, tab=tab))
        found = [row for batch in batches(ids) for row in rows_by_id(connection, batch)]
    open_rows = [row for row in found if row.send_at > now and (decided_at is None or row.updated_at == decided_at)]
    total = Decided(count=0, cost_minor=0, first_send_at=None, last_send_at=None)
    for state in (State.APPROVED, State.DECLINED):
        back = [row.outreach_id for row in open_rows if row.state == state]
        if back:
            values = {"approved_by": None, "approved_at": None}
            done = _decide(engine, back, state, State.PLANNED, reviewer=reviewer, now=now, reason="undo", values=values)
            total = replace(done, count=total.count + done.count, cost_minor=total.cost_minor + done.cost_minor)
    return total


def expire(engine: Engine, now: datetime) -> int:
    """End what nobody decided in time (the list's `decide_by`, or its own hour came), and approvals past their date."""
    total = 0
    for which, why in ((undecided_in_time, "nobody decided in time"), (past_use, "no longer of use: its time passed")):
        while True:
            with engine.begin() as connection:
                found = which(connection, now, BATCH_ROWS)
                for state in (State.PLANNED, State.APPROVED, State.QUEUED):
                    ids = [row.outreach_id for row in rows_by_id(connection, found) if row.state == state]
                    if ids:
                        move_many(
                            connection, ids, expected=state, to=State.EXPIRED, now=now, actor="job:expire", reason=why
                        )
            total += len(found)
            if not found:
                break
    return total


# ── one decision ──────────────────────────────────────────────────────────────────────────────────────────
def _choose(engine: Engine, chosen: Chosen, tab: Tab, expected: int, verb: str) -> list[str]:
    with engine.connect() as connection:
        if isinstance(chosen, Filter):
            ids = matching_ids(connection, replace(chosen, tab=tab))
        else:
            wanted = list(dict.fromkeys(chosen))
            ids = [
                row.outreach_id
                for batch in batches(wanted)
                for row in rows_by_id(connection, batch)
                if row.state == State.PLANNED
            ]
    if len(ids) != expected:
        raise StateError(
            f"It is {len(ids)} now, not {expected}: the list changed since you looked.",
            remedy=f"{verb} {len(ids)}?" if ids else "Look at the list again.",
            expected=expected,
            found=len(ids),
        )
    return ids


def _decide(
    engine: Engine,
    ids: Sequence[str],
    before: State,
    after: State,
    *,
    reviewer: str,
    now: datetime,
    reason: str | None,
    values: Mapping[str, object],
) -> Decided:
    done = 0
    for batch in batches(ids):
        with engine.begin() as connection:
            move_many(
                connection,
                batch,
                expected=before,
                to=after,
                now=now,
                actor=reviewer,
                reason=reason,
                values=values,
            )
            audit.record(
                connection,
                now,
                reviewer,
                f"outreach {after}" if reason != "undo" else "outreach undo",
                batch[0] if len(batch) == 1 else f"{len(batch)} outreach",
                {"from": str(before), "to": str(after), "ids": list(batch), "reason": reason},
            )
        done += len(batch)
    with engine.connect() as connection:
        rows = [row for batch in batches(ids) for row in rows_by_id(connection, batch)]
    times = [row.send_at for row in rows]
    return Decided(
        count=done,
        cost_minor=sum(row.cost_minor for row in rows),
        first_send_at=min(times, default=None),
        last_send_at=max(times, default=None),
    )
