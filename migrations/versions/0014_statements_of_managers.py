"""What the managers of pools that are kept elsewhere have stated of them."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_TOTALS = ("paid_in", "reserved", "committed", "compensated", "recovered", "drawn")


def upgrade() -> None:
    op.create_table(
        "pool_statement",
        sa.Column("record_id", sa.String(36), nullable=False),
        sa.Column("pool_id", sa.String(255), nullable=False),
        sa.Column("as_of", sa.String(10), nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in _TOTALS),
        sa.Column("reference", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("record_id", name="pk_pool_statement"),
    )
    op.create_index("ix_pool_statement_pool_id_as_of", "pool_statement", ["pool_id", "as_of"])

