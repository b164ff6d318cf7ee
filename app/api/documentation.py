"""The documentation over HTTP: Swagger UI from our own files, and the contract in JSON and YAML.

Neighbours may rely on this: nothing here loads anything from another host, and nothing needs a key. The examples in
the served contract are of today, so that each of them succeeds as it stands; `openapi.yaml` at the top level is the
same of a fixed day.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from app.api import (
    campaigns,
    catalogue,
    decisions,
    exceptions,
    explanations,
    exports,
    external_pools,
    filings,
    groups,
    logs,
    offers,
    operations,
    pools,
    previews,
    reviews,
    score_sheets,
    search,
    statistics,
    subsidies,
    webhooks,
)
from app.api.calls import Call, LeanRoute, ThisCall
from app.api.openapi import PUBLISHED_ON, openapi_document, written_as_yaml
from app.api.problems import Problem
from app.usecases.catalogue import ActiveCatalogue

STATIC: Final = Path(__file__).parent / "static"
_FILES: Final = {
    "docs.html": "text/html; charset=utf-8",
    "docs.css": "text/css; charset=utf-8",
    "docs.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

router = APIRouter(route_class=LeanRoute)
ROUTES: Final = (
    *search.router.routes,
    # Before what takes any path below /v1/decisions/ for a decision's.
    *exports.router.routes,
    *statistics.router.routes,
    *decisions.router.routes,
    *reviews.router.routes,
    *previews.router.routes,
    *explanations.router.routes,
    *offers.router.routes,
    *exceptions.router.routes,
    *campaigns.router.routes,
    *groups.router.routes,
    *pools.router.routes,
    *external_pools.router.routes,
    *filings.router.routes,
    *score_sheets.router.routes,
    *subsidies.router.routes,
    *logs.router.routes,
    *catalogue.router.routes,
    *webhooks.router.routes,
    *operations.router.routes,
)


@router.get("/docs", include_in_schema=False)
async def docs(call: ThisCall) -> Response:
    """Swagger UI."""
    return await _page(call, "docs.html")


@router.get("/docs/{name}", include_in_schema=False, name="docs")
async def docs_file(call: ThisCall, name: str) -> Response:
    """What the page of Swagger UI loads; all of it lies in this folder."""
    if name not in _FILES:
        raise Problem("not-found")
    return await _page(call, name)


@router.get("/openapi.json", include_in_schema=False)
async def openapi_json(call: ThisCall) -> Response:
    """The contract, with examples of today."""
    return Response(await _made(_json_of, call), media_type="application/json")


@router.get("/openapi.yaml", include_in_schema=False)
async def openapi_yaml(call: ThisCall) -> Response:
    """The same in YAML."""
    return Response(await _made(_yaml_of, call), media_type="application/yaml")


async def _made(make: Callable[[date, ActiveCatalogue], bytes | str], call: Call) -> bytes | str:
    """Beside the loop: the first of a day takes a second, in which nobody's decision shall wait."""
    return await asyncio.to_thread(make, call.services.today(), call.services.catalogue)


async def _page(call: Call, name: str) -> Response:
    headers = {"Content-Type": _FILES[name], "Content-Security-Policy": _PAGE_POLICY}
    if name.startswith("swagger-ui"):
        headers["Cache-Control"] = "public, max-age=86400"
    return await _packed(call, name, _file(name), headers)


async def _packed(call: Call, name: str, content: bytes, headers: dict[str, str]) -> Response:
    """Packed where the caller takes that: 1.9 MB of Swagger UI are then 0.5. Each is packed once, beside the loop."""
    headers["Vary"] = "Accept-Encoding"
    if takes_gzip(call.header_values(b"accept-encoding")):
        if name not in _PACKED:
            _PACKED[name] = await asyncio.to_thread(gzip.compress, content, 9, mtime=0)
        content = _PACKED[name]
        headers["Content-Encoding"] = "gzip"
    return Response(content, headers=headers)


_PACKED: Final[dict[str, bytes]] = {}


def takes_gzip(sent: list[bytes]) -> bool:
    """This function will tell whether the values of Accept-Encoding allow gzip (RFC 9110, 12.5.3)."""
    for one in b",".join(sent).split(b","):
        coding, _, weight = one.partition(b";")
        if coding.strip().lower() == b"gzip":
            return weight.replace(b" ", b"") not in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000")
    return False


@cache
def _file(name: str) -> bytes:
    return (STATIC / name).read_bytes()


@lru_cache(2)
def _json_of(on: date, edition: ActiveCatalogue) -> bytes:
    return orjson.dumps(openapi_document(ROUTES, on=on, catalogue=edition))


@lru_cache(2)
def _yaml_of(on: date, edition: ActiveCatalogue) -> str:
    return contract_as_yaml(edition, on=on)


def contract_as_yaml(edition: ActiveCatalogue | None, *, on: date = PUBLISHED_ON) -> str:
    """This function will write the contract of every route as YAML, with answers of that catalogue."""
    return written_as_yaml(openapi_document(ROUTES, on=on, catalogue=edition))
