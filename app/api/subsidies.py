"""Interest subsidies over HTTP: each quarter's settlement list, the programmes' budgets, and what companies claim.

Neighbours may rely on this: rows are the caller's own lenders'; a quarter that is over has the same list for ever. A
budget's state is the installation's and its operator's; a claim is a lender's own, and a foreign offer is answered as
one that does not exist.
"""

from __future__ import annotations

import csv
import io
from datetime import date
from typing import Annotated, Final, Literal

import orjson
from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.api.access import Caller
from app.api.acts import by_caller, record_act
from app.api.answers import Answered, BothLanguages, Count, Date, Id, Money, Name, NextCursor, PlaceInLog
from app.api.calls import LeanRoute, ThisCall
from app.api.decisions import JSON, IdempotencyKey
from app.api.fields import Code, Day, DecisionId, ShortText, Text
from app.api.pool_schemas import Period
from app.api.problems import Problem, error
from app.api.schemas import Sent
from app.usecases.acts import Act
from app.usecases.subsidies import COLUMNS, settlement_cells, settlement_document, settlement_list
from app.usecases.subsidy_budgets import USED_UP, BudgetRecorded, programme_document
from app.usecases.subsidy_claims import SubsidyClaimed, programmes_of

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


class BudgetRequest(Sent):
    """预算状态。That a programme's budget is used up, or available again."""

    state: Literal["USED_UP", "AVAILABLE"] = Field(description="已用完，或重新可用。Used up, or available again.")
    since: Day = Field(description="自何日起，依主管部门所述。Since when, as its authority says.")
    reason: Text = Field(description="原因。Why.")
    reference: Text = Field(description="来源：通知或文号。The source: a notice, or its number.")


class SubsidyClaimRequest(Sent):
    """企业申领贴息。A company's claim on a subsidy."""

    programme: ShortText = Field(description="贴息项目，如 suzhou-snd/startup-interest-subsidy。The programme.")
    paid_until: Day = Field(description="申领截至该日已付的利息。Interest paid until that day is claimed.")
    claimed_on: Day = Field(description="企业申领之日。The day on which the company claimed.")
    evidence: Text = Field(description="申领材料及其编号。What vouches for it, and where it is kept.")


class ProgrammeShown(Answered):
    """贴息项目及其预算状态。A programme and the state of its budget."""

    id: Name
    name: BothLanguages
    status: Name | None
    claim: Literal["BY_COMPANY", "AUTOMATIC"]
    claim_within_days: Count | None = Field(description="申领期限（自付息日起的天数）。Days within which to claim.")
    budget: Money | None = Field(description="预算，未公布则为空。The budget; null where none is published.")
    budget_state: Literal["USED_UP", "AVAILABLE"]
    since: Date | None
    record_id: Id | None = Field(description="依据的记录。The record that says so.")


class ProgrammePage(Answered):
    """全部贴息项目。Every subsidy programme."""

    items: Annotated[list[ProgrammeShown], Field(max_length=1_000)]
    next_cursor: NextCursor


class BudgetAnswer(Answered):
    """已登记，其后的决策以此为准。Recorded; decisions count by it from then on."""

    record_id: Id
    recorded_at: Name
    state: Name
    programme: Name
    since: Date
    audit_record: PlaceInLog


class SubsidyClaimAnswer(Answered):
    """申领已登记。The claim, recorded."""

    record_id: Id
    recorded_at: Name
    state: Name
    offer_id: Id
    programme: Name
    paid_until: Date
    claimed_on: Date
    interest: Money = Field(description="申领所及的已付利息。The interest paid that it reaches.")
    interest_forfeited: Money = Field(description="其中逾期申领而不予贴息的部分。What of it was claimed too late.")
    audit_record: PlaceInLog


@router.get("/v1/subsidies/programmes", response_model=ProgrammePage)
async def list_subsidy_programmes(call: ThisCall) -> Response:
    """贴息项目及其预算状态 Subsidy programmes, and whether their budgets are used up

    预算用完时，新的预授信不再计入该项贴息，审批结论不变。
    Where a budget is used up new offers do not count the subsidy; whether they are made does not change.
    """
    services = call.services
    states = {row["programme"]: row for row in await services.budgets.states()}
    programmes = services.catalogue.catalog.programmes(on=services.today())
    shown = [programme_document(programme, states.get(programme.id)) for programme in programmes]
    return Response(orjson.dumps({"items": shown, "next_cursor": None}), media_type=JSON)


@router.post("/v1/subsidies/programmes/{zone}/{name}/budget", status_code=201, response_model=BudgetAnswer)
async def record_subsidy_budget(
    call: ThisCall,
    zone: Annotated[Code, Path(description="高新区代码。Zone.")],
    name: Annotated[Code, Path(description="贴息项目代码。The programme's code within its zone.")],
    sent: BudgetRequest,
    idempotency_key: IdempotencyKey,
) -> Response:
    """登记贴息预算状态 Record that a subsidy's budget is used up, or available again

    记入运维日志，须有原因与来源；其后的决策以此为准，先前的决策不变。
    On the operator's log, with its reason and its source; decisions count by it from then on, and earlier ones stay.
    """
    programme = f"{zone}/{name}"
    if all(programme != known.id for known in call.services.catalogue.catalog.programmes(on=call.services.today())):
        raise Problem("not-found")
    fields = {"used_up": sent.state == USED_UP, "since": date.fromisoformat(sent.since)}

    def make(caller: Caller, document: bytes, key: str) -> Act:
        return BudgetRecorded(subject=programme, idempotency_key=key, document=document, **fields, **by_caller(caller))

    return await record_act(call, make)


@router.post("/v1/offers/{offer_id}/subsidy-claims", status_code=201, response_model=SubsidyClaimAnswer)
async def claim_subsidy(
    call: ThisCall,
    offer_id: Annotated[DecisionId, Path()],
    sent: SubsidyClaimRequest,
    idempotency_key: IdempotencyKey,
) -> Response:
    """登记企业申领贴息 Record that a company has claimed a subsidy

    申领所及为此前报送、不晚于 paid_until 且未申领过的实付利息；逾期部分不予贴息。
    It reaches interest that was reported paid before, until `paid_until`, and not claimed yet; what was paid longer ago
    than the programme lets it wait is forfeited. The settlement lists count it from then on.
    """
    if sent.paid_until > sent.claimed_on:
        places = [error("不得晚于 claimed_on", "is never after claimed_on", pointer="/paid_until")]
        raise Problem("invalid-request", errors=places)
    found = await call.services.offers.find(offer_id, call.caller.scope(call.services.lenders))
    if found is None:
        raise Problem("not-found")
    paid_until, claimed_on = date.fromisoformat(sent.paid_until), date.fromisoformat(sent.claimed_on)
    programmes = programmes_of(found.decision)

    def make(caller: Caller, document: bytes, key: str) -> Act:
        return SubsidyClaimed(
            lender=found.lender, subject=offer_id, idempotency_key=key, document=document, programmes=programmes,
            programme=sent.programme, paid_until=paid_until, claimed_on=claimed_on, **by_caller(caller),
        )  # fmt: skip

    return await record_act(call, make)


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
