"""Requests for a new epoch of a log, which another person opens."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "log_epoch_request",
        sa.Column("request_id", sa.String(36), nullable=False),
        sa.Column("logs", sa.LargeBinary, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("requested_by", sa.String(255), nullable=False),
        sa.Column("requested_at", sa.BigInteger, nullable=False),
        sa.Column("opened_by", sa.String(255)),
        sa.PrimaryKeyConstraint("request_id", name="pk_log_epoch_request"),
    )
