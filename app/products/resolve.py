"""Source to document: a product's plain form as it stands on one day.

Neighbours may rely on this: a document holds only strings, integers, booleans, None, lists and dicts with ASCII
string keys; money, rates and shares are decimal strings and days ISO dates. It is the same object of terms whenever
it is resolved: nothing in it names the day. Terms are built from it alone (build.py), so that a recorded document
gives the same terms again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from app.domain.facts import FactKind, fact_named
from app.domain.money import Yuan
from app.domain.terms import LOANS, GateTest, PoolBook, ProductStatus, Severity, Words
from app.domain.trace import Reference
from app.products.forms import Section
from app.products.gates import GateSource, WaiverSource
from app.products.layout import LprTerm
from app.products.parameters import Dated, Entry, Row
from app.products.sources import Product, Sources

Document = dict[str, Any]
PROHIBITED = "gates.purpose_prohibited"


def terms_document(sources: Sources, product: Product, on: date) -> Document:
    """This function will return the product's plain form on a day: whole where it decides, else who and what it is."""
    status = status_on(product.status, on)
    document = _identity(sources, product, status)
    if status is ProductStatus.ACTIVE and product.kind in LOANS:
        document |= _deciding(sources, product, on)
    return document


def status_on(status: Dated, on: date) -> ProductStatus:
    """This function will return the status on a day; before its first date and after its end a product is not in
    force: CLOSED.
    """
    entry = status.on(on)
    return ProductStatus.CLOSED if entry is None else entry.value


def dates_of_change(sources: Sources, product: Product) -> tuple[date, ...]:
    """This function will return the days, ascending, on which anything in the product's document may change."""
    days = {entry.since for dated in sources.dated_of(product) for entry in dated.entries}
    # A quote counts from the day after its publication.
    days |= {entry.since + date.resolution for entries in sources.lpr["quotes"].values() for entry in entries}
    return tuple(sorted(days))


def _identity(sources: Sources, product: Product, status: ProductStatus) -> Document:
    lender = sources.lenders[product.lender]
    branch = product.own.get("branch")
    return {
        "id": product.id,
        "name": plain(product.own["name"]),
        "lender": {"id": product.lender, "name": plain(lender["name"]), "kind": plain(lender["kind"])},
        "branch": None if branch is None else {"id": branch, "name": plain(lender["branches"][branch]["name"])},
        "zones": sorted(product.zones),
        "kind": plain(product.kind),
        "status": plain(status),
        "revolving": product.own.get("revolving", False),
    }


def _deciding(sources: Sources, product: Product, on: date) -> Document:
    sections = product.sections
    read = _reader_of(sections, on)
    pricing = sections["pricing"]
    return {
        "score": {
            "required": sections["score"]["required"],
            "maximum_age_days": read("score", "maximum_age_days"),
            "schemes": {name: _scheme(scheme, on) for name, scheme in sources.schemes_of(product)},
        },
        "freshness": {key: read("freshness", key) for key in ("financials_months", "evidence_days")},
        "gates": list(_gates(sections.get("gates"), "gates", on)) + list(_prohibition(sources)),
        "credit_limit": {
            "cap": read("credit_limit", "cap"),
            "lender_cap": parameter(sources.lenders[product.lender].get("company_cap"), "credit_limit.lender_cap", on),
            "components": list(_components(sections["credit_limit"].get("components"), on)),
            **{key: read("credit_limit", key) for key in ("limited_to_request", "floor", "rounding_unit")},
        },
        "tenor": {key: read("tenor", key) for key in ("minimum_months", "maximum_months")},
        "pricing": {
            "method": plain(pricing["method"]),
            "lpr_term": plain(pricing.get("lpr_term")),
            **{key: read("pricing", key) for key in PRICING},
        },
        "lpr": dict(_quotes(sources, on)),
        "collateral": {"required": read("collateral", "required")},
        "guarantee": {key: read("guarantee", key) for key in ("required", "fee_rate")},
        "interest_subsidies": list(_subsidies(sources, product, on)),
        "risk_compensation": _risk_compensation(sources, product, on),
        "offer": {"valid_days": read("offer", "valid_days"), "conditions": list(_conditions(sources, sections))},
    }


