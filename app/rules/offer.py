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
from app.domain.trace import Line, line_form
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
    form, asked_for, expiry = _form(terms, on, tenor_months, priced)
    covered, cover_lines, reasons = cover(terms.risk_compensation, limit, fits)
    subsidy = subsidise(terms, paying, Loan(limit, priced.highest, on, tenor_months))
    return Offered(PreApprovedOffer(form, limit, subsidy, covered), (asked_for, *cover_lines, expiry), reasons)


@lru_cache(maxsize=4_096)
def _form(
    terms: ProductTerms, on: date, tenor_months: int, priced: Price
) -> tuple[OfferForm, SharedLines, SharedLines]:
    """The form, and the lines of the trace on security and expiry."""
    asked_for = security(terms)
    valid, fee = terms.offer_valid_days, asked_for.guarantee_fee_rate
    expires_on = on + timedelta(days=valid.value)
    expiry = (line_form(valid.path, ("valid_days",), valid.reference), expires_on, (valid.value,))
    form = OfferForm(
        tenor_months=tenor_months,
        expires_on=expires_on,
        annual_rate=priced.annual_rate,
        annual_rate_ceiling=priced.ceiling,
        all_in_annual_cost=priced.highest if fee is None else priced.highest + fee,
        rate_basis=priced.basis,
        collateral_required=asked_for.collateral_required,
        guarantee_required=asked_for.guarantee_required,
        guarantee_fee_rate=fee,
        conditions=terms.conditions,
    )
    return form, asked_for.lines, SharedLines((expiry,))
