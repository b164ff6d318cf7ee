"""Risk-compensation pools over HTTP: room, entries, statements, and what people record of them.

Neighbours may rely on this: whoever shares a pool sees its room; holdings, entries, claims and statements are the
caller's own lenders' alone, and what is another's is answered as what does not exist. A pool's own sums, and its
capital's entries, are shown to whoever sees every lender.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from hashlib import sha256
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from app.api.access import Caller
from app.api.acts import by_caller, record_act
from app.api.calls import Call, LeanRoute, Services, ThisCall
from app.api.cursor import read_cursor, write_cursor
from app.api.decisions import JSON, IdempotencyKey
from app.api.fields import Code, DecisionId
from app.api.pool_schemas import (
    ClaimDecisionRequest,
    ClaimPage,
    ClaimRequest,
    ClaimsQuery,
    ContributionRequest,
    EntriesQuery,
    EntryPage,
    LiftRequest,
    PoolActAnswer,
    PoolAnswer,
    PoolPage,
    RecoveryRequest,
    StatementAnswer,
    StatementQuery,
    StatementRequest,
)
from app.api.problems import Problem
from app.audit.operator_record import OPERATOR
from app.domain.money import Yuan
from app.domain.pool import PoolTerms
from app.domain.terms import PoolBook
from app.ledger.claim import Loss
from app.usecases.act_rows import Row
from app.usecases.acts import Act
from app.usecases.external_pools import stated_document, statement_on, with_stated
from app.usecases.pool_acts import Claim, ClaimDecision, Contribution, Recovery, StatementIssued, StopLifted
from app.usecases.pools import (
    claim_document,
    entry_document,
    in_book,
    pool_document,
    pool_statement,
    quarter,
    statement_document,
)

router = APIRouter(route_class=LeanRoute, tags=["pools"])
Zone = Annotated[Code, Path(description="高新区代码。Zone.")]
Name = Annotated[Code, Path(description="资金池代码。The pool's code within its zone.")]
_NO_INSTANT: Final = datetime(1970, 1, 1, tzinfo=UTC)


@router.get("/v1/pools", response_model=PoolPage)
async def list_pools(call: ThisCall) -> Response:
    """全部资金池与余量 Every pool and the room that is left

    余量对所有共享机构可见；占用只列出调用者自己机构的部分；资金池合计仅向可见全部机构者显示。
    Room is seen by all who share a pool; holdings are the caller's own lenders'. The pool's own sums are null unless
    the caller sees every lender.
    """
    on = call.services.today()
    shown = [await _shown(call, terms, on) for terms in call.services.catalogue.catalog.pools(on=on)]
    return json_answer({"items": shown, "next_cursor": None})


@router.get("/v1/pools/{zone}/{name}", response_model=PoolAnswer)
async def get_pool(call: ThisCall, zone: Zone, name: Name) -> Response:
    """一个资金池 One pool

    余量 = max(0, 到位余额 × 放大倍数 − 预留 − 已用)；时间使预留失效，不待任何作业。
    Room = max(0, paid-in balance × multiple − reserved − committed); time alone ends a reservation.
    """
    on = call.services.today()
    return json_answer(await _shown(call, terms_of(call, zone, name, on), on))


@router.get("/v1/pools/{zone}/{name}/entries", response_model=EntryPage)
async def list_pool_entries(
    call: ThisCall, zone: Zone, name: Name, query: Annotated[EntriesQuery, Query()]
) -> Response:
    """分录，由旧到新 Entries, oldest first

    分录只增不改；全部分录之和即余额。只列调用者机构的分录，各机构分别编号，故看不出他人的笔数；可见全部机构者另见资金池自身的分录。
    Entries are only added; their sum is the balance. Those of the caller's own lenders, each numbered by itself, so
    that nobody can tell how many others have made; those of the pool's own capital for whoever sees every lender.
    """
    pool, own = terms_of(call, zone, name, call.services.today()).id, own_lenders(call)
    key, asked = call.services.cursor_key, {"pool": pool}
    after = None
    if query.cursor is not None:
        holder, _, number = read_cursor(key, query.cursor, own, asked)[1].rpartition(":")
        after = holder or None, int(number)
    capital = call.caller.sees_whole_pools
    found = await call.services.pools.entries(pool, own, after=after, limit=query.limit + 1, capital=capital)
    shown = found[: query.limit]
    following = None
    if len(found) > query.limit:
        last = f"{shown[-1]['holder'] or ''}:{shown[-1]['own_number']}"
        following = write_cursor(key, (_NO_INSTANT, last), own, asked)
    return json_answer({"items": [entry_document(row) for row in shown], "next_cursor": following})


@router.get("/v1/pools/{zone}/{name}/claims", response_model=ClaimPage)
async def list_pool_claims(
    call: ThisCall, zone: Zone, name: Name, query: Annotated[ClaimsQuery, Query()]
) -> Response:
    """本机构的代偿申请 The caller's own claims

    审核期限按工作日计；节假日未公布的年份不作推算。先列最早的申请。
    The review's last day counts working days; a year whose holidays are not announced is not guessed. The earliest
    claim first.
    """
    on, own, key = call.services.today(), own_lenders(call), call.services.cursor_key
    pool = terms_of(call, zone, name, on).id
    asked, after = {"list": "claims", "pool": pool, "state": query.state}, None
    if query.cursor is not None:
        at, claim_id = read_cursor(key, query.cursor, own, asked)
        after = at.date(), claim_id
    found = await call.services.pools.claims(pool, own, state=query.state, after=after, limit=query.limit + 1)
    shown, following = found[: query.limit], None
    if len(found) > query.limit:
        last = shown[-1]
        place = datetime.combine(last["claimed_on"], time(), UTC), last["claim_id"]
        following = write_cursor(key, place, own, asked)
    return json_answer({"items": [claim_document(row, on) for row in shown], "next_cursor": following})


@router.get("/v1/pools/{zone}/{name}/statement", response_model=StatementAnswer)
async def get_pool_statement(
    call: ThisCall, zone: Zone, name: Name, query: Annotated[StatementQuery, Query()]
) -> Response:
    """对账单 The statement of a pool, a lender and a period

    期初 + 各项决策的变动 = 期末；与账不符则不出具。
    Opening and the change of each decision make the closing; what does not reconcile is not given.
    """
    pool = terms_of(call, zone, name, call.services.today()).id
    return json_answer(await _statement(call, pool, query.period, query.lender))


@router.post("/v1/pools/{zone}/{name}/statements", status_code=201, response_model=PoolActAnswer)
async def issue_pool_statement(
    call: ThisCall, zone: Zone, name: Name, sent: StatementRequest, idempotency_key: IdempotencyKey
) -> Response:
    """出具对账单并留痕 Put a statement on record

    记入该机构的日志：期初、期末与各行的摘要。
    On the lender's log: opening, closing, and the digest of the lines, which GET …/statement shows.
    """
    pool = terms_of(call, zone, name, call.services.today()).id
    stated = await _statement(call, pool, sent.period, sent.lender)
    digest = "sha256:" + sha256(orjson.dumps(stated["lines"], option=orjson.OPT_SORT_KEYS)).hexdigest()
    shown = {**{k: stated[k] for k in ("lender", "since", "until", "opening", "closing")}, "lines_digest": digest}

    def make(caller: Caller, document: bytes, key: str) -> Act:
        return StatementIssued(stated=shown, **pool_act(pool, sent.lender, caller, document, key))

    return await record_act(call, make)


@router.post("/v1/pools/{zone}/{name}/contributions", status_code=201, response_model=PoolActAnswer)
async def contribute_to_pool(
    call: ThisCall, zone: Zone, name: Name, sent: ContributionRequest, idempotency_key: IdempotencyKey
) -> Response:
    """资金到位 Capital that was paid in

    记入运维日志；合计不得超过各期承诺资本。
    On the operator's log; all of it together is never above what the phases commit.
    """
    pool = terms_of(call, zone, name, call.services.today()).id
    fields = {"amount": Yuan.parse(sent.amount), "value_on": date.fromisoformat(sent.value_on)}

    def make(caller: Caller, document: bytes, key: str) -> Act:
        return Contribution(**fields, **pool_act(pool, OPERATOR, caller, document, key))

    return await record_act(call, make)


@router.post("/v1/pools/{zone}/{name}/lifts", status_code=201, response_model=PoolActAnswer)
async def lift_pool_stop(
    call: ThisCall, zone: Zone, name: Name, sent: LiftRequest, idempotency_key: IdempotencyKey
) -> Response:
    """解除止损 Let new cover go on past the stop line

    须有批准依据与理由；比率再升高即再次停止。
    With authority and reason; it stops again as soon as the ratio grows.
    """
    pool = terms_of(call, zone, name, call.services.today()).id

    def make(caller: Caller, document: bytes, key: str) -> Act:
        return StopLifted(**pool_act(pool, OPERATOR, caller, document, key))

    return await record_act(call, make)


@router.post("/v1/pools/{zone}/{name}/claims", status_code=201, response_model=PoolActAnswer)
async def claim_from_pool(
    call: ThisCall, zone: Zone, name: Name, sent: ClaimRequest, idempotency_key: IdempotencyKey
) -> Response:
    """代偿申请 Claim a loss on a covered line

    逾期满规定天数、材料齐备方可申请；另一人审核。
    After the pool's days past due, with its documents; another person decides on it.
    """
    pool = terms_of(call, zone, name, call.services.today()).id
    cover = await seen_in_pool(call.services.pools.cover(sent.offer_id, own_lenders(call)), pool)
    codes = tuple(document.code for document in sent.documents)
    loss = Loss(Yuan.parse(sent.principal), Yuan.parse(sent.interest), date.fromisoformat(sent.past_due_since), codes)

    def make(caller: Caller, document: bytes, key: str) -> Act:
        return Claim(offer_id=sent.offer_id, loss=loss, **pool_act(pool, cover["holder"], caller, document, key))

    return await record_act(call, make)


@router.post("/v1/pools/{zone}/{name}/claims/{claim_id}/decision", status_code=201, response_model=PoolActAnswer)
async def decide_pool_claim(
    call: ThisCall, zone: Zone, name: Name, claim_id: Annotated[DecisionId, Path()], sent: ClaimDecisionRequest,
    idempotency_key: IdempotencyKey,
) -> Response:  # fmt: skip
    """代偿审核 Pay a claim, or reject it

    不得由申请人审核；按决策所记分担比例补偿，受已用额、余额、分档与公共资金上限约束。
    Never by who made it; by the shares that the decision recorded, within what bounds the pool.
    """
    pool = terms_of(call, zone, name, call.services.today()).id
    claim = await seen_in_pool(call.services.pools.claim(claim_id, own_lenders(call)), pool)
    fields = {"claim_id": claim_id, "offer_id": claim["offer_id"], "pays": sent.outcome == "PAID"}

    def make(caller: Caller, document: bytes, key: str) -> Act:
        return ClaimDecision(**fields, **pool_act(pool, claim["holder"], caller, document, key))

    return await record_act(call, make)


@router.post("/v1/pools/{zone}/{name}/recoveries", status_code=201, response_model=PoolActAnswer)
async def report_recovery(
    call: ThisCall, zone: Zone, name: Name, sent: RecoveryRequest, idempotency_key: IdempotencyKey
) -> Response:
    """追偿回收 What came back after a compensation

    扣除费用后按损失承担比例返还。
    After costs, returned in the proportion in which the loss was borne.
    """
    pool = terms_of(call, zone, name, call.services.today()).id
    claim = await seen_in_pool(call.services.pools.claim(sent.claim_id, own_lenders(call)), pool)
    fields = {
        "claim_id": sent.claim_id, "offer_id": claim["offer_id"], "gross": Yuan.parse(sent.gross),
        "costs": Yuan.parse(sent.costs), "value_on": date.fromisoformat(sent.value_on),
    }  # fmt: skip

    def make(caller: Caller, document: bytes, key: str) -> Act:
        return Recovery(**fields, **pool_act(pool, claim["holder"], caller, document, key))

    return await record_act(call, make)


# ---- the parts -------------------------------------------------------------------------------------------------------


def pool_act(pool: str, lender: str, caller: Caller, document: bytes, key: str) -> dict[str, Any]:
    """This function will return what every act on a pool has."""
    return {"lender": lender, "subject": pool, "idempotency_key": key, "document": document, **by_caller(caller)}


def terms_of(call: Call, zone: str, name: str, on: date) -> PoolTerms:
    """This function will return the pool's terms on a day. Raises Problem (404)."""
    found = call.services.catalogue.pool(f"{zone}/{name}", on=on)
    if found is None:
        raise Problem("not-found")
    return found


