"""The acts as readers see them, on both databases.

Neighbours may rely on this: nothing here takes a lock that a writer would wait for, and a page is found by its
position.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, or_, select

from app.adapters.database.act_statements import to_act
from app.adapters.database.store import Store
from app.adapters.database.tables import ACT, LOG_ENTRY
from app.usecases.act_rows import KeyedAnswer, StoredAct
from app.usecases.ports import answer_in

_ANSWER = (LOG_ENTRY.c.record, ACT.c.answer_from, ACT.c.answer_until, ACT.c.place)
_RECORDED = and_(LOG_ENTRY.c.lender == ACT.c.lender, LOG_ENTRY.c.index == ACT.c.index)
STORED = select(
    ACT.c.record_id, ACT.c.lender, ACT.c.index, ACT.c.format, ACT.c.subject, ACT.c.state, ACT.c.recorded_at,
    ACT.c.submitted_by, *_ANSWER,
).join_from(ACT, LOG_ENTRY, _RECORDED)  # fmt: skip


class Acts:
    """Reads the acts that the book has written."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(self, record_id: str, lenders: Sequence[str]) -> StoredAct | None:
        """This function will return the act when it belongs to one of the lenders, else None."""
        found = await self._acts(STORED.where(ACT.c.record_id == record_id, ACT.c.lender.in_(lenders)), lenders)
        return found[0] if found else None

    async def about(self, subjects: Sequence[str], lenders: Sequence[str]) -> Sequence[StoredAct]:
        """This function will return the acts on these subjects, each subject's in the order of the log."""
        query = STORED.where(ACT.c.subject.in_(subjects), ACT.c.lender.in_(lenders))
        return await self._acts(query.order_by(ACT.c.subject, ACT.c.lender, ACT.c.index), lenders)

    async def search(
        self, formats: Sequence[str], lenders: Sequence[str], *, limit: int, after: tuple[datetime, str] | None
    ) -> Sequence[StoredAct]:
        """This function will return up to `limit` acts of these formats, newest first, strictly after the position."""
        query = STORED.where(ACT.c.format.in_(formats), ACT.c.lender.in_(lenders))
        if after is not None:
            # The first condition follows from the second, and is there for the index.
            at, record_id = after
            later = or_(ACT.c.recorded_at < at, ACT.c.record_id < record_id)
            query = query.where(ACT.c.recorded_at <= at, later)
        return await self._acts(query.order_by(ACT.c.recorded_at.desc(), ACT.c.record_id.desc()).limit(limit), lenders)

    async def answered(self, lender: str, act_format: str, idempotency_key: str) -> KeyedAnswer | None:
        """This function will return what the key is bound to, if it is."""
        query = (
            select(ACT.c.fingerprint, *_ANSWER)
            .join_from(ACT, LOG_ENTRY, _RECORDED)
            .where(
                ACT.c.idempotency_key == idempotency_key, ACT.c.lender == lender, ACT.c.format == act_format
            )
        )
        row = await self._store.read(lambda connection: connection.execute(query).first(), lenders=(lender,))
        return None if row is None else KeyedAnswer(row.fingerprint, answer_in(*row[1:]))

    async def _acts(self, query: Select[Any], lenders: Sequence[str]) -> tuple[StoredAct, ...]:
        def found(connection: Connection) -> tuple[StoredAct, ...]:
            return tuple(map(to_act, connection.execute(query)))

        return await self._store.read(found, lenders=lenders)
