"""The catalogue over HTTP: zones, the shelf of products as of a day, a product's terms, and the reason codes.

Neighbours may rely on this: what is shown on a day is what would decide on that day; products of lenders that are not
the caller's are not shown, and asked for by name they do not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from app.api.answers import ProductsAnswer, ProductTermsShown, ReasonsAnswer, ZonesAnswer
from app.api.calls import Call, LeanRoute, ThisCall
from app.api.fields import Code
from app.api.problems import Problem
from app.api.schemas import ProductQuery, ProductsQuery
from app.domain.reasons import ReasonCode
from app.domain.terms import LOANS, ProductKind, ProductStatus, Words
from app.domain.trace import Reference
from app.products.catalog import KnownFact, Measure, Scheme, ShelfProduct, UnknownProduct, Zone

router = APIRouter(route_class=LeanRoute, tags=["catalogue"])


@router.get("/v1/zones", response_model=ZonesAnswer)
async def list_zones(call: ThisCall, query: Annotated[ProductQuery, Query()]) -> Response:
    """高新区、积分体系与代码 Zones, their score schemes, and the codes"""
    catalog, on = call.services.catalogue.catalog, _day(call, query.on)
    codes = catalog.codes
    lists = {name: _coded(getattr(codes, name)) for name in ("qualifications", "fields", "evidence")}
    allowed = {code: words for code, words in codes.purposes.items() if code not in codes.prohibited_purposes}
    lists["purposes"] = _coded(allowed)
    zones = [_zone(zone) for zone in catalog.zones(on=on)]
    return _json({"on": on.isoformat(), "items": zones, "codes": lists})


@router.get("/v1/products", response_model=ProductsAnswer)
async def list_products(call: ThisCall, query: Annotated[ProductsQuery, Query()]) -> Response:
    """某日的产品 The shelf of products on a day"""
    on = _day(call, query.on)
    kind = None if query.kind is None else ProductKind(query.kind)
    found = call.services.catalogue.catalog.products(on=on, zone=query.zone, lender=query.lender, kind=kind)
    items = [product_shown(product) for product in found if _sees(call, product)]
    return _json({"on": on.isoformat(), "items": items})


@router.get("/v1/products/{lender}/{slug}", response_model=ProductTermsShown)
async def get_product(
    call: ThisCall,
    lender: Annotated[Code, Path(description="机构代码。Lender.")],
    slug: Annotated[Code, Path(description="产品代码。Product of that lender.")],
    query: Annotated[ProductQuery, Query()],
) -> Response:
    """某日的产品条款 A product's terms on a day"""
    catalogue, on, product_id = call.services.catalogue, _day(call, query.on), f"{lender}/{slug}"
    try:
        shelf = catalogue.catalog.product(product_id, on=on)
    except UnknownProduct:
        raise Problem("not-found") from None
    if not _sees(call, shelf):
        raise Problem("not-found")
    resolved = catalogue.terms(product_id, on=on)
    changes = [day.isoformat() for day in catalogue.catalog.dates_of_change(product_id)]
    shown = product_shown(shelf) | {"on": on.isoformat(), "digest": resolved.digest, "changes_on": changes}
    return _json(shown | {"terms": orjson.Fragment(resolved.document)})


@router.get("/v1/reasons", response_model=ReasonsAnswer)
async def list_reasons(call: ThisCall) -> Response:
    """全部原因代码 Every reason code"""
    return _json({"items": [
        {"code": code.name, "number": code.number, "message": {"zh": code.zh, "en": code.en}} for code in ReasonCode
    ]})  # fmt: skip


# ---- the parts -------------------------------------------------------------------------------------------------------


def _day(call: Call, text: str | None) -> date:
    return call.services.today() if text is None else date.fromisoformat(text)


def _sees(call: Call, product: ShelfProduct) -> bool:
    return call.caller.sees(product.lender.id, None if product.branch is None else product.branch.id)


def _json(document: Any) -> Response:
    return Response(orjson.dumps(document), media_type="application/json")


def _words(words: Words) -> dict[str, str]:
    return {"zh": words.zh, "en": words.en}


def _coded(codes: Mapping[str, Words]) -> list[dict[str, Any]]:
    return [{"code": code, "name": _words(words)} for code, words in codes.items()]


def _reference(reference: Reference) -> dict[str, Any]:
    written = {"basis": reference.basis.value, "title": reference.title}
    return written if reference.note is None else {**written, "note": reference.note}


def _known(facts: tuple[KnownFact, ...]) -> list[dict[str, Any]]:
    return [{"fact": _words(known.fact), "reference": _reference(known.reference)} for known in facts]


def product_shown(product: ShelfProduct) -> dict[str, Any]:
    """This function will write a product as the shelf shows it."""
    branch, lender = product.branch, product.lender
    return {
        "id": product.id,
        "name": _words(product.name),
        "also_known_as": [name if isinstance(name, str) else name.zh for name in product.also_known_as],
        "lender": {"id": lender.id, "name": _words(lender.name), "kind": lender.kind.value},
        "branch": None if branch is None else {"id": branch.id, "name": _words(branch.name)},
        "zones": list(product.zones),
        "kind": product.kind.value,
        "status": product.status.value,
        "decides": product.status is ProductStatus.ACTIVE and product.kind in LOANS,
        "revolving": product.revolving,
        "known": _known(product.known),
    }


def _zone(zone: Zone) -> dict[str, Any]:
    return {
        "id": zone.id,
        "name": _words(zone.name),
        "division": zone.division,
        "platform": None if zone.platform is None else _words(zone.platform),
        "score_schemes": [_scheme(scheme) for scheme in zone.schemes.values()],
        "interest_subsidies": [_measure(measure) for measure in zone.interest_subsidies],
        "risk_compensation_pools": [_measure(measure) for measure in zone.risk_compensation_pools],
        "known": _known(zone.known),
    }


def _scheme(scheme: Scheme) -> dict[str, Any]:
    return {
        "id": scheme.id,
        "name": _words(scheme.name),
        "scale_maximum": scheme.scale_maximum,
        "versions": None if scheme.versions is None else list(scheme.versions),
        "stages": _coded(scheme.stages),
        "stages_complete": scheme.stages_complete,
        "fields": _coded(scheme.fields),
        "grades": list(scheme.grades),
        "veto": scheme.veto,
        "states": [state.value for state in scheme.states],
    }


def _measure(measure: Measure) -> dict[str, Any]:
    return {
        "id": measure.id,
        "name": _words(measure.name),
        "status": None if measure.status is None else measure.status.value,
        "known": _known(measure.known),
    }
