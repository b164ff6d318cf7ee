"""Risk-compensation pools: what each has and has promised, its covers, its entries and claims.

Several lenders share a pool, so that no row of these is a lender's own and no column is called `lender`: row-level
security could not tell whose a pool is. What a reader may see of them is decided where they are read.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ID, _NAME, _DAY = sa.String(36), sa.String(255), sa.String(10)


def _column(name: str, kind: sa.types.TypeEngine, nullable: bool = False) -> sa.Column:
    return sa.Column(name, kind, nullable=nullable)


def _amounts(*names: str) -> list[sa.Column]:
    return [_column(name, sa.BigInteger()) for name in names]


def _totals() -> list[sa.Column]:
    return _amounts("paid_in", "reserved", "committed", "compensated", "recovered", "drawn")


def upgrade() -> None:
    op.create_table(
        "pool", _column("pool_id", _NAME), *_amounts("entries"), *_totals(), _column("reserved_by_day", sa.Text()),
        _column("lifted_at", sa.BigInteger(), True), sa.PrimaryKeyConstraint("pool_id", name="pk_pool"),
    )  # fmt: skip
    op.create_table(
        "pool_holder", _column("pool_id", _NAME), _column("holder", _NAME), *_totals(),
        sa.PrimaryKeyConstraint("pool_id", "holder", name="pk_pool_holder"),
    )  # fmt: skip
    op.create_table(
        "pool_cover", _column("offer_id", _ID), _column("pool_id", _NAME), _column("holder", _NAME),
        _column("uscc", sa.String(18)), _column("decision_id", _ID), _column("share", sa.String(32)),
        _column("shares", sa.Text()), *_amounts("covered", "ever_covered", "outstanding", "undrawn"),
        _column("held_until", _DAY, True), *_amounts("promised", "drawn", "compensated"),
        _column("closed", sa.Boolean()), sa.PrimaryKeyConstraint("offer_id", name="pk_pool_cover"),
    )  # fmt: skip
    op.create_index("ix_pool_cover_uscc", "pool_cover", ["uscc"])
    op.create_table(
        "pool_entry", _column("pool_id", _NAME), *_amounts("number"), _column("kind", sa.String(32)),
        _column("holder", _NAME, True), _column("offer_id", _ID, True), _column("decision_id", _ID, True),
        _column("record_id", _ID), *_totals(), _column("value_on", _DAY), *_amounts("booked_at"),
        sa.PrimaryKeyConstraint("pool_id", "number", name="pk_pool_entry"),
    )  # fmt: skip
    op.create_table(
        "pool_claim", _column("claim_id", _ID), _column("pool_id", _NAME), _column("holder", _NAME),
        _column("offer_id", _ID), _column("state", sa.String(32)), *_amounts("principal", "interest"),
        _column("since", _DAY), _column("claimed_on", _DAY), _column("review_until", _DAY, True),
        _column("claimed_by", _NAME), _column("borne", sa.Text()), *_amounts("recovered"),
        sa.PrimaryKeyConstraint("claim_id", name="pk_pool_claim"),
    )  # fmt: skip
    op.create_index("ix_pool_claim_pool_id", "pool_claim", ["pool_id"])
    op.create_index("ix_pool_claim_offer_id", "pool_claim", ["offer_id"])
