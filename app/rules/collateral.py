"""抵押与担保: what is asked for besides the company's word; stated positively."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from app.domain.decision import Step
from app.domain.terms import ProductTerms


@dataclass(frozen=True, slots=True)
class Security:
    """Whether collateral or a guarantee is required, and the guarantor's fee a year where one is charged."""

    collateral_required: bool
    guarantee_required: bool
    guarantee_fee_rate: Decimal | None
    steps: tuple[Step, ...]


def security(terms: ProductTerms) -> Security:
    """This function will say what security the product asks for."""
    asked = [
        p for p in (terms.collateral_required, terms.guarantee_required, terms.guarantee_fee_rate) if p is not None
    ]
    fee = terms.guarantee_fee_rate
    return Security(
        collateral_required=terms.collateral_required.value,
        guarantee_required=terms.guarantee_required is not None and terms.guarantee_required.value,
        guarantee_fee_rate=None if fee is None else fee.value,
        steps=tuple(Step(p.path, p.value, (), p.reference) for p in asked),
    )
