"""Tokens of the identity provider that were revoked here, one by one or all of a subject."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "revoked_token",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("revoked_at", sa.BigInteger, nullable=False),
        sa.Column("restored_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("kind", "name", name="pk_revoked_token"),
    )
