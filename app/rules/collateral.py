"""抵押与担保: what is asked for besides the company's word; stated positively."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from app.domain.decision import SharedLines
from app.domain.terms import ProductTerms


class Security(NamedTuple):
    """Whether collateral or a guarantee is required, and the guarantor's fee a year where one is charged."""

    collateral_required: bool
    guarantee_required: bool
    guarantee_fee_rate: Decimal | None
    lines: SharedLines


@lru_cache(maxsize=4_096)
def security(terms: ProductTerms) -> Security:
    """This function will say what security the product asks for."""
    asked = (terms.collateral_required, terms.guarantee_required, terms.guarantee_fee_rate)
    fee = terms.guarantee_fee_rate
    return Security(
        collateral_required=terms.collateral_required.value,
        guarantee_required=terms.guarantee_required is not None and terms.guarantee_required.value,
        guarantee_fee_rate=None if fee is None else fee.value,
        lines=SharedLines(tuple((p.forms[()][False], p.value, ()) for p in asked if p is not None)),
    )
