"""Paging while others write: every decision that was there comes once, whatever is recorded meanwhile.

One process writes and follows, another pages; what the pages gave is held to what had been acknowledged before the
first of them. The planted defect is a page that begins behind so many rows.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from app.adapters.database import Database, open_database
from app.adapters.search_follower import Follower
from app.usecases.search import Position, Search, SearchPage, Sort
from tests.adapters.varied import LENDERS, VariedBook
from tests.processes import forked

Pager = Callable[[Database, Search, Sort, SearchPage | None, int], Awaitable[SearchPage]]
_LIMIT = 40


def write_on(url: str, seed: int) -> None:
    """This function is a service that writes to every log, at instants that lie close together, until it is killed."""

    async def main() -> None:
        database = open_database(url)
        follower = Follower(database.blocks)
        book = VariedBook(database, seed)
        while True:
            for lender in LENDERS:
                await book.write(lender, 23)
            await follower.catch_up()
            await asyncio.sleep(0.02)

    asyncio.run(main())


async def by_position(
    database: Database, asked: Search, sort: Sort, before: SearchPage | None, seen: int
) -> SearchPage:
    """This function will go on as cursors do."""
    position = None if before is None else before.following
    return await database.search.page(asked, sort=sort, limit=_LIMIT, position=position)


async def by_number(database: Database, asked: Search, sort: Sort, before: SearchPage | None, seen: int) -> SearchPage:
    """The defect: a page begins behind so many rows."""
    page = await database.search.page(asked, sort=sort, limit=seen + _LIMIT, position=None)
    return SearchPage(page.rows[seen:], Position({}) if len(page.rows) == seen + _LIMIT else None)


async def faults(database: Database, asked: Search, sort: Sort, there: Sequence[str], pager: Pager) -> list[str]:
    """This function will page to the end and say which decisions were skipped or came twice."""
    page, ids = None, list[str]()
    # Whoever counts rows off never comes to the end of what grows at its beginning.
    while page is None or (page.following is not None and len(ids) < 4 * len(there)):
        page = await pager(database, asked, sort, page, len(ids))
        ids += [row.decision_id for row in page.rows]
        # Whoever writes must get on between two pages, or nothing is tried.
        await asyncio.sleep(0.02)
    twice = [f"{name} came {count} times by {sort}" for name, count in Counter(ids).items() if count > 1]
    return twice + [f"{name} was skipped by {sort}" for name in set(there) - set(ids)]


async def raced(url: str, pager: Pager, sorts: Sequence[Sort]) -> list[str]:
    """This function will page in each order while another process writes."""
    database = open_database(url)
    book = VariedBook(database)
    for lender in LENDERS:
        await book.write(lender, 230)
    asked, wrong = Search(LENDERS, outcome="PRE_APPROVED"), list[str]()
    there = [row.decision_id for row, _ in book.every if row.outcome == "PRE_APPROVED"]
    writer = forked(write_on, url, 99)
    try:
        while await _places(database) <= 3 * 230:
            await asyncio.sleep(0.05)
        before = await _places(database)
        for sort in sorts:
            wrong += await faults(database, asked, sort, there, pager)
        assert await _places(database) > before, "nobody wrote meanwhile"
    finally:
        writer.kill()
        writer.join()
        await database.close()
    return wrong


async def _places(database: Database) -> int:
    page = await database.search.page(Search(LENDERS), sort=Sort.NEWEST, limit=1, position=None, counted=True)
    return page.count.value


class TestPagingBesideAWriter:
    async def test_skips_and_repeats_nothing(self, database_url: str):
        assert await raced(database_url, by_position, (Sort.NEWEST, Sort.SCORE)) == []

    async def test_would_be_seen_to_repeat_if_pages_were_counted_off(self, sqlite_url: str):
        wrong = await raced(sqlite_url, by_number, (Sort.NEWEST,))

        assert any("times by newest" in fault for fault in wrong), wrong
