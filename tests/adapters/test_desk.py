"""The desk: one batch for whatever has come meanwhile, and nobody pays for his neighbour."""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from app.adapters.database import Database
from app.adapters.desk import Desk, DeskFull
from app.adapters.memory import MemoryDatabase
from app.usecases.ports import BatchState, CommitUnknown, Sealed, StoreUnavailable, Submission, Wanted
from tests.adapters.sealing import Answer, Poisoned, SealedBatch, poisoned, seal, submission, wanted


class SlowBook:
    """A book whose commits wait until a test lets them go; it counts what was written in how many batches."""

    def __init__(self) -> None:
        self._book = MemoryDatabase().book
        self.gate = asyncio.Event()
        self.batches: list[int] = []

    async def transact(self, wanted: Wanted, seal: Callable[[BatchState], Sealed]) -> Sealed:
        """This function will wait for the gate and pass the batch on."""
        await self.gate.wait()
        sealed = await self._book.transact(wanted, seal)
        self.batches.append(len(sealed.entries))
        return sealed

    def fail_next(self, failure: Exception) -> None:
        """This function will let the next commit fail."""
        self._book.next_failure = failure


class CountingObserver:
    """Remembers what the desk tells."""

    def __init__(self) -> None:
        self.written: list[tuple[int, int]] = []
        self.failed: list[tuple[int, Exception]] = []
        self.refused: list[int] = []

    def batch_written(self, size: int, seconds: float, waiting: int) -> None:
        """This function will remember a batch."""
        assert seconds >= 0
        self.written.append((size, waiting))

    def batch_failed(self, size: int, error: Exception) -> None:
        """This function will remember a failure."""
        self.failed.append((size, error))

    def submission_refused(self, waiting: int) -> None:
        """This function will remember a refusal."""
        self.refused.append(waiting)


@pytest.fixture
def book() -> SlowBook:
    """A book with its gate shut."""
    return SlowBook()


@pytest.fixture
def observer() -> CountingObserver:
    """An observer that remembers."""
    return CountingObserver()


@pytest.fixture
def desk(book: SlowBook, observer: CountingObserver) -> Desk[Answer]:
    """A desk before the slow book, of at most 4 a batch and 8 waiting."""
    return Desk(book, wanted=wanted, seal=seal, longest_batch=4, longest_queue=8, observer=observer)


async def everyone(answers: Sequence[asyncio.Future[Answer]]) -> list[Answer | BaseException]:
    """This function will wait for every answer and return answers and errors alike, in order."""
    async with asyncio.timeout(10):
        return await asyncio.gather(*answers, return_exceptions=True)


async def until_taken(desk: Desk[Answer]) -> None:
    """This function will wait until the desk has taken a batch off its queue."""
    while desk.waiting:
        await asyncio.sleep(0)


class TestTheDesk:
    async def test_answers_each_caller_with_his_own_answer(self, desk: Desk[Answer], book: SlowBook):
        book.gate.set()

        answers = await everyone([desk.submit(submission(f"k{n}")) for n in range(3)])

        assert [f"k{n} " in answer.body.decode() for n, answer in enumerate(answers)] == [True] * 3

    async def test_writes_a_lone_application_at_once(self, desk: Desk[Answer], book: SlowBook):
        book.gate.set()

        await desk.submit(submission("k1"))

        assert book.batches == [1]

    async def test_writes_together_whatever_came_while_the_last_batch_was_being_written(
        self, desk: Desk[Answer], book: SlowBook
    ):
        first = desk.submit(submission("k0"))
        await until_taken(desk)
        rest = [desk.submit(submission(f"k{n}")) for n in range(1, 4)]

        book.gate.set()
        await everyone([first, *rest])

        assert book.batches == [1, 3]

    async def test_writes_no_batch_longer_than_it_may(self, desk: Desk[Answer], book: SlowBook):
        answers = [desk.submit(submission(f"k{n}")) for n in range(8)]

        book.gate.set()
        await everyone(answers)

        assert book.batches == [4, 4]

    async def test_keeps_the_order_of_arrival(self, desk: Desk[Answer], book: SlowBook):
        book.gate.set()

        answers = await everyone([desk.submit(submission(f"k{n}")) for n in range(8)])

        assert [int(answer.body.split()[2]) for answer in answers] == list(range(8))

    async def test_works_again_after_it_has_been_idle(self, desk: Desk[Answer], book: SlowBook):
        book.gate.set()
        await desk.submit(submission("k1"))
        await asyncio.sleep(0)

        assert (await desk.submit(submission("k2"))).replayed is False

    async def test_decides_a_key_once_that_comes_twice_in_one_batch(self, desk: Desk[Answer], book: SlowBook):
        book.gate.set()

        first, second = await everyone([desk.submit(submission("k1")), desk.submit(submission("k1"))])

        assert (first.replayed, second.replayed, first.body) == (False, True, second.body)
        assert book.batches == [1]

    async def test_gives_an_obstacle_to_its_own_caller_without_writing_the_others_again(
        self, desk: Desk[Answer], book: SlowBook
    ):
        book.gate.set()
        await desk.submit(submission("k1"))

        other, fresh = await everyone([desk.submit(submission("k1", payload="another")), desk.submit(submission("k2"))])

        assert isinstance(other, ValueError)
        assert fresh.replayed is False
        assert book.batches == [1, 1]

    async def test_tells_its_observer_of_each_batch(
        self, desk: Desk[Answer], book: SlowBook, observer: CountingObserver
    ):
        answers = [desk.submit(submission(f"k{n}")) for n in range(6)]

        book.gate.set()
        await everyone(answers)

        assert observer.written == [(4, 2), (2, 0)]


