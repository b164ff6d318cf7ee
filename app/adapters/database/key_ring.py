"""API keys, and tokens of the identity provider that were revoked here.

Neighbours may rely on this: a secret is never stored, only its SHA-256; a revoked key stays, with the instant of its
end; changes are numbered without gaps, take turns, and are written in one transaction with their records in the
operator's log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, update

from app.adapters.clock import utc_now
from app.adapters.database.column_types import from_codes, to_codes
from app.adapters.database.operator_log import operator_head, record, written
from app.adapters.database.store import NO_LENDER, Store
from app.adapters.database.tables import API_KEY, KEY_CHANGE, REVOKED_TOKEN
from app.usecases.keys import ApiKey, KeyChanges
from app.usecases.tokens import DecideTokens, RevokedKind, RevokedToken, TokenChange

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
                self._number(connection)
            return made

        return await written(self._store, changed)

    async def revoked_tokens(self) -> Sequence[RevokedToken]:
        """This function will return every revocation of tokens, the oldest first."""
        return await self._store.read(_revoked_tokens, lenders=NO_LENDER)

    async def change_tokens(self, decide: DecideTokens) -> TokenChange:
        """This function will write what `decide` makes of all revocations, and its record, in one transaction."""

        def changed(connection: Connection) -> TokenChange:
            operator_head(connection)
            made = decide(_revoked_tokens(connection))
            if made.recording is not None:
                record(connection, made.recording, self._clock)
            if made.revoked is not None:
                its = and_(REVOKED_TOKEN.c.kind == made.revoked.kind, REVOKED_TOKEN.c.name == made.revoked.name)
                connection.execute(delete(REVOKED_TOKEN).where(its))
                connection.execute(insert(REVOKED_TOKEN).values(asdict(made.revoked)))
                self._number(connection)
            return made

        return await written(self._store, changed)

    def _number(self, connection: Connection) -> None:
        """Whoever has seen the number before learns at his next look that something has changed."""
        number = connection.execute(_NEWEST).scalar_one() + 1
        connection.execute(insert(KEY_CHANGE).values(number=number, changed_at=self._clock()))


def _all_keys(connection: Connection) -> tuple[ApiKey, ...]:
    return tuple(map(_to_key, connection.execute(_ALL)))


def _to_key(row: Row[Any]) -> ApiKey:
    return ApiKey(**(dict(row._mapping) | {"lenders": from_codes(row.lenders)}))


def _revoked_tokens(connection: Connection) -> tuple[RevokedToken, ...]:
    query = select(REVOKED_TOKEN).order_by(REVOKED_TOKEN.c.revoked_at, REVOKED_TOKEN.c.kind, REVOKED_TOKEN.c.name)
    rows = (dict(row._mapping) for row in connection.execute(query))
    return tuple(RevokedToken(**row | {"kind": RevokedKind(row["kind"])}) for row in rows)
