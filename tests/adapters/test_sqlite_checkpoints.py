"""SQLite's write-ahead log: copied into the file beside the batches, and never left to grow for ever."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.adapters.database import Database, open_database, sqlite
from tests.adapters.sealing import submission
from tests.adapters.test_book import write


@pytest.fixture
async def embedded(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """An open SQLite database that makes a checkpoint each 50 pages and calls 100 pages a long log."""
    monkeypatch.setattr(sqlite, "_CHECKPOINT_EVERY_PAGES", 50)
    monkeypatch.setattr(sqlite, "_LONGEST_LOG_PAGES", 100)
    database = open_database(sqlite_url)
    await database.start()
    yield database
    await database.close()


async def log_bytes_after(database: Database, batches: int, prefix: str) -> int:
    """This function will write so many batches of 8 and return the size of the log's file."""
    for number in range(batches):
        await write(database.book, *(submission(f"{prefix}{number}.{n}") for n in range(8)))
    return Path(f"{database._store.url.database}-wal").stat().st_size


class TestTheWriteAheadLog:
    async def test_is_copied_into_the_file_without_a_batch_having_to(self, embedded: Database):
        before = Path(embedded._store.url.database).stat().st_size

        await log_bytes_after(embedded, 50, "k")
        embedded.book._checkpoints.stop()

        assert Path(embedded._store.url.database).stat().st_size > before

    @pytest.mark.parametrize(("batches", "is_long"), [(1, False), (20, True)])
    async def test_is_called_long_once_it_is(self, embedded: Database, batches: int, is_long: bool):
        checkpoints = embedded.book._checkpoints
        checkpoints.stop()
        await log_bytes_after(embedded, batches, "k")

        with contextlib.closing(sqlite3.connect(embedded._store.url.database)) as connection:
            checkpoints._copy(connection)

        assert checkpoints.log_is_long is is_long

    @pytest.mark.parametrize(("long", "grows"), [(True, False), (False, True)])
    async def test_is_begun_anew_by_the_next_batch_where_it_is_long(self, embedded: Database, long: bool, grows: bool):
        """Where nobody copies the last of it while no batch is being written, it grows."""
        embedded.book._checkpoints.stop()
        size = await log_bytes_after(embedded, 50, "a")

        embedded.book._checkpoints.log_is_long = long

        assert (await log_bytes_after(embedded, 10, "b") > size) is grows
