"""Sheets on their way in: each is read by a process of its own, a few at a time, and comes out page by page.

Neighbours may rely on this: no more than one page of rows is in memory; whatever a file does to the process that reads
it, what comes of it is rows, or SheetRefused; leaving the context ends the process and removes the file.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson

from app.domain.terms import Words
from app.usecases.obstacles import SheetsBusy
from app.usecases.score_sheets import ColumnLeftOut, ColumnTaken, SheetLayout
from app.usecases.sheet_rows import ReadRow, RowFault, SheetRefused, Vocabulary

ROWS_A_PAGE: Final = 500
_MOST_AT_A_TIME: Final = 2
_LONGEST_LINE: Final = 1 << 20
_SILENT_FOR_S: Final = 120


class OpenSheet:
    """One sheet while it is being read."""

    def __init__(self, layout: SheetLayout, lines: AsyncIterator[dict[str, Any]]) -> None:
        self.layout = layout
        self._lines = lines

    async def pages(self) -> AsyncIterator[tuple[ReadRow, ...]]:
        """This function will give the rows, up to ROWS_A_PAGE at a time. Raises SheetRefused."""
        page: list[ReadRow] = []
        async for line in self._lines:
            if "end" in line:
                break
            page.append(_row(line))
            if len(page) >= ROWS_A_PAGE:
                yield tuple(page)
                page = []
        else:
            raise _broken_off()
        if page:
            yield tuple(page)


class SheetFiles:
    """Opens sheets; `folder` is where a file lies while it is read."""

    def __init__(self, folder: Path, *, most_at_a_time: int = _MOST_AT_A_TIME) -> None:
        self._folder = folder.absolute()
        self._left = most_at_a_time

    @contextlib.asynccontextmanager
    async def open(self, content: bytes, known: Vocabulary) -> AsyncIterator[OpenSheet]:
        """This function will open the sheet. Raises SheetRefused, and SheetsBusy where too many are open."""
        if self._left <= 0:
            raise SheetsBusy
        self._left -= 1
        process = None
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(prefix="sheet-", dir=self._folder) as file:
                await asyncio.to_thread(_write, file, content)
                process = await _begin(file.name, known)
                lines = _lines(process)
                first = await anext(lines, None)
                if first is None:
                    raise _broken_off()
                yield OpenSheet(_layout(first["layout"]), lines)
        finally:
            self._left += 1
            if process is not None and process.returncode is None:
                process.kill()
                await process.wait()


def _write(file: Any, content: bytes) -> None:
    file.write(content)
    file.flush()


async def _begin(path: str, known: Vocabulary) -> Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.adapters.sheet_process", path, stdin=PIPE, stdout=PIPE, stderr=DEVNULL,
        cwd=Path(__file__).parents[2], limit=_LONGEST_LINE,
    )  # fmt: skip
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(msgspec.json.encode(known))
        await process.stdin.drain()
    process.stdin.close()
    return process


async def _lines(process: Process) -> AsyncIterator[dict[str, Any]]:
    while True:
        try:
            async with asyncio.timeout(_SILENT_FOR_S):
                written = await process.stdout.readline()
        except (TimeoutError, ValueError):
            raise _broken_off() from None
        if not written.endswith(b"\n"):
            return
        line = orjson.loads(written)
        if "refused" in line:
            raise SheetRefused(*line["refused"])
        yield line


def _broken_off() -> SheetRefused:
    return SheetRefused("UNREADABLE", "读取该文件超出时间或内存上限，或文件已损坏",
                        "reading the file took more time or memory than it may, or it is damaged")  # fmt: skip


def _layout(told: Mapping[str, Any]) -> SheetLayout:
    return SheetLayout(
        told["first_row"],
        tuple(told["heads"]),
        tuple(ColumnTaken(c["place"], c["head"], c["path"]) for c in told["columns"]),
        tuple(
            ColumnLeftOut(c["place"], c["head"], None if c["why"] is None else Words(c["why"]["zh"], c["why"]["en"]))
            for c in told["left_out"]
        ),
    )


def _row(line: Mapping[str, Any]) -> ReadRow:
    if "document" in line:
        return ReadRow(line["row"], line["document"])
    faults = (RowFault(code, Words(zh, en), cell, head) for code, zh, en, cell, head in line["faults"])
    return ReadRow(line["row"], None, tuple(faults), tuple(line["cells"]))
