"""Searches, in memory and on both databases: what is found, in which order, page by page, marked or not yet."""

import asyncio
import itertools
from dataclasses import replace

import pytest
from sqlalchemy import Connection, delete

from app.adapters.database import Database, decision_search, open_database, searched_logs
from app.adapters.database.search_blocks import unmark
from app.adapters.database.store import EVERY_LENDER
from app.adapters.database.tables import DECISION, SEARCH_BLOCK
from app.adapters.search_follower import WORTH_MARKING, Follower, rebuild
from app.usecases.search import Search, Sort
from tests.adapters.varied import LENDERS, VariedBook, expected, listed, populated
from tests.conftest import SOAK
from tests.postgres import as_owner


async def faults(book: VariedBook, database: Database, asked: Search, sort: Sort, limit: int) -> list[str]:
    """This function will say where a listing is not what it must be."""
    right = expected(book.figures, [row.decision_id for row, _ in book.every], asked, sort)
    found = await listed(database, asked, sort, limit)
    return [] if found == right else [f"{asked} by {sort}: {len(found)} of {len(right)}"]


async def marked(database: Database) -> dict[str, int]:
    """This function will return how many places of each log have marks."""
    return {known.lender: known.places for known in await database.blocks.made()}


class TestASearch:
    async def test_gives_each_decision_that_is_asked_for_once_and_in_order(self, database: Database):
        book = await populated(database)
        wrong = await faults(book, database, Search(LENDERS), Sort.OLDEST, 200)

        for number in range(50 if SOAK else 20):
            sort = tuple(Sort)[number % len(Sort)]
            wrong += await faults(book, database, book.question(), sort, limit=(7, 50, 200)[number % 3])

        assert wrong == []

    async def test_counts_all_that_it_finds_wherever_the_page_begins(self, database: Database):
        book = await populated(database)

        for asked in (Search(LENDERS), Search(LENDERS, reason="RARE"), *(book.question() for _ in range(20))):
            right = sum(map(asked.holds, book.figures))
            first = await database.search.page(asked, sort=Sort.NEWEST, limit=3, position=None, counted=True)
            assert (first.count.value, first.count.exact) == (right, True), asked

    async def test_of_no_lender_finds_nothing(self, database: Database):
        await populated(database)

        page = await database.search.page(Search(()), sort=Sort.NEWEST, limit=5, position=None, counted=True)

        assert (page.rows, page.following, page.count.value) == ((), None, 0)

    async def test_newest_first_leaves_to_the_next_listing_what_is_recorded_meanwhile(self, database: Database):
        book = await populated(database)
        asked = Search(LENDERS)
        right = expected(book.figures, [row.decision_id for row, _ in book.every], asked, Sort.NEWEST)
        first = await database.search.page(asked, sort=Sort.NEWEST, limit=30, position=None)

        for lender in LENDERS:
            await book.write(lender, 40)
        ids = [row.decision_id for row in first.rows]
        while first.following is not None:
            first = await database.search.page(asked, sort=Sort.NEWEST, limit=200, position=first.following)
            ids += [row.decision_id for row in first.rows]

        assert ids == right


class TestWhatASearchLooksThrough:
    async def test_is_told_and_gone_on_with_where_it_is_not_all(
        self, real_database: Database, monkeypatch: pytest.MonkeyPatch
    ):
        book = await populated(real_database)
        monkeypatch.setattr(searched_logs, "_FIRST_CHUNK", 1)
        monkeypatch.setattr(decision_search, "_MARKS_A_PAGE", 1)
        monkeypatch.setattr(decision_search, "_LEAST_A_LOG", 1)
        monkeypatch.setattr(decision_search, "LONGEST_REST", 50)
        monkeypatch.setattr(decision_search, "SORTED_PLACES", 600)
        asked = Search(("icbc",), zone="kunshan", outcome="DECLINED", stage="growth", branch="west")

        page = await real_database.search.page(asked, sort=Sort.NEWEST, limit=50, position=None)

        assert not page.complete
        assert page.reached == book.every[0][0].recorded_at or page.reached > book.every[0][0].recorded_at
        for sort in (Sort.NEWEST, Sort.OLDEST):
            assert await faults(book, real_database, asked, sort, 50) == []
        everywhere = replace(asked, scope=LENDERS)
        ids = [row.decision_id for row, _ in book.every]
        by_score = await listed(real_database, everywhere, Sort.SCORE, 50)
        assert sorted(by_score) == sorted(expected(book.figures, ids, everywhere, Sort.SCORE))

    async def test_does_not_depend_on_how_far_the_follower_has_come(self, real_database: Database):
        book = await populated(real_database, marks=False)
        questions = [(book.question(), tuple(Sort)[number % len(Sort)]) for number in range(20)]
        before = [await listed(real_database, asked, sort, 50) for asked, sort in questions]

        await Follower(real_database.blocks).catch_up()

        assert [await listed(real_database, asked, sort, 50) for asked, sort in questions] == before


