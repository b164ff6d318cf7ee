"""Health and metrics.

Neighbours may rely on this: health needs no key and tells nothing of any company; metrics need the
operator's key, from wherever they are asked. Whoever is not ready says every reason why.
"""

from __future__ import annotations

from typing import Any, Final

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from app.api.answers import Alive, Ready
from app.api.calls import LeanRoute, Services, ThisCall
from app.api.problems import Problem
from app.usecases.ports import StoreUnavailable
from app.usecases.readiness import Cause

_WITHOUT_THE_DATABASE: Final = {Cause.DATABASE_UNREACHABLE, Cause.DATABASE_SLOW, Cause.MIGRATIONS_MISSING}

router = APIRouter(route_class=LeanRoute, tags=["operations"])


@router.get("/livez", response_model=Alive)
async def livez(call: ThisCall) -> Response:
    """进程存活 The process runs"""
    return _json({"status": "ALIVE"})


@router.get("/readyz", response_model=Ready)
async def readyz(call: ThisCall) -> Response:
    """可以作出决策 The service can decide

    否则 503，`causes` 逐一列出原因代码；代码不变，不含地址与路径。
    Otherwise 503, and `causes` names every reason by a code that stays, without addresses or paths.
    """
    services = call.services
    causes = [Cause.DRAINING] if services.stopping() else []
    causes += await services.ready()
    # What the database cannot tell is not known; that it cannot is told.
    if not _WITHOUT_THE_DATABASE & set(causes):
        causes += await _of_the_catalogue(services)
    if causes:
        told = [cause.told() for cause in Cause if cause in causes]
        raise Problem("not-ready", members={"causes": told})
    return _json({"status": "READY", "catalogue": services.catalogue.digest, "notes": services.notes()})


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


async def _of_the_catalogue(services: Services) -> list[Cause]:
    try:
        active = await services.catalogues.active()
    except StoreUnavailable:
        return [Cause.DATABASE_UNREACHABLE]
    if active is None:
        return [Cause.CATALOGUE_NOT_ACTIVATED]
    return [] if active.digest == services.catalogue.digest else [Cause.CATALOGUE_DIFFERS]


def _json(document: Any) -> Response:
    return Response(orjson.dumps(document), media_type="application/json")
