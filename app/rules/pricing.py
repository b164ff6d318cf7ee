"""利率: the annual rate and how it came about.

Neighbours may rely on this: the LPR is the newest quote published before the decision's day; a computed rate is
rounded half-up to a hundredth of a basis point; the contract's own rate is fixed when it is signed, so what stands
here is indicative.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from app.domain.decision import RateBasis, Reason, Step
from app.domain.facts import Facts
from app.domain.money import rate_from_bps, rate_rounded
from app.domain.reasons import ReasonCode
from app.domain.terms import LprQuote, PriceMethod, PricingTerms, ProductTerms, Severity
from app.rules.credit_limit import look_up
from app.rules.eligibility import reason

LPR_CONFIRMED_WITHIN = timedelta(days=45)


@dataclass(frozen=True, slots=True)
class Price:
    """The rate (None where only a ceiling is published), the ceiling (None where there is none), the basis, lines
    and reasons.
    """

    annual_rate: Decimal | None
    ceiling: Decimal | None
    basis: RateBasis | None
    steps: tuple[Step, ...]
    reasons: tuple[Reason, ...]

    @property
    def highest(self) -> Decimal:
        """The rate to reckon with: the rate itself, else its ceiling."""
        return self.annual_rate if self.annual_rate is not None else self.ceiling


def price(terms: ProductTerms, facts: Facts, on: date) -> Price:
    """This function will price the loan; reasons that refer mean that a table had no answer."""
    pricing = terms.pricing
    lpr = terms.lpr[pricing.lpr_term] if pricing.lpr_term else None
    rate, basis, steps, missing = _rate(pricing, lpr, facts)
    ceiling = None
    if pricing.ceiling_bps is not None and not missing:
        found = look_up(pricing.ceiling_bps, facts)
        if found.missing is not None:
            missing = (found.missing,)
        else:
            ceiling = lpr.rate + rate_from_bps(found.value)
            rate = None if rate is None else min(rate, ceiling)
            shown = (*found.facts, ("lpr", lpr.rate), ("ceiling_bps", found.value))
            steps = (*steps, Step(pricing.ceiling_bps.path, ceiling, shown, pricing.ceiling_bps.reference))
    if lpr is None:
        return Price(rate, ceiling, basis, steps, missing)
    quoted = Step("pricing.lpr", lpr.rate, (("term", lpr.term), ("published_on", lpr.published_on)), lpr.reference)
    if on > lpr.confirmed_through + LPR_CONFIRMED_WITHIN:
        missing = (*missing, reason(ReasonCode.LPR_UNCONFIRMED, Severity.INFO, clause="pricing.lpr"))
    return Price(rate, ceiling, basis, (quoted, *steps), missing)


def _rate(
    pricing: PricingTerms, lpr: LprQuote | None, facts: Facts
) -> tuple[Decimal | None, RateBasis, tuple[Step, ...], tuple[Reason, ...]]:
    """The rate by its method, before any ceiling."""
    method = pricing.method
    if method is PriceMethod.CEILING:
        return None, RateBasis(method, lpr), (), ()
    if method is PriceMethod.LPR:
        found, parameter = look_up(pricing.spread_bps, facts), pricing.spread_bps
        basis = RateBasis(method, lpr, spread_bps=found.value)
    elif method is PriceMethod.FIXED:
        found, parameter = look_up(pricing.annual_rate, facts), pricing.annual_rate
        basis = RateBasis(method, lpr)
    else:
        found, parameter = look_up(pricing.discount_share, facts), pricing.discount_share
        basis = RateBasis(method, lpr, conventional_rate=pricing.conventional_rate.value, discount_share=found.value)
    if found.missing is not None:
        return None, basis, (Step(parameter.path, None, found.facts, parameter.reference, True),), (found.missing,)
    if method is PriceMethod.LPR:
        rate, shown = lpr.rate + rate_from_bps(found.value), (("lpr", lpr.rate), ("spread_bps", found.value))
        return rate, basis, (Step(parameter.path, rate, (*found.facts, *shown), parameter.reference),), ()
    if method is PriceMethod.FIXED:
        return found.value, basis, (Step(parameter.path, found.value, found.facts, parameter.reference),), ()
    conventional = pricing.conventional_rate
    rate = rate_rounded(conventional.value * (1 - found.value))
    base = Step(conventional.path, conventional.value, (), conventional.reference)
    shown = (("conventional_rate", conventional.value), ("discount_share", found.value))
    return rate, basis, (base, Step(parameter.path, rate, (*found.facts, *shown), parameter.reference)), ()
