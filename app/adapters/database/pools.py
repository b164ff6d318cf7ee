"""The pools' rows as readers see them, on both databases.

Neighbours may rely on this: every statement here that may show whose something is names the holders whose it may be,
and row-level security stands behind it. Only `every_entry` opens a whole pool, as a statement is given only where all
of the pool's book adds up.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, Select, and_, or_, select

from app.adapters.database.row_security import open_pools
from app.adapters.database.store import NO_LENDER, Store
from app.adapters.database.tables import POOL, POOL_CLAIM, POOL_COVER, POOL_ENTRY, POOL_HOLDER, POOL_STATEMENT
from app.usecases.act_rows import Row


class Pools:
    """Reads what the book has written of pools."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def book(self, pool: str, holders: Sequence[str]) -> tuple[Sequence[Row], Sequence[Row]]:
        """This function will return the pool's own row, if there is one, and these holders', read at one moment."""
        own = select(POOL).where(POOL.c.pool_id == pool)
        its = select(POOL_HOLDER).where(POOL_HOLDER.c.pool_id == pool, POOL_HOLDER.c.holder.in_(holders))
        return await self._both(own, its.order_by(POOL_HOLDER.c.holder), holders)

    async def entries(
        self, pool: str, holders: Sequence[str], *, after: tuple[str | None, int] | None, limit: int, capital: bool
    ) -> Sequence[Row]:
        """This function will return entries of these holders, and of the pool's own capital as well, in order."""
        seen = POOL_ENTRY.c.holder.in_(holders)
        seen = or_(POOL_ENTRY.c.holder.is_(None), seen) if capital else seen
        query = select(POOL_ENTRY).where(POOL_ENTRY.c.pool_id == pool, seen)
        if after is not None:
            last = POOL_ENTRY.alias("last")
            holder, own_number = after
            its = last.c.holder.is_(None) if holder is None else last.c.holder == holder
            place = select(last.c.number).where(last.c.pool_id == pool, its, last.c.own_number == own_number)
            query = query.where(POOL_ENTRY.c.number > place.scalar_subquery())
        return await self._rows(query.order_by(POOL_ENTRY.c.number).limit(limit), holders)

    async def every_entry(self, pool: str) -> tuple[Sequence[Row], Sequence[Row]]:
        """This function will return the pool's own row and all its entries, read at one moment."""
        own = select(POOL).where(POOL.c.pool_id == pool)
        entries = select(POOL_ENTRY).where(POOL_ENTRY.c.pool_id == pool).order_by(POOL_ENTRY.c.number)
        return await self._both(own, entries, NO_LENDER, pools=(pool,))

    async def claims(
        self, pool: str, holders: Sequence[str], *, state: str | None, after: tuple[date, str] | None, limit: int
    ) -> Sequence[Row]:
        """This function will return up to `limit` claims of these holders, in that state or in any, the oldest first;
        behind that day and id, or from the first.
        """
        day, claim_id = POOL_CLAIM.c.claimed_on, POOL_CLAIM.c.claim_id
        query = select(POOL_CLAIM).where(POOL_CLAIM.c.pool_id == pool, POOL_CLAIM.c.holder.in_(holders))
        if state is not None:
            query = query.where(POOL_CLAIM.c.state == state)
        if after is not None:
            query = query.where(or_(day > after[0], and_(day == after[0], claim_id > after[1])))
        return await self._rows(query.order_by(day, claim_id).limit(limit), holders)

    async def covers(self, pool: str, holders: Sequence[str]) -> Sequence[Row]:
        """This function will return the covers of these holders, by offer."""
        query = select(POOL_COVER).where(POOL_COVER.c.pool_id == pool, POOL_COVER.c.holder.in_(holders))
        return await self._rows(query.order_by(POOL_COVER.c.offer_id), holders)

    async def for_company(
        self, pool: str, holder: str, uscc: str
    ) -> tuple[Sequence[Row], Sequence[Row], Sequence[Row]]:
        """This function will return what a decision would read; the pool is opened whole, as its cap for a company
        counts over all lenders.
        """
        own = select(POOL).where(POOL.c.pool_id == pool)
        its = select(POOL_HOLDER).where(POOL_HOLDER.c.pool_id == pool, POOL_HOLDER.c.holder == holder)
        covers = select(POOL_COVER).where(POOL_COVER.c.uscc == uscc, POOL_COVER.c.pool_id == pool)

        def found(connection: Connection) -> tuple[Sequence[Row], Sequence[Row], Sequence[Row]]:
            open_pools(connection, (pool,))
            return _found(connection, own), _found(connection, its), _found(connection, covers)

        return await self._store.read_snapshot(found, lenders=(holder,))

    async def statements(self, pool: str) -> Sequence[Row]:
        """This function will return what an external pool's manager has stated, the newest day first."""
        query = select(POOL_STATEMENT).where(POOL_STATEMENT.c.pool_id == pool)
        return await self._rows(query.order_by(POOL_STATEMENT.c.as_of.desc(), POOL_STATEMENT.c.record_id.desc()), ())

    async def claim(self, claim_id: str, holders: Sequence[str]) -> Row | None:
        """This function will return one claim where it is one of these holders', else None."""
        query = select(POOL_CLAIM).where(POOL_CLAIM.c.claim_id == claim_id, POOL_CLAIM.c.holder.in_(holders))
        return next(iter(await self._rows(query, holders)), None)

    async def cover(self, offer_id: str, holders: Sequence[str]) -> Row | None:
        """This function will return one offer's cover where it is one of these holders', else None."""
        query = select(POOL_COVER).where(POOL_COVER.c.offer_id == offer_id, POOL_COVER.c.holder.in_(holders))
        return next(iter(await self._rows(query, holders)), None)

    async def _rows(self, query: Select[Any], holders: Sequence[str]) -> Sequence[Row]:
        return await self._store.read(lambda connection: _found(connection, query), lenders=holders)

    async def _both(
        self, first: Select[Any], second: Select[Any], holders: Sequence[str], *, pools: Sequence[str] = ()
    ) -> tuple[Sequence[Row], Sequence[Row]]:
        def found(connection: Connection) -> tuple[Sequence[Row], Sequence[Row]]:
            open_pools(connection, pools)
            return _found(connection, first), _found(connection, second)

        return await self._store.read_snapshot(found, lenders=holders)


def _found(connection: Connection, query: Select[Any]) -> tuple[Row, ...]:
    return tuple(dict(row._mapping) for row in connection.execute(query))
