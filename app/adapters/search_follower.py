"""Follows the logs and makes the blocks by which decisions are found.

Neighbours may rely on this: it works in slices of under a millisecond, rests after each, and rests longer while
applications are waiting, so the desk never waits for it; whatever stops it, the next start goes on behind the last
place that has marks. Searches do not wait for it either: what has no marks yet they look through as it stands.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any, Protocol

from app.adapters.database.search_blocks import Progress, to_figures
from app.usecases.search_blocks import PLACES, BlockInMaking, Key

_log = logging.getLogger("jifendai.follower")
_SLICE = 16
# So many new places are worth writing the marks of a growing block anew.
WORTH_MARKING = 64
_LOOKS_EVERY_S = 1.0
_TRIES_AGAIN_AFTER_S = 5.0
# For each second of work it rests so many; a desk with a queue has the processor almost to itself.
_RESTS, _RESTS_WHILE_BUSY = 4, 20


class Blocks(Protocol):
    """Where blocks are kept and made from."""

    async def due(self, least: int) -> Sequence[Progress]:
        """This function will return each log that has at least so many places without marks."""
        ...

    async def read(self, lender: str, start: int, stop: int) -> Sequence[tuple[int, bytes, Sequence[Any] | None]]:
        """This function will return index, record and columns (None: no decision) of a log's places."""
        ...

    async def add(self, known: Progress, until: int, contents: Any, last: datetime | None) -> bool:
        """This function will store what has changed of a log's last block, now marked up to `until`; False where
        somebody else has changed the log's marks since.
        """
        ...


@dataclass(slots=True)
class _Growing:
    """A log's last block as it was last written, so that it need not be read again to grow."""

    making: BlockInMaking
    until: int
    mended: int


class Follower:
    """One process's follower; `busy` tells whether applications are waiting."""

    def __init__(self, blocks: Blocks, busy: Callable[[], bool] = lambda: False) -> None:
        self._blocks = blocks
        self._busy = busy
        self._task: asyncio.Task[None] | None = None
        self._growing: dict[str, _Growing] = {}

    def start(self) -> None:
        """This function will begin to follow."""
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def stop(self) -> None:
        """This function will return once nothing is being made."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._task = None

    async def catch_up(self, *, rests: bool = False) -> int:
        """This function will mark what is worth it in every log, and return how often a block was written."""
        written = 0
        while due := await self._blocks.due(WORTH_MARKING):
            for known in due:
                written += await self._grow(known, rests=rests)
        return written

    async def _grow(self, known: Progress, *, rests: bool) -> bool:
        """Marks a log's next places, up to the end of the block that they stand in."""
        begins = known.places // PLACES * PLACES
        until = min(known.size, begins + PLACES)
        held = self._growing.pop(known.lender, None)
        if held is None or held.mended != known.mended or not begins < held.until <= known.places:
            held = _Growing(BlockInMaking(), begins, known.mended)
        last = await self._read(known.lender, held.making, held.until, until, rests=rests)
        if not await self._blocks.add(known, until, held.making.changes().items(), last):
            return False
        if until < begins + PLACES:
            self._growing[known.lender] = _Growing(held.making, until, known.mended)
        return True

    async def block(self, lender: str, block: int, until: int) -> Mapping[Key, bytes]:
        """This function will make one block from the log, as it must be where its log is marked up to `until`."""
        making, start = BlockInMaking(), block * PLACES
        await self._read(lender, making, start, min(start + PLACES, until), rests=False)
        return making.contents()

    async def _read(
        self, lender: str, making: BlockInMaking, start: int, stop: int, *, rests: bool
    ) -> datetime | None:
        """Adds places of one block, and says when the last decision among them was recorded."""
        last = None
        for begin in range(start, stop, _SLICE):
            began = perf_counter()
            for index, record, columns in await self._blocks.read(lender, begin, min(begin + _SLICE, stop)):
                if columns is not None:
                    found = to_figures(record, columns)
                    making.add(index % PLACES, found)
                    last = found.recorded_at
            if rests:
                await asyncio.sleep((perf_counter() - began) * (_RESTS_WHILE_BUSY if self._busy() else _RESTS))
        return last

    async def _follow(self) -> None:
        while True:
            try:
                await self.catch_up(rests=True)
                await asyncio.sleep(_LOOKS_EVERY_S)
            except Exception as error:  # noqa: BLE001 - a database that went away comes back, and nothing is lost
                _log.warning("the follower goes on in %s s: %s", _TRIES_AGAIN_AFTER_S, type(error).__name__)
                await asyncio.sleep(_TRIES_AGAIN_AFTER_S)


async def rebuild(
    follower: Follower, blocks: Any, told: Callable[[str, int], None] = lambda lender, block: None
) -> tuple[int, int]:
    """This function will make every block anew and return how many there are and how many differed from what stood
    there; searches stay exact meanwhile.
    """
    seen = differed = 0
    for lender in [known.lender for known in await blocks.made()]:
        block = 0
        while (known := await blocks.progress(lender)).places > block * PLACES:
            replaced = await blocks.replace(known, block, (await follower.block(lender, block, known.places)).items())
            if replaced is None:
                # It has grown meanwhile, or something in it was pruned.
                continue
            differed += replaced
            block, seen = block + 1, seen + 1
            told(lender, block)
    return seen, differed
