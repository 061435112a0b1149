"""Alembic's entry: runs the files of `versions/` on the connection that `records.database.migrate` hands over."""

from __future__ import annotations

from alembic import context

from records.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
    render_as_batch=True,  # SQLite cannot alter most things in place
)
context.run_migrations()
