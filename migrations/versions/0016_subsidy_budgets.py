"""Which subsidy programmes' budgets are used up."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "subsidy_budget",
        sa.Column("programme", sa.String(255), nullable=False),
        sa.Column("used_up", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("since", sa.String(10), nullable=False),
        sa.Column("record_id", sa.String(36), nullable=False),
        sa.PrimaryKeyConstraint("programme", name="pk_subsidy_budget"),
    )
