"""Exports on their way out: pages become bytes, never the whole in memory.

Neighbours may rely on this: CSV and JSON lines leave page by page; XLSX and Parquet are made by a process of their own
in a folder of the data dir that goes with it, whatever happens, and leave once they are whole, so that a failure comes
before the first byte. Only a few exports run at a time. `aclose` of the stream, or its end, gives everything back.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Final

from app.adapters.export_text import csv_head, csv_lines, json_lines
from app.usecases.export import Exported
from app.usecases.obstacles import ExportsBusy

MEDIA_TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
_MOST_AT_A_TIME: Final = 2
_CHUNK: Final = 1 << 18
_ENDS: Final = b"\n"


class ExportFiles:
    """Writes exports; `folder` is where files lie while they are made."""

    def __init__(self, folder: Path, *, most_at_a_time: int = _MOST_AT_A_TIME) -> None:
        self._folder = folder.absolute()
        self._left = most_at_a_time

    async def stream(self, form: str, pages: AsyncIterator[Exported]) -> AsyncGenerator[bytes, None]:
        """This function will give the file's bytes. Raises ExportsBusy before the first of them where too many run."""
        if self._left <= 0:
            raise ExportsBusy
        self._left -= 1
        try:
            made = _as_text(form, pages) if form in ("csv", "jsonl") else self._as_file(form, pages)
            async with contextlib.aclosing(made):
                async for chunk in made:
                    yield chunk
        finally:
            self._left += 1

    async def _as_file(self, form: str, pages: AsyncIterator[Exported]) -> AsyncGenerator[bytes, None]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = tempfile.mkdtemp(prefix="export-", dir=self._folder)
        starting = asyncio.create_task(_begin(form, folder))
        try:
            process = await asyncio.shield(starting)
            await _feed(process, pages)
            while chunk := await process.stdout.read(_CHUNK):
                yield chunk
            if await process.wait() != 0:
                raise RuntimeError("the process that makes the file has failed")
        finally:
            # A task of its own: the scope of a caller who has gone away cancels at every further await.
            await asyncio.shield(asyncio.create_task(_cleared(starting, folder)))


async def _begin(form: str, folder: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.adapters.export_workbook", form, folder, stdin=PIPE, stdout=PIPE,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip


async def _cleared(starting: asyncio.Task[Process], folder: str) -> None:
    try:
        process = await starting
        if process.returncode is None:
            process.kill()
            await process.wait()
    except OSError:
        # It did not start, which its caller has been told, or has just ended.
        pass
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _as_text(form: str, pages: AsyncIterator[Exported]) -> AsyncGenerator[bytes, None]:
    # The head goes out with the first page: what fails before there is one, fails before the first byte.
    lines, head = (csv_lines, csv_head()) if form == "csv" else (json_lines, b"")
    async for page in pages:
        yield head + await asyncio.to_thread(lambda page=page: lines(page.rows()))
        head = b""
    if head:
        yield head


async def _feed(process: Process, pages: AsyncIterator[Exported]) -> None:
    try:
        async for page in pages:
            process.stdin.write(await asyncio.to_thread(lambda page=page: json_lines(page.rows())))
            await process.stdin.drain()
        process.stdin.write(_ENDS)
        await process.stdin.drain()
        process.stdin.close()
    except (BrokenPipeError, ConnectionResetError) as error:
        raise RuntimeError("the process that makes the file has gone") from error
