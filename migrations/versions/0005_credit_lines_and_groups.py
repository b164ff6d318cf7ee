"""Credit lines: what an offer counts as since its first event. Groups: who belongs to which, whatever a request says.

A group's offers are found by its members from now on, so that the index by group goes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ID, _NAME = sa.String(36), sa.String(255)


def upgrade() -> None:
    op.create_table(
        "credit_line",
        sa.Column("offer_id", _ID, nullable=False),
        sa.Column("lender", _NAME, nullable=False),
        sa.Column("credit_limit", sa.BigInteger, nullable=False),
        sa.Column("counts_until", sa.String(10), nullable=False),
        sa.Column("credit_approved", sa.Boolean, nullable=False),
        sa.Column("outstanding", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("offer_id", name="pk_credit_line"),
    )
    op.create_table(
        "group_member",
        sa.Column("uscc", sa.String(18), nullable=False),
        sa.Column("lender", _NAME, nullable=False),
        sa.Column("group_id", _NAME, nullable=False),
        sa.Column("is_member", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("uscc", "lender", "group_id", name="pk_group_member"),
    )
    op.create_index("ix_group_member_group_id_lender", "group_member", ["group_id", "lender"])
    op.execute(
        "INSERT INTO group_member (uscc, lender, group_id, is_member) "
        "SELECT DISTINCT uscc, lender, group_id, TRUE FROM offer WHERE group_id IS NOT NULL"
    )
    op.drop_index("ix_offer_group_id_lender", "offer")
