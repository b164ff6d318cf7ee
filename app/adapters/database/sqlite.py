"""The book on SQLite: portable SQL in one writer thread.

Neighbours may rely on this: a batch is one transaction that holds the write lock from its first statement, and it is
on the disk (`synchronous=FULL`) before `transact` returns. Other processes on the same file wait their turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from sqlalchemy.exc import InterfaceError, OperationalError

from app.adapters.clock import utc_now
from app.adapters.database.plain_book import lock_and_read, write
from app.adapters.database.store import Store
from app.usecases.ports import BatchState, CommitUnknown, Sealed, StoreUnavailable, Wanted

# What SQLite says when it wrote nothing; anything else at COMMIT (an I/O error) leaves the outcome open.
_WROTE_NOTHING = ("database is locked", "database is busy", "database or disk is full", "readonly database")


class SqliteBook:
    """The durable book in an SQLite file."""

    def __init__(self, store: Store, clock: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._clock = clock
        self._known_terms: set[str] = set()

    async def transact(self, wanted: Wanted, seal: Callable[[BatchState], Sealed]) -> Sealed:
        """This function will read, seal, write and commit in the writer thread."""
        return await asyncio.get_running_loop().run_in_executor(self._store.writers, self._transact, wanted, seal)

    def _transact(self, wanted: Wanted, seal: Callable[[BatchState], Sealed]) -> Sealed:
        try:
            with self._store.writing.connect() as connection:
                with connection.begin() as transaction:
                    sealed = seal(lock_and_read(connection, wanted, self._clock))
                    if not sealed.entries:
                        transaction.rollback()
                        return sealed
                    write(connection, sealed, self._known_terms)
                    self._commit(transaction)
        except (OperationalError, InterfaceError) as error:
            raise StoreUnavailable(str(error.__cause__ or error)) from error
        self._known_terms.update(digest for digest, _ in sealed.terms)
        return sealed

    @staticmethod
    def _commit(transaction: object) -> None:
        try:
            transaction.commit()  # type: ignore[attr-defined]
        except OperationalError as error:
            if any(words in str(error) for words in _WROTE_NOTHING):
                raise
            raise CommitUnknown(str(error.__cause__ or error)) from error
