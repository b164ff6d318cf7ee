"""API keys.

Neighbours may rely on this: a secret is never stored, only its SHA-256; a revoked key stays, with the instant of its
end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from app.adapters.clock import utc_now
from app.adapters.database.store import NO_LENDER, Store
from app.adapters.database.tables import API_KEY, Instant, from_codes, to_codes
from app.usecases.ports import ApiKey


class KeyRing:
    """The keys of one installation."""

    def __init__(self, store: Store, clock: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._clock = clock

    async def add(self, key: ApiKey) -> None:
        """This function will store a new key; ValueError where the id exists."""
        columns = asdict(key) | {"lenders": to_codes(key.lenders)}
        try:
            await self._store.write(lambda connection: connection.execute(insert(API_KEY), columns), lenders=NO_LENDER)
        except IntegrityError as error:
            raise ValueError(f"there is a key {key.key_id} already; choose another id") from error

    async def all_keys(self) -> Sequence[ApiKey]:
        """This function will return every key, revoked ones included, the oldest first."""
        query = select(API_KEY).order_by(API_KEY.c.created_at, API_KEY.c.key_id)
        return await self._store.read(
            lambda connection: tuple(map(_to_key, connection.execute(query))), lenders=NO_LENDER
        )

    async def revoke(self, key_id: str) -> bool:
        """This function will revoke the key now; False where there is none. The first revocation's instant stays."""

        def revoked(connection: Connection) -> bool:
            ended = func.coalesce(API_KEY.c.revoked_at, literal(self._clock(), Instant))
            statement = update(API_KEY).where(API_KEY.c.key_id == key_id).values(revoked_at=ended)
            return connection.execute(statement).rowcount == 1

        return await self._store.write(revoked, lenders=NO_LENDER)


def _to_key(row: Row[Any]) -> ApiKey:
    return ApiKey(**(dict(row._mapping) | {"lenders": from_codes(row.lenders)}))
