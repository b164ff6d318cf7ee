"""Webhook endpoints, what they are owed and were, and what is owed but stands in no log."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "webhook_endpoint",
        sa.Column("endpoint_id", sa.String(36), nullable=False),
        sa.Column("lender", sa.String(255), nullable=False),
        sa.Column("url", sa.String(2_000), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("events", sa.Text, nullable=False),
        sa.Column("enabled", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("why_disabled", sa.String(64)),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("secrets", sa.LargeBinary, nullable=False),
        sa.Column("secret_overlaps_until", sa.BigInteger),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("numbered", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.String(255), nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("leased_by", sa.String(255)),
        sa.Column("leased_until", sa.BigInteger),
        sa.PrimaryKeyConstraint("endpoint_id", name="pk_webhook_endpoint"),
        sa.UniqueConstraint("lender", "url", name="uq_webhook_endpoint_lender_url"),
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("endpoint_id", sa.String(36), nullable=False),
        sa.Column("event_id", sa.String(255), nullable=False),
        sa.Column("lender", sa.String(255), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("owed_since", sa.BigInteger, nullable=False),
        sa.Column("next_at", sa.BigInteger, nullable=False),
        sa.Column("last_outcome", sa.String(32)),
        sa.Column("last_status", sa.Integer),
        sa.Column("ended_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("endpoint_id", "event_id", name="pk_webhook_delivery"),
        sa.UniqueConstraint("endpoint_id", "number", name="uq_webhook_delivery_endpoint_id_number"),
    )
    op.create_index(
        "ix_webhook_delivery_state_endpoint_id_subject_number", "webhook_delivery",
        ["state", "endpoint_id", "subject", "number"],
    )  # fmt: skip
    op.create_table(
        "webhook_attempt",
        sa.Column("endpoint_id", sa.String(36), nullable=False),
        sa.Column("event_id", sa.String(255), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("lender", sa.String(255), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("took_ms", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("endpoint_id", "event_id", "attempt", name="pk_webhook_attempt"),
    )
    op.create_table(
        "webhook_event",
        sa.Column("event_id", sa.String(255), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("audience", sa.Text, nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_webhook_event"),
    )
