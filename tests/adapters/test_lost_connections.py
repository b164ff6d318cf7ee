"""What a book says when the database refuses, vanishes or falls silent, and that it goes on afterwards."""

import asyncio
import contextlib
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import asyncpg
import psycopg
import pytest
from sqlalchemy.engine import make_url

from app.adapters.database import Database, open_database, postgresql
from app.adapters.database.postgresql import PostgresqlBook
from app.adapters.desk import Desk
from app.usecases.ports import CommitUnknown, StoreUnavailable
from tests.adapters.sealing import Answer, Poisoned, poisoned, seal, submission, wanted
from tests.adapters.test_book import look, write
from tests.adapters.test_desk import everyone
from tests.postgres import PostgresServer, as_owner

_T = TypeVar("_T")
# What commits: the word behind a lock; without one the statement that writes, known by its checkpoint's note.
COMMITS = {True: b"COMMIT", False: b"note "}


class Wire:
    """A socket between book and server that is cut as it carries what commits, before or after it is passed on."""

    def __init__(self, url: str) -> None:
        self._server = f"{make_url(url).query['host']}/.s.PGSQL.5432"
        self._folder = Path(tempfile.mkdtemp(prefix="jfd-wire-", dir="/tmp"))
        self.url = make_url(url).set(query={"host": str(self._folder)}).render_as_string(hide_password=False)
        self.cut: str | None = None
        self.cuts_at = COMMITS[False]
        self._passing: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """This function will begin to listen."""
        self._listener = await asyncio.start_unix_server(self._pass, str(self._folder / ".s.PGSQL.5432"))

    async def close(self) -> None:
        """This function will cut every connection and listen no more."""
        self._listener.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)
        (self._folder / ".s.PGSQL.5432").unlink(missing_ok=True)
        self._folder.rmdir()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._passing.add(asyncio.current_task())
        back, forth = await asyncio.open_unix_connection(self._server)
        answering = asyncio.create_task(self._copy(back, writer))
        try:
            while message := await reader.read(65536):
                commits = self.cut is not None and self.cuts_at in message
                if not (commits and self.cut == "before"):
                    forth.write(message)
                if commits:
                    # A backend whose client is gone finishes what it was told; only its answer is lost.
                    answering.cancel()
                    await asyncio.sleep(0.1)
                    break
        finally:
            answering.cancel()
            writer.close()
            forth.close()

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while message := await reader.read(65536):
                writer.write(message)
        writer.close()


@pytest.fixture
async def wire(postgres_url: str) -> AsyncIterator[Wire]:
    """A wire to a fresh PostgreSQL database, not cut yet."""
    between = Wire(postgres_url)
    await between.open()
    yield between
    await between.close()


@pytest.fixture
async def book(postgres_url: str) -> AsyncIterator[PostgresqlBook]:
    """A book in a fresh PostgreSQL database."""
    opened = PostgresqlBook(postgres_url)
    yield opened
    await opened.close()


class TestACommitWhoseAnswerIsLost:
    @pytest.mark.parametrize("locks_first", [False, True])
    @pytest.mark.parametrize(("cut", "stands"), [("before", False), ("after", True)])
    async def test_is_unknown_whether_it_stands_or_not_and_the_same_key_tells(
        self, wire: Wire, cut: str, stands: bool, locks_first: bool
    ):
        book = PostgresqlBook(wire.url, locks_first=locks_first)
        await write(book, submission("k0"))
        wire.cut, wire.cuts_at = cut, COMMITS[locks_first]

        with pytest.raises(CommitUnknown):
            await write(book, submission("k1"))

        wire.cut = None
        (answer,) = await write(book, submission("k1"))
        await book.close()
        assert answer.replayed is stands

    async def test_is_told_to_the_whole_batch_and_none_of_it_is_redone(self, wire: Wire):
        book = PostgresqlBook(wire.url)
        desk = Desk(book, wanted=wanted, seal=seal)
        await desk.submit(submission("k"))
        wire.cut = "after"

        answers = await everyone([desk.submit(submission(f"k{n}")) for n in range(5)])

        wire.cut = None
        again = await everyone([desk.submit(submission(f"k{n}")) for n in range(5)])
        await book.close()
        assert [type(answer) for answer in answers] == [CommitUnknown] * 5
        assert [answer.replayed for answer in again] == [True] * 5


    async def test_is_not_even_begun_when_the_connection_is_lost_behind_the_lock_before_it(self, wire: Wire):
        book = PostgresqlBook(wire.url, locks_first=True)
        await write(book, submission("k0"))
        wire.cut, wire.cuts_at = "after", b"note "

        with pytest.raises(StoreUnavailable):
            await write(book, submission("k1"))

        wire.cut = None
        (answer,) = await write(book, submission("k1"))
        await book.close()
        assert answer.replayed is False


