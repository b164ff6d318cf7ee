"""Score snapshots: what platforms and score sheets have told, per lender."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "score_snapshot",
        sa.Column("snapshot_id", sa.String(64), nullable=False),
        sa.Column("lender", sa.String(255), nullable=False),
        sa.Column("zone", sa.String(255), nullable=False),
        sa.Column("uscc", sa.String(18), nullable=False),
        sa.Column("observed_on", sa.String(10), nullable=False),
        sa.Column("obtained_at", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("value_millionths", sa.BigInteger),
        sa.Column("stage", sa.String(255)),
        sa.Column("field", sa.String(255)),
        sa.Column("rank_position", sa.BigInteger),
        sa.Column("name", sa.String(255)),
        sa.Column("score", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("snapshot_id", "lender", name="pk_score_snapshot"),
    )
    op.create_index(
        "ix_score_snapshot_uscc_lender_zone_observed_on", "score_snapshot", ["uscc", "lender", "zone", "observed_on"]
    )
    op.create_index("ix_score_snapshot_lender_zone_uscc", "score_snapshot", ["lender", "zone", "uscc"])
