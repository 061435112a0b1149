"""What exactly is an event? Its columns and types, and the text of a row from which hashes are made."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from records.errors import InputError

TIME = pa.timestamp("us", "UTC")
MONEY = pa.decimal128(18, 4)  # exact: four decimals serve every currency

_FIELDS: list[pa.Field[Any]] = [
    pa.field("event_id", pa.string(), nullable=False),  # idempotency key
    pa.field("customer_id", pa.string(), nullable=False),
    pa.field("occurred_at", TIME, nullable=False),  # when it happened
    pa.field("received_at", TIME, nullable=False),  # when it became known
    pa.field("name", pa.string(), nullable=False),  # snake_case, open vocabulary
    pa.field("channel", pa.string()),
    pa.field("product", pa.string()),
    pa.field("topic", pa.string()),  # of a support contact
    pa.field("amount", MONEY),  # negative: a refund
    pa.field("currency", pa.string()),  # ISO 4217
    pa.field("text", pa.string()),  # what the customer wrote
    pa.field("rating", pa.float64()),  # as given
    pa.field("properties", pa.string()),  # a JSON object
]
EVENT_SCHEMA = pa.schema(_FIELDS)
COLUMNS = tuple(EVENT_SCHEMA.names)
REQUIRED = ("customer_id", "occurred_at", "name")

# The same types in DuckDB's words.
SQL_TYPES = {
    "occurred_at": "timestamptz",
    "received_at": "timestamptz",
    "amount": "decimal(18, 4)",
    "rating": "double",
}

# Things done to the customer: they show no activity of theirs. `*` stands for any ending.
PASSIVE_EVENTS = (
    "message_*",
    "payment_failed",
    "bill_issued",
    "subscription_cancelled",
    "incident_*",
    "order_delivered",
    "item_missing",
    "product_restocked",
    "support_ticket_solved",
    "text_scored",
)


def conform(events: pa.Table) -> pa.Table:
    """The same events in the canonical columns and types: missing columns null, received_at = occurred_at if unknown.

    event_id may still be null afterwards; the log gives such rows one.
    """
    strange = [name for name in events.column_names if name not in COLUMNS]
    if strange:
        raise InputError(
            f"An event has no column {strange[0]!r}.", remedy=f"The columns are {', '.join(COLUMNS)}.", value=strange[0]
        )
    columns = []
    for field in EVENT_SCHEMA:
        if field.name not in events.column_names:
            columns.append(pa.nulls(events.num_rows, field.type))
            continue
        column = events.column(field.name)
        columns.append(column if column.type == field.type else _cast(column, field))
    table = pa.Table.from_arrays(columns, names=list(COLUMNS))
    if table.column("received_at").null_count:
        received = pc.coalesce(table.column("received_at"), table.column("occurred_at"))
        table = table.set_column(COLUMNS.index("received_at"), "received_at", received)
    for name in REQUIRED:
        if table.column(name).null_count:
            raise InputError(
                f"{table.column(name).null_count} events have no {name}.", remedy="Every event needs one.", value=name
            )
    return table


def _cast(column: Any, field: Any) -> Any:
    if pa.types.is_timestamp(column.type) and column.type.tz is None:
        raise InputError(
            f"{field.name} has times without a zone.", remedy="Give aware times, in UTC.", value=field.name
        )
    try:
        return column.cast(field.type, safe=not pa.types.is_timestamp(column.type))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(
            f"{field.name} cannot be read as {field.type}: {error}", remedy="Correct the values.", value=field.name
        ) from error


def row_text_sql(columns: tuple[str, ...] = COLUMNS) -> str:
    """SQL that spells a row unambiguously: each value as length:value, null as a dash, times in microseconds."""
    spelled = []
    for name in columns:
        value = name
        if SQL_TYPES.get(name) == "timestamptz":
            value = f"cast(epoch_us({name}) as varchar)"
        elif name in SQL_TYPES:
            value = f"cast({name} as varchar)"
        spelled.append(f"coalesce(strlen({value}) || ':' || {value}, '-')")
    return " || ".join(spelled)


def empty_relation_sql() -> str:
    """SQL of a relation with the canonical columns and no rows."""
    columns = ", ".join(f"cast(null as {SQL_TYPES.get(name, 'varchar')}) as {name}" for name in COLUMNS)
    return f"(select {columns} where false)"