class TestACommitThatIsRefused:
    @pytest.mark.parametrize("locks_first", [False, True])
    async def test_is_never_acknowledged_and_costs_only_the_culprit(self, postgres_url: str, locks_first: bool):
        """A deferred constraint is the commonest way for COMMIT itself to fail."""
        with psycopg.connect(as_owner(postgres_url), autocommit=True) as connection:
            connection.execute(
                "ALTER TABLE decision ADD FOREIGN KEY (supersedes) REFERENCES decision DEFERRABLE INITIALLY DEFERRED"
            )

        def spoilt(batch: object, state: object) -> object:
            sealed = seal(batch, state)
            rows = [
                replace(row, supersedes="nothing") if row.idempotency_key == "k1" else row
                for row in sealed.sealed.decisions
            ]
            return replace(sealed, sealed=replace(sealed.sealed, decisions=tuple(rows)))

        book = PostgresqlBook(postgres_url, locks_first=locks_first)
        desk = Desk(book, wanted=wanted, seal=spoilt)

        first, culprit, last = await everyone([desk.submit(submission(f"k{n}")) for n in range(3)])

        assert isinstance(culprit, asyncpg.ForeignKeyViolationError)
        assert isinstance(first, Answer) and isinstance(last, Answer)
        assert sorted((await look(book, *(submission(f"k{n}") for n in range(3)))).answered) == [
            ("icbc", "k0"), ("icbc", "k2"),
        ]  # fmt: skip
        await book.close()

    async def test_with_a_rollback_for_an_answer_is_not_taken_for_a_commit(self, book: PostgresqlBook):
        """PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK, and without an error."""
        batch = wanted([submission("k1")])
        connection, _ = await book._reading(batch, book._lock_and_read)
        with pytest.raises(asyncpg.UndefinedTableError):
            await connection.execute("SELECT FROM nowhere")

        with pytest.raises(StoreUnavailable, match="ROLLBACK"):
            await book._commit(connection)

    async def test_by_a_full_embedded_database_is_store_unavailable(self, embedded: Database):
        await write(embedded.book, submission("k0"))
        batch = [submission(f"k{n}") for n in range(1, 200)]

        await in_writer(embedded, lambda: embedded.book._driver().execute("PRAGMA max_page_count = 1"))
        with pytest.raises(StoreUnavailable, match="full"):
            await write(embedded.book, *batch)

        # The limit went with the connection, as a full disk may be emptied.
        assert [answer.replayed for answer in await write(embedded.book, *batch)] == [False] * 199

    @pytest.mark.parametrize(
        ("words", "error"), [("disk I/O error", CommitUnknown), ("database is locked", StoreUnavailable)]
    )
    async def test_by_an_embedded_database_is_unknown_unless_surely_nothing_was_written(
        self, embedded: Database, monkeypatch: pytest.MonkeyPatch, words: str, error: type[Exception]
    ):
        await write(embedded.book, submission("k0"))
        driver = await in_writer(embedded, embedded.book._driver)
        with monkeypatch.context() as patched:
            patched.setattr(embedded.book, "_driver", lambda: RefusesToCommit(driver, words))
            with pytest.raises(error, match=words):
                await write(embedded.book, submission("k1"))

        (answer,) = await write(embedded.book, submission("k1"))
        assert answer.replayed is False

    async def test_leaves_no_transaction_open_where_seal_raised(self, embedded: Database, sqlite_url: str):
        with pytest.raises(Poisoned):
            await write(embedded.book, poisoned(submission("k1")))

        other = open_database(sqlite_url)
        async with asyncio.timeout(2):
            assert (await write(other.book, submission("k1")))[0].replayed is False
        await other.close()


class RefusesToCommit:
    """A driver's connection whose commit fails in SQLite's own words."""

    def __init__(self, driver: sqlite3.Connection, words: str) -> None:
        self._driver = driver
        self._words = words

    def __getattr__(self, name: str) -> object:
        return getattr(self._driver, name)

    def commit(self) -> None:
        """This function will fail."""
        raise sqlite3.OperationalError(self._words)


async def in_writer(database: Database, work: Callable[[], _T]) -> _T:
    """This function will run `work` in the writer thread, to which the connection belongs."""
    return await asyncio.get_running_loop().run_in_executor(database._store.writers, work)


@pytest.fixture
async def embedded(sqlite_url: str) -> AsyncIterator[Database]:
    """An open SQLite database."""
    opened = open_database(sqlite_url)
    yield opened
    await opened.close()


