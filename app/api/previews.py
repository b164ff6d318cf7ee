"""Who previewed what, over HTTP, and the report of those who previewed until the answer pleased.

Neighbours may rely on this: previews are seen by those who watch over them, within their scope; a company that was
previewed with several sets of facts is no wrongdoing by itself: it is a list to look at.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from starlette.responses import Response

from app.api.answers import PreviewPage
from app.api.calls import LeanRoute, ThisCall
from app.api.cursor import open_cursor, read_cursor, seal_cursor, write_cursor
from app.api.problems import Problem, error
from app.api.schemas import PreviewsQuery, RepeatedPreviewsQuery
from app.api.statistics_schemas import RepeatedPreviewPage
from app.audit.application import instant_text
from app.domain.access import within
from app.domain.money import Yuan
from app.usecases.days import SHANGHAI
from app.usecases.ports import PreviewRow
from app.usecases.repeated_previews import RepeatedPreview, RepeatedPreviews
from app.usecases.search_blocks import microseconds

router = APIRouter(route_class=LeanRoute, tags=["decisions"])

_USUAL_DAYS = 30
_RANK = {"DECLINED": 0, "REFERRED": 1, "PRE_APPROVED": 2}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@router.get("/v1/previews", response_model=PreviewPage)
async def list_previews(call: ThisCall, query: Annotated[PreviewsQuery, Query()]) -> Response:
    """查询试算记录 Who previewed what"""
    services = call.services
    scope = call.caller.scope(services.lenders)
    filters = query.model_dump(exclude={"limit", "cursor"}, exclude_none=True)
    after = None if query.cursor is None else read_cursor(services.cursor_key, query.cursor, scope, filters)
    rows = await services.previews.search(
        scope if query.lender is None else within(scope, query.lender),
        uscc=query.uscc, previewed_by=query.previewed_by, limit=query.limit + 1, after=after,
    )  # fmt: skip
    following = None
    if len(rows) > query.limit:
        last = rows[query.limit - 1]
        following = write_cursor(services.cursor_key, (last.previewed_at, last.preview_id), scope, filters)
    return _json({"items": list(map(_shown, rows[: query.limit])), "next_cursor": following})


@router.get("/v1/previews/repeated", response_model=RepeatedPreviewPage)
async def list_repeated_previews(call: ThisCall, query: Annotated[RepeatedPreviewsQuery, Query()]) -> Response:
    """反复试算报告 Companies previewed again and again with different facts

    同一企业、同一产品在所选时间内以多组不同事实试算：可能是改动事实直至满意。默认查看近 30 日。
    One company and product, previewed with several different sets of facts in the time chosen: facts may have been
    changed until the answer pleased. The last 30 days unless told otherwise.
    """
    services, key = call.services, call.services.cursor_key
    scope = call.caller.scope(services.lenders)
    filters = query.model_dump(exclude={"limit", "cursor"}, exclude_none=True)
    now, after = services.now(), None
    if query.cursor is not None:
        # The window stands still while somebody pages through it.
        at, uscc, product, moment = orjson.loads(open_cursor(key, query.cursor, scope, filters))
        after, now = (_instant(at), uscc, product), _instant(moment)
    since, until = _window(query, now)
    asked = RepeatedPreviews(
        tuple(scope if query.lender is None else within(scope, query.lender)),
        since=since, until=until, least=query.variants, uscc=query.uscc, after=after,
    )  # fmt: skip
    found = await services.previews.repeated(asked, query.limit + 1) if asked.scope else ()
    following = None
    if len(found) > query.limit:
        last = found[query.limit - 1]
        first = last.attempts[0]
        place = [microseconds(last.newest), first.uscc, first.product, microseconds(now)]
        following = seal_cursor(key, orjson.dumps(place), scope, filters)
    return _json(
        {
            "previewed_from": instant_text(since), "previewed_until": instant_text(until),
            "items": list(map(_repeated, found[: query.limit])), "next_cursor": following,
        }
    )  # fmt: skip


def _window(query: RepeatedPreviewsQuery, now: datetime) -> tuple[datetime, datetime]:
    until = now if query.previewed_until is None else _begins(query.previewed_until)
    since = now - timedelta(days=_USUAL_DAYS) if query.previewed_from is None else _begins(query.previewed_from)
    if since >= until:
        words = ("须早于 previewed_until", "is before previewed_until: no preview lies in between")
        raise Problem("invalid-request", errors=[error(*words, parameter="previewed_from")])
    return since, until


def _begins(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(), SHANGHAI).astimezone(UTC)


def _instant(value: int) -> datetime:
    return _EPOCH + timedelta(microseconds=value)


def _repeated(found: RepeatedPreview) -> dict[str, Any]:
    first, last = found.attempts[0], found.attempts[-1]
    return {
        "lender": first.lender,
        "product": first.product,
        "zone": first.zone,
        "uscc": first.uscc,
        "previews": found.previews,
        "variants": found.variants,
        "first_previewed_at": instant_text(first.previewed_at),
        "last_previewed_at": instant_text(found.newest),
        "previewed_by": sorted({row.previewed_by for row in found.attempts}),
        "improved": _rank(last) > _rank(first),
        "attempts": list(map(_shown, found.attempts)),
    }


def _rank(row: PreviewRow) -> tuple[int, int]:
    return _RANK[row.outcome], row.credit_limit or 0


def _shown(row: PreviewRow) -> dict[str, Any]:
    return {
        "preview_id": row.preview_id,
        "previewed_at": instant_text(row.previewed_at),
        "previewed_by": row.previewed_by,
        "previewed_for": row.previewed_for,
        "lender": row.lender,
        "product": row.product,
        "zone": row.zone,
        "uscc": row.uscc,
        "on": row.on.isoformat(),
        "outcome": row.outcome,
        "credit_limit": None if row.credit_limit is None else Yuan(row.credit_limit).text(),
    }


def _json(document: Any) -> Response:
    return Response(orjson.dumps(document), media_type="application/json")
