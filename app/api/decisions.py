"""Decisions and previews over HTTP.

Neighbours may rely on this: a decision is answered only once it is durable, and always 201, whatever its outcome; its
bytes are those that were recorded; the same key and body get the same bytes again. A product of somebody else's lender
is answered as one that does not exist.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import date
from hashlib import sha256
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Header, Path
from starlette.responses import PlainTextResponse, Response

from app.api.answers import DecisionAnswer, ReplayAnswer
from app.api.applications import SentApplication, read_application
from app.api.calls import Call, LeanRoute, ReadBy, ThisCall
from app.api.fields import DecisionId
from app.api.problems import Problem
from app.api.review_schemas import DecisionRead
from app.api.schemas import DecisionRequest, PreviewRequest
from app.api.shelf import shelf_document
from app.api.shelf_schemas import PreviewAnswer
from app.audit.application import application_from_document
from app.audit.canonical import canonical_bytes
from app.domain.access import branches_within, lender_of
from app.usecases.days import day_in_shanghai
from app.usecases.decide import Answer, submission_of
from app.usecases.obstacles import KeysChanged, NoSuchProduct
from app.usecases.preview import Preview, preview, previewed_document
from app.usecases.replay import replay_stored
from app.usecases.review import newest_review
from app.usecases.shelf import shelf_rows

JSON: Final = "application/json"
router = APIRouter(route_class=LeanRoute, tags=["decisions"])

_KEY: Final = re.compile(rb'"([!#-\[\]-~]{1,255})"|([!#-~][!-~]{0,254})')
_ID_MARK: Final = b'"decision_id":"'
# Quotes are escaped inside any string, so this is the outcome itself.
_REFERRED: Final = b'"outcome":"REFERRED"'
_REPLAYED: Final = "Idempotent-Replayed"

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key", min_length=1, max_length=257, pattern=r'^("[!#-\[\]-~]{1,255}"|[!#-~][!-~]{0,254})$',
        description="贵方的唯一键，1 至 255 个可见 ASCII 字符，可加双引号；重试用同一键，得到同一结果。"
        "A key of your own, 1 to 255 visible ASCII characters, bare or quoted; a retry with it gets the same answer.",
    ),
]  # fmt: skip


@router.post("/v1/decisions", status_code=201, response_model=DecisionAnswer)
async def decide(
    call: ThisCall, sent: Annotated[DecisionRequest, ReadBy(read_application)], idempotency_key: IdempotencyKey
) -> Response:
    """申请授信决策 Ask for a decision"""
    key = sent_key(call)
    lookups = call.services.lookups
    if sent.application.innovation_score is None and lookups is not None and lookups.wants(sent.application):
        _permit_product(call, sent.application.product)
        found = await lookups.for_decision(sent.application, call.services.decisions, key)
        # What the platform said is no part of what the key is bound to.
        sent = SentApplication(sent.document, found)
    answer = await _decided(call, sent, key)
    headers = {"Location": f"/v1/decisions/{_id_in(answer.body)}"}
    if answer.replayed:
        headers[_REPLAYED] = "true"
    return Response(answer.body, 201, headers, JSON)


@router.post("/v1/decisions/preview", response_model=PreviewAnswer, name="preview")
async def preview_decision(call: ThisCall, application: PreviewRequest) -> Response:
    """试算，不作决策 Preview: what would be decided, without deciding

    不指明产品即为金融超市：您可见机构在该高新区的全部产品并列对比额度、利率、综合成本、贴息与抵押，并附还差什么即可更优
    （逐项以原规则重新决策验证）；条款未公布的产品附已知信息。
    Without a product it is the shelf: every product of your lenders in that zone side by side — limit, rate, all-in
    cost, subsidy, collateral — with what is missing for a better answer (each proved by deciding again), and products
    whose terms are not published with what is known of them.
    """
    services, caller, document = call.services, call.caller, call.document
    fingerprint = sha256(canonical_bytes(document)).digest()
    if application.product is not None:
        _permit_product(call, application.product)
    # The clock is read once: at midnight in Shanghai two readings would be of two days.
    at, day = services.now(), document.pop("on", None)
    on = day_in_shanghai(at) if day is None else date.fromisoformat(day)
    document["product"] = application.product or ""
    asked = Preview(
        application=application_from_document(document),
        fingerprint=fingerprint,
        previewed_by=caller.subject,
        previewed_for=caller.actor,
        lenders=caller.scope(services.lenders),
        at=at,
        on=on,
    )
    found = await preview(
        asked,
        catalogue=services.catalogue,
        decisions=services.decisions,
        previews=services.previews,
        pools=services.pools,
        budgets=services.budgets,
        new_id=services.new_id,
        # A preview on another day is made from what is sent: no platform tells what it would have said then.
        lookups=services.lookups if on == day_in_shanghai(at) else None,
    )
    rows = None if application.product else shelf_document(shelf_rows(found, services.catalogue.catalog, on))
    return _json({"on": on.isoformat(), "items": [previewed_document(one, at) for one in found], "shelf": rows})


@router.get("/v1/decisions/{decision_id}", response_model=DecisionRead)
async def get_decision(call: ThisCall, decision_id: Annotated[DecisionId, Path()]) -> Response:
    """读取一项决策 Read one decision

    转人工的决策附最近一次复核。A referral comes with its last review.
    """
    found = await call.stored_decision(decision_id)
    if _REFERRED not in found.answer:
        return Response(found.answer, media_type=JSON)
    # The answer's own bytes stay as they are; what people made of a referral comes behind them.
    review = newest_review(await call.services.acts.about([decision_id], (found.lender,)))
    return Response(b'%b,"review":%b}' % (found.answer[:-1], orjson.dumps(review)), media_type=JSON)


@router.get("/v1/decisions/{decision_id}/receipt", response_class=PlainTextResponse)
async def get_receipt(call: ThisCall, decision_id: Annotated[DecisionId, Path()]) -> Response:
    """审计回执 The receipt: proof that the decision stands in the audit log

    C2SP tlog-proof：任何人均可凭回执、记录与日志公钥离线核验，无需本服务。
    A C2SP tlog-proof: whoever has it, the record and the log's public key verifies offline, without this service.
    """
    receipt = await call.services.receipts.receipt(decision_id, call.caller.scope(call.services.lenders))
    if receipt is None:
        raise Problem("not-found")
    return PlainTextResponse(receipt)


@router.post("/v1/decisions/{decision_id}/replay", response_model=ReplayAnswer)
async def replay_decision(call: ThisCall, decision_id: Annotated[DecisionId, Path()]) -> Response:
    """重算并逐字节比对 Decide again from the record, and compare byte for byte

    只用记录中的申请、条款、占用与规则版本；此后更换的产品目录不影响结果。不作新决策。
    From the recorded application, terms, standing and edition alone: a catalogue that came later changes nothing. No
    decision is made.
    """
    found = await call.stored_decision(decision_id)
    try:
        differences = [asdict(difference) for difference in replay_stored(found)]
    except ValueError:
        raise Problem("not-replayable") from None
    return _json({"result": "DIFFERENT" if differences else "IDENTICAL", "differences": differences})


# ---- the parts -------------------------------------------------------------------------------------------------------


def sent_key(call: Call) -> str:
    """This function will return the Idempotency-Key without its quotes. Raises Problem (400)."""
    sent = call.header_values(b"idempotency-key")
    if not sent:
        raise Problem("idempotency-key-missing")
    found = _KEY.fullmatch(sent[0]) if len(sent) == 1 else None
    if found is None:
        raise Problem("idempotency-key-malformed")
    return (found[1] or found[2]).decode("ascii")


async def _decided(call: Call, sent: SentApplication, key: str) -> Answer:
    """The batch knows whether keys have changed since the caller's was looked at; if so, it is looked at again."""
    while True:
        _permit_product(call, sent.application.product)
        caller, lender = call.caller, lender_of(sent.application.product)
        asked = submission_of(
            *sent,
            idempotency_key=key,
            submitted_by=caller.subject,
            submitted_for=caller.actor,
            keys_seen=caller.keys_seen,
            branches=branches_within(caller.lenders, lender) if caller.lenders else None,
        )
        try:
            return await call.services.desk.submit(asked)
        except KeysChanged:
            await call.sign_in()


def _permit_product(call: Call, product: str) -> None:
    caller, lender = call.caller, lender_of(product)
    if not caller.sees(lender) and not caller.sees(lender, call.services.catalogue.catalog.branch_of(product)):
        raise NoSuchProduct("/product")


def _id_in(answer: bytes) -> str:
    # The mark's quotes are escaped inside any string, so its first occurrence is the key itself.
    start = answer.index(_ID_MARK) + len(_ID_MARK)
    return answer[start : start + 36].decode("ascii")


def _json(document: Any) -> Response:
    return Response(orjson.dumps(document), media_type=JSON)
