"""What comes back from customers, and what follows from it at once?

Everything becomes an event in the inbox. A wish to stop withdraws consent to offers on every channel, writes one
standing order, and takes the person off every list, in the same transaction: there is no moment in which it is known
and not yet in force. Whoever stops a service message also gets no more of those on that channel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine

from records import audit
from records.inbox import post_event
from records.ledger import last_message, not_gone
from records.outreach import Outreach, State, find_outreach, move
from records.people import load_permissions, record_consents, suppress
from records.stopping import channels_agreed, order_stands, people_at
from serving.channels import CHANNELS
from serving.message_files import message_files
from serving.stop_words import Meaning, meaning
from serving.tokens import link_secret, read_token

# An answer is taken to be about the last message this person had on this channel, if it is not older.
ANSWERS_WITHIN = timedelta(days=30)
NOT_GONE = (State.PLANNED, State.APPROVED, State.QUEUED)


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """Somebody asked us to stop. `new` is false if they had done so before."""

    customer_id: str
    outreach_id: str | None
    new: bool
    taken_off: int  # messages that were on their way and now stay here


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What became of an answer. `meaning` "unsure": it waits for a person."""

    meaning: Meaning
    customers: tuple[str, ...]  # several people may share an address; stopping stops all of them
    outreach_id: str | None
    stopped: tuple[Stopped, ...]


# ── links ─────────────────────────────────────────────────────────────────────────────────────────────────
def unsubscribe(engine: Engine, token: str, now: datetime) -> Stopped | None:
    """One-click unsubscribe (RFC 8058); as often as one likes. None: the token is not one of ours."""
    row = find_by_token(engine, token, "unsubscribe")
    if row is None:
        return None
    with engine.begin() as connection:
        stopped = _stop(connection, row.customer_id, row, now, "one-click unsubscribe")
        post_event(connection, _event(row, "message_unsubscribed", now), now)
    return stopped


def record_open(engine: Engine, token: str, now: datetime, *, machine: bool) -> bool:
    """The message was opened, by a person or by a scanner or proxy (`machine`). False: not our token."""
    row = find_by_token(engine, token, "open")
    if row is None:
        return False
    who = "machine" if machine else "person"
    event = _event(row, "message_opened", now, suffix=who, machine=machine)
    post_event(engine, event, now)
    return True


def record_click(engine: Engine, token: str, link: str, now: datetime, *, machine: bool = False) -> str | None:
    """A link of the message was followed. Where it leads to, below the company's website; None: not our token."""
    row = find_by_token(engine, token, "click")
    if row is None:
        return None
    target = dict(message_files(row.message).meta.links).get(link)  # type: ignore[call-overload]
    if target is None:
        return None
    event = _event(row, "message_clicked", now, suffix=f"{link}:{'machine' if machine else 'person'}", machine=machine)
    event["properties"]["link"] = link
    post_event(engine, event, now)
    return str(row.variables.get("website", "")).rstrip("/") + str(target)


def find_by_token(engine: Engine, token: str, purpose: Any) -> Outreach | None:
    """The outreach a link belongs to; None for a token that is not ours, or for another purpose."""
    outreach_id = read_token(link_secret(engine), token, purpose)
    if outreach_id is None:
        return None
    with engine.connect() as connection:
        return find_outreach(connection, outreach_id)


# ── answers ───────────────────────────────────────────────────────────────────────────────────────────────
def receive_reply(
    engine: Engine,
    *,
    channel: str,
    text: str,
    at: datetime,
    now: datetime,
    address: str | None = None,
    customer_id: str | None = None,
    reply_id: str | None = None,
) -> Reply:
    """Take in an answer from an address (or a known customer). `reply_id`: the provider's, so that repeats are one.

    Somebody we do not know is answered with an empty `customers`; nothing is recorded for them.
    """
    said = meaning(text)
    with engine.begin() as connection:
        people = [customer_id] if customer_id is not None else people_at(connection, channel, address or "")
        stopped, about = [], None
        for person in people:
            row = _last_message(connection, person, channel, at)
            about = about or (row.outreach_id if row else None)
            if said == "stop":
                stopped.append(_stop(connection, person, row, now, f"answer on {channel}", channel))
            post_event(connection, _reply_event(person, row, channel, text, at, said, reply_id), now)
    return Reply(meaning=said, customers=tuple(people), outreach_id=about, stopped=tuple(stopped))


