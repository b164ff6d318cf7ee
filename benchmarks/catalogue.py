"""The service's own catalogue, as every measurement uses it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import app
from app.domain.terms import ProductTerms
from app.products.catalog import Catalog
from app.products.parse import parse_catalogue
from app.usecases.catalogue import ActiveCatalogue

_FILES = Path(app.__file__).parent / "products"


def active_catalogue() -> ActiveCatalogue:
    """This function will return the catalogue as the use cases hold it."""
    return ActiveCatalogue(_catalog())


def _catalog() -> Catalog:
    files = {str(path.relative_to(_FILES)): path.read_bytes() for path in sorted(_FILES.rglob("*.yaml"))}
    return parse_catalogue(files)


def deciding_terms(on: date) -> dict[str, ProductTerms]:
    """This function will return the terms of every product that decides on that day, by id."""
    catalog = _catalog()
    terms = (catalog.terms(product, on=on) for product in sorted(catalog.sources.products))
    return {one.id: one for one in terms if one.decides}
