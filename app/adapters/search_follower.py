"""Follows the logs and makes the blocks by which decisions are found.

Neighbours may rely on this: it works in slices of under a millisecond, rests after each, and rests longer while
applications are waiting, so the desk never waits for it; whatever stops it, the next start goes on behind the last
whole block. Searches do not wait for it either: what has no block yet they look through as it stands.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from time import perf_counter
from typing import Any, Protocol

from app.adapters.database.search_blocks import to_figures
from app.usecases.search_blocks import PLACES, BlockInMaking, Key

_log = logging.getLogger("jifendai.follower")
_SLICE = 16
_LOOKS_EVERY_S = 1.0
_TRIES_AGAIN_AFTER_S = 5.0
# For each second of work it rests so many; a desk with a queue has the processor almost to itself.
_RESTS, _RESTS_WHILE_BUSY = 4, 20


class Blocks(Protocol):
    """Where blocks are kept and made from."""

    async def due(self) -> Sequence[tuple[str, int]]:
        """This function will return each log that has a whole block more than were made, and that block's number."""
        ...

    async def read(self, lender: str, start: int, stop: int) -> Sequence[tuple[int, bytes, Sequence[Any] | None]]:
        """This function will return index, record and columns (None: no decision) of a log's places."""
        ...

    async def add(self, lender: str, block: int, contents: Any, last: datetime | None) -> bool:
        """This function will store a log's next block; False where somebody else has stored it meanwhile."""
        ...


class Follower:
    """One process's follower; `busy` tells whether applications are waiting."""

    def __init__(self, blocks: Blocks, busy: Callable[[], bool] = lambda: False) -> None:
        self._blocks = blocks
        self._busy = busy
        self._task: asyncio.Task[None] | None = None

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

    async def catch_up(self, told: Callable[[int], None] = lambda places: None, *, rests: bool = False) -> int:
        """This function will make every block that is due and return how many; `told` hears of each one's places."""
        made = 0
        while due := await self._blocks.due():
            for lender, block in due:
                contents, last = await self.block(lender, block, rests=rests)
                made += await self._blocks.add(lender, block, contents.items(), last)
                told(PLACES)
        return made

    async def block(
        self, lender: str, block: int, *, rests: bool = False
    ) -> tuple[Mapping[Key, bytes], datetime | None]:
        """This function will make one block from the log, and say when its last decision was recorded."""
        start, making, last = block * PLACES, BlockInMaking(), None
        for begin in range(start, start + PLACES, _SLICE):
            began = perf_counter()
            rows = await self._blocks.read(lender, begin, begin + _SLICE)
            for index, record, columns in rows:
                if columns is not None:
                    found = to_figures(record, columns)
                    making.add(index - start, found)
                    last = found.recorded_at
            if rests:
                await asyncio.sleep((perf_counter() - began) * (_RESTS_WHILE_BUSY if self._busy() else _RESTS))
        return making.contents(), last

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
    for lender, made in await blocks.made():
        for block in range(made):
            contents, _ = await follower.block(lender, block)
            differed += await blocks.replace(lender, block, contents.items())
            seen += 1
            told(lender, block)
    return seen, differed
