"""How far a campaign's forecast has come."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("campaign", sa.Column("forecast_done", sa.BigInteger(), nullable=False, server_default="0"))
