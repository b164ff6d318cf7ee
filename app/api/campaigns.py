"""Campaigns over HTTP: create (and so forecast), run, pause, cancel, read, list, outreach.

Neighbours may rely on this: a campaign is one lender's, and one branch's where a branch's key made it; what is
another's is answered as what does not exist. Whatever a campaign decides is an offer to nobody yet.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from app.api.acts import by_caller
from app.api.bodies import received_sheet
from app.api.calls import Call, LeanRoute, ReadBy, ThisCall
from app.api.campaign_schemas import (
    CampaignAnswer,
    CampaignChangeSent,
    CampaignPage,
    CampaignRecorded,
    CampaignSent,
    CampaignSheetQuery,
    CampaignsQuery,
)
from app.api.cursor import read_cursor, write_cursor
from app.api.decisions import JSON, IdempotencyKey, sent_key
from app.api.fields import DecisionId
from app.api.outreach import outreach_rows
from app.api.problems import Problem, error
from app.api.score_sheet_schemas import SheetFile
from app.api.score_sheets import XLSX, Later, SheetQuery, refused_sheet, vocabulary
from app.audit.application import instant_text
from app.audit.canonical import canonical_bytes
from app.domain.company import ScoreState
from app.domain.money import Yuan
from app.usecases.campaign_lists import campaign_id_of, from_sheet, from_snapshots
from app.usecases.campaigns import (
    MOST_PRODUCTS,
    Campaign,
    CampaignAct,
    CampaignState,
    CampaignVerb,
    Conversion,
    ListedCompany,
    ProductsApart,
    listed_company,
    possible,
    products_for,
)
from app.usecases.obstacles import KeysChanged
from app.usecases.score_snapshots import SnapshotFilter
from app.usecases.sheet_rows import SheetRefused

router = APIRouter(route_class=LeanRoute, tags=["campaigns"])
CampaignId = Annotated[DecisionId, Path(description="活动编号。Id of the campaign.")]


@router.post("/v1/campaigns", status_code=201, response_model=CampaignRecorded)
async def create_campaign(call: ThisCall, sent: CampaignSent, idempotency_key: IdempotencyKey) -> Response:
    """创建预授信活动并预测 Create a campaign, which forecasts it

    名单为所列企业，或以积分快照查询选取。随后测算各结果的数量、金额与资金池能否承受（见 forecast）；尚未作出任何决策。
    The list is the companies that are sent, or chosen from the scores that are kept. Then it is forecast: outcomes,
    amounts, and whether the pools would bear it. Nothing is decided yet.
    """
    if (sent.companies is None) == (sent.query is None):
        words = ("companies 与 query 须二选一", "give either companies or query")
        raise Problem("invalid-request", errors=[error(*words, pointer="/companies")])
    services = call.services
    lender, branch = _lender_of(call, sent.products, sent.zone)
    campaign = _campaign(call, (lender, branch), sent.name, sent.zone, sent.products)
    request = call.document["request"]
    if sent.companies is not None:
        listed = _inline(call.document["companies"], request, sent.zone)
        source: Mapping[str, Any] = {"kind": "COMPANIES"}
    else:
        listed = from_snapshots(services.score_snapshots, lender, _wanted(sent), request)
        source = {"kind": "SNAPSHOTS", "query": call.document["query"]}
    return await _created(call, replace(campaign, source=source), listed, canonical_bytes(call.document))


@router.post("/v1/campaigns/sheets", status_code=201, response_model=CampaignRecorded)
async def create_campaign_from_sheet(
    call: ThisCall,
    query: Annotated[CampaignSheetQuery, Query()],
    sheet: Annotated[SheetFile, ReadBy(received_sheet)],
    idempotency_key: IdempotencyKey,
) -> Response:
    """以表格名单创建预授信活动 Create a campaign whose list is a sheet

    表格与积分情况表同样读取，另可含财务、资质、授权等列；没有积分的行取所存快照。有误的行不入名单，先以导入试运行核对。
    Read like a sheet of scores, with figures, qualifications and consent where columns tell them; rows without a score
    get the one that is kept. Rows with faults are left out: try the sheet with the import first.
    """
    products = query.products.split(",")
    if len(products) > MOST_PRODUCTS or len(set(products)) < len(products):
        words = (f"至多 {MOST_PRODUCTS} 个，不得重复", f"at most {MOST_PRODUCTS}, each once")
        raise Problem("invalid-request", errors=[error(*words, parameter="products")])
    lender, branch = _lender_of(call, products, query.zone)
    content: bytes = sheet  # type: ignore[assignment]
    digest = sha256(content).hexdigest()
    campaign = _campaign(call, (lender, branch), query.name, query.zone, products)
    request = {"amount": query.amount, "tenor_months": query.tenor_months, "purpose": query.purpose}
    asked = SheetQuery(zone=query.zone, lender=lender, scheme=query.scheme, as_of=query.as_of)
    known = vocabulary(call, asked, whole=True)
    document = canonical_bytes({**query.model_dump(exclude_none=True), "sheet": digest})

    async def created() -> Response:
        try:
            async with call.services.sheets.open(content, known) as opened:
                faulty: list[int] = []
                listed = from_sheet(opened.pages(), call.services.score_snapshots, campaign, request, faulty)
                source = {"kind": "SHEET", "sha256": digest, "rows_left_out": faulty}
                return await _created(call, replace(campaign, source=source), listed, document)
        except SheetRefused as refused:
            raise refused_sheet(refused) from None

    return Later(created)


@router.get("/v1/campaigns", response_model=CampaignPage)
async def list_campaigns(call: ThisCall, query: Annotated[CampaignsQuery, Query()]) -> Response:
    """预授信活动清单 Campaigns, newest first"""
    services, scope = call.services, call.caller.scope(call.services.lenders)
    after = None if query.cursor is None else read_cursor(services.cursor_key, query.cursor, scope, {"of": "campaigns"})
    found = await services.campaigns.listed(scope, limit=query.limit + 1, after=after)
    shown, following = found[: query.limit], None
    if len(found) > query.limit:
        last = (shown[-1].created_at, shown[-1].campaign_id)
        following = write_cursor(services.cursor_key, last, scope, {"of": "campaigns"})
    return _json({"items": [campaign_document(one, None) for one in shown], "next_cursor": following})


@router.get("/v1/campaigns/{campaign_id}", response_model=CampaignAnswer)
async def get_campaign(call: ThisCall, campaign_id: CampaignId) -> Response:
    """预授信活动的预测、进度与转化 A campaign: its forecast, progress and conversion

    预授信、授信、提款是三个数，互不相抵。Pre-approvals, lines and drawings are figures of their own, never netted.
    """
    found = await _found(call, campaign_id)
    return _json(campaign_document(found, await call.services.campaigns.conversion(found)))


@router.post("/v1/campaigns/{campaign_id}/run", status_code=201, response_model=CampaignRecorded)
async def run_campaign(
    call: ThisCall, campaign_id: CampaignId, sent: CampaignChangeSent, idempotency_key: IdempotencyKey
) -> Response:
    """启动或继续 Run a campaign, or go on with it"""
    return await _change(call, campaign_id, CampaignVerb.RUN)


@router.post("/v1/campaigns/{campaign_id}/pause", status_code=201, response_model=CampaignRecorded)
async def pause_campaign(
    call: ThisCall, campaign_id: CampaignId, sent: CampaignChangeSent, idempotency_key: IdempotencyKey
) -> Response:
    """暂停 Pause a campaign; what was decided stands"""
    return await _change(call, campaign_id, CampaignVerb.PAUSE)


@router.post("/v1/campaigns/{campaign_id}/cancel", status_code=201, response_model=CampaignRecorded)
async def cancel_campaign(
    call: ThisCall, campaign_id: CampaignId, sent: CampaignChangeSent, idempotency_key: IdempotencyKey
) -> Response:
    """取消 Cancel a campaign; what was decided stands"""
    return await _change(call, campaign_id, CampaignVerb.CANCEL)


_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {XLSX: {"schema": {"type": "string", "format": "binary", "maxLength": 2**31 - 1}}}}
}


@router.get("/v1/campaigns/{campaign_id}/outreach", response_class=Response, responses=_FILE)
async def get_campaign_outreach(call: ThisCall, campaign_id: CampaignId) -> Response:
    """营销清单（XLSX） The outreach sheet for branches: company, product, indicative limit, why, valid until

    仅列已预授信的企业；额度仅供参考，不是银行承诺。Pre-approved companies alone; limits are indicative, no commitment.
    """
    found = await _found(call, campaign_id)

    async def made() -> Response:
        heads, rows = await outreach_rows(call.services.campaigns, found)
        headers = {"Content-Disposition": f'attachment; filename="outreach-{campaign_id[:8]}.xlsx"'}
        return Response(call.services.workbook("outreach 营销清单", heads, rows), media_type=XLSX, headers=headers)

    return Later(made)


# ---- the parts ------------------------------------------------------------------------------------------------------


def _lender_of(call: Call, products: Sequence[str], zone: str) -> tuple[str, str | None]:
    services = call.services
    try:
        return products_for(
            services.catalogue.catalog, products, zone, services.today(), call.caller.scope(services.lenders)
        )
    except ProductsApart:
        words = ("须为同一机构、面向该高新区的产品", "products of one lender that serve the zone are needed")
        raise Problem("invalid-request", errors=[error(*words, pointer="/products")]) from None


def _campaign(
    call: Call, owner: tuple[str, str | None], name: str, zone: str, products: Sequence[str]
) -> Campaign:
    lender, branch = owner
    campaign_id = campaign_id_of(lender, call.caller.subject, sent_key(call))
    return Campaign(
        campaign_id, lender, branch, name, zone, CampaignState.FORECASTING, tuple(products), 0, call.services.now(),
        call.caller.person, {},
    )  # fmt: skip


async def _inline(
    companies: Sequence[Mapping[str, Any]], request: Mapping[str, Any], zone: str
) -> AsyncIterator[Sequence[ListedCompany]]:
    listed, seen = [], set()
    for number, parts in enumerate(companies):
        company = parts["company"]
        company["uscc"] = company["uscc"].strip().upper()
        if company["zone"] != zone:
            words = ("与活动的高新区不同", "is not the campaign's zone")
            raise Problem("invalid-request", errors=[error(*words, pointer=f"/companies/{number}/company/zone")])
        if company["uscc"] in seen:
            words = ("名单中已有该企业", "is on the list already")
            raise Problem("invalid-request", errors=[error(*words, pointer=f"/companies/{number}/company/uscc")])
        seen.add(company["uscc"])
        listed.append(listed_company(number, parts, request))
    yield listed


def _wanted(sent: CampaignSent) -> SnapshotFilter:
    asked = sent.query
    return SnapshotFilter(
        sent.zone, None if asked.state is None else ScoreState(asked.state), asked.stage, asked.field,
        *(None if text is None else Decimal(text) for text in (asked.score_min, asked.score_max)), asked.rank_until,
    )  # fmt: skip


async def _created(
    call: Call, campaign: Campaign, pages: AsyncIterator[Sequence[ListedCompany]], document: bytes
) -> Response:
    services, lender = call.services, campaign.lender
    # A retry is answered as before, and its list is not made twice.
    if await services.acts.answered(lender, CampaignAct.format, sent_key(call)) is None:
        count = 0
        async for listed in pages:
            await services.campaigns.prepare(lender, campaign.campaign_id, listed)
            count += len(listed)
        if not count:
            words = ("名单中没有可用的企业", "the list holds no company that can be used")
            raise Problem("invalid-request", errors=[error(*words, pointer="")])
        campaign = replace(campaign, companies=count)
    return await _recorded(call, campaign.lender, campaign.campaign_id, CampaignVerb.CREATE, document, campaign)


async def _change(call: Call, campaign_id: str, verb: CampaignVerb) -> Response:
    found = await _found(call, campaign_id)
    document = canonical_bytes({"act": verb.value, **call.document})
    return await _recorded(call, found.lender, campaign_id, verb, document, None)


async def _recorded(
    call: Call, lender: str, campaign_id: str, verb: CampaignVerb, document: bytes, created: Campaign | None
) -> Response:
    while True:
        act = CampaignAct(
            lender=lender, subject=campaign_id, idempotency_key=sent_key(call), document=document, verb=verb,
            created=created, **by_caller(call.caller),
        )  # fmt: skip
        try:
            answer = await call.services.desk.submit(act)
        except KeysChanged:
            await call.sign_in()
            continue
        call.services.nudge_campaigns()
        headers = {"Idempotent-Replayed": "true"} if answer.replayed else {}
        return Response(answer.body, 201, headers, JSON)


async def _found(call: Call, campaign_id: str) -> Campaign:
    found = await call.services.campaigns.find(campaign_id, call.caller.scope(call.services.lenders))
    if found is None:
        raise Problem("not-found")
    return found


def campaign_document(campaign: Campaign, conversion: Conversion | None) -> dict[str, Any]:
    """This function will write a campaign as it is answered."""
    return {
        "campaign_id": campaign.campaign_id, "lender": campaign.lender, "branch": campaign.branch,
        "name": campaign.name, "zone": campaign.zone, "state": campaign.state.value,
        "possible": possible(campaign.state), "products": list(campaign.products), "companies": campaign.companies,
        "created_at": instant_text(campaign.created_at), "created_by": campaign.created_by,
        "source": dict(campaign.source),
        "counts": {
            "done": campaign.done, "of": campaign.size, "pre_approved": campaign.pre_approved,
            "referred": campaign.referred, "declined": campaign.declined, "not_decided": campaign.not_decided,
            "pre_approved_limit": Yuan(campaign.pre_approved_limit).text(), "forecast_done": campaign.forecast_done,
        },
        "forecast": None if campaign.forecast is None else dict(campaign.forecast),
        "conversion": None if conversion is None else {
            "offered": conversion.offered, "offered_limit": Yuan(conversion.offered_limit).text(),
            "applied": conversion.applied, "credit_approved": conversion.credit_approved,
            "credit_approved_limit": Yuan(conversion.credit_approved_limit).text(),
            "drawn": conversion.drawn, "disbursed": Yuan(conversion.disbursed).text(),
        },
    }  # fmt: skip


def _json(document: Mapping[str, Any]) -> Response:
    return Response(orjson.dumps(document), media_type=JSON)
