"""Which rows of a list does this filter hold, and which come next?

Paging is by key, never by OFFSET, so that page 400 of a list of 10 lakh costs what page 1 costs. A selection is a
`Filter` and the number of rows it found: whoever acts on it says the number again (serving.review).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select

from records.outreach import Outreach, State
from records.tables import customers, outreach, scores

Tab = Literal["waiting", "approved", "declined", "comparison", "all"]
TABS: dict[str, tuple[State, ...]] = {
    "waiting": (State.PLANNED,),
    "approved": (
        State.APPROVED,
        State.QUEUED,
        State.CLAIMED,
        State.FENCED,
        State.SENT,
        State.REFUSED,
        State.UNKNOWN,
        State.DELIVERED,
        State.FAILED,
        State.CANCELLED,
    ),
    "declined": (State.DECLINED, State.EXPIRED),
    "comparison": (State.HELD_OUT,),
    "all": tuple(State),
}
Order = Literal["risk", "time", "cost"]
_ORDERS: dict[str, tuple[Any, bool]] = {  # column, descending
    "risk": (func.coalesce(outreach.c.churn_probability, -1.0), True),
    "time": (outreach.c.send_at, False),
    "cost": (outreach.c.cost_minor, True),
}


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which rows of one list. Everything left empty does not narrow."""

    list_id: str
    tab: Tab = "waiting"
    play: str | None = None
    band: str | None = None  # high, medium, low: as scored
    channel: str | None = None
    topic: str | None = None  # the likeliest topic
    text: str = ""  # part of a name, a customer id or an outreach id


@dataclass(frozen=True, kw_only=True)
class ListRow:
    """One row of the list: the outreach and whom it is for."""

    outreach: Outreach
    name: str | None
    city: str | None
    band: str | None
    version: str | None  # of the model that scored the person


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some rows of a list. `position` is the number of the first one, from 1."""

    rows: tuple[ListRow, ...]
    total: int
    position: int
    next: str | None  # an outreach id to hand back as `after`
    previous: str | None  # an outreach id to hand back as `before`


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What a filter selects, in numbers."""

    count: int
    cost_minor: int
    by_play: dict[str, int]
    by_channel: dict[str, int]


def _conditions(chosen: Filter) -> list[ColumnElement[bool]]:
    c = outreach.c
    found = [c.list_id == chosen.list_id, c.state.in_(TABS[chosen.tab])]
    if chosen.play:
        found.append(c.play == chosen.play)
    if chosen.channel:
        found.append(c.channel == chosen.channel)
    if chosen.band:
        found.append(c.score_id.in_(select(scores.c.score_id).where(scores.c.band == chosen.band)))
    if chosen.topic:
        found.append(c.topics[(0, "topic")].as_string() == chosen.topic)
    if chosen.text.strip():
        part = chosen.text.strip()
        named = select(customers.c.customer_id).where(customers.c.name.icontains(part, autoescape=True))
        found.append(
            or_(
                c.customer_id.icontains(part, autoescape=True),
                c.outreach_id.icontains(part, autoescape=True),
                c.customer_id.in_(named),
            )
        )
    return found


def page(
    connection: Connection,
    chosen: Filter,
    *,
    order: Order = "risk",
    size: int = 25,
    after: str | None = None,
    before: str | None = None,
) -> Page:
    """The rows after (or before) an outreach id, in the order asked for; without either the first rows."""
    column, descending = _ORDERS[order]
    edge = _edge(connection, column, before or after)
    backwards = before is not None and edge is not None
    conditions = _conditions(chosen)
    wanted = conditions if edge is None else [*conditions, _beyond(column, edge, descending != backwards)]
    key = (column, outreach.c.outreach_id)
    turned = descending != backwards
    found = connection.execute(
        rows_sql(wanted).order_by(*(part.desc() if turned else part.asc() for part in key)).limit(size + 1)
    ).all()
    more, found = len(found) > size, list(found[:size])
    if backwards:
        found.reverse()
    rows = tuple(list_row(row) for row in found)
    total = connection.execute(select(func.count()).select_from(outreach).where(*conditions)).scalar_one()
    position = 1
    if rows and edge is not None:
        first = _edge(connection, column, rows[0].outreach.outreach_id)
        ahead = [*conditions, _beyond(column, first, not descending)]
        position += connection.execute(select(func.count()).select_from(outreach).where(*ahead)).scalar_one()
    last = position + len(rows) - 1
    return Page(
        rows=rows,
        total=total,
        position=position,
        next=rows[-1].outreach.outreach_id if rows and (more if not backwards else last < total) else None,
        previous=rows[0].outreach.outreach_id if rows and position > 1 else None,
    )


