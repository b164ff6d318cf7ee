"""Sheets of scores over HTTP: a trial run, the import, and the bad rows as a sheet to mend.

Neighbours may rely on this: nothing goes in unless `trial=false` says so; the same file twice changes nothing; no cell
of a sheet is repeated in JSON, bad rows go back in a sheet of their own, to whoever sent them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from hashlib import sha256
from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.bodies import received_sheet
from app.api.calls import Call, LeanRoute, ReadBy, ThisCall, problem_response
from app.api.fields import Code, Day, ShortText
from app.api.problems import Problem, error
from app.api.schemas import Sent
from app.api.score_sheet_schemas import SheetFile, SheetReportAnswer
from app.domain.access import lenders_within
from app.products.catalog import UnknownZone
from app.usecases.score_sheets import ScoreImport, SheetReport, import_scores, mending_rows
from app.usecases.sheet_columns import letter
from app.usecases.sheet_rows import NoScheme, ReadRow, SheetRefused, Vocabulary, vocabulary_of

router = APIRouter(route_class=LeanRoute, tags=["scores"])

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class SheetQuery(Sent):
    """Of which zone the sheet is, for whom, and what is done with it."""

    zone: Code = Field(description="高新区代码：整份表同属一区。Code of the zone that the whole sheet is of.")
    lender: Code = Field(description="为哪家机构导入。For which lender.")
    scheme: Code | None = Field(None, description="积分体系代码，只有一个时可省。The scheme, where a zone has several.")
    as_of: Day | None = Field(None, description="表中无评价日期列时给出。The scores' day, where no column tells it.")
    reference: ShortText | None = Field(None, description="来源，如文号。Where the sheet is from.")
    trial: Literal["true", "false"] = Field(
        "true", description="true 仅试运行；false 正式导入。true tells what would be taken; false takes it."
    )
    answer: Literal["report", "sheet"] = Field(
        "report", description="report 为 JSON；sheet 返回未采用的行（XLSX）。sheet gives the bad rows back as XLSX."
    )


class Later(Response):
    """An answer that takes longer than an operation may: it is made when it is sent, and whatever goes wrong is a
    problem, as nothing has left yet.
    """

    def __init__(self, make: Callable[[], Awaitable[Response]]) -> None:
        super().__init__()
        self._make = make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """This function will make the answer and send it."""
        try:
            made = await self._make()
        except Exception as reason:  # noqa: BLE001 - whatever it is, it is answered as a problem
            made = problem_response(reason)
        made.raw_headers.extend(pair for pair in self.raw_headers if pair[0] not in (b"content-length",))
        await made(scope, receive, send)


_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {XLSX: {"schema": {"type": "string", "format": "binary", "maxLength": 2**31 - 1}}}}
}


@router.post("/v1/scores/sheets", response_model=SheetReportAnswer, responses=_ANSWERS)
async def import_score_sheet(
    call: ThisCall, query: Annotated[SheetQuery, Query()], sheet: Annotated[SheetFile, ReadBy(received_sheet)]
) -> Response:
    """导入积分情况表 Import a zone's sheet of scores

    XLSX 或 CSV（UTF-8、GB18030），表头中文、次序不限。先试运行（缺省），再以 trial=false 导入；
    answer=sheet 取回未采用的行。同一文件重复导入不改变任何内容；公式不予计算，含宏的文件不收。
    XLSX or CSV (UTF-8, GB18030) with Chinese heads in any order. First a trial run, as without trial=false nothing is
    taken; answer=sheet gives back the rows that were not. The same file again changes nothing; formulas are never
    carried out, macros refused.
    """
    lender, known = lender_for(call, query.lender), vocabulary(call, query)
    content: bytes = sheet  # type: ignore[assignment]
    asked = ScoreImport(
        lender, known, call.services.now(), query.reference or f"sha256:{sha256(content).hexdigest()}",
        query.trial == "true",
    )  # fmt: skip
    return Later(lambda: _imported(call, content, asked, query.answer == "sheet"))


async def _imported(call: Call, content: bytes, asked: ScoreImport, as_sheet: bool) -> Response:
    services, bad = call.services, []
    keep: Callable[[ReadRow], None] = bad.append if as_sheet else lambda row: None
    try:
        async with services.sheets.open(content, asked.known) as sheet:
            report = await import_scores(sheet, asked, services.score_snapshots, faulty=keep)
    except SheetRefused as refused:
        raise refused_sheet(refused) from None
    if as_sheet:
        heads, lines = mending_rows(report.layout, bad)
        headers = {"Content-Disposition": 'attachment; filename="rows-to-mend.xlsx"'}
        return Response(services.workbook("to mend 待更正", heads, lines), media_type=XLSX, headers=headers)
    return Response(orjson.dumps(report_document(report, asked)), media_type="application/json")


def refused_sheet(refused: SheetRefused) -> Problem:
    """This function will return the problem of a sheet of which nothing is taken."""
    words = {"zh": refused.words.zh, "en": refused.words.en}
    return Problem("sheet-refused", members={"code": refused.code, "reason": words})


def lender_for(call: Call, named: str) -> str:
    """This function will return the lender if it is one of the caller's. Raises Problem."""
    if named not in lenders_within(call.caller.scope(tuple(call.services.catalogue.catalog.lenders))):
        raise Problem("not-found")
    return named


def vocabulary(call: Call, query: SheetQuery, *, whole: bool = False) -> Vocabulary:
    """This function will gather what the words of the zone's sheets stand for. Raises Problem."""
    today = call.services.today()
    as_of = None if query.as_of is None else date.fromisoformat(query.as_of)
    if as_of is not None and as_of > today:
        raise Problem("invalid-request", errors=[error("在未来", "is in the future", parameter="as_of")])
    try:
        return vocabulary_of(
            call.services.catalogue.catalog, query.zone, today=today, as_of=as_of, scheme=query.scheme, whole=whole
        )
    except UnknownZone:
        raise Problem("unknown-code", errors=[error("没有该高新区", "no such zone", parameter="zone")]) from None
    except NoScheme as found:
        names = ", ".join(found.schemes)
        raise Problem("invalid-request", errors=[
            error(f"请指明积分体系：{names}", f"name the scheme: {names}", parameter="scheme")
        ]) from None  # fmt: skip


def report_document(report: SheetReport, asked: ScoreImport) -> dict[str, Any]:
    """This function will write a report as it is answered."""
    return {
        "trial": asked.trial, "lender": asked.lender, "zone": asked.known.zone, "scheme": asked.known.scheme,
        "rows": report.rows, "taken": report.taken, "new": report.new, "unchanged": report.taken - report.new,
        "faulty": report.faulty, "head_row": report.layout.first_row,
        "columns": [
            {"column": letter(c.place), "head": c.head, "taken_as": c.path} for c in report.layout.columns
        ],
        "left_out": [
            {"column": letter(c.place), "head": c.head,
             "why": None if c.why is None else {"zh": c.why.zh, "en": c.why.en}}
            for c in report.layout.left_out
        ],
        "faults": [
            {"row": row, "cell": f.cell, "head": f.head, "code": f.code,
             "message": {"zh": f.words.zh, "en": f.words.en}}
            for row, f in report.faults
        ],
    }  # fmt: skip
