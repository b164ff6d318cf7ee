"""Interest subsidies over HTTP: each quarter's settlement list.

Neighbours may rely on this: rows are the caller's own lenders'; a quarter that is over has the same list for ever.
"""

from __future__ import annotations

import csv
import io
from typing import Annotated, Final, Literal

import orjson
from fastapi import APIRouter, Query
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.api.answers import Answered, Money, Name, NextCursor
from app.api.calls import LeanRoute, ThisCall
from app.api.pool_schemas import Period
from app.api.schemas import Sent
from app.usecases.subsidies import COLUMNS, settlement_cells, settlement_document, settlement_list

router = APIRouter(route_class=LeanRoute, tags=["subsidies"])
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_FILE: Final = {
    200: {
        "content": {
            "text/csv": {"schema": {"type": "string", "maxLength": 100_000_000}},
            _XLSX: {"schema": {"type": "string", "contentMediaType": _XLSX, "maxLength": 100_000_000}},
        }
    }
}


class SettlementsQuery(Sent):
    """Which quarter's list, and in which form."""

    period: Period = Field(description="季度，如 2026Q4。A quarter, such as 2026Q4.", examples=["2026Q4"])
    format: Literal["json", "csv", "xlsx"] = Field("json", description="形式。The form of the answer.")


class PayerPart(Answered):
    """一级财政承担的部分。What one budget pays."""

    payer: Name
    amount: Money


class SettlementShown(Answered):
    """结算清单一行；负数为冲减。One row; below zero where an earlier list gave too much."""

    period: Name
    programme: Name
    claim: Literal["BY_COMPANY", "AUTOMATIC"]
    lender: Name
    offer_id: Name
    uscc: Name
    interest_paid: Money
    amount: Money
    settled_in_all: Money
    payers: Annotated[list[PayerPart], Field(max_length=10)]
    bounds: Annotated[list[Name], Field(max_length=10)]


class SettlementPage(Answered):
    """贴息结算清单。A quarter's settlement list."""

    items: Annotated[list[SettlementShown], Field(max_length=1_000_000)]
    next_cursor: NextCursor


@router.get("/v1/subsidies/settlements", response_model=SettlementPage, responses=_FILE)
async def list_settlements(call: ThisCall, query: Annotated[SettlementsQuery, Query()]) -> Response:
    """贴息结算清单 A quarter's settlement list of interest subsidies

    按已报送的实付利息计，不按应计利息；不超过实付利息。期末之后报送的记入其后的季度。
    On interest reported paid, never on accrued, and never more than it. What is reported after the quarter's end stands
    in a later list.
    """
    services = call.services
    found = await settlement_list(services.acts, services.offers, services.lenders, query.period)
    shown = [settlement_document(row, query.period) for row in found if call.caller.sees(row.lender)]
    if query.format == "json":
        return Response(orjson.dumps({"items": shown, "next_cursor": None}), media_type="application/json")
    cells = [settlement_cells(row) for row in shown]
    name = f"subsidies-{query.period}.{query.format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if query.format == "csv":
        return Response(_csv(cells), media_type="text/csv; charset=utf-8", headers=headers)
    body = await run_in_threadpool(services.workbook, query.period, COLUMNS, cells)
    return Response(body, media_type=_XLSX, headers=headers)


def _csv(rows: list[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    # The mark lets spreadsheet programs read it as UTF-8.
    return text.getvalue().encode("utf-8-sig")
