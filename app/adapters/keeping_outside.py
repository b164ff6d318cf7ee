"""Keeps every log's newest checkpoint outside, beside the requests: the task that `serve` runs.

Neighbours may rely on this: a log that has grown is kept within `LATE_AFTER_S` where the place can be reached; where it
cannot, it is tried again at growing intervals, and `notes` says since when. `faults` says where the database has fallen
behind what lies outside, which nothing here overwrites. No request waits for any of this.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Final

from app.audit import EvidenceError
from app.usecases.known_logs import KnownLogs
from app.usecases.log_trail import LogTrail
from app.usecases.outside import Outside, OutsideUnavailable, keep
from app.usecases.ports import StoreUnavailable

LOOKS_EVERY_S: Final = 5.0
LONGEST_WAIT_S: Final = 30.0
LATE_AFTER_S: Final = 60.0
_LAST_TRY_S: Final = 5.0
_log = logging.getLogger("jifendai.outside")


class KeepingOutside:
    """One process's share of the work; several processes may do the same for one installation."""

    def __init__(
        self, outside: Outside | None, trail: LogTrail, known: KnownLogs, *, looks_every_s: float = LOOKS_EVERY_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._outside, self._trail, self.known = outside, trail, known
        self._looks_every_s = looks_every_s
        self._monotonic = monotonic
        self._kept: dict[str, int] = {}
        self._owed_since: dict[str, float] = {}
        self._contradicted: dict[str, str] = {}
        self._why = ""
        self._stopping = False
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """This function will begin to keep checkpoints, until `stop`; nothing where no place is named."""
        if self._outside is not None:
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """This function will end the work, with one last try of a few seconds for what is still owed."""
        if self._task is not None:
            self._stopping = True
            self._task.cancel()
            await asyncio.wait((self._task,))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_TRY_S):
                    await self.once()

    @property
    def owed_s(self) -> float:
        """For how long the oldest checkpoint that is not yet outside has been owed; 0 when nothing is."""
        return max((self._monotonic() - since for since in self._owed_since.values()), default=0.0)

    def notes(self) -> list[str]:
        """This function will return what whoever runs the service should hear of, in words."""
        if self.owed_s <= LATE_AFTER_S:
            return []
        en = f"Checkpoints have not been kept outside for {int(self.owed_s)} seconds: {self._why}"
        return [f"{en} 外部检查点已 {int(self.owed_s)} 秒未能保存"]

    def faults(self) -> list[str]:
        """This function will return what forbids to serve: the database is behind what lies outside."""
        return list(self._contradicted.values())

    async def once(self) -> bool:
        """This function will keep what has changed; whether all of it was kept."""
        async with self._turn:
            return await self._once()

    async def _once(self) -> bool:
        try:
            sizes = await self._trail.sizes()
        except StoreUnavailable as error:
            self._fails(str(error))
            return False
        changed = [lender for lender, size in sizes if self._kept.get(lender) != size]
        for lender in changed:
            self._owed_since.setdefault(lender, self._monotonic())
        # One log that fails does not keep the others from being kept.
        return all([await self._keep(lender) for lender in changed])

    async def _keep(self, lender: str) -> bool:
        try:
            kept = await keep(self._outside, self._trail, self.known, lender)
        except (OutsideUnavailable, StoreUnavailable, EvidenceError) as error:
            self._fails(f"{lender}: {error}")
            return False
        if kept.contradicted is not None:
            said = kept.contradicted.finding
            if lender not in self._contradicted:
                _log.error("%s", said.en)
            self._contradicted[lender] = f"{said.en}. {said.zh}"
            return True
        self._contradicted.pop(lender, None)
        self._kept[lender] = kept.size
        self._owed_since.pop(lender, None)
        return True

    def _fails(self, why: str) -> None:
        if why != self._why or not self._owed_since:
            _log.warning("checkpoints are not kept outside: %s", why)
        self._why = why

    async def _run(self) -> None:
        wait = self._looks_every_s
        while not self._stopping:
            try:
                done = await self.once()
            except Exception:  # noqa: BLE001 - whatever it is, the next look must come
                _log.exception("checkpoints are not kept outside")
                done = False
            # What fails is tried again sooner than it becomes late, and not more often than it can recover.
            wait = self._looks_every_s if done else min(2 * wait, LONGEST_WAIT_S)
            await asyncio.sleep(wait)
