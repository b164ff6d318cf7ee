"""The edge: what every answer carries and every request is held to, whichever operation it meets.

Neighbours may rely on this: no answer leaves without its security headers and a request id, nothing raised leaves as
a stack trace, and every answer is counted with its latency. Pure ASGI: Starlette's own base class halves the
throughput and loses disconnects.
"""

from __future__ import annotations

import logging
import re
from contextvars import ContextVar
from secrets import token_hex
from time import perf_counter
from typing import Any, Final

from starlette.datastructures import State
from starlette.routing import Router
from starlette.types import Message, Receive, Scope, Send

from app.api.calls import LONGEST_TARGET_BYTES, LeanRoute, problem_response
from app.api.problems import Problem

_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
# Later versions of traceparent may add members (W3C Trace Context, 4.2); an id of zeros is none.
_TRACEPARENT: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
_MOST_HEADERS: Final = 100
_CURRENT: ContextVar[bytes] = ContextVar("request_id", default=b"")
_log = logging.getLogger("jifendai.edge")

_ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_UNLESS_SET: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)


class Edge:
    """ASGI middleware between the application and its router, which it asks only for paths with parameters."""

    def __init__(self, router: Router, state: State) -> None:
        self._router = router
        self._state = state
        self._by_path = {
            (method, route.path): route
            for route in router.routes
            if isinstance(route, LeanRoute) and "{" not in route.path
            for method in route.methods
        }
        self._allowed: dict[str, list[str]] = {}
        for method, path in sorted(self._by_path):
            self._allowed.setdefault(path, []).append(method)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._router(scope, receive, send)
            return
        began = perf_counter()
        request_id = _request_id(scope)
        _CURRENT.set(request_id)
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"]
                names = {name for name, _ in headers}
                headers.extend(_ALWAYS)
                headers.extend(pair for pair in _UNLESS_SET if pair[0] not in names)
                headers.append((b"x-request-id", request_id))
                if self._state.stopping:
                    # Whoever keeps the connection would send his next request to a closed door.
                    headers.append((b"connection", b"close"))
            await send(message)

        try:
            await self._answer(scope, receive, send_with_headers)
        except Exception as reason:
            if status:
                # Half an answer is out; only closing the connection tells the caller.
                raise
            await problem_response(reason)(scope, receive, send_with_headers)
        finally:
            services: Any = getattr(self._state, "services", None)
            route = scope.get("route")
            operation = route.name if route is not None else "none"
            seconds = perf_counter() - began
            if services is not None:
                services.metrics.answered(operation, status, seconds)
            if status >= 500 and operation != "readyz":
                event = {"operation": operation, "status": status, "ms": round(seconds * 1000)}
                _log.warning("not answered", extra={"event": event})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if len(scope["headers"]) > _MOST_HEADERS:
            raise Problem("headers-too-large")
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > LONGEST_TARGET_BYTES:
            raise Problem("uri-too-long")
        route = self._by_path.get((scope["method"], scope["path"]))
        if route is None:
            # /v1/decisions/preview looks like a decision's path to GET, and is a path of its own.
            if (allowed := self._allowed.get(scope["path"])) is not None:
                raise Problem("method-not-allowed", headers={"Allow": ", ".join(allowed)})
            await self._router(scope, receive, send)
            return
        scope["route"] = route
        scope["path_params"] = {}
        await route.handle(scope, receive, send)


def current_request_id() -> str | None:
    """This function will return the id of the request that is being answered here, for the log's lines."""
    return _CURRENT.get().decode("ascii") or None


def _request_id(scope: Scope) -> bytes:
    """The caller's own id where it is harmless, the trace's where there is one, or a new one."""
    traced = None
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ID.fullmatch(value):
            return value
        if name == b"traceparent" and (found := _TRACEPARENT.fullmatch(value)):
            traced = found[1]
    return traced or token_hex(16).encode()
