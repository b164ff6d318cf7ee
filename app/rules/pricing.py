"""利率: the annual rate and how it came about.

Neighbours may rely on this: the LPR is the newest quote published before the decision's day; a computed rate is rounded
half-up to a hundredth of a basis point; the contract's own rate is fixed when it is signed, so what stands here is
indicative.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from app.domain.decision import RateBasis, Reason, SharedLines
from app.domain.facts import Facts
from app.domain.money import rate_from_bps, rate_rounded
from app.domain.reasons import ReasonCode
from app.domain.terms import Parameter, PriceMethod, PricingTerms, ProductTerms, Severity
from app.domain.trace import Line, line_form
from app.rules.eligibility import reason
from app.rules.tables import look_up

LPR_CONFIRMED_WITHIN = timedelta(days=45)


@dataclass(frozen=True, slots=True, eq=False)
class Price:
    """The rate (None where only a ceiling is published), the ceiling (None where there is none), how they came
    about, and the rate to reckon with: the rate itself, else its ceiling; where no table is asked, the lines for
    everybody.
    """

    annual_rate: Decimal | None
    ceiling: Decimal | None
    basis: RateBasis
    names: tuple[str, ...]
    found: tuple[Any, ...]
    ceiling_names: tuple[str, ...]
    ceiling_found: tuple[Any, ...]
    highest: Decimal
    shared: SharedLines | None = None


def price(terms: ProductTerms, facts: Facts, lines: list[Line], reasons: list[Reason]) -> Price | None:
    """This function will price the loan; None with a reason that refers where a table had no answer."""
    pricing = terms.pricing
    lines.append(_quoted(terms))
    if _unconfirmed(terms, facts.on):
        reasons.append(reason(ReasonCode.LPR_UNCONFIRMED, Severity.INFO, clause="pricing.lpr"))
    same = _same_for_all(terms)
    if same is not None:
        lines.append(same.shared)
        return same
    parameter, ceiling = _rate_parameter(pricing), pricing.ceiling_bps
    _, names, found, row, absent = _NOTHING if parameter is None else look_up(parameter, facts)
    _, names_above, found_above, row_above, absent_above = _NOTHING if ceiling is None else look_up(ceiling, facts)
    if absent is not None or absent_above is not None:
        for asked, seen, actual, why in (
            (parameter, names, found, absent),
            (ceiling, names_above, found_above, absent_above),
        ):
            if why is not None:
                lines.append((asked.forms[seen][True], None, actual))
                reasons.append(why)
        return None
    priced = _priced(terms, row, row_above)
    lines += _lines(pricing, priced, names, found, names_above, found_above)
    return priced


_NOTHING = (None, (), (), None, None)


def _lines(
    pricing: PricingTerms, priced: Price, names: tuple[str, ...], found: tuple[Any, ...], names_above: tuple[str, ...],
    found_above: tuple[Any, ...],
) -> list[Line]:  # fmt: skip
    parameter, ceiling, lines = _rate_parameter(pricing), pricing.ceiling_bps, []
    if parameter is not None:
        lines.append((parameter.forms[names + priced.names][False], priced.annual_rate, found + priced.found))
    if ceiling is not None:
        form = ceiling.forms[names_above + priced.ceiling_names][False]
        lines.append((form, priced.ceiling, found_above + priced.ceiling_found))
    return lines


@lru_cache(maxsize=4_096)
def _same_for_all(terms: ProductTerms) -> Price | None:
    """The price where no table asks who the company is."""
    pricing = terms.pricing
    if any(asked is not None and asked.read is not None for asked in (_rate_parameter(pricing), pricing.ceiling_bps)):
        return None
    priced = _priced(terms, None, None)
    return replace(priced, shared=SharedLines(tuple(_lines(pricing, priced, (), (), (), ()))))


def _rate_parameter(pricing: PricingTerms) -> Parameter | None:
    """The parameter that the method reads; a ceiling alone has none."""
    if pricing.method is PriceMethod.LPR:
        return pricing.spread_bps
    return pricing.annual_rate if pricing.method is PriceMethod.FIXED else pricing.discount_share


@lru_cache(maxsize=4_096)
def _quoted(terms: ProductTerms) -> SharedLines:
    """What the rate starts from: the LPR quote, or the usual rate."""
    pricing, lines = terms.pricing, []
    if pricing.lpr_term is not None:
        lpr = terms.lpr[pricing.lpr_term]
        form = line_form("pricing.lpr", ("term", "published_on"), lpr.reference)
        lines.append((form, lpr.rate, (lpr.term, lpr.published_on)))
    if pricing.conventional_rate is not None:
        usual = pricing.conventional_rate
        lines.append((usual.forms[()][False], usual.value, ()))
    return SharedLines(tuple(lines))


def _unconfirmed(terms: ProductTerms, on: date) -> bool:
    """Whether nobody has confirmed the LPR quote lately."""
    term = terms.pricing.lpr_term
    return term is not None and on > terms.lpr[term].confirmed_through + LPR_CONFIRMED_WITHIN


@lru_cache(maxsize=4_096)
def _priced(terms: ProductTerms, row: Any, ceiling_row: Any) -> Price:
    """The price at one row of each table: few rows serve very many companies."""
    pricing, names, found = terms.pricing, (), ()
    method = pricing.method
    lpr = None if pricing.lpr_term is None else terms.lpr[pricing.lpr_term]
    rate: Decimal | None = None
    basis = RateBasis(method, lpr)
    if method is PriceMethod.LPR:
        spread = pricing.spread_bps.at(row)
        rate, names, found = lpr.rate + rate_from_bps(spread), ("lpr", "spread_bps"), (lpr.rate, spread)
        basis = RateBasis(method, lpr, spread_bps=spread)
    elif method is PriceMethod.FIXED:
        rate = pricing.annual_rate.at(row)
    elif method is PriceMethod.DISCOUNT:
        usual, discount = pricing.conventional_rate.value, pricing.discount_share.at(row)
        rate = rate_rounded(usual * (1 - discount))
        names, found = ("conventional_rate", "discount_share"), (usual, discount)
        basis = RateBasis(method, lpr, conventional_rate=usual, discount_share=discount)
    if pricing.ceiling_bps is None:
        return Price(rate, None, basis, names, found, (), (), rate)
    bps = pricing.ceiling_bps.at(ceiling_row)
    ceiling = lpr.rate + rate_from_bps(bps)
    rate = None if rate is None else min(rate, ceiling)
    above = ("lpr", "ceiling_bps"), (lpr.rate, bps)
    return Price(rate, ceiling, basis, names, found, *above, ceiling if rate is None else rate)