def _last_message(connection: Connection, customer_id: str, channel: str, at: datetime) -> Outreach | None:
    return last_message(connection, customer_id, channel, at - ANSWERS_WITHIN, at)


def _reply_event(
    customer_id: str,
    row: Outreach | None,
    channel: str,
    text: str,
    at: datetime,
    said: Meaning,
    reply_id: str | None,
) -> dict[str, Any]:
    content = reply_id or f"{customer_id}\n{channel}\n{at.isoformat()}\n{text}"
    properties: dict[str, Any] = {"meaning": said, "needs_person": said == "unsure", "machine": False}
    if row is not None:
        properties |= {"outreach_id": row.outreach_id, "play": row.play}
    return {
        "event_id": f"message_replied:{hashlib.sha256(f'{customer_id}:{content}'.encode()).hexdigest()[:32]}",
        "customer_id": customer_id,
        "occurred_at": at,
        "name": "message_replied",
        "channel": channel,
        "text": text.replace("\0", "")[:10_000],
        "properties": properties,
    }


def _event(row: Outreach, name: str, now: datetime, *, suffix: str = "", machine: bool = False) -> dict[str, Any]:
    return {
        "event_id": ":".join(part for part in (name, row.outreach_id, suffix) if part),
        "customer_id": row.customer_id,
        "occurred_at": now,
        "name": name,
        "channel": row.channel,
        "properties": {"outreach_id": row.outreach_id, "play": row.play, "machine": machine},
    }


# ── stopping ──────────────────────────────────────────────────────────────────────────────────────────────
def stop(engine: Engine, customer_id: str, now: datetime, source: str) -> Stopped:
    """The customer asked by any other way (the settings page, a call): no more offers, on no channel."""
    with engine.begin() as connection:
        return _stop(connection, customer_id, None, now, source)


def receive_simulated_stop(engine: Engine, customer_id: str, channel: str, at: datetime) -> Stopped:
    """Somebody said stop in the simulation, whose event is in the log already: here are the consequences."""
    with engine.begin() as connection:
        row = _last_message(connection, customer_id, channel, at)
        return _stop(connection, customer_id, row, at, "simulated answer", channel)


def _stop(
    connection: Connection,
    customer_id: str,
    row: Outreach | None,
    now: datetime,
    source: str,
    channel: str | None = None,
) -> Stopped:
    new = _order(connection, customer_id, now, source, None, "promotional")
    if new:
        withdrawn: Sequence[Mapping[str, Any]] = [
            {"customer_id": customer_id, "channel": name, "purpose": "promotional", "granted": False}
            | {"at": now, "source": source}
            for name in sorted({*CHANNELS, *channels_agreed(connection, customer_id)})
        ]
        record_consents(connection, withdrawn)
    if row is not None and row.purpose == "service":
        new = _order(connection, customer_id, now, source, channel or row.channel, "service") or new
    taken_off = _take_off(connection, customer_id, now)
    if new:
        subject = row.outreach_id if row else "a customer"
        audit.record(
            connection, now, "customer", "asked us to stop", subject, {"source": source, "taken_off": taken_off}
        )
    outreach_id = row.outreach_id if row else None
    return Stopped(customer_id=customer_id, outreach_id=outreach_id, new=new, taken_off=taken_off)


def _order(
    connection: Connection, customer_id: str, now: datetime, source: str, channel: str | None, purpose: str
) -> bool:
    """Write the standing order unless it stands already. True: it is new."""
    if order_stands(connection, customer_id, channel, purpose, now):
        return False
    suppress(connection, customer_id, source, now, channel=channel, purpose=purpose)
    return True


def _take_off(connection: Connection, customer_id: str, now: datetime) -> int:
    """End what is on its way and no longer allowed. What a sender has already claimed is stopped by its last check."""
    waiting = not_gone(connection, customer_id)
    permissions = load_permissions(connection, [customer_id], now)
    ended = [row.outreach_id for row in waiting if not permissions.may(customer_id, row.channel, row.purpose)[0]]
    for outreach_id in ended:
        move(
            connection,
            outreach_id,
            expected=NOT_GONE,
            to=State.CANCELLED,
            now=now,
            actor="customer",
            reason="asked us not to write",
        )
    return len(ended)
