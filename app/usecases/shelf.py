"""金融超市: the previews of one company side by side, each with what it lacks for a better answer.

Neighbours may rely on this: what is missing was found by deciding again with just that changed (app/rules/
counterfactual.py), never inferred; what would put a product before all others says so; a product that does not decide
stands on the shelf with what is known of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from app.domain.decision import Decision
from app.domain.terms import ProductTerms
from app.products.catalog import Catalog, ShelfProduct
from app.rules.counterfactual import Counterfactual, counterfactuals, result_of
from app.rules.decide import decide
from app.rules.suppositions import Case
from app.usecases.preview import Previewed

MOST_BETTER: Final = 5
"""Of each product so many ways to a better answer are shown, the nearest first; an explanation has them all."""


@dataclass(frozen=True, slots=True)
class Better:
    """What would better one product's answer; `leads`: it would then be better than what any product answers now."""

    found: Counterfactual
    leads: bool


@dataclass(frozen=True, slots=True)
class ShelfRow:
    """One product as it stands on the shelf for this company."""

    product: ShelfProduct
    terms: ProductTerms
    decision: Decision
    better: tuple[Better, ...]


def shelf_rows(found: Sequence[Previewed], catalog: Catalog, on: date) -> tuple[ShelfRow, ...]:
    """This function will set previews side by side, in the order given."""
    best = max((result_of(one.decision).order() for one in found), default=None)
    rows = []
    for application, decision, sources in found:
        case = Case(application, sources.standing)
        ways = [way for way in counterfactuals(case, sources.terms, on, decide) if way.better]
        better = [Better(way, way.result.order() > best) for way in ways]
        product = catalog.product(application.product, on=on)
        rows.append(ShelfRow(product, sources.terms, decision, _shown(better)))
    return tuple(rows)


def _shown(better: list[Better]) -> tuple[Better, ...]:
    """The nearest, and among them at least one that leads where any does."""
    shown = better[:MOST_BETTER]
    leading = next((one for one in better if one.leads), None)
    if leading is not None and leading not in shown:
        shown[-1] = leading
    return tuple(shown)
