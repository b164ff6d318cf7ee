"""Acts: what stands on a log besides decisions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID, _NAME = sa.String(36), sa.String(255)


def upgrade() -> None:
    op.create_table(
        "act",
        sa.Column("record_id", _ID, nullable=False),
        sa.Column("lender", _NAME, nullable=False),
        sa.Column("index", sa.BigInteger, nullable=False),
        sa.Column("format", sa.String(64), nullable=False),
        sa.Column("idempotency_key", _NAME, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("subject", _NAME, nullable=False),
        sa.Column("state", sa.String(64), nullable=False),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("submitted_by", _NAME, nullable=False),
        sa.Column("answer_from", sa.Integer, nullable=False),
        sa.Column("answer_until", sa.Integer, nullable=False),
        sa.Column("place", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("record_id", name="pk_act"),
        sa.UniqueConstraint("idempotency_key", "lender", "format", name="uq_act_idempotency_key_lender_format"),
        sa.UniqueConstraint("lender", "index", name="uq_act_lender_index"),
    )
    op.create_index("ix_act_subject_lender", "act", ["subject", "lender"])
    op.create_index("ix_act_format_lender_recorded_at", "act", ["format", "lender", "recorded_at"])
