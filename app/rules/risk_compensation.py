"""风险补偿: which part of the line a pool would cover, and who bears which share of a loss on it.

Neighbours may rely on this: the shares of one loss sum to 1; what exceeds the pool's cap for one company is the
lender's own; cover is only PROPOSED here, until the pool's ledger has reserved room; a pool that is planned covers
nothing.
"""

from __future__ import annotations

from decimal import Decimal

from app.domain.decision import LossShare, Reason, RiskCompensation, RiskStatus, Step
from app.domain.money import Yuan
from app.domain.reasons import ReasonCode
from app.domain.terms import ProductStatus, ProductTerms, Severity
from app.rules.eligibility import reason

_LENDERS_OWN = RiskCompensation(RiskStatus.NONE, None, Yuan(0), Yuan(0), (LossShare("BANK", Decimal("1.00")),))


def cover(terms: ProductTerms, limit: Yuan) -> tuple[RiskCompensation, tuple[Step, ...], tuple[Reason, ...]]:
    """This function will propose cover for a line of `limit`."""
    pool = terms.risk_compensation
    if pool is None:
        return _LENDERS_OWN, (), ()
    if pool.status is ProductStatus.PLANNED:
        planned = reason(ReasonCode.COVER_PLANNED, Severity.INFO, clause="risk_compensation.pool")
        return _LENDERS_OWN, (Step("risk_compensation.pool", pool.status.value),), (planned,)
    if pool.status is not ProductStatus.ACTIVE:
        return _LENDERS_OWN, (Step("risk_compensation.pool", pool.status.value),), ()
    cap = pool.per_company_cap
    covered = limit if cap is None else min(limit, cap.value)
    shares = tuple(LossShare(bearer, share) for bearer, share in pool.shares.value.items())
    proposed = RiskCompensation(RiskStatus.PROPOSED, pool.pool, Yuan(covered), Yuan(0), shares)
    steps = [Step(pool.shares.path, pool.pool, tuple(pool.shares.value.items()), pool.shares.reference)]
    if cap is not None:
        steps.insert(0, Step(cap.path, Yuan(covered), (("limit", limit), ("cap", cap.value)), cap.reference))
    partial = reason(ReasonCode.COVER_PARTIAL, Severity.INFO, clause="risk_compensation.per_company_cap")
    return proposed, tuple(steps), (partial,) if covered < limit else ()
