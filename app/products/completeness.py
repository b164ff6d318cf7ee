"""Whether a product that is ACTIVE has all it needs to decide, on every day on which it is ACTIVE.

Neighbours may rely on this: once `check_completeness` has noted nothing, the terms of an ACTIVE loan have every
parameter that a decision needs, so that a gap in a file is found when the file is read and not when a company
applies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Any

from app.domain.terms import LOANS, PriceMethod, ProductStatus, SubsidyBase
from app.products.faults import Faults, Place
from app.products.parameters import Dated, Entry
from app.products.resolve import dates_of_change, status_on
from app.products.sources import Product, Sources

ALWAYS = (
    ("credit_limit", "cap"),
    ("credit_limit", "limited_to_request"),
    ("credit_limit", "floor"),
    ("credit_limit", "rounding_unit"),
    ("tenor", "minimum_months"),
    ("tenor", "maximum_months"),
    ("collateral", "required"),
    ("guarantee", "required"),
    ("offer", "valid_days"),
)
PRICED_BY = {
    PriceMethod.LPR: ("spread_bps",),
    PriceMethod.FIXED: ("annual_rate",),
    PriceMethod.DISCOUNT: ("conventional_rate", "discount_share"),
    PriceMethod.CEILING: ("ceiling_bps",),
}
ALSO = {"ceiling_bps"}


def check_completeness(sources: Sources, faults: Faults) -> None:
    """This function will note what each ACTIVE loan lacks and from when, and prices that have no meaning."""
    for product in sources.products.values():
        _check_method(product, faults)
        if product.kind in LOANS:
            _check_active(sources, product, faults)
    for name, programme in sources.subsidies.items():
        _check_programme(name, programme, faults)


def _check_method(product: Product, faults: Faults) -> None:
    """Whatever a method does not use is refused: a spread beside a fixed rate would look as if it counted."""
    pricing = product.sections.get("pricing", {})
    method = pricing.get("method")
    if method is None:
        return
    used = {*PRICED_BY[method], *ALSO, "method", "lpr_term"}
    for key in pricing:
        if key not in used:
            place = pricing.places[key]
            faults.add(
                place,
                f"{key} has no meaning where the method is {method}",
                f"Remove it, or change the method of {place.file}.",
            )


def _check_active(sources: Sources, product: Product, faults: Faults) -> None:
    lacking: dict[str, tuple[Place, date]] = {}
    for day in _active_days(sources, product):
        for name, place in _lacking(sources, product, day):
            lacking.setdefault(name, (place, day))
    _check_rates(sources, product, _active_days(sources, product), faults)
    for name, (place, day) in lacking.items():
        what = f"{product.id} is ACTIVE on {day}, but lacks {name}"
        faults.add(place, what, f"Add {name}, in force from that day or earlier; or let the status be LISTED.")


def _active_days(sources: Sources, product: Product) -> Iterator[date]:
    days = dates_of_change(sources, product)
    return (day for day in days if status_on(product.status, day) is ProductStatus.ACTIVE)


def _lacking(sources: Sources, product: Product, day: date) -> Iterator[tuple[str, Place]]:
    sections = product.sections
    in_force = _in_force(product, day)
    if "required" not in sections.get("score", {}):
        yield "score.required", product.place
    elif sections["score"]["required"] and not any(sources.schemes_of(product)):
        yield "a score scheme of its zones", product.place
    yield from (missing for section, key in ALWAYS for missing in in_force(section, key))
    lender = sources.lenders[product.lender]
    if not _holds(lender.get("company_cap"), day):
        yield "company_cap", lender.place
    yield from _lacking_components(product, day)
    yield from _lacking_price(sources, product, day)
    cover = sections.get("risk_compensation", {})
    pool = sources.pools.get(cover.get("pool"))
    if pool is not None and status_on(pool["status"], day) is ProductStatus.ACTIVE:
        yield from in_force("risk_compensation", "shares")
    for name in sections.get("interest_subsidies", ()):
        programme = sources.subsidies[name]
        if programme.get("base") is SubsidyBase.LPR_SHARE and "lpr_term" in programme:
            yield from _lacking_quote(sources, programme["lpr_term"], day)


def _in_force(product: Product, day: date) -> Callable[[str, str], Iterator[tuple[str, Place]]]:
    def missing(section: str, key: str) -> Iterator[tuple[str, Place]]:
        dated = product.sections.get(section, {}).get(key)
        if not _holds(dated, day):
            above = product.sections.places.get(section, product.place)
            yield f"{section}.{key}", above if dated is None else dated.place

    return missing


def _holds(dated: Dated | None, day: date) -> bool:
    return dated is not None and dated.on(day) is not None


def _lacking_components(product: Product, day: date) -> Iterator[tuple[str, Place]]:
    components = product.sections.get("credit_limit", {}).get("components", {})
    for dated in components.values():
        base = components.get(dated.of) if dated.of is not None else None
        if dated.on(day) is not None and base is not None and base.on(day) is None:
            yield f"credit_limit.{dated.of}", base.place


def _lacking_price(sources: Sources, product: Product, day: date) -> Iterator[tuple[str, Place]]:
    pricing = product.sections.get("pricing", {})
    method = pricing.get("method")
    if method is None:
        yield "pricing.method", product.place
        return
    in_force = _in_force(product, day)
    for key in PRICED_BY[method]:
        yield from in_force("pricing", key)
    if method in (PriceMethod.LPR, PriceMethod.CEILING) or _holds(pricing.get("ceiling_bps"), day):
        if "lpr_term" not in pricing:
            yield "pricing.lpr_term", product.place
        else:
            yield from _lacking_quote(sources, pricing["lpr_term"], day)


def _check_rates(sources: Sources, product: Product, days: Iterable[date], faults: Faults) -> None:
    """No spread or ceiling of the file brings a quote below zero; the first day on which one does is noted."""
    pricing = product.sections.get("pricing", {})
    quotes = sources.lpr["quotes"].get(pricing.get("lpr_term"), ())
    noted: set[str] = set()
    for day in days:
        quote = next((entry for entry in reversed(quotes) if entry.since < day), None)
        for key in {"spread_bps", "ceiling_bps"} - noted if quote is not None else ():
            entry = pricing[key].on(day) if key in pricing else None
            lowest = None if entry is None else min(_plain_values(pricing[key], entry))
            if lowest is not None and quote.value * 10_000 + lowest < 0:
                noted.add(key)
                what = f"on {day} {key} of {lowest} brings the LPR of {quote.value} below zero"
                faults.add(entry.place, what, "Basis points are hundredths of a per cent: look at sign and figure.")


def _plain_values(dated: Dated, entry: Entry) -> list[Any]:
    return [entry.value] if dated.by is None else [row.value for row in entry.value if row.value is not None]


def _lacking_quote(sources: Sources, term: str, day: date) -> Iterator[tuple[str, Place]]:
    entries = sources.lpr["quotes"].get(term, ())
    if not any(entry.since < day for entry in entries):
        yield f"an LPR quote of {term} published before", sources.lpr.place


def _check_programme(name: str, programme: dict, faults: Faults) -> None:
    """An ACTIVE programme counts towards offers: it needs its base and its share; LPR_SHARE needs the term."""
    if programme.get("base") is SubsidyBase.LPR_SHARE and "lpr_term" not in programme:
        faults.add(
            programme.places["base"], "a share of the LPR is given without the LPR's term", "Add lpr_term: 1Y or 5Y+."
        )
    days = sorted({entry.since for key in ("status", "share") if key in programme for entry in programme[key].entries})
    for day in days:
        if status_on(programme["status"], day) is not ProductStatus.ACTIVE:
            continue
        missing = [key for key in ("base",) if key not in programme]
        missing += [key for key in ("share",) if not _holds(programme.get(key), day)]
        for key in missing:
            mend = f"Add {key}, or let the status be LISTED: then it is shown and never counted."
            faults.add(programme.place, f"the programme {name} is ACTIVE on {day}, but has no {key}", mend)
