"""The pools' rows as readers see them, on both databases.

Neighbours may rely on this: pools are shared, so that their tables have no lender of their own and row-level security
does not divide them; every statement here that may show whose something is names the holders whose it may be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, or_, select

from app.adapters.database.store import NO_LENDER, Store
from app.adapters.database.tables import POOL, POOL_CLAIM, POOL_COVER, POOL_ENTRY, POOL_HOLDER
from app.usecases.acts import Row


class Pools:
    """Reads what the book has written of pools."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def book(self, pool: str) -> tuple[Sequence[Row], Sequence[Row]]:
        """This function will return the pool's own row, if there is one, and its holders', read at one moment."""
        own = select(POOL).where(POOL.c.pool_id == pool)
        holders = select(POOL_HOLDER).where(POOL_HOLDER.c.pool_id == pool).order_by(POOL_HOLDER.c.holder)
        return await self._both(own, holders)

    async def entries(self, pool: str, holders: Sequence[str], *, after: int, limit: int) -> Sequence[Row]:
        """This function will return entries of the pool itself and of these holders, in order."""
        seen = or_(POOL_ENTRY.c.holder.is_(None), POOL_ENTRY.c.holder.in_(holders))
        query = select(POOL_ENTRY).where(POOL_ENTRY.c.pool_id == pool, POOL_ENTRY.c.number > after, seen)
        return await self._rows(query.order_by(POOL_ENTRY.c.number).limit(limit))

    async def every_entry(self, pool: str) -> tuple[Sequence[Row], Sequence[Row]]:
        """This function will return the pool's own row and all its entries, read at one moment."""
        own = select(POOL).where(POOL.c.pool_id == pool)
        return await self._both(
            own, select(POOL_ENTRY).where(POOL_ENTRY.c.pool_id == pool).order_by(POOL_ENTRY.c.number)
        )

    async def claims(self, pool: str, holders: Sequence[str]) -> Sequence[Row]:
        """This function will return the claims of these holders, the oldest first."""
        query = select(POOL_CLAIM).where(POOL_CLAIM.c.pool_id == pool, POOL_CLAIM.c.holder.in_(holders))
        return await self._rows(query.order_by(POOL_CLAIM.c.claimed_on, POOL_CLAIM.c.claim_id))

    async def covers(self, pool: str, holders: Sequence[str]) -> Sequence[Row]:
        """This function will return the covers of these holders, by offer."""
        query = select(POOL_COVER).where(POOL_COVER.c.pool_id == pool, POOL_COVER.c.holder.in_(holders))
        return await self._rows(query.order_by(POOL_COVER.c.offer_id))

    async def claim(self, claim_id: str, holders: Sequence[str]) -> Row | None:
        """This function will return one claim where it is one of these holders', else None."""
        query = select(POOL_CLAIM).where(POOL_CLAIM.c.claim_id == claim_id, POOL_CLAIM.c.holder.in_(holders))
        return next(iter(await self._rows(query)), None)

    async def cover(self, offer_id: str, holders: Sequence[str]) -> Row | None:
        """This function will return one offer's cover where it is one of these holders', else None."""
        query = select(POOL_COVER).where(POOL_COVER.c.offer_id == offer_id, POOL_COVER.c.holder.in_(holders))
        return next(iter(await self._rows(query)), None)

    async def _rows(self, query: Select[Any]) -> Sequence[Row]:
        return await self._store.read(lambda connection: _found(connection, query), lenders=NO_LENDER)

    async def _both(self, first: Select[Any], second: Select[Any]) -> tuple[Sequence[Row], Sequence[Row]]:
        def found(connection: Connection) -> tuple[Sequence[Row], Sequence[Row]]:
            return _found(connection, first), _found(connection, second)

        return await self._store.read_snapshot(found, lenders=NO_LENDER)


def _found(connection: Connection, query: Select[Any]) -> tuple[Row, ...]:
    return tuple(dict(row._mapping) for row in connection.execute(query))
