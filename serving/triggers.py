"""Whom does each way to fit a play find in the event log, and with which facts?

A trigger of the playbook (see serving.playbook) becomes one DuckDB query over a relation of events; bands and reasons
are the scores' business and are asked by serving.candidates. The same query, without its time window and for a few
people, answers at the send whether what the message says is still true.
"""

# ruff: noqa: S608  the SQL is made of checked field names; every value from the playbook is quoted by `text`
from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from serving.plays import Counted, Filter, Trigger
from serving.variables import event_facts

if TYPE_CHECKING:
    import duckdb

_COLUMNS = ("event_id", "channel", "product", "topic", "amount", "currency", "text", "rating")
_NUMERIC = ("amount", "rating")
# One event as facts: its own columns, times in microseconds, and its properties as they came.
_FACTS = (
    "struct_pack(event_id := {0}.event_id, at := epoch_us({0}.occurred_at), channel := {0}.channel, "
    "product := {0}.product, topic := {0}.topic, amount := {0}.amount::varchar, currency := {0}.currency, "
    "rating := {0}.rating, properties := {0}.properties)"
)


@dataclass(frozen=True, kw_only=True)
class Fit:
    """One person whom one way of one play found."""

    customer_id: str
    way: int  # which of the play's triggers
    key: str  # which order, bill, ticket, … ("night:2026-11-21" if nightly)
    at: datetime  # when it happened
    facts: Mapping[str, Any]  # flat: "trigger.amount", "plan.product"; what serving.variables fills words from
    unsure: str = ""  # the likely topic it rests on, where the model is not sure enough of it to act


def find(
    con: duckdb.DuckDBPyConnection,
    relation: str,
    trigger: Trigger,
    way: int,
    *,
    as_of: datetime,
    people: str | None = None,
    still: bool = False,
) -> list[Fit]:
    """Everybody this trigger finds in `relation` (SQL that gives events), seen at `as_of`; one fit per person and key.

    Parameters
    ----------
    people
        SQL of a relation with a column customer_id: only these. A nightly trigger needs it.
    still
        The trigger event may be older than `within_hours`: asked at the send, when the evening has come.
    """
    sql = query(relation, trigger, as_of=as_of, people=people, still=still)
    fits = []
    for row in con.execute(sql).fetchall():
        customer_id, key, at, *structs = row
        names = ["trigger", *(counted.name for counted in trigger.also if counted.name)]
        facts: dict[str, Any] = {}
        for name, struct in zip(names, structs, strict=True):
            facts |= _facts(name, struct) if struct is not None else {}
        fits.append(Fit(customer_id=customer_id, way=way, key=key, at=_from_micros(at), facts=facts))
    return fits


def query(relation: str, trigger: Trigger, *, as_of: datetime, people: str | None, still: bool) -> str:
    """The SQL of one trigger: customer_id, key, at (µs), then the facts of the event and of each named condition."""
    among = f"and e.customer_id in (select customer_id from {people})" if people else ""
    if trigger.nightly:
        start = (
            f"select distinct customer_id, null::varchar as event_id, {instant(as_of)} as occurred_at, "
            "null as channel, null as product, null as topic, null::decimal(18,4) as amount, null as currency, "
            "null::double as rating, "
            f"null::varchar as properties, {text(f'night:{as_of:%Y-%m-%d}')} as trigger_key from {people}"
        )
    else:
        oldest = (
            ""
            if still or trigger.within_hours is None
            else (f"and e.occurred_at >= {instant(as_of - timedelta(hours=trigger.within_hours))}")
        )
        where = "".join(f" and {passes(test, 'e')}" for test in trigger.where)
        start = (
            f"select e.customer_id, e.event_id, e.occurred_at, e.channel, e.product, e.topic, e.amount, e.currency, "
            f"e.rating, e.properties, coalesce({field_sql(trigger.key, 'e')}, e.event_id) as trigger_key "
            f"from {relation} e where e.name = {text(str(trigger.event))} "
            f"and e.occurred_at <= {instant(as_of - timedelta(hours=trigger.after_hours))} {oldest} {where} {among}"
        )
    joins, tests, lent = [], [], []
    for number, counted in enumerate(trigger.also):
        alias = f"c{number}"
        joins.append(_counted(relation, counted, alias, as_of))
        tests += _limits(counted, alias)
        if counted.name:
            lent.append(f"{alias}.latest")
    columns = ", ".join(["t.customer_id", "t.trigger_key", "epoch_us(t.occurred_at)", _FACTS.format("t"), *lent])
    condition = " and ".join(tests) or "true"
    return (
        f"with t as materialized ({start}) select {columns} from t {' '.join(joins)} where {condition} "
        "qualify row_number() over (partition by t.customer_id, t.trigger_key "
        "order by t.occurred_at desc, t.event_id desc) = 1 order by t.customer_id, t.trigger_key"
    )


