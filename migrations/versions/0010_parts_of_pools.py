"""Each lender's part of a pool by itself: its own numbering of entries, and what it holds reserved until when.

A number that counted everybody's entries told whoever shares the pool how many others had made; and the pool's own row
said who holds what until when. Now the pool's row holds sums alone, and each lender's row its own.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_POOL = sa.table("pool", sa.column("pool_id"), sa.column("reserved_by_day"))
_HOLDER = sa.table("pool_holder", sa.column("pool_id"), sa.column("holder"), sa.column("reserved_by_day"))
# Numbered from 0, as the pool's own are; a pool's own capital, which nobody holds, is a series of its own.
_NUMBERED = """
UPDATE pool_entry SET own_number = (
  SELECT count(*) FROM pool_entry AS earlier WHERE earlier.pool_id = pool_entry.pool_id
  AND coalesce(earlier.holder, '') = coalesce(pool_entry.holder, '') AND earlier.number < pool_entry.number)
"""
_COUNTED = """
UPDATE pool_holder SET entries = (
  SELECT count(*) FROM pool_entry e WHERE e.pool_id = pool_holder.pool_id AND e.holder = pool_holder.holder)
"""
_OWN_COUNTED = """
UPDATE pool SET own_entries = (
  SELECT count(*) FROM pool_entry e WHERE e.pool_id = pool.pool_id AND e.holder IS NULL)
"""


def upgrade() -> None:
    zero = {"nullable": False, "server_default": "0"}
    op.add_column("pool", sa.Column("own_entries", sa.BigInteger(), **zero))
    op.add_column("pool_holder", sa.Column("entries", sa.BigInteger(), **zero))
    op.add_column("pool_holder", sa.Column("reserved_by_day", sa.Text(), nullable=False, server_default=""))
    op.add_column("pool_entry", sa.Column("own_number", sa.BigInteger(), **zero))
    op.create_index("ix_pool_entry_pool_id_holder", "pool_entry", ["pool_id", "holder", "own_number"])
    for statement in (_NUMBERED, _COUNTED, _OWN_COUNTED):
        op.execute(statement)
    connection = op.get_bind()
    for pool_id, text in connection.execute(sa.select(_POOL.c.pool_id, _POOL.c.reserved_by_day)).all():
        _divide(connection, pool_id, text)


def _divide(connection: sa.Connection, pool_id: str, text: str) -> None:
    """What stood as "2027-01-20/icbc:500" in the pool's row."""
    days: dict[str, int] = {}
    parts: dict[str, list[str]] = {}
    for part in text.split():
        key, _, fen = part.partition(":")
        day, _, holder = key.partition("/")
        days[day] = days.get(day, 0) + int(fen)
        parts.setdefault(holder, []).append(f"{day}:{fen}")
    joined = " ".join(f"{day}:{fen}" for day, fen in sorted(days.items()))
    connection.execute(sa.update(_POOL).where(_POOL.c.pool_id == pool_id).values(reserved_by_day=joined))
    for holder, held in parts.items():
        its = sa.and_(_HOLDER.c.pool_id == pool_id, _HOLDER.c.holder == holder)
        connection.execute(sa.update(_HOLDER).where(its).values(reserved_by_day=" ".join(held)))
