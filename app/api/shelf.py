"""The shelf (金融超市) as it is answered: one line a product, the same columns for each, in both languages.

Neighbours may rely on this: a figure that is not offered is null, never nought; what security a product asks for is
told of every product that decides, whatever it answers this company.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.api.catalogue import product_shown
from app.api.explanation_document import counterfactual_text, plain, result_shown
from app.domain.decision import PreApprovedOffer, Reason
from app.domain.money import rate_text
from app.domain.trace import Basis
from app.rules.collateral import security
from app.usecases.shelf import Better, ShelfRow


def shelf_document(rows: Iterable[ShelfRow]) -> list[dict[str, Any]]:
    """This function will write the rows of a shelf."""
    return [_row(row) for row in rows]


def _row(row: ShelfRow) -> dict[str, Any]:
    decision, asked = row.decision, security(row.terms) if row.terms.decides else None
    return {
        "product": product_shown(row.product),
        "outcome": decision.outcome.value,
        **_figures(decision.offer),
        "collateral_required": None if asked is None else asked.collateral_required,
        "guarantee_required": None if asked is None else asked.guarantee_required,
        "guarantee_fee_rate": None if asked is None else _rate(asked.guarantee_fee_rate),
        "reasons": [_reason(reason) for reason in decision.reasons if reason.severity != "INFO"],
        "better": [_better(one) for one in row.better],
        "assumed": any(line[3] is not None and line[3].basis is Basis.ASSUMED for line in decision.trace()),
    }


def _figures(offer: PreApprovedOffer | None) -> dict[str, Any]:
    subsidy = None if offer is None else offer.interest_subsidy
    return {
        "credit_limit": None if offer is None else offer.credit_limit.text(),
        "tenor_months": None if offer is None else offer.form.tenor_months,
        "expires_on": None if offer is None else offer.expires_on.isoformat(),
        "annual_rate": None if offer is None else _rate(offer.form.annual_rate),
        "annual_rate_ceiling": None if offer is None else _rate(offer.form.annual_rate_ceiling),
        "all_in_annual_cost": None if offer is None else _rate(offer.form.all_in_annual_cost),
        "maximum_interest_subsidy": None if subsidy is None else subsidy.maximum_amount.text(),
        "net_annual_rate_at_best": None if subsidy is None else _rate(subsidy.net_annual_rate_at_best),
    }


def _rate(rate: Any) -> str | None:
    return None if rate is None else rate_text(rate)


def _reason(reason: Reason) -> dict[str, Any]:
    return {
        "code": reason.code.name,
        "severity": str(reason.severity),
        "message": {"zh": reason.words.zh, "en": reason.words.en},
    }


def _better(better: Better) -> dict[str, Any]:
    return {
        "text": {"zh": counterfactual_text(better.found, "zh"), "en": counterfactual_text(better.found, "en")},
        "changes": [
            {"fact": change.fact, "actual": plain(change.actual), "value": plain(change.value)}
            for change in better.found.changes
        ],
        "result": result_shown(better.found.result),
        "leads": better.leads,
    }
