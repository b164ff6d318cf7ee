"""jifendai export decisions: what a search finds, as a file, from the database without a service."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from app.adapters.export_files import ExportFiles
from app.api.problems import Problem, invalid_query
from app.api.schemas import DecisionFilters
from app.api.search import search_within
from app.cli.installation import FAULTY, Refused, its_database, its_settings, say
from app.usecases.export import Exported, exported_pages
from app.usecases.search import Search

_TELLS_EVERY = 10_000


def export(options: argparse.Namespace) -> None:
    """This function will write the file, and say how far it is."""
    filters = {name: getattr(options, name) for name in DecisionFilters.model_fields}
    form = options.format or (options.output.suffix[1:] if options.output else "csv")
    if form not in ("csv", "xlsx", "parquet", "jsonl"):
        raise Refused(FAULTY, "--format: csv, xlsx, parquet or jsonl 文件格式为以上之一")
    if options.output is None and sys.stdout.isatty() and form in ("xlsx", "parquet"):
        raise Refused(FAULTY, f"--output FILE: {form} is no text for a terminal. 请以 --output 指定文件")
    rows = asyncio.run(_exporting(form, filters, options.output))
    say(f"{rows:,} decisions written. 已导出 {rows:,} 项决策")


async def _exporting(form: str, filters: dict[str, str | None], output: Path | None) -> int:
    settings = its_settings()
    rows = 0

    async def told(pages: AsyncIterator[Exported]) -> AsyncIterator[Exported]:
        nonlocal rows
        async for page in pages:
            before, rows = rows, rows + len(page.found)
            if before // _TELLS_EVERY < rows // _TELLS_EVERY:
                say(f"{rows:,} …")
            yield page

    async with its_database(settings) as database:
        asked = _asked(filters, await database.trail.lenders())
        pages = told(exported_pages(asked, database.search, database.decisions))
        async with contextlib.aclosing(ExportFiles(settings.data_dir).stream(form, pages)) as stream:
            with _written(output) as file:
                async for chunk in stream:
                    file.write(chunk)
    return rows


def _asked(filters: dict[str, str | None], lenders: tuple[str, ...]) -> Search:
    given = {name: value for name, value in filters.items() if value is not None}
    try:
        return search_within(lenders, DecisionFilters.model_validate(given))
    except ValidationError as refusal:
        problem = invalid_query(refusal, list(given))
    except Problem as refusal:
        problem = refusal
    places = [(f"--{found['parameter'].replace('_', '-')}", found["message"]) for found in problem.errors]
    raise Refused(FAULTY, *(f"{place}: {words['en']} {words['zh']}" for place, words in places)) from None


@contextlib.contextmanager
def _written(output: Path | None) -> Iterator[BinaryIO]:
    """The file comes under its name once it is whole; what was broken off leaves nothing."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    partial = output.with_name(output.name + ".partial")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(output)
    except OSError as error:
        raise Refused(FAULTY, f"{output} cannot be written: {error.strerror}. 无法写入") from None
    finally:
        partial.unlink(missing_ok=True)
