"""Exports over HTTP: what a search finds, as a file that leaves while it is made.

Neighbours may rely on this: whatever can fail before the first byte is answered as a problem; afterwards only a broken
connection tells the caller that the file is not whole, and nothing of what failed is written anywhere. A caller that
goes away ends the export, and nothing of it is left.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from app.api.calls import LeanRoute, ThisCall, log_failure
from app.api.schemas import DecisionFilters
from app.api.searching import search_of
from app.usecases.export import exported_pages

router = APIRouter(route_class=LeanRoute, tags=["decisions"])

MEDIA_TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
    "jsonl": "application/jsonl",
}


class ExportQuery(DecisionFilters):
    """Which decisions, and as what."""

    format: Literal["csv", "xlsx", "parquet", "jsonl"] = Field("csv", description="文件格式。Kind of file.")


class ExportBroken(Exception):
    """An export failed when part of it had left; what failed stands in the log, without its words."""


class _Leaving(StreamingResponse):
    """A stream that is closed however it ends."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.body_iterator.aclose()


_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {
            kind.partition(";")[0]: {"schema": {"type": "string", "format": "binary", "maxLength": 2**31 - 1}}
            for kind in MEDIA_TYPES.values()
        }
    }
}


@router.get("/v1/decisions/export", response_class=Response, responses=_FILE)
async def export_decisions(call: ThisCall, query: Annotated[ExportQuery, Query()]) -> Response:
    """导出决策 Export decisions as CSV, XLSX, Parquet or JSON lines

    筛选条件与查询相同；由新到旧，以开始时为准，之后新增的不在其内。每行附日志序号与叶哈希，每个日志的首行附签名检查点，
    可用 `jifendai verify rows` 核验。CSV 可直接用 Excel 打开。
    The filters of the search; newest first, as of the beginning. Each row has its index and leaf hash, the first row of
    each log its signed checkpoint: `jifendai verify rows` verifies the file. CSV opens in a spreadsheet as it is.
    """
    services = call.services
    pages = exported_pages(search_of(call, query), services.search, services.decisions)
    stream = services.exports.stream(query.format, pages)
    try:
        first = await anext(stream, b"")
    except BaseException:
        await stream.aclose()
        raise
    name = f"decisions-{services.today():%Y%m%d}.{query.format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Type": MEDIA_TYPES[query.format]}
    return _Leaving(_whole(first, stream), headers=headers)


async def _whole(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    try:
        yield first
        async for chunk in rest:
            yield chunk
    except Exception as reason:  # noqa: BLE001 - whatever it is, its words are not for the server's log
        # What the server says of an exception repeats its words, and those may be a company's.
        log_failure(reason)
        raise ExportBroken from None
    finally:
        await rest.aclose()
