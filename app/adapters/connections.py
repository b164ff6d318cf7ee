"""Connections: what is refused before there is a request that an application could answer.

Neighbours may rely on this: a request line with its headers is complete within 10 seconds and 32,768 bytes, or the
connection is closed with a problem; what is no HTTP, or names no host or several, is answered by a problem too, not by
the server's own words. What they say is given by whoever starts the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD_BYTES: Final = 32_768
HEAD_WITHIN_S: Final = 10.0
_LOOKS_EVERY_S: Final = 1.0

Refusals = Mapping[int, bytes]


class Connection(HttpToolsProtocol):
    """One connection; `refusals` are the problems for 400, 408 and 431."""

    def __init__(self, *, refusals: Refusals, **given: Any) -> None:
        super().__init__(**given)
        self._refusals = refusals
        self._in_head = True
        self._head_bytes = 0
        self._head_since: float | None = None

    def data_received(self, data: bytes) -> None:
        """This function will count the bytes of a head before it is complete."""
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_since is None:
                self._head_since = self.loop.time()
        super().data_received(data)
        if self._in_head and self._head_bytes > LONGEST_HEAD_BYTES and not self.transport.is_closing():
            self.refuse(431)

    def on_message_begin(self) -> None:
        """This function will begin to count anew."""
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        """This function will hand the request on, unless all of a head that is too long came at once."""
        counted = self._head_bytes
        self._in_head, self._head_bytes, self._head_since = False, 0, None
        # What came with the head may be its body, so that a head is only looked at where it could be too long.
        if counted > LONGEST_HEAD_BYTES and self._head_size() > LONGEST_HEAD_BYTES:
            self.refuse(431)
        elif self.parser.get_http_version() == "1.1" and self._hosts() != 1:
            # RFC 9112, section 3.2: a proxy in front could have taken another host for the one that is meant.
            self.refuse(400)
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """This function will drop what follows a head that was refused."""
        if self.cycle is not None and not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """This function will wait for the next head."""
        if self.cycle is not None and not self.transport.is_closing():
            super().on_message_complete()
        self._in_head = True

    def send_400_response(self, msg: str) -> None:
        """This function will answer what is no HTTP."""
        if not self.transport.is_closing():
            self.refuse(400)

    def refuse(self, status: int) -> None:
        """This function will answer with the problem of that status and close the connection."""
        body = self._refusals[status]
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\n"
            "content-security-policy: default-src 'none'; frame-ancestors 'none'\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()

    def give_up_if_slow(self, now: float) -> None:
        """This function will close a connection whose head has been arriving for too long."""
        if self._head_since is not None and now - self._head_since > HEAD_WITHIN_S and not self.transport.is_closing():
            self.refuse(408)

    def _hosts(self) -> int:
        return [name for name, _ in self.headers].count(b"host")

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)


async def watch(connections: Iterable[Any], *, looks_every_s: float = _LOOKS_EVERY_S) -> None:
    """This function will close slow connections until it is cancelled."""
    while True:
        await asyncio.sleep(looks_every_s)
        now = asyncio.get_running_loop().time()
        for connection in list(connections):
            connection.give_up_if_slow(now)