def _counted(relation: str, counted: Counted, alias: str, as_of: datetime) -> str:
    """A join that adds, per trigger row, how many events were counted and the latest of them."""
    names = ", ".join(text(name) for name in counted.names)
    span = [f"e.occurred_at < {instant(as_of)}"]
    days = f"interval {counted.within_days} day" if counted.within_days else None
    if counted.since_trigger:
        span += ["e.occurred_at >= t.occurred_at", "e.event_id is distinct from t.event_id"]
        span += [f"e.occurred_at < t.occurred_at + {days}"] if days else []
    else:
        span += ["e.occurred_at <= t.occurred_at"]
        span += [f"e.occurred_at > t.occurred_at - {days}"] if days else []
    span += [passes(test, "e") for test in counted.where]
    span += [f"{field_sql(name, 'e')} = {field_sql(name, 't')}" for name in counted.same]
    struct = _FACTS.format("e")
    return (
        f"left join (select t.customer_id, t.trigger_key, t.event_id, count(*) as found, "
        f"arg_max({struct}, (e.occurred_at, e.event_id)) as latest from t join {relation} e "
        f"on e.customer_id = t.customer_id and e.name in ({names}) and {' and '.join(span)} group by all) {alias} "
        f"on {alias}.customer_id = t.customer_id and {alias}.trigger_key = t.trigger_key "
        f"and {alias}.event_id is not distinct from t.event_id"
    )


def _limits(counted: Counted, alias: str) -> list[str]:
    tests = []
    if counted.at_least is not None:
        tests.append(f"coalesce({alias}.found, 0) >= {counted.at_least}")
    if counted.at_most is not None:
        tests.append(f"coalesce({alias}.found, 0) <= {counted.at_most}")
    return tests + [passes(test, f"{alias}.latest") for test in counted.latest]


def passes(test: Filter, alias: str) -> str:
    """SQL of one filter; a missing field passes no test."""
    field, number = field_sql(test.field, alias), field_sql(test.field, alias, numeric=True)
    if test.one_of is not None:
        return f"{field} in ({', '.join(text(value) for value in test.one_of)})"
    if test.equals is not None:
        if isinstance(test.equals, bool):
            return f"{field} = {text(str(test.equals).lower())}"
        return f"{field} = {text(test.equals)}" if isinstance(test.equals, str) else f"{number} = {float(test.equals)}"
    limit = test.at_least if test.at_least is not None else test.at_most
    factor = f" * {field_sql(test.times, alias, numeric=True)}" if test.times else ""
    return f"{number} {'>=' if test.at_least is not None else '<='} {float(limit or 0)}{factor}"


def field_sql(name: str, alias: str, *, numeric: bool = False) -> str:
    if name.startswith("properties."):
        found = f"json_extract_string({alias}.properties, {text('$.' + name.removeprefix('properties.'))})"
    elif name in _COLUMNS:
        found = f"{alias}.{name}::varchar"
    else:
        msg = f"{name!r} is not a field of an event"
        raise ValueError(msg)
    return f"try_cast({found} as double)" if numeric else found


def _facts(name: str, struct: Mapping[str, Any]) -> dict[str, Any]:
    event = dict(struct)
    return event_facts(name, {**event, "occurred_at": _from_micros(event.pop("at"))})


def people_sql(con: duckdb.DuckDBPyConnection, name: str, customer_ids: Collection[str]) -> str:
    """Register these people on the connection; gives the name to hand in as `people`."""
    import pyarrow as pa

    con.register(name, pa.table({"customer_id": pa.array(sorted(customer_ids), pa.string())}))
    return name


def instant(moment: datetime) -> str:
    return f"make_timestamptz({int(moment.timestamp()) * 1_000_000 + moment.microsecond})"


def _from_micros(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