def of_campaign(key: str) -> Submission:
    """This function will return a campaign's application."""
    return replace(submission(key), campaign="campaign-1")


class TestRequestsOfCampaigns:
    @pytest.fixture
    def desk(self, book: SlowBook) -> Desk[Answer]:
        """A desk before the slow book."""
        return Desk(book, wanted=wanted, seal=seal)

    async def test_are_written_twelve_at_once_where_nobody_asks(self, desk: Desk[Answer], book: SlowBook):
        book.gate.set()

        await everyone([desk.submit(of_campaign(f"c{n}")) for n in range(40)])

        assert book.batches == [12, 12, 12, 4]

    async def test_stand_behind_whoever_asks_and_one_rides_along(self, desk: Desk[Answer], book: SlowBook):
        first = desk.submit(of_campaign("c0"))
        await until_taken(desk)
        behind = [desk.submit(of_campaign(f"c{n}")) for n in range(1, 5)]
        asked = [desk.submit(submission(f"k{n}")) for n in range(2)]

        book.gate.set()
        await everyone([first, *asked])
        done = [answer.done() for answer in behind]
        await everyone(behind)

        assert (book.batches[:2], done) == ([1, 3], [True, False, False, False])

    async def test_go_on_however_many_ask(self, desk: Desk[Answer], book: SlowBook):
        asked = [desk.submit(submission(f"k{n}")) for n in range(64)]
        behind = [desk.submit(of_campaign(f"c{n}")) for n in range(16)]

        book.gate.set()
        await everyone([*asked, *behind])

        assert book.batches[0] == 64 + 8

    async def test_let_whoever_was_answered_ask_again_first(self, desk: Desk[Answer], book: SlowBook):
        book.gate.set()
        asked = desk.submit(submission("k0"))
        behind = [desk.submit(of_campaign(f"c{n}")) for n in range(12)]

        await asked
        again = desk.submit(submission("k1"))
        await again
        done = sum(answer.done() for answer in behind)
        await everyone(behind)

        assert (book.batches[:2], done) == ([2, 2], 2)


class TestAFullDesk:
    async def test_refuses_at_once_and_says_when_to_come_again(
        self, desk: Desk[Answer], book: SlowBook, observer: CountingObserver
    ):
        answers = [desk.submit(submission(f"k{n}")) for n in range(8)]

        with pytest.raises(DeskFull) as refusal:
            desk.submit(submission("k8"))

        assert refusal.value.retry_after_s >= 1
        assert observer.refused == [8]
        book.gate.set()
        assert len(await everyone(answers)) == 8

    async def test_takes_one_more_as_soon_as_a_batch_is_taken(self, desk: Desk[Answer], book: SlowBook):
        answers = [desk.submit(submission(f"k{n}")) for n in range(8)]
        await asyncio.sleep(0)

        answers.append(desk.submit(submission("k8")))

        book.gate.set()
        assert all(isinstance(answer, Answer) for answer in await everyone(answers))


class TestADeskThatDrains:
    async def test_answers_all_it_has_taken_and_takes_nothing_more(self, desk: Desk[Answer], book: SlowBook):
        answers = [desk.submit(submission(f"k{n}")) for n in range(6)]
        draining = asyncio.create_task(desk.drain())
        await asyncio.sleep(0)

        with pytest.raises(DeskFull, match="stopping"):
            desk.submit(submission("late"))
        assert not draining.done()

        book.gate.set()
        await draining
        assert [answer.done() for answer in answers] == [True] * 6

    async def test_is_done_at_once_when_idle(self, desk: Desk[Answer]):
        async with asyncio.timeout(1):
            await desk.drain()


