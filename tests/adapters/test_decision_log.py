"""The decision log as readers see it, in memory, on SQLite and on PostgreSQL."""

import asyncio
import hashlib
import threading
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from app.adapters.database import Database, open_database
from app.adapters.database.tables import LOG_HEAD
from app.domain.money import Yuan
from app.usecases.ports import DecisionFilter
from tests.adapters.conftest import SetClock
from tests.adapters.sealing import CAP, COUNTS_DAYS, submission
from tests.adapters.test_book import OTHER_COMPANY, write


async def found(database: Database, limit: int = 100, after: Any = None, **asked: Any) -> list[str]:
    """This function will return the ids of a search, newest first; lender icbc if no other is named."""
    filters = DecisionFilter(**({"lenders": ("icbc",)} | asked))
    return [row.decision_id for row in await database.decisions.search(filters, limit=limit, after=after)]


class TestFind:
    async def test_returns_the_answer_the_record_and_the_terms_as_they_were_written(self, database: Database):
        (answer,) = await write(database.book, submission("k1"))

        stored = await database.decisions.find("icbc-00000000-k1", ["boc", "icbc/kunshan"])

        assert (stored.decision_id, stored.lender, stored.index) == ("icbc-00000000-k1", "icbc", 0)
        assert (stored.answer, stored.terms) == (answer.body, b"{}")
        assert answer.body.startswith(b"answer " + stored.record)

    @pytest.mark.parametrize(
        ("decision_id", "lenders"), [("icbc-00000000-k1", ["boc"]), ("absent", ["icbc"]), ("icbc-00000000-k1", []),
         ("icbc-00000000-k1", ["icbc/suzhou-xinqu", "boc/kunshan"])]
    )  # fmt: skip
    async def test_knows_neither_an_absent_decision_nor_a_foreign_one(
        self, database: Database, decision_id: str, lenders: list[str]
    ):
        await write(database.book, submission("k1"))

        assert await database.decisions.find(decision_id, lenders) is None


class TestSearch:
    async def test_gives_the_newest_first_and_of_the_same_instant_the_greater_id_first(
        self, database: Database, clock: SetClock
    ):
        await write(database.book, submission("k1"), submission("k2"))
        clock.now += timedelta(microseconds=1)
        await write(database.book, submission("k3"))

        assert await found(database) == ["icbc-00000002-k3", "icbc-00000001-k2", "icbc-00000000-k1"]

    @pytest.mark.parametrize("limit", [1, 2, 3, 7])
    async def test_page_by_page_gives_every_row_once_across_lenders_and_equal_instants(
        self, database: Database, clock: SetClock, limit: int
    ):
        for number in range(3):
            await write(
                database.book,
                submission(f"a{number}"), submission(f"b{number}"), submission(f"c{number}", lender="boc"),
            )  # fmt: skip
            clock.now += timedelta(microseconds=number)
        asked = DecisionFilter(lenders=("boc", "icbc"))
        pages, after = [], None

        while page := await database.decisions.search(asked, limit=limit, after=after):
            pages += page
            after = (page[-1].recorded_at, page[-1].decision_id)

        positions = [(row.recorded_at, row.decision_id) for row in pages]
        assert len(positions) == 9
        assert positions == sorted(set(positions), reverse=True)

    async def test_gives_a_row_recorded_meanwhile_to_no_page_that_follows(self, database: Database, clock: SetClock):
        await write(database.book, submission("k1"), submission("k2"))
        [first] = await database.decisions.search(DecisionFilter(("icbc",)), limit=1, after=None)
        clock.now += timedelta(seconds=1)
        await write(database.book, submission("k3"))

        assert await found(database, after=(first.recorded_at, first.decision_id)) == ["icbc-00000000-k1"]

    @pytest.mark.parametrize(
        ("asked", "keys"),
        [
            ({}, ["k3", "k2", "k1"]),
            ({"lenders": ()}, []),
            ({"lenders": ("boc",)}, ["k9"]),
            ({"lenders": ("boc", "icbc")}, ["k3", "k2", "k1", "k9"]),
            ({"lenders": ("boc", "icbc/kunshan", "icbc/suzhou-xinqu")}, ["k3", "k2", "k1", "k9"]),
            ({"lenders": ("boc/wuhan-donghu", "icbc/suzhou-xinqu")}, []),
            ({"lenders": ("icbc", "icbc")}, ["k3", "k2", "k1"]),
            ({"outcome": "DECLINED"}, ["k3"]),
            ({"outcome": "PRE_APPROVED"}, ["k2", "k1"]),
            ({"zone": "suzhou-snd"}, ["k3", "k2", "k1"]),
            ({"zone": "suzhou"}, []),
            ({"product": "icbc/loan"}, ["k3", "k2", "k1"]),
            ({"product": "boc/loan"}, []),
            ({"uscc": OTHER_COMPANY}, ["k2"]),
            ({"application_id": "A-k2"}, ["k2"]),
            ({"reason": "CAP_USED"}, ["k3"]),
            ({"reason": "OTHER"}, ["k3"]),
            ({"reason": "CAP"}, []),
            ({"reason": "CAP%USED"}, []),
            ({"reason": "CAP_USED", "outcome": "PRE_APPROVED"}, []),
            ({"decided_from": date(2026, 11, 20)}, ["k3", "k2", "k1"]),
            ({"decided_from": date(2026, 11, 21)}, ["k3", "k2"]),
            ({"decided_until": date(2026, 11, 21)}, ["k1"]),
            ({"decided_until": date(2026, 11, 20)}, []),
            ({"decided_from": date(2026, 11, 20), "decided_until": date(2026, 11, 22)}, ["k3", "k2", "k1"]),
        ],
    )
    async def test_gives_what_was_asked_for(
        self, database: Database, clock: SetClock, asked: dict[str, Any], keys: list[str]
    ):
        await write(database.book, submission("k1"), submission("k9", lender="boc"))
        clock.now += timedelta(days=1)
        await write(database.book, submission("k2", uscc=OTHER_COMPANY), submission("k3", amount=CAP))

        assert [row.split("-")[2] for row in await found(database, **asked)] == keys


