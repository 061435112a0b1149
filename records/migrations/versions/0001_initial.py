"""The operational schema, as `records.tables` draws it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001_initial"
down_revision = None


def upgrade() -> None:
    _home()
    _people()
    _scores()
    _plan()
    _outreach()
    _outreach_after()
    _reviewers()
    _jobs()


def _home() -> None:
    op.create_table(
        "home_state",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_home_state")),
    )
    op.create_table(
        "event_inbox",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("event", sa.JSON(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_event_inbox")),
    )
    op.create_index("ix_event_inbox_moved", "event_inbox", ["moved_at"], unique=False)


def _people() -> None:
    op.create_table(
        "customers",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("language", sa.String(length=16), nullable=True),
        sa.Column("city", sa.Text(), nullable=True),
        sa.Column("timezone", sa.String(length=64), nullable=True),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_customers")),
    )
    op.create_table(
        "consent",
        sa.Column("consent_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("consent_id", name=op.f("pk_consent")),
    )
    op.create_index("ix_consent_person", "consent", ["customer_id", "channel", "purpose", "at"], unique=False)
    op.create_table(
        "suppression",
        sa.Column("suppression_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=True),
        sa.Column("purpose", sa.String(length=16), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("suppression_id", name=op.f("pk_suppression")),
    )
    op.create_index("ix_suppression_person", "suppression", ["customer_id", "at"], unique=False)


def _scores() -> None:
    op.create_table(
        "scoring_runs",
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("scored_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("customers", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_scoring_runs")),
    )
    op.create_table(
        "scores",
        sa.Column("score_id", sa.String(length=64), nullable=False),
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("churn_probability", sa.Float(), nullable=False),
        sa.Column("band", sa.String(length=8), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("topics", sa.JSON(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["scoring_runs.run_id"], name=op.f("fk_scores_run_id_scoring_runs")),
        sa.PrimaryKeyConstraint("score_id", name=op.f("pk_scores")),
    )
    op.create_index("ix_scores_run_person", "scores", ["run_id", "customer_id"], unique=False)


def _plan() -> None:
    op.create_table(
        "outreach_lists",
        sa.Column("list_id", sa.String(length=32), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("decide_by", sa.DateTime(timezone=True), nullable=False),
        sa.Column("budget_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("list_id", name=op.f("pk_outreach_lists")),
    )
    op.create_table(
        "arms",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("play", sa.String(length=48), nullable=False),
        sa.Column("arm", sa.String(length=8), nullable=False),
        sa.Column("propensity", sa.Float(), nullable=False),
        sa.Column("assigned_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "play", name=op.f("pk_arms")),
    )
    op.create_table(
        "passed_over",
        sa.Column("list_id", sa.String(length=32), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("play", sa.String(length=48), nullable=False),
        sa.Column("reason", sa.String(length=48), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["list_id"], ["outreach_lists.list_id"], name=op.f("fk_passed_over_list_id_outreach_lists")
        ),
        sa.PrimaryKeyConstraint("list_id", "customer_id", "play", name=op.f("pk_passed_over")),
    )
    op.create_index("ix_passed_over_reason", "passed_over", ["list_id", "reason"], unique=False)


def _outreach() -> None:
    op.create_table(
        "outreach",
        sa.Column("outreach_id", sa.String(length=32), nullable=False),
        sa.Column("list_id", sa.String(length=32), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("play", sa.String(length=48), nullable=False),
        sa.Column("trigger_key", sa.Text(), nullable=False),
        sa.Column("message", sa.String(length=48), nullable=False),
        sa.Column("message_version", sa.String(length=64), nullable=False),
        sa.Column("renderer_version", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("address_hash", sa.String(length=64), nullable=False),
        sa.Column("variables", sa.JSON(), nullable=False),
        sa.Column("arm", sa.String(length=8), nullable=False),
        sa.Column("propensity", sa.Float(), nullable=False),
        sa.Column("score_id", sa.String(length=64), nullable=True),
        sa.Column("churn_probability", sa.Float(), nullable=True),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("topics", sa.JSON(), nullable=False),
        sa.Column("checks", sa.JSON(), nullable=False),
        sa.Column("value_minor", sa.BigInteger(), nullable=False),
        sa.Column("cost_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("send_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approval_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner", sa.String(length=64), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fenced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("arm in ('treated','holdout')", name=op.f("ck_outreach_arm")),
        sa.ForeignKeyConstraint(
            ["list_id"], ["outreach_lists.list_id"], name=op.f("fk_outreach_list_id_outreach_lists")
        ),
        sa.PrimaryKeyConstraint("outreach_id", name=op.f("pk_outreach")),
        sa.UniqueConstraint("customer_id", "play", "trigger_key", name="uq_outreach_trigger"),
    )
    op.create_index("ix_outreach_due", "outreach", ["state", "send_at"], unique=False)
    op.create_index("ix_outreach_list_state", "outreach", ["list_id", "state"], unique=False)
    op.create_index("ix_outreach_person", "outreach", ["customer_id", "updated_at"], unique=False)
    op.create_index("ix_outreach_play", "outreach", ["play", "arm"], unique=False)


def _outreach_after() -> None:
    op.create_table(
        "outreach_history",
        sa.Column("history_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("outreach_id", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("from_state", sa.String(length=16), nullable=True),
        sa.Column("to_state", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["outreach_id"], ["outreach.outreach_id"], name=op.f("fk_outreach_history_outreach_id_outreach")
        ),
        sa.PrimaryKeyConstraint("history_id", name=op.f("pk_outreach_history")),
    )
    op.create_index("ix_outreach_history_outreach", "outreach_history", ["outreach_id", "history_id"], unique=False)
    op.create_table(
        "provider_messages",
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("outreach_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["outreach_id"], ["outreach.outreach_id"], name=op.f("fk_provider_messages_outreach_id_outreach")
        ),
        sa.PrimaryKeyConstraint("provider", "provider_id", name=op.f("pk_provider_messages")),
    )


def _reviewers() -> None:
    op.create_table(
        "reviewers",
        sa.Column("reviewer_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("reviewer_id", name=op.f("pk_reviewers")),
        sa.UniqueConstraint("name", name=op.f("uq_reviewers_name")),
    )
    op.create_table(
        "signin_links",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("reviewer_id", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["reviewer_id"], ["reviewers.reviewer_id"], name=op.f("fk_signin_links_reviewer_id_reviewers")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_signin_links")),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("reviewer_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["reviewer_id"], ["reviewers.reviewer_id"], name=op.f("fk_sessions_reviewer_id_reviewers")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
    )
    op.create_table(
        "audit",
        sa.Column("audit_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.String(length=48), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("audit_id", name=op.f("pk_audit")),
    )


def _jobs() -> None:
    op.create_table(
        "job_runs",
        sa.Column("run_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("job", sa.String(length=32), nullable=False),
        sa.Column("slot", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_job_runs")),
        sa.UniqueConstraint("job", "slot", name="uq_job_runs_slot"),
    )
    op.create_index("ix_job_runs_state", "job_runs", ["state", "slot"], unique=False)
