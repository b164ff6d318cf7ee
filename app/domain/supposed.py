"""What if: an application as it would be with one fact otherwise.

Neighbours may rely on this: `suppose` is the reverse of reading — the fact read from what it returns is the value that
was put in — and touches nothing that the fact is not read from. A figure that follows from others (an age, a share) is
moved by the one that the request carries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final

from app.domain.company import (
    Application,
    CompanySize,
    CreditHistory,
    Evidence,
    Financials,
    FinancialsBasis,
    InnovationScore,
    Listings,
    Qualification,
    Rank,
    RankScope,
)
from app.domain.facts import EVIDENCE, add_months
from app.domain.money import Yuan


def suppose(application: Application, fact: str, value: Any, on: date) -> Application | None:
    """This function will return the application as it would be if the fact had that value on that day, or None where
    the fact cannot be put in: a part of a score that there is none of, a share of a figure that is unknown.
    """
    section, _, name = fact.partition(".")
    if section == EVIDENCE.removesuffix("."):
        known = dict(application.evidence or {})
        known[name] = Evidence(value, on=on)
        return replace(application, evidence=known)
    put = _PUT.get(fact)
    if put is not None:
        return put(application, value, on)
    if section == "score":
        return _with_score(application, {name: value})
    if section == "financials":
        return _with_figures(application, {name: value}, on)
    if section == "credit":
        history = application.credit_history or CreditHistory()
        return replace(application, credit_history=_told(history, name, value))
    if section == "company":
        return replace(application, company=replace(application.company, **{name: value}))
    return replace(application, request=replace(application.request, **{name: value}))


def _told(history: CreditHistory, name: str, value: Any) -> CreditHistory:
    if name in Listings.__dataclass_fields__:
        return replace(history, listings=replace(history.listings or Listings(), **{name: value}))
    return replace(history, **{name: value})


def _with_score(application: Application, parts: Mapping[str, Any]) -> Application | None:
    score: InnovationScore | None = application.innovation_score
    return None if score is None else replace(application, innovation_score=replace(score, **parts))


def _with_figures(application: Application, parts: Mapping[str, Any], on: date) -> Application:
    figures = application.financials or Financials(on.year - 1, FinancialsBasis.AUDITED)
    return replace(application, financials=replace(figures, **parts))


def _ranked(scope: RankScope) -> Callable[[Application, int, date], Application | None]:
    return lambda application, position, on: _with_score(application, {"rank": Rank(position, scope)})


def _founded(application: Application, months: int, on: date) -> Application:
    return replace(application, company=replace(application.company, founded_on=add_months(on, -months)))


def _in_zone(application: Application, months: int, on: date) -> Application:
    return replace(application, company=replace(application.company, in_zone_since=add_months(on, -months)))


def _sized(application: Application, size: str, on: date) -> Application | None:
    if size not in CompanySize._value2member_map_:
        return None
    return replace(application, company=replace(application.company, size=CompanySize(size)))


def _qualified(application: Application, codes: frozenset[str], on: date) -> Application:
    """What is held already keeps its own last day."""
    held = application.company.qualifications or ()
    kept = tuple(q for q in held if q.code in codes and (q.valid_until is None or q.valid_until >= on))
    new = tuple(Qualification(code) for code in sorted(codes - {q.code for q in kept}))
    return replace(application, company=replace(application.company, qualifications=kept + new))


def _least(share: Decimal, whole: Yuan) -> Yuan:
    """The least amount that is at least the share of the whole."""
    return Yuan(int((share * int(whole)).to_integral_value(ROUND_CEILING)))


def _grown(application: Application, share: Decimal, on: date) -> Application | None:
    figures = application.financials
    before = None if figures is None else figures.previous_revenue
    return _with_figures(application, {"revenue": before + _least(share, before)}, on) if before else None


def _researching(application: Application, share: Decimal, on: date) -> Application | None:
    figures = application.financials
    revenue = None if figures is None else figures.revenue
    return _with_figures(application, {"rd_expense": _least(share, revenue)}, on) if revenue else None


_PUT: Final[Mapping[str, Callable[[Application, Any, date], Application | None]]] = {
    "score.rank_in_zone": _ranked(RankScope.ZONE),
    "score.rank_in_stage": _ranked(RankScope.STAGE),
    "score.rank_in_stage_and_field": _ranked(RankScope.STAGE_AND_FIELD),
    "company.age_months": _founded,
    "company.months_in_zone": _in_zone,
    "company.size": _sized,
    "company.qualifications": _qualified,
    "financials.revenue_change_share": _grown,
    "financials.rd_intensity": _researching,
}