class TestCommitments:
    async def test_are_the_companys_and_its_groups_with_that_lender(self, database: Database, clock: SetClock):
        await write(
            database.book,
            submission("own"), submission("group", uscc=OTHER_COMPANY, group_id="G"), submission("boc", lender="boc"),
        )  # fmt: skip
        today = clock.now.date()

        alone = await database.decisions.commitments("icbc", submission("k").application.company.uscc, None, today)
        grouped = await database.decisions.commitments("icbc", submission("k").application.company.uscc, "G", today)

        assert [c.application_id for c in alone] == ["A-own"]
        assert sorted(c.application_id for c in grouped) == ["A-group", "A-own"]
        assert alone[0].credit_limit == Yuan.whole(100)

    @pytest.mark.parametrize(("days", "count"), [(COUNTS_DAYS - 1, 1), (COUNTS_DAYS, 1), (COUNTS_DAYS + 1, 0)])
    async def test_last_to_their_last_day(self, database: Database, clock: SetClock, days: int, count: int):
        await write(database.book, submission("k1"))

        since = clock.now.date() + timedelta(days=days)

        assert len(await database.decisions.commitments("icbc", "91999999MAT000018E", None, since)) == count

    async def test_leave_out_what_was_superseded(self, database: Database, clock: SetClock):
        await write(database.book, submission("k1", application_id="A"))
        await write(database.book, submission("k2", application_id="A", uscc=OTHER_COMPANY))

        assert await database.decisions.commitments("icbc", "91999999MAT000018E", None, clock.now.date()) == ()


class TestAnswered:
    async def test_tells_what_a_key_is_bound_to_with_that_lender(self, database: Database):
        (answer,) = await write(database.book, submission("k1"))

        bound = await database.decisions.answered("icbc", "k1")

        assert (bound.answer, bound.fingerprint) == (answer.body, submission("k1").fingerprint)
        assert await database.decisions.answered("boc", "k1") is None
        assert await database.decisions.answered("icbc", "k2") is None


