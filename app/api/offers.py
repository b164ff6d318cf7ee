"""Offers over HTTP: where one stands, what core banking tells of it, and receipts for what was recorded.

Neighbours may rely on this: an offer is seen by whoever sees its decision, and otherwise answered as one that does not
exist; an event is answered only once it is durable.
"""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path
from starlette.responses import PlainTextResponse, Response

from app.api.access import Caller
from app.api.acts import IfMatch, by_caller, expected_version, record_act
from app.api.bodies import checked_document, received_json
from app.api.calls import Call, LeanRoute, ReadBy, ThisCall
from app.api.decisions import JSON, IdempotencyKey
from app.api.fields import DecisionId
from app.api.offer_schemas import OfferAnswer, OfferEventAnswer, OfferEventRequest, fits
from app.api.problems import Problem
from app.ledger.offer import PreApproval
from app.usecases.line_cover import pool_named_by
from app.usecases.offers import (
    OfferEvent,
    StoredOffer,
    events_document,
    life_of,
    offer_document,
    pre_approval_of,
    where_it_stands,
)
from app.usecases.subsidy_claims import claims_document

router = APIRouter(route_class=LeanRoute, tags=["offers"])


@router.get("/v1/offers/{offer_id}", response_model=OfferAnswer)
async def get_offer(call: ThisCall, offer_id: Annotated[DecisionId, Path()]) -> Response:
    """授信现状 Where an offer stands today

    由决策与全部事件按生效日重算；到期不待任何作业。
    Worked out from the decision and every event by its value date; time ends things whether or not any job ran.
    """
    found, services = await _offer(call, offer_id), call.services
    acts = await services.acts.about([offer_id], (found.lender,))
    life, on = life_of(pre_approval_of(found.decision), acts, found.superseded_by), services.today()
    told = {"events": events_document(acts, life), "subsidy_claims": claims_document(acts)}
    document = {**offer_document(life, on), "on": on.isoformat(), **told}
    return Response(orjson.dumps(document), headers={"ETag": f'"{len(life.events)}"'}, media_type=JSON)


@router.post("/v1/offers/{offer_id}/events", status_code=201, response_model=OfferEventAnswer)
async def record_offer_event(
    call: ThisCall,
    offer_id: Annotated[DecisionId, Path()],
    sent: Annotated[OfferEventRequest, ReadBy(received_json)],
    idempotency_key: IdempotencyKey,
    if_match: IfMatch = None,
) -> Response:
    """报送授信事件 Tell what became of an offer

    审批、提款、还款、冲正、逾期、分类、冻结、解冻、撤回、结清。可迟到、可乱序：各项数字按生效日重算。
    Approval, drawdown, repayment, reversal and the rest. Events may come late and out of order: every figure is worked
    out anew by value date. What does not fit is a problem that says where the offer stands and what is possible.
    """
    found, expected = await _offer(call, offer_id), expected_version(call)
    offer, pool = pre_approval_of(found.decision), pool_named_by(found.decision)
    try:
        call.document, event = checked_document(OfferEventRequest, sent)
        fits(event, call.document)
    except Problem as problem:
        raise problem.with_members(await _stands(call, offer, found)) from None

    def make(caller: Caller, document: bytes, key: str) -> OfferEvent:
        return OfferEvent(
            lender=found.lender, subject=offer_id, idempotency_key=key, document=document, offer=offer,
            expected=expected, pool=pool, **by_caller(caller),
        )  # fmt: skip

    return await record_act(call, make, etag=lambda body: f'"{orjson.loads(body)["offer"]["version"]}"')


@router.get("/v1/records/{record_id}/receipt", response_class=PlainTextResponse)
async def get_record_receipt(call: ThisCall, record_id: Annotated[DecisionId, Path()]) -> Response:
    """事项的审计回执 The receipt of a record that is no decision: an event, a review, an exception

    C2SP tlog-proof，同决策的回执。
    A C2SP tlog-proof, as for a decision.
    """
    services = call.services
    found = await services.acts.find(record_id, call.caller.scope(services.lenders))
    if found is None:
        raise Problem("not-found")
    return PlainTextResponse(await services.receipts.receipt_at(found.lender, found.index))


async def _stands(call: Call, offer: PreApproval, found: StoredOffer) -> dict[str, Any]:
    """Where the offer is, and what is possible from there."""
    acts = await call.services.acts.about([offer.offer_id], (found.lender,))
    return where_it_stands(life_of(offer, acts, found.superseded_by), call.services.today())


async def _offer(call: Call, offer_id: str) -> StoredOffer:
    found = await call.services.offers.find(offer_id, call.caller.scope(call.services.lenders))
    if found is None:
        raise Problem("not-found")
    return found
