"""利率: the annual rate and how it came about.

Neighbours may rely on this: the LPR is the newest quote published before the decision's day; a computed rate is rounded
half-up to a hundredth of a basis point; the contract's own rate is fixed when it is signed, so what stands here is
indicative.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from app.domain.decision import Line, RateBasis, Reason
from app.domain.facts import Facts
from app.domain.money import rate_from_bps, rate_rounded
from app.domain.reasons import ReasonCode
from app.domain.terms import LprQuote, Parameter, PriceMethod, PricingTerms, ProductTerms, Severity
from app.rules.eligibility import reason
from app.rules.tables import look_up

LPR_CONFIRMED_WITHIN = timedelta(days=45)


class Price(NamedTuple):
    """The rate (None where only a ceiling is published), the ceiling (None where there is none), and how they came
    about.
    """

    annual_rate: Decimal | None
    ceiling: Decimal | None
    basis: RateBasis
    facts: tuple[tuple[str, Any], ...]
    ceiling_facts: tuple[tuple[str, Any], ...]

    @property
    def highest(self) -> Decimal:
        """The rate to reckon with: the rate itself, else its ceiling."""
        return self.annual_rate if self.annual_rate is not None else self.ceiling


def price(terms: ProductTerms, facts: Facts, on: date, lines: list[Line]) -> tuple[Price | None, list[Reason]]:
    """This function will price the loan; None with a reason that refers where a table had no answer."""
    pricing = terms.pricing
    lpr = None if pricing.lpr_term is None else terms.lpr[pricing.lpr_term]
    reasons = []
    if lpr is not None:
        lines.append(_quoted(lpr))
        if on > lpr.confirmed_through + LPR_CONFIRMED_WITHIN:
            reasons.append(reason(ReasonCode.LPR_UNCONFIRMED, Severity.INFO, clause="pricing.lpr"))
    parameter = _rate_parameter(pricing)
    value, found, absent = (None, (), None) if parameter is None else look_up(parameter, facts)
    bps, found_ceiling, absent_ceiling = (None, (), None)
    if pricing.ceiling_bps is not None:
        bps, found_ceiling, absent_ceiling = look_up(pricing.ceiling_bps, facts)
    if absent is not None or absent_ceiling is not None:
        for asked, seen, why in (
            (parameter, found, absent),
            (pricing.ceiling_bps, found_ceiling, absent_ceiling),
        ):
            if why is not None:
                lines.append((asked.path, None, seen, asked.reference, True))
                reasons.append(why)
        return None, reasons
    priced = _priced(pricing, lpr, value, bps)
    if pricing.conventional_rate is not None:
        conventional = pricing.conventional_rate
        lines.append((conventional.path, conventional.value, (), conventional.reference, False))
    if parameter is not None:
        lines.append((parameter.path, priced.annual_rate, found + priced.facts, parameter.reference, False))
    if pricing.ceiling_bps is not None:
        shown = found_ceiling + priced.ceiling_facts
        lines.append((pricing.ceiling_bps.path, priced.ceiling, shown, pricing.ceiling_bps.reference, False))
    return priced, reasons


def _rate_parameter(pricing: PricingTerms) -> Parameter | None:
    """The parameter that the method reads; a ceiling alone has none."""
    if pricing.method is PriceMethod.LPR:
        return pricing.spread_bps
    return pricing.annual_rate if pricing.method is PriceMethod.FIXED else pricing.discount_share


@lru_cache(maxsize=1_024)
def _quoted(lpr: LprQuote) -> Line:
    return "pricing.lpr", lpr.rate, (("term", lpr.term), ("published_on", lpr.published_on)), lpr.reference, False


@lru_cache(maxsize=8_192)
def _priced(pricing: PricingTerms, lpr: LprQuote | None, value: Any, ceiling_bps: int | None) -> Price:
    """The price for one value of the method's parameter: few values recur for very many companies."""
    method, facts = pricing.method, ()
    rate: Decimal | None = None
    basis = RateBasis(method, lpr)
    if method is PriceMethod.LPR:
        rate, facts = lpr.rate + rate_from_bps(value), (("lpr", lpr.rate), ("spread_bps", value))
        basis = RateBasis(method, lpr, spread_bps=value)
    elif method is PriceMethod.FIXED:
        rate = value
    elif method is PriceMethod.DISCOUNT:
        conventional = pricing.conventional_rate.value
        rate = rate_rounded(conventional * (1 - value))
        facts = (("conventional_rate", conventional), ("discount_share", value))
        basis = RateBasis(method, lpr, conventional_rate=conventional, discount_share=value)
    if ceiling_bps is None:
        return Price(rate, None, basis, facts, ())
    ceiling = lpr.rate + rate_from_bps(ceiling_bps)
    shown = (("lpr", lpr.rate), ("ceiling_bps", ceiling_bps))
    return Price(None if rate is None else min(rate, ceiling), ceiling, basis, facts, shown)
