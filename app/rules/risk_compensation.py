"""风险补偿: which part of the line a pool would cover, and who bears which share of a loss on it.

Neighbours may rely on this: the shares of one loss sum to 1; what exceeds the pool's cap for one company is the
lender's own; cover is only PROPOSED here, until the pool's ledger has reserved room; a pool that is planned covers
nothing.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from app.domain.decision import Line, LossShare, Reason, RiskCompensation, RiskStatus
from app.domain.money import Yuan
from app.domain.reasons import ReasonCode
from app.domain.terms import ProductStatus, RiskCompensationTerms, Severity
from app.rules.eligibility import reason

Cover = tuple[RiskCompensation, tuple[Line, ...], tuple[Reason, ...]]

_LENDERS_OWN = RiskCompensation(RiskStatus.NONE, None, Yuan(0), Yuan(0), (LossShare("BANK", Decimal("1.00")),))


@lru_cache(maxsize=4_096)
def cover(pool: RiskCompensationTerms | None, limit: Yuan) -> Cover:
    """This function will propose cover for a line of `limit`, with its lines of the trace and its reasons."""
    if pool is None:
        return _LENDERS_OWN, (), ()
    if pool.status is not ProductStatus.ACTIVE:
        planned = reason(ReasonCode.COVER_PLANNED, Severity.INFO, clause="risk_compensation.pool")
        line = ("risk_compensation.pool", pool.status, (), None, False)
        return _LENDERS_OWN, (line,), (planned,) if pool.status is ProductStatus.PLANNED else ()
    cap = pool.per_company_cap
    covered = limit if cap is None else min(limit, cap.value)
    shares = tuple(LossShare(bearer, share) for bearer, share in pool.shares.value.items())
    proposed = RiskCompensation(RiskStatus.PROPOSED, pool.pool, covered, Yuan(0), shares)
    lines: tuple[Line, ...] = ((pool.shares.path, pool.pool, tuple(shares), pool.shares.reference, False),)
    if cap is not None:
        lines = ((cap.path, covered, (("limit", limit), ("cap", cap.value)), cap.reference, False), *lines)
    partial = reason(ReasonCode.COVER_PARTIAL, Severity.INFO, clause="risk_compensation.per_company_cap")
    return proposed, lines, (partial,) if covered < limit else ()
