"""Exceptions (破格) over HTTP: asked for by one person, settled by another, and what became of those approved.

Neighbours may rely on this: who asks and who settles are people (工号), whatever key they use; a system's key asks for
nothing and settles nothing; an exception is seen by whoever sees its decision.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.responses import Response

from app.api.access import Caller
from app.api.acts import by_caller, record_act
from app.api.answers import Answered, BothLanguages, Date, Id, Moment, Money, Name, NextCursor, PlaceInLog, Words200
from app.api.calls import Call, LeanRoute, ThisCall
from app.api.cursor import read_cursor, write_cursor
from app.api.decisions import JSON, IdempotencyKey
from app.api.fields import Code, Cursor, DecisionId, GatePath, PositiveAmount, ShortText, Text
from app.api.offer_schemas import Classification, PastDueShown, StatusName
from app.api.problems import Problem
from app.api.schemas import Sent
from app.domain.access import lenders_within, within
from app.usecases.act_rows import StoredAct
from app.usecases.exceptions import (
    REQUEST_FORMAT,
    ExceptionApproval,
    ExceptionRequest,
    exception_document,
    settlement_of,
)
from app.usecases.offers import life_of, offer_document, pre_approval_of
from app.usecases.ports import StoredDecision

router = APIRouter(route_class=LeanRoute, tags=["exceptions"])

StateName = Literal["REQUESTED", "APPROVED", "REJECTED"]
OutcomeName = Literal["PRE_APPROVED", "REFERRED", "DECLINED"]


class ExceptionSent(Sent):
    """破格申请。What one person asks for."""

    gate: GatePath = Field(description="未满足的准入条件，即决策 trace 中的 step。The gate, as `step` in the trace.")
    evidence: Text = Field(description="依据的证据及其编号。The evidence that speaks for it, and where it is found.")
    reason: Text = Field(description="理由。Why.")


class SettlementSent(Sent):
    """破格审批。What another person decides."""

    outcome: Literal["APPROVED", "REJECTED"] = Field(description="批准或否决。Approved or rejected.")
    authority: ShortText = Field(
        description="审批人的权限，例如“分行行长”；产品列明授权的，为其代码。By which authority; its code, where the "
        "product names its authorities."
    )
    up_to: PositiveAmount | None = Field(
        None, description="权限所及的额度；缺省为申请金额，且不超过产品所列。What the authority covers; absent: what "
        "was asked for, within what the product gives it."
    )
    comment: Text | None = Field(None, description="意见。A comment.")


class ExceptionsQuery(Sent):
    """Which exceptions to show, newest first."""

    model_config = Sent.model_config | {"strict": False}

    lender: Code | None = Field(None, description="机构代码。Lender.")
    limit: Annotated[int, Field(ge=1, le=100, json_schema_extra={"format": "int32"})] = Field(
        50, description="每页条数，1 至 100。Rows a page, 1 to 100."
    )
    cursor: Cursor | None = Field(None, description="上一页的 next_cursor。next_cursor of the page before.")


class NewDecision(Answered):
    """据以作出的新决策。The decision that was made with the gate let go."""

    decision_id: Id
    outcome: OutcomeName
    offer_id: Id | None


class Performance(Answered):
    """破格授信的后续表现。What became of the offer that came of it."""

    status: StatusName
    approved_limit: Money | None
    disbursed: Money
    outstanding: Money
    past_due: PastDueShown
    classification: Classification | None
    on: Date


class AuthorityShown(Answered):
    """有权审批者及其额度。Who may approve, and up to which credit limit."""

    code: Name
    name: BothLanguages
    up_to: Money


Authorities = Annotated[list[AuthorityShown], Field(max_length=1_000)]


class ExceptionAnswer(Answered):
    """破格申请、审批及后续表现。An exception: asked for, settled, and what became of it."""

    exception_id: Id
    lender: Name
    decision_id: Id
    state: StateName
    gate: Name
    evidence: Words200
    reason: Words200
    authority_needed: BothLanguages = Field(description="产品条款要求的权限。The authority that the product asks for.")
    evidence_needed: BothLanguages = Field(description="产品条款要求的证据。The evidence that the product asks for.")
    authorities: Authorities | None = Field(description="产品列明的授权；空为未列明。Who may; null: not named.")
    requested_by: Name
    requested_at: Moment
    settled_by: Name | None
    settled_at: Moment | None
    authority: Name | None
    authority_basis: Literal["PRODUCT", "APPROVER"] | None = Field(
        description="权限的依据：产品条款，或审批人自述。The product's terms, or the approver's own word."
    )
    up_to: Money | None = Field(description="权限所及的额度。The limit that the authority covers.")
    comment: Words200 | None
    new_decision: NewDecision | None
    performance: Performance | None


class ExceptionPage(Answered):
    """破格清单，由新到旧。Exceptions, newest first."""

    items: list[ExceptionAnswer]
    next_cursor: NextCursor


class ExceptionRequested(Answered):
    """申请已记录，待另一人审批。Recorded; another person settles it."""

    record_id: Id
    recorded_at: Moment
    state: StateName
    exception_id: Id
    decision_id: Id
    gate: Name
    requested_by: Name
    authority_needed: BothLanguages
    evidence_needed: BothLanguages
    authorities: Authorities | None
    audit_record: PlaceInLog


class ExceptionSettled(Answered):
    """审批已记录；批准的附新决策。Recorded; with the new decision where it was approved."""

    record_id: Id
    recorded_at: Moment
    state: StateName
    exception_id: Id
    decision_id: Id
    gate: Name
    requested_by: Name
    settled_by: Name
    authority: Name
    authority_basis: Literal["PRODUCT", "APPROVER"] | None
    up_to: Money | None
    new_decision: NewDecision | None
    audit_record: PlaceInLog


@router.post("/v1/decisions/{decision_id}/exceptions", status_code=201, response_model=ExceptionRequested)
async def request_exception(
    call: ThisCall,
    decision_id: Annotated[DecisionId, Path()],
    exception: ExceptionSent,
    idempotency_key: IdempotencyKey,
) -> Response:
    """申请破格 Ask that a failed gate be let go

    仅限产品条款允许破格的条件，且满足其所列条件；须由另一人审批。
    Only a gate that the product's terms let go, where what they ask for holds; another person settles it.
    """
    decision = await _decision(call, decision_id)

    def make(caller: Caller, document: bytes, key: str) -> ExceptionRequest:
        return ExceptionRequest(
            lender=decision.lender, subject=decision_id, idempotency_key=key, document=document, decision=decision,
            person=caller.person, **by_caller(caller),
        )  # fmt: skip

    return await record_act(call, make)


@router.get("/v1/exceptions", response_model=ExceptionPage)
async def list_exceptions(call: ThisCall, query: Annotated[ExceptionsQuery, Query()]) -> Response:
    """破格清单及后续表现 Exceptions, and what became of them

    供风险管理使用：谁申请、谁批准、凭何权限，以及据此授信的现状。
    For risk teams: who asked, who approved, by which authority, and where the line that came of it stands.
    """
    services = call.services
    scope = lenders_within(call.caller.scope(services.lenders))
    if query.lender is not None:
        scope = within(scope, query.lender)
    filters = {"list": "exceptions", "lender": query.lender}
    after = None if query.cursor is None else read_cursor(services.cursor_key, query.cursor, scope, filters)
    found = await services.acts.search([REQUEST_FORMAT], scope, limit=query.limit + 1, after=after) if scope else ()
    shown, following = found[: query.limit], None
    if len(found) > query.limit:
        last = (shown[-1].recorded_at, shown[-1].record_id)
        following = write_cursor(services.cursor_key, last, scope, filters)
    seen = [one for one in shown if await _seen(call, one.subject)]
    return Response(
        orjson.dumps({"items": [await _told(call, one) for one in seen], "next_cursor": following}), media_type=JSON
    )


@router.get("/v1/exceptions/{exception_id}", response_model=ExceptionAnswer)
async def get_exception(call: ThisCall, exception_id: Annotated[DecisionId, Path()]) -> Response:
    """读取一项破格 Read one exception"""
    request, _ = await _exception(call, exception_id)
    return Response(orjson.dumps(await _told(call, request)), media_type=JSON)


@router.post("/v1/exceptions/{exception_id}/approval", status_code=201, response_model=ExceptionSettled)
async def settle_exception(
    call: ThisCall,
    exception_id: Annotated[DecisionId, Path()],
    settlement: SettlementSent,
    idempotency_key: IdempotencyKey,
) -> Response:
    """审批破格 Approve or reject an exception, as another person

    批准即按今日条款与占用重新决策：新决策载明原决策、条件、证据、权限及其额度与两人；额度超出权限则拒绝。自批一律拒绝，以工号区分。
    Approval makes a new decision under today's terms and standing, which names the original, the gate, the evidence,
    the authority with the amount that it covers, and both people; what would offer more is refused. Nobody approves
    his own request; people are told apart by subject, not by key.
    """
    request, decision = await _exception(call, exception_id)

    def make(caller: Caller, document: bytes, key: str) -> ExceptionApproval:
        return ExceptionApproval(
            lender=request.lender, subject=request.subject, idempotency_key=key, document=document, request=request,
            decision=decision, person=caller.person, **by_caller(caller),
        )  # fmt: skip

    return await record_act(call, make)


# ---- the parts -------------------------------------------------------------------------------------------------------


async def _seen(call: Call, decision_id: str) -> StoredDecision | None:
    return await call.services.decisions.find(decision_id, call.caller.scope(call.services.lenders))


async def _decision(call: Call, decision_id: str) -> StoredDecision:
    found = await _seen(call, decision_id)
    if found is None:
        raise Problem("not-found")
    return found


async def _exception(call: Call, exception_id: str) -> tuple[StoredAct, StoredDecision]:
    scope = lenders_within(call.caller.scope(call.services.lenders))
    found = await call.services.acts.find(exception_id, scope)
    if found is None or found.format != REQUEST_FORMAT:
        raise Problem("not-found")
    return found, await _decision(call, found.subject)


async def _told(call: Call, request: StoredAct) -> dict[str, Any]:
    services, lender = call.services, (request.lender,)
    settled = settlement_of(request, await services.acts.about([request.subject], lender))
    document = exception_document(request, settled)
    made = document["new_decision"]
    document["performance"] = None
    if made is not None and made["offer_id"] is not None:
        offer = await services.offers.find(made["offer_id"], lender)
        events = await services.acts.about([made["offer_id"]], lender)
        life = life_of(pre_approval_of(offer.decision), events, offer.superseded_by)
        standing = offer_document(life, services.today())
        document["performance"] = {name: standing[name] for name in _PERFORMANCE} | {"on": services.today().isoformat()}
    return document


_PERFORMANCE = ("status", "approved_limit", "disbursed", "outstanding", "past_due", "classification")