def position_of(connection: Connection, chosen: Filter, outreach_id: str, order: Order = "risk") -> tuple[int, int]:
    """Which row of how many this is: (3, 412); 0 if the filter does not hold it."""
    column, descending = _ORDERS[order]
    conditions = _conditions(chosen)
    total = connection.execute(select(func.count()).select_from(outreach).where(*conditions)).scalar_one()
    held = connection.execute(
        select(func.count()).select_from(outreach).where(*conditions, outreach.c.outreach_id == outreach_id)
    ).scalar_one()
    edge = _edge(connection, column, outreach_id)
    ahead = [*conditions, _beyond(column, edge, not descending)]
    count = connection.execute(select(func.count()).select_from(outreach).where(*ahead)).scalar_one()
    return (count + 1 if held else 0), total


def neighbours(
    connection: Connection, chosen: Filter, outreach_id: str, order: Order = "risk"
) -> tuple[str | None, str | None]:
    """The outreach ids before and after this one in the filter; the row itself may have left it (just approved)."""
    column, descending = _ORDERS[order]
    edge = _edge(connection, column, outreach_id)
    found: list[str | None] = []
    for turned in (not descending, descending):
        key = (column, outreach.c.outreach_id)
        statement = (
            select(outreach.c.outreach_id)
            .where(*_conditions(chosen), _beyond(column, edge, turned))
            .order_by(*(part.desc() if turned else part.asc() for part in key))
            .limit(1)
        )
        found.append(connection.execute(statement).scalar())
    return found[0], found[1]


def rows_sql(conditions: Sequence[ColumnElement[bool]]) -> Select[Any]:
    """Outreach with whom it is for, and how that person was scored."""
    return (
        select(outreach, customers.c.name, customers.c.city, scores.c.band, scores.c.model_version.label("version"))
        .join(customers, customers.c.customer_id == outreach.c.customer_id, isouter=True)
        .join(scores, scores.c.score_id == outreach.c.score_id, isouter=True)
        .where(*conditions)
    )


def list_row(row: Row[Any]) -> ListRow:
    """One row of `rows_sql`."""
    values = dict(row._mapping)
    beside = {name: values.pop(name) for name in ("name", "city", "band", "version")}
    return ListRow(outreach=Outreach(**values), **beside)


def _edge(connection: Connection, column: Any, outreach_id: str | None) -> Any:
    if outreach_id is None:
        return None
    found = connection.execute(
        select(column, outreach.c.outreach_id).where(outreach.c.outreach_id == outreach_id)
    ).one_or_none()
    return found


def _beyond(column: Any, edge: Any, descending: bool) -> ColumnElement[bool]:
    """Rows that come after the edge when sorted this way."""
    if edge is None:
        return outreach.c.outreach_id.is_(None)
    value, outreach_id = edge
    own = outreach.c.outreach_id
    if descending:
        return or_(column < value, and_(column == value, own < outreach_id))
    return or_(column > value, and_(column == value, own > outreach_id))


def matching_ids(connection: Connection, chosen: Filter) -> list[str]:
    """The outreach ids a filter selects, in id order."""
    found = connection.execute(
        select(outreach.c.outreach_id).where(*_conditions(chosen)).order_by(outreach.c.outreach_id)
    )
    return [str(row[0]) for row in found]


def selection(connection: Connection, chosen: Filter) -> Selection:
    """People, money, messages and channels a filter selects."""
    grouped = connection.execute(
        select(outreach.c.play, outreach.c.channel, func.count(), func.sum(outreach.c.cost_minor))
        .where(*_conditions(chosen))
        .group_by(outreach.c.play, outreach.c.channel)
    ).all()
    by_play: dict[str, int] = {}
    by_channel: dict[str, int] = {}
    for play, channel, number, _ in grouped:
        by_play[play] = by_play.get(play, 0) + number
        by_channel[channel] = by_channel.get(channel, 0) + number
    return Selection(
        count=sum(by_play.values()),
        cost_minor=int(sum(cost or 0 for *_, cost in grouped)),
        by_play=dict(sorted(by_play.items(), key=lambda item: (-item[1], item[0]))),
        by_channel=dict(sorted(by_channel.items(), key=lambda item: (-item[1], item[0]))),
    )
