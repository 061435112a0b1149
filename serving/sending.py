"""How does what was approved go out, at most once each, and what became of it?

    claim      the row is this sender's (guarded; safe to give back)
    fence      last check and commit, before the first byte leaves: after this nothing is ever tried again by guesswork
    deliver    the channel
    record     sent, refused, or unknown, with the event `message_sent` in the same transaction

A sender that dies between fence and record leaves a row that may or may not have arrived. The next pass of anybody
turns such rows of *dead* senders into `unknown`; code never sends them again. Only a clear "no" of the provider (a
temporary refusal, a connection that broke before the message was handed over) puts a fenced row back into the queue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Engine

from records.database import get_state
from records.errors import PehleError, SettingError, StateError
from records.events import EventLog
from records.ledger import ON_THE_WAY, due, fenced_since, rows_by_id
from records.outreach import Outreach, State, move
from records.people import Customer, find_customers
from serving.binding import why_words_differ
from serving.channels import Channel
from serving.composing import compose
from serving.delivery import Sender, SendReport, Step, deliver, end, unwatched
from serving.last_check import Look, look_again, may_go
from serving.left_out import NOT_SENT
from serving.planning import refuse_stale
from serving.playbook import load_playbook
from serving.plays import Playbook
from serving.senders import present, recover
from serving.settings import Settings
from serving.timing import zone
from serving.tokens import link_secret

HELD_AT_ONCE = 100  # rows claimed together: one look at the events serves them all


def send_due(
    engine: Engine,
    log: EventLog,
    settings: Settings,
    channels: Mapping[str, Channel],
    now: datetime,
    owner: str,
    *,
    playbook: Playbook | None = None,
    limit: int = 2_000,
    step: Step = unwatched,
) -> SendReport:
    """Send what is approved and due, one pass. `owner` names this sender; two at once never send a row twice.

    Raises
    ------
    StaleData
        The log is too old to check whether messages are still true.
    SettingError
        The home is simulated and a channel is one that reaches real people.
    """
    if get_state(engine, "kind") == "simulated" and any(channel.live for channel in channels.values()):
        raise SettingError(
            "This home is simulated, and a channel that reaches real people was handed to its sender.",
            remedy="A simulated company writes to the outbox only.",
        )
    report = SendReport()
    with present(log.data, owner):
        report.unknown += recover(engine, log.data, now, owner)
        sender = Sender(
            engine=engine,
            log=log,
            settings=settings,
            playbook=playbook or load_playbook(),
            channels=channels,
            now=now,
            owner=owner,
            step=step,
        )
        left = min(limit, _rate_left(engine, settings, now))
        if left and _due(engine, now, 1):
            refuse_stale(log, settings, now)
        while left > report.tried and (ids := _due(engine, now, min(left - report.tried, HELD_AT_ONCE))):
            if held := _claim(sender, ids):
                _send_held(sender, held, report)
    return report


def _rate_left(engine: Engine, settings: Settings, now: datetime) -> int:
    """How many more may go out this minute."""
    with engine.connect() as connection:
        return max(0, settings.sending.max_per_minute - fenced_since(connection, now - timedelta(minutes=1), now))


def _due(engine: Engine, now: datetime, limit: int) -> list[str]:
    with engine.connect() as connection:
        return due(connection, now, limit)


def _claim(sender: Sender, ids: Sequence[str]) -> list[Outreach]:
    """Make these rows ours, those that are still free; one short transaction."""
    held = []
    with sender.engine.begin() as connection:
        for one in ids:
            try:
                move(
                    connection,
                    one,
                    expected=ON_THE_WAY,
                    to=State.CLAIMED,
                    now=sender.now,
                    actor=sender.actor,
                    values={"owner": sender.owner, "claimed_at": sender.now},
                )
            except StateError:
                continue  # another sender was first
            held.append(one)
        found = rows_by_id(connection, held)
    for one in held:
        sender.step("claimed", one)
    return sorted(found, key=lambda row: (row.send_at, row.outreach_id))


def _send_held(sender: Sender, claimed: Sequence[Outreach], report: SendReport) -> None:
    held = [row for row in claimed if row.play in {play.name for play in sender.playbook.plays}]
    for row in claimed:
        if row not in held:  # it cannot be asked whether this is still true, and the others need not wait for it
            end(sender, row, State.CANCELLED, NOT_SENT["no_play"].en)
            report.skipped["no_play"] += 1
    if not held:
        return
    look = look_again(sender.engine, sender.log, sender.settings, sender.playbook, held, sender.now)
    customers = find_customers(sender.engine, {row.customer_id for row in held})
    secret = link_secret(sender.engine)
    for row in held:
        customer = customers.get(row.customer_id)
        try:
            # Altered rows are not composed at all; the last check then says why they end.
            message = None if why_words_differ(row) else compose(row, sender.settings, secret, sender.now)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one row, the others go out
            why = error.message if isinstance(error, PehleError) else type(error).__name__
            end(sender, row, State.CANCELLED, f"the message cannot be built: {why}")
            report.skipped["no_words"] += 1
            continue
        if _fence(sender, row, customer, look, report) and message is not None:
            deliver(sender, row, message, report)


def _fence(sender: Sender, row: Outreach, customer: Customer | None, look: Look, report: SendReport) -> bool:
    """The last check and the fence, in one transaction. True: the message may leave now, and only now."""
    sender.step("before fence", row.outreach_id)
    play = sender.playbook.play(row.play)
    place = zone(customer.timezone if customer else None, sender.settings.company.timezone)
    with sender.engine.begin() as connection:
        verdict = may_go(connection, row, play, look, sender.settings, place, sender.now)
        reason: str | None = verdict.reason or None
        if reason is None and row.channel not in sender.channels:
            reason = "no_channel"
        if reason is not None:
            to = State.EXPIRED if reason == "expired" else State.CANCELLED
            values: dict[str, object] = {}
        elif verdict.again or verdict.later:
            to, reason = State.QUEUED, None
            values = {"send_at": verdict.later, "owner": None} if verdict.later else {"owner": None}
        else:
            to, values = State.FENCED, {"fenced_at": sender.now}
        move(
            connection,
            row.outreach_id,
            expected=[State.CLAIMED],
            to=to,
            now=sender.now,
            actor=sender.actor,
            owner=sender.owner,
            reason=NOT_SENT[reason].en if reason else None,
            values=values,
        )
    if reason is not None:
        report.skipped[reason] += 1
    report.later += to == State.QUEUED
    sender.step("fenced" if to == State.FENCED else "let go", row.outreach_id)
    return to == State.FENCED