class TestACallerThatGoesAway:
    async def test_harms_nobody_in_its_batch_and_is_decided_all_the_same(self, desk: Desk[Answer], book: SlowBook):
        answers = [desk.submit(submission(f"k{n}")) for n in range(3)]
        await until_taken(desk)

        answers[1].cancel()
        book.gate.set()
        first, gone, last = await everyone(answers)

        assert isinstance(gone, asyncio.CancelledError)
        assert (first.replayed, last.replayed) == (False, False)
        assert (await desk.submit(submission("k1"))).replayed is True

    async def test_is_not_decided_if_it_went_before_its_batch_began(self, desk: Desk[Answer], book: SlowBook):
        first = desk.submit(submission("k0"))
        await until_taken(desk)
        gone = desk.submit(submission("k1"))

        gone.cancel()
        book.gate.set()
        await first

        assert (await desk.submit(submission("k1"))).replayed is False

    async def test_is_noticed_through_the_task_that_awaits(self, desk: Desk[Answer], book: SlowBook):
        async def request() -> Answer:
            return await desk.submit(submission("k0"))

        task = asyncio.create_task(request())
        await asyncio.sleep(0)
        neighbour = desk.submit(submission("k1"))
        task.cancel()
        book.gate.set()

        assert isinstance((await everyone([neighbour]))[0], Answer)


class TestABatchThatFails:
    async def test_gives_64_callers_63_answers_and_the_culprit_its_own_error(self, database: Database):
        desk = Desk(database.book, wanted=wanted, seal=seal)
        batch = [submission(f"k{n}", uscc=f"91{n:016d}") for n in range(64)]
        batch[37] = poisoned(batch[37])

        answers = await everyone([desk.submit(one) for one in batch])

        assert isinstance(answers[37], Poisoned)
        assert sum(isinstance(answer, Answer) and not answer.replayed for answer in answers) == 63
        stored = [stored.answer async for stored in database.decisions.every_decision()]
        assert stored == [answer.body for answer in answers if isinstance(answer, Answer)]

    async def test_as_the_database_refuses_a_row_costs_only_the_culprit(self, database: Database):
        """Found out by the write, long after the decision: the row claims a key that another decision holds."""

        def spoilt(batch: Sequence[Submission], state: BatchState) -> SealedBatch:
            sealed = seal(batch, state)
            rows = [
                replace(row, idempotency_key="k-old") if row.idempotency_key == "k1" else row
                for row in sealed.sealed.decisions
            ]
            return replace(sealed, sealed=replace(sealed.sealed, decisions=tuple(rows)))

        desk = Desk(database.book, wanted=wanted, seal=spoilt)
        await desk.submit(submission("k-old"))

        first, culprit, last = await everyone([desk.submit(submission(f"k{n}")) for n in range(3)])

        assert (first.replayed, last.replayed) == (False, False)
        assert re.search("(?i)unique", str(culprit))
        assert [stored.index async for stored in database.decisions.every_decision()] == [0, 1, 2]

    async def test_at_its_commit_is_never_acknowledged_and_is_redone_one_by_one(
        self, desk: Desk[Answer], book: SlowBook, observer: CountingObserver
    ):
        book.fail_next(RuntimeError("the commit was refused"))
        book.gate.set()

        answers = await everyone([desk.submit(submission(f"k{n}")) for n in range(3)])

        assert [answer.replayed for answer in answers] == [False] * 3
        assert book.batches == [1, 1, 1]
        assert [size for size, _ in observer.failed] == [3]

    @pytest.mark.parametrize("error", [CommitUnknown("the connection was lost"), StoreUnavailable("no connection")])
    async def test_with_nobody_knowing_or_no_database_is_told_to_each_and_not_redone(
        self, desk: Desk[Answer], book: SlowBook, error: Exception
    ):
        book.fail_next(error)
        book.gate.set()

        answers = await everyone([desk.submit(submission(f"k{n}")) for n in range(4)])

        assert [(type(answer), str(answer)) for answer in answers] == [(type(error), str(error))] * 4
        assert len({id(answer) for answer in answers}) == 4
        assert book.batches == []

    async def test_leaves_the_desk_fit_for_the_next_one(self, desk: Desk[Answer], book: SlowBook):
        book.gate.set()
        book.fail_next(CommitUnknown("the connection was lost"))
        await everyone([desk.submit(submission("k0"))])

        assert (await desk.submit(submission("k0"))).replayed is False

    async def test_by_itself_gives_its_caller_the_very_error(self, desk: Desk[Answer], book: SlowBook):
        book.gate.set()

        with pytest.raises(Poisoned, match="k0"):
            await desk.submit(poisoned(submission("k0")))

        assert book.batches == []