class TestTheFollower:
    async def test_marks_each_place_once_though_several_follow(self, real_database: Database):
        await populated(real_database, marks=False)

        written = await asyncio.gather(*(Follower(real_database.blocks).catch_up() for _ in range(3)))

        assert sum(written) == 4
        assert await marked(real_database) == {"boc": 512, "icbc": 1160}

    async def test_lets_a_block_grow_by_turns_with_another(self, real_database: Database):
        book, followers = VariedBook(real_database), [Follower(real_database.blocks) for _ in range(2)]
        for number, count in enumerate((70, 64, 65, 400, 80, 90, 7)):
            await book.write("icbc", count)
            await followers[number % 3 % 2].catch_up()

        assert await marked(real_database) == {"icbc": 769}
        assert await rebuild(Follower(real_database.blocks), real_database.blocks) == (2, 0)

    async def test_goes_on_where_it_was_stopped(self, real_database: Database):
        book = await populated(real_database, marks=False)
        follower = Follower(real_database.blocks)
        task = asyncio.create_task(follower.catch_up())
        while not await marked(real_database):
            await asyncio.sleep(0)
        task.cancel()

        await Follower(real_database.blocks).catch_up()

        assert await faults(book, real_database, Search(LENDERS, zone="fuxin"), Sort.NEWEST, 50) == []

    async def test_follows_by_itself_once_started(self, real_database: Database):
        await populated(real_database, marks=False)
        # Applications are waiting for a while and then no longer: while they are, it rests five times as long.
        waiting = itertools.repeat(True, 16)
        follower = Follower(real_database.blocks, busy=lambda: next(waiting, False))
        follower.start()

        async with asyncio.timeout(120):
            while await real_database.blocks.due(WORTH_MARKING):
                await asyncio.sleep(0.05)
        await follower.stop()

        assert await marked(real_database) == {"boc": 512, "icbc": 1160}

    async def test_takes_the_marks_of_what_is_pruned_and_grows_on_without_them(
        self, real_database: Database, database_url: str
    ):
        book, follower = VariedBook(real_database), Follower(real_database.blocks)
        await book.write("icbc", 600)
        await follower.catch_up()
        gone = (0, 3, 511, 512, 599)

        def prune(connection: Connection) -> None:
            unmark(connection, "icbc", gone)
            connection.execute(delete(DECISION).where(DECISION.c.lender == "icbc", DECISION.c.index.in_(gone)))

        owner = open_database(as_owner(database_url))
        await owner._store.write(prune, lenders=EVERY_LENDER)
        await owner.close()
        everything = Search(LENDERS)
        pruned = await real_database.search.page(everything, sort=Sort.NEWEST, limit=1, position=None, counted=True)
        await book.write("icbc", 100)
        await follower.catch_up()

        assert pruned.count.value == 600 - len(gone)
        assert await marked(real_database) == {"icbc": 700}
        assert await rebuild(Follower(real_database.blocks), real_database.blocks) == (2, 0)

    async def test_does_not_mark_what_was_pruned_while_it_was_read(self, real_database: Database):
        book = VariedBook(real_database)
        await book.write("icbc", 100)
        [known] = await real_database.blocks.due(WORTH_MARKING)

        await real_database._store.write(lambda c: unmark(c, "icbc", (7,)), lenders=EVERY_LENDER)

        assert not await real_database.blocks.add(known, 100, (), None)
        assert await Follower(real_database.blocks).catch_up() == 1

    async def test_makes_anew_what_was_changed(self, real_database: Database):
        book = await populated(real_database)
        asked = Search(LENDERS, reason="CAP")
        damage = delete(SEARCH_BLOCK).where(SEARCH_BLOCK.c.name == "reason", SEARCH_BLOCK.c.value == "CAP")
        await real_database._store.write(lambda c: c.execute(damage), lenders=EVERY_LENDER)
        damaged = await faults(book, real_database, asked, Sort.NEWEST, 50)

        seen, differed = await rebuild(Follower(real_database.blocks), real_database.blocks)

        assert damaged != []
        assert (seen, differed) == (4, 4)
        assert await faults(book, real_database, asked, Sort.NEWEST, 50) == []
        assert await rebuild(Follower(real_database.blocks), real_database.blocks) == (4, 0)