class TestAServerThatIsGone:
    async def test_is_store_unavailable_until_it_is_back_and_then_the_book_goes_on(
        self, postgres_server: PostgresServer
    ):
        database = open_database(postgres_server.create_database())
        await write(database.book, submission("k1"))
        postgres_server.stop()

        with pytest.raises(StoreUnavailable):
            await write(database.book, submission("k2"))
        with pytest.raises(StoreUnavailable):
            await database.decisions.answered("icbc", "k1")

        postgres_server.start()
        (answer,) = await write(database.book, submission("k2"))
        assert answer.replayed is False
        assert await database.decisions.answered("icbc", "k1") is not None
        await database.close()

    async def test_and_back_before_the_next_batch_is_not_even_noticed(self, postgres_server: PostgresServer):
        database = open_database(postgres_server.create_database())
        await write(database.book, submission("k1"))
        await database.decisions.answered("icbc", "k1")
        postgres_server.stop()
        postgres_server.start()

        (answer,) = await write(database.book, submission("k2"))

        assert answer.replayed is False
        assert await database.decisions.answered("icbc", "k1") is not None
        await database.close()

    async def test_that_only_reads_is_store_unavailable(self, postgres_url: str, book: PostgresqlBook):
        """What a book meets after a failover, until the address leads to the new primary."""
        await write(book, submission("k1"))
        await book._connection.execute("SET default_transaction_read_only = on")

        with pytest.raises(StoreUnavailable, match="read-only"):
            await write(book, submission("k2"))

        (answer,) = await write(book, submission("k2"))
        assert answer.replayed is False


class TestAReplicaThatStalls:
    async def test_is_cut_off_so_that_the_others_go_on(
        self, postgres_url: str, book: PostgresqlBook, monkeypatch: pytest.MonkeyPatch
    ):
        """Stopped, or cut off from the network, in the middle of a batch, it would hold the head's lock for good."""
        monkeypatch.setattr(postgresql, "_SESSION", postgresql._SESSION.replace(postgresql._STALLED, "200ms"))
        stalled = PostgresqlBook(postgres_url)
        connection, state = await stalled._reading(wanted([submission("k1")]), stalled._lock_and_read)

        async with asyncio.timeout(10):
            await write(book, submission("k2"))

        with pytest.raises(postgresql._CONNECTION_LOST):
            await stalled._write(connection, seal([submission("k1")], state).sealed, state)
        await stalled.close()
        assert list((await look(book, submission("k1"), submission("k2"))).answered) == [("icbc", "k2")]

    async def test_keeps_others_waiting_no_longer_than_the_lock_timeout(
        self, postgres_url: str, book: PostgresqlBook, monkeypatch: pytest.MonkeyPatch
    ):
        holder = PostgresqlBook(postgres_url)
        await holder._reading(wanted([submission("k1")]), holder._lock_and_read)
        monkeypatch.setattr(postgresql, "_SESSION", postgresql._SESSION.replace(postgresql._LOCKS_WITHIN, "100ms"))

        with pytest.raises(StoreUnavailable, match="lock timeout"):
            await write(book, submission("k2"))

        await holder._roll_back()
        assert (await write(book, submission("k2")))[0].replayed is False
        await holder.close()


class TestASessionOfTheBook:
    @pytest.mark.parametrize(
        ("servers", "books"), [("off", "on"), ("on", "on"), ("local", "local"), ("remote_apply", "remote_apply")]
    )
    async def test_waits_for_the_disk_and_keeps_what_is_stricter(
        self, postgres_server: PostgresServer, servers: str, books: str
    ):
        postgres_server.stop()
        postgres_server.start(synchronous_commit=servers)
        book = PostgresqlBook(postgres_server.create_database())

        connection = await book._connected()

        assert await connection.fetchval("SHOW synchronous_commit") == books
        await book.close()


class TestABookThatFindsAnotherServer:
    async def test_takes_nothing_for_stored_that_the_other_may_lack(self, postgres_url: str, book: PostgresqlBook):
        """A standby that was a little behind when it took over: it has neither the head nor the terms."""
        await write(book, submission("k1"))
        with psycopg.connect(as_owner(postgres_url), autocommit=True) as connection:
            for table in ("decision", "log_entry", "offer", "checkpoint", "terms", "log_head"):
                connection.execute(f"DELETE FROM {table}")
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

        (answer,) = await write(book, submission("k1"))

        database = open_database(postgres_url)
        assert answer.replayed is False
        assert [stored.terms async for stored in database.decisions.every_decision()] == [b"{}"]
        await database.close()
