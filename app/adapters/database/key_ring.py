"""API keys.

Neighbours may rely on this: a secret is never stored, only its SHA-256; a revoked key stays, with the instant of its
end; changes are numbered without gaps, take turns, and are written in one transaction with their records in the
operator's log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from app.adapters.clock import utc_now
from app.adapters.database.operator_log import operator_head, record, written
from app.adapters.database.store import NO_LENDER, Store
from app.adapters.database.tables import API_KEY, KEY_CHANGE, from_codes, to_codes
from app.usecases.keys import ApiKey, KeyChanges

_NEWEST = select(func.coalesce(func.max(KEY_CHANGE.c.number), 0))
_ALL = select(API_KEY).order_by(API_KEY.c.created_at, API_KEY.c.key_id)


class KeyRing:
    """The keys of one installation."""

    def __init__(self, store: Store, clock: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._clock = clock

    async def newest_change(self) -> int:
        """This function will return the number of the newest change, 0 before the first."""
        return await self._store.read(lambda connection: connection.execute(_NEWEST).scalar_one(), lenders=NO_LENDER)

    async def all_keys(self) -> Sequence[ApiKey]:
        """This function will return every key, revoked ones included, the oldest first."""
        return await self._store.read(_all_keys, lenders=NO_LENDER)

    async def change(self, decide: Callable[[Sequence[ApiKey]], KeyChanges]) -> KeyChanges:
        """This function will write what `decide` makes of all keys, and its records, in one transaction."""

        def changed(connection: Connection) -> KeyChanges:
            # Of two changes at the same moment, the second sees what the first one did.
            operator_head(connection)
            known = {key.key_id: key for key in _all_keys(connection)}
            made = decide(tuple(known.values()))
            for recording in made.recordings:
                record(connection, recording, self._clock)
            for key in made.keys:
                columns = asdict(key) | {"lenders": to_codes(key.lenders)}
                if key.key_id in known:
                    connection.execute(update(API_KEY).where(API_KEY.c.key_id == key.key_id).values(columns))
                else:
                    connection.execute(insert(API_KEY).values(columns))
            if made.keys:
                number = connection.execute(_NEWEST).scalar_one() + 1
                connection.execute(insert(KEY_CHANGE).values(number=number, changed_at=self._clock()))
            return made

        return await written(self._store, changed)


def _all_keys(connection: Connection) -> tuple[ApiKey, ...]:
    return tuple(map(_to_key, connection.execute(_ALL)))


def _to_key(row: Row[Any]) -> ApiKey:
    return ApiKey(**(dict(row._mapping) | {"lenders": from_codes(row.lenders)}))
