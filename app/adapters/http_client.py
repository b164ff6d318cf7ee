"""Calls to other people's servers: the one module that owns the HTTP client for them.

Neighbours may rely on this: a call is over by its deadline, whatever the other side does, since every read, write and
handshake on the wire is given what is left of it and no more; nobody cancels it from outside. It follows no redirect,
reads no more than the cap, asks for no compression, believes no environment variable, and shares no connection with
another call, so that one that was broken off harms none. What it raises names a closed kind and none of the words that
came from elsewhere.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import httpcore
import httpx

_AT_ONCE: Final = 16_384


class Failure(Enum):
    """Why there is no answer."""

    DEADLINE = "DEADLINE"
    CONNECTION = "CONNECTION"
    TLS = "TLS"
    TOO_LARGE = "TOO_LARGE"


class CallFailed(Exception):
    """There is no whole answer."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole answer; headers by lower-case name, of several the first."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Deadline:
    """A moment at which a call is over, however many attempts it took."""

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._at = monotonic() + seconds

    @property
    def left_s(self) -> float:
        """How much is left; never less than zero."""
        return max(0.0, self._at - self._monotonic())


async def call(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    deadline: Deadline,
    largest_bytes: int,
    content: bytes | None = None,
    tls: ssl.SSLContext | None = None,
) -> HttpAnswer:
    """This function will send one request and return the answer, redirects and errors as they are. Raises
    CallFailed.
    """
    try:
        async with (
            httpx.AsyncClient(transport=_Transport(deadline, tls), follow_redirects=False, trust_env=False) as client,
            client.stream(
                method, url, headers={"Accept-Encoding": "identity", **headers}, content=content
            ) as answer,
        ):
            body = await _read_capped(answer, deadline, largest_bytes)
            told = {name.lower(): value for name, value in reversed(answer.headers.multi_items())}
            return HttpAnswer(answer.status_code, told, body)
    except (httpcore.TimeoutException, httpx.TimeoutException):
        raise CallFailed(Failure.DEADLINE) from None
    except (httpcore.NetworkError, httpcore.ProtocolError, httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise CallFailed(Failure.TLS if _is_of_tls(error) else Failure.CONNECTION) from None
    except (ValueError, httpx.StreamError):
        # Headers and status lines that are no HTTP, and host names that are none.
        raise CallFailed(Failure.CONNECTION) from None


async def load() -> None:
    """This function will load what the first call would otherwise load while its deadline runs."""
    # anyio brings its backend in when it is first awaited: 30 modules, in which nothing else goes on.
    await httpcore.AnyIOBackend().sleep(0)


async def _read_capped(answer: httpx.Response, deadline: Deadline, largest_bytes: int) -> bytes:
    told = answer.headers.get("content-length", "")
    if told.isascii() and told.isdigit() and (len(told) > 12 or int(told) > largest_bytes):
        raise CallFailed(Failure.TOO_LARGE)
    parts, size = [], 0
    async for part in answer.aiter_raw():
        size += len(part)
        if size > largest_bytes:
            raise CallFailed(Failure.TOO_LARGE)
        if deadline.left_s == 0:
            raise CallFailed(Failure.DEADLINE)
        parts.append(part)
    return b"".join(parts)


def _is_of_tls(error: BaseException | None) -> bool:
    for _ in range(8):
        if isinstance(error, ssl.SSLError):
            return True
        error = None if error is None else error.__cause__ or error.__context__
    return False


# ---- the wire --------------------------------------------------------------------------------------------------------
# ruff: noqa: ASYNC109 - the signatures are httpcore's


class _Transport(httpx.AsyncBaseTransport):
    """One connection for one call."""

    def __init__(self, deadline: Deadline, tls: ssl.SSLContext | None) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls, max_connections=1, retries=0, network_backend=_Wire(deadline)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = httpcore.URL(
            scheme=request.url.raw_scheme, host=request.url.raw_host, port=request.url.port, target=request.url.raw_path
        )
        sent = httpcore.Request(request.method, url, headers=request.headers.raw, content=request.stream)
        answer = await self._pool.handle_async_request(sent)
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._answer.aiter_stream():
            yield part

    async def aclose(self) -> None:
        await self._answer.aclose()


class _Wire(httpcore.AsyncNetworkBackend):
    """Connects within what is left of the deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.AsyncNetworkStream:  # fmt: skip
        stream = await self._backend.connect_tcp(
            host, port, timeout=_left(self._deadline), local_address=local_address, socket_options=socket_options
        )
        return _Bounded(stream, self._deadline)

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


class _Bounded(httpcore.AsyncNetworkStream):
    """A stream each of whose steps is given what is left of the deadline."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        # So little at once that a flood is noticed before it fills the memory.
        return await self._stream.read(min(max_bytes, _AT_ONCE), timeout=_left(self._deadline))

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout=_left(self._deadline))

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        inner = await self._stream.start_tls(ssl_context, server_hostname, timeout=_left(self._deadline))
        return _Bounded(inner, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: Deadline) -> float:
    left = deadline.left_s
    if left == 0:
        raise httpcore.ReadTimeout
    return left
