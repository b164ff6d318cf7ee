"""A pool of a zone as its file has it on one day: values for its ledger.

Neighbours may rely on this: what a file does not say is absent and bounds nothing; a pool before its first day and
after its end is CLOSED.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from app.domain.pool import ClaimTerms, FilingTerms, Lines, LossBasis, PoolPhase, PoolStatus, PoolTerms
from app.domain.terms import PoolBook, ProductStatus
from app.domain.working_days import WorkingDays, YearOfWork
from app.products.forms import Section
from app.products.resolve import status_on
from app.products.sources import Sources

_STATUS = {
    ProductStatus.ACTIVE: PoolStatus.ACTIVE,
    ProductStatus.PLANNED: PoolStatus.PLANNED,
    ProductStatus.LISTED: PoolStatus.PLANNED,
    ProductStatus.CLOSED: PoolStatus.CLOSED,
}


def pool_terms(pool_id: str, pool: Section, on: date) -> PoolTerms:
    """This function will return a pool's terms on a day."""
    status = _STATUS[status_on(pool["status"], on)]
    if status is PoolStatus.ACTIVE and _value(pool, "suspended", on):
        status = PoolStatus.SUSPENDED
    quotas = {lender: _value(pool["lender_quotas"], lender, on) for lender in pool.get("lender_quotas", ())}
    multiple = _value(pool, "leverage_multiple", on)
    return PoolTerms(
        id=pool_id,
        name=pool["name"],
        status=status,
        book=pool.get("book", PoolBook.OWN),
        phases=tuple(PoolPhase(phase["name"], phase["committed_capital"]) for phase in pool.get("phases", ())),
        committed_capital=_value(pool, "committed_capital", on),
        per_company_cap=_value(pool, "per_company_cap", on),
        lender_quotas={lender: quota for lender, quota in quotas.items() if quota is not None} or None,
        lines=_lines(pool.get("lines"), on),
        claims=_claims(pool.get("claims", {}), on),
        filing=_filing(pool.get("filing"), on),
        **({} if multiple is None else {"leverage_multiple": multiple}),
    )


def working_days(sources: Sources) -> WorkingDays:
    """This function will return the announced years of holidays.yaml."""
    years = (sources.holidays or {}).get("years", {})
    return WorkingDays(
        {
            year: YearOfWork(frozenset(found["holidays"]), frozenset(found.get("working_days", ())))
            for year, found in years.items()
        }
    )


def _value(section: Section | dict[str, Any], key: str, on: date) -> Any:
    dated = section.get(key)
    entry = None if dated is None else dated.on(on)
    return None if entry is None else entry.value


def _lines(lines: Section | None, on: date) -> Lines | None:
    if lines is None:
        return None
    return Lines(lines["numerator"], lines["denominator"], _value(lines, "warn", on), _value(lines, "stop", on))


def _claims(claims: Section | dict[str, Any], on: date) -> ClaimTerms:
    tiers = _value(claims, "tiers", on)
    return ClaimTerms(
        after_days_past_due=_value(claims, "after_days", on) or 0,
        documents=tuple(claims.get("documents", ())),
        review_working_days=_value(claims, "review_working_days", on) or 0,
        loss_basis=claims.get("loss_basis", LossBasis.PRINCIPAL),
        tiers=() if tiers is None else tuple((tier["from"], tier["share"]) for tier in tiers),
        public_ceiling=_value(claims, "public_ceiling", on),
        public_bearers=tuple(map(str, claims.get("public_bearers", ("POOL",)))),
    )


def _filing(filing: Section | None, on: date) -> FilingTerms | None:
    within = None if filing is None else _value(filing, "within_days", on)
    return None if within is None else FilingTerms(within, filing.get("working_days", False))
