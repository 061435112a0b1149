"""Who may come in, and who is in? One-time links and sessions of the review app; only hashes of tokens are stored."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, delete, insert, or_, select, update

from records.tables import reviewers, sessions, signin_links

LINK_LIFE = timedelta(hours=1)
SEEN_STEP = timedelta(minutes=1)  # a session's last use is written at most this often


@dataclass(frozen=True, kw_only=True)
class Reviewer:
    """A person who is signed in."""

    reviewer_id: int
    name: str


def token_hash(token: str) -> str:
    """What is stored of a token. Tokens have 256 random bits, so a plain hash cannot be turned back."""
    return hashlib.sha256(token.encode()).hexdigest()


def create_signin_link(engine: Engine, name: str, now: datetime, life: timedelta = LINK_LIFE) -> str:
    """A token that signs `name` in once, until `now` + `life`. Somebody new becomes a reviewer by it."""
    token = secrets.token_urlsafe(32)
    with engine.begin() as connection:
        reviewer_id = connection.execute(select(reviewers.c.reviewer_id).where(reviewers.c.name == name)).scalar()
        if reviewer_id is None:
            reviewer_id = connection.execute(
                insert(reviewers).values(name=name).returning(reviewers.c.reviewer_id)
            ).scalar_one()
        connection.execute(
            insert(signin_links).values(token_hash=token_hash(token), reviewer_id=reviewer_id, expires_at=now + life)
        )
    return token


def link_owner(connection: Connection, token: str, now: datetime) -> Reviewer | None:
    """Whom this link would sign in; None if it is unknown, used or too old."""
    row = connection.execute(
        select(reviewers.c.reviewer_id, reviewers.c.name)
        .join(signin_links, signin_links.c.reviewer_id == reviewers.c.reviewer_id)
        .where(
            signin_links.c.token_hash == token_hash(token),
            signin_links.c.used_at.is_(None),
            signin_links.c.expires_at > now,
        )
    ).one_or_none()
    return Reviewer(reviewer_id=row[0], name=row[1]) if row else None


def use_link(engine: Engine, token: str, now: datetime, life: timedelta) -> str | None:
    """Trade a link for the token of a new session; None if it is unknown, used or too old. Works once."""
    session = secrets.token_urlsafe(32)
    with engine.begin() as connection:
        owner = link_owner(connection, token, now)
        if owner is None:
            return None
        changed = connection.execute(
            update(signin_links)
            .where(signin_links.c.token_hash == token_hash(token), signin_links.c.used_at.is_(None))
            .values(used_at=now)
        )
        if changed.rowcount != 1:
            return None
        connection.execute(delete(sessions).where(or_(sessions.c.expires_at < now, sessions.c.ended_at.is_not(None))))
        connection.execute(
            insert(sessions).values(
                token_hash=token_hash(session),
                reviewer_id=owner.reviewer_id,
                created_at=now,
                seen_at=now,
                expires_at=now + life,
            )
        )
    return session


def find_session(engine: Engine, token: str, now: datetime, idle: timedelta) -> Reviewer | None:
    """Who holds this session; None if it ended, is past its end, or was not used for `idle`."""
    with engine.connect() as connection:
        row = connection.execute(
            select(reviewers.c.reviewer_id, reviewers.c.name, sessions.c.seen_at)
            .join(sessions, sessions.c.reviewer_id == reviewers.c.reviewer_id)
            .where(
                sessions.c.token_hash == token_hash(token),
                sessions.c.ended_at.is_(None),
                sessions.c.expires_at > now,
                sessions.c.seen_at > now - idle,
            )
        ).one_or_none()
    if row is None:
        return None
    if now - row.seen_at >= SEEN_STEP:
        with engine.begin() as connection:
            connection.execute(update(sessions).where(sessions.c.token_hash == token_hash(token)).values(seen_at=now))
    return Reviewer(reviewer_id=row.reviewer_id, name=row.name)


def end_session(engine: Engine, token: str, now: datetime) -> None:
    """Sign out."""
    with engine.begin() as connection:
        connection.execute(update(sessions).where(sessions.c.token_hash == token_hash(token)).values(ended_at=now))
