"""Who is behind an address, and have they told us to stop already?"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, or_, select

from records.tables import consent, customers, suppression


def people_at(connection: Connection, channel: str, address: str) -> list[str]:
    """Everybody with this e-mail address or number, in order; several people may share one."""
    wanted = address.strip()
    if not wanted:
        return []
    if channel == "email":
        condition = func.lower(customers.c.email) == wanted.lower()
    else:
        digits = "".join(character for character in wanted if character.isdigit())
        condition = customers.c.phone.in_((wanted, digits, f"+{digits}"))
    query = select(customers.c.customer_id).where(condition, customers.c.erased_at.is_(None))
    return [str(row[0]) for row in connection.execute(query.order_by(customers.c.customer_id))]


def order_stands(connection: Connection, customer_id: str, channel: str | None, purpose: str, at: datetime) -> bool:
    """Is there a standing order not to write that covers this scope? channel None: every channel."""
    c = suppression.c
    query = select(func.count()).where(
        c.customer_id == customer_id,
        or_(c.channel.is_(None), c.channel == channel) if channel else c.channel.is_(None),
        or_(c.purpose.is_(None), c.purpose == purpose),
        or_(c.ended_at.is_(None), c.ended_at > at),
    )
    return bool(connection.execute(query).scalar_one())


def channels_agreed(connection: Connection, customer_id: str) -> set[str]:
    """Every channel this person ever said yes or no to."""
    found = connection.execute(select(consent.c.channel).where(consent.c.customer_id == customer_id).distinct())
    return {str(row[0]) for row in found}
