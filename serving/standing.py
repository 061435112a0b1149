"""How do we stand with this person just now: left, complaining, escalated, written to lately?

One query over the events for the few people a play fitted. It is asked when planning, and again at the send. What
leaving is, the definition says to which each of them belongs at that moment.
"""

# ruff: noqa: S608  the SQL is made of our own names; values come quoted from serving.triggers and training.labels
from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from serving.plays import Escalated
from serving.triggers import instant, passes, text
from training.definitions import belonging, by_definition
from training.labels import ChurnOptions, is_activity, named

if TYPE_CHECKING:
    import duckdb

# A ticket nobody closed in the source system must not silence us for ever.
OPEN_TICKET_DAYS = 60


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What the events say about one person. None: no such thing."""

    open_ticket_since: datetime | None = None
    escalated_at: datetime | None = None
    left_at: datetime | None = None
    last_message_at: datetime | None = None


def load_standing(
    con: duckdb.DuckDBPyConnection,
    relation: str,
    people: str,
    *,
    as_of: datetime,
    churn: ChurnOptions,
    escalated: Escalated,
) -> dict[str, Standing]:
    """The standing of everybody in `people` (SQL of a relation with customer_id); absent: no events at all."""
    at, tickets_from = instant(as_of), instant(as_of - timedelta(days=OPEN_TICKET_DAYS))
    among = f"e.customer_id in (select customer_id from {people}) and e.occurred_at < {at}"
    angry = " and ".join(
        [
            f"name = {text(escalated.event)}",
            f"occurred_at >= {instant(as_of - timedelta(days=escalated.within_days))}",
            *(passes(test, "e") for test in escalated.where),
        ]
    )
    sql = f"""
        with e as (select * from {relation} e where {among}),
        opened as (
            select customer_id, occurred_at, topic, json_extract_string(properties, '$.ticket_id') as ticket from e
            where name = 'support_ticket_opened' and occurred_at >= {tickets_from}),
        solved as (
            select customer_id, occurred_at, json_extract_string(properties, '$.ticket_id') as ticket from e
            where name = 'support_ticket_solved'),
        open as (
            select o.customer_id, min(o.occurred_at) as since from opened o
            where not exists (
                select 1 from solved s where s.customer_id = o.customer_id and s.occurred_at >= o.occurred_at
                and (s.ticket = o.ticket or s.ticket is null or o.ticket is null))
            group by 1),
        whose as ({belonging(churn, "e")}),
        other as (
            select customer_id, max(occurred_at) filter (where {angry}) as angry_at,
                {by_definition(churn, _left_sql, "any_value(definition)")} as left_at,
                max(occurred_at) filter (where name = 'message_sent') as wrote_at
            from e join whose using (customer_id) group by 1)
        select customer_id, epoch_us(since), epoch_us(angry_at), epoch_us(left_at), epoch_us(wrote_at)
        from other left join open using (customer_id)"""
    return {
        customer_id: Standing(
            open_ticket_since=_time(since),
            escalated_at=_time(angry_at),
            left_at=_time(left_at),
            last_message_at=_time(wrote),
        )
        for customer_id, since, angry_at, left_at, wrote in con.execute(sql).fetchall()
    }


def _left_sql(churn: ChurnOptions) -> str:
    """SQL of when somebody left who has not come back, over a person's events; who merely fell silent has not."""
    if churn.definition != "event":
        return "null::timestamptz"
    going = f"max(occurred_at) filter (where {named([churn.event])})"
    back = named(churn.returned_by) if churn.returned_by else is_activity(churn)
    coming = f"max(occurred_at) filter (where {back})"
    return f"case when {coming} is null or {coming} <= {going} then {going} end"


def _time(micros: int | None) -> datetime | None:
    return None if micros is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
