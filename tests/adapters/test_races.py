"""Two service processes on one database: one key is decided once, and a company's cap holds."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import psycopg
import pytest

from app.adapters.database import Database, open_database
from app.adapters.database.postgresql import PostgresqlBook, _to_state
from app.adapters.database.postgresql_statements import reading, writing
from app.usecases.ports import BatchState, Book, Sealed, Submission, Wanted
from tests.adapters.harness import Defect, company, faults_after_race
from tests.adapters.sealing import CAP, seal, submission, wanted
from tests.adapters.test_book import look
from tests.postgres import as_owner

KEYS, COMPANIES = 40, 60


class LocksAndReadsInOneStatement(PostgresqlBook):
    """A defect: a statement that waits for the lock reads what was committed before it began to wait."""

    async def _lock_and_read(self, connection: asyncpg.Connection, wanted: Wanted) -> BatchState:
        await self._make_heads(connection, wanted.lenders)
        await connection.execute("BEGIN")
        locked = "WITH log_head AS (SELECT * FROM public.log_head WHERE lender = ANY ($11) ORDER BY lender FOR UPDATE),"
        statement, asked = reading(wanted, None)
        both = statement.replace("WITH", locked, 1)
        return _to_state(await connection.fetch(both, *asked, wanted.lenders), None)


class WritesWhateverHappened(PostgresqlBook):
    """A defect: without a lock, and without a look whether the head is still as it was read."""

    async def _write(self, connection: asyncpg.Connection, sealed: Sealed, state: BatchState) -> bool:
        statement, columns = writing(sealed, state.heads, self._known_terms)
        blind = statement.replace("log_head.size = g.was", "g.was IS NOT NULL")
        return await connection.fetchval(blind, *columns) == len(sealed.heads)


def one_statement(database: Database) -> Book:
    """This function will return a book with the first defect on the same database."""
    return LocksAndReadsInOneStatement(database.book._dsn, locks_first=True)


def blind(database: Database) -> Book:
    """This function will return a book with the second defect on the same database."""
    return WritesWhateverHappened(database.book._dsn)


def always_locking(database: Database) -> Book:
    """This function will return a book that takes the lock for every batch."""
    return PostgresqlBook(database.book._dsn, locks_first=True)


def whole_cap(process: str) -> Sequence[Submission]:
    """This function will return applications for the whole of many companies' caps, under ids of one process's own."""
    return [submission(f"{process}-{n}", uscc=company(n), amount=CAP) for n in range(COMPANIES)]


class TestTwoProcesses:
    def test_decide_a_key_once_and_answer_it_with_the_same_bytes(self, database_url: str, tmp_path: Path):
        same = [submission(f"k{n}", uscc=company(n)) for n in range(KEYS)]

        assert faults_after_race(database_url, tmp_path, [same, same]) == []
        assert len((tmp_path / "race").read_text().splitlines()) == 2 * KEYS

    def test_never_promise_more_than_a_companys_cap(self, database_url: str, tmp_path: Path):
        assert faults_after_race(database_url, tmp_path, [whole_cap("a"), whole_cap("b")]) == []

        outcomes = asyncio.run(_offers_and_declines(database_url))
        assert outcomes == (COMPANIES, COMPANIES)

    def test_never_promise_more_when_they_always_lock(self, postgres_url: str, tmp_path: Path):
        wrong = faults_after_race(postgres_url, tmp_path, [whole_cap("a"), whole_cap("b")], always_locking)

        assert wrong == []

    @pytest.mark.parametrize("defect", [one_statement, blind])
    def test_would_be_seen_to_promise_more_if(self, postgres_url: str, tmp_path: Path, defect: Defect):
        # The log's own order would refuse the rows; that is another guard, and not the one that is tried here.
        with psycopg.connect(as_owner(postgres_url), autocommit=True) as connection:
            for table in ("log_entry", "checkpoint"):
                connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT pk_{table}")

        wrong = faults_after_race(postgres_url, tmp_path, [whole_cap("a"), whole_cap("b")], defect)

        assert any("was promised" in fault for fault in wrong), wrong


class TestABatchBehindAnother:
    """The same, step by step: the second batch begins before the first commits."""

    @pytest.mark.parametrize(("book", "offers_seen"), [(PostgresqlBook, 1), (LocksAndReadsInOneStatement, 0)])
    async def test_sees_what_was_committed_while_it_waited_for_the_lock(
        self, postgres_url: str, book: type[PostgresqlBook], offers_seen: int
    ):
        first, second = PostgresqlBook(postgres_url), book(postgres_url, locks_first=True)
        await look(second, submission("warm"))
        batch = [submission("k1", amount=CAP)]
        connection, state = await first._reading(wanted(batch), first._lock_and_read)
        waiting = asyncio.create_task(look(second, submission("k2")))
        await _until_it_waits(postgres_url)

        await first._write(connection, seal(batch, state).sealed, state)
        await first._commit(connection)

        assert len((await waiting).commitments) == offers_seen
        await asyncio.gather(first.close(), second.close())

    async def test_is_decided_anew_behind_the_lock_when_the_head_moved_after_it_was_read(self, postgres_url: str):
        first, second = PostgresqlBook(postgres_url), PostgresqlBook(postgres_url)
        batch = [submission("k1", amount=CAP)]
        states: list[BatchState] = []

        def sealing(state: BatchState) -> Sealed:
            states.append(state)
            return seal(batch, state).sealed

        connection, state = await first._reading(wanted(batch), first._lock_and_read)
        deciding = asyncio.create_task(second.transact(wanted(batch), sealing))
        await _until_it_waits(postgres_url)
        neighbour = [submission("k2", amount=CAP)]
        await first._write(connection, seal(neighbour, state).sealed, state)
        await first._commit(connection)

        sealed = await deciding
        assert [(len(state.commitments), state.heads["icbc"].size) for state in states] == [(0, 0), (1, 1)]
        assert [row.outcome for row in sealed.decisions] == ["DECLINED"]
        assert second._locks_until > asyncio.get_running_loop().time()
        await asyncio.gather(first.close(), second.close())

    async def test_shares_new_heads_with_whoever_creates_them_at_the_same_moment(self, postgres_url: str):
        books = [PostgresqlBook(postgres_url) for _ in range(4)]

        async def append(book: PostgresqlBook, key: str) -> None:
            batch = [submission(key, lender="boc"), submission(key, lender="icbc")]
            await book.transact(wanted(batch), lambda state: seal(batch, state).sealed)

        await asyncio.gather(*(append(book, f"k{n}") for n, book in enumerate(books)))

        state = await look(books[0], submission("k", lender="boc"))
        await asyncio.gather(*(book.close() for book in books))
        assert state.heads["boc"].size == 4


async def _offers_and_declines(url: str) -> tuple[int, int]:
    database = open_database(url)
    every = [stored.record async for stored in database.decisions.every_decision()]
    await database.close()
    declined = sum(record.endswith(b" None") for record in every)
    return len(every) - declined, declined


async def _until_it_waits(url: str) -> None:
    connection = await asyncpg.connect(url)
    async with asyncio.timeout(10):
        while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            await asyncio.sleep(0.01)
    await connection.close()
