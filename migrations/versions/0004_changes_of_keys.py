"""Changes of API keys, numbered: the newest number tells every replica whether the keys it knows are still the keys.

Previews tell their branch and the person for whom a system asked.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NAME = sa.String(255)


def upgrade() -> None:
    op.create_table(
        "key_change",
        sa.Column("number", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_key_change"),
    )
    op.add_column("preview", sa.Column("branch", _NAME))
    op.add_column("preview", sa.Column("previewed_for", _NAME))
