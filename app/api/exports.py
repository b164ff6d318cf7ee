"""Exports over HTTP: what a search finds, as a file that leaves while it is made.

Neighbours may rely on this: whatever can fail before the first byte is answered as a problem; afterwards only a broken
connection tells the caller that the file is not whole, and nothing of what failed is written anywhere. A caller that
goes away ends the export, and nothing of it is left.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from app.api.calls import LeanRoute, ThisCall, log_failure
from app.api.schemas import DecisionFilters
from app.api.search import search_of
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
    """A stream that begins with its first bytes and is closed however it ends; a caller who goes away ends it at any
    time, also while a file is still being made.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.body_iterator.aclose()

    async def stream_response(self, send: Send) -> None:
        # What fails here has sent nothing yet, so the edge answers it as a problem.
        chunk = await anext(self.body_iterator, b"")
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            while chunk:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                chunk = await anext(self.body_iterator, b"")
        except OSError:
            raise
        except Exception as reason:  # noqa: BLE001 - whatever it is, its words are not for the server's log
            log_failure(reason)
            raise ExportBroken from None
        await send({"type": "http.response.body", "body": b"", "more_body": False})


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
    name = f"decisions-{services.today():%Y%m%d}.{query.format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Type": MEDIA_TYPES[query.format]}
    # Nothing is awaited here: a file may take longer than the deadline of an operation.
    return _Leaving(services.exports.stream(query.format, pages), headers=headers)