def _conditions(sources: Sources, sections: Section) -> Iterator[Document]:
    """Conditions with their words; on the wire their codes are in capitals like every code that people read in an
    offer.
    """
    known = sources.codes.get("conditions", {})
    for code in sections["offer"].get("conditions", ()):
        yield {"code": plain(code).upper().replace("-", "_"), "words": plain(known[code])}


PRICING = ("spread_bps", "annual_rate", "conventional_rate", "discount_share", "ceiling_bps")


def _reader_of(sections: Section, on: date) -> Callable[[str, str], Document | None]:
    def read(section: str, key: str) -> Document | None:
        return parameter(sections.get(section, {}).get(key), f"{section}.{key}", on)

    return read


def parameter(dated: Dated | None, path: str, on: date) -> Document | None:
    """This function will return a parameter's plain form on a day, or None where nothing is in force."""
    entry = None if dated is None else dated.on(on)
    if entry is None:
        return None
    if dated.unit in ("shares", "payers"):
        # Pairs, since a canonical document keeps no order of keys and the bearers of a loss have one.
        value = [[plain(bearer), plain(share)] for bearer, share in entry.value.items()]
    else:
        value = plain(entry.value) if dated.by is None else _table(dated.by, entry.value)
    return {"path": path, "unit": dated.unit, "value": value, "reference": reference(entry.reference)}


def _table(by: str, rows: tuple[Row, ...]) -> Document:
    numeric = fact_named(by).kind not in (FactKind.CODE, FactKind.CODES, FactKind.FLAG)
    # A first row that gives nothing says so to the people who read the file; the table begins after it.
    return {
        "by": by,
        "bands" if numeric else "choices": [[plain(r.key), plain(r.value)] for r in rows if r.value is not None],
    }


def _scheme(scheme: Section, on: date) -> Document:
    versions, maximum = (None if key not in scheme else scheme[key].on(on) for key in ("versions", "scale_maximum"))
    return {
        "versions": None if versions is None else sorted(versions.value),
        "scale_maximum": None if maximum is None else plain(maximum.value),
        "stages": sorted(scheme.get("stages", ())),
        "veto": scheme.get("veto", False),
    }


def _gates(gates: Section | None, below: str, on: date) -> Iterator[Document]:
    for name, gate in (gates or {}).items():
        entry = gate.dated.on(on)
        if entry is not None:
            yield _gate(gate, f"{below}.{name}", entry, on)


def _gate(gate: GateSource, path: str, entry: Entry, on: date) -> Document:
    return {
        "path": path,
        "fact": gate.fact,
        "test": plain(gate.test),
        "threshold": plain(entry.value),
        "severity": plain(gate.severity),
        "words": plain(gate.words),
        "clause": gate.clause,
        "reference": reference(entry.reference),
        "waiver": None if gate.waiver is None else _waiver(gate.waiver, f"{path}.waiver.authorities", on),
    }


def _waiver(waiver: WaiverSource, path: str, on: date) -> Document:
    said: Document = {
        "authority": plain(waiver.authority),
        "evidence": plain(waiver.evidence),
        "fact": waiver.fact,
        "at_most": waiver.at_most,
    }
    if waiver.authorities is None:
        # Left out, so that terms that name none keep their digest.
        return said
    amounts = ((code, one, parameter(one["up_to"], f"{path}.{code}", on)) for code, one in waiver.authorities.items())
    named = [
        {"code": code, "name": plain(one["name"]), "up_to": up_to} for code, one, up_to in amounts if up_to is not None
    ]
    return said | {"authorities": named}


def _prohibition(sources: Sources) -> Iterator[Document]:
    """What no loan may be used for stands once, in codes.yaml, and every product asks it."""
    prohibited = sorted(
        code for code, purpose in sources.codes.get("purposes", {}).items() if purpose.get("prohibited")
    )
    if prohibited:
        rule = sources.codes["prohibition"]
        yield {
            "path": PROHIBITED,
            "fact": "request.purpose",
            "test": GateTest.NONE_OF.value,
            "threshold": prohibited,
            "severity": Severity.DECLINE.value,
            "words": plain(rule["words"]),
            "clause": rule.get("clause"),
            "reference": reference(rule["reference"]),
            "waiver": None,
        }


