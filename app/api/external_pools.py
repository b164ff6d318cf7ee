"""External pools over HTTP: the manager's dated statements, and the manager's confirmation of cover for a line.

Neighbours may rely on this: a statement is the installation's and its operator's; a confirmation is a lender's own,
and a foreign offer is answered as one that does not exist.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from app.api.access import Caller
from app.api.acts import by_caller, record_act
from app.api.calls import LeanRoute, ThisCall
from app.api.decisions import IdempotencyKey
from app.api.pool_schemas import ConfirmationRequest, ManagerStatementRequest, PoolActAnswer
from app.api.pools import Name, Zone, own_lenders, terms_of
from app.api.problems import Problem
from app.domain.money import Yuan
from app.ledger.pool import Totals
from app.usecases.acts import Act
from app.usecases.external_pools import CoverConfirmed, ManagerStatement
from app.usecases.line_cover import pool_named_by
from app.usecases.offers import StoredOffer, pre_approval_of

router = APIRouter(route_class=LeanRoute, tags=["pools"])


@router.post("/v1/pools/{zone}/{name}/manager-statements", status_code=201, response_model=PoolActAnswer)
async def record_manager_statement(
    call: ThisCall, zone: Zone, name: Name, sent: ManagerStatementRequest, idempotency_key: IdempotencyKey
) -> Response:
    """登记外部资金池管理人报表 Record what the manager of an external pool states

    记入运维日志；以最近截止日的报表为准，补登较早的不改变现状。
    On the operator's log; the newest day counts, so that an older one recorded late changes nothing.
    """
    pool = terms_of(call, zone, name, call.services.today()).id

    def make(caller: Caller, document: bytes, key: str) -> Act:
        return stated(sent, pool, document=document, idempotency_key=key, **by_caller(caller))

    return await record_act(call, make)


@router.post("/v1/pools/{zone}/{name}/confirmations", status_code=201, response_model=PoolActAnswer)
async def confirm_pool_cover(
    call: ThisCall, zone: Zone, name: Name, sent: ConfirmationRequest, idempotency_key: IdempotencyKey
) -> Response:
    """登记管理人对补偿额的确认 Record the manager's confirmation of cover

    确认前补偿额为 PROPOSED；确认额不得超过审批额度、单户上限与本机构配额；其后随授信变动。
    Cover is PROPOSED until then; never above the approved limit, the cap for one company and the lender's quota; from
    then on it follows the line.
    """
    pool = terms_of(call, zone, name, call.services.today()).id
    found = await call.services.offers.find(sent.offer_id, own_lenders(call))

    def make(caller: Caller, document: bytes, key: str) -> Act:
        return confirmed(sent, pool, found, document=document, idempotency_key=key, **by_caller(caller))

    return await record_act(call, make)


def stated(sent: ManagerStatementRequest, pool: str, **act: Any) -> ManagerStatement:
    """This function will return the act of what was stated; `act` is who records it, under which key."""
    sums = (sent.paid_in, sent.reserved, sent.committed, sent.compensated, sent.recovered)
    return ManagerStatement(
        subject=pool, as_of=date.fromisoformat(sent.as_of), stated=Totals(*map(Yuan.parse, sums)),
        reference=sent.reference, **act,
    )  # fmt: skip


def confirmed(sent: ConfirmationRequest, pool: str, found: StoredOffer | None, **act: Any) -> CoverConfirmed:
    """This function will return the act of what was confirmed. Raises Problem (404) where the offer is not the pool's,
    or none of the caller's.
    """
    named = None if found is None else pool_named_by(found.decision)
    if named is None or named.pool != pool:
        raise Problem("not-found")
    return CoverConfirmed(
        lender=found.lender, subject=pool, offer=pre_approval_of(found.decision), named=named,
        covered=Yuan.parse(sent.covered_amount), confirmed_on=date.fromisoformat(sent.confirmed_on), **act,
    )  # fmt: skip
