"""Campaigns: their lists, and what was decided of each company and product."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_ID, _NAME = sa.String(36), sa.String(255)
_COUNTS = ("companies", "done", "pre_approved", "referred", "declined", "not_decided", "pre_approved_limit")


def _column(name: str, kind: sa.types.TypeEngine, nullable: bool = False) -> sa.Column:
    return sa.Column(name, kind, nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "campaign", _column("campaign_id", _ID), _column("lender", _NAME), _column("branch", _NAME, True),
        _column("name", _NAME), _column("zone", _NAME), _column("state", sa.String(32)), _column("products", sa.Text()),
        _column("created_at", sa.BigInteger()), _column("created_by", _NAME), _column("source", sa.LargeBinary()),
        *(_column(name, sa.BigInteger()) for name in _COUNTS), _column("forecast", sa.LargeBinary(), True),
        sa.PrimaryKeyConstraint("campaign_id", name="pk_campaign"),
    )  # fmt: skip
    op.create_index("ix_campaign_lender_created_at", "campaign", ["lender", "created_at"])
    op.create_table(
        "campaign_company", _column("campaign_id", _ID), _column("number", sa.BigInteger()), _column("lender", _NAME),
        _column("uscc", sa.String(18)), _column("document", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("campaign_id", "number", name="pk_campaign_company"),
    )  # fmt: skip
    op.create_table(
        "campaign_result", _column("campaign_id", _ID), _column("number", sa.BigInteger()), _column("lender", _NAME),
        _column("uscc", sa.String(18)), _column("product", _NAME), _column("decision_id", _ID, True),
        _column("outcome", sa.String(32), True), _column("credit_limit", sa.BigInteger(), True),
        _column("problem", _NAME, True),
        sa.PrimaryKeyConstraint("campaign_id", "number", name="pk_campaign_result"),
    )  # fmt: skip
