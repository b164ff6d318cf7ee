"""A catalogue as read, every date still in it.

Neighbours may rely on this: after links.py has passed, every name in it resolves. A product's `sections` are its own
laid over its framework's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.domain.terms import ProductKind
from app.products.faults import Place
from app.products.forms import Section
from app.products.gates import dated_within
from app.products.layout import SECTIONS
from app.products.parameters import Dated


@dataclass(frozen=True, slots=True)
class Product:
    """One product's file."""

    id: str
    lender: str
    own: Section
    sections: Section

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones it serves, as listed."""
        return self.own["zones"]

    @property
    def kind(self) -> ProductKind:
        """What it is."""
        return self.own["kind"]

    @property
    def status(self) -> Dated:
        """Its status by date."""
        return self.own["status"]

    @property
    def place(self) -> Place:
        """Its file."""
        return self.own.place


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that was read."""

    codes: Section
    lpr: Section
    holidays: Section | None
    zones: Mapping[str, Section]
    lenders: Mapping[str, Section]
    products: Mapping[str, Product]
    subsidies: Mapping[str, Section] = field(default_factory=dict)
    pools: Mapping[str, Section] = field(default_factory=dict)

    def schemes_of(self, product: Product) -> Iterator[tuple[str, Section]]:
        """This function will return the score schemes of the product's zones, by id."""
        found = {name: s for zone in product.zones for name, s in self.zones[zone].get("score_schemes", {}).items()}
        return iter(sorted(found.items()))

    def dated_of(self, product: Product) -> Iterator[Dated]:
        """This function will walk over every dated value that the product's document may hold."""
        yield product.status
        yield from dated_within(product.sections)
        yield from dated_within(self.lenders[product.lender])
        for _, scheme in self.schemes_of(product):
            yield from dated_within(scheme)
        for name in product.sections.get("interest_subsidies", ()):
            yield from dated_within(self.subsidies[name])
        pool = self.pools.get(product.sections.get("risk_compensation", {}).get("pool"))
        yield from dated_within(pool)


def laid_over(own: Section, framework: Section | None) -> Section:
    """This function will return the product's sections laid over its framework's, down to parameters, gates and
    components.

    A product that names its own pricing method takes none of the framework's pricing: a spread has no meaning beside
    a fixed rate.
    """
    sections = Section(own.place, ((k, v, own.places[k]) for k, v in own.items() if k in SECTIONS))
    if framework is None:
        return sections
    below = Section(framework.place, ((k, v, framework.places[k]) for k, v in framework.items()))
    if "method" in sections.get("pricing", ()):
        below.pop("pricing", None)
    return _over(sections, below)


def _over(own: Any, below: Any) -> Any:
    if not (isinstance(own, Section) and isinstance(below, Section)):
        return own
    keys = [*below, *(key for key in own if key not in below)]
    laid = Section(own.place)
    for key in keys:
        laid[key] = _over(own[key], below[key]) if key in own and key in below else own.get(key, below.get(key))
        laid.places[key] = (own if key in own else below).places[key]
    return laid