def _components(components: Section | None, on: date) -> Iterator[Document]:
    for name, dated in (components or {}).items():
        found = parameter(dated, f"credit_limit.{name}", on)
        if found is not None:
            yield {"name": name, "of": dated.of, "parameter": found}


def _quotes(sources: Sources, on: date) -> Iterator[tuple[str, Document]]:
    for term in LprTerm:
        newest = next((e for e in reversed(sources.lpr["quotes"].get(term, ())) if e.since < on), None)
        if newest is not None:
            yield (
                term.value,
                {
                    "rate": plain(newest.value),
                    "published_on": plain(newest.since),
                    "reference": reference(newest.reference),
                    "confirmed_through": plain(sources.lpr["confirmed_through"]),
                },
            )


def _subsidies(sources: Sources, product: Product, on: date) -> Iterator[Document]:
    for name in product.sections.get("interest_subsidies", ()):
        programme = sources.subsidies[name]
        status = programme["status"].on(on)
        if status is None:
            continue
        path = f"interest_subsidies.{name}"
        yield {
            "id": name,
            "name": plain(programme["name"]),
            "path": path,
            "status": plain(status.value),
            "base": plain(programme.get("base")),
            "claim": plain(programme["claim"]),
            "gates": list(_gates(programme.get("gates"), f"{path}.gates", on)),
            **{
                key: parameter(programme.get(key), f"{path}.{key}", on)
                for key in ("share", "cap_per_loan", "maximum_months")
            },
            "exclusion_group": programme.get("exclusion_group"),
            "lpr_term": plain(programme.get("lpr_term")),
            **_settled_by(programme, path, on),
        }


def _settled_by(programme: Section, path: str, on: date) -> Document:
    """What a programme's settlement goes by; what a programme does not say is left out."""
    said: Document = {
        key: parameter(programme.get(key), f"{path}.{key}", on)
        for key in ("cap_per_company", "cap_per_company_year", "payers", "budget", "claim_within_days")
    }
    said |= {"forfeited_when": plain(programme.get("forfeited_when")), "one_loan_only": programme.get("one_loan_only")}
    return {key: value for key, value in said.items() if value is not None}


def _risk_compensation(sources: Sources, product: Product, on: date) -> Document | None:
    section = product.sections.get("risk_compensation", {})
    pool = sources.pools.get(section.get("pool"))
    status = None if pool is None else pool["status"].on(on)
    if status is None:
        return None
    suspended = None if "suspended" not in pool else pool["suspended"].on(on)
    said = {key: plain(section[key]) for key in ("reserve_at", "without_room") if key in section}
    if pool.get("book") is PoolBook.EXTERNAL:
        said["book"] = PoolBook.EXTERNAL.value
    if suspended is not None and suspended.value:
        said["suspended"] = True
    return {
        **said,
        "pool": section["pool"],
        "name": plain(pool["name"]),
        "status": plain(status.value),
        "per_company_cap": parameter(pool.get("per_company_cap"), "risk_compensation.per_company_cap", on),
        "shares": parameter(section.get("shares"), "risk_compensation.shares", on),
    }


def reference(cited: Reference | None) -> Document | None:
    """This function will return a reference's plain form."""
    return None if cited is None else {"basis": cited.basis.value, "title": cited.title, "note": cited.note}


def plain(value: Any) -> Any:
    """This function will return the plain form of an exact value: money and decimals as strings, days ISO, codes as
    they are.
    """
    match value:
        case Words():
            return {"zh": value.zh, "en": value.en}
        case Yuan():
            return value.text()
        case Decimal():
            return format(value, "f")
        case date():
            return value.isoformat()
        case StrEnum():
            return value.value
        case dict():
            return {str(plain(key)): plain(part) for key, part in value.items()}
        case tuple() | list():
            return [plain(part) for part in value]
        case _:
            return value
