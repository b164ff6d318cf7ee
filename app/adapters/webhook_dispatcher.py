"""The dispatcher: whatever is owed to endpoints is sent, again and again until it is taken or three days are over.

Neighbours may rely on this: nothing waits for it; a kill at any moment loses nothing and repeats at most what was on
its way (the id stays the same); of several replicas one holds an endpoint's lease, and begins no attempt that could
outlast it; an endpoint that does not answer delays no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Final, Protocol

from app.adapters.webhook_secrets import SecretBox, SecretUnreadable, signed_headers
from app.adapters.webhook_sender import ANSWERS_WITHIN_S, Sent
from app.usecases.webhooks import DRAWS, Attempt, Backlog, Delivery, DeliveryState, Endpoint, Outcome, settled

_log = logging.getLogger("jifendai.webhooks")
_LOOKS_EVERY_S, _TRIES_AGAIN_AFTER_S, _PRUNES_EVERY_S, _NOTES_EVERY_S = 1.0, 5.0, 3_600.0, 15.0
LEASE: Final = timedelta(seconds=60)
_BEGINS_UNTIL_S: Final = 60.0 - 2 * ANSWERS_WITHIN_S
_AT_ONCE, _ENDPOINTS_AT_ONCE = 16, 8
_DICE: Final = random.SystemRandom()
_MOST_ROUNDS: Final = 50
"""So many rounds of one endpoint, and then others have their turn."""

Send = Callable[[str, Mapping[str, str], bytes], Awaitable[Sent]]


class Queue(Protocol):
    """What is owed (app/adapters/database/webhook_queue.py)."""

    working: Callable[..., Awaitable[Sequence[str]]]
    spread: Callable[..., Awaitable[int]]
    take: Callable[..., Awaitable[Endpoint | None]]
    release: Callable[..., Awaitable[None]]
    collect: Callable[..., Awaitable[Endpoint]]
    due: Callable[..., Awaitable[Sequence[Delivery]]]
    settle: Callable[..., Awaitable[bool]]
    disable: Callable[..., Awaitable[None]]
    reseal: Callable[..., Awaitable[None]]
    every_endpoint: Callable[..., Awaitable[Sequence[Endpoint]]]
    backlog: Callable[..., Awaitable[Backlog]]
    prune: Callable[..., Awaitable[int]]


class Observer(Protocol):
    """Whoever counts."""

    def webhook_tried(self, outcome: str, seconds: float) -> None:
        """This function will count an attempt."""
        ...

    def webhooks_owed(self, pending: int, dead: int, oldest_s: int, behind: int) -> None:
        """This function will note what is owed now."""
        ...


class Dispatcher:
    """One process's dispatcher; `holder` names it in leases."""

    def __init__(
        self,
        queue: Queue,
        send: Send,
        box: SecretBox,
        *,
        log_name: str,
        holder: str,
        now: Callable[[], datetime],
        observer: Observer | None = None,
        draw: Callable[[int], int] = _DICE.randrange,
    ) -> None:
        self._queue, self._send, self._box = queue, send, box
        self._log_name, self._holder, self._now = log_name, holder, now
        self._observer, self._draw = observer, draw
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._rests: dict[str, tuple[float, float]] = {}

    def start(self) -> None:
        """This function will begin to deliver in the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._deliver())

    async def stop(self) -> None:
        """This function will return once what is on its way has been settled, and every lease given back."""
        self._stopping.set()
        if self._task is not None:
            with contextlib.suppress(TimeoutError, asyncio.CancelledError):
                # What is on its way ends by its own deadline; a database that hangs must not keep the service.
                await asyncio.wait_for(self._task, 2 * ANSWERS_WITHIN_S)
        self._task = None

    async def turn(self) -> int:
        """This function will do what can be done now, and return how many attempts that were."""
        await self._queue.spread(self._log_name)
        working = [one for one in await self._queue.working(self._holder) if not self._is_resting(one)]
        gate = asyncio.Semaphore(_ENDPOINTS_AT_ONCE)

        async def served(endpoint_id: str) -> int:
            async with gate:
                return await self._serve(endpoint_id)

        return sum(await asyncio.gather(*map(served, working)))

    async def _serve(self, endpoint_id: str) -> int:
        began = monotonic()
        endpoint = await self._queue.take(endpoint_id, self._holder, LEASE)
        if endpoint is None:
            return 0
        tried = 0
        try:
            secrets = await self._opened(endpoint)
            for _ in range(_MOST_ROUNDS):
                position = endpoint.position
                endpoint = await self._queue.collect(endpoint, self._log_name)
                due = await self._queue.due(endpoint, _AT_ONCE)
                if not due and endpoint.position == position:
                    break
                if not due:
                    continue
                if self._stopping.is_set() or monotonic() - began > _BEGINS_UNTIL_S:
                    break
                results = await asyncio.gather(*(self._attempt(endpoint, one, secrets) for one in due))
                began, still_mine = monotonic(), await self._settle(endpoint, due, results)
                tried += len(due)
                if not still_mine or self._has_failed(endpoint_id, results):
                    break
        finally:
            await self._queue.release(endpoint_id, self._holder)
        return tried

    async def _attempt(self, endpoint: Endpoint, delivery: Delivery, secrets: tuple[str, ...] | None) -> Attempt:
        at = self._now()
        if secrets is None:
            sent = Sent(Outcome.SECRET_UNREADABLE)
        else:
            overlaps = endpoint.secret_overlaps_until is not None and at < endpoint.secret_overlaps_until
            used = secrets if overlaps else secrets[:1]
            sent = await self._send(
                endpoint.url, signed_headers(used, delivery.event_id, at, delivery.body), delivery.body
            )
        if self._observer is not None:
            self._observer.webhook_tried(sent.outcome.value, sent.took_ms / 1000)
        return Attempt(delivery.attempts + 1, at, *sent)

    async def _settle(self, endpoint: Endpoint, due: Sequence[Delivery], results: Sequence[Attempt]) -> bool:
        kept = []
        for delivery, attempt in zip(due, results, strict=True):
            state, next_at = settled(delivery, attempt, self._draw(DRAWS))
            kept.append((delivery, attempt, state, next_at))
            if attempt.outcome is not Outcome.DELIVERED:
                self._tell(delivery, attempt, state)
        still_mine = await self._queue.settle(endpoint, self._holder, LEASE, kept)
        if any(attempt.outcome is Outcome.GONE for attempt in results):
            await self._queue.disable(endpoint, Outcome.GONE.value)
            _log.warning("an endpoint said that it is gone", extra={"event": {"endpoint": endpoint.endpoint_id}})
            return False
        return still_mine

    def _tell(self, delivery: Delivery, attempt: Attempt, state: DeliveryState) -> None:
        told = {
            "endpoint": delivery.endpoint_id, "webhook_id": delivery.event_id, "attempt": attempt.attempt,
            "outcome": attempt.outcome.value, "status": attempt.status, "state": state.value,
        }  # fmt: skip
        words = "a webhook is a dead letter now" if state is DeliveryState.DEAD else "a webhook was not taken"
        _log.warning(words, extra={"event": told})

    async def _opened(self, endpoint: Endpoint) -> tuple[str, ...] | None:
        try:
            return self._box.open(endpoint.endpoint_id, endpoint.secrets)
        except SecretUnreadable:
            return None

    async def reseal(self) -> int:
        """This function will seal every secret under each key at hand, where one of them does not open it yet, and
        return how many it could not open at all: the change of a signing key must not cost a secret.
        """
        unreadable = 0
        for endpoint in await self._queue.every_endpoint():
            if self._box.is_whole(endpoint.endpoint_id, endpoint.secrets):
                continue
            try:
                found = self._box.open(endpoint.endpoint_id, endpoint.secrets)
            except SecretUnreadable:
                unreadable += 1
                _log.warning("a webhook secret cannot be read: rotate it", extra={"event": {
                    "endpoint": endpoint.endpoint_id}})  # fmt: skip
                continue
            await self._queue.reseal(endpoint, self._box.seal(endpoint.endpoint_id, found))
        return unreadable

    # ---- an endpoint that does not answer --------------------------------------------------------------------------

    def _is_resting(self, endpoint_id: str) -> bool:
        until, _ = self._rests.get(endpoint_id, (0.0, 0.0))
        return monotonic() < until

    def _has_failed(self, endpoint_id: str, results: Sequence[Attempt]) -> bool:
        """Where nothing of a round was taken the endpoint rests, a minute at most: what waits for it need not all find
        out by itself that it is down.
        """
        if any(attempt.outcome is Outcome.DELIVERED for attempt in results):
            self._rests.pop(endpoint_id, None)
            return False
        if len(results) < _AT_ONCE:
            return False
        _, rested = self._rests.get(endpoint_id, (0.0, 0.5))
        rest = min(rested * 2, 60.0)
        self._rests[endpoint_id] = (monotonic() + rest, rest)
        return True

    async def _deliver(self) -> None:
        pruned = noted = 0.0
        resealed = False
        while not self._stopping.is_set():
            try:
                if not resealed:
                    await self.reseal()
                    resealed = True
                tried = await self.turn()
                # Also where nothing was tried: what waits grows older, and what rests is owed more.
                if monotonic() - noted > _NOTES_EVERY_S or tried:
                    await self._note()
                    noted = monotonic()
                if monotonic() - pruned > _PRUNES_EVERY_S:
                    await self._queue.prune()
                    pruned = monotonic()
                await self._pause(0 if tried else _LOOKS_EVERY_S)
            except Exception as error:  # noqa: BLE001 - a database that went away comes back, and nothing is lost
                _log.warning("webhooks go on in %s s: %s", _TRIES_AGAIN_AFTER_S, type(error).__name__)
                await self._pause(_TRIES_AGAIN_AFTER_S)

    async def _note(self) -> None:
        if self._observer is not None:
            self._observer.webhooks_owed(*await self._queue.backlog())

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


def holder_name(new_id: Callable[[], Any]) -> str:
    """This function will name one process among all that deliver."""
    return f"dispatcher {new_id()}"
