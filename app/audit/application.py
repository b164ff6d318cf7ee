"""The application read from its document: the wire form of a request, which is also its form in a record.

Neighbours may rely on this: `application_from_document` reads a document whose shape was checked before (by the API's
schemas, or because it comes out of a record); what is absent or null is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from unicodedata import normalize

from app.domain.company import (
    Application,
    Authorisation,
    Company,
    CompanySize,
    CreditHistory,
    CreditRequest,
    Evidence,
    Financials,
    FinancialsBasis,
    InnovationScore,
    Qualification,
    Rank,
    RankScope,
    ScoreSource,
    ScoreState,
    SourceKind,
)
from app.domain.money import Yuan

Document = Mapping[str, Any]

_LISTINGS = ("judgment_defaulter", "abnormal_operation", "serious_illegal")
_AMOUNTS = (
    "revenue",
    "previous_revenue",
    "rd_expense",
    "net_profit",
    "net_assets",
    "total_assets",
    "latest_valuation",
    "working_capital",
)


def application_from_document(document: Document) -> Application:
    """This function will read an application from its wire form; ValueError or KeyError only for an unchecked
    document.
    """
    get = document.get
    evidence = get("evidence")
    return Application(
        application_id=document["application_id"],
        product=document["product"],
        company=_company(document["company"]),
        request=_request(document["request"]),
        innovation_score=_score(get("innovation_score")),
        financials=_financials(get("financials")),
        evidence=None if evidence is None else {code: _evidence(e) for code, e in evidence.items() if e is not None},
        credit_history=_history(get("credit_history")),
        authorisation=_authorisation(get("authorisation")),
    )


def normal_uscc(text: str) -> str:
    """This function will return a 统一社会信用代码 in its normal form: trimmed, half-width, upper case."""
    return text if text.isascii() and text.isupper() and text.isalnum() else normalize("NFKC", text).strip().upper()


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def _yuan(text: str | None) -> Yuan | None:
    return None if text is None else Yuan.parse(text)


def _company(found: Document) -> Company:
    get = found.get
    size, held = get("size"), get("qualifications")
    return Company(
        uscc=normal_uscc(found["uscc"]),
        name=found["name"],
        zone=found["zone"],
        founded_on=_day(get("founded_on")),
        in_zone_since=_day(get("in_zone_since")),
        registered_area=get("registered_area"),
        industry_code=get("industry_code"),
        size=None if size is None else CompanySize(size),
        employees=get("employees"),
        group_id=get("group_id"),
        qualifications=None
        if held is None
        else tuple(Qualification(q["code"], _day(q.get("valid_until"))) for q in held),
    )


def _score(found: Document | None) -> InnovationScore | None:
    if found is None:
        return None
    get = found.get
    value, rank, source = get("value"), get("rank"), get("source")
    return InnovationScore(
        scheme=found["scheme"],
        state=ScoreState(found["state"]),
        scheme_version=get("scheme_version"),
        value=None if value is None else Decimal(value),
        grade=get("grade"),
        vetoed=get("vetoed"),
        stage=get("stage"),
        field=get("field"),
        rank=None if rank is None else Rank(rank["position"], RankScope(rank["within"])),
        as_of=_day(get("as_of")),
        valid_until=_day(get("valid_until")),
        source=None
        if source is None
        else ScoreSource(SourceKind(source["kind"]), source.get("reference"), _instant(source.get("obtained_at"))),
    )


def _financials(found: Document | None) -> Financials | None:
    if found is None:
        return None
    get = found.get
    return Financials(found["year"], FinancialsBasis(found["basis"]), *[_yuan(get(name)) for name in _AMOUNTS])


def _evidence(found: Document) -> Evidence:
    return Evidence(found["established"], found.get("by"), found.get("reference"), _day(found.get("on")))


def _history(found: Document | None) -> CreditHistory | None:
    if found is None:
        return None
    listed = found.get("listings") or {}
    return CreditHistory(
        found.get("first_loan"),
        found.get("past_due_days"),
        _yuan(found.get("credit_elsewhere")),
        *[listed.get(name) for name in _LISTINGS],
    )


def _authorisation(found: Document | None) -> Authorisation | None:
    if found is None:
        return None
    return Authorisation(found["reference"], date.fromisoformat(found["granted_on"]), _day(found.get("valid_until")))


def _request(found: Document) -> CreditRequest:
    return CreditRequest(Yuan.parse(found["amount"]), found["tenor_months"], found["purpose"], found.get("replaces"))


def instant_text(at: datetime) -> str:
    """This function will write a UTC instant to the microsecond: "2026-11-20T02:15:00.123456Z"."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