class TestEveryDecision:
    async def test_comes_in_log_order_lender_by_lender_over_more_than_a_page(self, database: Database):
        for start in range(0, 600, 300):
            await write(database.book, *(submission(f"k{n}", uscc=f"91{n:016d}") for n in range(start, start + 300)))
        await write(database.book, submission("k1", lender="boc"))

        every = [(stored.lender, stored.index) async for stored in database.decisions.every_decision()]

        assert every == [("boc", 0), *(("icbc", index) for index in range(600))]

    async def test_is_limited_to_the_lenders_asked_for(self, database: Database):
        await write(database.book, submission("k1"), submission("k1", lender="boc"))

        assert [stored.lender async for stored in database.decisions.every_decision(["boc"])] == ["boc"]
        assert [stored.lender async for stored in database.decisions.every_decision([])] == []

    async def test_carries_the_terms_of_each_product(self, database: Database):
        await write(database.book, submission("k1"))

        [stored] = [stored async for stored in database.decisions.every_decision()]

        assert stored == await database.decisions.find(stored.decision_id, ["icbc"])


class TestCheckpointOver:
    @pytest.mark.parametrize(("index", "size"), [(0, 2), (1, 2), (2, 3), (3, 5), (4, 5)])
    async def test_is_the_first_that_covers_the_record(self, database: Database, index: int, size: int):
        for batch in (("k0", "k1"), ("k2",), ("k3", "k4")):
            await write(database.book, *map(submission, batch))

        checkpoint = await database.decisions.checkpoint_over("icbc", index)

        assert (checkpoint.lender, checkpoint.size) == ("icbc", size)
        assert checkpoint.note == b"note " + checkpoint.root

    @pytest.mark.parametrize(("lender", "index"), [("icbc", 1), ("boc", 0)])
    async def test_is_refused_for_a_record_that_is_not_there(self, database: Database, lender: str, index: int):
        await write(database.book, submission("k0"))

        with pytest.raises(LookupError):
            await database.decisions.checkpoint_over(lender, index)


class TestNewestCheckpoint:
    async def test_covers_every_record_of_its_lender(self, database: Database):
        for batch in (("k0", "k1"), ("k2",)):
            await write(database.book, *map(submission, batch))
        await write(database.book, submission("other", lender="boc"))

        checkpoint = await database.decisions.newest_checkpoint("icbc")

        assert (checkpoint.lender, checkpoint.size) == ("icbc", 3)
        assert checkpoint.note == b"note " + checkpoint.root

    async def test_is_none_where_nothing_was_recorded(self, database: Database):
        assert await database.decisions.newest_checkpoint("icbc") is None


class TestLeafHashes:
    @pytest.mark.parametrize(("start", "stop"), [(0, 3), (1, 3), (0, 2), (1, 2), (1, 1)])
    async def test_come_in_log_order_the_last_one_left_out(self, database: Database, start: int, stop: int):
        await write(database.book, submission("k0"), submission("k1"), submission("other", lender="boc"))
        await write(database.book, submission("k2"))
        records = [stored.record async for stored in database.decisions.every_decision(["icbc"])]

        hashes = await database.decisions.leaf_hashes("icbc", start, stop)

        assert list(hashes) == [hashlib.sha256(record).digest() for record in records[start:stop]]


class TestReaders:
    async def test_do_not_wait_for_a_writer_that_holds_its_locks(self, database_url: str):
        writer, reader = open_database(database_url), open_database(database_url)
        await write(writer.book, submission("k1"))
        holding, released = threading.Event(), threading.Event()

        def hold(connection: Connection) -> None:
            # What the book locks, and a write that nobody may see before it is committed.
            connection.execute(LOG_HEAD.update().values(size=99))
            holding.set()
            released.wait(10)

        held = asyncio.create_task(writer._store.write(hold, lenders=("icbc",)))
        await asyncio.to_thread(holding.wait, 10)
        async with asyncio.timeout(5):
            assert await reader.decisions.answered("icbc", "k1") is not None
            assert [stored.index async for stored in reader.decisions.every_decision()] == [0]
            assert not held.done()

        released.set()
        await held
        await asyncio.gather(writer.close(), reader.close())
