"""Document to terms: the plain form of one product becomes values that the rules use.

Neighbours may rely on this: terms are always built here, from the document alone, be it resolved just now or recorded
years ago. A gate's `passes` answers exactly True or False for every value of its fact's kind, and is a C function
wherever one does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from operator import methodcaller
from typing import Any

from app.domain.facts import FactKind, fact_named
from app.domain.money import Yuan
from app.domain.terms import (
    Authority,
    Bands,
    Branch,
    Choices,
    ClaimKind,
    Condition,
    CreditLimitTerms,
    Forfeit,
    Gate,
    GateTest,
    Lender,
    LenderKind,
    LimitComponent,
    LprQuote,
    Parameter,
    PoolBook,
    PriceMethod,
    PricingTerms,
    ProductKind,
    ProductStatus,
    ProductTerms,
    ReservedAt,
    RiskCompensationTerms,
    SchemeTerms,
    ScoreTerms,
    Severity,
    SubsidyBase,
    SubsidyProgramme,
    Waiver,
    WithoutRoom,
    Words,
)
from app.domain.trace import Basis, Reference

Document = Mapping[str, Any]


def terms_from_document(document: Document) -> ProductTerms:
    """This function will build a product's terms. Raises KeyError, ValueError or TypeError for what is no document of
    ours.
    """
    lender, branch = document["lender"], document["branch"]
    identity = {
        "id": document["id"],
        "name": _words(document["name"]),
        "lender": Lender(lender["id"], _words(lender["name"]), LenderKind(lender["kind"])),
        "branch": None if branch is None else Branch(branch["id"], _words(branch["name"])),
        "zones": frozenset(document["zones"]),
        "kind": ProductKind(document["kind"]),
        "status": ProductStatus(document["status"]),
        "revolving": document["revolving"],
        "document": document,
    }
    return ProductTerms(**identity, **(_deciding(document) if "credit_limit" in document else {}))


def _deciding(document: Document) -> dict[str, Any]:
    freshness, tenor, guarantee, offer = (document[key] for key in ("freshness", "tenor", "guarantee", "offer"))
    cover = document["risk_compensation"]
    return {
        "score": _score(document["score"]),
        "maximum_financials_age_months": _parameter(freshness["financials_months"]),
        "maximum_evidence_age_days": _parameter(freshness["evidence_days"]),
        "gates": tuple(map(_gate, document["gates"])),
        "credit_limit": _credit_limit(document["credit_limit"]),
        "minimum_tenor_months": _parameter(tenor["minimum_months"]),
        "maximum_tenor_months": _parameter(tenor["maximum_months"]),
        "pricing": _pricing(document["pricing"]),
        "lpr": {term: _quote(term, quote) for term, quote in document["lpr"].items()},
        "collateral_required": _parameter(document["collateral"]["required"]),
        "guarantee_required": _parameter(guarantee["required"]),
        "guarantee_fee_rate": _parameter(guarantee["fee_rate"]),
        "subsidies": tuple(map(_subsidy, document["interest_subsidies"])),
        "risk_compensation": None if cover is None else _risk_compensation(cover),
        "offer_valid_days": _parameter(offer["valid_days"]),
        "conditions": tuple(Condition(c["code"], _words(c["words"])) for c in offer["conditions"]),
    }


# ---- parameters -----------------------------------------------------------------------------------------------------


def _same(value: Any) -> Any:
    return value


def _shares(value: Sequence[Sequence[str]]) -> dict[str, Decimal]:
    return {bearer: Decimal(share) for bearer, share in value}


VALUE_OF_UNIT: dict[str, Callable[[Any], Any]] = {
    "CNY": Yuan.parse,
    "share": Decimal,
    "multiple": Decimal,
    "rate": Decimal,
    "bps": _same,
    "months": _same,
    "days": _same,
    "flag": _same,
    "shares": _shares,
    "payers": _shares,
}
VALUE_OF_KIND: dict[FactKind, Callable[[Any], Any]] = {
    FactKind.NUMBER: Decimal,
    FactKind.SHARE: Decimal,
    FactKind.MONEY: Yuan.parse,
    FactKind.COUNT: _same,
    FactKind.FLAG: _same,
}


def _parameter(document: Document | None) -> Parameter | None:
    if document is None:
        return None
    read, value = VALUE_OF_UNIT[document["unit"]], document["value"]
    if isinstance(value, Mapping) and "by" in value:
        value = _table(value, read)
    else:
        value = read(value)
    return Parameter(document["path"], value, _reference(document["reference"]))


def _table(table: Document, read: Callable[[Any], Any]) -> Bands | Choices:
    if "choices" in table:
        return Choices(table["by"], {code: read(value) for code, value in table["choices"]})
    key = VALUE_OF_KIND[fact_named(table["by"]).kind]
    rows = table["bands"]
    return Bands(table["by"], tuple(key(since) for since, _ in rows), tuple(read(value) for _, value in rows))


def _reference(document: Document) -> Reference:
    return Reference(Basis(document["basis"]), document["title"], document["note"])


def _words(document: Document) -> Words:
    return Words(document["zh"], document["en"])


# ---- gates ----------------------------------------------------------------------------------------------------------


def _gate(document: Document) -> Gate:
    test = GateTest(document["test"])
    kind = fact_named(document["fact"]).kind
    written = document["threshold"]
    threshold = frozenset(written) if isinstance(written, list | tuple) else VALUE_OF_KIND[kind](written)
    waiver = document["waiver"]
    return Gate(
        path=document["path"],
        fact=document["fact"],
        test=test,
        threshold=threshold,
        severity=Severity(document["severity"]),
        words=_words(document["words"]),
        clause=document["clause"],
        reference=_reference(document["reference"]),
        passes=passing(test, threshold),
        waiver=None if waiver is None else _waiver(waiver),
    )


def _waiver(document: Document) -> Waiver:
    named, words = document.get("authorities"), (_words(document["authority"]), _words(document["evidence"]))
    authorities = None if named is None else tuple(map(_authority, named))
    return Waiver(*words, document["fact"], document["at_most"], authorities)


def _authority(document: Document) -> Authority:
    return Authority(document["code"], _words(document["name"]), _parameter(document["up_to"]))


def passing(test: GateTest, threshold: Any) -> Callable[[Any], bool]:
    """This function will return the test as a callable of the fact's value; codes as a frozenset, numbers in the
    fact's own type.
    """
    match test:
        # The threshold is on the left: threshold <= actual.
        case GateTest.AT_LEAST:
            return threshold.__le__
        case GateTest.AT_MOST:
            return threshold.__ge__
        case GateTest.IS:
            return threshold.__eq__
        case GateTest.ONE_OF:
            return threshold.__contains__
        case GateTest.NONE_OF:
            return lambda actual: actual not in threshold
        case GateTest.STARTS_WITH:
            return methodcaller("startswith", tuple(sorted(threshold)))
        case GateTest.STARTS_WITH_NONE_OF:
            prefixes = tuple(sorted(threshold))
            return lambda actual: not actual.startswith(prefixes)
        case GateTest.ANY_OF:
            return lambda actual: not threshold.isdisjoint(actual)
        case GateTest.ALL_OF:
            return threshold.issubset


# ---- the sections ---------------------------------------------------------------------------------------------------


def _score(document: Document) -> ScoreTerms:
    schemes = {name: _scheme(name, scheme) for name, scheme in document["schemes"].items()}
    return ScoreTerms(document["required"], schemes, _parameter(document["maximum_age_days"]))


def _scheme(name: str, document: Document) -> SchemeTerms:
    versions, maximum = document["versions"], document["scale_maximum"]
    return SchemeTerms(
        id=name,
        versions=None if versions is None else frozenset(versions),
        scale_maximum=None if maximum is None else Decimal(maximum),
        stages=frozenset(document["stages"]),
        veto=document["veto"],
    )


def _credit_limit(document: Document) -> CreditLimitTerms:
    components = (LimitComponent(c["name"], _parameter(c["parameter"]), c["of"]) for c in document["components"])
    keys = ("cap", "lender_cap", "limited_to_request", "floor", "rounding_unit")
    return CreditLimitTerms(components=tuple(components), **{key: _parameter(document[key]) for key in keys})


def _pricing(document: Document) -> PricingTerms:
    keys = ("spread_bps", "annual_rate", "conventional_rate", "discount_share", "ceiling_bps")
    parameters = {key: _parameter(document[key]) for key in keys}
    return PricingTerms(PriceMethod(document["method"]), document["lpr_term"], **parameters)


def _quote(term: str, document: Document) -> LprQuote:
    published, confirmed = (date.fromisoformat(document[key]) for key in ("published_on", "confirmed_through"))
    return LprQuote(term, Decimal(document["rate"]), published, _reference(document["reference"]), confirmed)


def _subsidy(document: Document) -> SubsidyProgramme:
    return SubsidyProgramme(
        id=document["id"],
        name=_words(document["name"]),
        path=document["path"],
        status=ProductStatus(document["status"]),
        base=None if document["base"] is None else SubsidyBase(document["base"]),
        claim=ClaimKind(document["claim"]),
        gates=tuple(map(_gate, document["gates"])),
        share=_parameter(document["share"]),
        cap_per_loan=_parameter(document["cap_per_loan"]),
        maximum_months=_parameter(document["maximum_months"]),
        exclusion_group=document["exclusion_group"],
        lpr_term=document["lpr_term"],
        forfeited_when=Forfeit(document.get("forfeited_when", Forfeit.NONE)),
        cap_per_company=_parameter(document.get("cap_per_company")),
        cap_per_company_year=_parameter(document.get("cap_per_company_year")),
        one_loan_only=document.get("one_loan_only", False),
        payers=_parameter(document.get("payers")),
        budget=_parameter(document.get("budget")),
        claim_within_days=_parameter(document.get("claim_within_days")),
    )


def _risk_compensation(document: Document) -> RiskCompensationTerms:
    return RiskCompensationTerms(
        pool=document["pool"],
        name=_words(document["name"]),
        status=ProductStatus(document["status"]),
        per_company_cap=_parameter(document["per_company_cap"]),
        shares=_parameter(document["shares"]),
        book=PoolBook(document.get("book", PoolBook.OWN)),
        suspended=document.get("suspended", False),
        reserve_at=ReservedAt(document.get("reserve_at", ReservedAt.CREDIT_APPROVAL)),
        without_room=WithoutRoom(document.get("without_room", WithoutRoom.UNCOVERED)),
    )
