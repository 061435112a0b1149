"""The half of sending that comes after the fence: hand over, once, and write down what the channel said.

Whatever happens here, the row ends where a person sees it: sent, refused, unknown, or, only after a clear "not now" of
the provider, back in the queue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine

from records.errors import ChannelError
from records.events import EventLog
from records.inbox import post_event
from records.ledger import keep_receipt, times_fenced
from records.outreach import Outreach, State, move
from serving.channels import Channel, Message, Receipt
from serving.plays import Playbook
from serving.settings import Settings

TRIES = 5
WAIT = timedelta(minutes=5)  # after the first refusal "for now"; doubles with each
Step = Callable[[str, str], None]


def unwatched(_step: str, _outreach_id: str) -> None:
    """Nobody watches the steps; the tests of sudden death do."""


@dataclass
class SendReport:
    """What one pass did."""

    sent: int = 0
    refused: int = 0
    unknown: int = 0
    later: int = 0  # put back: the provider or the hour said "later"
    skipped: Counter[str] = field(default_factory=Counter)  # reason → rows that ended without being sent
    tried: int = 0  # handed to a channel in this pass, whatever it said


@dataclass(frozen=True, kw_only=True)
class Sender:
    """Everything one pass needs."""

    engine: Engine
    log: EventLog
    settings: Settings
    playbook: Playbook
    channels: Mapping[str, Channel]
    now: datetime
    owner: str
    step: Step

    @property
    def actor(self) -> str:
        return f"job:send {self.owner}"


def deliver(sender: Sender, row: Outreach, message: Message, report: SendReport) -> None:
    report.tried += 1
    try:
        receipt = sender.channels[row.channel].deliver(message)
    except ChannelError as error:
        _record_error(sender, row, error, report)
        return
    except Exception as error:  # noqa: BLE001 - whatever a channel does wrong, the row must end where a person sees it
        end(sender, row, State.UNKNOWN, f"the channel failed: {type(error).__name__}", State.FENCED)
        report.unknown += 1
        return
    sender.step("delivered", row.outreach_id)
    _record_sent(sender, row, receipt)
    report.sent += 1
    sender.step("recorded", row.outreach_id)


def _record_sent(sender: Sender, row: Outreach, receipt: Receipt) -> None:
    with sender.engine.begin() as connection:
        move(
            connection,
            row.outreach_id,
            # We hold the receipt: should somebody have taken us for dead meanwhile, the truth still wins.
            expected=[State.FENCED, State.UNKNOWN],
            to=State.SENT,
            now=sender.now,
            actor=sender.actor,
            owner=sender.owner,
            values={"sent_at": sender.now},
        )
        keep_receipt(connection, row.outreach_id, receipt.provider, receipt.provider_id)
        post_event(
            connection,
            {
                "event_id": f"message_sent:{row.outreach_id}",
                "customer_id": row.customer_id,
                "occurred_at": sender.now,
                "name": "message_sent",
                "channel": row.channel,
                "properties": {"outreach_id": row.outreach_id, "play": row.play},
            },
            sender.now,
        )


def _record_error(sender: Sender, row: Outreach, error: ChannelError, report: SendReport) -> None:
    if error.sent != "no":
        end(sender, row, State.UNKNOWN, error.message, State.FENCED)
        report.unknown += 1
        return
    with sender.engine.connect() as connection:
        tries = times_fenced(connection, row.outreach_id)
    if error.permanent or tries >= TRIES:
        end(sender, row, State.REFUSED, error.message, State.FENCED)
        report.refused += 1
        return
    values = {"owner": None, "send_at": sender.now + WAIT * 2 ** (tries - 1), "fenced_at": None}
    end(sender, row, State.QUEUED, error.message, State.FENCED, values)
    report.later += 1


def end(
    sender: Sender,
    row: Outreach,
    to: State,
    reason: str,
    expected: State = State.CLAIMED,
    values: Mapping[str, object] | None = None,
) -> None:
    with sender.engine.begin() as connection:
        move(
            connection,
            row.outreach_id,
            expected=[expected],
            to=to,
            now=sender.now,
            actor=sender.actor,
            owner=sender.owner,
            reason=reason,
            values=values,
        )
