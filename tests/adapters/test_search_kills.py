"""kill -9 of a service while it follows its logs: what has marks has the right ones, and what has none is found.

The planted defect moves a log's progress before it writes the marks, in a transaction of its own.
"""

import asyncio
import random
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import func, select

from app.adapters.database import Database, open_database
from app.adapters.database.search_blocks import Progress, SearchBlocks, _rows, _store
from app.adapters.database.store import EVERY_LENDER
from app.adapters.database.tables import DECISION
from app.adapters.search_follower import Follower, rebuild
from app.usecases.search import Search, Sort
from app.usecases.search_blocks import PLACES, Key
from tests.adapters.varied import LENDERS, VariedBook
from tests.conftest import SOAK
from tests.processes import forked

KILLS = 60 if SOAK else 3
# The defect leaves its trace at most kills; this many say that it is not found at all.
KILLS_TO_FIND_A_DEFECT = 12


class ProgressFirst(SearchBlocks):
    """The defect: the progress is committed, and then the marks."""

    async def add(
        self, known: Progress, until: int, contents: Iterable[tuple[Key, bytes]], last: datetime | None
    ) -> bool:
        """This function will do in two transactions what has to be one."""
        rows = _rows(known.lender, known.places // PLACES, contents)
        if not await super().add(known, until, (), last):
            return False
        await asyncio.sleep(0.02)
        await self._store.write(lambda connection: _store(connection, rows), lenders=(known.lender,))
        return True


def write_and_follow(url: str, run: int, blocks: type[SearchBlocks]) -> None:
    """This function is a service that writes to every log and follows them, until it is killed."""

    async def main() -> None:
        database = open_database(url)
        book = VariedBook(database, run)
        # Within a log no instant is before the one of the leaf before it.
        book._at += timedelta(days=3_000 * run)
        follower = Follower(blocks(database._store))
        while True:
            for lender in LENDERS:
                await book.write(lender, 37)
                await follower.catch_up()

    asyncio.run(main())


async def faults_after_kills(url: str, kills: int, blocks: type[SearchBlocks] = SearchBlocks) -> list[str]:
    """This function will kill a service so often and say what is wrong with the marks then, or after the first."""
    dice, grown = random.Random(11), 0
    for run in range(kills):
        service = forked(write_and_follow, url, run, blocks)
        try:
            await _until_marked_beyond(url, grown, service)
            await asyncio.sleep(dice.uniform(0.0, 0.2))
        finally:
            service.kill()
            service.join()
        database = open_database(url)
        try:
            grown = sum(known.places for known in await database.blocks.made())
            if wrong := await _faults(database):
                return wrong
        finally:
            await database.close()
    return []


async def _until_marked_beyond(url: str, places: int, service: object) -> None:
    database = open_database(url)
    try:
        async with asyncio.timeout(60):
            while sum(known.places for known in await database.blocks.made()) <= places:
                assert service.is_alive(), "the service ended by itself"
                await asyncio.sleep(0.02)
    finally:
        await database.close()


async def _faults(database: Database) -> list[str]:
    asked = Search(LENDERS, outcome="DECLINED")
    found = (await database.search.page(asked, sort=Sort.NEWEST, limit=1, position=None, counted=True)).count.value
    every = select(func.count()).where(DECISION.c.outcome == "DECLINED")
    right = await database._store.read(lambda connection: connection.execute(every).scalar(), lenders=EVERY_LENDER)
    wrong = [] if found == right else [f"{found} of {right} that were declined are found"]
    blocks, differed = await rebuild(Follower(database.blocks), database.blocks)
    return wrong + ([f"{differed} of {blocks} blocks are not what they should be"] if differed else [])


class TestAKilledFollower:
    async def test_is_seen_to_leave_places_without_marks_when_its_progress_goes_first(self, database_url: str):
        wrong = await faults_after_kills(database_url, KILLS_TO_FIND_A_DEFECT, ProgressFirst)

        assert any("not what they should be" in fault for fault in wrong), wrong

    async def test_has_marked_what_it_says_and_the_next_one_goes_on(self, database_url: str):
        assert await faults_after_kills(database_url, KILLS) == []
