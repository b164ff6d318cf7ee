"""What searches know of whole blocks of the log, and how far each log has been gone through.

Nothing here is on the road of a decision: these tables are filled behind it, and made again by `jifendai log reindex`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_NAME = sa.String(255)


def upgrade() -> None:
    op.create_table(
        "search_block",
        sa.Column("lender", _NAME, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("value", _NAME, nullable=False),
        sa.Column("block", sa.BigInteger, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("lender", "name", "value", "block", name="pk_search_block"),
    )
    op.create_table(
        "search_progress",
        sa.Column("lender", _NAME, nullable=False),
        sa.Column("blocks", sa.BigInteger, nullable=False),
        sa.Column("recorded_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("lender", name="pk_search_progress"),
    )
