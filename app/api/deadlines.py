"""How long an operation may take, whatever it waits for.

Neighbours may rely on this: an operation that is overdue is ended within a second and answered 503; what it had given
to the desk is decided all the same once its batch has begun, and its key will tell. One timer watches every request: a
timer for each would cost 2 % of a decision.
"""

from __future__ import annotations

import asyncio
from typing import Final

_LOOKS_EVERY_S: Final = 1.0


class Deadlines:
    """The operations that are running, oldest first."""

    def __init__(self, within_s: float, *, looks_every_s: float = _LOOKS_EVERY_S) -> None:
        self._within_s = within_s
        self._looks_every_s = looks_every_s
        self._running: dict[asyncio.Task[object], float] = {}
        self._overdue: set[asyncio.Task[object]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> asyncio.Task[object]:
        """This function will note that the current task's operation begins, and return the task for `end`."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("an operation runs in a task")
        self._running[task] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._looks_every_s, self._look)
        return task

    def end(self, task: asyncio.Task[object]) -> bool:
        """This function will note that it has ended, and tell whether it was ended for being overdue."""
        self._running.pop(task, None)
        if task not in self._overdue:
            return False
        self._overdue.discard(task)
        task.uncancel()
        return True

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._looks_every_s, self._look) if self._running else None
        began_before = loop.time() - self._within_s
        for task, began in list(self._running.items()):
            if began > began_before:
                break
            del self._running[task]
            self._overdue.add(task)
            task.cancel()
