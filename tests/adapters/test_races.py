"""Two service processes on one database: one key is decided once, and a company's cap holds."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import pytest

from app.adapters.database import Database, open_database
from app.adapters.database.postgresql import PostgresqlBook, _asked, _to_state
from app.adapters.database.postgresql_statements import READ_STATE
from app.usecases.ports import BatchState, Book, Submission, Wanted
from tests.adapters.harness import company, faults_after_race
from tests.adapters.sealing import CAP, seal, submission, wanted
from tests.adapters.test_book import look

KEYS, COMPANIES = 40, 60


class LocksAndReadsInOneStatement(PostgresqlBook):
    """The defect: a statement that waits for the lock reads what was committed before it began to wait."""

    async def _state(self, connection: asyncpg.Connection, wanted: Wanted) -> BatchState:
        await self._make_heads(connection, wanted.lenders)
        await connection.execute("BEGIN")
        locked = "WITH log_head AS (SELECT * FROM public.log_head WHERE lender = ANY ($1) ORDER BY lender FOR UPDATE)"
        return _to_state(await connection.fetch(locked + READ_STATE, *_asked(wanted), None), None)


def one_statement(database: Database) -> Book:
    """This function will return a book with the defect on the same database."""
    return LocksAndReadsInOneStatement(database.book._dsn)


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

    def test_would_be_seen_to_promise_more_if_they_locked_and_read_in_one_statement(
        self, postgres_url: str, tmp_path: Path
    ):
        wrong = faults_after_race(postgres_url, tmp_path, [whole_cap("a"), whole_cap("b")], one_statement)

        assert any("was promised" in fault for fault in wrong), wrong


class TestABatchThatWaitsForALock:
    """The same, step by step: the second batch begins before the first commits."""

    @pytest.mark.parametrize(("book", "offers_seen"), [(PostgresqlBook, 1), (LocksAndReadsInOneStatement, 0)])
    async def test_sees_what_was_committed_while_it_waited(
        self, postgres_url: str, book: type[PostgresqlBook], offers_seen: int
    ):
        first, second = PostgresqlBook(postgres_url), book(postgres_url)
        await look(second, submission("warm"))
        batch = [submission("k1", amount=CAP)]
        connection, state = await first._lock_and_read(wanted(batch))
        waiting = asyncio.create_task(look(second, submission("k2")))
        await _until_it_waits(postgres_url)

        await first._write(connection, seal(batch, state).sealed)

        assert len((await waiting).commitments) == offers_seen
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
