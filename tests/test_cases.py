"""The policy people's cases, all of tests/cases: each decided as a loan system's application would be."""

import pytest

from app.domain.terms import LOANS, ProductStatus
from tests.policy_cases import Case, all_cases, catalogue, differences


class TestACase:
    @pytest.mark.parametrize("case", all_cases(), ids=str)
    def test_is_decided_as_policy_says(self, case: Case):
        complaints = differences(case, catalogue())

        assert not complaints, "\n".join([str(case), *complaints])


class TestTheCases:
    def test_have_each_a_name_of_its_own(self):
        names = [str(case) for case in all_cases()]

        assert len(names) == len(set(names))

    def test_cover_every_product_that_ever_decides(self):
        catalog = catalogue()
        deciding = {
            product.id
            for product in catalog.sources.products.values()
            if product.kind in LOANS
            for entry in product.status.entries
            if entry.value is ProductStatus.ACTIVE
        }

        assert deciding <= {case.product for case in all_cases()}

    def test_cover_every_product_that_never_decides(self):
        assert set(catalogue().sources.products) <= {case.product for case in all_cases()}
