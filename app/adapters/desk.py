"""The desk: applications and acts that arrive together are decided and written together, in the order in which they
came, those of campaigns behind what somebody waits for.

Neighbours may rely on this: `submit` answers only what is durable. Nothing waits for company: whatever has queued
while the last batch was being written goes into the next one, of campaigns only a few, so that whoever asks meanwhile
hardly waits for them. A batch that fails is undone and redone one by one, so that only the culprit gets its error.
Where COMMIT's result is unknown nobody is redone: the same key will tell. A caller that goes away harms nobody: its
application is decided all the same once its batch has begun.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Generic, Protocol, TypeVar

from app.usecases.act_rows import MoreWanted
from app.usecases.acts import Act
from app.usecases.offer_cover import with_rows
from app.usecases.ports import BatchState, Book, CommitUnknown, Sealed, StoreUnavailable, Submission, Wanted

_Answer = TypeVar("_Answer", covariant=True)
_Waiting = tuple[Submission | Act, asyncio.Future[_Answer]]
_Queue = deque[_Waiting[_Answer]]
_LONGEST_BATCH = 256
# Requests of campaigns ride along with those of others, one for so many of them and one at least. Where nobody asks,
# they are written by themselves: as many as are worth a commit, and few enough for whoever asks meanwhile to wait for.
# Whoever was answered may ask again at once: so long a batch of campaigns alone waits.
_ONE_RIDES_FOR, _BY_THEMSELVES, _MAY_ASK_AGAIN_S = 8, 12, 0.003
_LONGEST_QUEUE = 1024
# How long what is waiting may take to be decided, at least, before nothing more is let in from outside: so long, or as
# long as three commits of a few, where the disk is slow. Small batches tell what a commit costs, large ones what a
# decision does.
_LONGEST_WAIT_S, _LONGEST_WAIT_COMMITS = 0.015, 3
_LEAST_ROOM, _MANY = 64, 16
_MOST_READINGS = 8
_FIRST_GUESS_COMMIT_S, _FIRST_GUESS_EACH_S = 0.002, 0.00015


class SealedBatch(Protocol[_Answer]):
    """What the use case makes of a batch: what to write, and for each submission, in order, its answer or its error."""

    @property
    def sealed(self) -> Sealed: ...

    @property
    def results(self) -> tuple[_Answer | Exception, ...]: ...


class DeskObserver(Protocol):
    """Who counts what the desk does; called in the event loop, so each call is brief."""

    def batch_written(self, size: int, seconds: float, waiting: int) -> None:
        """A batch of `size` is durable after `seconds`, from lock to commit; `waiting` have queued meanwhile."""

    def batch_failed(self, size: int, error: Exception) -> None:
        """A batch of `size` was not written, or nobody knows (CommitUnknown)."""

    def submission_refused(self, waiting: int) -> None:
        """A submission was refused, as `waiting` are ahead of it."""


class DeskFull(Exception):
    """Nothing more is taken, as too many wait or the service stops; `retry_after_s` says when to come again."""

    def __init__(self, why: str, retry_after_s: int = 1) -> None:
        super().__init__(f"{why}; send it again in {retry_after_s} s, with the same key")
        self.retry_after_s = retry_after_s


class Desk(Generic[_Answer]):
    """One process's way into the book."""

    def __init__(
        self,
        book: Book,
        *,
        wanted: Callable[[Sequence[Submission | Act]], Wanted],
        seal: Callable[[Sequence[Submission | Act], BatchState], SealedBatch[_Answer]],
        longest_batch: int = _LONGEST_BATCH,
        longest_queue: int = _LONGEST_QUEUE,
        observer: DeskObserver | None = None,
    ) -> None:
        self._book = book
        self._wanted = wanted
        self._seal = seal
        self._longest_batch = longest_batch
        self._longest_queue = longest_queue
        self._observer = observer
        self._queue: _Queue[_Answer] = deque()
        self._behind: _Queue[_Answer] = deque()
        self._others_answered_at = 0.0
        self._others_ask: asyncio.Event | None = None
        self._writer: asyncio.Task[None] | None = None
        self._closed = False
        self._usual_batch_s = 0.0
        self._commit_s, self._each_s = _FIRST_GUESS_COMMIT_S, _FIRST_GUESS_EACH_S
        self._room = min(_LEAST_ROOM, longest_queue)

    @property
    def waiting(self) -> int:
        """How many submissions no batch has taken yet."""
        return len(self._queue) + len(self._behind)

    def admit(self) -> None:
        """This function will return if one more, from outside, would be answered about as soon as ever; it is asked
        before anything is read or parsed, so that a refusal costs little. Raises DeskFull.
        """
        if len(self._queue) >= self._room:
            raise self._full()

    @property
    def is_writing(self) -> bool:
        """Whether a batch is on its way."""
        return self._writer is not None

    def submit(self, submission: Submission | Act) -> asyncio.Future[_Answer]:
        """This function will queue the submission; await what it returns for the answer.

        Raises DeskFull at once. Awaiting raises the submission's own error, CommitUnknown or StoreUnavailable.
        """
        if self._closed:
            raise DeskFull("the service is stopping")
        loop, queue = asyncio.get_running_loop(), self._queue
        if _rides(submission):
            queue = self._behind
        if len(queue) >= self._longest_queue:
            raise self._full()
        answer = loop.create_future()
        queue.append((submission, answer))
        if self._writer is None:
            self._writer = loop.create_task(self._write_batches())
        elif self._others_ask is not None and queue is self._queue:
            self._others_ask.set()
        return answer

    async def drain(self) -> None:
        """This function will take nothing more and return once everything taken has its answer."""
        self._closed = True
        if self._writer is not None:
            await asyncio.shield(self._writer)

    async def _write_batches(self) -> None:
        try:
            while self._queue or self._behind:
                if not self._queue:
                    await self._let_others_ask()
                await self._write(self._next_batch())
        finally:
            self._writer = None

    async def _let_others_ask(self) -> None:
        """Returns once somebody asks, or has had the time to."""
        loop = asyncio.get_running_loop()
        left_s = self._others_answered_at + _MAY_ASK_AGAIN_S - loop.time()
        if left_s <= 0:
            return
        self._others_ask = asyncio.Event()
        try:
            async with asyncio.timeout(left_s):
                await self._others_ask.wait()
        except TimeoutError:
            pass
        finally:
            self._others_ask = None

    def _next_batch(self) -> list[_Waiting[_Answer]]:
        batch = _taken(self._queue, self._longest_batch)
        if self._behind:
            batch += _taken(self._behind, self._room_behind(len(batch)))
        return batch

    def _room_behind(self, before: int) -> int:
        """How many of campaigns' requests the batch takes that holds so many of others."""
        if not before:
            return _BY_THEMSELVES
        return min(max(1, before // _ONE_RIDES_FOR), self._longest_batch - before)

    async def _write(self, batch: list[_Waiting[_Answer]]) -> None:
        if not batch:
            return
        try:
            results = await self._transact([submission for submission, _ in batch])
        except (CommitUnknown, StoreUnavailable) as error:
            _refuse(batch, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, only the culprit may get it
            if len(batch) == 1:
                _refuse(batch, error)
            else:
                await self._write_one_by_one(batch)
        except BaseException:
            # The loop is being torn down: nobody may be left waiting for ever.
            _refuse(batch, CommitUnknown("the service was stopped while it was writing"))
            raise
        else:
            for (_, answer), result in zip(batch, results, strict=True):
                if answer.done():
                    continue
                if isinstance(result, Exception):
                    answer.set_exception(result)
                else:
                    answer.set_result(result)
            if not all(_rides(one) for one, _ in batch):
                self._others_answered_at = asyncio.get_running_loop().time()

    async def _write_one_by_one(self, batch: list[_Waiting[_Answer]]) -> None:
        for one in batch:
            await self._write([one])

    async def _transact(self, submissions: Sequence[Submission | Act]) -> tuple[_Answer | Exception, ...]:
        results: tuple[_Answer | Exception, ...] = ()

        def seal(state: BatchState) -> Sealed:
            nonlocal results
            batch = self._seal(submissions, state)
            results = batch.results
            return batch.sealed

        began = perf_counter()
        try:
            await self._transact_whole(submissions, seal)
        except Exception as error:
            if self._observer is not None:
                self._observer.batch_failed(len(submissions), error)
            raise
        seconds = perf_counter() - began
        self._learn(len(submissions), seconds)
        if self._observer is not None:
            self._observer.batch_written(len(submissions), seconds, len(self._queue))
        return results

    async def _transact_whole(
        self, submissions: Sequence[Submission | Act], seal: Callable[[BatchState], Sealed]
    ) -> None:
        """Asked anew where what was read tells of more that must be; a batch that wants ever more goes one by one."""
        wanted, more = self._wanted(submissions), ()
        for _ in range(_MOST_READINGS):
            try:
                return await self._book.transact(wanted, seal)
            except MoreWanted as missing:
                if set(missing.lookups) <= set(more):
                    raise
                more = tuple(dict.fromkeys((*more, *missing.lookups)))
                wanted = with_rows(self._wanted(submissions), more)
        raise RuntimeError("a batch wanted more each time that it was read")

    def _learn(self, size: int, seconds: float) -> None:
        self._usual_batch_s += (seconds - self._usual_batch_s) / 8
        if size < _MANY:
            self._commit_s += (seconds - self._commit_s) / 8
        else:
            self._each_s += (seconds / size - self._each_s) / 8
        wait_s = max(_LONGEST_WAIT_S, _LONGEST_WAIT_COMMITS * self._commit_s)
        self._room = min(max(int(wait_s / self._each_s), _LEAST_ROOM), self._longest_queue)

    def _full(self) -> DeskFull:
        waiting = len(self._queue)
        if self._observer is not None:
            self._observer.submission_refused(waiting)
        batches = -(-waiting // self._longest_batch) + 1
        return DeskFull(
            f"{waiting} applications are waiting, as many as may", max(1, round(batches * self._usual_batch_s))
        )


def _rides(submission: Submission | Act) -> bool:
    """Whether it is a campaign's, for which nobody waits."""
    return type(submission) is Submission and submission.campaign is not None


def _taken(queue: _Queue[_Answer], most: int) -> list[_Waiting[_Answer]]:
    batch = []
    while queue and len(batch) < most:
        waiting = queue.popleft()
        # Whoever left before anything began is not decided at all.
        if not waiting[1].done():
            batch.append(waiting)
    return batch


def _refuse(batch: Sequence[_Waiting[_Answer]], error: Exception) -> None:
    for _, answer in batch:
        if not answer.done():
            # Each waiter raises an exception of its own, or their tracebacks would pile up in one.
            own = type(error)(*error.args) if len(batch) > 1 else error
            own.__cause__ = error.__cause__
            answer.set_exception(own)
