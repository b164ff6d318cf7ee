"""kill -9 under load: nothing acknowledged is lost, nothing is decided twice, and whoever asks again gets his answer.

Each harness is first shown a planted defect. `make soak` runs the full counts.
"""

import asyncio
import random
from pathlib import Path

import pytest

from app.adapters.database.postgresql import PostgresqlBook
from app.adapters.desk import Desk
from tests.adapters.harness import (
    AnswersBeforeCommit,
    Journal,
    faults,
    faults_after_kills,
    keep_sending,
    read_journal,
)
from tests.adapters.sealing import seal, wanted
from tests.postgres import PostgresServer

# In the gate and in `make soak`.
SERVICE_KILLS, SERVICE_KILLS_SOAK = 4, 200
SERVER_KILLS, SERVER_KILLS_SOAK = 4, 20
# A defect is found at the first kill or the second; this many say that it is not found at all.
KILLS_TO_FIND_A_DEFECT = 20
NOT_WAITING = {"synchronous_commit": "off", "wal_writer_delay": "10s"}


class TestAKilledService:
    def test_is_seen_to_lose_answers_that_were_given_before_the_commit(self, database_url: str, tmp_path: Path):
        wrong = faults_after_kills(database_url, tmp_path, KILLS_TO_FIND_A_DEFECT, AnswersBeforeCommit)

        assert any("is lost" in fault for fault in wrong), wrong

    def test_has_lost_nothing_and_decided_nothing_twice(self, database_url: str, tmp_path: Path):
        assert faults_after_kills(database_url, tmp_path, SERVICE_KILLS) == []

    @pytest.mark.soak
    def test_has_lost_nothing_at_full_count(self, database_url: str, tmp_path: Path):
        assert faults_after_kills(database_url, tmp_path, SERVICE_KILLS_SOAK) == []


async def faults_after_server_kills(
    server: PostgresServer, url: str, journal: Path, kills: int, *, durable: bool = True, **settings: str
) -> list[str]:
    """This function will kill -9 the server under load so many times and say what is wrong then, or after the first."""
    dice = random.Random(7)
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start, **settings)
    for number in range(kills):
        book = PostgresqlBook(url, durable=durable)
        desk, enough = Desk(book, wanted=wanted, seal=seal), asyncio.Event()
        load = asyncio.create_task(keep_sending(desk, Journal(journal), f"run{number}", enough))
        await asyncio.sleep(dice.uniform(0.2, 0.5))
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start, **settings)
        # The same service goes on by itself, and each caller gets what he insists on.
        await asyncio.sleep(0.2)
        enough.set()
        async with asyncio.timeout(30):
            await load
        await book.close()
        sent, answered = read_journal(journal)
        assert sorted(sent) == sorted({key for key, _ in answered})
        if wrong := await faults(url, answered):
            return wrong
    return []


class TestAKilledServer:
    async def test_is_seen_to_lose_answers_when_commits_do_not_wait_for_the_disk(
        self, postgres_server: PostgresServer, tmp_path: Path
    ):
        """The book sets this right for its own connections; here it is told not to."""
        url = postgres_server.create_database()

        wrong = await faults_after_server_kills(
            postgres_server, url, tmp_path / "journal", KILLS_TO_FIND_A_DEFECT, durable=False, **NOT_WAITING
        )

        assert any("is lost" in fault for fault in wrong), wrong

    async def test_has_lost_nothing_even_where_the_servers_own_commits_do_not_wait_for_the_disk(
        self, postgres_server: PostgresServer, tmp_path: Path
    ):
        url = postgres_server.create_database()

        assert await faults_after_server_kills(postgres_server, url, tmp_path / "journal", 2, **NOT_WAITING) == []

    async def test_has_lost_nothing_and_the_service_goes_on_by_itself(
        self, postgres_server: PostgresServer, tmp_path: Path
    ):
        url = postgres_server.create_database()

        assert await faults_after_server_kills(postgres_server, url, tmp_path / "journal", SERVER_KILLS) == []

    @pytest.mark.soak
    async def test_has_lost_nothing_at_full_count(self, postgres_server: PostgresServer, tmp_path: Path):
        url = postgres_server.create_database()

        assert (
            await faults_after_server_kills(postgres_server, url, tmp_path / "journal", SERVER_KILLS_SOAK) == []
        )


