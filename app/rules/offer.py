"""预授信: the offer at a limit, a price and the subsidies that pay.

Neighbours may rely on this: an offer follows from the terms, the day and few figures, whoever the company is, so
that one answer serves every company that comes to the same figures; nothing of a company is remembered here.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from app.domain.decision import PreApprovedOffer, Reason, SharedLines
from app.domain.money import Yuan
from app.domain.terms import ProductTerms
from app.domain.trace import line_form
from app.rules.collateral import security
from app.rules.interest_subsidy import Loan, Paying, subsidise
from app.rules.pricing import Price
from app.rules.risk_compensation import Fits, cover


class Offered(NamedTuple):
    """An offer with its lines of the trace and what else the reader should know."""

    offer: PreApprovedOffer
    lines: SharedLines
    reasons: tuple[Reason, ...]


@lru_cache(maxsize=2_048)
def offered(
    terms: ProductTerms,
    on: date,
    limit: Yuan,
    tenor_months: int,
    priced: Price,
    paying: tuple[Paying, ...],
    fits: Fits | None = None,
) -> Offered:
    """This function will make the offer: security, subsidy, cover as far as it `fits`, expiry and conditions."""
    asked_for = security(terms)
    covered, cover_lines, reasons = cover(terms.risk_compensation, limit, fits)
    valid, fee = terms.offer_valid_days, asked_for.guarantee_fee_rate
    expires_on = on + timedelta(days=valid.value)
    expiry = (line_form(valid.path, ("valid_days",), valid.reference), expires_on, (valid.value,))
    offer = PreApprovedOffer(
        credit_limit=limit,
        tenor_months=tenor_months,
        expires_on=expires_on,
        annual_rate=priced.annual_rate,
        annual_rate_ceiling=priced.ceiling,
        all_in_annual_cost=priced.highest if fee is None else priced.highest + fee,
        rate_basis=priced.basis,
        collateral_required=asked_for.collateral_required,
        guarantee_required=asked_for.guarantee_required,
        guarantee_fee_rate=fee,
        interest_subsidy=subsidise(terms, paying, Loan(limit, priced.highest, on, tenor_months)),
        risk_compensation=covered,
        conditions=terms.conditions,
    )
    return Offered(offer, SharedLines((*asked_for.lines, *cover_lines, expiry)), reasons)
