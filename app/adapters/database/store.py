"""Connections to one database through SQLAlchemy Core, for whatever is not the hot road.

Neighbours may rely on this: `read` and `write` run a function of a connection in a thread, inside one transaction, and
commit after it; on SQLite every write of this process goes through one thread, so that no two of them wait for each
other's lock. A database that cannot be reached is StoreUnavailable on every road.

Whoever reads or writes says for which lenders, as PostgreSQL shows no other's rows (row_security): EVERY_LENDER is for
commands of the whole installation, NO_LENDER for tables without a column `lender`.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError
from sqlalchemy.pool import QueuePool

from app.adapters.database.row_security import EVERY_LENDER, NO_LENDER, allow
from app.usecases.ports import StoreUnavailable

__all__ = ["EVERY_LENDER", "NO_LENDER", "Store", "database_url", "sqlite_engine"]

_T = TypeVar("_T")
_READERS = 4
_WAITS_FOR_A_LOCK_S = 10


class Store:
    """One database: an engine to read, an engine to write, and the threads that use them."""

    def __init__(self, url: str) -> None:
        self.url = database_url(url)
        if self.url.get_backend_name() == "sqlite":
            self.reading, self.writing = sqlite_engine(self.url, reads_only=True), sqlite_engine(self.url)
            writers = 1
        else:
            self.reading = self.writing = create_engine(
                self.url, pool_size=_READERS, max_overflow=0, pool_pre_ping=True, connect_args={"connect_timeout": 10}
            )
            writers = 2
        self._snapshots = self.reading
        if self.url.get_backend_name() != "sqlite":
            self._snapshots = self.reading.execution_options(isolation_level="REPEATABLE READ")
        self._readers: Executor = ThreadPoolExecutor(_READERS, "reader")
        self.writers: Executor = ThreadPoolExecutor(writers, "writer")

    async def read(self, query: Callable[[Connection], _T], *, lenders: Sequence[str]) -> _T:
        """This function will return what `query` answers in a transaction that only reads, and sees the rows of these
        lenders. Raises StoreUnavailable.
        """
        return await asyncio.get_running_loop().run_in_executor(self._readers, _inside, self.reading, query, lenders)

    async def read_snapshot(self, query: Callable[[Connection], _T], *, lenders: Sequence[str]) -> _T:
        """This function will do as `read`, and all statements of `query` will see one moment (on SQLite they always
        do). Raises StoreUnavailable.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, _inside, self._snapshots, query, lenders)

    async def write(self, statement: Callable[[Connection], _T], *, lenders: Sequence[str]) -> _T:
        """This function will run `statement` in a transaction that sees and writes the rows of these lenders, and
        return once durable. Raises StoreUnavailable.
        """
        return await asyncio.get_running_loop().run_in_executor(self.writers, _inside, self.writing, statement, lenders)

    async def close(self) -> None:
        """This function will wait for what is running and give every connection back."""
        for executor in (self._readers, self.writers):
            await asyncio.to_thread(executor.shutdown)
        for engine in {self.reading, self.writing}:
            engine.dispose()


def _inside(engine: Engine, work: Callable[[Connection], _T], lenders: Sequence[str]) -> _T:
    try:
        with engine.begin() as connection:
            allow(connection, lenders)
            return work(connection)
    except (OperationalError, InterfaceError, TimeoutError) as error:
        raise StoreUnavailable(str(error.__cause__ or error)) from error


def database_url(url: str) -> URL:
    """This function will return the address with the driver that we use, whatever driver it named."""
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise ValueError("A SQLite address names a file, such as sqlite:///var/jifendai.db")
        return parsed.set(drivername="sqlite+pysqlite")
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    raise ValueError(f"A database address begins with sqlite:/// or postgresql://, not with {backend}")


def sqlite_engine(url: URL, *, reads_only: bool = False) -> Engine:
    """This function will return an engine whose transactions take the write lock when they begin, or never."""
    engine = create_engine(
        url, poolclass=QueuePool, pool_size=_READERS if reads_only else 2, max_overflow=0,
        connect_args={"check_same_thread": False, "timeout": _WAITS_FOR_A_LOCK_S},
    )  # fmt: skip

    # The driver would begin a transaction before the first write only, and a reader that turns writer gets SQLITE_BUSY
    # at once; so the driver begins nothing, and "begin" says which kind of transaction it is.
    @event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        if reads_only:
            connection.execute("PRAGMA query_only=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")

    return engine
