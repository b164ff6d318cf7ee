"""What is stored of the logs, as whoever verifies them reads it, on both databases.

Neighbours may rely on this: nothing is left out because it does not belong there, and each answer is one statement, so
that it is of one moment; nothing here takes a lock that a writer would wait for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, LargeBinary, Select, and_, cast, func, or_, select, union

from app.adapters.database.store import Store
from app.adapters.database.tables import CHECKPOINT, DECISION, LOG_ENTRY, LOG_HEAD, TERMS
from app.usecases.ports import ListedPlace, LogExtent, LogHead, SignedCheckpoint, StoredLeaf

_PAGE = 500


class LogTrail:
    """Reads the logs as they are stored."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def lenders(self) -> tuple[str, ...]:
        """This function will return every lender of which there is a row."""
        query = union(*(select(table.c.lender).distinct() for table in (LOG_ENTRY, LOG_HEAD, CHECKPOINT, DECISION)))
        return await self._store.read(lambda connection: tuple(sorted(connection.execute(query).scalars())))

    async def extent(self, lender: str) -> LogExtent:
        """This function will return how far the log reaches."""
        entries = select(func.max(LOG_ENTRY.c.index)).where(LOG_ENTRY.c.lender == lender).scalar_subquery()
        signed = select(func.max(CHECKPOINT.c.size)).where(CHECKPOINT.c.lender == lender).scalar_subquery()
        # The head may be missing, and the rest is told all the same.
        one = select(entries.label("last"), signed.label("signed")).subquery()
        query = select(one, LOG_HEAD).join_from(one, LOG_HEAD, LOG_HEAD.c.lender == lender, isouter=True)
        last, signed_size, *head = await self._store.read(lambda connection: connection.execute(query).one())
        return LogExtent(
            None if head[0] is None else LogHead(*head), 0 if last is None else last + 1, signed_size or 0
        )

    async def leaves(self, lender: str, after: int | None, until: int) -> Sequence[StoredLeaf]:
        """This function will return the entries behind the index `after` (None: from the first) and before `until`."""
        query = _LEAVES.where(LOG_ENTRY.c.lender == lender, LOG_ENTRY.c.index < until)
        if after is not None:
            query = query.where(LOG_ENTRY.c.index > after)
        rows = await self._rows(query.order_by(LOG_ENTRY.c.index).limit(_PAGE))
        return tuple(
            StoredLeaf(*entry, None if row[0] is None else ListedPlace(*row))
            for entry, row in ((row[:4], row[4:]) for row in rows)
        )

    async def checkpoints(self, lender: str, after: int, until: int) -> Sequence[SignedCheckpoint]:
        """This function will return the checkpoints of more than `after` and at most `until` records, by size."""
        size = CHECKPOINT.c.size
        query = select(CHECKPOINT).where(CHECKPOINT.c.lender == lender, size > after, size <= until)
        return tuple(SignedCheckpoint(*row) for row in await self._rows(query.order_by(size).limit(_PAGE)))

    async def decisions_without_leaf(self, lender: str, limit: int) -> Sequence[str]:
        """This function will return ids of decisions whose place in the log is not that of their own record."""
        leaf = and_(LOG_ENTRY.c.lender == DECISION.c.lender, LOG_ENTRY.c.index == DECISION.c.index)
        query = (
            select(DECISION.c.decision_id)
            .join_from(DECISION, LOG_ENTRY, leaf, isouter=True)
            .where(
                DECISION.c.lender == lender,
                or_(LOG_ENTRY.c.decision_id.is_(None), LOG_ENTRY.c.decision_id != DECISION.c.decision_id),
            )
            .order_by(DECISION.c.index)
            .limit(limit)
        )
        return tuple(row[0] for row in await self._rows(query))

    async def terms(self) -> Sequence[tuple[str, bytes]]:
        """This function will return all stored terms: digest and canonical bytes."""
        rows = await self._rows(select(TERMS.c.digest, TERMS.c.canonical).order_by(TERMS.c.digest))
        return tuple((name, bytes(canonical)) for name, canonical in rows)

    async def _rows(self, query: Select[Any]) -> Sequence[Any]:
        def found(connection: Connection) -> Sequence[Any]:
            return connection.execute(query).all()

        return await self._store.read(found)


def _bytes(column: Column[bytes]) -> ColumnElement[bytes]:
    # SQLite lets a text stand in a column of bytes, and whoever changes a record may leave one there.
    return cast(column, LargeBinary)


# A row of another lender's decision is none of this record's.
_LEAVES = select(
    LOG_ENTRY.c.index, _bytes(LOG_ENTRY.c.leaf_hash), _bytes(LOG_ENTRY.c.record), LOG_ENTRY.c.decision_id,
    DECISION.c.index, DECISION.c.terms_digest, DECISION.c.answer_from, DECISION.c.answer_until,
    _bytes(DECISION.c.place),
).join_from(
    LOG_ENTRY, DECISION,
    and_(DECISION.c.decision_id == LOG_ENTRY.c.decision_id, DECISION.c.lender == LOG_ENTRY.c.lender),
    isouter=True,
)  # fmt: skip
