"""The operator's log on both databases: a change and its record in one transaction.

Neighbours may rely on this: whoever writes a change calls `record` within its transaction, first of all, and `written`
carries that transaction out; from then on it holds the log's head, so that such changes take turns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.exc import IntegrityError

from app.adapters.clock import utc_now
from app.adapters.database.plain_book import locked_heads, write
from app.adapters.database.store import Store
from app.adapters.database.tables import CHECKPOINT, LOG_ENTRY
from app.audit.operator_record import OPERATOR
from app.usecases.operator_log import Recording
from app.usecases.ports import LogEntry, LogHead

_T = TypeVar("_T")
_MOST_TRIES = 20
_NOTE = select(CHECKPOINT.c.note).where(CHECKPOINT.c.lender == OPERATOR, CHECKPOINT.c.size == bindparam("size"))


class OperatorLog:
    """The operator's records of one installation."""

    def __init__(self, store: Store, clock: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._clock = clock

    async def append(self, recording: Recording) -> LogEntry:
        """This function will write a record that belongs to no change in the database."""
        return await written(self._store, lambda connection: record(connection, recording, self._clock))

    async def entries(self, *, before: int | None, limit: int) -> Sequence[LogEntry]:
        """This function will return up to `limit` records, newest first, from below the index `before`."""
        query = (
            select(LOG_ENTRY.c.lender, LOG_ENTRY.c.index, LOG_ENTRY.c.leaf_hash, LOG_ENTRY.c.record)
            .where(LOG_ENTRY.c.lender == OPERATOR)
            .order_by(LOG_ENTRY.c.index.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(LOG_ENTRY.c.index < before)
        return await self._store.read(
            lambda connection: tuple(LogEntry(*row) for row in connection.execute(query).all()), lenders=(OPERATOR,)
        )


def operator_head(connection: Connection) -> LogHead:
    """This function will lock the operator's head and return it: whoever holds it is alone among those who record."""
    return locked_heads(connection, (OPERATOR,))[OPERATOR]


def record(connection: Connection, recording: Recording, clock: Callable[[], datetime]) -> LogEntry:
    """This function will write the record within the transaction at hand, behind the lock on the operator's head."""
    head = operator_head(connection)
    # A clock that was set back never takes the log's time back with it.
    now = clock() if head.recorded_at is None else max(clock(), head.recorded_at)
    note = connection.execute(_NOTE, {"size": head.size}).scalar()
    sealed = recording(head, now, None if note is None else bytes(note).partition(b"\n")[0].decode("utf-8", "replace"))
    write(connection, sealed, set())
    return sealed.entries[0]


async def written(store: Store, change: Callable[[Connection], _T], lenders: Sequence[str] = ()) -> _T:
    """This function will carry a change with its record out in one transaction and return once it is durable;
    `lenders` are those whose rows the change touches.

    Of several that begin the log at the same moment one makes its head, and the others try again behind it.
    """
    for _ in range(_MOST_TRIES - 1):
        try:
            return await store.write(change, lenders=(OPERATOR, *lenders))
        except IntegrityError as error:
            if "log_head" not in str(error.orig):
                raise
    return await store.write(change, lenders=(OPERATOR, *lenders))