def own_lenders(call: Call) -> tuple[str, ...]:
    """This function will return the lenders whose affairs are the caller's as a whole."""
    return tuple(lender for lender in call.services.lenders if call.caller.sees(lender))


async def _shown(call: Call, terms: PoolTerms, on: date) -> dict[str, Any]:
    return await shown_pool(call.services, terms, own_lenders(call), on, whole=call.caller.sees_whole_pools)


async def shown_pool(
    services: Services, terms: PoolTerms, lenders: Sequence[str], on: date, *, whole: bool
) -> dict[str, Any]:
    """This function will show a pool with what these lenders hold of it and, `whole`, its own sums."""
    own, holders = await services.pools.book(terms.id, lenders)
    held = [row["holder"] for row in holders]
    shown = pool_document(terms, in_book(terms.id, own, holders), held, on, whole=whole)
    if terms.book is PoolBook.OWN:
        return shown | {"manager_statement": None}
    stated = stated_document(terms, statement_on(await services.pools.statements(terms.id), on))
    return with_stated(shown, stated, whole=whole)


async def seen_in_pool(asked: Any, pool: str) -> Row:
    """This function will return the row that is asked for where it is this pool's. Raises Problem (404)."""
    found = await asked
    if found is None or found["pool_id"] != pool:
        raise Problem("not-found")
    return found


async def _statement(call: Call, pool: str, period: str, lender: str) -> dict[str, Any]:
    if lender not in own_lenders(call):
        raise Problem("not-found")
    since, until = quarter(period)
    own, rows = await call.services.pools.every_entry(pool)
    return statement_document(pool, lender, pool_statement(own, rows, since=since, until=until, lender=lender))


def json_answer(document: Any) -> Response:
    """This function will answer with a document."""
    return Response(orjson.dumps(document), media_type=JSON)
