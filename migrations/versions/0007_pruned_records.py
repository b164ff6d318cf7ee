"""Records that were pruned when their time was over: their ids, and where their leaf hashes stand."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pruned_record",
        sa.Column("record_id", sa.String(36), nullable=False),
        sa.Column("lender", sa.String(255), nullable=False),
        sa.Column("index", sa.BigInteger, nullable=False),
        sa.Column("pruned_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("record_id", name="pk_pruned_record"),
    )
