"""Load, kills and races against a book, and the check of what is left afterwards.

The check knows only what callers know: what they sent, what they were answered, and what the database holds now.
"""

import asyncio
import hashlib
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path

from app.adapters.database import Database, open_database
from app.adapters.desk import Desk
from app.domain.standing import Commitment
from app.usecases.ports import BatchState, Book, CommitUnknown, Sealed, StoreUnavailable, Submission, Wanted
from tests.adapters.sealing import CAP, Answer, seal, submission, wanted
from tests.processes import FORKED, forked

CLIENTS = 8
COMPANIES = 5
Defect = Callable[[Database], Book]


# ---- what is left afterwards ----------------------------------------------------------------------------------------


def digest(body: bytes) -> str:
    """This function will return a short name for an answer's bytes."""
    return hashlib.sha256(body).hexdigest()[:32]


async def faults(url: str, acknowledged: Iterable[tuple[str, str]]) -> list[str]:
    """This function will return what is wrong with the database after it answered `acknowledged` (key, digest)."""
    database = open_database(url)
    try:
        every = [stored async for stored in database.decisions.every_decision()]
        state = await _state(database)
    finally:
        await database.close()
    bound = {stored.record.split()[2].decode(): digest(stored.answer) for stored in every}
    wrong = [f"{key} was acknowledged and is lost" for key, _ in acknowledged if key not in bound]
    wrong += [
        f"{key} was answered otherwise than it is stored" for key, said in acknowledged if bound.get(key, said) != said
    ]
    for key, count in Counter(stored.record.split()[2] for stored in every).items():
        if count > 1:
            wrong.append(f"{key!r} was decided {count} times")
    frontier = b""
    for index, stored in enumerate(every):
        frontier = hashlib.sha256(frontier + stored.record).digest()
        if stored.index != index:
            wrong.append(f"leaf {stored.index} stands where leaf {index} should")
    head = state.heads["icbc"]
    if (head.size, head.frontier) != (len(every), frontier):
        wrong.append(f"the head says {head.size} leaves, and there are {len(every)}, or its hash is another")
    return wrong + _overcommitted(commitment for _, commitment in state.commitments)


def _overcommitted(commitments: Iterable[Commitment]) -> list[str]:
    used: Counter[str] = Counter()
    for commitment in commitments:
        used[commitment.uscc] += commitment.credit_limit
    return [f"{uscc} was promised {amount} fen of at most {int(CAP)}" for uscc, amount in used.items() if amount > CAP]


async def _state(database: Database) -> BatchState:
    seen: list[BatchState] = []

    def look(state: BatchState) -> Sealed:
        seen.append(state)
        return Sealed()

    companies = tuple(("icbc", company(number), None) for number in range(200))
    await database.book.transact(Wanted(("icbc",), (), companies, ()), look)
    return seen[0]


def company(number: int) -> str:
    """This function will return the code of one of the harness's companies."""
    return f"91{number:016d}"


# ---- planted defects ------------------------------------------------------------------------------------------------


class AnswersBeforeCommit:
    """The defect: whoever waits is told when the batch is sealed, and it is written once the answers are on their way.

    So it is where a framework ends the transaction after it has sent the response.
    """

    def __init__(self, database: Database) -> None:
        self._book = database.book
        self._turn = asyncio.Lock()
        self._writing: set[asyncio.Task[None]] = set()

    async def transact(self, wanted: Wanted, seal: Callable[[BatchState], Sealed]) -> Sealed:
        """This function will return before the commit."""
        await self._turn.acquire()
        sealed = await self._seal(wanted, seal)
        task = asyncio.create_task(self._write(wanted, sealed))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        return sealed

    async def _seal(self, wanted: Wanted, seal: Callable[[BatchState], Sealed]) -> Sealed:
        made: list[Sealed] = []

        def keep(state: BatchState) -> Sealed:
            made.append(seal(state))
            return Sealed()

        await self._book.transact(wanted, keep)
        return made[0]

    async def _write(self, wanted: Wanted, sealed: Sealed) -> None:
        await asyncio.sleep(0.002)
        await self._book.transact(wanted, lambda _: sealed)
        self._turn.release()


def sound(database: Database) -> Book:
    """This function will return the book as it is: no defect."""
    return database.book


# ---- load -----------------------------------------------------------------------------------------------------------


