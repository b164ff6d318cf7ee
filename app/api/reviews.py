"""Reviews over HTTP: what a person decides on a referral, and which referrals wait.

Neighbours may rely on this: a review is answered only once it is durable; of final reviews there is one a decision, and
whoever comes second is told what is possible instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from app.api.access import Caller
from app.api.acts import by_caller, record_act
from app.api.calls import LeanRoute, ThisCall
from app.api.cursor import read_cursor, write_cursor
from app.api.decisions import IdempotencyKey
from app.api.fields import DecisionId
from app.api.review_schemas import QueueQuery, ReviewAnswer, ReviewQueuePage, ReviewRequest
from app.audit.application import instant_text
from app.domain.access import within
from app.domain.money import Yuan
from app.usecases.review import OpenReferral, QueueFilter, Referral, Review

router = APIRouter(route_class=LeanRoute, tags=["reviews"])


@router.post("/v1/decisions/{decision_id}/review", status_code=201, response_model=ReviewAnswer)
async def review_decision(
    call: ThisCall,
    decision_id: Annotated[DecisionId, Path()],
    review: ReviewRequest,
    idempotency_key: IdempotencyKey,
) -> Response:
    """复核转人工的决策 Decide on a referral

    人工批准或拒绝为最终结论，每项决策仅一次；RESUBMIT 请企业补充后以同一 application_id 重新提交。
    复核是审计日志中的记录，不改变原决策，也不是银行的审批。
    An approval or a decline by a person is final, one a decision; RESUBMIT asks for the application to be sent again
    under its application_id. A review is a record of the log; it changes nothing of the decision, and is not the bank's
    credit approval.
    """
    found = await call.stored_decision(decision_id)
    referral = Referral.of(found)

    def make(caller: Caller, document: bytes, key: str) -> Review:
        return Review(
            lender=found.lender, subject=decision_id, idempotency_key=key, document=document, referral=referral,
            **by_caller(caller),
        )  # fmt: skip

    return await record_act(call, make)


@router.get("/v1/reviews/queue", response_model=ReviewQueuePage)
async def list_open_referrals(call: ThisCall, query: Annotated[QueueQuery, Query()]) -> Response:
    """待复核队列，最久者在先 Referrals that wait for a person, the oldest first

    尚无最终复核、且同一申请没有更新决策的转人工决策。
    Referrals without a final review whose application has no newer decision.
    """
    services, caller = call.services, call.caller
    scope = caller.scope(services.lenders)
    if query.lender is not None:
        scope = within(scope, query.lender)
    filters = query.model_dump(exclude={"limit", "cursor"}, exclude_none=True)
    after = None if query.cursor is None else read_cursor(services.cursor_key, query.cursor, scope, filters)
    until = query.recorded_until
    asked = QueueFilter(
        scope,
        product=query.product,
        branch=query.branch,
        zone=query.zone,
        recorded_until=None if until is None else datetime.fromisoformat(until),
        resubmitted=query.resubmitted,
    )
    rows = await services.reviews.open_referrals(asked, limit=query.limit + 1, after=after)
    shown, following = rows[: query.limit], None
    if len(rows) > query.limit:
        last = (shown[-1].recorded_at, shown[-1].decision_id)
        following = write_cursor(services.cursor_key, last, scope, filters)
    now = services.now()
    document = {"items": [_shown(row, now) for row in shown], "next_cursor": following}
    return Response(orjson.dumps(document), media_type="application/json")


def _shown(row: OpenReferral, now: datetime) -> Mapping[str, Any]:
    return {
        "decision_id": row.decision_id,
        "lender": row.lender,
        "branch": row.branch,
        "product": row.product,
        "zone": row.zone,
        "application_id": row.application_id,
        "uscc": row.uscc,
        "requested_amount": Yuan(row.requested_amount).text(),
        "reasons": list(row.reasons),
        "recorded_at": instant_text(row.recorded_at),
        "waiting_days": max(0, (now - row.recorded_at).days),
        "asked_again_at": None if row.asked_again_at is None else instant_text(row.asked_again_at),
    }
