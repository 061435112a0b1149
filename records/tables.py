"""The whole operational schema on one page. The event log itself is Parquet (`records.events`), not here.

Times are UTC. Money is in minor units (paise) with a currency beside it. JSON columns hold plain values.
Every table works the same on SQLite and PostgreSQL; `records/migrations` must add up to exactly this page.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC timestamp on every database: SQLite forgets the zone, so it is put back; naive input is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            msg = f"naive time {value!r}: give it a zone, UTC by preference"
            raise ValueError(msg)
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Time = UtcDateTime
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# What this home is: kind ("real" or "simulated"), simulation clock, salt of the comparison groups, …
home_state = Table(
    "home_state",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", JSON, nullable=False),
)

# ── people ────────────────────────────────────────────────────────────────────────────────────────────────
customers = Table(
    "customers",
    metadata,
    Column("customer_id", Text, primary_key=True),  # the source's id, any characters
    Column("name", Text),
    Column("email", Text),
    Column("phone", Text),
    Column("language", String(16)),  # "en", "hi"; null: the company's default
    Column("city", Text),
    Column("timezone", String(64)),  # IANA name; null: the company's
    Column("attributes", JSON, nullable=False, default=dict),  # values for templates, never code, never signals
    Column("known_at", Time, nullable=False),
    Column("erased_at", Time),
)

# Append-only: the newest row for (person, channel, purpose) holds; at the same instant a withdrawal wins.
consent = Table(
    "consent",
    metadata,
    Column("consent_id", Integer, primary_key=True, autoincrement=True),
    Column("customer_id", Text, nullable=False),
    Column("channel", String(16), nullable=False),  # email, whatsapp, sms, …
    Column("purpose", String(16), nullable=False),  # service or promotional
    Column("granted", Boolean, nullable=False),
    Column("at", Time, nullable=False),
    Column("source", Text, nullable=False),  # where it was given or withdrawn: "import", "one-click unsubscribe", …
    Index("ix_consent_person", "customer_id", "channel", "purpose", "at"),
)

# Standing orders not to write. channel and purpose null: all of them.
suppression = Table(
    "suppression",
    metadata,
    Column("suppression_id", Integer, primary_key=True, autoincrement=True),
    Column("customer_id", Text, nullable=False),
    Column("channel", String(16)),
    Column("purpose", String(16)),
    Column("reason", Text, nullable=False),
    Column("at", Time, nullable=False),
    Column("ended_at", Time),
    Index("ix_suppression_person", "customer_id", "at"),
)

# ── events on their way to Parquet ────────────────────────────────────────────────────────────────────────
# Live events (clicks, replies, sends) are acknowledged once they stand here; the import job moves them once.
event_inbox = Table(
    "event_inbox",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("event", JSON, nullable=False),  # the canonical columns, times as ISO 8601
    Column("received_at", Time, nullable=False),
    Column("moved_at", Time),
    Index("ix_event_inbox_moved", "moved_at"),
)

# ── scores ────────────────────────────────────────────────────────────────────────────────────────────────
scoring_runs = Table(
    "scoring_runs",
    metadata,
    Column("run_id", String(32), primary_key=True),
    Column("as_of", Time, nullable=False),
    Column("model_version", Text, nullable=False),
    Column("scored_at", Time, nullable=False),
    Column("customers", Integer, nullable=False),
)
scores = Table(
    "scores",
    metadata,
    Column("score_id", String(64), primary_key=True),
    Column("run_id", String(32), ForeignKey("scoring_runs.run_id"), nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("as_of", Time, nullable=False),
    Column("churn_probability", Float, nullable=False),
    Column("band", String(8), nullable=False),  # high, medium, low
    # [{"signal","value","push","share","en","hi"}], strongest first; push > 0 raises the risk
    Column("reasons", JSON, nullable=False),
    Column("topics", JSON, nullable=False),  # [{"topic","probability"}], likeliest first
    Column("model_version", Text, nullable=False),
    Column("signals_sha256", String(16)),  # of the signals it was made from, shortened; null: made elsewhere
    Index("ix_scores_run_person", "run_id", "customer_id"),
)

# What was found when a scoring was looked at again: right away (drift of what the model reads; topics: how many are
# expected to ask about each), and once its horizon is over (matured: were the scores right?). Sums only, nobody's own
# figures.
model_checks = Table(
    "model_checks",
    metadata,
    Column("run_id", String(32), ForeignKey("scoring_runs.run_id"), primary_key=True),
    Column("kind", String(8), primary_key=True),  # drift, topics or matured
    Column("definition", String(48), nullable=False),
    Column("model_version", Text, nullable=False),
    Column("as_of", Time, nullable=False),
    Column("checked_at", Time, nullable=False),
    Column("figures", JSON, nullable=False),  # null where there was too little to say anything
    Index("ix_model_checks_kind", "kind", "as_of"),
)

# ── outreach ──────────────────────────────────────────────────────────────────────────────────────────────
outreach_lists = Table(
    "outreach_lists",
    metadata,
    Column("list_id", String(32), primary_key=True),  # "L-0148"
    Column("planned_at", Time, nullable=False),
    Column("as_of", Time, nullable=False),
    Column("model_version", Text, nullable=False),
    Column("decide_by", Time, nullable=False),
    Column("budget_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("finished_at", Time),
)
outreach = Table(
    "outreach",
    metadata,
    Column("outreach_id", String(32), primary_key=True),  # "O-90217"
    Column("list_id", String(32), ForeignKey("outreach_lists.list_id"), nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("play", String(48), nullable=False),
    Column(
        "trigger_key", Text, nullable=False
    ),  # what set it off: order, bill, incident …; "night:<date>" if nothing did
    Column("message", String(48), nullable=False),  # folder below templates/messages
    Column("message_version", String(64), nullable=False),
    Column("renderer_version", String(64), nullable=False),
    Column("language", String(16), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("purpose", String(16), nullable=False),  # service or promotional
    Column("address", Text, nullable=False),
    Column("address_hash", String(64), nullable=False),
    Column("variables", JSON, nullable=False),  # frozen at planning; what the words may use
    Column("arm", String(8), nullable=False),  # treated or holdout
    Column("propensity", Float, nullable=False),  # chance of "treated" for this person and play
    Column("score_id", String(64)),
    Column("churn_probability", Float),
    Column("reasons", JSON, nullable=False),
    Column("topics", JSON, nullable=False),
    Column("checks", JSON, nullable=False),  # [{"en","hi","when","detail"}] what was checked, what is checked again
    Column("value_minor", BigInteger, nullable=False),  # assumed value of a good outcome × assumed effect
    Column("cost_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("send_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("approval_hash", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text),  # why it is in this state, in plain words
    Column("approved_by", Text),
    Column("approved_at", Time),
    Column("owner", String(64)),  # the sender process that claimed it
    Column("claimed_at", Time),
    Column("fenced_at", Time),  # committed before the first byte leaves: what is unclear then is never tried again
    Column("sent_at", Time),
    Column("updated_at", Time, nullable=False),
    CheckConstraint("arm in ('treated','holdout')", name="arm"),
    # Nobody is planned twice for the same thing.
    UniqueConstraint("customer_id", "play", "trigger_key", name="uq_outreach_trigger"),
    Index("ix_outreach_list_state", "list_id", "state"),
    Index("ix_outreach_due", "state", "send_at"),
    Index("ix_outreach_person", "customer_id", "updated_at"),
    Index("ix_outreach_play", "play", "arm"),
)
# Every state an outreach has been in, who moved it and why. Append-only.
outreach_history = Table(
    "outreach_history",
    metadata,
    Column("history_id", Integer, primary_key=True, autoincrement=True),
    Column("outreach_id", String(32), ForeignKey("outreach.outreach_id"), nullable=False),
    Column("at", Time, nullable=False),
    Column("from_state", String(16)),
    Column("to_state", String(16), nullable=False),
    Column("actor", Text, nullable=False),  # a person's name, or "job:<name>"
    Column("reason", Text),
    Index("ix_outreach_history_outreach", "outreach_id", "history_id"),
)
# Everyone a play would have fitted but who is left out, and why.
passed_over = Table(
    "passed_over",
    metadata,
    Column("list_id", String(32), ForeignKey("outreach_lists.list_id"), primary_key=True),
    Column("customer_id", Text, primary_key=True),
    Column("play", String(48), primary_key=True),
    Column("reason", String(48), nullable=False),  # a code of serving.planning.REASONS
    Column("detail", Text),
    Index("ix_passed_over_reason", "list_id", "reason"),
)
# The arm of a person for a play: drawn once by salted hash, never rewritten.
arms = Table(
    "arms",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("play", String(48), primary_key=True),
    Column("arm", String(8), nullable=False),
    Column("propensity", Float, nullable=False),
    Column("assigned_at", Time, nullable=False),
)
provider_messages = Table(
    "provider_messages",
    metadata,
    Column("provider", String(32), primary_key=True),
    Column("provider_id", Text, primary_key=True),
    Column("outreach_id", String(32), ForeignKey("outreach.outreach_id"), nullable=False),
)

# ── people who review, and the record of what they did ────────────────────────────────────────────────────
reviewers = Table(
    "reviewers",
    metadata,
    Column("reviewer_id", Integer, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
)
signin_links = Table(
    "signin_links",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("reviewer_id", Integer, ForeignKey("reviewers.reviewer_id"), nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("used_at", Time),
)
sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("reviewer_id", Integer, ForeignKey("reviewers.reviewer_id"), nullable=False),
    Column("created_at", Time, nullable=False),
    Column("seen_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("ended_at", Time),
)
# Hash-chained: each row's hash covers the row and the hash before it.
audit = Table(
    "audit",
    metadata,
    Column("audit_id", Integer, primary_key=True, autoincrement=True),
    Column("at", Time, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", String(48), nullable=False),
    Column("subject", Text, nullable=False),
    Column("details", JSON, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

# ── jobs ──────────────────────────────────────────────────────────────────────────────────────────────────
# What should run and what did: one row per (job, slot), written ahead of time.
job_runs = Table(
    "job_runs",
    metadata,
    Column("run_id", Integer, primary_key=True, autoincrement=True),
    Column("job", String(32), nullable=False),
    Column("slot", Time, nullable=False),  # when it was due
    Column("state", String(12), nullable=False),  # expected → running → done | failed | skipped
    Column("attempts", Integer, nullable=False, default=0),  # a run cut off by a crash is begun again, a few times
    Column("owner", String(64)),
    Column("lease_until", Time),
    Column("started_at", Time),
    Column("finished_at", Time),
    Column("detail", Text),  # one line for people: "412 planned, 214 left out"
    UniqueConstraint("job", "slot", name="uq_job_runs_slot"),
    Index("ix_job_runs_state", "state", "slot"),
)
