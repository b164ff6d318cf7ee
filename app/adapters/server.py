"""The HTTP server: uvicorn, told to stop in good order.

Neighbours may rely on this: the listener is bound before anything else is touched, so that a taken port changes
nothing; on SIGTERM `stopping` is called first, so that readiness turns 503 while requests are still answered; every
accepted request is answered before `serve` returns; a second signal does not wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import uvicorn

from app.adapters.connections import Connection, Refusals, watch

# How long a stopped service still answers, so that whoever balances the load hears of it from /readyz.
_STILL_ANSWERS_S = 1.0
_WAITS_FOR_REQUESTS_S = 25
_THREADS_TAKE_TURNS_OF_S = 0.0002
# Longer than what proxies keep, so that it is they who close: the other way round a request may meet a closed door.
_KEEPS_IDLE_CONNECTIONS_S = 75


def listener(host: str, port: int) -> socket.socket:
    """This function will return a bound socket; port 0 takes any free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def new_event_loop() -> asyncio.AbstractEventLoop:
    """This function will return the fastest loop that the machine has."""
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()


async def serve(
    app: Any,
    bound: socket.socket,
    *,
    started: Callable[[], None],
    stopping: Callable[[], None],
    refusals: Refusals,
    forwarded_allow_ips: str = "",
) -> None:
    """This function will answer requests until it is told to stop. The application has been started already;
    `refusals` are the problems that a connection answers by itself (connections.py).
    """
    server = _Server(configured(app, refusals, forwarded_allow_ips), started)
    loop = asyncio.get_running_loop()

    def stop(still_answers_s: float) -> None:
        if server.should_exit:
            server.force_exit = True
            return
        stopping()
        loop.call_later(still_answers_s, setattr, server, "should_exit", True)

    # What start-up made lives as long as the process: the collector need not look again (p99 33 to 4.8 ms).
    gc.collect()
    gc.freeze()
    # A thread that computes (a page of a campaign, an export) hands the loop its turn back sooner than after 5 ms.
    sys.setswitchinterval(_THREADS_TAKE_TURNS_OF_S)
    watching = asyncio.create_task(watch(server.server_state.connections))
    # A person at the keyboard does not wait for a load balancer.
    with _on_signals(loop, {signal.SIGINT: 0.0, signal.SIGTERM: _STILL_ANSWERS_S}, stop):
        await server.serve(sockets=[bound])
    watching.cancel()


def configured(app: Any, refusals: Refusals, forwarded_allow_ips: str = "") -> uvicorn.Config:
    """This function will return how uvicorn serves the application."""
    return uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, server_header=False, ws="none", backlog=2048,
        http=partial(Connection, refusals=refusals),  # type: ignore[arg-type]
        proxy_headers=bool(forwarded_allow_ips), forwarded_allow_ips=forwarded_allow_ips or "127.0.0.1",
        timeout_keep_alive=_KEEPS_IDLE_CONNECTIONS_S, timeout_graceful_shutdown=_WAITS_FOR_REQUESTS_S,
    )  # fmt: skip


class _Server(uvicorn.Server):
    """Leaves the signals to us, and says when it listens."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._says_started = started

    # uvicorn would raise the signal once more after it has stopped, which ends the process before the desk is drained.
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._says_started()


@contextlib.contextmanager
def _on_signals(
    loop: asyncio.AbstractEventLoop, arguments: dict[signal.Signals, float], call: Callable[[float], None]
) -> Iterator[None]:
    before = {name: signal.getsignal(name) for name in arguments}
    for name, argument in arguments.items():
        # signal.signal and not the loop's own: it also works on the loops of Windows.
        signal.signal(name, lambda *_, argument=argument: loop.call_soon_threadsafe(call, argument))
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