class Journal:
    """What callers know, in a file that outlives a killed process: a line for each key sent, one for each answer."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def sent(self, key: str) -> None:
        """This function will note that the key is on its way."""
        os.write(self._file, f"S {key}\n".encode())

    def answered(self, key: str, body: bytes) -> None:
        """This function will note what the key was answered."""
        os.write(self._file, f"A {key} {digest(body)}\n".encode())


def read_journal(path: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """This function will return the keys that were sent, and (key, digest) for each answer."""
    lines = [line.split() for line in path.read_text().splitlines()]
    return [line[1] for line in lines if line[0] == "S"], [(line[1], line[2]) for line in lines if line[0] == "A"]


async def keep_sending(
    desk: Desk[Answer], journal: Journal, prefix: str, enough: asyncio.Event
) -> None:
    """This function will send applications from several callers until told to stop; each insists on an answer."""

    async def caller(number: int) -> None:
        count = 0
        while not enough.is_set():
            key = f"{prefix}.{number}.{count}"
            count += 1
            journal.sent(key)
            journal.answered(key, (await insist(desk, _application(key))).body)

    await asyncio.gather(*(caller(number) for number in range(CLIENTS)))


async def insist(desk: Desk[Answer], one: Submission) -> Answer:
    """This function will do what a good client does: the same key again, until there is an answer."""
    while True:
        try:
            return await desk.submit(one)
        except (StoreUnavailable, CommitUnknown):
            await asyncio.sleep(0.02)


def _application(key: str) -> Submission:
    return submission(key, uscc=company(int(hashlib.sha256(key.encode()).hexdigest(), 16) % COMPANIES))


def serve(url: str, journal: str, prefix: str, defect: Defect) -> None:
    """This function is a service under load, in a process of its own, until somebody kills it."""

    async def main() -> None:
        database = open_database(url)
        desk = Desk(defect(database), wanted=wanted, seal=seal)
        await keep_sending(desk, Journal(Path(journal)), prefix, asyncio.Event())

    asyncio.run(main())


async def resend(url: str, keys: Sequence[str], journal: Journal) -> None:
    """This function will send keys again that may or may not have been decided, through a fresh service."""
    database = open_database(url)
    desk = Desk(database.book, wanted=wanted, seal=seal)
    for key in keys:
        journal.answered(key, (await insist(desk, _application(key))).body)
    await database.close()


# ---- kills of the service -------------------------------------------------------------------------------------------


def faults_after_kills(url: str, folder: Path, kills: int, defect: Defect = sound) -> list[str]:
    """This function will kill -9 a service under load so many times, at random points, and say what is wrong then.

    It stops at the first fault. Keys without an answer are sent again after each kill, as a client would.
    """
    path, dice = folder / "journal", random.Random(7)
    path.touch()
    for number in range(kills):
        before = path.stat().st_size
        process = forked(serve, url, str(path), f"run{number}", defect)
        try:
            _until_answers(path, before, process)
            time.sleep(dice.uniform(0.01, 0.3))
        finally:
            process.kill()
            process.join()
        sent, answered = read_journal(path)
        asyncio.run(resend(url, sorted(set(sent) - {key for key, _ in answered}), Journal(path)))
        wrong = asyncio.run(faults(url, read_journal(path)[1]))
        if wrong:
            return wrong
    return []


def _until_answers(path: Path, before: int, process: BaseProcess) -> None:
    deadline = time.monotonic() + 30
    while b"A " not in _written_since(path, before):
        if time.monotonic() > deadline or process.exitcode is not None:
            raise RuntimeError(f"the service under load gave no answer (exit code {process.exitcode})")
        time.sleep(0.01)


def _written_since(path: Path, before: int) -> bytes:
    with path.open("rb") as file:
        file.seek(before)
        return file.read()


# ---- races of several processes -------------------------------------------------------------------------------------


def race(url: str, start: Barrier, batch: Sequence[Submission], defect: Defect, journal: str) -> None:
    """This function is one of several processes that send their applications one by one, each at the same moment."""

    async def main() -> None:
        database = open_database(url)
        desk = Desk(defect(database), wanted=wanted, seal=seal)
        notes = Journal(Path(journal))
        await database.decisions.answered("icbc", "warm")
        for one in batch:
            # All at once, again and again: a racer that ran ahead would meet nobody.
            await asyncio.to_thread(start.wait, 30)
            notes.answered(one.idempotency_key, (await insist(desk, one)).body)
        await database.close()

    asyncio.run(main())


def faults_after_race(
    url: str, folder: Path, batches: Sequence[Sequence[Submission]], defect: Defect = sound
) -> list[str]:
    """This function will let one process for each batch race the others, and say what is wrong then."""
    start, path = FORKED.Barrier(len(batches)), folder / "race"
    racers = [forked(race, url, start, batch, defect, str(path)) for batch in batches]
    for racer in racers:
        racer.join(60)
    codes = [racer.exitcode for racer in racers]
    wrong = [] if codes == [0] * len(racers) else [f"the racers ended with {codes}"]
    return wrong + asyncio.run(faults(url, read_journal(path)[1]))
