"""The sweeper: what time has ended, and which budgets are filled, is noted in the log, some time after.

Neighbours may rely on this: nothing waits for it. An offer past its day counts for nothing and cannot be drawn, whether
or not anybody noted that; of several replicas that sweep at once each offer is noted once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

_log = logging.getLogger("jifendai.sweeper")
FIRST_AFTER_S, EVERY_S = 60, 3_600


class Sweeper:
    """Calls `sweep` now and then; a sweep that fails is told of in the log, and tried again at its next turn."""

    def __init__(self, sweep: Callable[[], Awaitable[int]], *, first_after_s: int = FIRST_AFTER_S) -> None:
        self._sweep = sweep
        self._first_after_s = first_after_s
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        """This function will begin to sweep in the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._sweep_on())

    async def __aexit__(self, *reason: object) -> None:
        """This function will return once nothing is swept any more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _sweep_on(self) -> None:
        await asyncio.sleep(self._first_after_s)
        while True:
            try:
                noted = await self._sweep()
                if noted:
                    _log.info("noted %d things that time or settlements have ended", noted)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next turn tries again
                _log.warning("what time or settlements have ended was not noted: %s", type(error).__name__)
            await asyncio.sleep(EVERY_S)
