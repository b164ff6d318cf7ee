"""jifendai replay: recorded decisions, decided again from what was recorded, on every core."""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from time import perf_counter

from app.adapters.database import Database
from app.cli.installation import DONE, FAULTY, Refused, its_database, its_settings, say, settle_for_long_work, show
from app.usecases.act_rows import StoredAct
from app.usecases.log_trail import StoredLine
from app.usecases.ports import StoredDecision
from app.usecases.replay import Difference, replay_together
from app.usecases.replay_acts import complaints, of_offer, replay_acts

_TELLS_EVERY = 10_000
_TOGETHER = 250
"""How many decisions another process gets at once: enough that sending them is cheap, few enough to stay small."""

Chunk = list[StoredDecision]
Complaints = list[str]


def replay_recorded(options: argparse.Namespace) -> int:
    """This function will decide again and show every difference; the exit code is 1 if there is one."""
    return asyncio.run(_replaying(options.id, options.since, options.processes or os.cpu_count() or 1))


async def _replaying(ids: Sequence[str], since: datetime | None, processes: int) -> int:
    settle_for_long_work()
    began, seen, different = perf_counter(), 0, 0
    async with its_database(its_settings()) as database:
        if ids:
            found = _named(database, ids, await database.trail.lenders())
        else:
            found = database.decisions.every_decision(since=since)
        async for complaints in _decided_again(found, processes):
            for of_one in complaints:
                seen += 1
                different += bool(of_one)
                show(*of_one)
                if seen % _TELLS_EVERY == 0:
                    say(f"{seen:,} … {_speed(seen, began)}")
        again, differ = (0, 0) if ids or since else await _acts_again(database)
    say(
        f"{seen:,} decisions decided again, {different:,} differ ({_speed(seen, began)}). "
        f"已重算 {seen:,} 项，{different:,} 项不符"
    )
    if not ids and not since:
        say(
            f"{again:,} records of lines worked out again, {differ:,} differ. "
            f"已重算 {again:,} 条授信记录，{differ:,} 条不符"
        )
    return FAULTY if different or differ else DONE


async def _acts_again(database: Database) -> tuple[int, int]:
    """How many acts on lines were worked out again, and how many of them differ; each of these is shown."""
    seen = differ = 0
    for lender in await database.trail.lenders():
        after, pools = "", of_offer(await database.trail.standing.pool_acts(lender))
        while page := await database.trail.standing.lines(lender, after):
            for line in page:
                for record_id, words in _line_again(line, pools.get(line.offer_id, ())):
                    seen, differ = seen + 1, differ + bool(words)
                    if words:
                        show(f"{record_id}{words}")
            after = page[-1].offer_id
    return seen, differ


def _line_again(line: StoredLine, pool_acts: Sequence[StoredAct]) -> Iterator[tuple[str, str]]:
    if line.decision is None:
        return
    try:
        for act, differences in replay_acts(line.decision, (*line.acts, *pool_acts)):
            yield act.record_id, complaints(differences)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        yield line.offer_id, ": its records cannot be read 记录无法读取"


def _speed(seen: int, began: float) -> str:
    return f"{seen / max(perf_counter() - began, 0.001):,.0f}/s"


async def _decided_again(found: AsyncIterator[StoredDecision], processes: int) -> AsyncIterator[list[Complaints]]:
    """What there is to say of each decision, in order. Other processes are asked once there is more than one chunk."""
    pool: ProcessPoolExecutor | None = None
    asked: deque[asyncio.Future[list[Complaints]]] = deque()
    loop = asyncio.get_running_loop()
    try:
        async for chunk in _chunks(found):
            if len(chunk) < _TOGETHER or processes == 1:
                while asked:
                    yield await asked.popleft()
                yield complaints_of(chunk)
                continue
            if pool is None:
                spawning = multiprocessing.get_context("spawn")
                pool = ProcessPoolExecutor(processes, mp_context=spawning, initializer=settle_for_long_work)
            asked.append(loop.run_in_executor(pool, complaints_of, chunk))
            if len(asked) > 2 * processes:
                yield await asked.popleft()
        while asked:
            yield await asked.popleft()
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)


async def _chunks(found: AsyncIterator[StoredDecision]) -> AsyncIterator[Chunk]:
    chunk: Chunk = []
    async for stored in found:
        chunk.append(stored)
        if len(chunk) == _TOGETHER:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def complaints_of(chunk: Chunk) -> list[Complaints]:
    """This function will decide a chunk again and return the lines to show of each decision, none where it is
    identical. It runs in a process of its own where the log is long.
    """
    return [_complaints(stored.decision_id, found) for stored, found in zip(chunk, replay_together(chunk), strict=True)]


def _complaints(decision_id: str, found: tuple[Difference, ...] | ValueError) -> Complaints:
    if isinstance(found, ValueError):
        return [f"{decision_id}: {found}"]
    return [f"{decision_id}{one.pointer}: recorded 记录 {one.recorded}, now 重算 {one.recomputed}" for one in found]


async def _named(database: Database, ids: Sequence[str], lenders: Sequence[str]) -> AsyncIterator[StoredDecision]:
    for decision_id in ids:
        stored = await database.decisions.find(decision_id, lenders)
        if stored is None:
            raise Refused(FAULTY, f"There is no decision {decision_id}. 没有此决策")
        yield stored
