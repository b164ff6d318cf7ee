"""预授信: the offer at a limit, a price and the subsidies that pay.

Neighbours may rely on this: an offer's form follows from the terms, the day, the tenor and the price, and is made once
for all companies; only amounts are reckoned for each. Nothing of a company is remembered here.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from app.domain.decision import OfferForm, PreApprovedOffer, Reason, SharedLines
from app.domain.money import Yuan
from app.domain.terms import ProductTerms
from app.domain.trace import Line
from app.rules.collateral import security
from app.rules.interest_subsidy import Loan, Paying, subsidise
from app.rules.pricing import Price
from app.rules.risk_compensation import Fits, cover


class Offered(NamedTuple):
    """An offer with its lines of the trace and what else the reader should know."""

    offer: PreApprovedOffer
    lines: tuple[Line | SharedLines, ...]
    reasons: tuple[Reason, ...]


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
    valid = terms.offer_valid_days
    expires_on = on + timedelta(days=valid.value)
    covered, cover_lines, reasons = cover(terms.risk_compensation, limit, fits)
    subsidy = subsidise(terms, paying, Loan(limit, priced.highest, on, tenor_months))
    expiry = (valid.forms[_VALID][False], expires_on, (valid.value,))
    offer = PreApprovedOffer(_form(terms, tenor_months, priced), expires_on, limit, subsidy, covered)
    return Offered(offer, (security(terms).lines, *cover_lines, expiry), reasons)


_VALID = ("valid_days",)


@lru_cache(maxsize=4_096)
def _form(terms: ProductTerms, tenor_months: int, priced: Price) -> OfferForm:
    asked_for = security(terms)
    fee = asked_for.guarantee_fee_rate
    return OfferForm(
        tenor_months=tenor_months,
        annual_rate=priced.annual_rate,
        annual_rate_ceiling=priced.ceiling,
        all_in_annual_cost=priced.highest if fee is None else priced.highest + fee,
        rate_basis=priced.basis,
        collateral_required=asked_for.collateral_required,
        guarantee_required=asked_for.guarantee_required,
        guarantee_fee_rate=fee,
        conditions=terms.conditions,
    )
