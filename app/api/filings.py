"""Filings (备案) over HTTP: what must be filed with a pool by when, what is late, and the record that one was filed.

Neighbours may rely on this: only the caller's own lenders' drawdowns are listed, and a foreign one is answered as one
that does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.api.access import Caller
from app.api.acts import by_caller, record_act
from app.api.calls import LeanRoute, ThisCall
from app.api.cursor import read_cursor, write_cursor
from app.api.decisions import IdempotencyKey
from app.api.pool_schemas import FilingPage, FilingRequest, FilingsQuery, PoolActAnswer
from app.api.pools import Name, Zone, json_answer, own_lenders, seen_in_pool, terms_of
from app.usecases.acts import Act
from app.usecases.filings import FilingRecorded, covered_offers, drawdowns_of, filings_document

router = APIRouter(route_class=LeanRoute, tags=["pools"])


@router.get("/v1/pools/{zone}/{name}/filings", response_model=FilingPage)
async def list_pool_filings(
    call: ThisCall, zone: Zone, name: Name, query: Annotated[FilingsQuery, Query()]
) -> Response:
    """备案清单：何时须备，何者已逾 What must be filed by when, and what is late

    期限按资金池规则自提款日起算；节假日未公布的年份不作推算。先列最早的提款。
    Deadlines count from the drawdown by the pool's rules; a year whose holidays are not announced is not guessed. The
    earliest drawdown first.
    """
    services, on, own = call.services, call.services.today(), own_lenders(call)
    terms = terms_of(call, zone, name, on)
    acts = await services.acts.about(covered_offers(await services.pools.covers(terms.id, own)), own)
    filed = await services.acts.about([one.event_id for one in drawdowns_of(acts)], own)
    found = filings_document(terms.filing, acts, filed, services.catalogue.working_days, on)
    key, asked = services.cursor_key, {"list": "filings", "pool": terms.id, "state": query.state}
    after = None if query.cursor is None else read_cursor(key, query.cursor, own, asked)
    rest = [one for one in found if query.state in (None, one["state"]) and (after is None or _place(one) > after)]
    shown, following = rest[: query.limit], None
    if len(rest) > query.limit:
        following = write_cursor(key, _place(shown[-1]), own, asked)
    return json_answer({"on": on.isoformat(), "items": shown, "next_cursor": following})


def _place(filing: Mapping[str, Any]) -> tuple[datetime, str]:
    return datetime.combine(date.fromisoformat(filing["drawn_on"]), time(), UTC), filing["event_id"]


@router.post("/v1/pools/{zone}/{name}/filings", status_code=201, response_model=PoolActAnswer)
async def record_pool_filing(
    call: ThisCall, zone: Zone, name: Name, sent: FilingRequest, idempotency_key: IdempotencyKey
) -> Response:
    """登记备案 Record that a drawdown was filed

    每笔提款登记一次；逾期备案照记，状态为 FILED_LATE。
    Each drawdown once; a late filing is recorded as what it is, FILED_LATE.
    """
    pool = terms_of(call, zone, name, call.services.today()).id
    cover = await seen_in_pool(call.services.pools.cover(sent.offer_id, own_lenders(call)), pool)
    fields = {"pool": pool, "offer_id": sent.offer_id, "filed_on": date.fromisoformat(sent.filed_on)}

    def make(caller: Caller, document: bytes, key: str) -> Act:
        return FilingRecorded(
            lender=cover["holder"], subject=sent.event_id, idempotency_key=key, document=document, **fields,
            **by_caller(caller),
        )  # fmt: skip

    return await record_act(call, make)
