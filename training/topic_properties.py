"""Which properties of a contact tell who asks alike? Chosen on the contacts before a moment, and kept by name."""

# ruff: noqa: S608  the SQL is made of our own names; names of properties are values
from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from training.labels import IssueOptions, named
from training.populations import literal

if TYPE_CHECKING:
    from records.events import EventLog

# So many properties at most; each is on at least half of the contacts, and a value is shared by 20 of them on average.
MOST_PROPERTIES, CONTACTS_PER_VALUE = 8, 20
# The event's own columns that say something of the kind; a property's name gets this before it.
COLUMNS, PROPERTY = ("channel", "product"), "properties."


def contact_properties(log: EventLog, issues: IssueOptions, until: datetime) -> tuple[str, ...]:
    """The columns and properties to compare contacts by, those on most contacts first, then by name."""
    with log.connection() as connection:
        rows = connection.execute(f"""
            with contacts as (
                select channel, product, properties from {log.relation_sql(until)}
                where {named([issues.event])} and topic is not null),
            keys as (select unnest(json_keys(properties)) as key, properties from contacts
                     where properties is not null and json_type(properties) = 'OBJECT'),
            told as (
                select 'channel' as name, channel as value from contacts
                union all select 'product', product from contacts
                union all select {literal(PROPERTY)} || key, {dynamic_value("key")} from keys),
            counted as (
                select name, count(*) as n, count(distinct value) as different from told
                where value is not null and length(name) <= 200 group by name)
            select name from counted, (select count(*) as contacts from contacts)
            where 2 * n >= contacts and different >= 2 and {CONTACTS_PER_VALUE} * different <= n
            order by n desc, name limit {MOST_PROPERTIES}""").fetchall()
    return tuple(str(row[0]) for row in rows)


def value_of(name: str) -> str:
    """SQL of the value of a chosen column or property: a text, or null."""
    if name in COLUMNS:
        return name
    key = name.removeprefix(PROPERTY).replace("~", "~0").replace("/", "~1")
    return f"json_extract_string(properties, {literal('/' + key)})"


def dynamic_value(key: str) -> str:
    """SQL of the property whose name stands in the column `key`. A JSON pointer: any characters may be in a name."""
    return f"json_extract_string(properties, '/' || replace(replace({key}, '~', '~0'), '/', '~1'))"
