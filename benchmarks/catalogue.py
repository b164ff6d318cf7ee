"""The service's own catalogue, as every measurement uses it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import app
from app.domain.terms import ProductTerms
from app.products.parse import parse_catalogue

_FILES = Path(app.__file__).parent / "products"


def deciding_terms(on: date) -> dict[str, ProductTerms]:
    """This function will return the terms of every product that decides on that day, by id."""
    files = {str(path.relative_to(_FILES)): path.read_bytes() for path in sorted(_FILES.rglob("*.yaml"))}
    catalog = parse_catalogue(files)
    terms = (catalog.terms(product, on=on) for product in sorted(catalog.sources.products))
    return {one.id: one for one in terms if one.decides}
