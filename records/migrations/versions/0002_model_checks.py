"""What was found when a scoring was looked at again; of which signals a score was made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002_model_checks"
down_revision = "0001_initial"


def upgrade() -> None:
    op.create_table(
        "model_checks",
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("definition", sa.String(length=48), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["scoring_runs.run_id"], name=op.f("fk_model_checks_run_id_scoring_runs")),
        sa.PrimaryKeyConstraint("run_id", "kind", name=op.f("pk_model_checks")),
    )
    op.create_index("ix_model_checks_kind", "model_checks", ["kind", "as_of"], unique=False)
    op.add_column("scores", sa.Column("signals_sha256", sa.String(length=16), nullable=True))
