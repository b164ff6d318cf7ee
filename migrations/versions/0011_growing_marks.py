"""Marks reach up to a place, not a whole block, tell of exceptions, and say how often they were mended.

They follow from the records: the service makes them anew behind its back once it runs.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DELETE FROM search_block")
    op.execute("DELETE FROM search_progress")
    op.execute("ALTER TABLE search_progress RENAME COLUMN blocks TO places")
    op.add_column("search_progress", sa.Column("mended", sa.BigInteger, nullable=False, server_default="0"))
