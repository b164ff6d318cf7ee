"""What the adapters' tests ask for: one database of each kind behind the same ports, and a clock that tests set."""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from app.adapters.database import Database, open_database
from app.adapters.database.plain_book import PlainBook
from app.adapters.memory import MemoryDatabase


class SetClock:
    """A clock that stands until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 2, 15, 0, 123456, tzinfo=UTC)

    def __call__(self) -> datetime:
        """This function will return the instant that the test has set."""
        return self.now


@pytest.fixture
def clock() -> SetClock:
    """The clock of the test's database."""
    return SetClock()


@contextlib.asynccontextmanager
async def opened(
    kind: str, request: pytest.FixtureRequest, clock: SetClock
) -> AsyncIterator[Database | MemoryDatabase]:
    """This function will open a fresh database of a kind under the clock, and close it."""
    if kind == "memory":
        yield MemoryDatabase(clock)
        return
    database = open_database(request.getfixturevalue("sqlite_url" if kind == "sqlite" else "postgres_url"), clock=clock)
    if kind == "plain":
        database.book = PlainBook(database._store, clock)
    await database.start()
    yield database
    await database.close()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, clock: SetClock) -> AsyncIterator[Database | MemoryDatabase]:
    """A fresh, open database; the test runs once on each kind, and each is held to the same."""
    async with opened(request.param, request, clock) as database:
        yield database


@pytest.fixture
async def real_database(database_url: str) -> AsyncIterator[Database]:
    """A fresh, open SQLite or PostgreSQL database under its own clock."""
    database = open_database(database_url)
    await database.start()
    yield database
    await database.close()
