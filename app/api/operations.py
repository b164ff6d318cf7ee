"""Health and metrics.

Neighbours may rely on this: health needs no key and tells nothing of any company; metrics need the
operator's key, from wherever they are asked. Ready means: the database answers and the active catalogue is ours.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from app.api.answers import Alive, Ready
from app.api.calls import LeanRoute, ThisCall
from app.api.problems import Problem
from app.usecases.obstacles import CatalogueNotActive
from app.usecases.ports import StoreUnavailable

READY_WITHIN_S: Final = 3.0

router = APIRouter(route_class=LeanRoute, tags=["operations"])


@router.get("/livez", response_model=Alive)
async def livez(call: ThisCall) -> Response:
    """进程存活 The process runs"""
    return _json({"status": "ALIVE"})


@router.get("/readyz", response_model=Ready)
async def readyz(call: ThisCall) -> Response:
    """可以作出决策 The service can decide"""
    services = call.services
    if services.stopping():
        raise Problem("not-ready", detail=("服务正在停止。", "draining: The service is stopping."))
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            missing = await services.ready()
            active = None if missing else await services.catalogues.active()
    except TimeoutError:
        raise StoreUnavailable("the database does not answer") from None
    if missing:
        raise Problem("not-ready", detail=("尚未就绪：", " ".join(missing)))
    if active is None or active.digest != services.catalogue.digest:
        raise CatalogueNotActive
    return _json({"status": "READY", "catalogue": active.digest, "notes": services.notes()})


@router.get("/metrics", response_class=Response)
async def metrics(call: ThisCall) -> Response:
    """监控指标（Prometheus） Metrics in Prometheus's format

    涵盖全部机构，故限定机构的密钥不得读取。
    They count every lender's decisions: a key that is confined to lenders is told that there are none.
    """
    if call.caller.lenders:
        raise Problem("not-found")
    body, media_type = call.services.metrics.exposition()
    return Response(body, headers={"Content-Type": media_type})


def _json(document: Any) -> Response:
    return Response(orjson.dumps(document), media_type="application/json")
