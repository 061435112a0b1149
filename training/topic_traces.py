"""What lately happened to a customer, judged by what those before them asked after the same.

A trace is a kind of event, product or property value of the last week, or of the weeks before. For each trace we look
how much more often its owners asked about each topic within a horizon: traces tell a fault before its owner calls.
"""

# ruff: noqa: S608  the SQL is made of our own names; settings and topics are quoted
from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from features.cutoffs import microseconds
from training.labels import IssueOptions, instant, named
from training.populations import literal
from training.topic_properties import dynamic_value

if TYPE_CHECKING:
    from records.events import EventLog

# What happened in the last days, and in the weeks before: a fault shows within days, a bill within weeks.
NEAR_DAYS, FAR_DAYS = 7, 30
# A trace that fewer customers share than this says nothing; and so many customers' worth of the average is mixed in.
FEWEST_OWNERS, PRIOR_OWNERS = 30, 40
# How many horizons back the traces are judged by what followed them.
LOOK_BACK = 3


def trace_table(moment: datetime) -> str:
    return f"traces_{microseconds(moment)}".replace("-", "minus")


def trace_sql(log: EventLog, issues: IssueOptions, moment: datetime) -> str:
    """Distinct (customer_id, trace) of the last weeks, known before the moment."""
    near, far = instant(moment - timedelta(days=NEAR_DAYS)), instant(moment - timedelta(days=FAR_DAYS))
    value = dynamic_value("key")
    window = f"case when occurred_at >= {near} then '{NEAR_DAYS} ' else '{FAR_DAYS} ' end || name"
    return f"""
        with recent as (
            select customer_id, {window} as name, product, properties from {log.relation_sql(moment)}
            where occurred_at >= {far} and name <> {literal(issues.event)} and name <> 'text_scored'
              and not starts_with(name, 'message_')),
        keyed as (
            select customer_id, name, properties, unnest(json_keys(properties)) as key from recent
            where properties is not null and properties <> '{{}}')
        select customer_id, name as trace from recent
        union select customer_id, name || '|' || product from recent where product is not null
        union select customer_id, name || '|' || key || '=' || {value} from keyed where length({value}) <= 24"""


def lift_sql(
    log: EventLog, issues: IssueOptions, known: Sequence[str], cutoff: datetime, past: Sequence[datetime]
) -> str:
    """For each asked customer and topic: the strongest, the weakest and the sum of log-lifts of their traces.

    Counts are whole numbers and log-lifts are rounded to millionths before they are summed: the same in any order.
    """
    relation = log.relation_sql(cutoff)
    horizon, is_contact = issues.horizon, named([issues.event])
    owned = " union all ".join(
        f"select {number} as ref, customer_id, trace from {trace_table(moment)}" for number, moment in enumerate(past)
    )
    windows = " union all ".join(
        f"select distinct {number} as ref, customer_id, topic from contacts "
        f"where occurred_at >= {instant(moment)} and occurred_at < {instant(moment + horizon)}"
        for number, moment in enumerate(past)
    )
    topics = ", ".join(f"({literal(topic)})" for topic in known)
    return f"""
        with contacts as (select customer_id, topic, occurred_at from {relation}
                          where {is_contact} and topic is not null and occurred_at >= {instant(past[-1])}),
        owned as ({owned}),
        owners as (select trace, count(*) as n from owned group by trace having count(*) >= {FEWEST_OWNERS}),
        followed as ({windows}),
        topics(topic) as (values {topics}),
        everybody as (select count(*) as n from (select distinct ref, customer_id from owned)),
        base as (select topic, (count(followed.topic) + 0.5) / (any_value(everybody.n) + 1.0) as rate
                 from topics cross join everybody left join followed using (topic) group by topic),
        hits as (select trace, topic, count(*) as n from owned join followed using (ref, customer_id) group by all),
        lifts as (
            select trace, topic, cast(round(1e6 * ln((coalesce(hits.n, 0) + {PRIOR_OWNERS} * rate)
                / ((owners.n + {PRIOR_OWNERS}) * rate))) as bigint) as lift
            from owners cross join base left join hits using (trace, topic))
        select customer_id, topic, max(lift) as happened_most, min(lift) as happened_least,
               cast(sum(lift) as bigint) as happened_sum
        from asked join {trace_table(cutoff)} using (customer_id) join lifts using (trace)
        group by customer_id, topic order by customer_id, topic"""
