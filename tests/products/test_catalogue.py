"""The catalogue that is shipped: sound, quick to read, and honest about what is published and what was chosen."""

import timeit
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from app.domain.terms import LOANS, ProductStatus
from app.products.analysis import remarks
from app.products.catalog import Catalog
from app.products.parse import parse_catalogue
from tests.products.catalogues import SHIPPED, files_below

DAY = date(2026, 11, 20)
FILES = files_below(SHIPPED)
# What the analysis says of it, each meant as it stands: a new one belongs here only with its reason.
EXPECTED_REMARKS: list[str] = []


@pytest.fixture(scope="module")
def shipped() -> Catalog:
    return parse_catalogue(FILES)


def references(part: Any) -> Iterator[dict[str, Any]]:
    """Every reference in a document."""
    if isinstance(part, dict):
        if "basis" in part:
            yield part
        for below in part.values():
            yield from references(below)
    elif isinstance(part, list):
        for below in part:
            yield from references(below)


class TestTheShippedCatalogue:
    def test_has_no_fault(self, shipped: Catalog):
        assert len(shipped.sources.products) > 20

    def test_gets_the_expected_remarks(self, shipped: Catalog):
        assert [str(remark) for remark in remarks(shipped)] == EXPECTED_REMARKS

    def test_has_the_six_zones_with_a_score_scheme_each(self, shipped: Catalog):
        zones = shipped.zones(on=DAY)

        assert [zone.id for zone in zones] == ["donghu", "fuxin", "kunshan", "nanchang", "suzhou-snd", "zhongkai"]
        assert all(zone.schemes and zone.platform for zone in zones)

    def test_has_a_product_that_decides_in_every_zone(self, shipped: Catalog):
        decided = {
            zone
            for product in shipped.products(on=DAY)
            if shipped.terms(product.id, on=DAY).decides
            for zone in product.zones
        }

        assert decided == {zone.id for zone in shipped.zones(on=DAY)}

    def test_decides_by_loans_only(self, shipped: Catalog):
        for product in shipped.products(on=DAY):
            if product.kind not in LOANS:
                assert product.status is not ProductStatus.ACTIVE

    def test_says_of_every_value_where_it_comes_from(self, shipped: Catalog):
        for product in shipped.products(on=DAY):
            for reference in references(shipped.terms_document(product.id, on=DAY)):
                assert reference["title"] if reference["basis"] == "published" else reference["note"]
            assert product.status_reference is not None

    def test_has_no_value_that_cannot_be_resolved_on_any_date_of_change(self, shipped: Catalog):
        for product in shipped.sources.products:
            for on in shipped.dates_of_change(product):
                shipped.terms(product, on=on)

    def test_is_read_in_less_than_a_third_of_a_second(self):
        assert min(timeit.repeat(lambda: parse_catalogue(FILES), number=1, repeat=3)) < 0.3

    def test_is_one_edition_however_it_is_read(self, shipped: Catalog):
        assert parse_catalogue(dict(reversed(FILES.items()))).digest_source == shipped.digest_source
