"""Places outside the database where checkpoints are kept: a folder, or an address that takes PUT and GET.

Neighbours may rely on this: in a folder a checkpoint appears whole, under its own name, and is on the disk when `write`
returns; of a kill in the middle only a file beginning with a dot is left. An address is spoken to within a total
deadline, without redirects, and never answers more than a checkpoint's size. Nothing here runs on the event loop's
time: files in a thread of their own, and httpx is imported in one.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

from app.audit.checkpoint import LARGEST_NOTE_BYTES
from app.usecases.outside import Outside, OutsideUnavailable

_T = TypeVar("_T")
_ANSWERS_WITHIN_S: Final = 10.0


def outside_at(place: str, token: str | None = None) -> Outside:
    """This function will return the place: an address if it begins with http:// or https://, else a folder."""
    if place.startswith(("http://", "https://")):
        return Address(place.rstrip("/"), token)
    return Folder(Path(place))


class Folder:
    """A folder, best on another machine's disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # A disk of the network may hang; nobody else waits in this thread.
        self._thread = ThreadPoolExecutor(1, "outside")

    async def read(self, name: str) -> bytes | None:
        """This function will return what is kept under the name. Raises OutsideUnavailable."""
        return await self._in_time(self._read, name)

    async def write(self, name: str, note: bytes) -> None:
        """This function will keep the note. Raises OutsideUnavailable."""
        await self._in_time(self._write, name, note)

    async def _in_time(self, work: Callable[..., _T], *arguments: Any) -> _T:
        doing = asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        try:
            # Not wait_for, which may lose a cancellation that comes at the moment of the answer.
            async with asyncio.timeout(_ANSWERS_WITHIN_S):
                return await asyncio.shield(doing)
        except TimeoutError:
            doing.add_done_callback(lambda late: late.cancelled() or late.exception())
            raise OutsideUnavailable(f"{self._path} does not answer") from None
        except OSError as error:
            raise OutsideUnavailable(f"{self._path}: {error.strerror or error}") from error

    def _read(self, name: str) -> bytes | None:
        try:
            with (self._path / name).open("rb") as file:
                return file.read(LARGEST_NOTE_BYTES + 1)
        except FileNotFoundError:
            # A folder that is not there (a disk that is not mounted) is not an empty one.
            if not self._path.is_dir():
                raise
            return None

    def _write(self, name: str, note: bytes) -> None:
        handle, beside = tempfile.mkstemp(prefix=f".{name}-", dir=self._path)
        try:
            with os.fdopen(handle, "wb") as file:
                # Whoever audits may read it: there is no company and no secret in it.
                os.fchmod(file.fileno(), 0o644)
                file.write(note)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self._path / name)
        except BaseException:
            os.unlink(beside)
            raise
        folder = os.open(self._path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class Address:
    """An address under which whatever is PUT can be read again: WebDAV, an object store behind a gateway."""

    def __init__(self, address: str, token: str | None = None) -> None:
        self._address = address
        self._headers = {"Content-Type": "text/plain; charset=utf-8"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    async def read(self, name: str) -> bytes | None:
        """This function will return what is kept under the name. Raises OutsideUnavailable."""
        status, body = await self._ask("GET", name, None)
        if status == 404:
            return None
        if status != 200:
            raise OutsideUnavailable(f"{self._address} answered GET with {status}")
        return body

    async def write(self, name: str, note: bytes) -> None:
        """This function will keep the note. Raises OutsideUnavailable."""
        status, _ = await self._ask("PUT", name, note)
        if status not in (200, 201, 204):
            raise OutsideUnavailable(f"{self._address} answered PUT with {status}")

    async def _ask(self, method: str, name: str, content: bytes | None) -> tuple[int, bytes]:
        httpx = await asyncio.to_thread(_httpx)
        try:
            # A client each time: one whose request was cut off in the middle is not used again.
            async with (
                asyncio.timeout(_ANSWERS_WITHIN_S),
                httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=_ANSWERS_WITHIN_S) as client,
                client.stream(
                    method, f"{self._address}/{quote(name)}", content=content, headers=self._headers
                ) as answer,
            ):
                return answer.status_code, await _read_capped(answer)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            raise OutsideUnavailable(f"{self._address}: {str(error) or type(error).__name__}") from error


async def _read_capped(answer: Any) -> bytes:
    body = b""
    async for part in answer.aiter_raw():
        body += part
        if len(body) > LARGEST_NOTE_BYTES:
            break
    return body


def _httpx() -> Any:
    import httpx

    return httpx
